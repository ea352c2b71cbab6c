"""Tests of what layers/meta-carveout does in Python and in shell, without BitBake: python3 layer.py WORKSPACE."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

WORKSPACE = sys.argv.pop(1)
LAYER = os.path.join(WORKSPACE, "layers/meta-carveout")
sys.path.insert(0, os.path.join(LAYER, "lib"))
from carveout import config, workspace  # noqa: E402

GOOD = {
    "CARVEOUT_TZDRAM_SIZE": "32MiB",
    "CARVEOUT_TZDRAM_ALIGNMENT": "1MiB",
    "CARVEOUT_TRUSTED_APPS": "echo-srv small-echo-srv",
    "CARVEOUT_CLIENT_APPS": "echo-srv-app",
}


class Config(unittest.TestCase):
    def problems(self, **values):
        return config.problems({**GOOD, **values}.get, WORKSPACE)

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
            ("CARVEOUT_TRUSTED_APPS", "ehco-srv", "no recipe ehco-srv; there are echo-srv, echo-srv-app, small-echo-srv"),
            ("CARVEOUT_TRUSTED_APPS", "echo-srv echo-srv", "named twice"),
            ("CARVEOUT_CLIENT_APPS", "other", "no recipe other"),
        ]:
            found = self.problems(**{variable: value})
            self.assertEqual(len(found), 1, (variable, value, found))
            self.assertIn(expected, found[0])
            self.assertIn(variable, found[0])


class Part(unittest.TestCase):
    def test_what_only_tests_need_is_left_out(self):
        manifest = (
            '[package]\nname = "a"\n[dev-dependencies]\nx = "1"\n[dependencies]\ny = "1"\n'
            "[target.'cfg(unix)'.dev-dependencies]\nz = \"1\"\n[dev-dependencies.w]\nversion = \"1\"\n[lints]\nworkspace = true\n"
        )
        expected = '[package]\nname = "a"\n[dependencies]\ny = "1"\n[lints]\nworkspace = true\n'
        self.assertEqual(workspace.without_tests(manifest), expected)

    def test_members(self):
        text = '[workspace]\nmembers = ["apps/*"]\ndefault-members = [\n    "a",\n]\nexclude = ["fuzz"]\n[profile.ta]\n'
        self.assertEqual(workspace.with_members(text, ["a/b", "c"]), '[workspace]\nmembers = ["a/b", "c"]\n[profile.ta]\n')
        with self.assertRaises(ValueError):
            workspace.with_members("[workspace]\n", ["a"])

    def test_a_part_of_this_workspace(self):
        with tempfile.TemporaryDirectory() as folder:
            to = os.path.join(folder, "part")
            workspace.extract(WORKSPACE, ["crates/trusty-ta", "crates/trusty-abi"], to)
            # A module of that name is source; cargo's folder of that name is not.
            self.assertTrue(os.path.isfile(os.path.join(to, "crates/trusty-ta/src/target/sys.rs")))
            self.assertEqual(sorted(os.listdir(os.path.join(to, "crates"))), ["trusty-abi", "trusty-ta"])
            with open(os.path.join(to, "crates/trusty-ta/Cargo.toml")) as file:
                self.assertNotIn("dev-dependencies", file.read())

    def test_strangers(self):
        lock = '[[package]]\nname = "a"\nversion = "1"\nchecksum = "%s"\n[[package]]\nname = "own"\nversion = "0"\n'
        self.assertEqual(workspace.strangers(lock % "x", lock % "x"), [])
        self.assertEqual(workspace.strangers(lock % "x", lock % "y"), ["a 1"])
        self.assertEqual(workspace.strangers("", lock % "x"), ["a 1", "own 0"])


class BootConfig(unittest.TestCase):
    """The shell function of tegra-bootfiles_%.bbappend."""

    def set(self, files, key="size", value="0x02000000"):
        with open(os.path.join(LAYER, "recipes-bsp/tegra-binaries/tegra-bootfiles_%.bbappend")) as file:
            function = re.search(r"^carveout_set\(\) \{.*?^\}", file.read(), re.M | re.S)[0]
        with tempfile.TemporaryDirectory() as folder:
            target = os.path.join(folder, "tegraflash")
            os.mkdir(target)
            for name, text in files.items():
                with open(os.path.join(target, name), "w", newline="") as file:
                    file.write(text)
            function = function.replace("${D}${datadir}", folder)
            script = 'bbfatal() { echo "$*" >&2; exit 1; }\n%s\ncarveout_set %s %s\n' % (function, key, value)
            # As BitBake runs it.
            ran = subprocess.run(["sh", "-e", "-c", script], capture_output=True, text=True)
            found = {}
            for name in files:
                with open(os.path.join(target, name), newline="") as file:
                    found[name] = file.read()
            return ran.returncode, ran.stderr, found

    CFG = "a = 1;\ncarveout.tzdram.size = 0x01000000; #16MB\r\ncarveout.tzdram.size_more = 5;\ncarveout.tzdram.ecc_protected = 0;\n"

    def test_one_value_is_changed_in_each_file(self):
        other = "tegra194-mb1-bct-misc-none.cfg"
        code, error, found = self.set({"tegra194-mb1-bct-misc-l4t.cfg": self.CFG, other: "a = 1;\n"})
        self.assertEqual((code, error), (0, ""))
        self.assertEqual(found["tegra194-mb1-bct-misc-l4t.cfg"], self.CFG.replace("0x01000000", "0x02000000"))
        self.assertEqual(found[other], "a = 1;\n")

    def test_what_cannot_be_set_is_told(self):
        name = "tegra194-mb1-bct-misc-l4t.cfg"
        for text, expected in [
            ("a = 1;\n", "no misc boot config has carveout.tzdram.size"),
            (self.CFG * 2, "stands there 2 times"),
            ("carveout.tzdram.size = 0x01000000\n", "could not be set"),
            ("#carveout.tzdram.size = 1;\n", "no misc boot config"),
        ]:
            code, error, _ = self.set({name: text})
            self.assertEqual(code, 1, text)
            self.assertIn(expected, error)


if __name__ == "__main__":
    unittest.main()
