# SPDX-License-Identifier: MIT OR Apache-2.0
"""What meta-carveout's classes and recipes do in Python. No BitBake in here: cargo xtask test runs it on any machine."""
