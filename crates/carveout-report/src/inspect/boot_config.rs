//! Boot configs, partition layouts, and what NVIDIA's tools make of them.

use super::explained::Explained;
use super::found::Found;
use super::rows::{CarveOutRead, LayoutPartition};
use crate::errors::InspectError;
use carveout_host::error::Result;
use carveout_host::size::human;
use carveout_host::text::Text;
use std::path::Path;
use tegra_bct::{CfgErrors, Family, MiscCfg, mb1, tzdram_keys};
use tegra_flash::{Layout, Size};
use trusty_image::Soc;

/// A boot config; `None` for a text that is none.
pub fn cfg(path: &Path, bytes: &[u8]) -> Option<Result<Explained>> {
    let text = std::str::from_utf8(bytes).ok()?;
    match Family::of(bytes) {
        // A broken one is still one: its keys are nobody else's.
        Some(family) if family.is_misc() => Some(misc(path, bytes)),
        family if is_like_cfg(text) => match family {
            Some(other) => Some(Ok(without_carve_out(other, text))),
            None => Some(misc(path, bytes)),
        },
        _ => None,
    }
}

/// Whether most lines have the form of a boot config's: a script or a program has some of them, too.
fn is_like_cfg(text: &str) -> bool {
    let code = |line: &str| line.split('#').next().unwrap_or_default().trim().to_owned();
    let lines: Vec<String> = text.lines().map(code).filter(|line| !line.is_empty()).collect();
    let like = |line: &&String| {
        line.ends_with(';') && line.split_once('=').is_some_and(|(key, _)| !key.trim().contains(' '))
    };
    lines.iter().filter(like).count() * 2 > lines.len()
}

fn misc(path: &Path, bytes: &[u8]) -> Result<Explained> {
    let wrong = |e: CfgErrors| InspectError::WrongBootConfig { path: path.into(), source: e.into() };
    let cfg = MiscCfg::parse(bytes).map_err(wrong)?;
    let soc = cfg.soc();
    let mut text = Text::block(&format!("misc boot config of {soc}, {} values\n", cfg.entries().count()));
    if soc == Soc::T186 && !cfg.has_tzdram() {
        text.push_str(
            "  no carve-out of Trusty, as shipped: MB1 takes its own default; carveout adds the lines\n",
        );
    } else {
        for key in tzdram_keys(soc) {
            let value = cfg.get(key).map_err(wrong)?;
            let line = cfg.line(key).map_err(wrong)?;
            let _ = writeln!(text, "  {key:<27} 0x{value:08x} = {} (line {line})", human(value));
        }
    }
    let values = cfg.entries().map(|(key, value)| (key.to_owned(), value)).collect();
    let warnings: Vec<String> = cfg.warnings().iter().map(ToString::to_string).collect();
    for warning in &warnings {
        let _ = writeln!(text, "  warning: {warning}");
    }
    text.push_str(
        "  a change of either takes effect only by a full flash: they are part of the signed MB1_BCT\n",
    );
    Ok(Explained::new(text, Found::MiscCfg { soc, values, warnings }))
}

fn without_carve_out(family: Family, text: &str) -> Explained {
    let values = text.lines().filter(|l| !l.trim_start().starts_with('#') && l.contains('=')).count();
    let text = Text::block(&format!(
        "{family}, {values} values\n  it has no TZDRAM carve-out: that is in tegra194-mb1-bct-misc-*.cfg of the same folder, for TX2 in tegra186-…\n"
    ));
    Explained::new(text, Found::BootConfig { family: family.word(), values })
}

/// A partition layout.
pub fn layout(path: &Path, text: &str) -> Result<Explained> {
    let layout =
        Layout::parse(text).map_err(|e| InspectError::WrongLayout { path: path.into(), source: e.into() })?;
    let mut out = Text::block(&format!("partition layout, {} partitions\n", layout.partitions().count()));
    let mut rows = Vec::new();
    for device in &layout.devices {
        let assumed = if device.sector_size_assumed { " (assumed: the layout does not say)" } else { "" };
        let _ = writeln!(out, "  device {}, sectors of {} bytes{assumed}", device.kind, device.sector_size);
        for partition in &device.partitions {
            let size = match &partition.size {
                Size::Rest => "the rest".to_owned(),
                Size::Number(number) => number.to_string(),
                Size::Placeholder(name) => name.clone(),
            };
            let file = partition.file.as_deref().unwrap_or("-");
            let _ = writeln!(out, "    {:<22} {:<30} {size:>12} {file}", partition.name, partition.kind);
            rows.push(LayoutPartition {
                name: partition.name.clone(),
                kind: partition.kind.clone(),
                size,
                file: partition.file.clone(),
            });
        }
    }
    let sector_size_assumed = layout.devices.iter().any(|device| device.sector_size_assumed);
    Ok(Explained::new(out, Found::Layout { partitions: rows, sector_size_assumed }))
}

/// The carve-out of a generated boot config.
pub fn mb1_bct(path: &Path, bytes: &[u8]) -> Result<Explained> {
    let found =
        mb1::read(bytes).map_err(|e| InspectError::WrongBct { path: path.into(), source: e.into() })?;
    let place = mb1::place(bytes);
    let text = Text::block(&format!(
        "MB1 BCT, {} bytes: what MB1 reads of the carve-out\n  size         0x{:08x} = {} (at 0x{:x})\n  alignment    0x{:08x} = {} (at 0x{:x})\n",
        bytes.len(),
        found.size,
        human(found.size),
        place.size.start,
        found.alignment,
        human(found.alignment),
        place.alignment.start
    ));
    let tzdram = CarveOutRead { size: found.size, alignment: found.alignment };
    Ok(Explained::new(text, Found::Mb1Bct { tzdram }))
}
