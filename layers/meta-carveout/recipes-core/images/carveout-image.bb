# SPDX-License-Identifier: MIT OR Apache-2.0
SUMMARY = "Image and flash package of a carveout product"
DESCRIPTION = "A small image with the product's client apps, and NVIDIA's flash package with its trusted apps and carve-out."
SECTION = "images"
LICENSE = "MIT"

inherit core-image

COMPATIBLE_MACHINE = "(tegra186|tegra194)"

IMAGE_FEATURES += "ssh-server-dropbear"
IMAGE_INSTALL:append = " ${CARVEOUT_CLIENT_APPS}"
IMAGE_FSTYPES += "tegraflash"
