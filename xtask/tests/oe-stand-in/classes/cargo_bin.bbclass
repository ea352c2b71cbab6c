# SPDX-License-Identifier: MIT OR Apache-2.0
# Stand-in for meta-rust-bin's: the variables that meta-carveout sets, and where they go.
inherit rust_bin-common

DEPENDS:append = " cargo-bin-cross-aarch64 pkgconfig-native"

export CARGO_HOME = "${WORKDIR}/cargo_home"
B = "${WORKDIR}/target"
export CARGO_TARGET_DIR = "${B}"
WRAPPER_DIR = "${WORKDIR}/wrappers"
RUST_BUILD = "x86_64-unknown-linux-gnu"
RUST_TARGET = "${@rust_target(d, 'TARGET')}"
CARGO_TARGET_LINKER_NAME = "${@d.getVar('RUST_TARGET').replace('-', '_').upper()}"
EXTRA_CARGO_FLAGS ??= ""
EXTRA_RUSTFLAGS ??= ""
RUSTFLAGS += "${EXTRA_RUSTFLAGS}"
CARGO_BUILD_PROFILE ?= "release"
CARGO_BINDIR = "${B}/${RUST_TARGET}/${CARGO_BUILD_PROFILE}"
CARGO_BUILD_FLAGS = "--target=${RUST_TARGET} --profile=${CARGO_BUILD_PROFILE} ${EXTRA_CARGO_FLAGS}"

cargo_bin_do_configure() {
    mkdir -p "${CARGO_HOME}"
}

cargo_bin_do_compile() {
    export RUSTFLAGS="${RUSTFLAGS}"
    cargo build ${CARGO_BUILD_FLAGS}
}

cargo_bin_do_install() {
    :
}

EXPORT_FUNCTIONS do_configure do_compile do_install
