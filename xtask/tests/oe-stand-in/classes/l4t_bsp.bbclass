# SPDX-License-Identifier: MIT OR Apache-2.0
# Of meta-tegra: the release.
L4T_VERSION ?= "32.7.6"
