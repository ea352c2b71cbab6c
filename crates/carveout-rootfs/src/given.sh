# Installs client apps in a root filesystem that is given, run by mmdebstrap: $1 is the root, $2 our folder. It is the
# user's own: nothing else is changed in it.
set -euo pipefail
export LC_ALL=C
root=$1 work=$2
# shellcheck source=/dev/null
. "$work/inside.sh"

architecture=$(inside 'dpkg --print-architecture')
if [ "$architecture" != arm64 ]; then
  echo "carveout: the root filesystem is for $architecture, the board takes arm64" >&2
  exit 1
fi
bind_nodes
keep_traces
forbid_services
mkdir "$root/.carveout-debs"
cp "$work"/debs/*.deb "$root/.carveout-debs/"
inside 'dpkg --force-unsafe-io --install /.carveout-debs/*.deb' < /dev/null
rm -r "$root/.carveout-debs"
allow_services
list_installed
drop_traces
unbind_nodes
