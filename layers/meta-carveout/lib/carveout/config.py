# SPDX-License-Identifier: MIT OR Apache-2.0
"""The CARVEOUT_* variables of a product."""

import os
import re

MIB = 1 << 20
# As crates/trusty-image/src/limits.rs has them, which a test compares.
TZDRAM_MIN = 1 * MIB
TZDRAM_MAX = 106 * MIB
ALIGNMENT_MAX = 128 * MIB
APP_STACK_TOP = 16 * MIB
# As crates/bundle/src/manifest.rs has them, which the same test compares: what names and versions may hold besides letters and digits.
NAME = "-_."
VERSION = "-_.+~"
SECURITY_VERSION_MAX = (1 << 32) - 1
# Flags that say something else, to BitBake or to readers.
OTHER_FLAGS = ("doc", "export", "type", "unexport", "vardeps", "vardepsexclude", "vardepvalue", "vardepvalueexclude")

UNITS = {"KiB": 1 << 10, "MiB": MIB, "GiB": 1 << 30}


def size(text):
    """Bytes of 32MiB, 512KiB or 0x2000000; None for anything else."""
    match = re.fullmatch(r"(0|[1-9][0-9]*)(KiB|MiB|GiB)", text)
    if match:
        return int(match[1]) * UNITS[match[2]]
    if re.fullmatch(r"0x[0-9a-fA-F]+", text):
        return int(text, 16)
    return None


def problems(value_of, flags_of, workspace):
    """What is wrong with the variables, a line each. `value_of` gives a variable's value or None, `flags_of` a dict of its flags."""
    return carve_out(value_of) + apps(value_of, workspace) + sizes(value_of, flags_of) + product(value_of) + source(value_of)


def carve_out(value_of):
    """What is wrong with its size and alignment."""
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
    return found


def apps(value_of, workspace):
    """What is wrong with the lists of apps."""
    found = []
    names = (name[: name.index("_")] for name in recipes(workspace))
    # What runs on the build host is no app.
    known = {name for name in names if not name.endswith("-native")}
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


def sizes(value_of, flags_of):
    """What is wrong with heaps and stacks, which are flags named as the TAs."""
    found, names = [], (value_of("CARVEOUT_TRUSTED_APPS") or "").split()
    for variable in ("CARVEOUT_MIN_HEAP", "CARVEOUT_MIN_STACK"):
        for name, text in sorted(flags_of(variable).items()):
            if name in OTHER_FLAGS or not text:
                continue
            wrong = '%s[%s] = "%s": ' % (variable, name, text)
            if name not in names:
                found.append(
                    wrong + "CARVEOUT_TRUSTED_APPS has no %s; it has %s. Add it there, or remove this"
                    % (name, ", ".join(names) or "none")
                )
            elif not 0 < (size(text) or 0) < APP_STACK_TOP:
                found.append(
                    wrong + "allowed are 1 byte to less than 16MiB, written 128KiB or 0x20000; without it, a TA has what its "
                    "Cargo.toml declares"
                )
    return found


def product(value_of):
    """What is wrong with what a bundle is called, and with what else goes into it."""
    found = []
    for variable, more in (("CARVEOUT_PRODUCT_NAME", NAME), ("CARVEOUT_PRODUCT_VERSION", VERSION)):
        text = value_of(variable)
        if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9%s]{0,63}" % re.escape(more), text or ""):
            found.append(
                '%s = "%s": allowed are letters, digits and %s, 64 characters at most, the first a letter or a digit: the bundle '
                "is called so" % (variable, text, more)
            )
    text = value_of("CARVEOUT_SECURITY_VERSION")
    if not re.fullmatch("0|[1-9][0-9]*", text or "") or int(text) > SECURITY_VERSION_MAX:
        found.append('CARVEOUT_SECURITY_VERSION = "%s": allowed are whole numbers from 0 to %d' % (text, SECURITY_VERSION_MAX))
    text = value_of("CARVEOUT_IMAGE") or ""
    if text and not re.fullmatch("[a-z0-9][a-z0-9+.-]{0,63}", text):
        found.append(
            'CARVEOUT_IMAGE = "%s": allowed is the name of one recipe (a-z, 0-9, - + and .), such as carveout-image; if empty, the '
            "bundle has no root filesystem" % text
        )
    text = value_of("CARVEOUT_CONFIG_DIGEST") or ""
    if text and not re.fullmatch("[0-9a-fA-F]{64}", text):
        found.append(
            'CARVEOUT_CONFIG_DIGEST = "%s": allowed is a SHA-256, 64 hexadecimal digits; if empty, it is that of the variables' % text
        )
    return found


def source(value_of):
    """What is wrong with where a workspace is fetched from."""
    uri, rev = value_of("CARVEOUT_WORKSPACE_URI") or "", value_of("CARVEOUT_WORKSPACE_REV") or ""
    found = []
    if uri and (not uri.startswith("git://") or len(uri.split()) > 1 or re.search(";(rev|name|destsuffix|subdir|subpath)=", uri)):
        found.append(
            'CARVEOUT_WORKSPACE_URI = "%s": allowed is one git:// entry of SRC_URI without rev, name and destsuffix, such as '
            "git://git.example/team/door-lock.git;protocol=https;branch=main" % uri
        )
    if bool(uri) != bool(rev) or rev and not re.fullmatch("[0-9a-f]{40}", rev):
        found.append(
            'CARVEOUT_WORKSPACE_REV = "%s": allowed is the commit of CARVEOUT_WORKSPACE_URI, 40 hexadecimal digits; without that, '
            "nothing" % rev
        )
    return found


def recipes(workspace):
    """File names of the generated recipes."""
    folder = os.path.join(workspace, "recipes")
    names = os.listdir(folder) if os.path.isdir(folder) else []
    return [name for name in names if name.endswith(".bb") and "_" in name]
