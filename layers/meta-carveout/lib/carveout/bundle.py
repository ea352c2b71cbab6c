# SPDX-License-Identifier: MIT OR Apache-2.0
"""What goes into a product's bundle: the parts file of `carveout assemble bundle`."""

import glob
import hashlib
import os
import subprocess

from . import config

# The names that carveout's other engine has for boards whose MACHINE is called otherwise.
BOARDS = {
    "jetson-agx-xavier-devkit": "jetson-agx-xavier",
    "jetson-tx2-devkit": "jetson-tx2",
    "jetson-tx2-devkit-tx2i": "jetson-tx2i",
    "jetson-tx2-devkit-4gb": "jetson-tx2-4gb",
    "jetson-xavier-nx-devkit-tx2-nx": "jetson-tx2-nx",
}
# The misc boot config of flashing, as meta-tegra's flash helper for t194 names it, and the variable of its flashvars that names that of the
# cold boot. On t186 one serves both.
FLASH = "tegra194-mb1-bct-misc-flash.cfg"
COLD_BOOT = "MISC_COLD_BOOT_CONFIG="
BOTH = "MISC_CONFIG="
# How package types name files: name, version and revision of the recipe, architecture.
PACKAGES = {"deb": "%s_%s-r*_*.deb", "ipk": "%s_%s-r*_*.ipk", "rpm": "%s-%s-r*.*.rpm"}
# What a bundle's digest of its config covers, if it is not given.
VARIABLES = (
    "CARVEOUT_PRODUCT_NAME",
    "CARVEOUT_PRODUCT_VERSION",
    "CARVEOUT_SECURITY_VERSION",
    "CARVEOUT_TZDRAM_SIZE",
    "CARVEOUT_TZDRAM_ALIGNMENT",
    "CARVEOUT_TRUSTED_APPS",
    "CARVEOUT_CLIENT_APPS",
    "CARVEOUT_IMAGE",
    "MACHINE",
)


def parts(value_of):
    """The parts, as `value_of` gives the values of variables."""
    trusted_os = value_of("STAGING_DATADIR") + "/trusted-os"
    tegraflash = value_of("STAGING_DATADIR") + "/tegraflash"
    deployed, machine = value_of("DEPLOY_DIR_IMAGE"), value_of("MACHINE")
    names = (value_of("CARVEOUT_TRUSTED_APPS") or "").split()
    image = value_of("CARVEOUT_IMAGE") or None
    symbols = trusted_os + "/lk.elf"
    return {
        "name": value_of("CARVEOUT_PRODUCT_NAME"),
        "version": value_of("CARVEOUT_PRODUCT_VERSION"),
        "security_version": int(value_of("CARVEOUT_SECURITY_VERSION")),
        "board": value_of("CARVEOUT_BOARD") or BOARDS.get(machine, machine),
        "tzdram": {
            "size": value_of("CARVEOUT_TZDRAM_SIZE"),
            "alignment": value_of("CARVEOUT_TZDRAM_ALIGNMENT"),
        },
        "trusted_apps": [
            {"name": name, "elf": "%s/ta/%s.elf" % (trusted_os, name), "declared": "%s/ta/%s.toml" % (trusted_os, name)}
            for name in names
        ],
        "secure_os": os.path.realpath("%s/tos-%s.img" % (deployed, machine)),
        "kernel_symbols": symbols if os.path.exists(symbols) else None,
        "boot_config": ["%s/%s" % (tegraflash, name) for name in boot_configs(tegraflash)],
        "layout": "%s/%s" % (tegraflash, value_of("PARTITION_LAYOUT_TEMPLATE")),
        "client_apps": client_apps(value_of),
        "app_size": int(value_of("ROOTFSPART_SIZE")),
        "image": image and image_of(deployed, image, machine, initramfs(value_of)),
        "inputs": inputs(value_of, ["%s/ta/%s.rustc" % (trusted_os, name) for name in names]),
    }


def boot_configs(tegraflash):
    """The misc boot configs, that of the cold boot first: a board with an SD card has one of its own, and TX2 has no other."""
    path = tegraflash + "/flashvars"
    with open(path) as file:
        lines = file.readlines()
    for variable, more in ((COLD_BOOT, [FLASH]), (BOTH, [])):
        names = [line[len(variable):].strip().strip('"') for line in lines if line.startswith(variable)]
        if names:
            return [names[-1]] + more
    raise ValueError("%s: %s is missing" % (path, COLD_BOOT.rstrip("=")))


def client_apps(value_of):
    """The package file of each client app."""
    found = []
    kind = value_of("IMAGE_PKGTYPE")
    if kind not in PACKAGES:
        raise ValueError('IMAGE_PKGTYPE = "%s": client apps are packages of %s' % (kind, ", ".join(sorted(PACKAGES))))
    versions = dict(name[:-3].split("_", 1) for name in config.recipes(value_of("CARVEOUT_WORKSPACE")))
    for name in (value_of("CARVEOUT_CLIENT_APPS") or "").split():
        pattern = PACKAGES[kind] % (name, versions[name])
        files = glob.glob("%s/*/%s" % (value_of("DEPLOY_DIR_%s" % kind.upper()), pattern))
        if len(files) != 1:
            raise ValueError(
                "%d packages of %s where one is expected (%s): %s. Remove what is stale: bitbake -c clean %s"
                % (len(files), name, pattern, " ".join(sorted(files)) or "none", name)
            )
        found += files
    return found


def initramfs(value_of):
    """The image with which meta-tegra's class makes an update payload for the boot loaders; None if it is not an image of its own."""
    bundled = (value_of("INITRAMFS_IMAGE_BUNDLE") or "").lower() in ("1", "y", "yes", "t", "true")
    return None if bundled else value_of("INITRAMFS_IMAGE") or None


def image_of(deployed, image, machine, loader):
    """Root filesystem, packages and flash package of an image, and the update payload that was made with the image `loader`."""
    base = "%s/%s-%s" % (deployed, image, machine)
    payload = "%s/%s-%s.bup-payload" % (deployed, loader, machine)
    return {
        "rootfs": os.path.realpath(base + ".ext4"),
        "packages": os.path.realpath(base + ".manifest"),
        "flash_package": os.path.realpath(base + ".tegraflash.tar.gz"),
        "rootfs_name": image + ".ext4",
        # TEGRA_INITRAMFS_FSTYPES may leave it out.
        "update_payload": os.path.realpath(payload) if os.path.exists(payload) else None,
    }


def inputs(value_of, compilers):
    """What the parts were built from. `compilers`: files that name what has compiled a TA."""
    workspace = value_of("CARVEOUT_WORKSPACE")
    toolchains = {"bitbake": value_of("BB_VERSION") or "unknown"}
    for path in compilers:
        with open(path) as file:
            toolchains["rustc for armv7a-none-eabi"] = file.read().strip()
    for layer in (value_of("BBLAYERS") or "").split():
        if not os.path.realpath(layer).startswith(os.path.realpath(workspace) + "/"):
            toolchains["layer " + os.path.basename(layer)] = revision(layer) or "not in git"
    # Then BSP and sources are what somebody has named, of any release.
    checks_only = value_of("CARVEOUT_HOST_TOOLCHAIN") == "1"
    if checks_only:
        toolchains["host toolchain"] = "compilers of the build host: for checks, not for products"
    digest = value_of("CARVEOUT_CONFIG_DIGEST")
    if not digest:
        lines = "".join("%s=%s\n" % (name, value_of(name) or "") for name in VARIABLES)
        digest = hashlib.sha256(lines.encode()).hexdigest()
    return {
        "config": digest,
        "git_revision": value_of("CARVEOUT_WORKSPACE_REV") or revision(workspace),
        "toolchains": toolchains,
        "bsp": None if checks_only else value_of("L4T_VERSION"),
    }


def revision(folder):
    """The commit of a work tree, marked if it has been modified; None outside git."""
    # A clone may belong to another user; nothing that it configures is run.
    git = ["git", "-c", "safe.directory=*", "-c", "core.fsmonitor=false", "-C", folder]
    try:
        commit = subprocess.run(git + ["rev-parse", "HEAD"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        if commit.returncode:
            return None
        status = subprocess.run(git + ["status", "--porcelain", "--", "."], stdout=subprocess.PIPE)
    except OSError:
        return None
    return commit.stdout.decode().strip() + ("-modified" if status.stdout.strip() else "")
