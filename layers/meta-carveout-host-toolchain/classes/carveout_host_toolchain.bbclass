# SPDX-License-Identifier: MIT OR Apache-2.0
# Stops at parse time if it is not told where the host has what no task may fetch.
#
# CARVEOUT_HOST_BSP      Linux_for_Tegra, unpacked, or NVIDIA's tarball of it
# CARVEOUT_HOST_SOURCES  folder with trusty/ and atf/ of NVIDIA's public sources, or their tarballs
# CARVEOUT_HOST_RUST     a Rust compiler's folder: bin/rustc, lib/rustlib with the client apps' target
# CARVEOUT_HOST_CARGO    cargo; that of the same folder if not set
# CARVEOUT_HOST_CRATES   folder with the crates that Cargo.lock names, *.crate

CARVEOUT_HOST_CARGO ?= "${CARVEOUT_HOST_RUST}/bin/cargo"

addhandler carveout_host_check
carveout_host_check[eventmask] = "bb.event.ConfigParsed"
python carveout_host_check() {
    wanted = {
        'CARVEOUT_HOST_BSP': 'the path of Linux_for_Tegra, or of the tarball Jetson_Linux_R32.…_aarch64.tbz2',
        'CARVEOUT_HOST_SOURCES': "a folder with trusty and atf, or trusty_src.tbz2 and atf_src.tbz2, of NVIDIA's public sources",
        'CARVEOUT_HOST_RUST': 'the folder of a Rust compiler, as `rustc --print sysroot` gives it',
        'CARVEOUT_HOST_CARGO': 'the path of cargo',
        'CARVEOUT_HOST_CRATES': 'a folder with *.crate files, as `cargo fetch` leaves them in registry/cache of its home',
    }
    problems = []
    for name, what in wanted.items():
        value = d.getVar(name) or ''
        if not value or '${' in value:
            problems.append('%s is not set: it is %s. Set it in local.conf.' % (name, what))
        elif not os.path.exists(value):
            problems.append('%s = "%s": there is no such file or folder; it is %s' % (name, value, what))
    if problems:
        bb.fatal('meta-carveout-host-toolchain:\n' + '\n'.join(problems))
}
