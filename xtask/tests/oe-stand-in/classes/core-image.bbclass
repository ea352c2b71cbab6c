# SPDX-License-Identifier: MIT OR Apache-2.0
# Stand-in for OE-Core's.
IMAGE_FEATURES ?= ""
IMAGE_INSTALL ?= "packagegroup-core-boot"
IMAGE_FSTYPES ?= "tar.gz"
IMGDEPLOYDIR = "${WORKDIR}/deploy-${PN}-image-complete"

do_rootfs() {
    :
}
do_image() {
    :
}
do_image_complete() {
    :
}
addtask rootfs before do_image
addtask image after do_rootfs before do_image_complete
addtask image_complete after do_image before do_build
