//! Reads a product config and checks every value.

use super::file::{AppFile, ProductFile};
use super::locate::Step::{self, Index, Key};
use super::report::Reporter;
use super::yaml::{self, MAX_CONFIG};
use crate::board::Board;
use crate::errors::{AppError, ConfigError};
use crate::overrides::Overrides;
use crate::product::{App, AppSource, Product};
use crate::workspace::Workspace;
use bundle::{NAME, VERSION, is_plain};
use carveout_host::error::{Cause, Error, Result};
use carveout_host::size::Size;
use carveout_host::tools::read_limited;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use trusty_image::limits::{APP_STACK_TOP, MAX_APPS};
use trusty_image::{Tzdram, TzdramError, TzdramTextError};

/// Reads `path`, applies the command line's overrides, and checks all of it.
pub fn load(workspace: &Workspace, path: &Path, overrides: &Overrides) -> Result<Product> {
    let bytes = read_limited(path, MAX_CONFIG)
        .map_err(|error| ConfigError::Unreadable { source: error.message.into() })?;
    let text = yaml::text(path, bytes)?;
    let reporter = Reporter { path, text: &text };
    let file: ProductFile = yaml::parse(&reporter)?;
    let checker = Checker { workspace, reporter };
    checker.identity(&file)?;
    let board = checker.board(&file, overrides)?;
    let tzdram = checker.tzdram(&file, overrides)?;
    let trusted_apps = checker.trusted_apps(&file.trusted_apps)?;
    let client_apps = super::client::check(&checker.reporter, workspace, &file.client_apps)?;
    let rootfs = file.rootfs.as_ref().filter(|_| !overrides.without_rootfs);
    let rootfs =
        rootfs.map(|r| super::rootfs::check(&checker.reporter, r, board.l4t.is_some())).transpose()?;
    let l4t = super::l4t::check(&checker.reporter, file.l4t.as_ref(), &board, overrides)?;
    let sources = file.l4t.as_ref().and_then(|l4t| l4t.sources.as_ref());
    let sources = sources.map(|named| path.parent().unwrap_or(Path::new(".")).join(named));
    let sources = overrides.sources.clone().or(sources);
    let yocto = super::yocto::check(&checker.reporter, file.yocto.as_ref())?;
    let changelog = checker.changelog(file.changelog.as_deref())?;
    checker.self_test(&file.self_test)?;
    let digest = digest(&text, &board, overrides)?;
    Ok(Product {
        path: path.into(),
        name: file.name,
        version: file.version,
        security_version: file.security_version,
        board,
        tzdram,
        trusted_apps,
        client_apps,
        rootfs,
        l4t,
        sources,
        yocto,
        self_test: file.self_test,
        changelog,
        digest,
    })
}

/// What the bundle records of its config: the files and the overrides, but not where they lie.
fn digest(text: &str, board: &Board, overrides: &Overrides) -> Result<String> {
    let key = stage_cache::Key::default()
        .with("product", shaping(text).unwrap_or_else(|| text.into()))
        .with("tzdram", format!("{:?}", overrides.tzdram))
        .with("board", format!("{:?}", overrides.board))
        .with("without rootfs", overrides.without_rootfs);
    Ok(board.digest_into(key)?.digest())
}

/// A product config without what shapes no bundle: comments, the changelog, and the servers that builds share. Another server must
/// not be another bundle.
fn shaping(text: &str) -> Option<String> {
    let mut value: serde_yaml::Value = serde_yaml::from_str(text).ok()?;
    let product = value.as_mapping_mut()?;
    product.remove("changelog");
    if let Some(yocto) = product.get_mut("yocto").and_then(serde_yaml::Value::as_mapping_mut) {
        super::yocto::SERVERS.iter().for_each(|key| drop(yocto.remove(*key)));
        if yocto.is_empty() {
            product.remove("yocto");
        }
    }
    serde_yaml::to_string(&value).ok()
}

/// What no two TAs may have.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Unique {
    Name(String),
    Uuid(String),
    Port(String),
}

/// Takes a TA's name, UUID and ports, none of which another may have. `taken`: what of it, by whom.
fn claim(taken: &mut BTreeMap<Unique, String>, app: &App) -> Result<(), AppError> {
    let mut all = vec![Unique::Name(app.name.clone())];
    if let AppSource::Package(declaration) = &app.source {
        all.push(Unique::Uuid(declaration.uuid.to_string()));
        all.extend(declaration.start_ports.iter().map(|port| Unique::Port(port.name.to_string())));
    }
    for unique in all {
        let app = app.name.clone();
        if let Some(other) = taken.insert(unique.clone(), app.clone()) {
            return Err(match unique {
                Unique::Name(name) => AppError::DuplicateName { app, name, other },
                Unique::Uuid(uuid) => AppError::DuplicateUuid { app, uuid, other },
                Unique::Port(port) => AppError::DuplicatePort { app, port, other },
            });
        }
    }
    Ok(())
}

struct Checker<'a> {
    workspace: &'a Workspace,
    reporter: Reporter<'a>,
}

impl Checker<'_> {
    fn identity(&self, file: &ProductFile) -> Result<()> {
        for (key, value, allowed) in [("name", &file.name, NAME), ("version", &file.version, VERSION)] {
            if !is_plain(value, allowed) {
                let fault = ConfigError::NotAName { value: value.clone(), allowed };
                return Err(self.reporter.at(&[Key(key)], fault));
            }
        }
        Ok(())
    }

    fn board(&self, file: &ProductFile, overrides: &Overrides) -> Result<Board> {
        let name = overrides.board.as_ref().unwrap_or(&file.board);
        Board::find(&self.workspace.root, name)?.map_err(|unknown| match overrides.board {
            Some(_) => Error::from(unknown).within("--board"),
            None => self.reporter.at(&[Key("board")], unknown),
        })
    }

    fn tzdram(&self, file: &ProductFile, overrides: &Overrides) -> Result<Tzdram> {
        file.tzdram.read(overrides.tzdram).map_err(|error| {
            let key = error.key();
            let given = matches!(error, TzdramTextError::Impossible(_)) && key == "size";
            let fault = match error {
                TzdramTextError::NotASize { why, .. } => ConfigError::NotASize { source: why.into() },
                TzdramTextError::Impossible(error) => {
                    let source: Cause = error.clone().into();
                    match error {
                        TzdramError::Alignment(_) => ConfigError::ImpossibleAlignment { source },
                        TzdramError::Unaligned { .. } => ConfigError::CarveOutUnaligned { source },
                        _ => ConfigError::CarveOutOutOfRange { source },
                    }
                }
            };
            match overrides.tzdram {
                Some(_) if given => Error::from(fault).within("--tzdram"),
                _ => self.reporter.at(&[Key("tzdram"), Key(key)], fault),
            }
        })
    }

    fn size(&self, path: &[Step], text: &str) -> Result<u64> {
        let size = text.parse::<Size>().map_err(|source| ConfigError::NotASize { source: source.into() });
        size.map(|size| size.0).map_err(|fault| self.reporter.at(path, fault))
    }

    fn trusted_apps(&self, files: &[AppFile]) -> Result<Vec<App>> {
        if files.is_empty() || files.len() > MAX_APPS {
            let fault = AppError::WrongNumber { count: files.len(), most: MAX_APPS };
            return Err(self.reporter.at(&[Key("trusted_apps")], fault));
        }
        let mut apps = Vec::new();
        let mut taken = BTreeMap::new();
        for (index, file) in files.iter().enumerate() {
            let app = self.trusted_app(file, index)?;
            let claimed = claim(&mut taken, &app);
            claimed.map_err(|fault| self.reporter.at(&[Key("trusted_apps"), Index(index)], fault))?;
            apps.push(app);
        }
        Ok(apps)
    }

    fn trusted_app(&self, file: &AppFile, index: usize) -> Result<App> {
        let path = |key| [Key("trusted_apps"), Index(index), Key(key)];
        let size = |key, text: &Option<String>| {
            let Some(text) = text else { return Ok(None) };
            match self.size(&path(key), text)? {
                bytes if (1..u64::from(APP_STACK_TOP)).contains(&bytes) => Ok(Some(bytes as u32)),
                bytes => {
                    let fault = AppError::MemoryOutOfRange { bytes, limit: APP_STACK_TOP.into() };
                    Err(self.reporter.at(&path(key), fault))
                }
            }
        };
        let (min_heap, min_stack) = (size("min_heap", &file.min_heap)?, size("min_stack", &file.min_stack)?);
        let (name, source) = match (&file.package, &file.elf, &file.source) {
            (Some(package), None, None) => {
                let declaration = self.workspace.declaration(package);
                let declaration = declaration
                    .map_err(|fault| self.reporter.at(&[Key("trusted_apps"), Index(index)], fault))?;
                (package.clone(), AppSource::Package(Box::new(declaration)))
            }
            (None, Some(elf), None) => {
                let full = self.reporter.path.parent().unwrap_or(Path::new(".")).join(elf);
                let length = fs::metadata(&full).ok().filter(|m| m.is_file()).map(|m| m.len());
                if length.is_none_or(|length| length > u64::from(APP_STACK_TOP)) {
                    return Err(self.reporter.at(&path("elf"), AppError::NoElf { file: full }));
                }
                let name = elf.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                if !is_plain(&name, NAME) {
                    return Err(self.reporter.at(&path("elf"), AppError::ElfName { name, allowed: NAME }));
                }
                (name, AppSource::Elf(full))
            }
            (None, None, Some(folder)) => {
                let full = self.reporter.path.parent().unwrap_or(Path::new(".")).join(folder);
                let wrong = |fault| self.reporter.at(&path("source"), fault);
                // By its own name, whatever way leads to it.
                let full = fs::canonicalize(&full).ok().filter(|full| full.join("rules.mk").is_file());
                let full = full.ok_or_else(|| wrong(AppError::NoRules { folder: folder.clone() }))?;
                let name = full.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if !is_plain(&name, NAME) {
                    return Err(wrong(AppError::FolderName { name, allowed: NAME }));
                }
                (name, AppSource::C(full))
            }
            _ => {
                let place = [Key("trusted_apps"), Index(index)];
                return Err(self.reporter.at(&place, AppError::NotOneSource));
            }
        };
        Ok(App { name, source, min_heap, min_stack })
    }

    fn self_test(&self, words: &[String]) -> Result<()> {
        let wrong =
            words.iter().position(|word| word.contains('\0') || words.first() == Some(&String::new()));
        match wrong {
            Some(index) => Err(self.reporter.at(&[Key("self_test"), Index(index)], ConfigError::BadSelfTest)),
            None => Ok(()),
        }
    }

    fn changelog(&self, file: Option<&Path>) -> Result<Option<PathBuf>> {
        let Some(file) = file else { return Ok(None) };
        let full = self.reporter.path.parent().unwrap_or(Path::new(".")).join(file);
        if full.is_file() {
            return Ok(Some(full));
        }
        Err(self.reporter.at(&[Key("changelog")], ConfigError::NoChangelog { file: full }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trusty_ta_build::Declaration;

    #[test]
    fn names_uuids_and_ports_are_unique() {
        let app = |name: &str, uuid: &str, port: &str| {
            let text = format!(
                "[package]\n[package.metadata.trusty]\nuuid = '0000000{uuid}-0000-0000-0000-000000000000'\nmin_heap = 1\n\
                 min_stack = 1\nstart_ports = [{{ name = '{port}', flags = {{ allow_ta_connect = true, \
                 allow_ns_connect = true }} }}]"
            );
            let source = AppSource::Package(Box::new(Declaration::from_cargo_toml(&text).unwrap()));
            App { name: name.into(), source, min_heap: None, min_stack: None }
        };
        let mut taken = BTreeMap::new();
        let mut claim = |app: App| claim(&mut taken, &app);
        claim(app("a", "1", "p.a")).unwrap();
        claim(app("b", "2", "p.b")).unwrap();
        let mut error = |app: App| claim(app).unwrap_err().to_string();
        assert!(error(app("c", "3", "p.a")).starts_with("c has the same port p.a as a"));
        assert!(error(app("d", "2", "p.d")).starts_with("d has the same UUID 00000002-"));
        assert!(error(app("a", "5", "p.e")).starts_with("a has the same name a as a"));
    }
}
