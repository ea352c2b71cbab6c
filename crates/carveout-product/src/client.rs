//! Client apps of a product: packages of the workspace, and finished Debian packages.

use super::file::ClientFile;
use super::locate::Step::{Index, Key};
use super::report::Reporter;
use crate::errors::{ClientAppError, ConfigError};
use crate::workspace::Workspace;
use bundle::is_plain;
use carveout_host::error::{At, Result};
use carveout_host::tools::dpkg::Control;
use std::path::{Path, PathBuf};

/// What names and versions of Debian packages may hold besides letters and digits (Debian policy, 5.6.1 and 5.6.12).
const NAME: &str = "+-.";
const VERSION: &str = "+-.~:";
/// Architectures of packages that a board takes.
const ARCHITECTURES: [&str; 2] = ["arm64", "all"];

/// A client app of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientApp {
    /// Its name: that of its Debian package.
    pub name: String,
    /// Its finished package; without one it is built of the workspace's package of this name.
    pub deb: Option<Deb>,
}

/// A finished Debian package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deb {
    /// The file.
    pub path: PathBuf,
    /// Its version.
    pub version: String,
    /// Its architecture.
    pub architecture: String,
}

impl Deb {
    /// What a package's file is called (dpkg-name(1)).
    pub fn file_name(&self, name: &str) -> String {
        let version = self.version.split_once(':').map_or(&*self.version, |(_, version)| version);
        format!("{name}_{version}_{}.deb", self.architecture)
    }

    /// Reads a package's file; its name and what it is.
    ///
    /// # Errors
    /// It is no Debian package, or none that a board can take.
    pub fn read(path: &Path) -> Result<(String, Self)> {
        // dpkg-deb runs in another folder.
        let Control { name, identity, .. } = Control::read(&std::path::absolute(path).at(path)?)?;
        let mut fields = identity.split('\t').skip(1).map(str::to_owned);
        let (version, architecture) = (fields.next().unwrap_or_default(), fields.next().unwrap_or_default());
        let file = path.to_owned();
        if !is_plain(&name, NAME) || name.chars().any(|c| c.is_ascii_uppercase()) {
            return Err(ClientAppError::Name { file, name: name.escape_debug().to_string() }.into());
        }
        if !is_plain(&version, VERSION) {
            let version = version.escape_debug().to_string();
            return Err(ClientAppError::Version { file, version }.into());
        }
        if !ARCHITECTURES.contains(&architecture.as_str()) {
            let architecture = architecture.escape_debug().to_string();
            return Err(ClientAppError::Architecture { file, architecture }.into());
        }
        Ok((name, Self { path: path.into(), version, architecture }))
    }
}

/// Checks each, and that no two have one name.
pub fn check(reporter: &Reporter, workspace: &Workspace, files: &[ClientFile]) -> Result<Vec<ClientApp>> {
    let mut apps: Vec<ClientApp> = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let place = [Key("client_apps"), Index(index)];
        let app = match file {
            ClientFile::Package(name) => {
                workspace.find(name, "deb").map_err(|fault| reporter.at(&place, fault))?;
                ClientApp { name: name.clone(), deb: None }
            }
            ClientFile::Deb(file) => {
                let full = reporter.path.parent().unwrap_or(Path::new(".")).join(file);
                let place = [Key("client_apps"), Index(index), Key("deb")];
                if !full.is_file() {
                    return Err(reporter.at(&place, ClientAppError::NoDeb { file: full }));
                }
                let (name, deb) = Deb::read(&full).map_err(|fault| reporter.at(&place, fault))?;
                ClientApp { name, deb: Some(deb) }
            }
        };
        if apps.iter().any(|other| other.name == app.name) {
            let finished = app.deb.is_some();
            let name = app.name;
            return Err(
                match finished || apps.iter().any(|other| other.name == name && other.deb.is_some()) {
                    true => reporter.at(&place, ClientAppError::DuplicateName { name }),
                    false => reporter.at(&place, ConfigError::ListedTwice { name }),
                },
            );
        }
        apps.push(app);
    }
    Ok(apps)
}
