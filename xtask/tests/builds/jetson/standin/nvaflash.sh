#!/bin/bash
# Stands in for nvaflash.sh of a mass-flash package: variables in its form, and a sequence of calls like its own.
# shellcheck disable=SC2154

usbarg="--instance $1";
cidarg="--chip @CHIP@ 0";
@VARIABLES@

step() {
  local what=$1
  shift
  # The variables hold several words each.
  # shellcheck disable=SC2068
  if ! $@; then echo "*** Error: $what failed."; exit 1; fi
  echo "*** $what succeeded."
}
cd "$(dirname "$0")" || exit 1
rcm="./tegrarcm_v2 $usbarg" devflash="./tegradevflash_v2 $usbarg"
step "Sending RCM messages" "$rcm $cidarg ${rcmsfarg:+--rcm $rcmsfarg} $rcmarg"
step "Asking for the applet" "$rcm --isapplet"
step "Sending boot configs" "$rcm $dlbrbctarg $dlmb1bctarg ${membctarg:+$dlmembctarg}"
step "Sending the loader" "$rcm --download blob blob.bin"
step "Starting the loader" "$rcm --boot recovery"
step "Asking for the loader" "$devflash --iscpubl"
step "Asking for the storage" "$devflash --oem platformdetails storage storage_info.bin"
step "Making partition tables" "./tegraparser_v2 --storageinfo storage_info.bin --generategpt $pttarg"
step "Writing all partitions" "$devflash $pttarg --create"
for write in "$wrbrbctarg" "$wrmb1bctarg" "$wrmb1bctbarg" "${membctarg:+$wrmembctarg}" "${membctarg:+$wrmembctbarg}"; do
  [ -n "$write" ] || continue
  step "Writing a boot config" "$devflash $write"
done
# The words by which our flash.sh knows that all went well.
step "Rebooting the device" "$devflash --reboot coldboot"
