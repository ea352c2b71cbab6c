# First step of a root filesystem that is given as a tarball, run by mmdebstrap: $1 is the root, $2 our folder.
set -euo pipefail
umask 022
export LC_ALL=C
root=$1 work=$2
# Device nodes cannot be made in a user namespace, and a board's /dev is made by its kernel.
tar -C "$root" --numeric-owner --same-owner -p --delay-directory-restore --xattrs --xattrs-include='*' \
  --anchored --exclude='./dev/*' --exclude='dev/*' -xf "$work/tarball"
for directory in dev proc sys boot; do
  if [ -L "$root/$directory" ]; then
    echo "carveout: /$directory of the root filesystem is a link; a directory is expected" >&2
    exit 1
  fi
done
mkdir -p "$root/dev"
chmod 755 "$root/dev"
