# SPDX-License-Identifier: MIT OR Apache-2.0
# Stand-in for meta-rust-bin's: what tells the target looks at a machine's overrides.
def rust_target(d, spec_type):
    tune = d.getVar('MACHINEOVERRIDES').split(':')
    return '%s-unknown-linux-gnu' % ('armv7' if 'armv7a' in tune else 'aarch64')
