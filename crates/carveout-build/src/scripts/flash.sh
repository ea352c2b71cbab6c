#!/bin/sh
# Flashes this bundle onto the boards in recovery mode at this host, by `carveout flash BUNDLE --to usb`. Options are passed on, such as
# --scope secure-os, --instance BUS-PORT, --keep-app, --dry-run; --help shows all.
# carveout is one file, the same for all bundles: $CARVEOUT, or beside this bundle's folder, or in PATH.
set -eu
bundle=$(cd "$(dirname "$0")/.." && pwd)
program=${CARVEOUT:-${bundle%/*}/carveout}
if [ -z "${CARVEOUT:-}" ] && [ ! -e "$program" ]; then
  program=$(command -v carveout) || {
    echo "error: carveout is neither beside $bundle nor in PATH" >&2
    echo "  help: copy the file carveout of the release, or of any other release, beside that folder; a Debian package has it, too" >&2
    exit 3
  }
fi
if [ ! -f "$program" ] || [ ! -x "$program" ]; then
  echo "error: $program: is no program that can be run" >&2
  echo "  help: if it is carveout: chmod +x '$program'" >&2
  exit 3
fi
exec "$program" flash "$bundle" --to usb "$@"
