# SPDX-License-Identifier: MIT OR Apache-2.0
# A Rust client app (CA) for Linux.

inherit carveout_rust

COMPATIBLE_MACHINE = "(tegra186|tegra194)"

do_install() {
    install -D -m 0755 ${CARGO_BINDIR}/${BPN} ${D}${bindir}/${BPN}
}
