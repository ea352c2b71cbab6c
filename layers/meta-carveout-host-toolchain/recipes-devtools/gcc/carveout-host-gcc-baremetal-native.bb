# SPDX-License-Identifier: MIT OR Apache-2.0
SUMMARY = "The host's bare-metal arm compiler where trusty-l4t looks for Linaro's"
DESCRIPTION = "Scripts that call the bare-metal arm compiler and binutils of the host, for checks"
SECTION = "devel"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

inherit native

PV = "1.0"
PROVIDES += "gcc-linaro-baremetal-arm-native"
INHIBIT_DEFAULT_DEPS = "1"

S = "${WORKDIR}"
do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    folder=${D}${datadir}/gcc-linaro-baremetal-arm/bin
    install -d $folder
    for tool in ${CARVEOUT_HOST_BAREMETAL_TOOLS}; do
        printf '#!/bin/sh\nexec arm-none-eabi-%s "$@"\n' $tool > $folder/arm-eabi-$tool
        chmod 0755 $folder/arm-eabi-$tool
    done
}
