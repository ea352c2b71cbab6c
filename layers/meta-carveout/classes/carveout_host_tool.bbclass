# SPDX-License-Identifier: MIT OR Apache-2.0
# carveout on the build host: recipes check trusted apps and write bundles by the code of carveout's other engine.

# It is the last: the linter sees what carveout_rust inherits behind it.
# nooelint: oelint.var.inheritlast.native
inherit carveout_rust native

CARGO_BUILD_PROFILE = "dev"

do_install() {
    install -D -m 0755 ${CARGO_BINDIR}/${BPN} ${D}${bindir}/${BPN}
}
