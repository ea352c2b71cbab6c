#!/bin/bash
# Stands in for nvmassflashgen.sh of L4T R32: a folder bootloader/mfi_<board> with all that a flash without BSP needs, and its archive.
cd "$(dirname "$0")" || exit 1
size='' keys=() suffix='' words=()
while [ $# -gt 0 ]; do
  case $1 in
    -r) ;;
    -S) size=$2; shift ;;
    -u) keys+=(--key "$2"); suffix=_signed; shift ;;
    -v) keys+=(--encrypt_key "$2"); suffix=_encrypt_signed; shift ;;
    -*) echo "Error: unknown option $1"; exit 1 ;;
    *) words+=("$1") ;;
  esac
  shift
done
bash flash.sh --no-flash -r -S "$size" "${words[@]}" > /dev/null || exit 1
export BOARD=${words[0]}
folder=mfi_${words[0]}$suffix
cd bootloader || exit 1
python3 tegraflash_internal.py massflash "$size" "$folder" "${keys[@]}" || { echo "Error: signing failed"; exit 0; }
tar -cf - "$folder" | bzip2 > "../$folder.tbz2"
