"""Tests of what layers/meta-carveout does in Python and in shell, without BitBake: python3 layer.py WORKSPACE."""

import os
import re
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

WORKSPACE = sys.argv.pop(1)
LAYER = os.path.join(WORKSPACE, "layers/meta-carveout")
sys.path.insert(0, os.path.join(LAYER, "lib"))
from carveout import bundle, config  # noqa: E402

GOOD = {
    "CARVEOUT_PRODUCT_NAME": "camera",
    "CARVEOUT_PRODUCT_VERSION": "1.2.3",
    "CARVEOUT_SECURITY_VERSION": "3",
    "CARVEOUT_TZDRAM_SIZE": "32MiB",
    "CARVEOUT_TZDRAM_ALIGNMENT": "1MiB",
    "CARVEOUT_TRUSTED_APPS": "echo-srv small-echo-srv",
    "CARVEOUT_CLIENT_APPS": "echo-srv-app",
}


class Config(unittest.TestCase):
    def problems(self, flags={}, **values):
        return config.problems({**GOOD, **values}.get, lambda variable: flags.get(variable, {}), WORKSPACE)

    def test_sizes(self):
        for text, expected in [
            ("32MiB", 32 << 20),
            ("512KiB", 512 << 10),
            ("1GiB", 1 << 30),
            ("0x2000000", 32 << 20),
            ("32M", None),
            ("32 MiB", None),
            ("-1MiB", None),
            ("1.5MiB", None),
            ("32", None),
            ("", None),
        ]:
            self.assertEqual(config.size(text), expected, text)

    def test_what_can_be(self):
        self.assertEqual(self.problems(), [])
        for size in ["1MiB", "106MiB", "0x2000000"]:
            self.assertEqual(self.problems(CARVEOUT_TZDRAM_SIZE=size), [], size)
        self.assertEqual(self.problems(CARVEOUT_TRUSTED_APPS="", CARVEOUT_CLIENT_APPS=""), [])
        for variable, value in [
            ("CARVEOUT_PRODUCT_NAME", "9-Camera_a.b"),
            ("CARVEOUT_PRODUCT_NAME", "a" * 64),
            ("CARVEOUT_PRODUCT_VERSION", "1.0+git~rc_1-2"),
            ("CARVEOUT_IMAGE", ""),
            ("CARVEOUT_IMAGE", "core-image-x11.2+a"),
            ("CARVEOUT_CONFIG_DIGEST", ""),
            ("CARVEOUT_CONFIG_DIGEST", "0123456789abcdefABCDEF" + "0" * 42),
        ]:
            self.assertEqual(self.problems(**{variable: value}), [], value)

    def test_what_cannot_be(self):
        for variable, value, expected in [
            ("CARVEOUT_TZDRAM_SIZE", "107MiB", "1MiB to 106MiB"),
            ("CARVEOUT_TZDRAM_SIZE", "0MiB", "1MiB to 106MiB"),
            ("CARVEOUT_TZDRAM_SIZE", "4096MiB", "1MiB to 106MiB"),
            ("CARVEOUT_TZDRAM_SIZE", "32M", "written 32MiB"),
            ("CARVEOUT_TZDRAM_SIZE", None, "1MiB to 106MiB"),
            ("CARVEOUT_TZDRAM_SIZE", "0x2000001", "no multiple"),
            ("CARVEOUT_TZDRAM_ALIGNMENT", "3MiB", "powers of two"),
            ("CARVEOUT_TZDRAM_ALIGNMENT", "512KiB", "powers of two"),
            ("CARVEOUT_TRUSTED_APPS", "ehco-srv", "no recipe ehco-srv; there are carveout-stored, carveout-update, echo-srv, echo-srv-app, small-echo-srv."),
            ("CARVEOUT_TRUSTED_APPS", "echo-srv echo-srv", "named twice"),
            ("CARVEOUT_CLIENT_APPS", "other", "no recipe other"),
            ("CARVEOUT_PRODUCT_NAME", "", "letters, digits and -_., 64 characters at most"),
            ("CARVEOUT_PRODUCT_NAME", None, "letters, digits"),
            ("CARVEOUT_PRODUCT_NAME", ".camera", "the first a letter or a digit"),
            ("CARVEOUT_PRODUCT_NAME", "camera+1", "letters, digits"),
            ("CARVEOUT_PRODUCT_NAME", "a/b", "letters, digits"),
            ("CARVEOUT_PRODUCT_NAME", "kämera", "letters, digits"),
            ("CARVEOUT_PRODUCT_NAME", "camera\n", "letters, digits"),
            ("CARVEOUT_PRODUCT_NAME", "a" * 65, "letters, digits"),
            ("CARVEOUT_PRODUCT_VERSION", "1.0 beta", "letters, digits and -_.+~, 64"),
            ("CARVEOUT_PRODUCT_VERSION", "~1", "letters, digits"),
            ("CARVEOUT_SECURITY_VERSION", "4294967296", "0 to 4294967295"),
            ("CARVEOUT_SECURITY_VERSION", "-1", "0 to 4294967295"),
            ("CARVEOUT_SECURITY_VERSION", "", "0 to 4294967295"),
            ("CARVEOUT_IMAGE", "My-Image", "the name of one recipe"),
            ("CARVEOUT_IMAGE", "an-image another-image", "such as carveout-image"),
            ("CARVEOUT_IMAGE", " ", "if empty, the bundle has no root filesystem"),
            ("CARVEOUT_CONFIG_DIGEST", "0" * 63, "64 hexadecimal digits"),
            ("CARVEOUT_CONFIG_DIGEST", "0" * 65, "if empty, it is that of the variables"),
            ("CARVEOUT_CONFIG_DIGEST", "g" * 64, "64 hexadecimal digits"),
            ("CARVEOUT_WORKSPACE_URI", "git://git.example/a.git", "CARVEOUT_WORKSPACE_REV"),
            ("CARVEOUT_WORKSPACE_REV", "ab" * 20, "the commit of CARVEOUT_WORKSPACE_URI"),
        ]:
            found = self.problems(**{variable: value})
            self.assertEqual(len(found), 1, (variable, value, found))
            self.assertIn(expected, found[0])
            self.assertIn(variable, found[0])

    def test_where_a_workspace_is_fetched_from(self):
        rev = "ab" * 20
        found = lambda uri: self.problems(CARVEOUT_WORKSPACE_URI=uri, CARVEOUT_WORKSPACE_REV=rev)
        self.assertEqual(found("git://git.example/a.git;protocol=https;branch=main"), [])
        for uri in ["https://git.example/a.git", "git://git.example/a b", "git://git.example/a.git;name=x", "git://git.example/a;rev=1"]:
            self.assertEqual(len(found(uri)), 1, uri)
            self.assertIn("allowed is one git:// entry of SRC_URI", found(uri)[0])
        found = self.problems(CARVEOUT_WORKSPACE_URI="git://git.example/a.git", CARVEOUT_WORKSPACE_REV="main")
        self.assertEqual(len(found), 1)

    def test_heaps_and_stacks(self):
        for variable in ["CARVEOUT_MIN_HEAP", "CARVEOUT_MIN_STACK"]:
            # The kernel rounds up to pages. Without a value, the class has none either.
            good = [{"echo-srv": "128KiB", "small-echo-srv": "0x1"}, {"echo-srv": "0xffffff"}, {"echo-srv": ""}]
            for flags in good + [{"doc": "Heaps.", "vardepvalue": "1", "export": "1"}]:
                self.assertEqual(self.problems({variable: flags}), [], flags)
            for text in ["0KiB", "0x0", "16MiB", "1GiB", "4096", "4K", "-4KiB", "a"]:
                expected = '%s[echo-srv] = "%s": allowed are 1 byte to less than 16MiB, written 128KiB or 0x20000' % (variable, text)
                found = self.problems({variable: {"small-echo-srv": "64KiB", "echo-srv": text}})
                self.assertEqual(len(found), 1, text)
                self.assertTrue(found[0].startswith(expected), found)
            expected = '%s[ehco-srv] = "4KiB": CARVEOUT_TRUSTED_APPS has no ehco-srv; it has %s. Add it there, or remove this'
            found = self.problems({variable: {"ehco-srv": "4KiB"}})
            self.assertEqual(found, [expected % (variable, "echo-srv, small-echo-srv")])
            found = self.problems({variable: {"ehco-srv": "4KiB"}}, CARVEOUT_TRUSTED_APPS="")
            self.assertEqual(found, [expected % (variable, "none")])


class Bundle(unittest.TestCase):
    """A product with two TAs and a client app, in folders as BitBake has them."""

    DEB = "deb/arm64/echo-srv-app_0.1.0-r0_arm64.deb"

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = os.path.realpath(folder.name)
        # Folders of this test are in git only if it says so, and only its own settings count.
        settings = {"GIT_CEILING_DIRECTORIES": self.folder, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        patch = mock.patch.dict(os.environ, settings)
        patch.start()
        self.addCleanup(patch.stop)
        self.values = {
            **GOOD,
            "CARVEOUT_IMAGE": "",
            "CARVEOUT_WORKSPACE": self.path("workspace"),
            "STAGING_DATADIR": self.path("share"),
            "DEPLOY_DIR_IMAGE": self.path("images"),
            "DEPLOY_DIR_DEB": self.path("deb"),
            "DEPLOY_DIR_IPK": self.path("ipk"),
            "DEPLOY_DIR_RPM": self.path("rpm"),
            "IMAGE_PKGTYPE": "deb",
            "MACHINE": "xavier",
            "PARTITION_LAYOUT_TEMPLATE": "flash.xml",
            "ROOTFSPART_SIZE": "8589934592",
            "BB_VERSION": "2.0.0",
            "BBLAYERS": "%s %s" % (self.path("workspace/layers/ours"), self.path("meta-other")),
            "L4T_VERSION": "32.7.6",
        }
        self.write("workspace/recipes/echo-srv-app_0.1.0.bb", self.DEB, "images/tos-1.img")
        self.write("workspace/layers/ours/a", "meta-other/a")
        self.write("share/tegraflash/flashvars", text='MISC_COLD_BOOT_CONFIG="tegra194-mb1-bct-misc-l4t.cfg"\n')
        os.symlink("tos-1.img", self.path("images/tos-xavier.img"))
        for name in ["echo-srv", "small-echo-srv"]:
            self.write("share/trusted-os/ta/%s.rustc" % name, text="rustc 1.95.0\n")

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, *names, text=""):
        for name in names:
            os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
            with open(self.path(name), "w") as file:
                file.write(text)

    def commit(self, name):
        """Makes a folder a work tree. Returns its commit."""
        git = ["git", "-C", self.path(name), "-c", "user.name=a", "-c", "user.email=a@example.invalid"]
        for command in [["init", "-q"], ["add", "."], ["commit", "-q", "-m", "a"]]:
            subprocess.run(git + command, check=True)
        return subprocess.check_output(git + ["rev-parse", "HEAD"], text=True).strip()

    def parts(self, **values):
        return bundle.parts({**self.values, **values}.get)

    def inputs(self, **values):
        return self.parts(**values)["inputs"]

    def test_a_bundle_of_parts(self):
        parts = self.parts()
        del parts["inputs"]
        app = lambda name: {"name": name, "elf": ta + name + ".elf", "declared": ta + name + ".toml"}
        ta, flash = self.path("share/trusted-os/ta/"), self.path("share/tegraflash/")
        self.assertEqual(parts, {
            "name": "camera",
            "version": "1.2.3",
            "security_version": 3,
            "board": "xavier",
            "tzdram": {"size": "32MiB", "alignment": "1MiB"},
            "trusted_apps": [app("echo-srv"), app("small-echo-srv")],
            "secure_os": self.path("images/tos-1.img"),
            "kernel_symbols": None,
            "boot_config": [flash + "tegra194-mb1-bct-misc-l4t.cfg", flash + "tegra194-mb1-bct-misc-flash.cfg"],
            "layout": flash + "flash.xml",
            "client_apps": [self.path(self.DEB)],
            "app_size": 8 << 30,
            "image": None,
        })

    def test_boards(self):
        self.assertEqual(self.parts(MACHINE="jetson-agx-xavier-devkit")["board"], "jetson-agx-xavier")
        self.assertEqual(self.parts(MACHINE="jetson-xavier-nx-devkit")["board"], "jetson-xavier-nx-devkit")
        self.assertEqual(self.parts(CARVEOUT_BOARD="carrier")["board"], "carrier")
        with open(self.path("share/tegraflash/flashvars"), "w") as file:
            file.write('FUSE=x\nMISC_COLD_BOOT_CONFIG="tegra194-mb1-bct-misc-sd-l4t.cfg"\n')
        self.assertEqual(os.path.basename(self.parts()["boot_config"][0]), "tegra194-mb1-bct-misc-sd-l4t.cfg")
        self.assertEqual(self.parts(MACHINE="jetson-tx2-devkit")["board"], "jetson-tx2")
        self.write("share/tegraflash/flashvars", text="FLASHVARS=\"MISC_CONFIG\"\nMISC_CONFIG=tegra186-mb1-bct-misc-si-l4t.cfg\n")
        both = [os.path.basename(path) for path in self.parts()["boot_config"]]
        self.assertEqual(both, ["tegra186-mb1-bct-misc-si-l4t.cfg"])
        self.write("share/tegraflash/flashvars")
        with self.assertRaisesRegex(ValueError, "flashvars: MISC_COLD_BOOT_CONFIG is missing$"):
            self.parts()

    def test_trusted_apps_keep_their_order(self):
        for names in [["small-echo-srv", "echo-srv"], ["echo-srv", "small-echo-srv"], ["small-echo-srv"], []]:
            parts = self.parts(CARVEOUT_TRUSTED_APPS=" ".join(names))
            self.assertEqual([app["name"] for app in parts["trusted_apps"]], names)

    def test_what_is_there_besides(self):
        self.write("share/trusted-os/lk.elf", "images/image-1.ext4")
        os.symlink("image-1.ext4", self.path("images/my-image-xavier.ext4"))
        parts = self.parts(CARVEOUT_IMAGE="my-image")
        self.assertEqual(parts["kernel_symbols"], self.path("share/trusted-os/lk.elf"))
        self.assertEqual(parts["image"], {
            "rootfs": self.path("images/image-1.ext4"),
            "packages": self.path("images/my-image-xavier.manifest"),
            "flash_package": self.path("images/my-image-xavier.tegraflash.tar.gz"),
            "rootfs_name": "my-image.ext4",
            "update_payload": None,
        })
        # meta-tegra's class has made an update payload with the initramfs.
        self.write("images/payload-1")
        os.symlink("payload-1", self.path("images/small-initramfs-xavier.bup-payload"))
        payload = lambda **values: self.parts(CARVEOUT_IMAGE="my-image", **values)["image"]["update_payload"]
        self.assertEqual(payload(INITRAMFS_IMAGE="small-initramfs"), self.path("images/payload-1"))
        self.assertEqual(payload(INITRAMFS_IMAGE="small-initramfs", INITRAMFS_IMAGE_BUNDLE="1"), None)
        self.assertEqual(payload(INITRAMFS_IMAGE="another"), None)

    def test_a_client_apps_package_is_that_of_its_recipe(self):
        for kind, name, others in [
            ("deb", self.DEB, ["echo-srv-app_0.2.0-r0_arm64.deb", "echo-srv-app-dbg_0.1.0-r0_arm64.deb"]),
            ("ipk", "ipk/a/echo-srv-app_0.1.0-r3_a.ipk", ["echo-srv-app_0.1.1-r0_a.ipk", "echo-srv-app-dbg_0.1.0-r0_a.ipk"]),
            ("rpm", "rpm/a/echo-srv-app-0.1.0-r0.a.rpm", ["echo-srv-app-0.1.1-r0.a.rpm", "echo-srv-app-dbg-0.1.0-r0.a.rpm"]),
        ]:
            folder = os.path.dirname(name)
            self.write(name, *("%s/%s" % (folder, other) for other in others))
            self.assertEqual(self.parts(IMAGE_PKGTYPE=kind)["client_apps"], [self.path(name)])
        self.assertEqual(self.parts(CARVEOUT_CLIENT_APPS="")["client_apps"], [])

    def test_no_package_or_two_are_refused(self):
        end = r"Remove what is stale: bitbake -c clean echo-srv-app$"
        with self.assertRaisesRegex(ValueError, r"^0 packages of echo-srv-app .*\(echo-srv-app_0\.1\.0-r\*_\*\.ipk\): none\. " + end):
            self.parts(IMAGE_PKGTYPE="ipk")
        other = "deb/armhf/echo-srv-app_0.1.0-r1_armhf.deb"
        self.write(other)
        both = re.escape(": %s %s. " % (self.path(self.DEB), self.path(other)))
        with self.assertRaisesRegex(ValueError, "^2 packages of echo-srv-app .*" + both + end):
            self.parts()
        with self.assertRaisesRegex(ValueError, '^IMAGE_PKGTYPE = "tar": client apps are packages of deb, ipk, rpm$'):
            self.parts(IMAGE_PKGTYPE="tar")

    def test_the_configs_digest(self):
        self.assertEqual(self.inputs(CARVEOUT_CONFIG_DIGEST="ab" * 32)["config"], "ab" * 32)
        own = self.inputs()["config"]
        self.assertRegex(own, "^[0-9a-f]{64}$")
        self.assertEqual(self.inputs(CARVEOUT_CONFIG_DIGEST="")["config"], own)
        digest = lambda **values: bundle.inputs({**self.values, **values}.get, [])["config"]
        names = [*GOOD, "CARVEOUT_IMAGE", "MACHINE"]
        self.assertEqual(len({own} | {digest(**{name: "other"}) for name in names}), len(names) + 1)
        # What is not the product's is in no digest.
        self.assertEqual(digest(BB_VERSION="2.8.0"), own)

    def test_layers_of_others_are_named(self):
        self.assertEqual(self.inputs(), {
            "config": self.inputs()["config"],
            "git_revision": None,
            "toolchains": {"bitbake": "2.0.0", "rustc for armv7a-none-eabi": "rustc 1.95.0", "layer meta-other": "not in git"},
            "bsp": "32.7.6",
        })
        layer, own = self.commit("meta-other"), self.commit("workspace")
        # By another path, too, a layer of the workspace is its own.
        os.symlink("workspace", self.path("link"))
        found = self.inputs(BBLAYERS="%s %s" % (self.path("link/layers/ours"), self.path("meta-other")), BB_VERSION=None)
        self.assertEqual(found["git_revision"], own)
        self.assertEqual(found["toolchains"]["layer meta-other"], layer)
        self.assertEqual(sorted(found["toolchains"]), ["bitbake", "layer meta-other", "rustc for armv7a-none-eabi"])
        self.assertEqual(found["toolchains"]["bitbake"], "unknown")

    def test_checks_with_the_hosts_compilers_are_told(self):
        found = self.inputs(CARVEOUT_HOST_TOOLCHAIN="1")
        self.assertIsNone(found["bsp"])
        self.assertEqual(found["toolchains"]["host toolchain"], "compilers of the build host: for checks, not for products")
        self.assertNotIn("host toolchain", self.inputs(CARVEOUT_HOST_TOOLCHAIN="0")["toolchains"])

    def test_a_revision_tells_what_was_modified(self):
        folder = self.path("meta-other")
        self.assertIsNone(bundle.revision(folder))
        commit = self.commit("meta-other")
        self.assertEqual(bundle.revision(folder), commit)
        self.write("meta-other/a", text="changed")
        self.assertEqual(bundle.revision(folder), commit + "-modified")
        self.write("meta-other/a")
        self.assertEqual(bundle.revision(folder), commit)
        self.write("meta-other/new")
        self.assertEqual(bundle.revision(folder), commit + "-modified")
        with mock.patch.dict(os.environ, {"PATH": self.folder}):
            self.assertIsNone(bundle.revision(folder))


if __name__ == "__main__":
    unittest.main()
