#!/bin/sh
# cargo calls this with rustc's path and arguments (RUSTC_WRAPPER). The metadata of a crate, which is a part of all its symbols' names, is
# cargo's digest of where the crate lies and comes from; here it becomes package, version and crate. So a trusted app has the same
# bytes whether carveout's crates are a clone, a folder elsewhere or a checkout of git.
rustc=$1
shift
for argument do
    shift
    case $argument in
        metadata=*) argument="metadata=$CARGO_PKG_NAME-$CARGO_PKG_VERSION-$CARGO_CRATE_NAME" ;;
    esac
    set -- "$@" "$argument"
done
# Flags that say how paths of this host are called in the output, with a byte 31 between them.
set -f
IFS=$(printf '\037')
for flag in $CARVEOUT_REMAPS; do set -- "$@" "$flag"; done
exec "$rustc" "$@"
