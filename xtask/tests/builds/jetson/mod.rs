//! Whole builds and flashes for Jetson AGX Xavier, with nothing of NVIDIA's: its BSP, its sources and the boards are stand-ins
//! of ours (`standin/`), which take the same calls, make files of the same names and forms, and go wrong as the real ones do.

mod boards;
mod build;
mod card;
mod device;
mod engine;
mod errors;
mod flash;
mod independent;
mod kept;
mod layouts;
mod own_ekb;
mod products;
mod real;
mod sources;
mod standin;
mod traced;
mod vendor;

use crate::builds::util::{Ran, root, run};
use sources::Sources;
use standin::{Bsp, program, put};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The board's name in configs and on the command line.
const BOARD: &str = "jetson-agx-xavier";
/// What a host of CI need not have: programs that NVIDIA's real scripts and sources call, and the stand-ins do not.
const PROGRAMS: [&str; 4] = ["arm-none-eabi-gcc", "arm-none-eabi-ld", "xmllint", "uuidgen"];

/// A person's machine with a BSP and sources, on which no licence has been accepted yet.
pub struct Machine {
    dir: TempDir,
    pub bsp: Bsp,
    pub sources: Sources,
}

impl Machine {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in PROGRAMS {
            program(&at("bin").join(name), &format!("#!/bin/sh\necho '{name} (stand-in) 1.0'\n"));
        }
        let (bsp, sources) = (Bsp::write(&at("Linux_for_Tegra")), Sources::write(&at("sources")));
        Self { bsp, sources, dir }
    }

    /// A path on it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A product config: the desk's with another `trusted_apps` or `l4t` part, for one module alone to be quick.
    pub fn product(&self, trusted_apps: &str, l4t: &str) -> String {
        let path = self.path("product.yaml");
        let modules = if l4t.contains("modules") { "" } else { "modules: [32gb], " };
        let text = format!(
            "name: product\nversion: 1.0.0\nboard: {BOARD}\ntzdram: {{ size: 32MiB }}\n\
             trusted_apps: [{trusted_apps}]\nl4t: {{ {modules}{l4t} }}\n"
        );
        put(&path, text);
        path.display().to_string()
    }

    /// Our own program, as it is run on this machine.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        let path = std::env::var_os("PATH").unwrap();
        let path = [self.path("bin")].into_iter().chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(path).unwrap()).env("XDG_STATE_HOME", self.path("state"));
        command.env_remove("CARVEOUT_L4T_BSP").env_remove("CARVEOUT_L4T_SOURCES");
        command.args(arguments).current_dir(root());
        command
    }

    /// Arguments of `image` without root filesystem, with BSP and sources.
    pub fn arguments(&self, more: &[&str]) -> Vec<String> {
        let [bsp, sources] = [&self.bsp.dir, &self.sources.dir].map(|path| path.display().to_string());
        let mut arguments: Vec<&str> = vec!["image", "--board", BOARD, "--without", "rootfs"];
        for (option, value) in [("--bsp", &bsp), ("--sources", &sources)] {
            if !more.contains(&option) {
                arguments.extend([option, value]);
            }
        }
        arguments.extend(more);
        arguments.into_iter().map(str::to_owned).collect()
    }

    /// Builds, once the licence is accepted. The last line of stdout is the bundle's folder.
    pub fn image(&self, more: &[&str]) -> Ran {
        self.image_into(&self.path("out"), more)
    }

    /// The same into another folder.
    pub fn image_into(&self, out: &Path, more: &[&str]) -> Ran {
        let more = [more, &["--accept-license", "-o", out.to_str().unwrap()]].concat();
        Ran::new(&mut self.command(self.arguments(&more)))
    }

    /// Builds, and must be refused with this exit code and these words. Neither tree has changed then, and no bundle is there.
    pub fn refuses(&self, code: i32, more: &[&str], words: &[&str]) -> String {
        let before = self.trees();
        let error = self.image(more).fails(code);
        for word in words {
            assert!(error.contains(word), "{word} in {error}");
        }
        assert_eq!(self.trees(), before, "{error}");
        let left: Vec<_> = fs::read_dir(self.path("out")).into_iter().flatten().flatten().collect();
        assert!(left.is_empty(), "{left:?}");
        error
    }

    /// All that `ls` and `sha256sum` say of both trees.
    pub fn trees(&self) -> String {
        [&self.bsp.dir, &self.sources.dir].map(|tree| sums(tree)).concat()
    }
}

/// NVIDIA's real BSP and sources, where the environment names them; a test that needs them says that it is skipped.
fn real_trees() -> Option<[PathBuf; 2]> {
    let trees = ["CARVEOUT_L4T_BSP", "CARVEOUT_L4T_SOURCES"]
        .map(|variable| std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from));
    let [Some(bsp), Some(sources)] = trees else {
        eprintln!("skipped: CARVEOUT_L4T_BSP and CARVEOUT_L4T_SOURCES name no real BSP and sources");
        return None;
    };
    Some([bsp, sources])
}

/// A bundle of them for a board, with 32 MiB and without root filesystem, in a folder.
fn real_bundle(board: &str, folder: &Path, more: &[&str]) -> PathBuf {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["image", "--board", board, "--without", "rootfs", "--tzdram", "32MiB", "--accept-license"]);
    command.args(more).arg("-o").arg(folder).env("XDG_STATE_HOME", folder.join("state")).current_dir(root());
    PathBuf::from(Ran::new(&mut command).ok())
}

/// All that `find` and `sha256sum` say of a tree: names, kinds, modes, times, contents.
pub fn sums(tree: &Path) -> String {
    let script = "cd \"$1\" && find . -printf '%P %y %m %s %T@ %l\\n' | sort && \
                  find . -type f -print0 | sort -z | xargs -0 sha256sum";
    run("sh", ["-c".as_ref(), script.as_ref(), "sh".as_ref(), tree.as_os_str()]).ok()
}
