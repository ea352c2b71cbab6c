# SPDX-License-Identifier: MIT OR Apache-2.0
# Stand-in for OE-Core's.
