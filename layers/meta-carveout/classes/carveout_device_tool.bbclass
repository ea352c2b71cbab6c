# SPDX-License-Identifier: MIT OR Apache-2.0
# carveout-update for a device, with the units and the settings that its Debian package has.

inherit carveout_client_app systemd

SYSTEMD_SERVICE:${PN} = "carveout-update.service"
CARVEOUT_OF_PACKAGE = "${S}/crates/carveout-update/debian"

do_install() {
    install -D -m 0755 ${CARGO_BINDIR}/${BPN} ${D}${sbindir}/${BPN}
    install -D -m 0644 ${CARVEOUT_OF_PACKAGE}/carveout-update.service ${D}${systemd_system_unitdir}/carveout-update.service
    install -D -m 0644 ${CARVEOUT_OF_PACKAGE}/nv_update_verifier.conf \
        ${D}${systemd_system_unitdir}/nv_update_verifier.service.d/carveout-update.conf
    install -D -m 0644 ${CARVEOUT_OF_PACKAGE}/update.yaml ${D}${sysconfdir}/carveout/update.yaml
}

FILES:${PN} += "${systemd_system_unitdir}/nv_update_verifier.service.d"
CONFFILES:${PN} = "${sysconfdir}/carveout/update.yaml"
