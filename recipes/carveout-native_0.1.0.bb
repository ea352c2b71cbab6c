# SPDX-License-Identifier: MIT OR Apache-2.0
# Made by `cargo xtask recipes` with cargo-bitbake 0.3.16: edit Cargo.toml, not this.

SUMMARY = "Host tool carveout of carveout"
DESCRIPTION = "The command line of carveout: plans, builds, verifies, explains, flashes and emulates bundles"
HOMEPAGE = "https://github.com/carveout/carveout"
SECTION = "devel"
LICENSE = "MIT | Apache-2.0"
LIC_FILES_CHKSUM = "file://LICENSE-MIT;md5=ace575ea115e1e3af43a1361d08cf314 file://LICENSE-APACHE;md5=3b83ef96387f14655fc854ddc3c6bd57"

inherit carveout_host_tool

CARVEOUT_MEMBERS = "\
    crates/attestation \
    crates/bundle \
    crates/carveout \
    crates/carveout-build \
    crates/carveout-desk \
    crates/carveout-field \
    crates/carveout-host \
    crates/carveout-keys \
    crates/carveout-product \
    crates/carveout-report \
    crates/carveout-rootfs \
    crates/carveout-stored \
    crates/carveout-vendor \
    crates/carveout-yocto \
    crates/desk-firmware \
    crates/desk-guest \
    crates/stage-cache \
    crates/stage-code \
    crates/storage-proxy \
    crates/tegra-bct \
    crates/tegra-flash \
    crates/tipc \
    crates/tipc-bulk \
    crates/trusty-abi \
    crates/trusty-fault \
    crates/trusty-image \
    crates/trusty-ta-build \
    crates/virt-device \
"

SRC_URI += "\
    crate://crates.io/addr2line/0.27.1 \
    crate://crates.io/aes/0.9.4 \
    crate://crates.io/anstream/1.0.0 \
    crate://crates.io/anstyle-parse/1.0.0 \
    crate://crates.io/anstyle-query/1.1.5 \
    crate://crates.io/anstyle-wincon/3.0.11 \
    crate://crates.io/anstyle/1.0.14 \
    crate://crates.io/autocfg/1.5.1 \
    crate://crates.io/base64/0.22.1 \
    crate://crates.io/base64ct/1.8.3 \
    crate://crates.io/bitflags/2.13.2 \
    crate://crates.io/blake2/0.11.0 \
    crate://crates.io/block-buffer/0.10.4 \
    crate://crates.io/block-buffer/0.12.1 \
    crate://crates.io/block2/0.6.2 \
    crate://crates.io/bstr/1.14.0 \
    crate://crates.io/bumpalo/3.20.4 \
    crate://crates.io/camino/1.2.6 \
    crate://crates.io/cargo-platform/0.3.2 \
    crate://crates.io/cargo_metadata/0.23.1 \
    crate://crates.io/cc/1.11.3 \
    crate://crates.io/cfg-if/1.0.5 \
    crate://crates.io/cfg_aliases/0.2.2 \
    crate://crates.io/cipher/0.4.4 \
    crate://crates.io/cipher/0.5.2 \
    crate://crates.io/clap/4.6.9 \
    crate://crates.io/clap_builder/4.6.7 \
    crate://crates.io/clap_complete/4.6.11 \
    crate://crates.io/clap_derive/4.6.9 \
    crate://crates.io/clap_lex/1.1.2 \
    crate://crates.io/clap_mangen/0.3.3 \
    crate://crates.io/cmac/0.8.0 \
    crate://crates.io/cmov/0.5.4 \
    crate://crates.io/colorchoice/1.0.5 \
    crate://crates.io/console/0.16.6 \
    crate://crates.io/const-oid/0.10.3 \
    crate://crates.io/cpubits/0.1.1 \
    crate://crates.io/cpufeatures/0.2.17 \
    crate://crates.io/cpufeatures/0.3.1 \
    crate://crates.io/crc-catalog/2.5.0 \
    crate://crates.io/crc/3.4.0 \
    crate://crates.io/crypto-common/0.1.7 \
    crate://crates.io/crypto-common/0.2.2 \
    crate://crates.io/cryptoki-sys/0.5.0 \
    crate://crates.io/cryptoki/0.12.1 \
    crate://crates.io/ct-codecs/1.1.8 \
    crate://crates.io/ctrlc/3.5.2 \
    crate://crates.io/ctutils/0.4.8 \
    crate://crates.io/curve25519-dalek-derive/0.1.1 \
    crate://crates.io/curve25519-dalek/5.0.0 \
    crate://crates.io/dbl/0.5.0 \
    crate://crates.io/der/0.8.3 \
    crate://crates.io/digest/0.10.7 \
    crate://crates.io/digest/0.11.3 \
    crate://crates.io/dispatch2/0.3.1 \
    crate://crates.io/ed25519-dalek/3.0.0 \
    crate://crates.io/ed25519/3.0.0 \
    crate://crates.io/encode_unicode/1.0.0 \
    crate://crates.io/equivalent/1.0.3 \
    crate://crates.io/errno/0.3.15 \
    crate://crates.io/fastrand/2.5.0 \
    crate://crates.io/fiat-crypto/0.3.0 \
    crate://crates.io/filetime/0.2.29 \
    crate://crates.io/find-msvc-tools/0.1.15 \
    crate://crates.io/futures-core/0.3.34 \
    crate://crates.io/futures-task/0.3.34 \
    crate://crates.io/futures-util/0.3.34 \
    crate://crates.io/generic-array/0.14.7 \
    crate://crates.io/getrandom/0.4.3 \
    crate://crates.io/gimli/0.34.0 \
    crate://crates.io/gpt/4.1.0 \
    crate://crates.io/hashbrown/0.17.1 \
    crate://crates.io/heck/0.5.0 \
    crate://crates.io/hex/0.4.3 \
    crate://crates.io/hmac/0.12.1 \
    crate://crates.io/humantime/2.4.0 \
    crate://crates.io/hybrid-array/0.4.15 \
    crate://crates.io/indexmap/2.14.2 \
    crate://crates.io/indicatif/0.18.6 \
    crate://crates.io/inout/0.1.4 \
    crate://crates.io/inout/0.2.6 \
    crate://crates.io/iri-string/0.7.14 \
    crate://crates.io/is_terminal_polyfill/1.70.2 \
    crate://crates.io/itoa/1.0.19 \
    crate://crates.io/jobserver/0.1.35 \
    crate://crates.io/js-sys/0.3.107 \
    crate://crates.io/libc/0.2.191 \
    crate://crates.io/libloading/0.8.9 \
    crate://crates.io/libyaml-rs/0.3.0 \
    crate://crates.io/linux-raw-sys/0.12.1 \
    crate://crates.io/log/0.4.35 \
    crate://crates.io/maud/0.27.0 \
    crate://crates.io/maud_macros/0.27.0 \
    crate://crates.io/memchr/2.8.3 \
    crate://crates.io/minisign/0.10.0 \
    crate://crates.io/nix/0.31.3 \
    crate://crates.io/num-bigint/0.5.1 \
    crate://crates.io/num-integer/0.1.47 \
    crate://crates.io/num-traits/0.2.19 \
    crate://crates.io/objc2-encode/4.1.0 \
    crate://crates.io/objc2/0.6.5 \
    crate://crates.io/object/0.37.3 \
    crate://crates.io/once_cell/1.21.4 \
    crate://crates.io/once_cell_polyfill/1.70.2 \
    crate://crates.io/pbkdf2/0.12.2 \
    crate://crates.io/pem-rfc7468/1.0.0 \
    crate://crates.io/pin-project-lite/0.2.18 \
    crate://crates.io/pkcs1/0.8.0 \
    crate://crates.io/pkcs8/0.11.0 \
    crate://crates.io/pkg-config/0.3.34 \
    crate://crates.io/portable-atomic/1.15.0 \
    crate://crates.io/proc-macro2-diagnostics/0.10.1 \
    crate://crates.io/proc-macro2/1.0.107 \
    crate://crates.io/quote/1.0.47 \
    crate://crates.io/r-efi/6.0.0 \
    crate://crates.io/roff/1.1.1 \
    crate://crates.io/roxmltree/0.21.2 \
    crate://crates.io/rpassword/7.5.4 \
    crate://crates.io/rtoolbox/0.0.6 \
    crate://crates.io/rustc-demangle/0.1.28 \
    crate://crates.io/rustc_version/0.4.1 \
    crate://crates.io/rustix/1.1.6 \
    crate://crates.io/rustversion/1.0.23 \
    crate://crates.io/ryu/1.0.23 \
    crate://crates.io/salsa20/0.10.2 \
    crate://crates.io/same-file/1.0.6 \
    crate://crates.io/scrypt/0.11.0 \
    crate://crates.io/secrecy/0.10.3 \
    crate://crates.io/semver/1.0.28 \
    crate://crates.io/serde/1.0.229 \
    crate://crates.io/serde_core/1.0.229 \
    crate://crates.io/serde_derive/1.0.229 \
    crate://crates.io/serde_json/1.0.154 \
    crate://crates.io/serde_spanned/1.1.3 \
    crate://crates.io/sha2/0.10.9 \
    crate://crates.io/sha2/0.11.1 \
    crate://crates.io/shlex/2.0.1 \
    crate://crates.io/signature/3.0.0 \
    crate://crates.io/similar/3.2.1 \
    crate://crates.io/simple-bytes/0.2.14 \
    crate://crates.io/slab/0.4.12 \
    crate://crates.io/smallvec/1.16.6 \
    crate://crates.io/spdx/0.13.6 \
    crate://crates.io/spki/0.8.1 \
    crate://crates.io/stable_deref_trait/1.2.1 \
    crate://crates.io/strsim/0.11.1 \
    crate://crates.io/subtle/2.6.1 \
    crate://crates.io/syn/2.0.119 \
    crate://crates.io/syn/3.0.10 \
    crate://crates.io/tar/0.4.46 \
    crate://crates.io/tempfile/3.27.0 \
    crate://crates.io/terminal_size/0.4.4 \
    crate://crates.io/thiserror-impl/2.0.21 \
    crate://crates.io/thiserror/2.0.21 \
    crate://crates.io/toml/1.2.1+spec-1.1.0 \
    crate://crates.io/toml_datetime/1.1.3+spec-1.1.0 \
    crate://crates.io/toml_parser/1.1.5+spec-1.1.0 \
    crate://crates.io/toml_writer/1.2.0+spec-1.1.0 \
    crate://crates.io/typenum/1.20.1 \
    crate://crates.io/unicode-ident/1.0.27 \
    crate://crates.io/unicode-width/0.2.3 \
    crate://crates.io/unit-prefix/0.5.2 \
    crate://crates.io/utf8parse/0.2.2 \
    crate://crates.io/uuid/1.29.3 \
    crate://crates.io/version_check/0.9.5 \
    crate://crates.io/walkdir/2.5.1 \
    crate://crates.io/wasm-bindgen-macro-support/0.2.130 \
    crate://crates.io/wasm-bindgen-macro/0.2.130 \
    crate://crates.io/wasm-bindgen-shared/0.2.130 \
    crate://crates.io/wasm-bindgen/0.2.130 \
    crate://crates.io/web-time/1.1.0 \
    crate://crates.io/winapi-util/0.1.11 \
    crate://crates.io/windows-link/0.2.1 \
    crate://crates.io/windows-sys/0.61.2 \
    crate://crates.io/winnow/1.0.5 \
    crate://crates.io/xshell-macros/0.2.7 \
    crate://crates.io/xshell/0.2.7 \
    crate://crates.io/yaml_serde/0.10.7 \
    crate://crates.io/zeroize/1.9.2 \
    crate://crates.io/zmij/1.0.23 \
    crate://crates.io/zstd-safe/8.3.0 \
    crate://crates.io/zstd-sys/2.1.3+zstd.1.5.7 \
    crate://crates.io/zstd/0.14.4 \
"

SRC_URI[addr2line-0.27.1.sha256sum] = "e567177890eb1617b1f774005b66b26b2377afd138a2ca37aae7d8f0c81429d4"
SRC_URI[aes-0.9.4.sha256sum] = "fc0fc36d7440d015b45468ba08a21e80e056ebbd014c611c6298bb7503e04bd1"
SRC_URI[anstream-1.0.0.sha256sum] = "824a212faf96e9acacdbd09febd34438f8f711fb84e09a8916013cd7815ca28d"
SRC_URI[anstyle-1.0.14.sha256sum] = "940b3a0ca603d1eade50a4846a2afffd5ef57a9feac2c0e2ec2e14f9ead76000"
SRC_URI[anstyle-parse-1.0.0.sha256sum] = "52ce7f38b242319f7cabaa6813055467063ecdc9d355bbb4ce0c68908cd8130e"
SRC_URI[anstyle-query-1.1.5.sha256sum] = "40c48f72fd53cd289104fc64099abca73db4166ad86ea0b4341abe65af83dadc"
SRC_URI[anstyle-wincon-3.0.11.sha256sum] = "291e6a250ff86cd4a820112fb8898808a366d8f9f58ce16d1f538353ad55747d"
SRC_URI[autocfg-1.5.1.sha256sum] = "f2032f911046de80f0a198e0901378627c33f59ea0ac00e363d481118bd70a53"
SRC_URI[base64-0.22.1.sha256sum] = "72b3254f16251a8381aa12e40e3c4d2f0199f8c6508fbecb9d91f575e0fbb8c6"
SRC_URI[base64ct-1.8.3.sha256sum] = "2af50177e190e07a26ab74f8b1efbfe2ef87da2116221318cb1c2e82baf7de06"
SRC_URI[bitflags-2.13.2.sha256sum] = "3ded4057c258ba199e2d26386d3af3780957ecaee6c4ef4041c6b4b8b97c0b06"
SRC_URI[blake2-0.11.0.sha256sum] = "5b5d4d889834ee8ecfc0f8426ad30faf7cdcb10f741a8e6d7224d95325479f6f"
SRC_URI[block-buffer-0.10.4.sha256sum] = "3078c7629b62d3f0439517fa394996acacc5cbc91c5a20d8c658e77abd503a71"
SRC_URI[block-buffer-0.12.1.sha256sum] = "d2f6c7dbe95a6ed67ad9f18e57daf93a2f034c524b99fd2b76d18fdfeb6660aa"
SRC_URI[block2-0.6.2.sha256sum] = "cdeb9d870516001442e364c5220d3574d2da8dc765554b4a617230d33fa58ef5"
SRC_URI[bstr-1.14.0.sha256sum] = "a680398c10c7bc0488067c4612226ea905a85f607134b69f3068d505d58c4214"
SRC_URI[bumpalo-3.20.4.sha256sum] = "87a0cf66fd1eb2fb7b822cb78370d82303750809bc6ba855f3f58e517d3238db"
SRC_URI[camino-1.2.6.sha256sum] = "bbbad30e4b4c14a39e3cc8aed085a12a327257c316619c93581e017bc52be591"
SRC_URI[cargo-platform-0.3.2.sha256sum] = "87a0c0e6148f11f01f32650a2ea02d532b2ad4e81d8bd41e6e565b5adc5e6082"
SRC_URI[cargo_metadata-0.23.1.sha256sum] = "ef987d17b0a113becdd19d3d0022d04d7ef41f9efe4f3fb63ac44ba61df3ade9"
SRC_URI[cc-1.11.3.sha256sum] = "02f0e023adb368345ce0ca6cdfc0f24a06554468d0e8503e14a0841de79bfa69"
SRC_URI[cfg-if-1.0.5.sha256sum] = "4e7648175b45a9a48536d676f68d918270699102aa8dab5496df06904c914600"
SRC_URI[cfg_aliases-0.2.2.sha256sum] = "f079e83a288787bcd14a6aea84cee5c87a67c5a3e660c30f557a3d24761b3527"
SRC_URI[cipher-0.4.4.sha256sum] = "773f3b9af64447d2ce9850330c473515014aa235e6a783b02db81ff39e4a3dad"
SRC_URI[cipher-0.5.2.sha256sum] = "e8cf2a2c93cd704877c0858356ed03480ff301ee950b43f1cbe4573b088bfa6c"
SRC_URI[clap-4.6.9.sha256sum] = "844c5c0b65be192cb68d570cca1b21a6444431d24e39c084dc0336177015337c"
SRC_URI[clap_builder-4.6.7.sha256sum] = "ec0797fb7aeb1406c84efac526901f7ec3ead2124f946b494e72879d4b54704d"
SRC_URI[clap_complete-4.6.11.sha256sum] = "037e2a1a92236d0aff7e845093f64661d6df4c02c9fcc61a60e9e1d736fa392f"
SRC_URI[clap_derive-4.6.9.sha256sum] = "b4c174f11f949b9ca8c60580925e282b9cbd5454750e506f08648b2038080cd7"
SRC_URI[clap_lex-1.1.2.sha256sum] = "e0921b3876b3a1df8a1c9f912e7f94342458022c2e84288015893d83c4d62a79"
SRC_URI[clap_mangen-0.3.3.sha256sum] = "211d617eaa4b735c96c9e0228fcbdb5120ef623f2b8cb67ffb84c3e02dbc28a4"
SRC_URI[cmac-0.8.0.sha256sum] = "ac78aa94ce13e432b332a4d1bf2eff167d3a2520188ee05b337180a42fd2e62e"
SRC_URI[cmov-0.5.4.sha256sum] = "0c9ea0ac24bc397ab3c98583a3c9ba74fa56b09a4449bbe172b9b1ddb016027a"
SRC_URI[colorchoice-1.0.5.sha256sum] = "1d07550c9036bf2ae0c684c4297d503f838287c83c53686d05370d0e139ae570"
SRC_URI[console-0.16.6.sha256sum] = "e96a4956774c13c126a8b5af4daa79384f4d826534c95a02d76afb39e2ab64e3"
SRC_URI[const-oid-0.10.3.sha256sum] = "be95d4a884358a21a199689323c29e9256b4a1b315e22f183d155422041d3a9a"
SRC_URI[cpubits-0.1.1.sha256sum] = "15b85f9c39137c3a891689859392b1bd49812121d0d61c9caf00d46ed5ce06ae"
SRC_URI[cpufeatures-0.2.17.sha256sum] = "59ed5838eebb26a2bb2e58f6d5b5316989ae9d08bab10e0e6d103e656d1b0280"
SRC_URI[cpufeatures-0.3.1.sha256sum] = "5ca28b0ae3115b884660db4118d803791fd6756b6e88f39c0f3f7859060d7566"
SRC_URI[crc-3.4.0.sha256sum] = "5eb8a2a1cd12ab0d987a5d5e825195d372001a4094a0376319d5a0ad71c1ba0d"
SRC_URI[crc-catalog-2.5.0.sha256sum] = "217698eaf96b4a3f0bc4f3662aaa55bdf913cd54d7204591faa790070c6d0853"
SRC_URI[crypto-common-0.1.7.sha256sum] = "78c8292055d1c1df0cce5d180393dc8cce0abec0a7102adb6c7b1eef6016d60a"
SRC_URI[crypto-common-0.2.2.sha256sum] = "ce6e4c961d6cd6c9a86db418387425e8bdeaf05b3c8bc1411e6dca4c252f1453"
SRC_URI[cryptoki-0.12.1.sha256sum] = "625cf4599c43d69a16996ce2573fc80745a0b0300c962f0bfa11d55b6cab2b2d"
SRC_URI[cryptoki-sys-0.5.0.sha256sum] = "f1fd850498411e4057f1cba79e6e2bc7cbe960544c1046ab46d4685c403a1121"
SRC_URI[ct-codecs-1.1.8.sha256sum] = "8fd9f3db6f2cfef61c10613071955154ffdc9e515daebff26de4b54e35038fdd"
SRC_URI[ctrlc-3.5.2.sha256sum] = "e0b1fab2ae45819af2d0731d60f2afe17227ebb1a1538a236da84c93e9a60162"
SRC_URI[ctutils-0.4.8.sha256sum] = "261af4dc7a06ea8a527a8717d8cbba3417530d6ea14e1edb3de6b67806be474f"
SRC_URI[curve25519-dalek-5.0.0.sha256sum] = "b5eed333089e2e1c1ac8c6c0398e5e2497b4c9926ca6d0365ed1e099afa5bc23"
SRC_URI[curve25519-dalek-derive-0.1.1.sha256sum] = "f46882e17999c6cc590af592290432be3bce0428cb0d5f8b6715e4dc7b383eb3"
SRC_URI[dbl-0.5.0.sha256sum] = "f0d7a944e61df464668c5f51f56cc667396a8821434273112948ea0b66e405d7"
SRC_URI[der-0.8.3.sha256sum] = "6a996a108feb8b427a6e12fcf6af4aa83409b79d72c15337d7741368131ee004"
SRC_URI[digest-0.10.7.sha256sum] = "9ed9a281f7bc9b7576e61468ba615a66a5c8cfdff42420a70aa82701a3b1e292"
SRC_URI[digest-0.11.3.sha256sum] = "f1dd6dbb5841937940781866fa1281a1ff7bd3bf827091440879f9994983d5c2"
SRC_URI[dispatch2-0.3.1.sha256sum] = "1e0e367e4e7da84520dedcac1901e4da967309406d1e51017ae1abfb97adbd38"
SRC_URI[ed25519-3.0.0.sha256sum] = "29fcf32e6c73d1079f83ab4d782de2d81620346a5f38c6237a86a22f8368980a"
SRC_URI[ed25519-dalek-3.0.0.sha256sum] = "6ebaa1a2bf1290ab3bfe5a7b771d050ebffab2711c19a81691c683a5144a25de"
SRC_URI[encode_unicode-1.0.0.sha256sum] = "34aa73646ffb006b8f5147f3dc182bd4bcb190227ce861fc4a4844bf8e3cb2c0"
SRC_URI[equivalent-1.0.3.sha256sum] = "00d174d5400e5e8fd687ad1049e2f578285fa914201b1af7e8b112a4546bd826"
SRC_URI[errno-0.3.15.sha256sum] = "e35d6e78f4cebb90e51d543db8fe41528851d6deeef6ef21ebd4bfdc1e784776"
SRC_URI[fastrand-2.5.0.sha256sum] = "da7c62ceae207dd37ea5b845da6a0696c799f85e97da1ab5b7910be3c1c80223"
SRC_URI[fiat-crypto-0.3.0.sha256sum] = "64cd1e32ddd350061ae6edb1b082d7c54915b5c672c389143b9a63403a109f24"
SRC_URI[filetime-0.2.29.sha256sum] = "5c287a33c7f0a620c38e641e7f60827713987b3c0f26e8ddc9462cc69cf75759"
SRC_URI[find-msvc-tools-0.1.15.sha256sum] = "1c66915cc5391097de7a2b0b972e8505aa33c0df401fd3a6811dbdb32881ba48"
SRC_URI[futures-core-0.3.34.sha256sum] = "92d699e522242e69e3003b94ecc1f960f3a5e015aa7c5d7486e65ad01dd94f5e"
SRC_URI[futures-task-0.3.34.sha256sum] = "cd417de3d1d015fc3bfd2b1ea46dfc7bab72ef86f1cc7cc9c78e728b34a6d1fd"
SRC_URI[futures-util-0.3.34.sha256sum] = "0d50a92467f8ba5dd6e3ee5d4bd04d73ab2e4e1c44474a0674821dfce14b79bc"
SRC_URI[generic-array-0.14.7.sha256sum] = "85649ca51fd72272d7821adaf274ad91c288277713d9c18820d8499a7ff69e9a"
SRC_URI[getrandom-0.4.3.sha256sum] = "300e883d756b2e4ec94e02791f39b04b522276138852cfc41d9fb7e904106099"
SRC_URI[gimli-0.34.0.sha256sum] = "1033caf0b349c518623b5396bfb2cf0bddf44f0306d543a250e5743297aafd10"
SRC_URI[gpt-4.1.0.sha256sum] = "3696fafb1ecdcc2ae3ce337de73e9202806068594b77d22fdf2f3573c5ec2219"
SRC_URI[hashbrown-0.17.1.sha256sum] = "ed5909b6e89a2db4456e54cd5f673791d7eca6732202bbf2a9cc504fe2f9b84a"
SRC_URI[heck-0.5.0.sha256sum] = "2304e00983f87ffb38b55b444b5e3b60a884b5d30c0fca7d82fe33449bbe55ea"
SRC_URI[hex-0.4.3.sha256sum] = "7f24254aa9a54b5c858eaee2f5bccdb46aaf0e486a595ed5fd8f86ba55232a70"
SRC_URI[hmac-0.12.1.sha256sum] = "6c49c37c09c17a53d937dfbb742eb3a961d65a994e6bcdcf37e7399d0cc8ab5e"
SRC_URI[humantime-2.4.0.sha256sum] = "15cdd26707701c53297e2fa6afb323d55fbc1d0810c3aec078ae3ef0424c3c15"
SRC_URI[hybrid-array-0.4.15.sha256sum] = "27f864f10dfb56725ce5ce5472bc52252c8f93a4ab86327122cebf62c5f59a17"
SRC_URI[indexmap-2.14.2.sha256sum] = "cc4e190f5d26ca7051642629da2c52fc03bde85a03197c99408dcd291734c855"
SRC_URI[indicatif-0.18.6.sha256sum] = "9433806cd6b4ec1aba79c021c7e4c58fb4c3b9977c085062e611ac929998fb0c"
SRC_URI[inout-0.1.4.sha256sum] = "879f10e63c20629ecabbb64a8010319738c66a5cd0c29b02d63d272b03751d01"
SRC_URI[inout-0.2.6.sha256sum] = "3a580c13f0ffc335ef42dd3f6b1a41b726051c5e1656d9a3aa6fddb3c5dfbbf9"
SRC_URI[iri-string-0.7.14.sha256sum] = "1663ee7d8cf2900cc1414b1e1eec9f348d6eaa3bcab07579f4726a4b8499f447"
SRC_URI[is_terminal_polyfill-1.70.2.sha256sum] = "a6cb138bb79a146c1bd460005623e142ef0181e3d0219cb493e02f7d08a35695"
SRC_URI[itoa-1.0.19.sha256sum] = "3bd1574e617a9a6c1f8f8181bd7e841e1f20e4277607ef28945765188d6284d4"
SRC_URI[jobserver-0.1.35.sha256sum] = "1c00acbd29eabad4a2392fa0e921c874934dbbf4194312ad20f04a0ed67a3cb3"
SRC_URI[js-sys-0.3.107.sha256sum] = "8dc09d2154098bbf4ef54eab6b117a3c24cbbffe94046b16ee6d6d4510584d3a"
SRC_URI[libc-0.2.191.sha256sum] = "65cd87c9a6d60536580b316ad985726104730a5151c99845f2490428ef91240a"
SRC_URI[libloading-0.8.9.sha256sum] = "d7c4b02199fee7c5d21a5ae7d8cfa79a6ef5bb2fc834d6e9058e89c825efdc55"
SRC_URI[libyaml-rs-0.3.0.sha256sum] = "2e126dda6f34391ab7b444f9922055facc83c07a910da3eb16f1e4d9c45dc777"
SRC_URI[linux-raw-sys-0.12.1.sha256sum] = "32a66949e030da00e8c7d4434b251670a91556f4144941d37452769c25d58a53"
SRC_URI[log-0.4.35.sha256sum] = "5d15f86d12da44cd8d4ec3c73984537eb7f4cadcb9776a575a0a8a05ca11005c"
SRC_URI[maud-0.27.0.sha256sum] = "8156733e27020ea5c684db5beac5d1d611e1272ab17901a49466294b84fc217e"
SRC_URI[maud_macros-0.27.0.sha256sum] = "7261b00f3952f617899bc012e3dbd56e4f0110a038175929fa5d18e5a19913ca"
SRC_URI[memchr-2.8.3.sha256sum] = "cf8baf1c55e62ffcace7a9f06f4bd9cd3f0c4beb022d3b367256b91b87513d98"
SRC_URI[minisign-0.10.0.sha256sum] = "3062dbbf4d8f57899e2252804f7512a4fd89c8211c58fa6c786d38794a0c809d"
SRC_URI[nix-0.31.3.sha256sum] = "cf20d2fde8ff38632c426f1165ed7436270b44f199fc55284c38276f9db47c3d"
SRC_URI[num-bigint-0.5.1.sha256sum] = "93e7820bc0a80a0238e650327316f929ba18d5be054b647490a3a6a339f3e7c0"
SRC_URI[num-integer-0.1.47.sha256sum] = "7ce2d95d4b3734dc35aa2f45e1aa22cd416814592a4f9d9205e11affd5b8e10b"
SRC_URI[num-traits-0.2.19.sha256sum] = "071dfc062690e90b734c0b2273ce72ad0ffa95f0c74596bc250dcfd960262841"
SRC_URI[objc2-0.6.5.sha256sum] = "08849bbd4767dfae9457696856ae1c84fe4e0281bbe4a7abff2d0e06fb7981f8"
SRC_URI[objc2-encode-4.1.0.sha256sum] = "ef25abbcd74fb2609453eb695bd2f860d389e457f67dc17cafc8b8cbc89d0c33"
SRC_URI[object-0.37.3.sha256sum] = "ff76201f031d8863c38aa7f905eca4f53abbfa15f609db4277d44cd8938f33fe"
SRC_URI[once_cell-1.21.4.sha256sum] = "9f7c3e4beb33f85d45ae3e3a1792185706c8e16d043238c593331cc7cd313b50"
SRC_URI[once_cell_polyfill-1.70.2.sha256sum] = "384b8ab6d37215f3c5301a95a4accb5d64aa607f1fcb26a11b5303878451b4fe"
SRC_URI[pbkdf2-0.12.2.sha256sum] = "f8ed6a7761f76e3b9f92dfb0a60a6a6477c61024b775147ff0973a02653abaf2"
SRC_URI[pem-rfc7468-1.0.0.sha256sum] = "a6305423e0e7738146434843d1694d621cce767262b2a86910beab705e4493d9"
SRC_URI[pin-project-lite-0.2.18.sha256sum] = "c938015719552d665fd0553b90d96cd7ff58e83e4c061ca99e6bb78865a72752"
SRC_URI[pkcs1-0.8.0.sha256sum] = "6250dd7321adbe93d12b750aee0ced159fd13e77f625edcdf1cb6f83cd99f650"
SRC_URI[pkcs8-0.11.0.sha256sum] = "451913da69c775a56034ea8d9003d27ee8948e12443eae7c038ba100a4f21cb7"
SRC_URI[pkg-config-0.3.34.sha256sum] = "f6b464fbc74e149a392436b17d523f769e057cb6877f6a5c4618bc6f11800548"
SRC_URI[portable-atomic-1.15.0.sha256sum] = "05c8b63e8d9609db387f0324918f81d68fe27748f084ef092fb35954d0539a85"
SRC_URI[proc-macro2-1.0.107.sha256sum] = "985e7ec9bb745e6ce6535b544d84d6cd6f7ad8bd711c398938ae983b91a766d9"
SRC_URI[proc-macro2-diagnostics-0.10.1.sha256sum] = "af066a9c399a26e020ada66a034357a868728e72cd426f3adcd35f80d88d88c8"
SRC_URI[quote-1.0.47.sha256sum] = "1fbf4db142a473a8d80c26bbf18454ed458bf8d26c8219c331daecfdbd079001"
SRC_URI[r-efi-6.0.0.sha256sum] = "f8dcc9c7d52a811697d2151c701e0d08956f92b0e24136cf4cf27b57a6a0d9bf"
SRC_URI[roff-1.1.1.sha256sum] = "323c417e1d9665a65b263ec744ba09030cfb277e9daa0b018a4ab62e57bc8189"
SRC_URI[roxmltree-0.21.2.sha256sum] = "9da7f59328b09405b181fee1018925fad50f157afb43c0c0f5c522c256dd5907"
SRC_URI[rpassword-7.5.4.sha256sum] = "2da316a15f47e3d053de9cb2c439650bd8fa4aaeb9365f2e5f27f492ff73c196"
SRC_URI[rtoolbox-0.0.6.sha256sum] = "9a1efe12a1469752d0e6ff5ebec0b6ef4924cc5c4c71046b0ec730040535819d"
SRC_URI[rustc-demangle-0.1.28.sha256sum] = "b74b56ffa8bb2830709a538c2cbcae9aa062db0d2a42563bfb09bdaae44020eb"
SRC_URI[rustc_version-0.4.1.sha256sum] = "cfcb3a22ef46e85b45de6ee7e79d063319ebb6594faafcf1c225ea92ab6e9b92"
SRC_URI[rustix-1.1.6.sha256sum] = "e5e76742e5294153d4dde1207dbec5bdd81eef6fabdc0d2118babadabfd858aa"
SRC_URI[rustversion-1.0.23.sha256sum] = "cf54715a573b99ac80df0bc206da022bcd442c974952c7b9720069370852e21f"
SRC_URI[ryu-1.0.23.sha256sum] = "9774ba4a74de5f7b1c1451ed6cd5285a32eddb5cccb8cc655a4e50009e06477f"
SRC_URI[salsa20-0.10.2.sha256sum] = "97a22f5af31f73a954c10289c93e8a50cc23d971e80ee446f1f6f7137a088213"
SRC_URI[same-file-1.0.6.sha256sum] = "93fc1dc3aaa9bfed95e02e6eadabb4baf7e3078b0bd1b4d7b6b0b68378900502"
SRC_URI[scrypt-0.11.0.sha256sum] = "0516a385866c09368f0b5bcd1caff3366aace790fcd46e2bb032697bb172fd1f"
SRC_URI[secrecy-0.10.3.sha256sum] = "e891af845473308773346dc847b2c23ee78fe442e0472ac50e22a18a93d3ae5a"
SRC_URI[semver-1.0.28.sha256sum] = "8a7852d02fc848982e0c167ef163aaff9cd91dc640ba85e263cb1ce46fae51cd"
SRC_URI[serde-1.0.229.sha256sum] = "4148590afebada386688f18773da617792bf2ef03ffc1e4cbd2b1d45b023e0ba"
SRC_URI[serde_core-1.0.229.sha256sum] = "67dca2c9c51e58a4791a4b1ed58308b39c64224d349a935ab5039aa360942a48"
SRC_URI[serde_derive-1.0.229.sha256sum] = "e7a5d71263a5a7d47b41f6b3f06ba276f10cc18b0931f1799f710578e2309348"
SRC_URI[serde_json-1.0.154.sha256sum] = "e7e9cc8b1b85264074fbcc02a88680c4096b1e47df8f739dceb03bf482f04bd6"
SRC_URI[serde_spanned-1.1.3.sha256sum] = "9c187e0a369471c550af028cba56d4f4fa2a489ad28151ae95a4d340a2a8b782"
SRC_URI[sha2-0.10.9.sha256sum] = "a7507d819769d01a365ab707794a4084392c824f54a7a6a7862f8c3d0892b283"
SRC_URI[sha2-0.11.1.sha256sum] = "47d7069beb7d6ac7b9acd1039986e73443f24234f41074da099d6f994ac9ad19"
SRC_URI[shlex-2.0.1.sha256sum] = "f8fadd59c855ef2080decdef8ff161eb6661b86933c9d82e5ba29dc602a55aba"
SRC_URI[signature-3.0.0.sha256sum] = "28d567dcbaf0049cb8ac2608a76cd95ff9e4412e1899d389ee400918ca7537f5"
SRC_URI[similar-3.2.1.sha256sum] = "d2f8bec09ae8fae0f4f265a4559a9334be3929d8504e9b536df0a41302bd1733"
SRC_URI[simple-bytes-0.2.14.sha256sum] = "c11532d9d241904f095185f35dcdaf930b1427a94d5b01d7002d74ba19b44cc4"
SRC_URI[slab-0.4.12.sha256sum] = "0c790de23124f9ab44544d7ac05d60440adc586479ce501c1d6d7da3cd8c9cf5"
SRC_URI[smallvec-1.16.6.sha256sum] = "3244542535d5de959d90ec55d1b5ff0fd2bb7b1310223907d5f11932847f7b59"
SRC_URI[spdx-0.13.6.sha256sum] = "646c5a367da914e3babcb9cd8e91c37ccaac42325b8f86f036513ad103f2a716"
SRC_URI[spki-0.8.1.sha256sum] = "7ef958a98b9d5da290cfc78946e9f3e61e1e62a18db0d92cac0b83cc161491a9"
SRC_URI[stable_deref_trait-1.2.1.sha256sum] = "6ce2be8dc25455e1f91df71bfa12ad37d7af1092ae736f3a6cd0e37bc7810596"
SRC_URI[strsim-0.11.1.sha256sum] = "7da8b5736845d9f2fcb837ea5d9e2628564b3b043a70948a3f0b778838c5fb4f"
SRC_URI[subtle-2.6.1.sha256sum] = "13c2bddecc57b384dee18652358fb23172facb8a2c51ccc10d74c157bdea3292"
SRC_URI[syn-2.0.119.sha256sum] = "872831b642d1a07999a962a351ed35b955ea2cfc8f3862091e2a240a84f17297"
SRC_URI[syn-3.0.10.sha256sum] = "4ae9ccbea3a7b0b09443036490c8f34a8b1b760fd345e5c0dae0aac718faea79"
SRC_URI[tar-0.4.46.sha256sum] = "3f6221d9a6003c78398e3b239969f352578258df48c8eb051caadae0015bc840"
SRC_URI[tempfile-3.27.0.sha256sum] = "32497e9a4c7b38532efcdebeef879707aa9f794296a4f0244f6f69e9bc8574bd"
SRC_URI[terminal_size-0.4.4.sha256sum] = "230a1b821ccbd75b185820a1f1ff7b14d21da1e442e22c0863ea5f08771a8874"
SRC_URI[thiserror-2.0.21.sha256sum] = "09e52cb86a36cede5cb101bf8908837b3e4c6e5e59fe7fd85c23fb56200d189e"
SRC_URI[thiserror-impl-2.0.21.sha256sum] = "fe5197923287db20a58125f0bc85c062f7f2c892de97b18c356f9efb14b28524"
SRC_URI[toml-1.2.1+spec-1.1.0.sha256sum] = "d5755c51863cdac711f1956baf8eb9588e060755f7d3c4c979e70ea1e1f32cd7"
SRC_URI[toml_datetime-1.1.3+spec-1.1.0.sha256sum] = "173f25c883cd2176a2d8212155638c0a60d484a9d84546d270866f40f56b6e49"
SRC_URI[toml_parser-1.1.5+spec-1.1.0.sha256sum] = "baa693a8032d7e1cada7d0041e96126df243179ff061456783ac7f12bda4744c"
SRC_URI[toml_writer-1.2.0+spec-1.1.0.sha256sum] = "009dbb7700f11c55ef83aebbe4c0e9cf1f1ac0844bd8d6f00dc38f302026e13a"
SRC_URI[typenum-1.20.1.sha256sum] = "b6f5e870be6c3b371b77fe0ee0bafb859fa4964b4404c27de1d380043c4dda20"
SRC_URI[unicode-ident-1.0.27.sha256sum] = "a2c754d6c33795a1c324727428e5a7dedb5b06195f9890bdbcba760d3e246563"
SRC_URI[unicode-width-0.2.3.sha256sum] = "ca718471876992059f251e33aafc334346ada08042b7661dd1fe313a9bced557"
SRC_URI[unit-prefix-0.5.2.sha256sum] = "81e544489bf3d8ef66c953931f56617f423cd4b5494be343d9b9d3dda037b9a3"
SRC_URI[utf8parse-0.2.2.sha256sum] = "06abde3611657adf66d383f00b093d7faecc7fa57071cce2578660c9f1010821"
SRC_URI[uuid-1.29.3.sha256sum] = "3c14b15dffa2f4bd712103e857140aa04a4f2ff6e955c77d7eb8e53ee02a3b64"
SRC_URI[version_check-0.9.5.sha256sum] = "0b928f33d975fc6ad9f86c8f283853ad26bdd5b10b7f1542aa2fa15e2289105a"
SRC_URI[walkdir-2.5.1.sha256sum] = "b42e295b7452c4604982280d8586001fcad9b8b201cac67bca9771e7a7475403"
SRC_URI[wasm-bindgen-0.2.130.sha256sum] = "a0181c14ddd6c7b8b0b0132a5f1ea2f32be0d893cd3ea97b6e3b28886b8a3d1c"
SRC_URI[wasm-bindgen-macro-0.2.130.sha256sum] = "6e931a02a39abdbf66966fc35902b5ed58344750a70885bed4ebb3d8eaf28ed9"
SRC_URI[wasm-bindgen-macro-support-0.2.130.sha256sum] = "2ca4b54280e455bd831e33a6b8e734baf432fe63fbc35c42ac14ce67a043a53a"
SRC_URI[wasm-bindgen-shared-0.2.130.sha256sum] = "3b1f9c3798725016c6ee5f2f57869ec0831e8bbc0ab0310a86e787e97f41389e"
SRC_URI[web-time-1.1.0.sha256sum] = "5a6580f308b1fad9207618087a65c04e7a10bc77e02c8e84e9b00dd4b12fa0bb"
SRC_URI[winapi-util-0.1.11.sha256sum] = "c2a7b1c03c876122aa43f3020e6c3c3ee5c05081c9a00739faf7503aeba10d22"
SRC_URI[windows-link-0.2.1.sha256sum] = "f0805222e57f7521d6a62e36fa9163bc891acd422f971defe97d64e70d0a4fe5"
SRC_URI[windows-sys-0.61.2.sha256sum] = "ae137229bcbd6cdf0f7b80a31df61766145077ddf49416a728b02cb3921ff3fc"
SRC_URI[winnow-1.0.5.sha256sum] = "8c3b93199df0ab874cdf0c6a94f0a0dc3423fe41f1cafb62b8bd7b1deb277aef"
SRC_URI[xshell-0.2.7.sha256sum] = "9e7290c623014758632efe00737145b6867b66292c42167f2ec381eb566a373d"
SRC_URI[xshell-macros-0.2.7.sha256sum] = "32ac00cd3f8ec9c1d33fb3e7958a82df6989c42d747bd326c822b1d625283547"
SRC_URI[yaml_serde-0.10.7.sha256sum] = "33b729a08a9a6be689bbad3e2bf8015926db54b6622cc89c3a5f7dc174b9e918"
SRC_URI[zeroize-1.9.2.sha256sum] = "85ccff8a4805aba1eaa4cd4afcd49f7557dd2cf5fd79ffc37f8959466effc5aa"
SRC_URI[zmij-1.0.23.sha256sum] = "29666d0abbfad1e3dc4dcf6144730dd3a3ab225bbbdac83319345b1b44ccfc1b"
SRC_URI[zstd-0.14.4.sha256sum] = "ad5020ab8f27bfc0024ad0a07aed6bf022a16208f479686fbed4fdd0c85eb0b3"
SRC_URI[zstd-safe-8.3.0.sha256sum] = "5a9ea9cc2576c2fcc104e9cec04f46e3ede564f4fbc206831e4ef7e859a4140d"
SRC_URI[zstd-sys-2.1.3+zstd.1.5.7.sha256sum] = "f729a06d0257428fd9d997ac8db7e1407bd0262ab016b085b36bc52957c0052d"
