# SPDX-License-Identifier: MIT OR Apache-2.0
# Stand-in for meta-tegra's: it installs misc boot configs.
SUMMARY = "Stand-in"
COMPATIBLE_MACHINE = "(tegra)"

do_install() {
    install -d ${D}${datadir}/tegraflash
}

do_install:append:tegra194() {
    install -m 0644 ${S}/tegra19* ${D}${datadir}/tegraflash/
}

do_install:append:tegra186() {
    install -m 0644 ${S}/tegra18* ${D}${datadir}/tegraflash/
}
