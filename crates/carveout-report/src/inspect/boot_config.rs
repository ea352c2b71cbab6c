//! Boot configs, partition layouts, and what NVIDIA's tools make of them.

use super::explained::Explained;
use super::found::Found;
use super::rows::{CarveOutRead, LayoutPartition};
use crate::errors::InspectError;
use carveout_host::error::Result;
use carveout_host::size::human;
use carveout_host::text::Text;
use std::path::Path;
use tegra_bct::{CfgErrors, Family, MiscCfg, TZDRAM_ALIGNMENT, TZDRAM_SIZE, mb1};
use tegra_flash::{Layout, Size};

/// What TX2's MB1 reads of Trusty's carve-out, if a config has it.
const TX2_SIZE: &str = "sw_carveout.tzdram_carveout_size";

/// A boot config; `None` for a text that is none.
pub fn cfg(path: &Path, bytes: &[u8]) -> Option<Result<Explained>> {
    let text = std::str::from_utf8(bytes).ok()?;
    match Family::of(bytes) {
        // A broken one is still one: its keys are nobody else's.
        Some(Family::Misc194) => Some(misc(path, bytes)),
        Some(Family::Misc186) => Some(Ok(tx2(bytes))),
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
    let mut text = Text::block(&format!("misc boot config, {} values\n", cfg.entries().count()));
    for key in [TZDRAM_SIZE, TZDRAM_ALIGNMENT] {
        let value = cfg.get(key).map_err(wrong)?;
        let line = cfg.line(key).map_err(wrong)?;
        let _ = writeln!(text, "  {key:<27} 0x{value:08x} = {} (line {line})", human(value));
    }
    let values = cfg.entries().map(|(key, value)| (key.to_owned(), value)).collect();
    let warnings: Vec<String> = cfg.warnings().iter().map(ToString::to_string).collect();
    for warning in &warnings {
        let _ = writeln!(text, "  warning: {warning}");
    }
    text.push_str(
        "  a change of either takes effect only by a full flash: they are part of the signed MB1_BCT\n",
    );
    Ok(Explained::new(text, Found::MiscCfg { values, warnings }))
}

fn tx2(bytes: &[u8]) -> Explained {
    let size = MiscCfg::parse(bytes).ok().and_then(|cfg| cfg.get(TX2_SIZE).ok());
    let carve_out = match size {
        Some(size) => format!("{TX2_SIZE} 0x{size:08x} = {}", human(size)),
        None => "no carve-out of Trusty: MB1 takes its own default".into(),
    };
    let text =
        Text::block(&format!("{}\n  {carve_out}\n  it is not for Jetson AGX Xavier\n", Family::Misc186));
    Explained::new(text, Found::Tx2Config { family: Family::Misc186.word(), tzdram_size: size })
}

fn without_carve_out(family: Family, text: &str) -> Explained {
    let values = text.lines().filter(|l| !l.trim_start().starts_with('#') && l.contains('=')).count();
    let text = Text::block(&format!(
        "{family}, {values} values\n  it has no TZDRAM carve-out: that is in tegra194-mb1-bct-misc-*.cfg of the same folder\n"
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
    let text = Text::block(&format!(
        "MB1 BCT, {} bytes: what MB1 reads of the carve-out\n  size         0x{:08x} = {} (at 0x918)\n  alignment    0x{:08x} = {} (at 0x920)\n",
        bytes.len(),
        found.size,
        human(found.size),
        found.alignment,
        human(found.alignment)
    ));
    let tzdram = CarveOutRead { size: found.size, alignment: found.alignment };
    Ok(Explained::new(text, Found::Mb1Bct { tzdram }))
}
