# SPDX-License-Identifier: MIT OR Apache-2.0
# Stand-in for meta-tegra's: it calls make, and installs the kernel.
SUMMARY = "Stand-in"
COMPATIBLE_MACHINE = "(tegra)"
DEPENDS = "gcc-arm-none-eabi-native"
EXTRA_OEMAKE = "TARGET=t186"

do_compile() {
    echo make ${EXTRA_OEMAKE}
}

do_install() {
    install -d ${D}${datadir}/trusted-os
}
