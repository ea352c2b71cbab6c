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
import json, struct, sys
manifest = json.load(open(sys.argv[1]))
device, what, rest = manifest["device"], sys.argv[2], sys.argv[3:]

def choice(i):
    # What NVIDIA's flash.sh chooses by a module's identity (process_board_version of p2972-0000.conf.common).
    fab, late = i["fab"], i["sku"] >= "0004" or (i["fab"] > "300" and i["revision"] > "D.0")
    part = "early" if fab < "200" else "200" if fab < "300" else ("late" if late else "400") if fab < "500" else "early"
    return (i["board"], i["sku"], part)

if what == "scope" and rest[0] == "full":
    lacks = device["lacks"] or ([] if any(f["role"] == "rootfs" for f in manifest["files"]) else ["a root filesystem"])
    print("it was built without " + " and ".join(lacks) if lacks else "")
elif what == "modules":
    print(", ".join("%s (P%s-%s)" % (m["name"], m["id"]["board"], m["id"]["sku"]) for m in device["modules"]))
elif what == "module":
    board = dict(zip(("board", "sku", "fab", "revision"), rest + [""] * 4))
    print(*[m["name"] for m in device["modules"] if choice(m["id"]) == choice(board)][:1])
elif what == "file":
    for f in manifest["files"]:
        if f["role"] == "flash" and rest[0] in f["partitions"] and f["path"].split("/")[1] in ("common", rest[1]):
            print(f["path"].split("/")[2])
elif what == "carve-out" and device["fused"] != "pkc-sbk":
    bct = open(rest[0], "rb").read()
    found = struct.unpack_from("<QQ", bct, 0x1918) if bct[:4] == b"NVDA" and len(bct) > 0x1928 else None
    if found != (manifest["tzdram"]["size"], manifest["tzdram"]["alignment"]):
        print("%s, this bundle was made for %d" % (found[0] if found else "not known", manifest["tzdram"]["size"]))
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
log=$(mktemp --suffix=-carveout-flash.log)
trap 'rm -rf "$work"' EXIT
cwd=$work
# Outside tools: their exit codes and their words must both say that it went well.
tool() {
  local out code=0
  out=$( (cd "$cwd" && "./$1" --instance "$instance" "${@:2}") 2>&1) || code=$?
  printf '$ %s\n%s\n(exit code %s)\n' "$*" "$out" "$code" >> "$log"
  if [ "$code" != 0 ] || grep -qE 'Error|ERROR| E> |FAILED|failed|is not running' <<< "$out"; then
    die "$1 ${*:2} failed (exit code $code): $(tail -n 1 <<< "$out")" "bring the board into recovery mode again; full log: $log"
  fi
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
cp "$work"/{tegrarcm_v2,chkbdinfo} "$work/identify/"
cwd=$work/identify
applet=$(cd "$cwd" && echo nvtboot_applet*)
tool tegrarcm_v2 --chip 0x19 0 --rcm rcm_list_signed.xml
sleep "${CARVEOUT_FLASH_WAIT:-2}"
tool tegrarcm_v2 --download mb2 "$applet"
tool tegrarcm_v2 --boot recovery
sleep "${CARVEOUT_FLASH_WAIT:-2}"
tool tegrarcm_v2 --oem platformdetails eeprom cvm cvm.bin
tool tegrarcm_v2 --reboot recovery
ask() {
  local out
  out=$(cd "$work/identify" && ./chkbdinfo "$1" cvm.bin 2>&1) || die "the module's EEPROM cannot be read: $out" "full log: $log"
  tr -d ' \n\0' <<< "$out"
}
board=$(ask -i)
sku=$(ask -k)
fab=$(ask -f)
revision=$(ask -r)
module=$(manifest module "$board" "$sku" "$fab" "$revision")
[ -n "$module" ] ||
  die "the board is P$board-$sku fab $fab $revision, which this bundle is not for" "nothing has been written; it is for $(manifest modules)"
echo "it is P$board-$sku fab $fab $revision: module $module"
sleep "${CARVEOUT_FLASH_WAIT:-5}"

fill "$module"
cwd=$work
if [ "$scope" = full ]; then
  ln -s "$bundle/rootfs/system.img" "$work/system.img"
  echo "flashing everything; NVIDIA's log: $log"
  (cd "$work" && ./nvaflash.sh "$instance") >> "$log" 2>&1 ||
    die "NVIDIA's nvaflash.sh failed: $(grep -a 'Error' "$log" | tail -n 1)" "full log: $log"
  if ! grep -qa 'Rebooting the device succeeded' "$log" || grep -qaE 'Error:|FAILED' "$log"; then
    die "NVIDIA's nvaflash.sh ended with success, but its log does not say so" "full log: $log"
  fi
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
  # A carve-out changes by a full flash alone: then secure-os alone would leave the old one in force.
  tool tegradevflash_v2 --read MB1_BCT read-back.bin
  other=$(manifest carve-out "$work/read-back.bin")
  [ -z "$other" ] || die "the board's carve-out is $other: nothing has been written" 'flash with --scope full'
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
