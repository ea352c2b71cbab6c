//! What a product says of NVIDIA's parts and of keys, checked.

use super::board_file::Module;
use super::file::{Eks, L4tFile, Monitor};
use super::keys;
use super::locate::Step::{Index, Key};
use super::report::Reporter;
use super::rootfs::image_size;
use crate::board::Board;
use crate::errors::{ConfigError, L4tError};
use crate::overrides::Overrides;
use carveout_host::error::{Error, Result, nearest};
use carveout_keys::pkcs11::{PkcKey, Uri, is_uri};
use carveout_keys::secret;
use std::io::Read;
use std::path::{Path, PathBuf};
use trusty_image::Soc;

/// The key that signs, by its name in the config.
const PKC_KEY: &str = "pkc_key";

/// NVIDIA's parts and the keys of a product.
#[derive(Clone, Debug)]
pub struct L4t {
    /// The BSP: an unpacked tree or a tarball. Without it the environment says, or it is downloaded.
    pub bsp: Option<PathBuf>,
    /// The public sources, likewise.
    pub sources: Option<PathBuf>,
    /// NVIDIA's licence is accepted.
    pub accept_license: bool,
    /// Where the monitor comes from.
    pub monitor: Monitor,
    /// NVIDIA's own trusted apps to keep, by folder; all without it.
    pub stock_trusted_apps: Option<Vec<String>>,
    /// The modules to make flash packages for.
    pub modules: Vec<Module>,
    /// Bytes of the partition APP where the product has no root filesystem.
    pub app_size: u64,
    /// The key that signs for fused boards (PKC).
    pub pkc_key: Option<PkcKey>,
    /// The key that encrypts for fused boards (SBK).
    pub sbk_key: Option<PathBuf>,
    /// The EKB that takes the place of the BSP's.
    pub ekb: Option<PathBuf>,
    /// What becomes of the EKB of a running device that is updated.
    pub eks: Eks,
}

pub fn check(
    reporter: &Reporter,
    file: Option<&L4tFile>,
    board: &Board,
    overrides: &Overrides,
) -> Result<Option<L4t>> {
    let Some(known) = &board.l4t else { return Ok(None) };
    let default = L4tFile::default();
    let file = file.unwrap_or(&default);
    let full = |path: &PathBuf| reporter.path.parent().unwrap_or(Path::new(".")).join(path);
    let readable = |key, path: &Option<PathBuf>| {
        let Some(path) = path else { return Ok(None) };
        if secret::is_text(&path.to_string_lossy()) && !full(path).exists() {
            return Err(reporter.hidden(&[Key("l4t"), Key(key)], L4tError::KeyAsText));
        }
        let path = full(path);
        // A key is used where it lies: what is read here is looked at, and nothing of it is kept or told.
        let opened = bundle::open(&path).and_then(|file| {
            let mut bytes = Vec::new();
            file.take(keys::MOST).read_to_end(&mut bytes).map(|_| bytes)
        });
        match opened {
            // NVIDIA's scripts run elsewhere: the path must not depend on where we are.
            Ok(bytes) => {
                let checked = match key {
                    PKC_KEY => keys::pkc(&bytes).map_err(Error::from),
                    _ => keys::sbk(&bytes).map_err(Error::from),
                };
                checked
                    .map_err(|fault| reporter.at(&[Key("l4t"), Key(key)], fault.within(path.display())))?;
                Ok(Some(std::path::absolute(&path).unwrap_or(path)))
            }
            Err(source) => {
                Err(reporter.at(&[Key("l4t"), Key(key)], L4tError::KeyUnreadable { file: path, source }))
            }
        }
    };
    let pkc_key = match &file.pkc_key {
        Some(text) if is_uri(text) => Some(PkcKey::Token(Uri::parse(text).map_err(|source| {
            reporter.at(&[Key("l4t"), Key(PKC_KEY)], L4tError::WrongTokenUri { source: source.into() })
        })?)),
        path => readable(PKC_KEY, &path.as_ref().map(PathBuf::from))?.map(PkcKey::File),
    };
    if file.sbk_key.as_ref().is_some_and(|path| is_uri(&path.to_string_lossy())) {
        return Err(reporter.at(&[Key("l4t"), Key("sbk_key")], L4tError::SbkInToken));
    }
    if file.sbk_key.is_some() && pkc_key.is_none() {
        return Err(reporter.at(&[Key("l4t"), Key("sbk_key")], L4tError::SbkWithoutPkc));
    }
    let sbk_key = readable("sbk_key", &file.sbk_key)?;
    // NVIDIA's tools sign for them otherwise, and nothing of it was tried.
    let not_of_186 = [(PKC_KEY, pkc_key.is_some()), ("eks", file.eks == Eks::Write)];
    let given = not_of_186.into_iter().find(|(_, given)| *given && known.soc == Soc::T186);
    if let Some((key, _)) = given {
        return Err(reporter.at(&[Key("l4t"), Key(key)], L4tError::NotOfT186 { board: board.name.clone() }));
    }
    let ekb = file.ekb.as_ref().map(full);
    if let Some(path) = &ekb {
        let at = |fault: Error| reporter.at(&[Key("l4t"), Key("ekb")], fault);
        carveout_host::files::open(path)
            .map_err(|e| at(ConfigError::FileUnreadable { source: e.message.into() }.into()))?;
        let bytes = carveout_keys::ekb::read_file(path).map_err(at)?;
        let parsed = carveout_keys::ekb::parse(path, &bytes).map_err(at)?;
        if pkc_key.is_some() && parsed.sample_keys().is_some() {
            return Err(at(L4tError::KnownEkb.into()));
        }
    }
    let mut modules = known.modules.clone();
    if let Some(wanted) = &file.modules {
        modules = Vec::new();
        for (index, name) in wanted.iter().enumerate() {
            let place = [Key("l4t"), Key("modules"), Index(index)];
            let Some(module) = known.modules.iter().find(|module| module.name == *name) else {
                let known: Vec<String> = known.modules.iter().map(|module| module.name.clone()).collect();
                let meant = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
                let (module, board) = (name.clone(), board.name.clone());
                return Err(reporter.at(&place, L4tError::UnknownModule { module, board, known, meant }));
            };
            if modules.contains(module) {
                return Err(reporter.at(&place, ConfigError::ListedTwice { name: name.clone() }));
            }
            modules.push(module.clone());
        }
        if modules.is_empty() {
            return Err(reporter.at(&[Key("l4t"), Key("modules")], L4tError::NoModule));
        }
    }
    let app_size = file.app_size.as_ref().map(|text| image_size(text)).transpose();
    let app_size = app_size.map_err(|fault| reporter.at(&[Key("l4t"), Key("app_size")], fault))?;
    Ok(Some(L4t {
        bsp: overrides.bsp.clone().or_else(|| file.bsp.as_ref().map(full)),
        sources: overrides.sources.clone().or_else(|| file.sources.as_ref().map(full)),
        accept_license: overrides.accept_license || file.accept_license,
        monitor: file.monitor,
        stock_trusted_apps: file.stock_trusted_apps.clone(),
        modules,
        app_size: app_size.unwrap_or(known.app_size),
        pkc_key,
        sbk_key,
        ekb,
        eks: file.eks,
    }))
}
