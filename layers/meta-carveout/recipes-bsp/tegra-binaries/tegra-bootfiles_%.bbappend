# SPDX-License-Identifier: MIT OR Apache-2.0
# The TZDRAM carve-out, in the misc boot configs that both the flash package and the update payload take from here. ${S} is
# shared between recipes, so only what is installed is changed.

CARVEOUT_TZDRAM_SIZE_BYTES:tegra194 = "${@carveout_module(d, 'config').size(d.getVar('CARVEOUT_TZDRAM_SIZE'))}"
CARVEOUT_TZDRAM_ALIGNMENT_BYTES:tegra194 = "${@carveout_module(d, 'config').size(d.getVar('CARVEOUT_TZDRAM_ALIGNMENT'))}"

# A value in each file that has the key; other keys begin alike (carveout.tzdram.ecc_protected). With an override BitBake would not
# see that do_install calls it; by itself it changes no other machine's build.
# nooelint: oelint.vars.noncoreoverride
carveout_set() {
    key="$1"
    value="$2"
    found=0
    for file in ${D}${datadir}/tegraflash/tegra194-mb1-bct-misc-*.cfg; do
        count=$(grep -c "^carveout\.tzdram\.$key[[:blank:]]*=" "$file" || true)
        case "$count" in
            0) continue ;;
            1) found=$(expr $found + 1) ;;
            *) bbfatal "$file: carveout.tzdram.$key stands there $count times; once is allowed" ;;
        esac
        sed -i "s/^\(carveout\.tzdram\.$key[[:blank:]]*=[[:blank:]]*\)[^;[:blank:]]*/\1$value/" "$file"
        grep -q "^carveout\.tzdram\.$key[[:blank:]]*=[[:blank:]]*$value;" "$file" ||
            bbfatal "$file: carveout.tzdram.$key could not be set to $value"
    done
    test $found -gt 0 || bbfatal "no misc boot config has carveout.tzdram.$key: is this NVIDIA's BSP for Tegra194?"
}

do_install:append:tegra194() {
    carveout_set size "$(printf '0x%08x' ${CARVEOUT_TZDRAM_SIZE_BYTES})"
    carveout_set alignment "$(printf '0x%08x' ${CARVEOUT_TZDRAM_ALIGNMENT_BYTES})"
}
