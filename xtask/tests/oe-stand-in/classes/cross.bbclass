# SPDX-License-Identifier: MIT OR Apache-2.0
# Stand-in for OE-Core's.
CLASSOVERRIDE = "class-cross"
PACKAGE_ARCH = "x86_64"
