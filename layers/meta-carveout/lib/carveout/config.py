# SPDX-License-Identifier: MIT OR Apache-2.0
"""The CARVEOUT_* variables of a product."""

import os
import re

MIB = 1 << 20
# As crates/trusty-image/src/limits.rs has them, which a test compares.
TZDRAM_MIN = 1 * MIB
TZDRAM_MAX = 106 * MIB
ALIGNMENT_MAX = 128 * MIB

UNITS = {"KiB": 1 << 10, "MiB": MIB, "GiB": 1 << 30}


def size(text):
    """Bytes of 32MiB, 512KiB or 0x2000000; None for anything else."""
    match = re.fullmatch(r"(0|[1-9][0-9]*)(KiB|MiB|GiB)", text)
    if match:
        return int(match[1]) * UNITS[match[2]]
    if re.fullmatch(r"0x[0-9a-fA-F]+", text):
        return int(text, 16)
    return None


def problems(value_of, workspace):
    """What is wrong with the variables, a line each. `value_of` gives a variable's value or None."""
    found = []
    alignment = size(value_of("CARVEOUT_TZDRAM_ALIGNMENT") or "")
    if alignment is None or alignment & (alignment - 1) or not MIB <= alignment <= ALIGNMENT_MAX:
        found.append(
            'CARVEOUT_TZDRAM_ALIGNMENT = "%s": allowed are powers of two from 1MiB to 128MiB, written 1MiB or 0x100000'
            % value_of("CARVEOUT_TZDRAM_ALIGNMENT")
        )
        alignment = None
    text = value_of("CARVEOUT_TZDRAM_SIZE")
    tzdram = size(text or "")
    if tzdram is None or not TZDRAM_MIN <= tzdram <= TZDRAM_MAX:
        found.append(
            'CARVEOUT_TZDRAM_SIZE = "%s": allowed are 1MiB to 106MiB, written 32MiB or 0x2000000; the kernel maps the '
            "carve-out into 106 MiB of address space" % text
        )
    elif alignment and tzdram % alignment:
        found.append('CARVEOUT_TZDRAM_SIZE = "%s": is no multiple of CARVEOUT_TZDRAM_ALIGNMENT' % text)
    known = {name[: name.index("_")] for name in recipes(workspace)}
    for variable in ("CARVEOUT_TRUSTED_APPS", "CARVEOUT_CLIENT_APPS"):
        names = (value_of(variable) or "").split()
        for name in names:
            if name not in known:
                found.append(
                    '%s: no recipe %s; there are %s. A new package of the workspace gets one by: cargo xtask recipes'
                    % (variable, name, ", ".join(sorted(known)))
                )
        for name in sorted({name for name in names if names.count(name) > 1}):
            found.append("%s: %s is named twice" % (variable, name))
    return found


def recipes(workspace):
    """File names of the generated recipes."""
    folder = os.path.join(workspace, "recipes")
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return [name for name in names if name.endswith(".bb") and "_" in name]
