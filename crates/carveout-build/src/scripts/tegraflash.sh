#!/bin/bash
# Flashes this bundle, which BitBake has made, onto the Jetson in recovery mode at this host: verifies every file
# first, then lets meta-tegra's doflash.sh sign for the module that it finds and write everything.
# Usage: flash.sh [--instance BUS-PORT]
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
bundle=$(dirname "$here")
die() { echo "error: $1" >&2; echo "  help: $2" >&2; exit "${3:-1}"; }
usage='usage: flash.sh [--instance BUS-PORT]'
options=()
while [ $# -gt 0 ]; do
  case $1 in
    --instance) options=(--usb-instance "${2:-}"); shift ;;
    --scope)
      [ "${2:-}" = full ] || die "scope ${2:-} is not offered: a carve-out changes by a full flash alone" "$usage" 2
      shift
      ;;
    *) die "unknown option $1" "$usage" 2 ;;
  esac
  [ $# = 0 ] || shift
done

echo 'verifying the bundle'
(cd "$bundle" && sha256sum --quiet --strict -c SHA256SUMS) ||
  die 'this bundle is damaged or not whole' 'copy it again from where it was built; nothing has been flashed'
echo 'every file is as it was built; who built it was not checked'
[ "$(id -u)" = 0 ] || [ -n "${CARVEOUT_FLASH_UNPRIVILEGED:-}" ] ||
  die 'only root reaches the board over USB' 'run it with sudo' 3
command -v python3 > /dev/null || die 'python3 is missing' 'run: apt-get install python3' 3

work=$(mktemp -d)
log=$(mktemp --suffix=-carveout-flash.log)
trap 'rm -rf "$work"' EXIT
# A USB stick may keep no modes: tools are copied, and made to run.
cp -R "$here/tegraflash/." "$work/"
find "$work" -type f -exec chmod +x {} +
# The root filesystem is in the bundle once, in the form that mksparse would give it.
mv "$work/mksparse" "$work/mksparse.bin"
cat > "$work/mksparse" << EOF
#!/bin/bash
case \${@: -2:1} in
  *.ext4) ln -sf '$bundle/rootfs/system.img' "\${@: -1}" ;;
  *) exec "\$(dirname "\$0")/mksparse.bin" "\$@" ;;
esac
EOF
chmod +x "$work/mksparse"
echo "flashing everything; the log: $log"
(cd "$work" && ./doflash.sh "${options[@]}") >> "$log" 2>&1 ||
  die "meta-tegra's doflash.sh failed: $(grep -aE 'Error|ERR' "$log" | tail -n 1)" "bring the board into recovery mode again; full log: $log"
# Its exit code is not to be trusted.
if ! grep -qa 'Flashing completed' "$log" || grep -qaE 'Error:|ERR:|FAILED' "$log"; then
  die "meta-tegra's doflash.sh ended with success, but its log does not say so" "full log: $log"
fi
echo 'done: full'
