# SPDX-License-Identifier: MIT OR Apache-2.0
SUMMARY = "The host's pseudo where BitBake looks for OE-Core's"
DESCRIPTION = "Links to the pseudo of the host, for checks"
SECTION = "devel"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

inherit native

PV = "1.0"
PROVIDES += "virtual/fakeroot-native"
INHIBIT_DEFAULT_DEPS = "1"

S = "${WORKDIR}"
do_configure[noexec] = "1"
do_compile[noexec] = "1"

do_install() {
    library=$(find /usr/lib -path '*/pseudo/*' -name libpseudo.so | head -n 1)
    test -n "$library" || bbfatal "the host has no pseudo: install Debian's package pseudo"
    install -d ${D}${bindir} ${D}${prefix}/lib/pseudo/lib
    for tool in pseudo pseudodb pseudolog; do
        ln -s /usr/bin/$tool ${D}${bindir}/$tool
    done
    ln -s "$library" ${D}${prefix}/lib/pseudo/lib/libpseudo.so
}
