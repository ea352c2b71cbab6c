//! cargo: cross builds of TAs and client apps, helper programs, Debian packages.

pub mod lock;
mod messages;

use super::rust::cargo_home;
use super::{capture, run, shell};
use crate::error::{At, Result};
use crate::errors::{CargoError, ProgramError};
use crate::files::NewFile;
use crate::interrupt;
use crate::process;
use crate::process::Streams;
use crate::toolchain::Toolchain;
use crate::ui::Ui;
use cargo_metadata::Metadata;
use lock::CargoLock;
use messages::Messages;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::slice;
use std::sync::{Mutex, PoisonError};
use std::thread;
use xshell::{Cmd, cmd};

/// The cargo that runs us.
pub fn program() -> PathBuf {
    std::env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from)
}

/// How names of variables begin that cargo needs to find its things and to reach its registries.
const NEEDED: [&str; 27] = [
    "ALL_PROXY",
    "CARGO_HOME",
    "CARGO_HTTP_",
    "CARGO_NET_",
    "CARGO_REGISTR",
    "CARGO_SOURCE_",
    "CARGO_TERM_",
    "GIT_",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "LOGNAME",
    "NO_PROXY",
    "PATH",
    "RUSTUP_",
    "SSH_",
    "SSL_CERT_",
    "TERM",
    "TMPDIR",
    "USER",
    "XDG_",
    "all_proxy",
    "http_proxy",
    "https_proxy",
    "no_proxy",
];

/// Leaves a command no variable of the environment that could change what cargo builds: neither its own nor one that a build script or
/// `env!` reads. What is built does not depend on who builds it.
fn clean(cmd: Cmd) -> Cmd {
    let names = std::env::vars_os().map(|(name, _)| name);
    let needed = |name: &str| NEEDED.iter().any(|needed| name.starts_with(needed));
    names.filter(|name| !needed(&name.to_string_lossy())).fold(cmd, Cmd::env_remove)
}

/// What gives crates the same metadata wherever they lie: cargo calls it in rustc's place.
const STABLE: &str = include_str!("rustc-stable.sh");
/// The variable by which it gets flags more, and what stands between them.
const REMAPS: &str = "CARVEOUT_REMAPS";
const SEPARATOR: &str = "\x1f";
/// Mode of programs.
const PROGRAM: u32 = 0o755;
/// The crate of ours by which [`carveout`] is found, and where it lies in our repository.
const OURS: (&str, &str) = ("carveout-host", "crates/carveout-host");

/// Whether a folder is a clone of carveout.
pub fn is_carveout(folder: &Path) -> bool {
    folder.join(OURS.1).join("Cargo.toml").is_file()
}

/// Where carveout's own sources lie: the workspace itself, or where cargo has put the crates that it depends on.
pub fn carveout(root: &Path) -> Result<PathBuf> {
    static KNOWN: Mutex<BTreeMap<PathBuf, PathBuf>> = Mutex::new(BTreeMap::new());
    if is_carveout(root) {
        return Ok(root.into());
    }
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known.get(root) {
        return Ok(found.clone());
    }
    let metadata = metadata(&root.join("Cargo.toml"), &["--locked"])?;
    let ours = metadata.packages.iter().find(|package| package.name.as_str() == OURS.0);
    let sources = ours.and_then(|package| package.manifest_path.ancestors().nth(3));
    let sources: PathBuf =
        sources.map(Into::into).ok_or_else(|| CargoError::NoCarveout { root: root.into() })?;
    known.insert(root.into(), sources.clone());
    Ok(sources)
}

/// What cargo knows of the workspace of a manifest.
pub fn metadata(manifest: &Path, options: &[&str]) -> Result<Metadata> {
    let (sh, cargo) = (process::shell(Path::new("."))?, program());
    let cmd = cmd!(sh, "{cargo} metadata --format-version 1 --manifest-path {manifest} {options...}");
    let output = process::output(cmd, None).map_err(|unstarted| unstarted.of("cargo metadata"))?;
    interrupt::check()?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        // One that was killed says nothing.
        let said = if said.is_empty() { output.status.to_string() } else { said };
        return Err(CargoError::NoMetadata { said }.into());
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|e| CargoError::UnreadableMetadata { source: e.into() }.into())
}

/// What is linked into a package, itself first: a line each, name, `v` and version, behind a `|` the licence.
pub fn tree(root: &Path, package: &str, triple: &str, offline: bool) -> Result<String> {
    tree_of(root, &[package], triple, offline, ["normal,no-proc-macro", "{p}|{l}"])
}

/// What cargo tells of packages and of all that they depend on by these edges, in this format.
fn tree_of(
    root: &Path,
    packages: &[&str],
    triple: &str,
    offline: bool,
    [edges, format]: [&str; 2],
) -> Result<String> {
    let (sh, cargo) = (shell(root)?, program());
    let offline = offline.then_some("--offline");
    let packages = packages.iter().flat_map(|package| ["--package", *package]);
    let kinds = ["--edges", edges, "--prefix", "none", "--format", format];
    let cmd = cmd!(sh, "{cargo} tree --locked {offline...} {packages...} --target {triple} {kinds...}");
    capture("cargo tree", clean(cmd))
}

/// Whether one call of cargo compiles these packages as a call for each does. In one call the crates that they share get the features that
/// any of them wants, and another feature may give other bytes.
pub fn share_features(root: &Path, packages: &[&str], triple: &str, offline: bool) -> Result<bool> {
    let features = |packages: &[&str]| -> Result<BTreeSet<String>> {
        let tree = tree_of(root, packages, triple, offline, ["normal,build", "{p} {f}"])?;
        // An empty line is between two packages.
        let lines = tree.lines().filter(|line| !line.is_empty());
        Ok(lines.map(|line| line.trim_end_matches(" (*)").to_owned()).collect())
    };
    let features = &features;
    thread::scope(|scope| {
        let alone = packages.iter().map(|package| scope.spawn(move || features(slice::from_ref(package))));
        let alone: Vec<_> = alone.collect();
        let together = features(packages)?;
        let mut each = BTreeSet::new();
        for thread in alone {
            each.extend(thread.join().unwrap_or_else(|_| Ok(BTreeSet::new()))?);
        }
        Ok(each == together)
    })
}

/// A cross build of one package.
pub struct CrossBuild<'a> {
    /// The workspace.
    pub root: &'a Path,
    /// What to build.
    pub package: &'a str,
    /// Profile of the workspace's Cargo.toml.
    pub profile: &'a str,
    /// cargo's folder for intermediate files.
    pub target_dir: &'a Path,
    /// With what.
    pub toolchain: &'a Toolchain,
    /// Whether the network may be used.
    pub offline: bool,
    /// Shows the compiler's warnings.
    pub ui: &'a Ui,
}

impl CrossBuild<'_> {
    /// Builds and returns the path of the program that has the package's name.
    pub fn run(&self, log: &Path) -> Result<PathBuf> {
        let path = self.folder(log)?.join(self.package);
        path.metadata().at(&path)?;
        Ok(path)
    }

    /// Builds and returns the folder with the package's programs.
    pub fn folder(&self, log: &Path) -> Result<PathBuf> {
        self.together(&[self.package], log)
    }

    /// Builds several packages in one call, this one or not; see [`share_features`].
    pub fn together(&self, packages: &[&str], log: &Path) -> Result<PathBuf> {
        let sh = shell(self.root)?;
        let Toolchain { triple, linker, .. } = self.toolchain;
        let variable = triple.to_uppercase().replace('-', "_");
        let (cargo, profile) = (program(), self.profile);
        let selected = packages.iter().flat_map(|package| ["--package", *package]);
        let std = self.toolchain.build_std().map(|crates| format!("-Zbuild-std={crates}"));
        let offline = self.offline.then_some("--offline");
        fs::create_dir_all(self.target_dir).at(self.target_dir)?;
        let wrapper = self.target_dir.join("rustc-stable.sh");
        if fs::read_to_string(&wrapper).ok().as_deref() != Some(STABLE) {
            let new = NewFile::create(&wrapper, PROGRAM)?;
            new.file().write_all(STABLE.as_bytes()).at(&wrapper)?;
            new.publish()?;
        }
        let remaps = self.toolchain.remaps(self.root, &carveout(self.root)?, &registries(self.root)?);
        let cmd = cmd!(
            sh,
            "{cargo} build --locked {offline...} {selected...} --profile {profile} --target {triple} {std...} --message-format json"
        );
        let cmd = clean(cmd)
            .envs(self.toolchain.environment())
            .env(format!("CARGO_TARGET_{variable}_LINKER"), linker)
            .env("CARGO_ENCODED_RUSTFLAGS", self.toolchain.rustflags().join(SEPARATOR))
            .env("RUSTC_WRAPPER", &wrapper)
            .env(REMAPS, remaps.join(SEPARATOR))
            .env("CARGO_TARGET_DIR", self.target_dir);
        compile(&format!("building {}", packages.join(", ")), cmd, log, self.ui)?;
        Ok(self.target_dir.join(triple).join(profile))
    }
}

/// Builds a package of the workspace for this host, in a profile of cargo's: `release`, or `dev`, which is there sooner.
pub fn build_for_host(
    root: &Path,
    package: &str,
    profile: &str,
    target_dir: &Path,
    log: &Path,
    ui: &Ui,
) -> Result<()> {
    let sh = shell(root)?;
    let cargo = program();
    let cmd =
        cmd!(sh, "{cargo} build --profile {profile} --locked --package {package} --message-format json");
    compile(&format!("building {package}"), clean(cmd).env("CARGO_TARGET_DIR", target_dir), log, ui)
}

/// Runs a build of cargo's that prints messages in JSON: warnings are shown when they come, errors are in the error.
fn compile(what: &str, cmd: Cmd, log: &Path, ui: &Ui) -> Result<()> {
    let mut file = crate::files::log(log)?;
    writeln!(file, "$ {cmd}").at(log)?;
    let errors = file.try_clone().at(log)?;
    let streams = Streams { stdout: Stdio::piped(), stderr: errors.into(), ..Streams::default() };
    let mut running = process::start(cmd, streams).map_err(|unstarted| unstarted.of(what))?;
    let mut messages = Messages::default();
    if let Some(stdout) = running.stdout() {
        messages.read(BufReader::new(stdout), &mut file, ui).at(log)?;
    }
    let status = running.wait().map_err(|source| ProgramError::NoStatus { task: what.into(), source })?;
    interrupt::check()?;
    if status.success() {
        return Ok(());
    }
    let tail = super::tail(log);
    let shown = messages.errors().unwrap_or_else(|| tail.clone());
    Err(super::diagnose(what, status, &shown, log, &tail))
}

/// The folders of cargo's registries that hold crates of this workspace. Others are of other projects, and shape nothing here.
pub fn registries(root: &Path) -> Result<Vec<PathBuf>> {
    let lock = CargoLock::read(root)?;
    Ok(cargo_home().map_or_else(Vec::new, |home| registries_of(&home.join("registry/src"), &lock)))
}

fn registries_of(sources: &Path, lock: &CargoLock) -> Vec<PathBuf> {
    let of_others = lock.package.iter().filter(|package| package.checksum.is_some());
    let names: Vec<String> = of_others.map(|p| format!("{}-{}", p.name, p.version)).collect();
    let folders = fs::read_dir(sources).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> =
        folders.filter(|folder| names.iter().any(|name| folder.join(name).is_dir())).collect();
    found.sort();
    found
}

/// Where a helper program is or will be.
pub fn helper_path(root: &Path, name: &str, version: &str) -> PathBuf {
    root.join(format!("{name}-{version}")).join("bin").join(name)
}

/// A published program, pinned, in a folder of ours. Built once, without optimisation, checks and what debuggers and unwinding read, which
/// takes a quarter less time: they run for moments.
pub fn helper(root: &Path, name: &str, version: &str, offline: bool, log: &Path) -> Result<PathBuf> {
    let program_path = helper_path(root, name, version);
    if program_path.exists() {
        return Ok(program_path);
    }
    if offline {
        return Err(CargoError::HelperOffline { name: name.into(), version: version.into() }.into());
    }
    fs::create_dir_all(root).at(root)?;
    let _lock = crate::files::lock(&root.join(".lock"))?;
    let sh = shell(root)?;
    let (cargo, build, folder) = (program(), root.join("build"), root.join(format!("{name}-{version}")));
    let cmd = cmd!(sh, "{cargo} install {name} --locked --debug --version {version} --root {folder}");
    let cmd = clean(cmd).env("CARGO_TARGET_DIR", &build).env("CARGO_PROFILE_DEV_DEBUG", "0");
    let cmd = cmd.env("CARGO_PROFILE_DEV_DEBUG_ASSERTIONS", "false").env("CARGO_PROFILE_DEV_PANIC", "abort");
    // Fewer of them do the same work once, not again for each.
    let cmd =
        cmd.env("CARGO_PROFILE_DEV_OVERFLOW_CHECKS", "false").env("CARGO_PROFILE_DEV_CODEGEN_UNITS", "1");
    run(&format!("installing {name}"), cmd, log)?;
    // Gigabytes that nobody needs again; if another xtask was first, there are none.
    let _ = fs::remove_dir_all(&build);
    Ok(program_path)
}

/// Packs a client app that has been built, by its `[package.metadata.deb]`.
pub fn deb(cargo_deb: &Path, build: &CrossBuild, epoch: u64, out: &Path, log: &Path) -> Result<PathBuf> {
    let sh = shell(build.root)?;
    let (package, profile, triple) = (build.package, build.profile, &build.toolchain.triple);
    // The slash makes it a folder for cargo-deb.
    let output = format!("{}/", out.display());
    let cmd = cmd!(
        sh,
        "{cargo_deb} --package {package} --no-build --no-strip --no-dbgsym --target {triple} --profile {profile}
         --output {output}"
    );
    let cmd =
        clean(cmd).env("SOURCE_DATE_EPOCH", epoch.to_string()).env("CARGO_TARGET_DIR", build.target_dir);
    run(&format!("packing {package}"), cmd, log)?;
    let entries = fs::read_dir(out).at(out)?.flatten().map(|e| e.path());
    let mut debs = entries.filter(|path| path.extension().is_some_and(|e| e == "deb"));
    debs.next().ok_or_else(|| CargoError::NoPackage { folder: out.into() }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registries_of_other_projects_do_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        let package = "[[package]]\nname = \"one\"\nversion = \"1.0.0\"\n";
        let text = format!("{package}source = \"registry+x\"\nchecksum = \"00\"\n");
        fs::write(path("Cargo.lock"), text).unwrap();
        for folder in
            ["src/index-2/one-1.0.0", "src/mirror-1/one-1.0.0", "src/index-1/one-1.0.1", "src/bin/x"]
        {
            fs::create_dir_all(path(folder)).unwrap();
        }
        let lock = CargoLock::read(dir.path()).unwrap();
        assert_eq!(registries_of(&path("src"), &lock), [path("src/index-2"), path("src/mirror-1")]);
        assert!(registries_of(&path("none"), &lock).is_empty());
    }

    #[test]
    fn packages_are_compiled_together_if_that_changes_no_feature() {
        let dir = tempfile::tempdir().unwrap();
        let write = |package: &str, more: &str| {
            let folder = dir.path().join(package);
            fs::create_dir_all(folder.join("src")).unwrap();
            fs::write(folder.join("src/lib.rs"), "").unwrap();
            let head = format!("[package]\nname = '{package}'\nversion = '1.0.0'\nedition = '2024'\n");
            fs::write(folder.join("Cargo.toml"), head + more).unwrap();
        };
        fs::write(dir.path().join("Cargo.toml"), "[workspace]\nmembers = ['*']\nresolver = '3'\n").unwrap();
        write("wire", "[features]\nlong = []\n");
        write("one", "[dependencies]\nwire.path = '../wire'\n");
        let same = |other: &str| {
            write("two", other);
            let (sh, cargo) = (shell(dir.path()).unwrap(), program());
            cmd!(sh, "{cargo} generate-lockfile --offline").quiet().ignore_stderr().run().unwrap();
            share_features(dir.path(), &["one", "two"], "armv7a-none-eabi", true).unwrap()
        };
        assert!(same("[dependencies]\nwire.path = '../wire'\n"));
        assert!(!same("[dependencies]\nwire = { path = '../wire', features = ['long'] }\n"));
        // What tests alone want is not built.
        assert!(same("[dev-dependencies]\nwire = { path = '../wire', features = ['long'] }\n"));
    }
}
