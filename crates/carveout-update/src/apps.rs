//! Client apps of an update: dpkg installs them in the boot that tries it, and what was there before again if it does not stay.
//!
//! dpkg keeps no packages. What is installed is packed again before anything is written, so that it can be gone back to.

use crate::Common;
use crate::durable;
use crate::error::UpdateError;
use crate::repack::Dpkg;
use crate::strays;
use crate::update::Update;
use bundle::{ExtractError, Role};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Folder of the packages, below that of the state.
const FOLDER: &str = "apps";
/// What is in it.
const RECORD: &str = "apps.json";
/// This program's own package: it does not take its own place while it works.
const OWN: &str = env!("CARGO_PKG_NAME");

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Phase {
    /// Nothing of it is installed.
    Waiting,
    /// dpkg has begun to.
    Begun,
    /// All of it is.
    Installed,
}

/// Client apps that belong to an update.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Apps {
    /// The bundle's name.
    pub bundle: String,
    /// SHA-256 of its manifest.
    digest: String,
    /// The same of the bundle that ran when they were prepared; none if that is not known.
    from: Option<String>,
    phase: Phase,
    packages: Vec<App>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct App {
    name: String,
    /// Its file.
    new: String,
    /// The file of what was there before.
    old: Option<String>,
}

impl Apps {
    /// Puts an update's packages where the next boot finds them, with those that they replace. What dpkg would not take is told now.
    pub fn prepare(update: &Update, from: Option<&str>, common: &Common) -> Result<Vec<String>, UpdateError> {
        let folder = common.state.join(FOLDER);
        let failed = |source| UpdateError::Io { path: folder.clone(), source };
        let bundle = update.archive.manifest.bundle_name();
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => fs::create_dir_all(&folder).map_err(failed)?,
        }
        unpack(update, &folder)?;
        let dpkg = Dpkg { root: &common.sysroot, folder: &folder };
        let mut packages = Vec::new();
        // Those of BitBake may be of another kind.
        for entry in update.archive.of_role(Role::ClientApp).filter(|entry| entry.path.ends_with(".deb")) {
            let new = file_name(&entry.path);
            let name = bundle::package_name(&new).to_owned();
            if name != OWN {
                let old = dpkg.repack(&name)?;
                packages.push(App { name, new, old });
            }
        }
        if packages.is_empty() {
            return Err(UpdateError::NoApps { bundle });
        }
        let news: Vec<PathBuf> = packages.iter().map(|app| folder.join(&app.new)).collect();
        dpkg.would_install(&news)?;
        let names = packages.iter().map(|app| app.name.clone()).collect();
        let digest = update.archive.digest.clone();
        let apps = Self { bundle, digest, from: from.map(str::to_owned), phase: Phase::Waiting, packages };
        apps.write(&common.state)?;
        Ok(names)
    }

    /// What is prepared, or was installed by the last update.
    pub fn read(state: &Path) -> Result<Option<Self>, UpdateError> {
        durable::read(&state.join(FOLDER).join(RECORD))
    }

    /// Whether dpkg has something to do, now that this bundle runs: with the update its client apps are installed, and without it what was
    /// there before.
    pub fn is_due(&self, runs: Option<&str>) -> bool {
        match self.phase {
            Phase::Waiting => runs == Some(&self.digest),
            Phase::Begun => runs == Some(&self.digest) || runs == self.from.as_deref(),
            Phase::Installed => runs == self.from.as_deref(),
        }
    }

    /// What nobody has tried by now is not tried with another update.
    pub fn forget_waiting(state: &Path) -> Result<(), UpdateError> {
        match Self::read(state)? {
            Some(apps) if apps.phase == Phase::Waiting => forget(state),
            _ => Ok(()),
        }
    }

    /// Does it; whether the update's are installed now. Cut off, it is done again by the next boot.
    pub fn settle(mut self, runs: Option<&str>, common: &Common) -> Result<bool, UpdateError> {
        let folder = common.state.join(FOLDER);
        let dpkg = Dpkg { root: &common.sysroot, folder: &folder };
        let paths = |name: fn(&App) -> Option<&String>| {
            self.packages.iter().filter_map(name).map(|name| folder.join(name)).collect::<Vec<_>>()
        };
        let (news, olds) = (paths(|app| Some(&app.new)), paths(|app| app.old.as_ref()));
        let both = [&news[..], &olds].concat();
        let names: Vec<String> = self.packages.iter().map(|app| app.name.clone()).collect();
        if runs == Some(&self.digest) {
            self.phase = Phase::Begun;
            self.write(&common.state)?;
            dpkg.install(&news)?;
            strays::remove(&dpkg, &both, &names)?;
            self.phase = Phase::Installed;
            return self.write(&common.state).map(|()| true);
        }
        dpkg.install(&olds)?;
        let added = self.packages.iter().filter(|app| app.old.is_none());
        dpkg.purge(&added.map(|app| app.name.as_str()).collect::<Vec<_>>())?;
        strays::remove(&dpkg, &both, &names)?;
        forget(&common.state).map(|()| false)
    }

    fn write(&self, state: &Path) -> Result<(), UpdateError> {
        durable::write(&state.join(FOLDER), RECORD, self)
    }
}

/// Removes what is prepared, its record first.
fn forget(state: &Path) -> Result<(), UpdateError> {
    let folder = state.join(FOLDER);
    let removed = fs::remove_file(folder.join(RECORD)).and_then(|()| fs::remove_dir_all(&folder));
    removed.map_err(|source| UpdateError::Io { path: folder, source })
}

/// Takes the packages out of the archive, each with the digest that the manifest says.
fn unpack(update: &Update, folder: &Path) -> Result<(), UpdateError> {
    let wrong = |source| UpdateError::Archive { path: update.source.path().into(), source };
    let entries: Vec<_> = update.archive.of_role(Role::ClientApp).collect();
    let read = update.source.for_each(&mut |path, reader| {
        if !entries.iter().any(|entry| entry.path == path) {
            return io::copy(reader, &mut io::sink()).map(drop);
        }
        let mut file = File::create_new(folder.join(file_name(path)))?;
        io::copy(reader, &mut file)?;
        file.sync_all()
    });
    read.map_err(|error| wrong(error.into()))?;
    for entry in entries {
        let path = folder.join(file_name(&entry.path));
        let hashed = bundle::hash_file(&path).map_err(|source| UpdateError::Io { path, source })?;
        if hashed.sha256 != entry.sha256 {
            return Err(wrong(ExtractError::File(entry.path.clone()).into()));
        }
    }
    Ok(())
}

/// A file's own name.
fn file_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or_default().to_owned()
}
