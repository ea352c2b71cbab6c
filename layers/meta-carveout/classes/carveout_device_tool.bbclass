# SPDX-License-Identifier: MIT OR Apache-2.0
# carveout-update or carveout-stored for a device, with the unit and the settings that its Debian package has.

inherit carveout_client_app systemd

SYSTEMD_SERVICE:${PN} = "${BPN}.service"
CARVEOUT_OF_PACKAGE = "${S}/crates/${BPN}/debian"

do_install() {
    install -D -m 0755 ${CARGO_BINDIR}/${BPN} ${D}${sbindir}/${BPN}
    install -D -m 0644 ${CARVEOUT_OF_PACKAGE}/${BPN}.service ${D}${systemd_system_unitdir}/${BPN}.service
    if [ "${BPN}" = carveout-update ]; then
        install -D -m 0644 ${CARVEOUT_OF_PACKAGE}/nv_update_verifier.conf \
            ${D}${systemd_system_unitdir}/nv_update_verifier.service.d/carveout-update.conf
        install -D -m 0644 ${CARVEOUT_OF_PACKAGE}/update.yaml ${D}${sysconfdir}/carveout/update.yaml
    fi
}

FILES:${PN} += "${systemd_system_unitdir}/nv_update_verifier.service.d"
CONFFILES:${PN} = "${sysconfdir}/carveout/update.yaml"
