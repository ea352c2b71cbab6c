"""Parses a team's own workspace with BitBake's own parser: parse_team.py CARVEOUT WORKSPACE, with the library bb on PYTHONPATH.

WORKSPACE is one that `carveout new` has made, with recipes, and depends on CARVEOUT by path.
"""

import os
import shutil
import subprocess
import sys
import unittest

TEAM = os.path.realpath(sys.argv.pop(2))

from layer_parser import ParseTest, WORKSPACE  # noqa: E402

import bb  # noqa: E402

APPS = {"CARVEOUT_TRUSTED_APPS": "door-lock-srv", "CARVEOUT_CLIENT_APPS": "door-lock-app"}
SCRIPT = WORKSPACE + "/crates/carveout-host/src/tools/rustc-stable.sh"


def read(*path):
    with open(os.path.join(*path)) as file:
        return file.read()


class Team(ParseTest):
    def team(self, **more):
        found = self.parsed(CARVEOUT_WORKSPACE=TEAM, **APPS, **more)
        self.assertEqual(found.said, [])
        return found.recipes

    def extracted(self, d):
        """What the package is built of, as cargo sees it: without a network, and of no crate that Cargo.lock has not."""
        bb.utils.mkdirhier(d.getVar("T"))
        bb.build.exec_func("do_carveout_workspace", d)
        command = ["cargo", "metadata", "--offline", "--format-version", "1"]
        ran = subprocess.run(command, cwd=d.getVar("S"), capture_output=True, text=True)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        strangers = bb.build.exec_func("do_carveout_lock", d)
        self.assertIsNone(strangers)
        return read(d.getVar("S"), "Cargo.toml")

    def test_a_teams_apps_are_built_of_its_sources_and_carveouts_crates(self):
        recipes = self.team()
        # None of carveout's own apps is there, but the tool that checks and packs.
        self.assertTrue({"door-lock-srv", "door-lock-app", "carveout-native", "carveout-bundle"} <= set(recipes))
        self.assertFalse({"echo-srv", "echo-srv-app"} & set(recipes))
        d = recipes["door-lock-srv"]
        watched = d.getVarFlag("do_carveout_workspace", "file-checksums").split()
        for path in [TEAM + "/apps/door-lock-srv", TEAM + "/Cargo.lock", WORKSPACE + "/crates/trusty-ta", SCRIPT]:
            self.assertIn(path + ":True", watched)
            self.assertTrue(os.path.exists(path), path)
        text = self.extracted(d)
        self.assertIn('trusty-ta = { path = "%s/crates/trusty-ta" }' % WORKSPACE, text)
        self.assertEqual(sorted(os.listdir(d.getVar("S") + "/apps")), ["door-lock-service", "door-lock-srv"])
        self.extracted(recipes["door-lock-app"])
        self.assertEqual(recipes["carveout-native"].getVar("CARVEOUT_SOURCE"), WORKSPACE)

    def test_symbols_have_the_names_of_the_other_engine(self):
        recipes = self.team()
        for name in ["door-lock-srv", "door-lock-app"]:
            d = recipes[name]
            self.extracted(d)
            wrapper = d.getVar("RUSTC_WRAPPER")
            self.assertEqual(d.getVarFlag("RUSTC_WRAPPER", "export"), 1)
            self.assertTrue(os.access(wrapper, os.X_OK))
            self.assertEqual(read(wrapper), read(SCRIPT))
            self.assertIn("--remap-path-prefix=%s/crates=crates" % WORKSPACE, d.getVar("RUSTFLAGS"))
        self.assertEqual(recipes["carveout-native"].getVar("RUSTC_WRAPPER"), "")
        # One copy: another would go its own ways.
        copies = subprocess.run(["git", "-C", WORKSPACE, "ls-files", "*rustc-stable*"], capture_output=True, text=True)
        self.assertEqual(copies.stdout.split(), [os.path.relpath(SCRIPT, WORKSPACE)])

    def test_crates_that_cargo_checks_out_are_called_as_in_a_clone(self):
        d = self.team()["door-lock-srv"]
        home = os.path.join(self.folder, "cargo-home")
        checkout = home + "/git/checkouts/carveout-0123/abc/crates"
        os.makedirs(checkout + "/carveout-host")
        d.setVar("CARGO_HOME", home)
        ran = self.run_task(d, "do_compile", 'cargo() { echo "$RUSTFLAGS"; }')
        self.assertIn("--remap-path-prefix=%s=crates" % checkout, ran.stdout, ran.stderr)

    def test_sources_come_by_git_if_it_is_said(self):
        uri, rev = "git://git.example/team/door-lock.git;protocol=https;branch=main", "ab" * 20
        recipes = self.team(CARVEOUT_WORKSPACE_URI=uri, CARVEOUT_WORKSPACE_REV=rev)
        d = recipes["door-lock-srv"]
        fetched = [data for data in bb.fetch2.Fetch(d.getVar("SRC_URI").split(), d).ud.values() if data.type == "git"]
        self.assertEqual([(data.host, data.path, data.proto) for data in fetched], [("git.example", "/team/door-lock.git", "https")])
        self.assertEqual(fetched[0].revision, rev)
        self.assertNotIn(TEAM, d.getVarFlag("do_carveout_workspace", "file-checksums"))
        # As BitBake's fetcher leaves it.
        source = d.getVar("WORKDIR") + "/carveout-workspace"
        self.assertEqual(d.getVar("CARVEOUT_SOURCE"), source)
        shutil.copytree(TEAM, source, ignore=shutil.ignore_patterns("target"))
        self.extracted(d)
        self.assertNotIn("git.example", recipes["carveout-native"].getVar("SRC_URI"))
        # What was fetched and the recipe may be of two days.
        shutil.rmtree(source + "/apps/door-lock-service")
        with self.assertRaises(Exception):
            bb.build.exec_func("do_carveout_workspace", d)

    def test_half_of_a_git_source_is_refused(self):
        said = self.refused(CARVEOUT_WORKSPACE=TEAM, CARVEOUT_WORKSPACE_URI="git://git.example/a.git", **APPS)
        self.assertIn('CARVEOUT_WORKSPACE_REV = "": allowed is the commit', said)


if __name__ == "__main__":
    unittest.main()
