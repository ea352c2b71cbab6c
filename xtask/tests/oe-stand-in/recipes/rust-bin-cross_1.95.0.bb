# SPDX-License-Identifier: MIT OR Apache-2.0
# Stand-in for meta-rust-bin's.
SUMMARY = "Stand-in"
inherit cross
PN = "rust-bin-cross-aarch64"
SRC_URI = "https://example.invalid/rustc-${PV}.tar.gz;sha256sum=00"
