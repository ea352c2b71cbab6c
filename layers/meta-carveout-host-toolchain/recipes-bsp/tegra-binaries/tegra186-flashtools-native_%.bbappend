# SPDX-License-Identifier: MIT OR Apache-2.0
CARVEOUT_HOST_SOURCE = "${CARVEOUT_HOST_BSP}"
require recipes-bsp/carveout-host-source.inc

# Older R32.7 BSPs do not have the lines that it changes, in a script that signs, which no check needs.
SRC_URI:remove = "file://0014-odmsign.func-Fix-cp-error-on-missing-recovery-kernel.patch"
