# SPDX-License-Identifier: MIT OR Apache-2.0
# The core library for trusted apps. (EXTRA_RUST_TARGETS would want the checksum in meta-rust-bin's own table.) A cross compiler
# is shared by machines, so it has none's override.

# nooelint: oelint.vars.noncoreoverride
SRC_URI += "https://static.rust-lang.org/dist/rust-std-${PV}-armv7a-none-eabi.tar.gz;name=ta;subdir=rust-std"
SRC_URI[ta.sha256sum] = "f3ffc578bf749b4f7c83efe77eacd63dc885c450eb43045a246d91e9ae6efa0d"

# What comes of a machine's overrides, instead of these (see carveout_config).
RUST_TARGET_TARGET[vardepvalue] = "${RUST_TARGET_TARGET}"
