# SPDX-License-Identifier: MIT OR Apache-2.0
CARVEOUT_HOST_SOURCE = "${CARVEOUT_HOST_SOURCES}/atf ${CARVEOUT_HOST_SOURCES}/atf_src.tbz2"
require recipes-bsp/carveout-host-source.inc
