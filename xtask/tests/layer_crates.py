"""Tests of what layers/meta-carveout does with crates, of the workspace and of git: python3 layer_crates.py WORKSPACE."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

WORKSPACE = sys.argv.pop(1)
sys.path.insert(0, os.path.join(WORKSPACE, "layers/meta-carveout/lib"))
from carveout import git as carveout_git, workspace  # noqa: E402


class Part(unittest.TestCase):
    def test_what_only_tests_need_is_left_out(self):
        manifest = (
            '[package]\nname = "a"\n[dev-dependencies]\nx = "1"\n[dependencies]\ny = "1"\n'
            "[target.'cfg(unix)'.dev-dependencies]\nz = \"1\"\n[dev-dependencies.w]\nversion = \"1\"\n[lints]\nworkspace = true\n"
        )
        expected = '[package]\nname = "a"\n[dependencies]\ny = "1"\n[lints]\nworkspace = true\n'
        self.assertEqual(workspace.without_tests(manifest), expected)

    def test_what_only_the_reference_needs_is_left_out(self):
        manifest = '[features]\nschema = ["dep:schemars", "b/schema"]\n[dependencies]\nschemars = { workspace = true, optional = true }\nx = "1"\n'
        self.assertEqual(workspace.without_tests(manifest), '[features]\nschema = []\n[dependencies]\nx = "1"\n')

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

    def test_paths_to_crates_of_carveout_lead_to_its_repository(self):
        carveout = workspace.Carveout("/opt/carveout", ["crates/tipc", "crates/trusty-ta"])
        moved = lambda text: workspace.with_paths(text, "/team/door/apps/a", "/team/door", carveout)
        for path, expected in [
            ("/home/me/carveout/crates/tipc", "/opt/carveout/crates/tipc"),
            ("../../../carveout/crates/trusty-ta", "/opt/carveout/crates/trusty-ta"),
            # One that the recipe does not name, the team's own, and a file of the package.
            ("/home/me/carveout/crates/carveout", "/home/me/carveout/crates/carveout"),
            ("../service", "../service"),
            ("../../crates/tipc", "../../crates/tipc"),
            ("src/lib.rs", "src/lib.rs"),
        ]:
            self.assertEqual(moved('a = { path = "%s" }\n' % path), 'a = { path = "%s" }\n' % expected)
        self.assertEqual(moved("path = '../../../c/crates/tipc'"), 'path = "/opt/carveout/crates/tipc"')

    def test_stale_recipes(self):
        with tempfile.TemporaryDirectory() as folder:
            os.makedirs(folder + "/apps/own")
            block = '[[package]]\nname = "%s"\nversion = "1"\nsource = "%s"\n'
            lock = block % ("a", workspace.CRATES_IO) + block % ("w", "git+https://g.example/w?tag=v1#" + "c" * 40)
            for name, text in [("Cargo.lock", lock), ("apps/own/Cargo.toml", "")]:
                with open(os.path.join(folder, name), "w") as file:
                    file.write(text)
            good = ["crate://crates.io/a/1", "file://b/2"]
            self.assertEqual(workspace.stale(folder, ["apps/own"], good), [])
            found = workspace.stale(folder, ["apps/own", "apps/gone"], good + ["crate://crates.io/a/2"])
            self.assertEqual(found, ["apps/gone", "a 2"])
            # A crate of git is not one of crates.io that is called the same.
            self.assertEqual(workspace.stale(folder, [], ["crate://crates.io/w/1"]), ["w 1"])
            at = lambda url, digit: (url, digit * 40)
            good = [at("https://g.example/w", "c"), at("https://g.example/submodule", "d")]
            self.assertEqual(workspace.stale(folder, [], [], good), [])
            found = workspace.stale(folder, [], [], [at("https://g.example/w", "d")])
            self.assertEqual(found, ["https://g.example/w at " + "d" * 40])

    def test_strangers(self):
        lock = '[[package]]\nname = "a"\nversion = "1"\nchecksum = "%s"\n[[package]]\nname = "own"\nversion = "0"\n'
        self.assertEqual(workspace.strangers(lock % "x", lock % "x"), [])
        self.assertEqual(workspace.strangers(lock % "x", lock % "y"), ["a 1"])
        self.assertEqual(workspace.strangers("", lock % "x"), ["a 1", "own 0"])
        # The same name and version from elsewhere is another package.
        source = '[[package]]\nname = "a"\nversion = "1"\nsource = "%s"\n'
        git = lambda digit: source % ("git+https://g.example/a#" + digit * 40)
        self.assertEqual(workspace.strangers(git("c"), git("c")), [])
        self.assertEqual(workspace.strangers(git("c"), git("d")), ["a 1"])
        self.assertEqual(workspace.strangers(git("c"), source % workspace.CRATES_IO), ["a 1"])

    def test_licences_are_taken_along(self):
        named = ["LICENSE", "LICENSE-MIT", "licence.txt", "COPYING.LIB", "UNLICENSE"]
        others = ["LICENSES", "README.md", "licensed.rs"]
        self.assertEqual([name for name in named + others if workspace.is_licence(name)], named)


class CratesOfGit(unittest.TestCase):
    """cargo builds crates of git from the clones that BitBake has made, without a network."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = os.path.realpath(folder.name)
        settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        patch = mock.patch.dict(os.environ, settings)
        patch.start()
        self.addCleanup(patch.stop)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)

    def git(self, name, *words):
        command = ["git", "-C", os.path.join(self.folder, name), "-c", "user.name=a", "-c", "user.email=a@example.invalid"]
        return subprocess.check_output(command + list(words), text=True).strip()

    def commit(self, name):
        self.git(name, "add", "--all")
        self.git(name, "commit", "--quiet", "--message", "a")
        return self.git(name, "rev-parse", "HEAD")

    def repository(self, name):
        """A clone as BitBake's: a workspace that its crate inherits from, and a path dependency within it."""
        self.write(name + "/Cargo.toml", '[workspace]\nmembers = ["wire", "base"]\nresolver = "3"\n[workspace.package]\nversion = "0.3.0"\nedition = "2021"\n')
        for crate, more in [("wire", '[dependencies]\nbase = { path = "../base" }\n'), ("base", "")]:
            self.write("%s/%s/Cargo.toml" % (name, crate), '[package]\nname = "%s"\nversion.workspace = true\nedition.workspace = true\n%s' % (crate, more))
        self.write(name + "/base/src/lib.rs", "pub const MAGIC: u32 = 1;\n")
        self.write(name + "/wire/src/lib.rs", "pub use base::MAGIC;\n")
        self.git(".", "init", "--quiet", os.path.join(self.folder, name))
        return self.commit(name)

    def fetch(self, commits, **more):
        served = os.path.join(self.folder, "served")
        carveout_git.serve(commits, served)
        environment = {
            **os.environ,
            "CARGO_HOME": os.path.join(self.folder, "cargo"),
            "XDG_CONFIG_HOME": served,
            "GIT_ALLOW_PROTOCOL": "file",
            "CARGO_NET_GIT_FETCH_WITH_CLI": "true",
            "CARGO_NET_RETRY": "0",
            "CARGO_HTTP_PROXY": "http://127.0.0.1:9",
        }
        environment.pop("GIT_CONFIG_GLOBAL")
        environment.setdefault("RUSTUP_HOME", os.path.expanduser("~/.rustup"))
        environment["HOME"] = self.folder
        manifest = os.path.join(self.folder, "part/Cargo.toml")
        run = lambda *words: subprocess.run(["cargo", *words, "--manifest-path", manifest], env=environment, capture_output=True, text=True)
        return run("fetch"), run("metadata", "--offline", "--format-version=1")

    def part(self, url, rev, reference):
        self.write("part/Cargo.toml", '[package]\nname = "app"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\nwire = { git = "%s"%s }\n'
                   % (url, ', %s = "%s"' % reference if reference else ""))
        self.write("part/src/lib.rs", "")
        query = "?%s=%s" % reference if reference else ""
        source = 'source = "git+%s%s#%s"\n' % (url, query, rev)
        block = '[[package]]\nname = "%s"\nversion = "%s"\n'
        self.write("part/Cargo.lock", "version = 3\n" + block % ("app", "0.1.0") + 'dependencies = ["wire"]\n'
                   + block % ("base", "0.3.0") + source + block % ("wire", "0.3.0") + source + 'dependencies = ["base"]\n')

    def test_a_commit_of_a_branch_a_tag_or_by_itself(self):
        rev = self.repository("clones/git-wire")
        # The branch has moved on since, and the tag is of no repository that cargo could reach.
        self.write("clones/git-wire/base/src/lib.rs", "pub const MAGIC: u32 = 2;\n")
        self.commit("clones/git-wire")
        url = "ssh://git@git.example.invalid:2222/team/wire.git"
        for reference, name in [(None, "HEAD"), (("branch", "next"), "refs/heads/next"), (("tag", "v1"), "refs/tags/v1"),
                                (("rev", rev), "refs/heads/carveout-" + rev), (("rev", rev[:8]), "refs/heads/carveout-" + rev)]:
            self.part(url, rev, reference)
            commits = carveout_git.commits(["git-wire"], {"git-wire": "%s %s" % (url, name)}.get, {"git-wire": rev}.get, os.path.join(self.folder, "clones"))
            fetched, told = self.fetch(commits)
            self.assertEqual(fetched.returncode, 0, fetched.stderr)
            self.assertEqual(told.returncode, 0, told.stderr)
            found = {package["name"]: package for package in json.loads(told.stdout)["packages"]}
            self.assertTrue(found["wire"]["source"].startswith("git+" + url), found["wire"]["source"])
            self.assertTrue(found["wire"]["source"].endswith("#" + rev), found["wire"]["source"])
            with open(os.path.join(os.path.dirname(found["base"]["manifest_path"]), "src/lib.rs")) as file:
                self.assertEqual(file.read(), "pub const MAGIC: u32 = 1;\n")
            shutil.rmtree(os.path.join(self.folder, "cargo"))

    def test_two_commits_of_a_repository(self):
        first = self.repository("clones/git-wire")
        self.write("clones/git-wire/a", "")
        second = self.commit("clones/git-wire")
        url, clones = "https://git.example.invalid/wire", os.path.join(self.folder, "clones")
        flags = {"git-wire": url + " refs/heads/main HEAD", "git-wire-2": url + ".git refs/tags/v1"}
        shutil.copytree(clones + "/git-wire", clones + "/git-wire-2")
        found = carveout_git.commits(["git-wire", "git-wire-2"], flags.get, {"git-wire": first, "git-wire-2": second}.get, clones)
        for name in ["0", "1"]:
            carveout_git.serve(found, os.path.join(self.folder, "served"))
        tell = lambda number, name: self.git("served/%d.git" % number, "rev-parse", name)
        self.assertEqual([tell(0, "refs/heads/main"), tell(0, "HEAD"), tell(1, "v1")], [first, first, second])

    def test_nothing_else_is_reached(self):
        rev = self.repository("clones/git-wire")
        self.part("https://git.example.invalid/other.git", rev, None)
        fetched, _ = self.fetch([carveout_git.Commit("https://git.example.invalid/wire", self.folder + "/clones/git-wire", rev, ["HEAD"])])
        self.assertNotEqual(fetched.returncode, 0)
        self.assertIn("transport 'https' not allowed", fetched.stderr)
        with self.assertRaisesRegex(ValueError, r"^CARVEOUT_GIT\[a\] has no URL and names\. Run: cargo xtask recipes$"):
            carveout_git.commits(["a"], {}.get, {}.get, "/x")


if __name__ == "__main__":
    unittest.main()
