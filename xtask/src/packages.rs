//! `packages`: carveout for those who have no sources of it, as one static program and as Debian packages.

use carveout::cli::Verb;
use carveout::verbs::manual;
use carveout_build::program::{self, Programs};
use carveout_build::stages::client_apps::CARGO_DEB;
use carveout_build::workshop::{EMULATOR, EMULATOR_NEEDS, GUEST, Sources};
use carveout_desk::{AGENT, MONITOR, Workshop};
use carveout_host::dirs::Dirs;
use carveout_host::error::{At, Result};
use carveout_host::files;
use carveout_host::outcome::Outcome;
use carveout_host::packages;
use carveout_host::text::Text;
use carveout_host::tools::{cargo, scratch};
use carveout_host::ui::Ui;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use stage_cache::EPOCH;
use std::fs;
use std::path::{Path, PathBuf};

/// Where they are put.
const OUT: &str = "target/packages";
/// What the package of carveout has beside the program: `[package.metadata.deb]` of crates/carveout names it.
const STAGED: &str = "packages";

/// Of `packages`, for machines.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Packed {
    /// The program and the packages.
    pub packages: Vec<String>,
}

/// Builds them all; their paths.
pub fn run(offline: bool, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    let root = dirs.root()?;
    let log = dirs.logs()?.join("packages.log");
    packages::ensure(&EMULATOR_NEEDS, offline, &log, ui)?;
    let (name, version) = CARGO_DEB;
    let cargo_deb = cargo::helper(&dirs.tools(), name, version, offline, &log)?;
    stage(&dirs.home().join(STAGED), &Sources::new(dirs, offline, ui))?;
    let out = root.join(OUT);
    fs::create_dir_all(&out).at(&out)?;
    let programs = Programs { dirs, profile: program::PROFILE, offline, ui };
    let mut made = Vec::new();
    for package in [program::NAME, EMULATOR] {
        let running = ui.start(package);
        running.building("build and pack it");
        let folder = scratch("packages")?;
        let packed = programs.deb(package, &cargo_deb, EPOCH, folder.path());
        let (built, deb) = match packed {
            Ok(packed) => packed,
            Err(error) => {
                running.fail();
                return Err(error);
            }
        };
        running.done();
        if package == program::NAME {
            program::read(&built)?;
            made.push(copied(&built, &out, program::EXECUTABLE)?);
        }
        made.push(copied(&deb, &out, files::OUTPUT)?);
    }
    let shown: Vec<String> = made.iter().map(|path| path.display().to_string()).collect();
    let json = json!(Packed { packages: shown.clone() });
    Ok(Outcome { line: Some(Text::lines(shown)), json, ..Outcome::default() })
}

/// Pages, completions, firmware, and the program of the Linux that is booted.
fn stage(folder: &Path, sources: &Sources) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).at(folder)?;
    }
    manual::write_installed(&carveout::command::<Verb>(program::NAME), folder)?;
    let (from, to) = (sources.firmware()?, folder.join("firmware"));
    fs::create_dir_all(&to).at(&to)?;
    [MONITOR, AGENT]
        .iter()
        .try_for_each(|name| files::copy(&from.join(name), &to.join(name), files::OUTPUT))?;
    files::copy(&sources.guest_agent()?, &folder.join(GUEST), program::EXECUTABLE)
}

fn copied(file: &Path, folder: &Path, mode: u32) -> Result<PathBuf> {
    let to = folder.join(file.file_name().unwrap_or_default());
    files::copy(file, &to, mode).map(|()| to)
}
