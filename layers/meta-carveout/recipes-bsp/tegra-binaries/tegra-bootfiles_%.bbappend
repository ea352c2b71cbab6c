# SPDX-License-Identifier: MIT OR Apache-2.0
# The TZDRAM carve-out, in the misc boot configs that both the flash package and the update payload take from here. ${S} is
# shared between recipes, so only what is installed is changed.

do_install:append:tegra194() {
    carveout assemble boot-config --size ${CARVEOUT_TZDRAM_SIZE} --alignment ${CARVEOUT_TZDRAM_ALIGNMENT} \
        ${D}${datadir}/tegraflash/tegra194-mb1-bct-misc-*.cfg
}
do_install:append:tegra186() {
    carveout assemble boot-config --size ${CARVEOUT_TZDRAM_SIZE} --alignment ${CARVEOUT_TZDRAM_ALIGNMENT} \
        ${D}${datadir}/tegraflash/tegra186-mb1-bct-misc-*.cfg
}

# nooelint: oelint.vars.noncoreoverride
CARVEOUT_BOOT_CONFIG_TOOL = ""
CARVEOUT_BOOT_CONFIG_TOOL:tegra194 = "carveout-native:do_populate_sysroot"
CARVEOUT_BOOT_CONFIG_TOOL:tegra186 = "carveout-native:do_populate_sysroot"
do_install[depends] += "${CARVEOUT_BOOT_CONFIG_TOOL}"
