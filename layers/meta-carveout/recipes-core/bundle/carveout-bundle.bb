# nooelint: oelint.file.underscores oelint.var.mandatoryvar.SRC_URI
# SPDX-License-Identifier: MIT OR Apache-2.0
# Its version is the product's, and its sources are what other recipes have built.

SUMMARY = "Bundle of a carveout product"
DESCRIPTION = "Trusted apps, secure-os, boot config and client apps of a product, with root filesystem and flash package if an image is named: a folder and an archive with a manifest and checksums, which cargo xtask verify accepts"
HOMEPAGE = "https://github.com/carveout/carveout"
SECTION = "bootloaders"
LICENSE = "MIT"
# Of the recipe: it has no source that brings a licence.
# nooelint: oelint.var.licenseremotefile
LIC_FILES_CHKSUM = "file://${COMMON_LICENSE_DIR}/MIT;md5=0835ade698e0bcf8506ecda2f7b4f302"

inherit carveout_bundle
