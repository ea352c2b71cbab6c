"""BitBake's own parser on the layer, for parse_layer.py: the workspace is its first argument."""


import contextlib
import glob
import logging
import os
import shutil
import subprocess
import sys
import tempfile
import types
import unittest

# The library's package lacks them, and only builds use them: to share results, and to number packages.
for name in ["hashserv", "hashserv.client", "prserv", "prserv.serv"]:
    sys.modules[name] = types.ModuleType(name)

import bb  # noqa: E402
import bb.cooker
import bb.cookerdata
import bb.fetch2
import bb.parse

WORKSPACE = os.path.realpath(sys.argv.pop(1))
STAND_IN = os.path.join(os.path.dirname(os.path.realpath(__file__)), "oe-stand-in")
# meta-tegra's machine, and the layer's own.
OWN = glob.glob(WORKSPACE + "/layers/meta-carveout/conf/machine/*.conf")
MACHINES = ["jetson-agx-xavier-devkit"] + [os.path.basename(path)[:-5] for path in OWN]


class Refused(Exception):
    """BitBake's own words for why it goes no further."""


class Words(logging.Handler):
    """What BitBake warns of, and worse."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.said = []

    def emit(self, record):
        self.said.append(record.getMessage() + (str(record.exc_info[1]) if record.exc_info else ""))


@contextlib.contextmanager
def words():
    """What BitBake says meanwhile. It ends in Refused where BitBake ends."""
    heard, logger = Words(), logging.getLogger("BitBake")
    logger.addHandler(heard)
    logger.propagate = False
    try:
        yield heard.said
    except Exception as error:
        raise Refused("\n".join(heard.said + ["%s: %s" % (type(error).__name__, error)])) from error
    finally:
        logger.removeHandler(heard)


class Parsed:
    """A configuration, and the recipes that it has."""

    def __init__(self, build, workspace, local, more=""):
        self.workspace = workspace
        os.makedirs(os.path.join(build, "conf"))
        layer = os.path.join(workspace, "layers/meta-carveout")
        with open(os.path.join(build, "conf/bblayers.conf"), "w") as file:
            file.write('BBPATH = "${TOPDIR}"\nBBLAYERS = "%s %s"\nBBFILES = "%s"\n' % (STAND_IN, layer, more))
        with open(os.path.join(build, "conf/local.conf"), "w") as file:
            file.writelines('%s = "%s"\n' % setting for setting in local.items())
        os.chdir(build)
        # Another workspace has modules of its own.
        for name in [name for name in sys.modules if name.split(".")[0] == "carveout"]:
            del sys.modules[name]
        sys.path[:] = [folder for folder in sys.path if not folder.endswith("meta-carveout/lib")]
        self.recipes, self.skipped, self.appended = {}, {}, set()
        with words() as self.said:
            self.builder = bb.cookerdata.CookerDataBuilder(bb.cookerdata.CookerConfiguration())
            self.builder.parseBaseConfiguration()
            self.config = self.builder.data
            layers = types.SimpleNamespace(data=self.config)
            bb.cooker.BBCooker.handleCollections(layers, self.config.getVar("BBFILE_COLLECTIONS"))
            self.collection = bb.cooker.CookerCollectFiles(layers.bbfile_config_priorities)
            self.files = self.collection.collect_bbfiles(self.config, self.config)[0]
            for path in self.files:
                self.parse(path)

    def parse(self, path):
        appends = self.collection.get_file_appends(path)
        self.appended.update(appends)
        layer = self.collection.calc_bbfile_priority(path)[2]
        for variant, d in self.builder.parseRecipeVariants(path, appends, layername=layer).items():
            name = os.path.basename(path).split("_")[0].removesuffix(".bb") + ("-" + variant if variant else "")
            if d.getVar("__SKIPPED"):
                self.skipped[name] = d.getVar("__SKIPPED")
            else:
                self.recipes[name] = d


class ParseTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        self.folder, self.builds = folder.name, 0

    def parsed(self, workspace=WORKSPACE, more="", **local):
        self.builds += 1
        return Parsed(os.path.join(self.folder, "build%d" % self.builds), workspace, local, more)

    def refused(self, workspace=WORKSPACE, **local):
        with self.assertRaises(Refused) as caught:
            self.parsed(workspace, **local)
        return str(caught.exception)

    def copy(self, change, old, new):
        """A copy of the layer and the recipes with one change."""
        workspace = os.path.join(self.folder, "workspace%d" % self.builds)
        for folder in ["layers/meta-carveout", "recipes"]:
            shutil.copytree(os.path.join(WORKSPACE, folder), os.path.join(workspace, folder))
        for name in ["Cargo.toml", "Cargo.lock", "apps", "crates", "examples", "xtask"]:
            os.symlink(os.path.join(WORKSPACE, name), os.path.join(workspace, name))
        path = os.path.join(workspace, change)
        with open(path) as file:
            text = file.read()
        self.assertEqual(text.count(old), 1, "%s in %s" % (old, change))
        with open(path, "w") as file:
            file.write(text.replace(old, new))
        return workspace

    def run_task(self, d, task, before=""):
        """Runs a shell task as BitBake writes it down."""
        path = os.path.join(self.folder, task)
        with open(path, "w") as file:
            file.write('bbfatal() { echo "$*" >&2; exit 1; }\nset -e\n')
            bb.data.emit_func(task, file, d)
            file.write("%s\n%s\n" % (before, task))
        return subprocess.run(["sh", path], capture_output=True, text=True)
