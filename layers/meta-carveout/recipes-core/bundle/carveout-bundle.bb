# SPDX-License-Identifier: MIT OR Apache-2.0
SUMMARY = "Bundle of a carveout product"
DESCRIPTION = "Trusted apps, secure-os, boot config and client apps of a product, with root filesystem and flash package if an \
image is named: a folder and an archive with a manifest and checksums, which cargo xtask verify accepts"
HOMEPAGE = "https://github.com/carveout/carveout"
SECTION = "bootloaders"
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

inherit carveout_bundle
