# SPDX-License-Identifier: MIT OR Apache-2.0
# Our trusted apps, before NVIDIA's own in the kernel, and the kernel's symbols.

DEPENDS:append:tegra194 = " ${CARVEOUT_TRUSTED_APPS}"
DEPENDS:append:tegra186 = " ${CARVEOUT_TRUSTED_APPS}"

CARVEOUT_ELVES:tegra194 = "${@' '.join('%s/trusted-os/ta/%s.elf' % (d.getVar('STAGING_DATADIR'), name) for name in d.getVar('CARVEOUT_TRUSTED_APPS').split())}"
CARVEOUT_ELVES:tegra186 = "${@' '.join('%s/trusted-os/ta/%s.elf' % (d.getVar('STAGING_DATADIR'), name) for name in d.getVar('CARVEOUT_TRUSTED_APPS').split())}"
EXTRA_OEMAKE:append:tegra194 = " 'TRUSTY_PREBUILT_USER_TASKS=${CARVEOUT_ELVES}'"
EXTRA_OEMAKE:append:tegra186 = " 'TRUSTY_PREBUILT_USER_TASKS=${CARVEOUT_ELVES}'"

# make does not see that the list has changed.
do_compile:prepend:tegra194() {
    for elf in ${CARVEOUT_ELVES}; do
        test -f "$elf" || bbfatal "$elf is missing: its recipe must inherit carveout_trusted_app"
    done
    find ${B} -name 'user_tasks.*' -delete
}
do_compile:prepend:tegra186() {
    for elf in ${CARVEOUT_ELVES}; do
        test -f "$elf" || bbfatal "$elf is missing: its recipe must inherit carveout_trusted_app"
    done
    find ${B} -name 'user_tasks.*' -delete
}

# Names of addresses, for whoever reads a fault. Debug information has paths of the build host in it.
do_install:append:tegra194() {
    ${OBJCOPY} --strip-debug ${B}/build-t186/lk.elf ${D}${datadir}/trusted-os/lk.elf
    chmod 0644 ${D}${datadir}/trusted-os/lk.elf
}
do_install:append:tegra186() {
    ${OBJCOPY} --strip-debug ${B}/build-t186/lk.elf ${D}${datadir}/trusted-os/lk.elf
    chmod 0644 ${D}${datadir}/trusted-os/lk.elf
}
