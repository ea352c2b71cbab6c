#!/bin/sh
# Makes the archive of old versions in this folder that tests/builds/pinned.rs builds from: one package, in a version that Debian
# has no more, signed with a key of its own, whose Release file has been out of date since 2025-01-08. Run it again only to change it.
# Needs dpkg-deb, gpg.
set -eu
cd "$(dirname "$0")"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export GNUPGHOME="$scratch/gpg" SOURCE_DATE_EPOCH=1735689600
mkdir -m 700 "$GNUPGHOME"
rm -rf dists pool key.asc
mkdir -p "$scratch/deb/DEBIAN" "$scratch/deb/usr/share/doc/logsave" pool dists/bookworm/main/binary-arm64

cat > "$scratch/deb/DEBIAN/control" << 'END'
Package: logsave
Version: 1.47.0-1
Architecture: arm64
Maintainer: carveout's tests <tests@carveout.invalid>
Section: admin
Priority: important
Description: stands for an old version of the package, without a program
END
echo "the old version" > "$scratch/deb/usr/share/doc/logsave/carveout"
find "$scratch/deb" -exec touch -d @$SOURCE_DATE_EPOCH {} +
dpkg-deb --root-owner-group -Zxz --build "$scratch/deb" pool/logsave_1.47.0-1_arm64.deb

packages=dists/bookworm/main/binary-arm64/Packages
{
  cat "$scratch/deb/DEBIAN/control"
  echo "Filename: pool/logsave_1.47.0-1_arm64.deb"
  echo "Size: $(stat -c %s pool/*.deb)"
  echo "SHA256: $(sha256sum pool/*.deb | cut -d ' ' -f 1)"
} > "$packages"
cat > "$scratch/Release" << END
Origin: carveout
Label: tests
Suite: oldstable
Codename: bookworm
Date: Wed, 01 Jan 2025 00:00:00 UTC
Valid-Until: Wed, 08 Jan 2025 00:00:00 UTC
Architectures: arm64
Components: main
SHA256:
 $(sha256sum "$packages" | cut -d ' ' -f 1) $(stat -c %s "$packages") main/binary-arm64/Packages
END
gpg --batch --quiet --passphrase '' --faked-system-time 20250101T000000 --quick-generate-key \
  "carveout's tests <tests@carveout.invalid>" ed25519 sign never
gpg --batch --quiet --faked-system-time 20250101T000001 --digest-algo SHA512 --clearsign --output dists/bookworm/InRelease "$scratch/Release"
gpg --batch --quiet --armor --export-options export-minimal --export > key.asc
gpgconf --kill gpg-agent
