# SPDX-License-Identifier: MIT OR Apache-2.0
# Stand-in for meta-rust-bin's.
SUMMARY = "Stand-in"
inherit cross rust_bin-common
PN = "rust-bin-cross-aarch64"
RUST_BUILD_TARGET = "${@rust_target(d, 'BUILD')}"
RUST_TARGET_TARGET = "${@rust_target(d, 'TARGET')}"
SRC_URI = "https://example.invalid/rustc-${PV}-${RUST_TARGET_TARGET}.tar.gz;sha256sum=00"
S = "${WORKDIR}/rustc-${PV}-${RUST_BUILD_TARGET}"

do_install() {
    ${S}/install.sh
}
