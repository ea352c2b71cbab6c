"""Parses layers/meta-carveout and recipes/ with BitBake's own parser: parse_layer.py WORKSPACE, with the library bb on PYTHONPATH.

oe-stand-in/ is there for OE-Core, meta-tegra and meta-rust-bin. Configuration, collecting and parsing are BitBake's (a later one than
kirkstone's: PyPI has no earlier); only its server and its user interface, which the package lacks, are left out.
"""

import glob
import os
import unittest

from layer_parser import MACHINES, ParseTest, WORKSPACE

import bb


class Whole(ParseTest):
    def test_all_is_parsed_without_a_word(self):
        self.assertGreaterEqual(len(MACHINES), 2)
        for machine in MACHINES:
            found = self.parsed(MACHINE=machine)
            self.assertEqual(found.said, [])
            self.assertEqual(found.skipped, {})
            folder = os.path.join(WORKSPACE, "layers/meta-carveout")
            of = lambda end: {path for path in glob.glob(folder + "/recipes-*/**/*" + end, recursive=True)}
            ours = of(".bb") | set(glob.glob(WORKSPACE + "/recipes/*.bb"))
            self.assertGreaterEqual(len(ours), 4)
            self.assertEqual(ours - {os.path.realpath(path) for path in found.files}, set())
            self.assertGreaterEqual(len(of(".bbappend")), 3)
            self.assertEqual(of(".bbappend") - found.appended, set(), "there is no stand-in for its recipe")

    def test_every_class_can_be_inherited(self):
        folder = os.path.join(self.folder, "inherit")
        os.mkdir(folder)
        classes = [os.path.basename(p)[:-8] for p in glob.glob(WORKSPACE + "/layers/meta-carveout/classes*/*.bbclass")]
        self.assertIn("carveout_rust", classes)
        for name in classes:
            with open(os.path.join(folder, "with-%s.bb" % name.replace("_", "-")), "w") as file:
                file.write("inherit %s\n" % name)
        found = self.parsed(more=folder + "/*.bb")
        self.assertEqual(found.said, [])
        for name in classes:
            self.assertTrue(found.recipes["with-" + name.replace("_", "-")])

    def test_every_variable_has_a_value(self):
        for name, d in self.parsed().recipes.items():
            for key in d.keys():
                if not key.startswith("__"):
                    try:
                        d.getVar(key)
                    except bb.data_smart.ExpansionError as error:
                        self.fail("%s: %s: %s" % (name, key, error))

    def test_every_download_has_its_sum(self):
        downloads = 0
        for name, d in self.parsed().recipes.items():
            urls = (d.getVar("SRC_URI") or "").split()
            for url, data in bb.fetch2.Fetch(urls, d).ud.items() if urls else []:
                if data.type == "file" or "example.invalid" in url:
                    continue
                downloads += 1
                self.assertRegex(data.sha256_expected or "", "^[0-9a-f]{64}$", "%s: %s" % (name, url))
        self.assertGreater(downloads, 50)

    def test_every_task_waits_for_tasks_that_are_there(self):
        found, waits = self.parsed().recipes, 0
        for name, d in found.items():
            for task in d.getVar("_task_deps")["tasks"]:
                for recipe, other in (entry.split(":") for entry in (d.getVarFlag(task, "depends") or "").split()):
                    if recipe in found:
                        waits += 1
                        self.assertIn(other, found[recipe].getVar("_task_deps")["tasks"], "%s: %s" % (name, task))
        self.assertGreaterEqual(waits, 4)

    def test_another_machine_has_none_of_it(self):
        found = self.parsed(MACHINE="qemuarm64")
        for name in ["carveout-bundle", "carveout-image", "echo-srv", "echo-srv-app", "small-echo-srv"]:
            self.assertIn("incompatible with machine", found.skipped[name])


class Values(ParseTest):
    def test_the_kernel_is_given_the_apps_in_their_order(self):
        machine = "jetson-agx-xavier-devkit"
        for apps in ["echo-srv small-echo-srv", "small-echo-srv echo-srv", "echo-srv"]:
            d = self.parsed(CARVEOUT_TRUSTED_APPS=apps, MACHINE=machine).recipes["trusty-l4t"]
            machine = "jetson-tx2-devkit"
            folder = d.getVar("STAGING_DATADIR") + "/trusted-os/ta/"
            elves = " ".join(folder + app + ".elf" for app in apps.split())
            self.assertEqual(d.getVar("EXTRA_OEMAKE"), "TARGET=t186 'TRUSTY_PREBUILT_USER_TASKS=%s'" % elves)
            self.assertEqual(d.getVar("DEPENDS").split(), ["gcc-arm-none-eabi-native"] + apps.split())

    def test_make_is_told_of_a_changed_list(self):
        d = self.parsed(CARVEOUT_TRUSTED_APPS="echo-srv").recipes["trusty-l4t"]
        elf, old = (os.path.join(self.folder, name) for name in ["echo-srv.elf", "b/obj/user_tasks.bin"])
        os.makedirs(os.path.dirname(old))
        d.setVar("B", os.path.join(self.folder, "b"))
        d.setVar("CARVEOUT_ELVES", elf)
        d.delVar("CARVEOUT_ELVES:tegra194")
        ran = self.run_task(d, "do_compile")
        self.assertEqual((ran.returncode, ran.stderr), (1, elf + " is missing: its recipe must inherit carveout_trusted_app\n"))
        for path in [elf, old]:
            open(path, "w").close()
        ran = self.run_task(d, "do_compile")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertIn("make TARGET=t186 TRUSTY_PREBUILT_USER_TASKS=" + elf, ran.stdout)
        self.assertFalse(os.path.exists(old))

    def test_the_kernels_symbols_are_installed(self):
        d = self.parsed().recipes["trusty-l4t"]
        tool = os.path.join(self.folder, "objcopy")
        with open(tool, "w") as file:
            file.write('#!/bin/sh\ntest "$1" = --strip-debug && cp "$2" "$3"\n')
        os.chmod(tool, 0o755)
        os.makedirs(d.getVar("B") + "/build-t186")
        open(d.getVar("B") + "/build-t186/lk.elf", "w").close()
        d.setVar("OBJCOPY", tool)
        ran = self.run_task(d, "do_install")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertTrue(os.path.isfile(d.getVar("D") + "/usr/share/trusted-os/lk.elf"))

    def test_the_carve_out_is_installed(self):
        self.installed("jetson-agx-xavier-devkit", "tegra194-mb1-bct-misc-l4t.cfg")

    def test_the_carve_out_of_tx2_is_installed(self):
        self.installed("jetson-tx2-devkit", "tegra186-mb1-bct-misc-si-l4t.cfg")

    def installed(self, machine, name):
        sizes = {"CARVEOUT_TZDRAM_SIZE": "32MiB", "CARVEOUT_TZDRAM_ALIGNMENT": "2MiB"}
        d = self.parsed(MACHINE=machine, **sizes).recipes["tegra-bootfiles"]
        sources, image = (os.path.join(self.folder, name) for name in "sd")
        os.mkdir(sources)
        open(os.path.join(sources, name), "w").close()
        tools = os.path.join(self.folder, "tools")
        os.mkdir(tools)
        with open(os.path.join(tools, "carveout"), "w") as file:
            file.write('#!/bin/sh\necho "$@" >&2\n')
        os.chmod(os.path.join(tools, "carveout"), 0o755)
        d.setVar("S", sources)
        d.setVar("D", image)
        ran = self.run_task(d, "do_install", 'PATH="%s:$PATH"' % tools)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        installed = os.path.join(image, "usr/share/tegraflash", name)
        asked = ["assemble", "boot-config", "--size", "32MiB", "--alignment", "2MiB", installed]
        self.assertEqual(ran.stderr.split(), asked)
        self.assertEqual(d.getVarFlag("do_install", "depends").split(), ["carveout-native:do_populate_sysroot"])

    def test_another_soc_keeps_its_own(self):
        d = self.parsed(MACHINE="jetson-nano-devkit").recipes
        self.assertNotIn("carveout", d["tegra-bootfiles"].getVar("do_install"))
        self.assertEqual(d["tegra-bootfiles"].getVarFlag("do_install", "depends") or "", "")
        self.assertEqual(d["trusty-l4t"].getVar("EXTRA_OEMAKE"), "TARGET=t186")

    def test_tasks_are_in_their_order(self):
        for name in ["echo-srv", "small-echo-srv", "echo-srv-app"]:
            d = self.parsed().recipes[name]
            parents = d.getVar("_task_deps")["parents"]
            for before, after in [
                ("do_unpack", "do_carveout_workspace"),
                ("do_carveout_workspace", "do_patch"),
                ("do_compile", "do_carveout_lock"),
                ("do_carveout_lock", "do_install"),
            ]:
                self.assertIn(before, parents[after], name)
            self.assertEqual("do_package" in parents, name == "echo-srv-app")
            self.assertEqual("do_install" in parents.get("do_carveout_check", []), name != "echo-srv-app")

    def test_a_trusted_app_is_built_for_the_kernels_loader(self):
        d = self.parsed().recipes["echo-srv"]
        flags = d.getVar("CARGO_BUILD_FLAGS")
        linker = "target.x86_64-unknown-linux-gnu.linker=\\'%s/linker-native-wrapper.sh\\'" % d.getVar("WRAPPER_DIR")
        own = ["--config", "target-applies-to-host=true", "--config", linker]
        self.assertEqual(flags.split(), "--target=armv7a-none-eabi --profile=ta --offline -p echo-srv".split() + own)
        for flag in ["-Clinker=rust-lld", "--remap-path-prefix=%s=" % d.getVar("WORKDIR")]:
            self.assertIn(flag, d.getVar("cargo_bin_do_compile"))
        self.assertEqual(d.getVar("PACKAGE_ARCH"), "tegra194")

    def test_a_trusted_app_is_installed_with_what_it_declares(self):
        tools = os.path.join(self.folder, "tools")
        os.mkdir(tools)
        # The last argument is what is read, and what stands behind --output what is written.
        stub = '#!/bin/sh\nfor from; do :; done\nwhile [ "$1" != --output ]; do echo "$1"; shift; done >&2\ncp "$from" "$2"\n'
        for name, text in [("carveout", stub), ("rustc", "#!/bin/sh\necho rustc 1.2.3\n")]:
            with open(os.path.join(tools, name), "w") as file:
                file.write(text)
            os.chmod(os.path.join(tools, name), 0o755)
        for sizes in [{}, {"CARVEOUT_MIN_HEAP[echo-srv]": "64KiB"}]:
            d = self.parsed(**sizes).recipes["echo-srv"]
            elf = d.getVar("CARGO_BINDIR") + "/echo-srv"
            declared = d.getVar("S") + "/apps/echo-srv/Cargo.toml"
            for path in [elf, declared]:
                os.makedirs(os.path.dirname(path))
                with open(path, "w") as file:
                    file.write(os.path.basename(path))
            for function in d.getVarFlag("do_compile", "postfuncs").split() + ["do_install"]:
                ran = self.run_task(d, function, 'PATH="%s:$PATH"' % tools)
                self.assertEqual(ran.returncode, 0, ran.stderr)
            asked = ["assemble", "app", "--declared", declared, "--min-heap=64KiB"] if sizes else []
            self.assertEqual(ran.stderr.split(), asked)
            self.assertEqual("carveout-native:" in (d.getVarFlag("do_install", "depends") or ""), bool(sizes))
            folder = d.getVar("D") + "/usr/share/trusted-os/ta/echo-srv."
            for end, text in [("elf", "echo-srv"), ("toml", "Cargo.toml"), ("rustc", "rustc 1.2.3\n")]:
                with open(folder + end) as file:
                    self.assertEqual(file.read(), text)

    def test_a_bundle_is_made_of_the_products_parts(self):
        d = self.parsed(CARVEOUT_TRUSTED_APPS="small-echo-srv").recipes["carveout-bundle"]
        for name in ["carveout-native", "tegra-bootfiles", "trusty-l4t", "small-echo-srv", "e2fsprogs-native"]:
            self.assertIn(name, d.getVar("DEPENDS").split())
        waits = d.getVarFlag("do_compile", "depends").split()
        expected = ["virtual/secure-os:do_deploy", "echo-srv-app:do_package_write_ipk"]
        self.assertEqual(waits, expected + ["carveout-image:do_image_complete"])
        d = self.parsed(CARVEOUT_IMAGE="").recipes["carveout-bundle"]
        self.assertNotIn("e2fsprogs-native", d.getVar("DEPENDS").split())
        self.assertNotIn("do_image_complete", d.getVarFlag("do_compile", "depends"))

    def test_sources_are_watched_where_they_lie(self):
        for name in ["echo-srv", "echo-srv-app"]:
            d = self.parsed().recipes[name]
            watched = d.getVarFlag("do_carveout_workspace", "file-checksums").split()
            self.assertGreater(len(watched), 3)
            for path in watched:
                self.assertTrue(os.path.exists(path.removesuffix(":True")), path)
            # BitBake's own way to run a task's function.
            bb.utils.mkdirhier(d.getVar("T"))
            bb.build.exec_func("do_carveout_workspace", d)
            self.assertTrue(os.path.isfile(d.getVar("S") + "/apps/%s/Cargo.toml" % name))

    def test_results_are_the_same_wherever_the_workspace_lies(self):
        """Else no shared state of one clone would serve another."""
        def hashes(workspace):
            recipes, found = self.parsed(workspace).recipes, {}
            for name in NAMES:
                d = recipes[name]
                # What OE-Core leaves out, too.
                left_out = {"TMPDIR", "TOPDIR", "BBPATH", "FILE", "PWD", "DL_DIR", "WORKDIR", "STAGING_DIR_NATIVE"}
                made_of = bb.data.generate_dependencies(d, left_out)
                _, base = bb.data.generate_dependency_hash(*made_of, left_out, d.getVar("FILE"))
                found.update((key.rsplit("/", 1)[1], value) for key, value in base.items())
            return found
        NAMES = ["echo-srv", "echo-srv-app", "trusty-l4t", "tegra-bootfiles", "carveout-native", "carveout-bundle"]
        here = hashes(WORKSPACE)
        elsewhere = hashes(self.copy("layers/meta-carveout/README.md", "# meta-carveout\n", "# elsewhere\n"))
        self.assertGreater(len(here), 40)
        self.assertEqual(elsewhere, here)

    def test_machines_of_one_soc_share_compiler_and_apps(self):
        """meta-rust-bin reads a machine's overrides, its name among them."""
        def hashes(machine):
            recipes, found = self.parsed(MACHINE=machine).recipes, {}
            for name, task in [("rust-bin-cross", "do_install"), ("echo-srv", "do_compile"), ("echo-srv-app", "do_compile")]:
                d = recipes[name]
                left_out = {"TMPDIR", "TOPDIR", "WORKDIR"}
                made_of = bb.data.generate_dependencies(d, left_out)
                _, base = bb.data.generate_dependency_hash(*made_of, left_out, d.getVar("FILE"))
                found[name] = base["%s:%s" % (d.getVar("FILE"), task)]
            return found
        one, other = [hashes(machine) for machine in MACHINES]
        self.assertEqual(one, other)

    def test_another_heap_is_another_result(self):
        found = set()
        for flag, size in [("HEAP", ""), ("HEAP", "64KiB"), ("HEAP", "128KiB"), ("STACK", "64KiB"), ("HEAP", "64KiB")]:
            d = self.parsed(**{"CARVEOUT_MIN_%s[echo-srv]" % flag: size}).recipes["echo-srv"]
            left_out = {"TMPDIR", "TOPDIR", "WORKDIR"}
            made_of = bb.data.generate_dependencies(d, left_out)
            _, base = bb.data.generate_dependency_hash(*made_of, left_out, d.getVar("FILE"))
            found.add(base[d.getVar("FILE") + ":do_install"])
        self.assertEqual(len(found), 4)

    def test_cargo_is_kept_from_the_network(self):
        d = self.parsed().recipes["echo-srv"]
        home = os.path.join(self.folder, "cargo-home")
        d.setVar("CARGO_HOME", home)
        ran = self.run_task(d, "do_configure")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        with open(home + "/config.toml") as file:
            text = '[source.crates-io]\nreplace-with = "bitbake"\n[source.bitbake]\ndirectory = "%s/bitbake"\n'
            self.assertEqual(file.read(), text % home)

    def test_the_image_has_the_client_apps(self):
        d = self.parsed(CARVEOUT_CLIENT_APPS="echo-srv-app").recipes["carveout-image"]
        self.assertEqual(d.getVar("IMAGE_INSTALL").split(), ["packagegroup-core-boot", "echo-srv-app"])
        self.assertIn("tegraflash", d.getVar("IMAGE_FSTYPES").split())
        self.assertEqual(d.getVar("PREFERRED_PROVIDER_virtual/secure-os"), "tos-trusty")


    def test_what_updates_a_running_device(self):
        recipes = self.parsed(INITRAMFS_IMAGE="small-initramfs").recipes
        tool = recipes["carveout-update"]
        self.assertEqual(tool.getVar("SYSTEMD_SERVICE:carveout-update"), "carveout-update.service")
        self.assertIn("nv_update_verifier.service.d", tool.getVar("do_install"))
        depends = lambda found: found["carveout-bundle"].getVarFlag("do_compile", "depends").split()
        self.assertIn("small-initramfs:do_image_complete", depends(recipes))
        bundled = self.parsed(INITRAMFS_IMAGE="small-initramfs", INITRAMFS_IMAGE_BUNDLE="1").recipes
        self.assertNotIn("small-initramfs:do_image_complete", depends(bundled))


class Failures(ParseTest):
    """Each is refused, and says why."""

    RECIPE = "recipes/echo-srv_0.1.0.bb"
    CLASSES = "layers/meta-carveout/classes/"

    def test_a_recipe_that_is_none(self):
        said = self.refused(self.copy(self.RECIPE, "inherit carveout_trusted_app\n", "inherit carveout_trusted_app\nthis is no line\n"))
        self.assertRegex(said, r"ParseError at .*/echo-srv_0\.1\.0\.bb:\d+.*unparsed line: 'this is no line'")

    def test_a_class_that_is_not_there(self):
        said = self.refused(self.copy(self.RECIPE, "inherit carveout_trusted_app", "inherit carveout_trusty_app"))
        self.assertIn("Could not inherit file classes/carveout_trusty_app.bbclass", said)

    def test_a_task_in_shell_that_is_none(self):
        said = self.refused(self.copy(self.CLASSES + "carveout_client_app.bbclass", "    install -D", "    if install -D"))
        self.assertIn("do_install", said)

    def test_a_task_in_python_that_is_none(self):
        said = self.refused(self.copy(self.CLASSES + "carveout_rust.bbclass", "    if strangers:\n", "    if strangers\n"))
        self.assertIn("do_carveout_lock", said)

    def test_an_inline_value_that_is_none(self):
        path = "layers/meta-carveout/recipes-bsp/trusty/trusty-l4t_%.bbappend"
        begin = "CARVEOUT_ELVES:tegra194 = \"${@' '.join('%s/trusted-os/ta/%s.elf' % ("
        said = self.refused(self.copy(path, *(begin + "d.%s('STAGING_DATADIR')" % name for name in ("getVar", "getVariable"))))
        self.assertIn("CARVEOUT_ELVES", said)

    def test_a_carve_out_that_cannot_be(self):
        for size, expected in [("107MiB", "allowed are 1MiB to 106MiB"), ("512KiB", "allowed are"), ("32M", "written 32MiB")]:
            said = self.refused(CARVEOUT_TZDRAM_SIZE=size)
            self.assertIn('CARVEOUT_TZDRAM_SIZE = "%s": ' % size, said)
            self.assertIn(expected, said)

    def test_an_app_that_no_one_knows(self):
        said = self.refused(CARVEOUT_TRUSTED_APPS="echo-srv ehco-srv")
        self.assertIn("CARVEOUT_TRUSTED_APPS: no recipe ehco-srv; there are carveout-stored, carveout-update, echo-srv,", said)

    def test_a_heap_that_cannot_be(self):
        for name, size, expected in [
            ("echo-srv", "128K", "allowed are 1 byte to less than 16MiB"),
            ("echo-srv", "${CARVEOUT_TZDRAM_SIZE}", "allowed are"),
            ("ehco-srv", "128KiB", "CARVEOUT_TRUSTED_APPS has no ehco-srv; it has echo-srv, small-echo-srv."),
        ]:
            said = self.refused(**{"CARVEOUT_MIN_HEAP[%s]" % name: size, "CARVEOUT_MIN_STACK[doc]": "No size."})
            self.assertIn('CARVEOUT_MIN_HEAP[%s] = "%s": ' % (name, size.replace("${CARVEOUT_TZDRAM_SIZE}", "16MiB")), said)
            self.assertIn(expected, said)
            self.assertNotIn("CARVEOUT_MIN_STACK", said)

    def test_a_stale_recipe(self):
        workspace = self.copy("recipes/echo-srv_0.1.0.bb", "/crc/3.4.0 ", "/crc/3.3.9 ")
        said = self.refused(workspace)
        self.assertIn("echo-srv_0.1.0.bb is stale, the workspace has no more: ", said)
        self.assertIn("crc 3.3.9. Run: cargo xtask recipes", said)

    def test_a_layer_for_another_release(self):
        said = self.refused(self.copy("layers/meta-carveout/conf/layer.conf", '= "kirkstone"', '= "dunfell"'))
        self.assertIn("Layer carveout is not compatible with the core layer", said)

    def test_a_layer_that_is_lacking(self):
        said = self.refused(self.copy("layers/meta-carveout/conf/layer.conf", "core tegra ", "core tegra tegra-community "))
        self.assertIn("depends on layer 'tegra-community'", said)


if __name__ == "__main__":
    unittest.main()
