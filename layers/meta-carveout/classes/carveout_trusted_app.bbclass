# SPDX-License-Identifier: MIT OR Apache-2.0
# A Rust trusted app (TA) for Trusty: an ELF file in the sysroot, where trusty-l4t takes it from. No package: it is flashed.
#
# CARVEOUT_MIN_HEAP[name], CARVEOUT_MIN_STACK[name]  sizes instead of those that its Cargo.toml declares

inherit carveout_rust nopackages

COMPATIBLE_MACHINE = "(tegra186|tegra194)"
PACKAGE_ARCH = "${SOC_FAMILY_PKGARCH}"

# 32-bit, without an OS: the kernel's loader wants it so. rust-bin-cross brings the target (see its bbappend).
RUST_TARGET = "armv7a-none-eabi"
CARGO_TARGET_LINKER_NAME = "ARMV7A_NONE_EABI"
CARGO_BUILD_PROFILE = "ta"
# cargo_bin has a linker of its own for what runs here, by a setting of cargo that would change the names of a TA's symbols: said
# so, the TA is the same, byte for byte, as that of carveout's other engine.
EXTRA_CARGO_FLAGS += "--config target-applies-to-host=true"
EXTRA_CARGO_FLAGS += "--config target.${RUST_BUILD}.linker=\'${WRAPPER_DIR}/linker-native-wrapper.sh\'"
# By frames a TA tells who called, wherever it ends.
EXTRA_RUSTFLAGS += "-Clinker=rust-lld -Clinker-flavor=ld.lld -Crelocation-model=static -Cforce-frame-pointers=yes"
# Its random numbers are those of trusty_ta::rng.
EXTRA_RUSTFLAGS += '--cfg=getrandom_backend="custom"'

CARVEOUT_TA_DIR = "${datadir}/trusted-os/ta"
CARVEOUT_TA_SIZES = "${@carveout_ta_sizes(d)}"
# BitBake does not see which flags are read: without it, another size would build nothing.
CARVEOUT_TA_SIZES[vardepvalue] = "${CARVEOUT_TA_SIZES}"

def carveout_ta_sizes(d):
    """Options of `assemble app` for what the product sets instead of what the TA declares."""
    options = []
    for variable, option in (('CARVEOUT_MIN_HEAP', '--min-heap'), ('CARVEOUT_MIN_STACK', '--min-stack')):
        size = d.getVarFlag(variable, d.getVar('BPN'))
        if size:
            options.append('%s=%s' % (option, size))
    return ' '.join(options)

# Here, as do_install runs under pseudo: rustup's rustc has an allocator that waits for pseudo, which waits for it, forever.
carveout_ta_compiler() {
    rustc --version > ${B}/${BPN}.rustc
}
carveout_ta_compiler[doc] = "Notes which compiler has built the trusted app"
do_compile[postfuncs] += "carveout_ta_compiler"

# What the TA declares and which compiler made it go into the bundle's manifest.
do_install() {
    install -d ${D}${CARVEOUT_TA_DIR}
    if [ -n "${CARVEOUT_TA_SIZES}" ]; then
        carveout assemble app --declared ${CARVEOUT_TA_DECLARED} ${CARVEOUT_TA_SIZES} \
            --output ${B}/${BPN}.elf ${CARGO_BINDIR}/${BPN}
        install -m 0644 ${B}/${BPN}.elf ${D}${CARVEOUT_TA_DIR}/${BPN}.elf
    else
        install -m 0644 ${CARGO_BINDIR}/${BPN} ${D}${CARVEOUT_TA_DIR}/${BPN}.elf
    fi
    install -m 0644 ${CARVEOUT_TA_DECLARED} ${D}${CARVEOUT_TA_DIR}/${BPN}.toml
    install -m 0644 ${B}/${BPN}.rustc ${D}${CARVEOUT_TA_DIR}/${BPN}.rustc
}
do_install[depends] += "${@'carveout-native:do_populate_sysroot' if d.getVar('CARVEOUT_TA_SIZES') else ''}"

# The folder among CARVEOUT_MEMBERS that is the package's own.
CARVEOUT_TA_DECLARED = "${@' '.join('%s/%s/Cargo.toml' % (d.getVar('S'), member) for member in d.getVar('CARVEOUT_MEMBERS').split() if member.endswith('/' + d.getVar('BPN')))}"

# A task of its own, which nothing waits for: a change of carveout alone must not rebuild the kernel, and who takes the TA from shared
# state has no need of it. The bundle makes the same checks.
do_carveout_check() {
    carveout assemble app --declared ${CARVEOUT_TA_DECLARED} ${D}${CARVEOUT_TA_DIR}/${BPN}.elf
}
do_carveout_check[doc] = "Checks the trusted app by the rules of the kernel's loader and against what it declares"
do_carveout_check[depends] += "carveout-native:do_populate_sysroot"
addtask carveout_check after do_install before do_build

SYSROOT_DIRS += "${datadir}/trusted-os"
# Symbols name the place of a fault, and sections must stay where they are.
INHIBIT_SYSROOT_STRIP = "1"
