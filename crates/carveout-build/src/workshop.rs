//! What the desk runs, made of the workspace's sources when it is first used.

use crate::errors::ProgramError;
use crate::make;
use carveout_desk::errors::LinuxError;
use carveout_desk::{MONITOR, PACKAGE as FIRMWARE, Workshop};
use carveout_host::dirs::Dirs;
use carveout_host::error::{At, Result};
use carveout_host::packages;
use carveout_host::packages::Need;
use carveout_host::toolchain::{self, RustTarget, Toolchains};
use carveout_host::tools::cargo;
use carveout_host::tools::cargo::CrossBuild;
use carveout_host::tools::find;
use carveout_host::ui::Ui;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The profile of our own programs for a desk.
const DESK: &str = "desk";
/// The emulator.
pub const EMULATOR: &str = "trusty-emulator";
/// The program of the Linux that is booted.
pub const GUEST: &str = "desk-guest";
/// What builds its engine.
pub const EMULATOR_NEEDS: [Need; 3] = [
    Need { program: "cmake", package: "cmake", why: "builds the engine of the emulator" },
    Need { program: "make", package: "make", why: "builds the engine of the emulator" },
    Need { program: "cc", package: "gcc", why: "builds the engine of the emulator" },
];

/// What is installed beside the program, where there is no workspace: `lib/carveout` beside the `bin` that it lies in.
fn installed(name: &str) -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    let prefix = program.ancestors().nth(2).filter(|_| program.is_absolute());
    prefix.unwrap_or(Path::new("/usr")).join("lib/carveout").join(name)
}

/// The workspace of whoever calls; or what is installed, where there is none.
pub struct Sources<'a> {
    /// Where it is.
    pub dirs: &'a Dirs,
    /// Whether the network is forbidden.
    pub offline: bool,
    /// Progress.
    pub ui: &'a Ui,
    /// The emulator, once it is built.
    emulator: OnceLock<PathBuf>,
}

impl<'a> Sources<'a> {
    /// Makes nothing yet.
    pub fn new(dirs: &'a Dirs, offline: bool, ui: &'a Ui) -> Self {
        Self { dirs, offline, ui, emulator: OnceLock::new() }
    }
}

impl Workshop for Sources<'_> {
    fn firmware(&self) -> Result<PathBuf> {
        if self.dirs.workspace().is_none() {
            let folder = installed("firmware");
            let there = folder.join(MONITOR).is_file();
            return if there { Ok(folder) } else { Err(ProgramError::NoFirmware { path: folder }.into()) };
        }
        self.crossed(FIRMWARE, RustTarget::Firmware, "firmware", "cargo/desk")
    }

    fn guest_agent(&self) -> Result<PathBuf> {
        if self.dirs.workspace().is_none() {
            let path = installed(GUEST);
            return if path.is_file() { Ok(path) } else { Err(LinuxError::NoAgent { path }.into()) };
        }
        packages::ensure(&packages::CLIENT_APPS, self.offline, &self.dirs.logs()?.join("host.log"), self.ui)?;
        let program = self.crossed(GUEST, RustTarget::ClientApp, DESK, "cargo/guest")?.join(GUEST);
        program.metadata().at(&program)?;
        Ok(program)
    }

    fn emulator_needs(&self) -> Vec<Need> {
        if self.dirs.workspace().is_some() { EMULATOR_NEEDS.to_vec() } else { Vec::new() }
    }

    fn emulator(&self) -> Result<PathBuf> {
        if let Some(built) = self.emulator.get() {
            return Ok(built.clone());
        }
        if self.dirs.workspace().is_none() {
            let path = installed(EMULATOR);
            let found = if path.is_file() { Some(path.clone()) } else { find(EMULATOR) };
            return found.ok_or_else(|| ProgramError::NoEmulator { path }.into());
        }
        packages::ensure(&EMULATOR_NEEDS, self.offline, &self.dirs.logs()?.join("host.log"), self.ui)?;
        let built = self.own_program(EMULATOR)?;
        Ok(self.emulator.get_or_init(|| built).clone())
    }

    fn client_for_host(&self, name: &str) -> Result<PathBuf> {
        client_for_host(self.dirs.root()?, name, self.dirs, self.ui)
    }

    fn client_app(&self, name: Option<&str>) -> Result<PathBuf> {
        let name = name.map_or_else(|| self.first_client_app(), |name| Ok(name.to_owned()))?;
        make::client_app(&name, self.dirs, self.ui)
    }

    fn first_client_app(&self) -> Result<String> {
        make::first_client_app(self.dirs)
    }

    fn sources(&self) -> Result<Vec<(PathBuf, &'static str)>> {
        let Some(root) = self.dirs.workspace() else { return Ok(Vec::new()) };
        Ok(toolchain::places(root, &cargo::carveout(root)?, &cargo::registries(root)?))
    }
}

impl Sources<'_> {
    /// A package of carveout's own sources, built for another machine than this one; the folder of its programs.
    fn crossed(&self, package: &str, target: RustTarget, profile: &str, folder: &str) -> Result<PathBuf> {
        let root = &cargo::carveout(self.dirs.root()?)?;
        let toolchain = Toolchains::new(root, self.offline, self.ui).get(target)?;
        let target_dir = &self.dirs.home().join(folder);
        let (toolchain, offline, ui) = (&toolchain, self.offline, self.ui);
        let build = CrossBuild { root, package, profile, target_dir, toolchain, offline, ui };
        let log = self.dirs.logs()?.join(format!("{package}.log"));
        let _ = fs::remove_file(&log);
        build.folder(&log)
    }

    /// A program of our own, built for this host.
    fn own_program(&self, package: &str) -> Result<PathBuf> {
        let target_dir = self.dirs.home().join("cargo/host");
        let program = target_dir.join(DESK).join(package);
        if !program.exists() {
            self.ui.note(&format!("building {package}, as it is used for the first time"));
        }
        let root = cargo::carveout(self.dirs.root()?)?;
        host_program(&root, package, DESK, &target_dir, &program, self.dirs, self.ui)
    }
}

/// A client app of a workspace, built for this host: without optimisation, so that it is there soon.
pub fn client_for_host(root: &Path, name: &str, dirs: &Dirs, ui: &Ui) -> Result<PathBuf> {
    let target_dir = dirs.home().join("cargo/run");
    let program = target_dir.join("debug").join(name);
    host_program(root, name, "dev", &target_dir, &program, dirs, ui)
}

fn host_program(
    root: &Path,
    package: &str,
    profile: &str,
    target_dir: &Path,
    program: &Path,
    dirs: &Dirs,
    ui: &Ui,
) -> Result<PathBuf> {
    let log = dirs.logs()?.join(format!("{package}.log"));
    let _ = fs::remove_file(&log);
    cargo::build_for_host(root, package, profile, target_dir, &log, ui)?;
    program.metadata().at(program)?;
    Ok(program.into())
}
