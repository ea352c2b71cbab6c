# SPDX-License-Identifier: MIT OR Apache-2.0
# Made by `cargo xtask recipes` with cargo-bitbake 0.3.16: edit Cargo.toml, not this.

SUMMARY = "Trusted app small-echo-srv of carveout"
DESCRIPTION = "Trusted app that echoes arrays of up to 20480 f32 values"
HOMEPAGE = "https://github.com/carveout/carveout"
SECTION = "bootloaders"
LICENSE = "MIT | Apache-2.0"
LIC_FILES_CHKSUM = "file://LICENSE-MIT;md5=ace575ea115e1e3af43a1361d08cf314 file://LICENSE-APACHE;md5=3b83ef96387f14655fc854ddc3c6bd57"

inherit carveout_trusted_app

CARVEOUT_MEMBERS = "\
    apps/echo-service \
    apps/small-echo-srv \
    crates/tipc-bulk \
    crates/trusty-abi \
    crates/trusty-image \
    crates/trusty-model \
    crates/trusty-ta \
    crates/trusty-ta-build \
"

SRC_URI += "\
    crate://crates.io/crc-catalog/2.5.0 \
    crate://crates.io/crc/3.4.0 \
    crate://crates.io/equivalent/1.0.3 \
    crate://crates.io/hashbrown/0.17.1 \
    crate://crates.io/indexmap/2.14.2 \
    crate://crates.io/linked_list_allocator/0.10.6 \
    crate://crates.io/proc-macro2/1.0.107 \
    crate://crates.io/quote/1.0.47 \
    crate://crates.io/serde/1.0.229 \
    crate://crates.io/serde_core/1.0.229 \
    crate://crates.io/serde_derive/1.0.229 \
    crate://crates.io/serde_spanned/1.1.3 \
    crate://crates.io/syn/3.0.10 \
    crate://crates.io/thiserror-impl/2.0.21 \
    crate://crates.io/thiserror/2.0.21 \
    crate://crates.io/toml/1.2.1+spec-1.1.0 \
    crate://crates.io/toml_datetime/1.1.3+spec-1.1.0 \
    crate://crates.io/toml_parser/1.1.5+spec-1.1.0 \
    crate://crates.io/toml_writer/1.2.0+spec-1.1.0 \
    crate://crates.io/unicode-ident/1.0.27 \
    crate://crates.io/uuid/1.29.3 \
    crate://crates.io/winnow/1.0.5 \
"

SRC_URI[crc-3.4.0.sha256sum] = "5eb8a2a1cd12ab0d987a5d5e825195d372001a4094a0376319d5a0ad71c1ba0d"
SRC_URI[crc-catalog-2.5.0.sha256sum] = "217698eaf96b4a3f0bc4f3662aaa55bdf913cd54d7204591faa790070c6d0853"
SRC_URI[equivalent-1.0.3.sha256sum] = "00d174d5400e5e8fd687ad1049e2f578285fa914201b1af7e8b112a4546bd826"
SRC_URI[hashbrown-0.17.1.sha256sum] = "ed5909b6e89a2db4456e54cd5f673791d7eca6732202bbf2a9cc504fe2f9b84a"
SRC_URI[indexmap-2.14.2.sha256sum] = "cc4e190f5d26ca7051642629da2c52fc03bde85a03197c99408dcd291734c855"
SRC_URI[linked_list_allocator-0.10.6.sha256sum] = "2b23ac50abb8261cb38c6e2a7192d3302e0836dac1628f6a93b82b4fad185897"
SRC_URI[proc-macro2-1.0.107.sha256sum] = "985e7ec9bb745e6ce6535b544d84d6cd6f7ad8bd711c398938ae983b91a766d9"
SRC_URI[quote-1.0.47.sha256sum] = "1fbf4db142a473a8d80c26bbf18454ed458bf8d26c8219c331daecfdbd079001"
SRC_URI[serde-1.0.229.sha256sum] = "4148590afebada386688f18773da617792bf2ef03ffc1e4cbd2b1d45b023e0ba"
SRC_URI[serde_core-1.0.229.sha256sum] = "67dca2c9c51e58a4791a4b1ed58308b39c64224d349a935ab5039aa360942a48"
SRC_URI[serde_derive-1.0.229.sha256sum] = "e7a5d71263a5a7d47b41f6b3f06ba276f10cc18b0931f1799f710578e2309348"
SRC_URI[serde_spanned-1.1.3.sha256sum] = "9c187e0a369471c550af028cba56d4f4fa2a489ad28151ae95a4d340a2a8b782"
SRC_URI[syn-3.0.10.sha256sum] = "4ae9ccbea3a7b0b09443036490c8f34a8b1b760fd345e5c0dae0aac718faea79"
SRC_URI[thiserror-2.0.21.sha256sum] = "09e52cb86a36cede5cb101bf8908837b3e4c6e5e59fe7fd85c23fb56200d189e"
SRC_URI[thiserror-impl-2.0.21.sha256sum] = "fe5197923287db20a58125f0bc85c062f7f2c892de97b18c356f9efb14b28524"
SRC_URI[toml-1.2.1+spec-1.1.0.sha256sum] = "d5755c51863cdac711f1956baf8eb9588e060755f7d3c4c979e70ea1e1f32cd7"
SRC_URI[toml_datetime-1.1.3+spec-1.1.0.sha256sum] = "173f25c883cd2176a2d8212155638c0a60d484a9d84546d270866f40f56b6e49"
SRC_URI[toml_parser-1.1.5+spec-1.1.0.sha256sum] = "baa693a8032d7e1cada7d0041e96126df243179ff061456783ac7f12bda4744c"
SRC_URI[toml_writer-1.2.0+spec-1.1.0.sha256sum] = "009dbb7700f11c55ef83aebbe4c0e9cf1f1ac0844bd8d6f00dc38f302026e13a"
SRC_URI[unicode-ident-1.0.27.sha256sum] = "a2c754d6c33795a1c324727428e5a7dedb5b06195f9890bdbcba760d3e246563"
SRC_URI[uuid-1.29.3.sha256sum] = "3c14b15dffa2f4bd712103e857140aa04a4f2ff6e955c77d7eb8e53ee02a3b64"
SRC_URI[winnow-1.0.5.sha256sum] = "8c3b93199df0ab874cdf0c6a94f0a0dc3423fe41f1cafb62b8bd7b1deb277aef"
