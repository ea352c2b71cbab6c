# Makes an ext4 image from a tar file: $1 tar, $2 image, $3 scratch folder, the rest are arguments of mke2fs.
# Run as root, or in a user namespace with subordinate ids, so that owners and capabilities are kept.
set -euo pipefail
umask 022
export LC_ALL=C TZ=UTC
tar=$1 image=$2 scratch=$3
shift 3
mkdir "$scratch/root"
trap 'rm -rf "$scratch/root"' EXIT
# Without the delay, members that are not contiguous by directory get directory times of now. Device nodes are left out: a
# board's kernel makes its own, and in a user namespace nobody can.
tar -C "$scratch/root" --numeric-owner --same-owner -p --delay-directory-restore --xattrs --xattrs-include='*' \
  --anchored --exclude='./dev/*' --exclude='dev/*' -xf "$tar"
if [ -L "$scratch/root/dev" ]; then
  echo "carveout: /dev of the root filesystem is a link; a directory is expected" >&2
  exit 1
fi
mkdir -p "$scratch/root/dev"
chmod 755 "$scratch/root/dev"
# Nothing is newer than our time, as mmdebstrap has it: directories that a tarball does not name have got times of now.
find "$scratch/root" -newermt "@$SOURCE_DATE_EPOCH" -print0 | xargs -0r touch -h -d "@$SOURCE_DATE_EPOCH"
touch -d "@$SOURCE_DATE_EPOCH" "$scratch/root/dev" "$scratch/root"
mke2fs "$@" -d "$scratch/root" "$image"
