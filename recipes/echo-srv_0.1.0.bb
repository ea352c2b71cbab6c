# SPDX-License-Identifier: MIT OR Apache-2.0
# Made by `cargo xtask recipes` with cargo-bitbake 0.3.16: edit Cargo.toml, not this.

SUMMARY = "Trusted app echo-srv of carveout"
DESCRIPTION = "Trusted app that echoes arrays of up to 64000 f32 values"
HOMEPAGE = "https://github.com/carveout/carveout"
SECTION = "bootloaders"
LICENSE = "MIT | Apache-2.0"
LIC_FILES_CHKSUM = "file://LICENSE-MIT;md5=ace575ea115e1e3af43a1361d08cf314 file://LICENSE-APACHE;md5=3b83ef96387f14655fc854ddc3c6bd57"

inherit carveout_trusted_app

CARVEOUT_MEMBERS = "\
    apps/echo-service \
    apps/echo-srv \
    crates/storage-proxy \
    crates/tipc-bulk \
    crates/trusty-abi \
    crates/trusty-image \
    crates/trusty-model \
    crates/trusty-ta \
    crates/trusty-ta-build \
"

SRC_URI += "\
    crate://crates.io/aead/0.6.1 \
    crate://crates.io/blake2/0.11.0 \
    crate://crates.io/block-buffer/0.12.1 \
    crate://crates.io/cfg-if/1.0.5 \
    crate://crates.io/chacha20/0.10.2 \
    crate://crates.io/chacha20poly1305/0.11.0 \
    crate://crates.io/cipher/0.5.2 \
    crate://crates.io/cmov/0.5.4 \
    crate://crates.io/cpufeatures/0.3.1 \
    crate://crates.io/crc-catalog/2.5.0 \
    crate://crates.io/crc/3.4.0 \
    crate://crates.io/crypto-common/0.2.2 \
    crate://crates.io/ctutils/0.4.8 \
    crate://crates.io/digest/0.11.3 \
    crate://crates.io/equivalent/1.0.3 \
    crate://crates.io/getrandom/0.2.17 \
    crate://crates.io/hashbrown/0.17.1 \
    crate://crates.io/hybrid-array/0.4.15 \
    crate://crates.io/indexmap/2.14.2 \
    crate://crates.io/inout/0.2.6 \
    crate://crates.io/libc/0.2.191 \
    crate://crates.io/linked_list_allocator/0.10.6 \
    crate://crates.io/poly1305/0.9.1 \
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
    crate://crates.io/typenum/1.20.1 \
    crate://crates.io/unicode-ident/1.0.27 \
    crate://crates.io/universal-hash/0.6.1 \
    crate://crates.io/uuid/1.29.3 \
    crate://crates.io/wasi/0.11.1+wasi-snapshot-preview1 \
    crate://crates.io/winnow/1.0.5 \
    crate://crates.io/zeroize/1.9.2 \
"

SRC_URI[aead-0.6.1.sha256sum] = "1973cfbc1a2daf9cf550e74e1f088c28e7f7d8c1e1418fb6c9dc5184b7e84c99"
SRC_URI[blake2-0.11.0.sha256sum] = "5b5d4d889834ee8ecfc0f8426ad30faf7cdcb10f741a8e6d7224d95325479f6f"
SRC_URI[block-buffer-0.12.1.sha256sum] = "d2f6c7dbe95a6ed67ad9f18e57daf93a2f034c524b99fd2b76d18fdfeb6660aa"
SRC_URI[cfg-if-1.0.5.sha256sum] = "4e7648175b45a9a48536d676f68d918270699102aa8dab5496df06904c914600"
SRC_URI[chacha20-0.10.2.sha256sum] = "65c35e4b699c7e15ccbe7ee35c005e4fc0a278d22238a2857e6ce2dadeda1b06"
SRC_URI[chacha20poly1305-0.11.0.sha256sum] = "9b89e1c441e926b9c82a8d023f6e1b7ae0adcfaa7d621814e4d60789bac751cb"
SRC_URI[cipher-0.5.2.sha256sum] = "e8cf2a2c93cd704877c0858356ed03480ff301ee950b43f1cbe4573b088bfa6c"
SRC_URI[cmov-0.5.4.sha256sum] = "0c9ea0ac24bc397ab3c98583a3c9ba74fa56b09a4449bbe172b9b1ddb016027a"
SRC_URI[cpufeatures-0.3.1.sha256sum] = "5ca28b0ae3115b884660db4118d803791fd6756b6e88f39c0f3f7859060d7566"
SRC_URI[crc-3.4.0.sha256sum] = "5eb8a2a1cd12ab0d987a5d5e825195d372001a4094a0376319d5a0ad71c1ba0d"
SRC_URI[crc-catalog-2.5.0.sha256sum] = "217698eaf96b4a3f0bc4f3662aaa55bdf913cd54d7204591faa790070c6d0853"
SRC_URI[crypto-common-0.2.2.sha256sum] = "ce6e4c961d6cd6c9a86db418387425e8bdeaf05b3c8bc1411e6dca4c252f1453"
SRC_URI[ctutils-0.4.8.sha256sum] = "261af4dc7a06ea8a527a8717d8cbba3417530d6ea14e1edb3de6b67806be474f"
SRC_URI[digest-0.11.3.sha256sum] = "f1dd6dbb5841937940781866fa1281a1ff7bd3bf827091440879f9994983d5c2"
SRC_URI[equivalent-1.0.3.sha256sum] = "00d174d5400e5e8fd687ad1049e2f578285fa914201b1af7e8b112a4546bd826"
SRC_URI[getrandom-0.2.17.sha256sum] = "ff2abc00be7fca6ebc474524697ae276ad847ad0a6b3faa4bcb027e9a4614ad0"
SRC_URI[hashbrown-0.17.1.sha256sum] = "ed5909b6e89a2db4456e54cd5f673791d7eca6732202bbf2a9cc504fe2f9b84a"
SRC_URI[hybrid-array-0.4.15.sha256sum] = "27f864f10dfb56725ce5ce5472bc52252c8f93a4ab86327122cebf62c5f59a17"
SRC_URI[indexmap-2.14.2.sha256sum] = "cc4e190f5d26ca7051642629da2c52fc03bde85a03197c99408dcd291734c855"
SRC_URI[inout-0.2.6.sha256sum] = "3a580c13f0ffc335ef42dd3f6b1a41b726051c5e1656d9a3aa6fddb3c5dfbbf9"
SRC_URI[libc-0.2.191.sha256sum] = "65cd87c9a6d60536580b316ad985726104730a5151c99845f2490428ef91240a"
SRC_URI[linked_list_allocator-0.10.6.sha256sum] = "2b23ac50abb8261cb38c6e2a7192d3302e0836dac1628f6a93b82b4fad185897"
SRC_URI[poly1305-0.9.1.sha256sum] = "6e2d0073b297041425c7c3df6eb4792d598a15323fe63346852b092eca02904c"
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
SRC_URI[typenum-1.20.1.sha256sum] = "b6f5e870be6c3b371b77fe0ee0bafb859fa4964b4404c27de1d380043c4dda20"
SRC_URI[unicode-ident-1.0.27.sha256sum] = "a2c754d6c33795a1c324727428e5a7dedb5b06195f9890bdbcba760d3e246563"
SRC_URI[universal-hash-0.6.1.sha256sum] = "f4987bdc12753382e0bec4a65c50738ffaabc998b9cdd1f952fb5f39b0048a96"
SRC_URI[uuid-1.29.3.sha256sum] = "3c14b15dffa2f4bd712103e857140aa04a4f2ff6e955c77d7eb8e53ee02a3b64"
SRC_URI[wasi-0.11.1+wasi-snapshot-preview1.sha256sum] = "ccf3ec651a847eb01de73ccad15eb7d99f80485de043efb2f370cd654f4ea44b"
SRC_URI[winnow-1.0.5.sha256sum] = "8c3b93199df0ab874cdf0c6a94f0a0dc3423fe41f1cafb62b8bd7b1deb277aef"
SRC_URI[zeroize-1.9.2.sha256sum] = "85ccff8a4805aba1eaa4cd4afcd49f7557dd2cf5fd79ffc37f8959466effc5aa"
