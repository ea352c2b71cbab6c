# SPDX-License-Identifier: MIT OR Apache-2.0
# Writes a product's bundle of what other recipes have deployed.
#
# CARVEOUT_PRODUCT_NAME, CARVEOUT_PRODUCT_VERSION  what the bundle is called
# CARVEOUT_SECURITY_VERSION  devices refuse a smaller one than they have had
# CARVEOUT_IMAGE          the image whose root filesystem and flash package go into it; empty: a bundle of the other parts
# CARVEOUT_BOARD          what carveout's other engine calls the board; empty: MACHINE, or jetson-agx-xavier
# CARVEOUT_CONFIG_DIGEST  SHA-256 of the product config that the variables come from; else it is one of the variables

inherit deploy nopackages carveout_config l4t_bsp

# e2fsprogs tells which blocks of the root filesystem are free, which are not sent to a board.
DEPENDS += "\
    carveout-native tegra-bootfiles tegra-flashvars trusty-l4t ${CARVEOUT_TRUSTED_APPS} \
    ${@'e2fsprogs-native' if d.getVar('CARVEOUT_IMAGE') else ''} \
"

S = "${WORKDIR}/bundle"

COMPATIBLE_MACHINE = "(tegra186|tegra194)"
PACKAGE_ARCH = "${MACHINE_ARCH}"
INHIBIT_DEFAULT_DEPS = "1"

do_configure[noexec] = "1"
do_install[noexec] = "1"

python do_compile() {
    import json
    import subprocess
    module = carveout_module(d, 'bundle')
    parts = os.path.join(d.getVar('B'), 'parts.json')
    with open(parts, 'w') as file:
        json.dump(module.parts(d.getVar), file, indent=2, sort_keys=True)
    out = os.path.join(d.getVar('B'), 'out')
    command = ['carveout', 'assemble', 'bundle', parts, '--output-dir', out]
    env = dict(os.environ, PATH=d.getVar('PATH'))
    made = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, universal_newlines=True)
    if made.returncode:
        bb.fatal(made.stdout)
    bb.note(made.stdout)
}
def carveout_payload_of(d):
    """The task that deploys meta-tegra's update payload, if it goes into the bundle."""
    name = carveout_module(d, 'bundle').initramfs(d.getVar) if d.getVar('CARVEOUT_IMAGE') else None
    return '%s:do_image_complete' % name if name else ''
do_compile[cleandirs] = "${B}/out"
do_compile[depends] += "\
    virtual/secure-os:do_deploy \
    ${@' '.join('%s:do_package_write_%s' % (name, d.getVar('IMAGE_PKGTYPE')) for name in d.getVar('CARVEOUT_CLIENT_APPS').split())} \
    ${@'%s:do_image_complete' % d.getVar('CARVEOUT_IMAGE') if d.getVar('CARVEOUT_IMAGE') else ''} \
    ${@carveout_payload_of(d)} \
"
do_compile[vardeps] += "\
    CARVEOUT_PRODUCT_NAME CARVEOUT_PRODUCT_VERSION CARVEOUT_IMAGE CARVEOUT_CONFIG_DIGEST CARVEOUT_TZDRAM_SIZE CARVEOUT_SECURITY_VERSION \
    CARVEOUT_BOARD CARVEOUT_TZDRAM_ALIGNMENT CARVEOUT_TRUSTED_APPS CARVEOUT_CLIENT_APPS L4T_VERSION ROOTFSPART_SIZE \
    INITRAMFS_IMAGE INITRAMFS_IMAGE_BUNDLE \
"
do_compile[file-checksums] = "${CARVEOUT_LAYERDIR}/lib/carveout/bundle.py:True"

do_deploy() {
    install -d ${DEPLOYDIR}/carveout
    cp -R ${B}/out/* ${DEPLOYDIR}/carveout/
}
addtask deploy after do_compile before do_build
