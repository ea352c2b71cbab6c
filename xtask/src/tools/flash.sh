#!/bin/bash
# Flashes this bundle onto the Jetson AGX Xavier in recovery mode at this host: verifies every file first, reads the
# module's identity, and then does what `cargo xtask flash` does in its scopes full and secure-os. Needs no BSP.
# Usage: flash.sh [--scope full|secure-os] [--instance BUS-PORT]
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "$0")" && pwd)
bundle=$(dirname "$here")
scope=full instance=
die() { echo "error: $1" >&2; echo "  help: $2" >&2; exit "${3:-1}"; }
usage='usage: flash.sh [--scope full|secure-os] [--instance BUS-PORT]'
while [ $# -gt 0 ]; do
  case $1 in
    --scope) scope=${2:-}; shift ;;
    --instance) instance=${2:-}; shift ;;
    *) die "unknown option $1" "$usage" 2 ;;
  esac
  shift
done
case $scope in full | secure-os) ;; *) die "unknown scope \`$scope\`" "$usage" 2 ;; esac
[ "$(id -u)" = 0 ] || [ -n "${CARVEOUT_USB_DEVICES:-}" ] || die 'only root reaches the board over USB' 'run it with sudo' 3

echo 'verifying the bundle'
(cd "$bundle" && sha256sum --quiet --strict -c SHA256SUMS) ||
  die 'this bundle is damaged or not whole' 'copy it again from where it was built; nothing has been flashed'
echo 'every file is as it was built; who built it was not checked'

manifest() { python3 - "$bundle/manifest.json" "$@" <<'PY'
import json, sys
manifest = json.load(open(sys.argv[1]))
if sys.argv[2] == "scope":
    roles = {f["role"] for f in manifest["files"]}
    lacks = manifest["device"]["lacks"]
    if sys.argv[3] == "full" and (lacks or "rootfs" not in roles):
        print("it was built without " + (" and ".join(lacks) or "a root filesystem"))
elif sys.argv[2] == "modules":
    for m in manifest["device"]["modules"]:
        i = m["id"]
        print(m["name"], i["board"], i["sku"], i["fab"])
elif sys.argv[2] == "file":
    for f in manifest["files"]:
        if f["role"] == "flash" and sys.argv[3] in f["partitions"]:
            folder, name = f["path"].split("/")[1:3]
            if folder in ("common", sys.argv[4]):
                print(name)
PY
}
command -v python3 > /dev/null || die 'python3 is missing' 'run: apt-get install python3' 3
lacks=$(manifest scope "$scope")
[ -z "$lacks" ] || die "this bundle is not for a full flash: $lacks" 'use --scope secure-os, or another bundle'

devices=${CARVEOUT_USB_DEVICES:-/sys/bus/usb/devices}
boards=()
for device in "$devices"/*/; do
  [ "$(cat "$device/idVendor" 2> /dev/null)" = 0955 ] || continue
  [ "$(cat "$device/idProduct" 2> /dev/null)" = 7019 ] || continue
  boards+=("$(cat "$device/busnum")-$(cat "$device/devpath")")
done
if [ -z "$instance" ]; then
  [ ${#boards[@]} -gt 0 ] ||
    die 'no Jetson AGX Xavier in recovery mode at this host' 'hold its middle button, press and release reset, and look for 0955:7019 in lsusb'
  [ ${#boards[@]} -eq 1 ] || die "${#boards[@]} boards: ${boards[*]}" 'name one with --instance'
  instance=${boards[0]}
fi

work=$(mktemp -d)
log=$(mktemp "${TMPDIR:-/tmp}/carveout-flash-XXXXXX.log")
trap 'rm -rf "$work"' EXIT
# Outside tools: their exit codes and their words must both say that it went well.
tool() {
  local out code=0
  out=$( (cd "$work" && "./$1" --instance "$instance" "${@:2}") 2>&1) || code=$?
  printf '$ %s\n%s\n(exit code %s)\n' "$*" "$out" "$code" >> "$log"
  [ "$code" = 0 ] && ! grep -qE 'rror|FAILED|failed|is not running' <<< "$out" ||
    die "$1 ${*:2} failed (exit code $code): $(tail -n 1 <<< "$out")" "the board is still in recovery mode or can be brought there again; full log: $log"
}
fill() {
  rm -rf "${work:?}"/*
  local folder
  for folder in common "$1"; do
    # A USB stick may keep no modes: tools are copied, and made to run.
    [ ! -d "$here/$folder" ] || cp -R "$here/$folder/." "$work/"
  done
  find "$work" -maxdepth 1 -type f \( -name 'tegra*_v2' -o -name chkbdinfo -o -name '*.sh' \) -exec chmod +x {} +
}

echo "board at USB $instance: reading its identity"
fill none
cp -R "$work/identify" "$work/id"
(cd "$work" && mv tegrarcm_v2 id/ && cp id/tegrarcm_v2 .)
applet=$(cd "$work/id" && echo nvtboot_applet*)
tool_id() { (work=$work/id && tool "$@"); }
tool_id tegrarcm_v2 --chip 0x19 0 --rcm rcm_list_signed.xml
sleep "${CARVEOUT_FLASH_WAIT:-2}"
tool_id tegrarcm_v2 --download mb2 "$applet"
tool_id tegrarcm_v2 --boot recovery
sleep "${CARVEOUT_FLASH_WAIT:-2}"
tool_id tegrarcm_v2 --oem platformdetails eeprom cvm cvm.bin
tool_id tegrarcm_v2 --reboot recovery
ask() { (cd "$work" && ./chkbdinfo "$1" id/cvm.bin) | tr -d ' \n'; }
board=$(ask -i) sku=$(ask -k) fab=$(ask -f)
module=
while read -r name want_board want_sku want_fab; do
  if [ "$board $sku ${fab:0:1}" = "$want_board $want_sku ${want_fab:0:1}" ]; then module=$name; fi
done < <(manifest modules)
[ -n "$module" ] ||
  die "the board is P$board-$sku fab $fab, which this bundle is not for" "it is for: $(manifest modules | tr '\n' ';')"
echo "it is P$board-$sku fab $fab: module $module"
sleep "${CARVEOUT_FLASH_WAIT:-5}"

fill "$module"
if [ "$scope" = full ]; then
  ln -s "$bundle/rootfs/system.img" "$work/system.img"
  echo "flashing everything; NVIDIA's log: $log"
  (cd "$work" && ./nvaflash.sh "$instance") >> "$log" 2>&1 ||
    die "NVIDIA's nvaflash.sh failed: $(grep -a 'Error' "$log" | tail -n 1)" "full log: $log"
  grep -qa 'Rebooting the device succeeded' "$log" && ! grep -qaE 'Error:|FAILED' "$log" ||
    die "NVIDIA's nvaflash.sh ended with success, but its log does not say so" "full log: $log"
else
  # As nvaflash.sh boots the board's recovery loader.
  value() { sed -n "s/^$1=\"\(.*\)\";\$/\1/p" "$work/nvaflash.sh"; }
  words() { read -ra found <<< "$1"; }
  soft=$(value rcmsfarg)
  words "--chip 0x19 0 ${soft:+--rcm $soft} $(value rcmarg)" && tool tegrarcm_v2 "${found[@]}"
  sleep "${CARVEOUT_FLASH_WAIT:-2}"
  tool tegrarcm_v2 --isapplet
  words "$(value dlbrbctarg) $(value dlmb1bctarg) $(value dlmembctarg)" && tool tegrarcm_v2 "${found[@]}"
  tool tegrarcm_v2 --download blob blob.bin
  tool tegrarcm_v2 --boot recovery
  sleep "${CARVEOUT_FLASH_WAIT:-5}"
  tool tegradevflash_v2 --iscpubl
  image=$(manifest file secure-os "$module")
  for slot in secure-os secure-os_b; do
    echo "writing $slot"
    tool tegradevflash_v2 --write "$slot" "$image"
    tool tegradevflash_v2 --read "$slot" read-back.bin
    cmp -s -n "$(stat -c %s "$work/$image")" "$work/$image" "$work/read-back.bin" ||
      die "$slot reads back other than it was written" "full log: $log"
  done
  tool tegradevflash_v2 --reboot coldboot
fi
echo "done: $scope"
