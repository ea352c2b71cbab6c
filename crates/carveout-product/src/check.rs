//! Reads a product config and checks every value.

use super::file::{AppFile, ProductFile};
use super::locate::Step::{self, Index, Key};
use super::report::Reporter;
use super::yaml::{self, MAX_CONFIG};
use crate::workspace::Workspace;
use crate::{App, AppSource, Board, Overrides, Product};
use bundle::{NAME, VERSION, is_plain};
use carveout_host::error::{Error, Result};
use carveout_host::size::{Size, human};
use carveout_host::tools::read_limited;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use trusty_image::budget::{TzdramError, check_tzdram};
use trusty_image::limits::{APP_STACK_TOP, MAX_APPS};

/// Reads `path`, applies the command line's overrides, and checks all of it.
pub fn load(workspace: &Workspace, path: &Path, overrides: &Overrides) -> Result<Product> {
    let bytes = read_limited(path, MAX_CONFIG).map_err(|error| {
        let hint = "name a product config with -c FILE; configs/desk.yaml is the default one";
        Error::usage(error.message).remedy(hint)
    })?;
    let text = String::from_utf8(bytes)
        .map_err(|e| Error::usage(format!("{}: no UTF-8 text: {}", path.display(), e.utf8_error())))?;
    let reporter = Reporter { path, text: &text };
    let file: ProductFile = yaml::parse(&reporter)?;
    let checker = Checker { workspace, reporter };
    checker.identity(&file)?;
    let board = checker.board(&file, overrides)?;
    let (tzdram_size, tzdram_alignment) = checker.tzdram(&file, overrides)?;
    let trusted_apps = checker.trusted_apps(&file.trusted_apps)?;
    checker.client_apps(&file.client_apps)?;
    let rootfs = file.rootfs.as_ref().filter(|_| !overrides.without_rootfs);
    let rootfs =
        rootfs.map(|r| super::rootfs::check(&checker.reporter, r, board.l4t.is_some())).transpose()?;
    let l4t = super::l4t::check(&checker.reporter, file.l4t.as_ref(), &board, overrides)?;
    let yocto = super::yocto::check(&checker.reporter, file.yocto.as_ref())?;
    let changelog = checker.changelog(file.changelog.as_deref())?;
    let digest = digest(&text, &board, overrides)?;
    Ok(Product {
        path: path.into(),
        name: file.name,
        version: file.version,
        security_version: file.security_version,
        board,
        tzdram_size,
        tzdram_alignment,
        trusted_apps,
        client_apps: file.client_apps,
        rootfs,
        l4t,
        yocto,
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

/// Takes a TA's name, UUID and ports, none of which another may have. `taken`: what of it, by whom.
fn claim(taken: &mut BTreeMap<String, String>, app: &App) -> Result<(), String> {
    let mut names = vec![format!("name {}", app.name)];
    if let AppSource::Package(declaration) = &app.source {
        names.push(format!("UUID {}", declaration.uuid));
        names.extend(declaration.start_ports.iter().map(|p| format!("port {}", p.name)));
    }
    for name in names {
        if let Some(other) = taken.insert(name.clone(), app.name.clone()) {
            return Err(format!("{} has the same {name} as {other}: each must be unique", app.name));
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
        for (key, value, more) in [("name", &file.name, NAME), ("version", &file.version, VERSION)] {
            if !is_plain(value, more) {
                let what =
                    format!("`{value}`: letters, digits and {more} are allowed, 64 characters at most");
                return Err(self.reporter.at(&[Key(key)], &what));
            }
        }
        Ok(())
    }

    fn board(&self, file: &ProductFile, overrides: &Overrides) -> Result<Board> {
        let name = overrides.board.as_ref().unwrap_or(&file.board);
        match Board::load(&self.workspace.root, name)? {
            Ok(board) => Ok(board),
            Err(what) if overrides.board.is_some() => Err(Error::usage(format!("--board: {what}"))),
            Err(what) => Err(self.reporter.at(&[Key("board")], &what)),
        }
    }

    /// Size and alignment of the carve-out in bytes.
    fn tzdram(&self, file: &ProductFile, overrides: &Overrides) -> Result<(u64, u64)> {
        let written = self.size(&[Key("tzdram"), Key("size")], &file.tzdram.size)?;
        let alignment = self.size(&[Key("tzdram"), Key("alignment")], &file.tzdram.alignment)?;
        let size = overrides.tzdram.unwrap_or(written);
        check_tzdram(size, alignment).map_err(|error| match (&error, overrides.tzdram) {
            (TzdramError::Alignment(_), _) => {
                self.reporter.at(&[Key("tzdram"), Key("alignment")], &error.to_string())
            }
            (_, Some(_)) => Error::usage(format!("--tzdram: {error}")),
            (_, None) => self.reporter.at(&[Key("tzdram"), Key("size")], &error.to_string()),
        })?;
        Ok((size, alignment))
    }

    fn size(&self, path: &[Step], text: &str) -> Result<u64> {
        text.parse::<Size>().map(|size| size.0).map_err(|what| self.reporter.at(path, &what))
    }

    fn trusted_apps(&self, files: &[AppFile]) -> Result<Vec<App>> {
        if files.is_empty() || files.len() > MAX_APPS {
            let what = format!("{} trusted apps; allowed are 1 to {MAX_APPS}", files.len());
            return Err(self.reporter.at(&[Key("trusted_apps")], &what));
        }
        let mut apps = Vec::new();
        let mut taken = BTreeMap::new();
        for (index, file) in files.iter().enumerate() {
            let at = |what: &str| self.reporter.at(&[Key("trusted_apps"), Index(index)], what);
            let app = self.trusted_app(file, index)?;
            claim(&mut taken, &app).map_err(|what| at(&what))?;
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
                    let what =
                        format!("{bytes} bytes; allowed are 1 to less than {}", human(APP_STACK_TOP.into()));
                    Err(self.reporter.at(&path(key), &what))
                }
            }
        };
        let (min_heap, min_stack) = (size("min_heap", &file.min_heap)?, size("min_stack", &file.min_stack)?);
        let (name, source) = match (&file.package, &file.elf) {
            (Some(package), None) => {
                let declaration = self.workspace.declaration(package);
                let declaration = declaration.map_err(|what| {
                    let error = self.reporter.at(&[Key("trusted_apps"), Index(index)], &what);
                    // The line of the config names the right package: the mistake is in that one's own file.
                    match self.workspace.package(package, "trusty") {
                        Ok(package) => error.remedy(format!("correct {}", package.manifest_path)),
                        Err(_) => error,
                    }
                })?;
                (package.clone(), AppSource::Package(Box::new(declaration)))
            }
            (None, Some(elf)) => {
                let full = self.reporter.path.parent().unwrap_or(Path::new(".")).join(elf);
                let length = fs::metadata(&full).ok().filter(|m| m.is_file()).map(|m| m.len());
                if length.is_none_or(|length| length > u64::from(APP_STACK_TOP)) {
                    let full = full.display();
                    let what = format!(
                        "{full} is no file of at most 16 MiB (paths are relative to the config file)"
                    );
                    return Err(self.reporter.at(&path("elf"), &what));
                }
                let name = elf.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                if !is_plain(&name, NAME) {
                    let what = format!(
                        "`{name}`: the file's name becomes the app's: letters, digits and {NAME} are allowed"
                    );
                    return Err(self.reporter.at(&path("elf"), &what));
                }
                (name, AppSource::Elf(full))
            }
            _ => {
                let what = "expected either `package` or `elf`";
                return Err(self.reporter.at(&[Key("trusted_apps"), Index(index)], what));
            }
        };
        Ok(App { name, source, min_heap, min_stack })
    }

    fn changelog(&self, file: Option<&Path>) -> Result<Option<PathBuf>> {
        let Some(file) = file else { return Ok(None) };
        let full = self.reporter.path.parent().unwrap_or(Path::new(".")).join(file);
        if full.is_file() {
            return Ok(Some(full));
        }
        let what = format!("{} is no file (paths are relative to the config file)", full.display());
        Err(self.reporter.at(&[Key("changelog")], &what))
    }

    fn client_apps(&self, names: &[String]) -> Result<()> {
        for (index, name) in names.iter().enumerate() {
            let at = |what: &str| self.reporter.at(&[Key("client_apps"), Index(index)], what);
            self.workspace.package(name, "deb").map_err(|what| at(&what))?;
            if names.iter().take(index).any(|other| other == name) {
                return Err(at(&format!("{name} is listed twice")));
            }
        }
        Ok(())
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
        assert_eq!(claim(app("a", "1", "p.a")), Ok(()));
        assert_eq!(claim(app("b", "2", "p.b")), Ok(()));
        assert!(claim(app("c", "3", "p.a")).unwrap_err().starts_with("c has the same port p.a as a"));
        assert!(claim(app("d", "2", "p.d")).unwrap_err().starts_with("d has the same UUID 00000002-"));
        assert!(claim(app("a", "5", "p.e")).unwrap_err().starts_with("a has the same name a as a"));
    }
}
