# NVIDIA's apply_binaries.sh on its sample root filesystem, run by mmdebstrap: $1 is the root, $2 our folder, with a private
# copy of the BSP in it.
set -euo pipefail
export LC_ALL=C
root=$1 work=$2
# shellcheck source=/dev/null
. "$work/inside.sh"

bind_nodes
keep_traces
forbid_services
unbind_nodes
# NVIDIA's script makes two device nodes and removes them, which nobody can in a user namespace: files stand for them, and
# the host's are bound over them while dpkg runs.
mkdir "$work/bin"
cat > "$work/bin/mknod" << 'END'
#!/bin/bash
for word; do
  case $word in */dev/random | */dev/urandom) : > "$word" && exit ;; esac
done
echo "carveout: NVIDIA's script wants another device node: mknod $*" >&2
exit 1
END
cat > "$work/bin/chroot" << 'END'
#!/bin/bash
set -euo pipefail
root=$CARVEOUT_ROOT
. "$CARVEOUT_WORK/inside.sh"
bind_nodes
status=0
env PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive chroot "$@" < /dev/null || status=$?
unbind_nodes
exit "$status"
END
chmod 755 "$work/bin/mknod" "$work/bin/chroot"
# No network: all that is installed comes out of the BSP.
env -i PATH="$work/bin:/usr/sbin:/usr/bin:/sbin:/bin" HOME=/root USER=root LC_ALL=C TZ=UTC \
  CARVEOUT_ROOT="$root" CARVEOUT_WORK="$work" \
  unshare --net bash "$work/bsp/apply_binaries.sh" --root "$root"
put_files
bind_nodes
# An upgrade of it on the board would flash NVIDIA's own secure-os and carve-out over ours.
inside 'if dpkg-query --status nvidia-l4t-bootloader > /dev/null 2>&1; then
    echo nvidia-l4t-bootloader hold | dpkg --set-selections
  fi'
allow_services
list_installed
drop_traces
unbind_nodes
