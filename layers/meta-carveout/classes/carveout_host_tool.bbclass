# SPDX-License-Identifier: MIT OR Apache-2.0
# carveout on the build host: recipes check trusted apps and write bundles by the code of carveout's other engine.

# It is the last: the linter sees what carveout_rust inherits behind it.
# nooelint: oelint.var.inheritlast.native
inherit carveout_rust native

# It is carveout's, whoever's apps are built.
CARVEOUT_WORKSPACE = "${CARVEOUT_REPOSITORY}"
CARVEOUT_WORKSPACE_URI = ""
CARGO_BUILD_PROFILE = "dev"
# What runs on the build host has cargo's own names.
RUSTC_WRAPPER = ""

do_install() {
    install -D -m 0755 ${CARGO_BINDIR}/${BPN} ${D}${bindir}/${BPN}
}
