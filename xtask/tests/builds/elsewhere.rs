//! Builds in another folder, as another kind of user would run them.

use crate::builds::util::{Ran, root, run, take_host_parts};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A name that can be in no output by accident.
pub const HOST_NAME: &str = "carveout-build-host-7q3";
/// Where results of stages are, in a workspace.
const STAGES: &str = "target/carveout/stages";

/// A copy of the work tree, uncommitted changes included, with git's history, in a folder of `dir`.
pub struct Elsewhere(pub PathBuf);

impl Elsewhere {
    pub fn new(dir: &Path) -> Self {
        let (root, to) = (root(), dir.join("a folder/one deeper/clone"));
        let (from, to_text) = (root.to_str().unwrap(), to.to_str().unwrap());
        run("git", ["-c", "safe.directory=*", "clone", "--quiet", from, to_text]).ok();
        for kind in [&["-co"][..], &["-d"]] {
            let mut command = Command::new("git");
            command.current_dir(&root).args(["-c", "safe.directory=*", "ls-files", "-z"]);
            command.arg("--exclude-standard").args(kind);
            for name in Ran::new(&mut command).ok().split('\0').filter(|n| !n.is_empty()) {
                let (source, copy) = (root.join(name), to.join(name));
                if source.exists() {
                    fs::create_dir_all(copy.parent().unwrap()).unwrap();
                    fs::copy(source, copy).unwrap();
                } else {
                    fs::remove_file(copy).unwrap();
                }
            }
        }
        let elsewhere = Self(to);
        // Compilers and helper programs are downloads, not what is compared.
        for downloaded in ["target/toolchains", "target/carveout/tools"] {
            if root.join(downloaded).exists() {
                elsewhere.copy(&root.join(downloaded), downloaded);
            }
        }
        take_host_parts(&elsewhere.0);
        elsewhere
    }

    fn place(&self, name: &str) -> PathBuf {
        let place = self.0.join(name);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        place
    }

    fn copy(&self, from: &Path, name: &str) {
        run("cp", ["-a".as_ref(), from.as_os_str(), self.place(name).as_os_str()]).ok();
    }

    /// Takes the base of a root filesystem over, so that it is not built.
    pub fn take_base(&self, base: &Path) {
        let digest = base.file_name().unwrap().to_str().unwrap();
        self.copy(base, &format!("{STAGES}/rootfs-base/{digest}"));
    }

    /// Uses the results of a stage that are there, and leaves those here that it builds.
    pub fn share_stage(&self, name: &str) {
        let shared = root().join(STAGES).join(name);
        fs::create_dir_all(&shared).unwrap();
        symlink(shared, self.place(&format!("{STAGES}/{name}"))).unwrap();
    }

    /// `cargo xtask …` in that folder. The program is the one that is there: it is no part of what it builds.
    pub fn xtask(&self, arguments: &[&str]) -> Ran {
        let script = "umask 077; if [ \"$(id -u)\" = 0 ]; then hostname \"$1\"; fi; shift; exec \"$@\"";
        let mut command = if run("id", ["-u"]).ok() == "0" {
            let mut command = Command::new("unshare");
            command.arg("--uts");
            command.arg("sh");
            command
        } else {
            Command::new("sh")
        };
        command.args(["-c", script, "sh", HOST_NAME, env!("CARGO_BIN_EXE_xtask")]);
        command.args(arguments).current_dir(&self.0);
        without_cargos_variables(&mut command);
        command.env("CARGO_MANIFEST_DIR", self.0.join("xtask"));
        for (name, value) in [("TZ", "Asia/Kathmandu"), ("LANG", "tr_TR.UTF-8"), ("CARGO_BUILD_JOBS", "1")] {
            command.env(name, value);
        }
        Ran::new(command.env_remove("LC_ALL"))
    }
}

/// Those of the cargo that runs this test.
fn without_cargos_variables(command: &mut Command) {
    let names = std::env::vars().map(|(name, _)| name);
    for name in names.filter(|name| name.starts_with("CARGO_") && !name.ends_with("HOME")) {
        command.env_remove(name);
    }
}

/// The base that a root filesystem was made of: the result of a stage, which is named by what was found in it. Where builds of different
/// inputs have given the same base, each of them is there.
pub fn bases_of(rootfs: &Path) -> Vec<PathBuf> {
    let record = |stage: &Path| -> Value {
        serde_json::from_slice(&fs::read(stage.join(".stage.json")).unwrap()).unwrap()
    };
    let content = &record(rootfs)["inputs"]["base"];
    let stages = rootfs.parent().unwrap().with_file_name("rootfs-base");
    let results = fs::read_dir(&stages).unwrap().flatten().map(|entry| entry.path());
    let results = results.filter(|path| path.join(".stage.json").exists());
    let bases: Vec<PathBuf> = results.filter(|base| record(base)["content"] == *content).collect();
    assert!(!bases.is_empty(), "{} has no base of {content}", stages.display());
    bases
}
