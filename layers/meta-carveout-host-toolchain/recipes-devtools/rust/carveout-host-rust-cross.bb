# SPDX-License-Identifier: MIT OR Apache-2.0
SUMMARY = "The host's Rust where meta-rust-bin's classes look for theirs"
DESCRIPTION = "The compiler and cargo of the host, and the core library of trusted apps, built if the host has none, for checks"
SECTION = "devel"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

inherit cross

PN = "carveout-host-rust-cross-${TARGET_ARCH}"
BPN = "carveout-host-rust-cross"
PV = "1.0"

PROVIDES = "\
    ${PN} \
    cargo-bin-cross-${TARGET_ARCH} \
    cargo-bin-native \
    rust-bin-cross-${TARGET_ARCH} \
"
INHIBIT_DEFAULT_DEPS = "1"

S = "${WORKDIR}"
B = "${WORKDIR}/build"

CARVEOUT_HOST_RUSTLIB = "${CARVEOUT_HOST_RUST}/lib/rustlib"
CARVEOUT_HOST_TA_TARGET = "armv7a-none-eabi"

# Debian's Rust has its sources, with the crates that they need, but no core library for this target.
do_configure() {
    rm -rf ${B}/src ${B}/target
    mkdir -p ${B}/src
    printf '[package]\nname = "empty"\nversion = "0.0.0"\nedition = "2024"\n\n[lib]\npath = "src/lib.rs"\n' > ${B}/Cargo.toml
    printf '#![no_std]\nextern crate alloc;\n' > ${B}/src/lib.rs
}

do_compile() {
    if ls ${CARVEOUT_HOST_RUSTLIB}/${CARVEOUT_HOST_TA_TARGET}/lib/libcore-*.rlib > /dev/null 2>&1; then
        bbnote "the host has the core library for ${CARVEOUT_HOST_TA_TARGET}"
        return
    fi
    library=${CARVEOUT_HOST_RUSTLIB}/src/rust/library
    test -d $library/vendor || bbfatal "${CARVEOUT_HOST_RUST} has neither a core library for ${CARVEOUT_HOST_TA_TARGET} nor \
the sources of one, $library with its folder vendor: CARVEOUT_HOST_RUST is to be another Rust"
    export CARGO_HOME=${B}/cargo_home RUSTC=${CARVEOUT_HOST_RUST}/bin/rustc RUSTC_BOOTSTRAP=1
    export CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_LINKER=gcc
    export LD_LIBRARY_PATH=${CARVEOUT_HOST_LIBRARIES}
    # Trusted apps are linked with LTO, which takes bitcode.
    export RUSTFLAGS="-Cembed-bitcode=yes --remap-path-prefix=$library=/rustc/library"
    ${CARVEOUT_HOST_CARGO} build --offline --release --target ${CARVEOUT_HOST_TA_TARGET} -Zbuild-std=core,alloc \
        --config 'source.crates-io.replace-with="vendor"' --config "source.vendor.directory=\"$library/vendor\""
}
# Debian's compiler is unpacked, not installed: its libraries are below it.
CARVEOUT_HOST_LIBRARIES = "${CARVEOUT_HOST_RUST}/lib/x86_64-linux-gnu:${CARVEOUT_HOST_RUST}/lib"

# A sysroot of links with what the host's own lacks.
do_install() {
    sysroot=${D}${prefix}/lib/carveout-host-rust
    install -d ${D}${prefix}/bin $sysroot/lib/rustlib
    for folder in ${CARVEOUT_HOST_RUSTLIB}/*-*; do
        test -d $folder/lib || continue
        ln -s $folder $sysroot/lib/rustlib/$(basename $folder)
    done
    target=$sysroot/lib/rustlib/${CARVEOUT_HOST_TA_TARGET}
    if [ ! -e $target ]; then
        install -d $target/lib
        install -m 0644 ${B}/target/${CARVEOUT_HOST_TA_TARGET}/release/deps/lib*.rlib $target/lib
        rm -f $target/lib/libempty-*
    fi
    cat > ${D}${prefix}/bin/rustc <<-EOF
	#!/bin/sh
	export LD_LIBRARY_PATH=${CARVEOUT_HOST_LIBRARIES}
	exec ${CARVEOUT_HOST_RUST}/bin/rustc --sysroot=\$(dirname \$(realpath \$0))/../lib/carveout-host-rust "\$@"
	EOF
    printf '#!/bin/sh\nexec %s "$@"\n' ${CARVEOUT_HOST_CARGO} > ${D}${prefix}/bin/cargo
    # The linker of trusted apps, which is the host's lld if its Rust has none.
    printf '#!/bin/sh\nexec ld.lld "$@"\n' > ${D}${prefix}/bin/rust-lld
    chmod 0755 ${D}${prefix}/bin/rustc ${D}${prefix}/bin/cargo ${D}${prefix}/bin/rust-lld
}

SYSROOT_DIRS_NATIVE += "${prefix}"
INHIBIT_SYSROOT_STRIP = "1"
