# SPDX-License-Identifier: MIT OR Apache-2.0
CARVEOUT_HOST_SOURCE = "${CARVEOUT_HOST_BSP}"
require recipes-bsp/carveout-host-source.inc
