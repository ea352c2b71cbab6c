# SPDX-License-Identifier: MIT OR Apache-2.0
SUMMARY = "The host's aarch64 compiler under OE-Core's names"
DESCRIPTION = "Scripts that call the cross compiler and binutils of the host, for checks"
SECTION = "devel"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

inherit cross

PN = "carveout-host-gcc-cross-${TARGET_ARCH}"
BPN = "carveout-host-gcc-cross"
PV = "1.0"

PROVIDES = "\
    ${PN} \
    virtual/${TARGET_PREFIX}binutils \
    virtual/${TARGET_PREFIX}gcc \
    virtual/${TARGET_PREFIX}g++ \
"
INHIBIT_DEFAULT_DEPS = "1"
COMPATIBLE_HOST = "x86_64.*-linux"

S = "${WORKDIR}"
do_configure[noexec] = "1"
do_compile[noexec] = "1"

# The host's compiler finds its own C library, which is not in a recipe's sysroot.
do_install() {
    install -d ${D}${bindir}
    for tool in ${CARVEOUT_HOST_GCC_TOOLS}; do
        script=${D}${bindir}/${TARGET_PREFIX}$tool
        cat > $script <<-'EOF'
	#!/bin/sh
	for word do
	    shift
	    case "$word" in
	        --sysroot=*) ;;
	        *) set -- "$@" "$word" ;;
	    esac
	done
	EOF
        # Newer than OE-Core's, it warns of what the monitor's linker script does, which the monitor takes for an error.
        case $tool in
            ld*) quiet="--no-warn-rwx-segments " ;;
            *) quiet="" ;;
        esac
        echo "exec aarch64-linux-gnu-$tool $quiet\"\$@\"" >> $script
        chmod 0755 $script
    done
}
