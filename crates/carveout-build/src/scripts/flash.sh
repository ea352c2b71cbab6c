#!/bin/bash
# Flashes this bundle onto the Jetson AGX Xavier in recovery mode at this host. Needs no BSP and no carveout.
set -euo pipefail
export LC_ALL=C
usage='usage: flash.sh [--scope full|secure-os] [--instance BUS-PORT] [--allow-downgrade] [--carve-out-unseen]

Verifies every file of the bundle, reads the fuses and the identity of the board, refuses a board that the bundle is not for, writes,
and reads back both slots of the boot config and of secure-os. The last line is "done: full" or "done: secure-os".

  --scope full         write everything (default); the root filesystem of the board is lost
  --scope secure-os    write both slots of secure-os, if the board has the carve-out of this bundle
  --instance BUS-PORT  the board, if there are several
  --allow-downgrade    flash a smaller security version than the records of this host know of the board
  --carve-out-unseen   with --scope secure-os, for a board with an SBK: write without the comparison of the carve-outs, because
                       the boot config of the board is encrypted

Exit codes: 0 done, 1 a check failed, 2 wrong usage, 3 the host lacks something.'
here=$(cd "$(dirname "$0")" && pwd)
bundle=$(dirname "$here")
scope=full instance='' downgrade='' unseen='' cid='' board='' work='' log='' result='' steps='' step='' since=0
state=${XDG_STATE_HOME:-${HOME:-/root}/.local/state}/carveout/flash-records
die() {
  echo "error: $1" >&2
  echo "  help: $2" >&2
  result=$1
  exit "${3:-1}"
}
# Ends the step that runs, as `ok` or not, and begins the next one. Steps are named as carveout names them: both read the records.
step() {
  [ -z "$step" ] || steps+="$step"$'\t'"$((SECONDS - since))"$'\t'"$1"$'\n'
  step=${2:-} since=$SECONDS
}
# However it ends, interrupted too: what was written to a board must be in the records.
finish() {
  if [ "$result" = ok ]; then step ok; else step failed; fi
  if [ -n "$cid" ]; then
    manifest record "$state" "$cid" "$board" "$instance" "$scope" "$log" "${result:-flash.sh was ended}" "$steps" ||
      echo "warning: no record could be written to $state: the security version of this board is not kept" >&2
  fi
  [ -z "$work" ] || rm -rf "$work"
}
trap finish EXIT
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) echo "$usage"; exit 0 ;;
    --allow-downgrade) downgrade=yes; shift; continue ;;
    --carve-out-unseen) unseen=yes; shift; continue ;;
    --scope | --instance) [ $# -gt 1 ] || die "$1 needs a value" 'flash.sh --help shows what is allowed' 2 ;;
    *) die "unknown option $1" 'flash.sh --help shows what is allowed' 2 ;;
  esac
  if [ "$1" = --scope ]; then scope=$2; else instance=$2; fi
  shift 2
done
case $scope in full | secure-os) ;; *) die "unknown scope \`$scope\`" 'allowed are full and secure-os' 2 ;; esac
[ "$(id -u)" = 0 ] || [ -n "${CARVEOUT_USB_DEVICES:-}" ] || die 'only root reaches the board over USB' 'run it with sudo' 3
command -v python3 > /dev/null || die 'python3 is missing' 'run: apt-get install python3' 3

manifest() { python3 - "$bundle" "$@" <<'PY'
import datetime, json, os, re, struct, sys
bundle, what, rest = sys.argv[1], sys.argv[2], sys.argv[3:]
text = open(bundle + "/manifest.json").read()
manifest = json.loads(text)
device = manifest["device"]
RECORDS = "/records.jsonl"
# Steps after which a board may run what was flashed, whatever failed then.
WRITES = ("write everything", "write secure-os")

def choice(i):
    # What NVIDIA's flash.sh chooses by a module's identity (process_board_version of p2972-0000.conf.common). As crates/tegra-flash does.
    if not re.fullmatch("[A-Z0-9]{3}", i["fab"]) or not re.fullmatch("([A-Z][.][0-9])?", i["revision"]):
        return None
    # A fab of another form is taken as A01, the default.
    fab = i["fab"] if re.fullmatch(".[0-9][0-9]", i["fab"]) else "A01"
    late = i["sku"] >= "0004" or (fab > "300" and i["revision"] > "D.0")
    part = "early" if fab < "200" else "200" if fab < "300" else ("late" if late else "400") if fab < "500" else "early"
    return (i["board"], i["sku"], part)

def read(path):
    with open(os.path.join(bundle, path), "rb") as file:
        return file.read()

def records(folder):
    try:
        lines = open(folder + RECORDS).read().splitlines()
    except FileNotFoundError:
        lines = []
    for line in lines:
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            yield record

def may_run(record):
    # Whether the board may run what was flashed.
    steps = record.get("steps")
    steps = [s for s in steps if isinstance(s, dict)] if isinstance(steps, list) else []
    written = any(s.get("ok") is True and s.get("step") in WRITES for s in steps)
    return record.get("action") == "flash" and (record.get("result") == "ok" or written)

if what == "parts" and device["fused"] != "pkc-sbk":
    image = read("secure-os/tos.img")
    for f in manifest["files"]:
        if {"secure-os", "secure-os_b"} & set(f["partitions"]) and f["role"] == "flash" and read(f["path"])[4096:] != image:
            print(f["path"])
elif what == "scope" and rest[0] == "full":
    lacks = device["lacks"] or ([] if any(f["role"] == "rootfs" for f in manifest["files"]) else ["a root filesystem"])
    print("it was built without " + " and ".join(lacks) if lacks else "")
elif what == "modules":
    print(", ".join("%s (P%s-%s)" % (m["name"], m["id"]["board"], m["id"]["sku"]) for m in device["modules"]))
elif what == "module":
    board = dict(zip(("board", "sku", "fab", "revision"), rest + [""] * 4))
    print(*[m["name"] for m in device["modules"] if choice(m["id"]) == choice(board)][:1])
elif what == "chip":
    # As get_fuse_level of NVIDIA's flash.sh reads it: a digit for the fuses, 80, the revision, 19 for t194.
    cid, kinds = rest[0], {"8": "no", "9": "pkc", "a": "pkc", "d": "pkc-sbk", "e": "pkc-sbk"}
    names = {"no": "no keys", "pkc": "a PKC", "pkc-sbk": "a PKC and an SBK"}
    fuses = kinds.get(cid[2:3].lower())
    if cid[3:5] != "80" or cid[6:8] != "19":
        print("chip %s is no t194" % cid[:20])
    elif cid[5:6] != "2":
        print("the chip is of revision %s, the bundle's files are for revision 2" % cid[5:6])
    elif fuses is None:
        print("the chip is not fused for production")
    elif fuses != device["fused"]:
        print("the chip's fuses want a bundle signed with %s, this one is signed with %s" % (names[fuses], names[device["fused"]]))
elif what == "security":
    own = [r for r in records(rest[0]) if r.get("chip") == rest[1] and may_run(r)]
    versions = [r.get("security_version") for r in own]
    had, has = max([v for v in versions if isinstance(v, int)] + [0]), manifest.get("security_version", 0)
    if has < had:
        print("the board has had security version %d, this bundle has %d" % (had, has))
elif what == "file":
    for f in manifest["files"]:
        if f["role"] == "flash" and rest[0] in f["partitions"] and f["path"].split("/")[1] in ("common", rest[1]):
            print(f["path"].split("/")[2])
elif what == "encrypted":
    print("yes" if device["fused"] == "pkc-sbk" else "")
elif what == "carve-out":
    bct = open(rest[0], "rb").read()
    found = struct.unpack_from("<QQ", bct, 0x1918) if bct[:4] == b"NVDA" and len(bct) > 0x1928 else None
    if found != (manifest["tzdram"]["size"], manifest["tzdram"]["alignment"]):
        print("%s, this bundle was made for %d" % (found[0] if found else "not known", manifest["tzdram"]["size"]))
elif what == "record":
    import fcntl, hashlib
    folder, chip, board, instance, scope, log, result, steps = rest
    steps = [line.split("\t") for line in steps.splitlines()]
    steps = [{"step": step, "seconds": int(seconds), "ok": how == "ok"} for step, seconds, how in steps]
    os.makedirs(folder, exist_ok=True)
    name = "%s-%s-%s-tzdram%dM" % (manifest["name"], manifest["version"], manifest["board"], manifest["tzdram"]["size"] >> 20)
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    line = {"started": now, "action": "flash", "device": instance, "board": board or None, "chip": chip, "bundle": name,
            "bundle_digest": hashlib.sha256(text.encode()).hexdigest(), "security_version": manifest.get("security_version", 0),
            "scope": scope, "steps": steps, "result": result, "log": log}
    with open(folder + RECORDS, "ab+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        # A line that was cut off must not take this one with it.
        size = file.seek(0, os.SEEK_END)
        file.seek(max(size - 1, 0))
        cut = file.read(1) not in (b"", b"\n")
        file.write(b"\n" * cut + json.dumps(line).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
PY
}

# The root filesystem is used where it lies: its size and time must stay what they are now.
rootfs() { stat -L -c '%s %y' "$bundle/rootfs/system.img" 2> /dev/null || true; }
seen=$(rootfs)
unchanged() {
  [ "$(rootfs)" = "$seen" ] || die 'rootfs/system.img has changed since it was verified' "$1; run this again when nothing writes to the bundle"
}
echo 'verifying the bundle'
(cd "$bundle" && sha256sum --quiet --strict -c SHA256SUMS) ||
  die 'this bundle is damaged or not whole' 'copy it again from where it was built; nothing has been flashed'
# What no checksum covers would lie beside the tools, which run as root.
# The list comes twice: what is in it stands there more than once.
unlisted=$(cd "$bundle" && { find flash ! -type d && cut -c67- SHA256SUMS && cut -c67- SHA256SUMS; } | sort | uniq -u | tr '\n' ' ')
[ -z "$unlisted" ] || die "SHA256SUMS does not list $unlisted" 'remove it, or copy the bundle again from where it was built; nothing has been flashed'
other=$(manifest parts)
[ -z "$other" ] || die "not made of secure-os/tos.img: $other" 'do not flash this bundle: its signed image is not the one that was checked'
echo 'every file is as it was built; who built it was not checked'
encrypted=$(manifest encrypted)
[ "$scope" = full ] || [ -z "$encrypted" ] || [ -n "$unseen" ] ||
  die "--scope secure-os: the boot config of a board with an SBK is encrypted, so its carve-out cannot be compared with the bundle's" \
    'use --scope full; or, if the last full flash of the board had the same carve-out, add --carve-out-unseen' 2
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
cwd=$work wait=${CARVEOUT_FLASH_WAIT:-1}
# Outside tools: their exit codes and their words must both say that it went well. What a tool said is in $said.
ask() {
  local code=0 which=(--instance "$instance")
  # Only what talks to a board wants to know which.
  [ "$1" != tegraparser_v2 ] || which=()
  said=$( (cd "$cwd" && "./$1" "${which[@]}" "${@:2}") 2>&1) || code=$?
  printf '$ %s\n%s\n(exit code %s)\n' "$*" "$said" "$code" >> "$log"
  [ "$code" = 0 ] && ! grep -qE 'Error|ERROR| E> |FAILED|failed|is not running' <<< "$said" && return
  failed="$1 ${*:2} failed (exit code $code): $(tail -n 1 <<< "$said")"
  return 1
}
tool() {
  ask "$@" || die "$failed" "bring the board into recovery mode again; full log: $log"
}
poll() {
  for _ in {1..30}; do
    sleep "$wait"
    if ask "$@"; then return; fi
  done
  die "$failed" "bring the board into recovery mode again; full log: $log"
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
step ok identify
fill none
cp "$work"/{tegrarcm_v2,chkbdinfo} "$work/identify/"
cwd=$work/identify
applet=$(cd "$cwd" && echo nvtboot_applet*)
tool tegrarcm_v2 --chip 0x19 0 --rcm rcm_list_signed.xml
chip=$(sed -n 's/.*BR_CID:[[:space:]]*\([0-9A-Za-z]*\).*/\1/p' <<< "$said" | head -n 1)
[ -n "$chip" ] || die 'the boot ROM did not name the chip (no BR_CID)' 'bring the board into recovery mode again: its boot ROM answers once'
other=$(manifest chip "$chip")
[ -z "$other" ] || die "$other" "nothing has been written; this bundle is for $(manifest modules)"
cid=$chip
poll tegrarcm_v2 --isapplet
tool tegrarcm_v2 --download mb2 "$applet"
tool tegrarcm_v2 --boot recovery
poll tegrarcm_v2 --ismb2
tool tegrarcm_v2 --oem platformdetails eeprom cvm cvm.bin
tool tegrarcm_v2 --reboot recovery
word() {
  said=$(cd "$work/identify" && ./chkbdinfo "$2" cvm.bin 2>&1) || die "the module's EEPROM cannot be read: $said" "full log: $log"
  printf -v "$1" %s "$(tr -d ' \n\0' <<< "$said")"
}
id='' sku='' fab='' revision=''
word id -i
word sku -k
word fab -f
word revision -r
board="P$id-$sku fab $fab $revision"
module=$(manifest module "$id" "$sku" "$fab" "$revision")
[ -n "$module" ] || die "the board is $board, which this bundle is not for" "nothing has been written; it is for $(manifest modules)"
echo "it is $board: module $module"
older=$(manifest security "$state" "$cid")
[ -z "$older" ] || [ -n "$downgrade" ] || die "$older" 'nothing has been written; flash a newer release, or add --allow-downgrade at the desk'
sleep "$(awk -v wait="$wait" 'BEGIN { print wait * 5 }')"

step ok 'boot the recovery loader'
fill "$module"
[ "$scope" != full ] || ln -s "$bundle/rootfs/system.img" "$work/system.img"
cwd=$work
# As nvaflash.sh boots the board's recovery loader.
value() { sed -n "s/^$1=\"\(.*\)\";\$/\1/p" "$work/nvaflash.sh"; }
with() { local words; read -ra words <<< "$2"; tool "$1" "${words[@]}" "${@:3}"; }
soft=$(value rcmsfarg)
with tegrarcm_v2 "--chip 0x19 0 ${soft:+--rcm $soft} $(value rcmarg)"
poll tegrarcm_v2 --isapplet
with tegrarcm_v2 "$(value dlbrbctarg) $(value dlmb1bctarg) $(value dlmembctarg)"
tool tegrarcm_v2 --download blob blob.bin
tool tegrarcm_v2 --boot recovery
poll tegradevflash_v2 --iscpubl
# A read that does nothing has been called a success: what was read before must not be taken for it.
fetch() {
  rm -f "$work/read-back.bin"
  tool tegradevflash_v2 --read "$1" read-back.bin
  [ -s "$work/read-back.bin" ] ||
    die "reading $1 ended with success, but nothing was read" "bring the board into recovery mode again; full log: $log"
}
compare() {
  local file
  step ok "read $1 back"
  file=$(manifest file "$1" "$module")
  fetch "$1"
  cmp -s -n "$(stat -c %s "$work/$file")" "$work/$file" "$work/read-back.bin" ||
    die "$1 reads back other than it was written" "flash again; if it happens again, the board's eMMC or the cable is bad; full log: $log"
}
if [ "$scope" = full ]; then
  echo "writing everything; this takes minutes; NVIDIA's log: $log"
  unchanged 'nothing has been written'
  step ok 'write everything'
  table=$(value pttarg)
  tool tegradevflash_v2 --oem platformdetails storage storage_info.bin
  with tegraparser_v2 "--storageinfo storage_info.bin --generategpt $table"
  with tegradevflash_v2 "$table" --create
  for variable in wrbrbctarg wrmb1bctarg wrmb1bctbarg wrmembctarg wrmembctbarg; do
    with tegradevflash_v2 "$(value "$variable")"
  done
  for partition in MB1_BCT MB1_BCT_b secure-os secure-os_b; do
    echo "reading $partition back"
    compare "$partition"
  done
  unchanged "the board's root filesystem is not sound now"
else
  # A carve-out changes by a full flash alone: then secure-os alone would leave the old one in force.
  if [ -n "$encrypted" ]; then
    step ok 'carve-out not compared: encrypted'
    echo "the carve-out of the board is not compared with the bundle's: the boot config is encrypted"
  else
    step ok 'compare the carve-out'
    fetch MB1_BCT
    other=$(manifest carve-out "$work/read-back.bin")
    [ -z "$other" ] || die "the board's carve-out is $other: nothing has been written" 'flash with --scope full'
  fi
  image=$(manifest file secure-os "$module")
  for slot in secure-os secure-os_b; do
    echo "writing $slot"
    step ok "write $slot"
    tool tegradevflash_v2 --write "$slot" "$image"
    compare "$slot"
  done
fi
step ok restart
tool tegradevflash_v2 --reboot coldboot
result=ok
finish
trap - EXIT
echo "done: $scope"
