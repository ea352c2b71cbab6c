# NVIDIA's packages on Debian, run by mmdebstrap: $1 is the root, $2 our folder.
set -euo pipefail
export LC_ALL=C
root=$1 work=$2
apt=(env APT_CONFIG="$MMDEBSTRAP_APT_CONFIG")
# shellcheck source=/dev/null
. "$work/inside.sh"

# By this file NVIDIA's packages know that they are not on a board: nv-apply-debs.sh makes it, too.
mark=/opt/nvidia/l4t-packages/.nv-l4t-disable-boot-fw-update-in-preinstall
install -D /dev/null "$root$mark"
mkdir "$root/tmp/l4t"
cp "$work"/debs/*.deb "$root/tmp/l4t/"
# A file that a package of Debian has, too (/etc/systemd/sleep.conf is one since systemd 239), steps aside for NVIDIA's. Were
# it overwritten, an upgrade of the other package would fail on the board.
sort -u "$root"/var/lib/dpkg/info/*.list > "$work/owned"
for deb in "$root"/tmp/l4t/*.deb; do
  package=$(dpkg-deb --field "$deb" Package)
  dpkg-deb --fsys-tarfile "$deb" | tar -t | sed -n 's,^\./,/,; /[^/]$/p' | sort | comm -12 - "$work/owned" |
    while read -r path; do
      if [ -L "$root$path" ] || [ ! -d "$root$path" ]; then
        inside "dpkg-divert --package \"\$1\" --divert \"\$2.distrib\" --rename --add \"\$2\"" "$package" "$path" < /dev/null
      fi
    done
done
# A conffile that steps aside counts as deleted, and dpkg would ask.
(cd "$root" && "${apt[@]}" apt-get -oDPkg::Chroot-Directory="$root" -oDPkg::Use-Pty=false -oAPT::Install-Recommends=false \
  -oDpkg::Options::=--force-confnew -oDpkg::Options::=--force-confmiss --yes install "$root"/tmp/l4t/*.deb < /dev/null)
rm -r "$root/tmp/l4t" "$root/opt/nvidia/l4t-packages"
# nvidia-l4t-init sets Ubuntu's locale, which Debian has only with the package locales-all, or configured.
if [ ! -e "$root/usr/lib/locale/locale-archive" ] && [ -e "$root/etc/default/locale" ]; then
  sed -i '/^LANG=en_US.UTF-8$/d' "$root/etc/default/locale"
  [ -s "$root/etc/default/locale" ] || rm "$root/etc/default/locale"
fi
put_files
