# SPDX-License-Identifier: MIT OR Apache-2.0
# Stand-in for OE-Core's.
deltask do_package
deltask do_package_write_ipk
