# SPDX-License-Identifier: MIT OR Apache-2.0
# Stand-in for OE-Core's: its tasks in its order, and which machines a recipe is for.
BB_DEFAULT_TASK ?= "build"
DEPENDS ?= ""
EXTRA_OEMAKE ?= ""

addtask fetch
addtask unpack after do_fetch
addtask patch after do_unpack
addtask configure after do_patch
addtask compile after do_configure
addtask install after do_compile
addtask populate_sysroot after do_install
addtask package after do_install
addtask package_write_ipk after do_package
addtask build after do_populate_sysroot do_package_write_ipk

base_do_fetch() {
    :
}
base_do_unpack() {
    :
}
base_do_patch() {
    :
}
base_do_configure() {
    :
}
base_do_compile() {
    :
}
base_do_install() {
    :
}
base_do_populate_sysroot() {
    :
}
base_do_package() {
    :
}
base_do_package_write_ipk() {
    :
}
base_do_build() {
    :
}

EXPORT_FUNCTIONS do_fetch do_unpack do_patch do_configure do_compile do_install do_populate_sysroot do_package do_package_write_ipk do_build

python () {
    import re
    needed = d.getVar('COMPATIBLE_MACHINE')
    if needed and not any(re.match(needed, name) for name in d.getVar('MACHINEOVERRIDES').split(':')):
        raise bb.parse.SkipRecipe('incompatible with machine ' + d.getVar('MACHINE'))
}
