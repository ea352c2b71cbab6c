//! What a product says of NVIDIA's parts and of keys, checked.

use super::file::{L4tFile, Module, Monitor};
use super::keys;
use super::locate::Step::{Index, Key};
use super::report::Reporter;
use super::rootfs::image_size;
use crate::{Board, Overrides};
use carveout_host::error::{Result, nearest};
use carveout_keys::pkcs11::{PkcKey, Uri, is_uri};
use carveout_keys::secret;
use std::io::Read;
use std::path::{Path, PathBuf};

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
            let what = format!(
                "l4t.{key}: expected is the name of a key's file, given is the text of a key (not shown)"
            );
            return Err(reporter.hidden(&[Key("l4t"), Key(key)], &what));
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
                let check: fn(&[u8]) -> Result<(), String> =
                    if key == PKC_KEY { keys::pkc } else { keys::sbk };
                check(&bytes).map_err(|what| {
                    reporter.at(&[Key("l4t"), Key(key)], &format!("{}: {what}", path.display()))
                })?;
                Ok(Some(std::path::absolute(&path).unwrap_or(path)))
            }
            Err(error) => {
                let what = format!("{}: {error} (paths are relative to the config file)", path.display());
                Err(reporter.at(&[Key("l4t"), Key(key)], &what))
            }
        }
    };
    let pkc_key = match &file.pkc_key {
        Some(text) if is_uri(text) => Some(PkcKey::Token(
            Uri::parse(text).map_err(|what| reporter.at(&[Key("l4t"), Key("pkc_key")], &what))?,
        )),
        path => readable(PKC_KEY, &path.as_ref().map(PathBuf::from))?.map(PkcKey::File),
    };
    if file.sbk_key.as_ref().is_some_and(|path| is_uri(&path.to_string_lossy())) {
        let what = "an SBK must be a file: NVIDIA's tools encrypt with its bytes, which no token gives away. Only pkc_key may \
                    be in a token";
        return Err(reporter.at(&[Key("l4t"), Key("sbk_key")], what));
    }
    if file.sbk_key.is_some() && pkc_key.is_none() {
        let what = "boards with an SBK are signed, too: pkc_key is missing";
        return Err(reporter.at(&[Key("l4t"), Key("sbk_key")], what));
    }
    let sbk_key = readable("sbk_key", &file.sbk_key)?;
    let mut modules = known.modules.clone();
    if let Some(wanted) = &file.modules {
        modules = Vec::new();
        for (index, name) in wanted.iter().enumerate() {
            let Some(module) = known.modules.iter().find(|module| module.name == *name) else {
                let names: Vec<&str> = known.modules.iter().map(|module| module.name.as_str()).collect();
                let near = nearest(name, names.iter().copied()).map(|n| format!(" Did you mean `{n}`?"));
                let what = format!(
                    "unknown module `{name}`: board {} has {}.{}",
                    board.name,
                    names.join(", "),
                    near.unwrap_or_default()
                );
                return Err(reporter.at(&[Key("l4t"), Key("modules"), Index(index)], &what));
            };
            if modules.contains(module) {
                let what = format!("{name} is listed twice");
                return Err(reporter.at(&[Key("l4t"), Key("modules"), Index(index)], &what));
            }
            modules.push(module.clone());
        }
        if modules.is_empty() {
            return Err(reporter.at(&[Key("l4t"), Key("modules")], "expected at least one module"));
        }
    }
    let app_size = file.app_size.as_ref().map(|text| image_size(text)).transpose();
    let app_size = app_size.map_err(|what| reporter.at(&[Key("l4t"), Key("app_size")], &what))?;
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
    }))
}
