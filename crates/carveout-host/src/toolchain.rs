//! Rust for targets that a host's toolchain has no standard library for.
//!
//! In this order: a target that rustup has; what is provisioned already; `rustup target add`; Debian's packages,
//! downloaded and unpacked into `target/toolchains` (never installed: they conflict with rustup). From Debian a TA's
//! core library is built from source. `CARVEOUT_TOOLCHAIN=rustup` or `=debian` allows one way only.

mod debian;

use crate::error::{At, Result};
use crate::errors::ToolchainError;
use crate::tools::{run, rust, shell};
use crate::ui::Ui;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};
use xshell::cmd;

/// What is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RustTarget {
    /// TAs: ARMv7-A without an OS.
    TrustedApp,
    /// Client apps: static programs for Linux on aarch64.
    ClientApp,
    /// What boots a secure-os image in QEMU: AArch64 without an OS and without floating point, which is the kernel's.
    Firmware,
    /// carveout itself, for who has no Rust: a static program for Linux on x86-64.
    Program,
    /// The emulator for a package: the same with the C library of the host. Its engine is built as a shared library, too, and flags of
    /// static programs break that.
    Emulator,
}

impl RustTarget {
    /// Rust's name.
    pub fn triple(self) -> &'static str {
        match self {
            Self::TrustedApp => "armv7a-none-eabi",
            Self::ClientApp => "aarch64-unknown-linux-gnu",
            Self::Firmware => "aarch64-unknown-none-softfloat",
            Self::Program | Self::Emulator => "x86_64-unknown-linux-gnu",
        }
    }
}

/// A compiler for one target.
#[derive(Clone, Debug)]
pub struct Toolchain {
    /// What for.
    pub target: RustTarget,
    /// Rust's name of it.
    pub triple: String,
    /// What the compiler says of itself.
    pub version: String,
    /// The linker.
    pub linker: PathBuf,
    /// The unpacked Debian tree, if it is Debian's.
    debian: Option<debian::Tree>,
    /// See [`Self::versions`]; its programs are asked once.
    versions: Arc<OnceLock<Vec<(String, String)>>>,
}

/// Where sources lie on this host, and what the output calls these places. Of several that fit, the last counts.
pub fn places(root: &Path, carveout: &Path, registries: &[PathBuf]) -> Vec<(PathBuf, &'static str)> {
    let mut places = vec![(root.to_owned(), ".")];
    // What cargo has checked out of git is called by URL and commit, on any host.
    places.extend(rust::cargo_home().map(|home| (home.join("git/checkouts"), "/cargo/git")));
    // Our own crates are called as in our clone, where cargo names them relative to it.
    if carveout != root {
        places.push((carveout.join("crates"), "crates"));
    }
    // The folder of a registry has a name of its host's: of a mirror another.
    places.extend(registries.iter().map(|folder| (folder.clone(), "/cargo")));
    places
}

impl Toolchain {
    /// Variables that cargo needs.
    pub fn environment(&self) -> Vec<(&'static str, PathBuf)> {
        let Some(tree) = &self.debian else { return Vec::new() };
        let mut variables = vec![("RUSTC", tree.rustc()), ("LD_LIBRARY_PATH", tree.libraries())];
        if self.build_std().is_some() {
            variables.push(("RUSTC_BOOTSTRAP", "1".into()));
        }
        variables
    }

    /// All that shapes what is built: compiler, linker, and the C library that goes into client apps.
    pub fn versions(&self) -> Result<Vec<(String, String)>> {
        if let Some(known) = self.versions.get() {
            return Ok(known.clone());
        }
        let versions = self.ask_versions()?;
        Ok(self.versions.get_or_init(|| versions).clone())
    }

    fn ask_versions(&self) -> Result<Vec<(String, String)>> {
        let first = |text: String| text.lines().next().unwrap_or_default().to_owned();
        let mut versions = Vec::new();
        let mut add = |tool: &str, version| versions.push((format!("{tool} for {}", self.triple), version));
        add("rustc", self.version.clone());
        match self.target {
            RustTarget::TrustedApp | RustTarget::Firmware => {
                add("lld", first(rust::ask(&self.linker, None, &["-flavor", "gnu", "--version"])?));
            }
            RustTarget::ClientApp | RustTarget::Program | RustTarget::Emulator => {
                add("gcc", first(rust::ask(&self.linker, None, &["--version"])?));
                let libc = match self.target {
                    RustTarget::ClientApp => crate::packages::CROSS_LIBC,
                    _ => crate::packages::LIBC,
                };
                let libc = Path::new(libc);
                add("sha256 of libc.a", bundle::hash_file(libc).at(libc)?.sha256);
            }
        }
        Ok(versions)
    }

    /// The compiler's folder.
    pub fn sysroot(&self) -> Result<PathBuf> {
        match &self.debian {
            Some(tree) => Ok(tree.usr()),
            None => rust::ask("rustc".as_ref(), None, &["--print", "sysroot"]).map(PathBuf::from),
        }
    }

    /// The crates of the standard library that are built from source, if any.
    pub fn build_std(&self) -> Option<&'static str> {
        let on_linux =
            matches!(self.target, RustTarget::ClientApp | RustTarget::Program | RustTarget::Emulator);
        (self.debian.is_some() && !on_linux).then_some("core,alloc")
    }

    /// Compiler flags by which no path of the host stays in the output. They are no part of what cargo compares: what others have compiled
    /// elsewhere is the same.
    pub fn remaps(&self, root: &Path, carveout: &Path, registries: &[PathBuf]) -> Vec<String> {
        let remap = |from: &Path, to: &str| format!("--remap-path-prefix={}={to}", from.display());
        let places = places(root, carveout, registries);
        let mut flags: Vec<String> = places.iter().map(|(from, to)| remap(from, to)).collect();
        if let Some(tree) = &self.debian {
            flags.push(remap(&tree.usr(), "/rust"));
            // cargo passes sources below the workspace relative to it.
            flags.extend(tree.usr().strip_prefix(root).ok().map(|relative| remap(relative, "/rust")));
        }
        flags
    }

    /// The other compiler flags.
    pub fn rustflags(&self) -> Vec<&'static str> {
        const FREE: [&str; 2] = ["-Clinker-flavor=ld.lld", "-Crelocation-model=static"];
        match self.target {
            // By frames a trusted app tells who called, wherever it ends. Its random numbers are those of trusty_ta::rng.
            RustTarget::TrustedApp => {
                [&FREE[..], &["-Cforce-frame-pointers=yes", "--cfg=getrandom_backend=\"custom\""]].concat()
            }
            RustTarget::Firmware => FREE.to_vec(),
            RustTarget::ClientApp | RustTarget::Program => vec!["-Ctarget-feature=+crt-static"],
            RustTarget::Emulator => Vec::new(),
        }
    }
}

/// Finds and provisions toolchains.
pub struct Toolchains<'a> {
    /// Where Debian's are unpacked.
    home: PathBuf,
    logs: PathBuf,
    offline: bool,
    ui: &'a Ui,
    /// What was found. One thread looks and provisions, others wait.
    found: Mutex<BTreeMap<RustTarget, Toolchain>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Any,
    Rustup,
    Debian,
}

impl<'a> Toolchains<'a> {
    /// For the workspace at `root`.
    pub fn new(root: &Path, offline: bool, ui: &'a Ui) -> Self {
        let target = root.join("target");
        let (home, logs) = (target.join("toolchains"), target.join("carveout/logs"));
        Self { home, logs, offline, ui, found: Mutex::default() }
    }

    /// The toolchain for a target, provisioned if need be.
    pub fn get(&self, target: RustTarget) -> Result<Toolchain> {
        let mut found = self.found.lock().map_err(|_| ToolchainError::AnotherStageFailed)?;
        if let Some(known) = found.get(&target) {
            return Ok(known.clone());
        }
        let toolchain = self.find(target)?;
        found.insert(target, toolchain.clone());
        Ok(toolchain)
    }

    fn find(&self, target: RustTarget) -> Result<Toolchain> {
        let way = way()?;
        if let Some(found) = self.existing(target, way)? {
            return Ok(found);
        }
        let triple = target.triple();
        if self.offline {
            return Err(ToolchainError::Offline { triple: triple.into() }.into());
        }
        std::fs::create_dir_all(&self.logs).at(&self.logs)?;
        if way != Way::Debian && self.rustup_add(triple) {
            let found = self.rustup(target)?;
            return found.ok_or_else(|| ToolchainError::TargetNotFound { triple: triple.into() }.into());
        }
        if way == Way::Rustup {
            return Err(ToolchainError::TargetNotAdded { triple: triple.into() }.into());
        }
        let running = self.ui.start("toolchain");
        running.building("building: fetching Debian's Rust");
        let tree = debian::Tree::provision(&self.home, &self.logs.join("toolchain.log"));
        match tree {
            Ok(tree) => {
                running.finish(false, debian::UNPACKED);
                self.debian(target, tree)
            }
            Err(error) => {
                running.fail();
                Err(error)
            }
        }
    }

    /// The toolchain for a target, if there is one.
    pub fn installed(&self, target: RustTarget) -> Result<Option<Toolchain>> {
        self.existing(target, way()?)
    }

    fn existing(&self, target: RustTarget, way: Way) -> Result<Option<Toolchain>> {
        if way != Way::Debian
            && let Some(found) = self.rustup(target)?
        {
            return Ok(Some(found));
        }
        match debian::Tree::find(&self.home) {
            Some(tree) if way != Way::Rustup => self.debian(target, tree).map(Some),
            _ => Ok(None),
        }
    }

    /// The host's own toolchain, if it has the target.
    fn rustup(&self, target: RustTarget) -> Result<Option<Toolchain>> {
        let triple = target.triple();
        let directory = rust::ask("rustc".as_ref(), None, &["--print", "target-libdir", "--target", triple])?;
        let mut files = std::fs::read_dir(directory).into_iter().flatten().flatten();
        if !files.any(|f| f.file_name().to_string_lossy().starts_with("libcore-")) {
            return Ok(None);
        }
        let version = rust::ask("rustc".as_ref(), None, &["--version"])?;
        let linker = linker(target)?;
        let triple = triple.into();
        Ok(Some(Toolchain { target, triple, version, linker, debian: None, versions: Arc::default() }))
    }

    fn debian(&self, target: RustTarget, tree: debian::Tree) -> Result<Toolchain> {
        let version = rust::ask(&tree.rustc(), Some(&tree.libraries()), &["--version"])?;
        let linker = linker(target)?;
        let (triple, debian) = (target.triple().into(), Some(tree));
        Ok(Toolchain { target, triple, version, linker, debian, versions: Arc::default() })
    }

    fn rustup_add(&self, triple: &str) -> bool {
        let log = self.logs.join("rustup.log");
        let added = shell(Path::new("/")).and_then(|sh| {
            run("rustup target add", cmd!(sh, "timeout 300 rustup target add {triple}"), &log)
        });
        let how = if added.is_ok() { "rustup has added the target" } else { "rustup cannot add the target" };
        self.ui.detail(&format!("{how} {triple}"));
        added.is_ok()
    }
}

fn way() -> Result<Way> {
    match std::env::var("CARVEOUT_TOOLCHAIN").as_deref() {
        Err(_) | Ok("") => Ok(Way::Any),
        Ok("rustup") => Ok(Way::Rustup),
        Ok("debian") => Ok(Way::Debian),
        Ok(other) => Err(ToolchainError::UnknownToolchain { given: other.into() }.into()),
    }
}

fn linker(target: RustTarget) -> Result<PathBuf> {
    match target {
        RustTarget::ClientApp => Ok("aarch64-linux-gnu-gcc".into()),
        RustTarget::Program | RustTarget::Emulator => Ok("x86_64-linux-gnu-gcc".into()),
        RustTarget::TrustedApp | RustTarget::Firmware => {
            let sysroot = rust::ask("rustc".as_ref(), None, &["--print", "sysroot"])?;
            let folder = PathBuf::from(sysroot).join("lib/rustlib");
            let hosts = std::fs::read_dir(&folder).into_iter().flatten().flatten();
            let mut found = hosts.map(|h| h.path().join("bin/rust-lld")).filter(|p| p.is_file());
            found.next().ok_or_else(|| ToolchainError::NoLinker { folder }.into())
        }
    }
}
