# Last step of a root filesystem, run by mmdebstrap: $1 is the root, $2 our folder.
# Installs the client apps, notes what is installed, and removes what belongs to the build host or to one device.
set -euo pipefail
export LC_ALL=C
root=$1 work=$2
apt=(env APT_CONFIG="$MMDEBSTRAP_APT_CONFIG")
# shellcheck source=/dev/null
. "$work/inside.sh"

if compgen -G "$work/debs/*.deb" > /dev/null; then
  mkdir "$root/tmp/debs"
  cp "$work"/debs/*.deb "$root/tmp/debs/"
  bind_nodes
  (cd "$root" && "${apt[@]}" apt-get -oDPkg::Chroot-Directory="$root" -oDPkg::Use-Pty=false \
    -oAPT::Install-Recommends=false --yes install "$root"/tmp/debs/*.deb)
  unbind_nodes
  rm -rf "$root/tmp/debs"
fi

dpkg-query --admindir="$root/var/lib/dpkg" -W \
  -f '${db:Status-Status}\t${Package}\t${Version}\t${Architecture}\n' > "$work/installed"
: > "$work/lists"
# shellcheck disable=SC2016 # apt replaces the variable, not the shell
"${apt[@]}" apt-get indextargets --format '$(FILENAME)' 'Created-By: Packages' | while read -r list; do
  if [ -e "$list" ]; then
    /usr/lib/apt/apt-helper cat-file "$list" >> "$work/lists"
    echo >> "$work/lists"
  fi
done

cd "$root"
# Build host: sources, settings, resolver, logs, caches. Device: ssh host keys, seeds, machine id.
rm -rf etc/apt/apt.conf.d/01host etc/apt/auth.conf.d/host.conf etc/dpkg/dpkg.cfg.d/01unsafe \
  etc/apt/sources.list etc/apt/sources.list.d/* etc/apt/preferences.d/01carveout etc/ssh/ssh_host_* etc/resolv.conf \
  etc/.pwd.lock etc/*- \
  var/lib/apt/lists/* var/cache/apt/* var/cache/debconf/*-old var/lib/dpkg/*-old var/cache/ldconfig/aux-cache \
  var/cache/man/* var/lib/dbus/machine-id var/lib/systemd/random-seed var/lib/systemd/credential.secret \
  var/lib/systemd/catalog/database var/log/journal/* var/tmp/* root/.bash_history root/.cache
find var/log -type f -delete
find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev \) -prune -o -type d -name __pycache__ -print0 |
  xargs -0r rm -rf
mkdir -p var/lib/apt/lists/partial var/cache/apt/archives/partial
chmod 700 var/lib/apt/lists/partial var/cache/apt/archives/partial
apt_user=$(awk -F: '$1 == "_apt" { print $3 }' etc/passwd)
chown "${apt_user:-0}:0" var/lib/apt/lists/partial var/cache/apt/archives/partial
# systemd leaves POSIX ACLs here, which not every filesystem of a build host holds; it sets them again at boot.
if [ -d var/log/journal ]; then
  group=$(stat -c %g var/log/journal)
  rm -rf var/log/journal
  mkdir var/log/journal
  chown "0:$group" var/log/journal
  chmod 2755 var/log/journal
fi
# Empty, as machine-id(5) asks of images: made at the first boot. "uninitialized" would also mean ConditionFirstBoot:
# every unit gets its preset and systemd-firstboot may ask on the console.
rm -f etc/machine-id
: > etc/machine-id
chmod 444 etc/machine-id
rm -f etc/hostname etc/hosts
echo carveout > etc/hostname
printf '127.0.0.1\tlocalhost\n127.0.1.1\tcarveout\n::1\tlocalhost ip6-localhost ip6-loopback\n' > etc/hosts
chmod 644 etc/hostname etc/hosts
# Nothing but a comment, as mmdebstrap leaves it: then a kernel that mounts the root read-only is never told to make it
# writable. NVIDIA's own has this line, too; the device is the one that the kernel has booted from, in either slot.
if ! grep -q '^[^#]' etc/fstab; then
  printf '/dev/root\t/\text4\tdefaults\t0 1\n' > etc/fstab
  chmod 644 etc/fstab
fi
