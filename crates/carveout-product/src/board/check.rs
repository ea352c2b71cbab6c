//! The values of a board's file, each by itself.

use crate::board_file::{BoardFile, L4tBoardFile, Module};
use crate::errors::{BoardError, ConfigError};
use crate::locate::Step::{self, Index, Key as At};
use crate::report::Reporter;
use crate::rootfs::image_size;
use crate::yocto::is_url;
use bundle::{NAME, is_plain};
use carveout_host::error::{Error, Result};
use tegra_flash::{BoardError as IdError, BoardId};

/// What names for NVIDIA's scripts and BitBake may hold besides letters and digits.
const WORD: &str = "-_.+";
/// What lies beside the folders of modules in a bundle's `flash`.
const RESERVED: [&str; 3] = ["common", "flash.sh", "README.txt"];

/// Checks the values that are read as texts, and the modules.
pub fn check(reporter: &Reporter, file: &BoardFile) -> Result<()> {
    let Some(l4t) = &file.l4t else { return Ok(()) };
    let words =
        [("flash_name", &l4t.flash_name), ("root_device", &l4t.root_device), ("machine", &l4t.machine)];
    for (key, value) in words {
        if let Some(value) = value.clone().filter(|value| !is_plain(value, WORD)) {
            return Err(reporter.at(&[At("l4t"), At(key)], ConfigError::NotAName { value, allowed: WORD }));
        }
    }
    let hexadecimal = |text: &str| {
        text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    };
    if let Some(recovery) = l4t.recovery.as_ref().filter(|recovery| !hexadecimal(&recovery.usb_product)) {
        let value = recovery.usb_product.clone();
        return Err(reporter
            .at(&[At("l4t"), At("recovery"), At("usb_product")], BoardError::NotAUsbProduct { value }));
    }
    let mut told =
        l4t.recovery.iter().flat_map(|recovery| [("name", &recovery.name), ("how", &recovery.how)]);
    let is_no_line = |text: &str| text.is_empty() || text.contains(char::is_control);
    if let Some((key, text)) = told.find(|(_, text)| is_no_line(text)) {
        let value = text.escape_debug().to_string();
        return Err(reporter.at(&[At("l4t"), At("recovery"), At(key)], BoardError::NotALine { value }));
    }
    if let Some(text) = &l4t.app_size {
        image_size(text).map_err(|fault| reporter.at(&[At("l4t"), At("app_size")], fault))?;
    }
    downloads(reporter, l4t)?;
    modules(reporter, l4t)
}

fn downloads(reporter: &Reporter, l4t: &L4tBoardFile) -> Result<()> {
    let all = l4t.downloads.iter().flat_map(|all| [("bsp", &all.bsp), ("sources", &all.sources)]);
    for (name, download) in all {
        let place = |key| [At("l4t"), At("downloads"), At(name), At(key)];
        let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if !is_url(&download.url) {
            let value = download.url.escape_debug().to_string();
            return Err(reporter.at(&place("url"), BoardError::NotAUrl { value }));
        }
        if download.sha256.len() != 64 || !download.sha256.bytes().all(digit) {
            let value = download.sha256.escape_debug().to_string();
            return Err(reporter.at(&place("sha256"), BoardError::NotASha256 { value }));
        }
    }
    Ok(())
}

fn modules(reporter: &Reporter, l4t: &L4tBoardFile) -> Result<()> {
    let Some(modules) = &l4t.modules else { return Ok(()) };
    let at = |steps: &[Step], fault: Error| {
        let path: Vec<Step> = [At("l4t"), At("modules")].iter().chain(steps).copied().collect();
        Err(reporter.at(&path, fault))
    };
    if modules.is_empty() {
        return at(&[], BoardError::NoModules.into());
    }
    for (index, module) in modules.iter().enumerate() {
        let name = module.name.clone();
        if !is_plain(&name, NAME) {
            let value = name.escape_debug().to_string();
            return at(&[Index(index), At("name")], ConfigError::NotAName { value, allowed: NAME }.into());
        }
        if let Some(name) = RESERVED.into_iter().find(|reserved| reserved.eq_ignore_ascii_case(&name)) {
            return at(&[Index(index), At("name")], BoardError::ReservedName { name }.into());
        }
        let wrong = |source: IdError| {
            BoardError::WrongModule { module: module.name.clone(), source: source.into() }.into()
        };
        if let Err(error) = module.id.check() {
            let IdError::Field { field, .. } = &error else {
                return at(&[Index(index), At("id")], wrong(error));
            };
            return at(&[Index(index), At("id"), At(field)], wrong(error));
        }
        for (nth, fits) in module.fits.iter().enumerate() {
            if let Err(error) = fits.check() {
                let IdError::Field { field, .. } = &error else {
                    return at(&[Index(index), At("fits"), Index(nth)], wrong(error));
                };
                return at(&[Index(index), At("fits"), Index(nth), At(field)], wrong(error));
            }
        }
        if let Some((nth, spec)) = module.update.iter().enumerate().find(|(_, spec)| !is_of(spec, module)) {
            let spec = spec.escape_debug().to_string();
            return at(&[Index(index), At("update"), Index(nth)], BoardError::OtherSpec { spec }.into());
        }
        for (nth, spec) in module.update.iter().enumerate() {
            let more = module.update.iter().take(nth);
            let mut before = modules.iter().take(index).flat_map(|other| &other.update).chain(more);
            if before.any(|other| other == spec) {
                let spec = spec.clone();
                return at(&[Index(index), At("update"), Index(nth)], BoardError::SpecTwice { spec }.into());
            }
        }
        for other in modules.iter().take(index) {
            if other.name.eq_ignore_ascii_case(&name) {
                return at(&[Index(index), At("name")], BoardError::ModuleTwice { name }.into());
            }
            if module.id.meets(&module.fits, &other.id, &other.fits) {
                let first = other.name.clone();
                return at(&[Index(index)], BoardError::ModulesMeet { first, second: name }.into());
            }
        }
    }
    Ok(())
}

/// Whether a name in update payloads is of a module. One without SKU is of all.
fn is_of(spec: &str, module: &Module) -> bool {
    let fields: Vec<&str> = spec.split('-').collect();
    let [board, fab, sku, revision] = fields[..] else { return false };
    let sku = if sku.is_empty() { &module.id.sku } else { sku };
    let [board, fab, sku, revision] = [board, fab, sku, revision].map(str::to_owned);
    let id = BoardId { board, fab, sku, revision };
    id.check().is_ok() && (&id.board, &id.sku) == (&module.id.board, &module.id.sku)
}
