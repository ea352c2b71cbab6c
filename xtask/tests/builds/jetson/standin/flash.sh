#!/bin/bash
# Stands in for flash.sh of L4T R32: its options, its environment, its files, and its exit code, which is 0 even if signing failed.
cd "$(dirname "$0")" || exit 1
die() { echo "Error: $1"; exit 1; }
size=30064771072 words=()
while [ $# -gt 0 ]; do
  case $1 in
    --no-flash | -r | --sign) ;;
    -S) size=$2; shift ;;
    -*) die "unknown option $1" ;;
    *) words+=("$1") ;;
  esac
  shift
done
[ "$USER" = root ] || die "flash.sh requires root privilege"
[ "${#words[@]}" = 2 ] || die "usage: flash.sh [options] <board> <root device>"
[ -f "${words[0]}.conf" ] || die "no ${words[0]}.conf"
for name in BOARDID FAB BOARDSKU FUSELEVEL CHIPREV; do [ -n "${!name}" ] || die "no board is connected, and no $name is given"; done
export BOARD=${words[0]}
[ -d rootfs ] || die "no rootfs"
# As the real one: what is in bootloader/ is lost.
cp bootloader/t186ref/BCT/*.cfg bootloader/t186ref/cfg/*.xml bootloader/ || exit 1
(cd bootloader && python3 tegraflash_internal.py sign "$size") || echo "Error: signing failed"
exit 0
