# SPDX-License-Identifier: MIT OR Apache-2.0
# Our trusted apps, before NVIDIA's own in the kernel.

DEPENDS:append:tegra194 = " ${CARVEOUT_TRUSTED_APPS}"

CARVEOUT_ELVES:tegra194 = "${@' '.join('%s/trusted-os/ta/%s.elf' % (d.getVar('STAGING_DATADIR'), name) for name in d.getVar('CARVEOUT_TRUSTED_APPS').split())}"
EXTRA_OEMAKE:append:tegra194 = " 'TRUSTY_PREBUILT_USER_TASKS=${CARVEOUT_ELVES}'"

# make does not see that the list has changed.
do_compile:prepend:tegra194() {
    for elf in ${CARVEOUT_ELVES}; do
        test -f "$elf" || bbfatal "$elf is missing: its recipe must inherit carveout_trusted_app"
    done
    find ${B} -name 'user_tasks.*' -delete
}
