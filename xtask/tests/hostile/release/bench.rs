//! A workspace, a key, bundles of its commit, and a folder that has one release: `release --bundle` in less than a second.

use crate::report::small;
use crate::report::small::test_program;
use bundle::{Manifest, PublicKey};
use carveout_field::release::fetch::{Wanted, newest};
use carveout_host::ui::{Ui, Verbosity};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const TZDRAM: u64 = 32 << 20;
pub const OLD: &str = "1.0.0";
pub const NEW: &str = "2.0.0";

/// What a process is to meet at its nth change of the folder: a signal, or an error of this number.
#[derive(Clone, Copy)]
pub enum Aim {
    Signal(i32),
    Error(i32),
}

pub struct Bench {
    dir: TempDir,
    pub key: PublicKey,
    revision: String,
}

pub fn name(version: &str) -> String {
    bundle::bundle_name("desk", version, "virt", trusty_image::Tzdram::of_size(TZDRAM).unwrap())
}

pub fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

fn ok(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", text(&output));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

impl Bench {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let workspace = dir.path().join("workspace");
        fs::create_dir_all(workspace.join("xtask")).unwrap();
        fs::write(workspace.join("Cargo.toml"), "").unwrap();
        fs::write(workspace.join("xtask/Cargo.toml"), "").unwrap();
        fs::write(workspace.join("Cargo.lock"), "\nname = \"trusty-image\"\n").unwrap();
        fs::write(workspace.join(".gitignore"), "/target\n").unwrap();
        let git = |arguments: &[&str]| {
            let who = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgSign=false"];
            ok(Command::new("git").current_dir(&workspace).args(who).args(arguments))
        };
        git(&["init", "--quiet"]);
        git(&["remote", "add", "origin", "https://git.example.com/team/product"]);
        git(&["add", "--all"]);
        git(&["commit", "--quiet", "-m", "all"]);
        let revision = git(&["rev-parse", "HEAD"]);
        let key = dir.path().join("key");
        ok(Command::new(env!("CARGO_BIN_EXE_xtask")).args(["key", "new"]).arg(&key).arg("--no-password"));
        let key = PublicKey::parse_file(&fs::read(dir.path().join("key.pub")).unwrap()).unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/hostile/release/aim.c");
        let aim = dir.path().join("aim.so");
        ok(Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(aim).arg(source).arg("-ldl"));
        let bench = Self { dir, key, revision };
        test_program(&bench.path("carveout"));
        for version in [OLD, NEW, "3.0.0"] {
            bench.bundle("bundles", version, |_| ());
        }
        bench.must(&bench.path("base"), OLD, &[]);
        bench
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn bundle(&self, folder: &str, version: &str, edit: impl FnOnce(&mut Manifest)) {
        let folder = self.path(folder);
        fs::create_dir_all(&folder).unwrap();
        small::write_with(&folder, version, TZDRAM, |manifest| {
            manifest.inputs.git_revision = Some(self.revision.clone());
            edit(manifest);
        });
    }

    /// A copy of the folder that has the old release.
    pub fn out(&self, name: &str) -> PathBuf {
        let out = self.path(name);
        copy(&self.path("base"), &out);
        out
    }

    pub fn command(&self, out: &Path, version: &str, more: &[&str]) -> Command {
        self.of(&self.path("bundles").join(format!("{}.tar.zst", name(version))), out, more)
    }

    pub fn of(&self, bundle: &Path, out: &Path, more: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.current_dir(self.path("workspace")).arg("release").arg("--bundle").arg(bundle);
        command.arg("--sign").arg(self.path("key")).arg("-o").arg(out).args(more);
        command.arg("--program").arg(self.path("carveout"));
        command.env_remove("CARGO_MANIFEST_DIR").env("XDG_STATE_HOME", self.path("state"));
        command.stdin(Stdio::null());
        command
    }

    pub fn must(&self, out: &Path, version: &str, more: &[&str]) -> String {
        let output = self.command(out, version, more).output().unwrap();
        assert!(output.status.success(), "{}", text(&output));
        text(&output)
    }

    /// The same, aimed at.
    pub fn aimed(&self, out: &Path, version: &str, more: &[&str], at: usize, aim: Aim) -> Output {
        let number = match aim {
            Aim::Signal(number) => number,
            Aim::Error(number) => -number,
        };
        let mut command = self.command(out, version, more);
        command.env("LD_PRELOAD", self.path("aim.so")).env("AIM_FOLDER", out);
        command.env("AIM_AT", at.to_string()).env("AIM_DO", number.to_string()).output().unwrap()
    }

    /// The changes of a run that nothing hits.
    pub fn calls(&self, out: &Path, version: &str, more: &[&str]) -> Vec<String> {
        let log = self.path("log");
        let _ = fs::remove_file(&log);
        let mut command = self.command(out, version, more);
        command.env("LD_PRELOAD", self.path("aim.so")).env("AIM_FOLDER", out).env("AIM_LOG", &log);
        ok(&mut command);
        fs::read_to_string(log).unwrap().lines().map(str::to_owned).collect()
    }

    /// The release that a client gets from the channel, by the key; verified.
    pub fn client(&self, out: &Path) -> Result<String, String> {
        let place = out.to_str().unwrap();
        // A client that has seen nothing: folders of one name are many channels here, one after the other.
        let state = tempfile::tempdir().unwrap();
        let wanted = Wanted { place, product: None, virt: true, downgrade: false, state: state.path() };
        let archive = newest(&wanted, Some(&self.key), &Ui::new(Verbosity::Quiet)).map_err(|e| e.message)?;
        let verified = carveout_field::verify::signed(&archive, Some(&self.key)).map_err(|e| e.message)?;
        Ok(verified.0.version)
    }

    /// Whether the release is there; it must be whole then.
    pub fn released(&self, out: &Path, version: &str) -> Result<bool, String> {
        let folder = out.join(name(version));
        if !folder.exists() {
            return Ok(false);
        }
        let read = |name: &str| fs::read(folder.join(name)).map_err(|e| format!("{name}: {e}"));
        let sums = read("SHA256SUMS")?;
        self.key.verify(&sums, &read("SHA256SUMS.minisig")?).map_err(|e| e.to_string())?;
        for line in String::from_utf8(sums).unwrap().lines() {
            let (sum, file) = line.split_once("  ").unwrap();
            if bundle::sha256(&read(file)?) != sum {
                return Err(format!("{file} is not whole"));
            }
        }
        Ok(true)
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (path, to) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, to).unwrap();
        }
    }
}

/// All files of a folder of releases with their digests; scratch, too.
pub fn tree(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            if path.is_dir() {
                found.insert(name, String::new());
                folders.push(path);
            } else {
                found.insert(name, bundle::sha256(&fs::read(path).unwrap()));
            }
        }
    }
    found
}

/// `of` numbers from 1 to `most`, spread.
pub fn spread(of: usize, most: usize) -> Vec<usize> {
    let mut numbers: Vec<usize> = (0..of).map(|n| 1 + n * (most - 1) / (of - 1).max(1)).collect();
    numbers.dedup();
    numbers
}

/// Waits for a process that must not hang.
pub fn within(mut child: std::process::Child, limit: Duration) -> Option<i32> {
    let start = std::time::Instant::now();
    while start.elapsed() < limit {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    panic!("it hangs");
}
