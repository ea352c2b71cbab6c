# SPDX-License-Identifier: MIT OR Apache-2.0
# A Rust trusted app (TA) for Trusty: an ELF file in the sysroot, where trusty-l4t takes it from. No package: it is flashed.

inherit carveout_rust nopackages

COMPATIBLE_MACHINE = "(tegra194)"
PACKAGE_ARCH = "${SOC_FAMILY_PKGARCH}"

# 32-bit, without an OS: the kernel's loader wants it so. rust-bin-cross brings the target (see its bbappend).
RUST_TARGET = "armv7a-none-eabi"
CARGO_TARGET_LINKER_NAME = "ARMV7A_NONE_EABI"
CARGO_BUILD_PROFILE = "ta"
EXTRA_RUSTFLAGS += "-Clinker=rust-lld -Clinker-flavor=ld.lld -Crelocation-model=static"

do_install() {
    install -D -m 0644 ${CARGO_BINDIR}/${BPN} ${D}${datadir}/trusted-os/ta/${BPN}.elf
}

SYSROOT_DIRS += "${datadir}/trusted-os"
# Symbols name the place of a fault, and sections must stay where they are.
INHIBIT_SYSROOT_STRIP = "1"
