//! The texts.

use crate::size::human;
use bundle::{DeskBoot, Given, Manifest, sha256};
use serde_json::{Value, json};
use std::fmt::Write as _;
use tegra_bct::mb1;
use tegra_bct::signed::Signed;
use tegra_bct::{MiscCfg, TZDRAM_ALIGNMENT, TZDRAM_SIZE};
use tegra_flash::Layout;
use trusty_image::limits::APP_STACK_TOP;
use trusty_image::{Container, TrustedApp, container, stock, tasks};

/// A text and the same for machines.
pub type Explained = (String, Value);

/// A secure-os image. One read back from a partition may have bytes behind it.
pub fn container(bytes: &[u8]) -> Result<Explained, String> {
    let length = container::announced_size(bytes).filter(|l| *l < bytes.len()).unwrap_or(bytes.len());
    let (image, behind) = bytes.split_at_checked(length).unwrap_or((bytes, &[]));
    // Only what a partition is erased to may follow; else a wrong size would hide.
    let erased = behind.iter().all(|b| *b == 0) || behind.iter().all(|b| *b == 0xff);
    let image = if erased { image } else { bytes };
    let read = Container::parse(image).map_err(|e| e.to_string())?;
    let signed = container::signed_size(image.len() as u64);
    let mut text = format!(
        "secure-os image (NVTOSP), {} bytes, {signed} signed\n  monitor      {:>9} bytes\n  OS           {:>9} bytes, {:?}{}\n",
        image.len(),
        read.monitor.len(),
        read.os.len(),
        read.tos_type,
        if read.encrypted { ", encrypted" } else { "" }
    );
    if !behind.is_empty() && erased {
        let _ = writeln!(text, "  behind it    {:>9} bytes of an erased partition", behind.len());
    }
    let mut apps = Vec::new();
    if !read.encrypted {
        // Concatenated trusted apps are taken apart to the last byte; in a kernel they are looked for.
        let whole = read.os.starts_with(b"\x7fELF");
        let found =
            if whole { tasks::split(read.os).map_err(|e| e.to_string())? } else { tasks::find(read.os) };
        for elf in found {
            let shown = match trusty_image::inspect(elf) {
                Ok(app) => trusted_app(&app, elf.len()),
                Err(findings) => {
                    let list: Vec<String> = findings.iter().map(ToString::to_string).collect();
                    (
                        format!("trusted app that the loader would not take:\n  {}\n", list.join("\n  ")),
                        json!({ "findings": list }),
                    )
                }
            };
            text.push_str(&indent(&shown.0));
            apps.push(shown.1);
        }
    }
    let json = json!({ "kind": "secure-os", "size": image.len(), "signed_size": signed, "monitor": read.monitor.len(),
        "os": read.os.len(), "encrypted": read.encrypted, "trusted_apps": apps });
    Ok((text, json))
}

/// A file that NVIDIA's tools have signed.
pub fn signed(bytes: &[u8]) -> Result<Explained, String> {
    let signed =
        Signed::parse(bytes).ok_or_else(|| format!("{} bytes are too few for a signed file", bytes.len()))?;
    if signed.content.len() < signed.length {
        return Err(format!(
            "announces {} bytes behind its header, {} are there",
            signed.length,
            signed.content.len()
        ));
    }
    let whole = sha256(signed.content) == hex(&signed.digest);
    let seal = if whole {
        "its checksum holds"
    } else {
        "encrypted, or damaged: its checksum is not that of the content"
    };
    let mut text = format!("signed {}, {} bytes behind the header; {seal}\n", signed.name(), signed.length);
    let inner = match &signed.kind {
        b"TOSB" if whole => Some(container(signed.content)?),
        b"MBCT" if whole => Some(mb1_bct(signed.content)?),
        _ => None,
    };
    let kind = signed.kind.escape_ascii().to_string();
    let mut json =
        json!({ "kind": "signed", "content_kind": kind, "size": signed.length, "checksum_holds": whole });
    if let Some((inner, value)) = inner {
        text.push_str(&indent(&inner));
        json["content"] = value;
    }
    Ok((text, json))
}

/// The carve-out of a generated boot config.
pub fn mb1_bct(bytes: &[u8]) -> Result<Explained, String> {
    let found = mb1::read(bytes).map_err(|e| e.to_string())?;
    let text = format!(
        "MB1 BCT, {} bytes: what MB1 reads of the carve-out\n  size         0x{:08x} = {} (at 0x918)\n  alignment    0x{:08x} = {} (at 0x920)\n",
        bytes.len(),
        found.size,
        human(found.size),
        found.alignment,
        human(found.alignment)
    );
    Ok((text, json!({ "kind": "mb1-bct", "tzdram": { "size": found.size, "alignment": found.alignment } })))
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A TA.
pub fn trusted_app(app: &TrustedApp, file_size: usize) -> Explained {
    let manifest = &app.manifest;
    let mut text = format!(
        "trusted app, {file_size} bytes, passes all rules of the loader\n  UUID         {}{}\n  entry        0x{:x}\n",
        manifest.uuid,
        stock::name(manifest.uuid).map(|name| format!(", NVIDIA's {name}")).unwrap_or_default(),
        app.entry
    );
    for segment in &app.segments {
        let flags: String = [(4, 'r'), (2, 'w'), (1, 'x')]
            .map(|(bit, c)| if segment.flags & bit != 0 { c } else { '-' })
            .iter()
            .collect();
        let _ = writeln!(
            text,
            "  segment      0x{:06x} to 0x{:06x} {flags}, file offset 0x{:x}",
            segment.vaddr,
            segment.end(),
            segment.offset
        );
    }
    let heap_end = app.heap_start + manifest.heap();
    let _ = writeln!(
        text,
        "  heap         0x{:06x} to 0x{heap_end:06x}, {}",
        app.heap_start,
        human(manifest.heap().into())
    );
    let stack = APP_STACK_TOP - manifest.stack();
    let _ = writeln!(
        text,
        "  stack        0x{stack:06x} to 0x{APP_STACK_TOP:06x}, {}",
        human(manifest.stack().into())
    );
    for region in &manifest.map_mem {
        let _ =
            writeln!(text, "  map_mem      id {}, 0x{:x}, {} bytes", region.id, region.offset, region.size);
    }
    let json = json!({ "kind": "trusted-app", "uuid": manifest.uuid, "stock": stock::name(manifest.uuid), "size": file_size, "entry": app.entry,
        "image": app.image_size, "heap": manifest.heap(), "stack": manifest.stack(), "map_mem": manifest.map_mem });
    (text, json)
}

/// A misc boot config or a layout; `None` if it is neither.
pub fn text(bytes: &[u8]) -> Option<Result<Explained, String>> {
    let text = std::str::from_utf8(bytes).ok()?;
    if text.contains("<partition_layout") {
        return Some(layout(text));
    }
    let like_cfg =
        text.contains("carveout.") || text.lines().any(|l| l.trim_end().ends_with(';') && l.contains('='));
    like_cfg.then(|| misc_cfg(bytes))
}

fn misc_cfg(bytes: &[u8]) -> Result<Explained, String> {
    let cfg = MiscCfg::parse(bytes).map_err(|e| e.to_string())?;
    let mut text = format!("misc boot config, {} values\n", cfg.entries().count());
    let mut values = serde_json::Map::new();
    for key in [TZDRAM_SIZE, TZDRAM_ALIGNMENT] {
        let value = cfg.get(key).map_err(|e| e.to_string())?;
        let line = cfg.line(key).map_err(|e| e.to_string())?;
        let _ = writeln!(text, "  {key:<27} 0x{value:08x} = {} (line {line})", human(value));
    }
    for (key, value) in cfg.entries() {
        values.insert(key.into(), json!(value));
    }
    text.push_str(
        "  a change of either takes effect only by a full flash: they are part of the signed MB1_BCT\n",
    );
    Ok((text, json!({ "kind": "misc-cfg", "values": values })))
}

fn layout(text: &str) -> Result<Explained, String> {
    let layout = Layout::parse(text).map_err(|e| e.to_string())?;
    let mut out = format!("partition layout, {} partitions\n", layout.partitions().count());
    let mut rows = Vec::new();
    for device in &layout.devices {
        let _ = writeln!(out, "  device {}, sectors of {} bytes", device.kind, device.sector_size);
        for partition in &device.partitions {
            let size = match &partition.size {
                tegra_flash::Size::Rest => "the rest".to_owned(),
                tegra_flash::Size::Number(number) => number.to_string(),
                tegra_flash::Size::Placeholder(name) => name.clone(),
            };
            let file = partition.file.as_deref().unwrap_or("-");
            let _ = writeln!(out, "    {:<22} {:<30} {size:>12} {file}", partition.name, partition.kind);
            rows.push(json!({ "name": partition.name, "type": partition.kind, "size": size, "file": partition.file }));
        }
    }
    Ok((out, json!({ "kind": "layout", "partitions": rows })))
}

/// A file that the build was given, and where it can be had again.
fn origin(given: &Given) -> String {
    let (name, file) = (given.name.escape_debug(), given.file.escape_debug());
    match (&given.origin, &given.supplier) {
        (Some(origin), _) => {
            let (path, commit) =
                (origin.path.escape_debug(), origin.commit.get(..12).unwrap_or(&origin.commit));
            let commit = commit.escape_debug();
            let other = origin.repository.as_ref().map(|name| format!(" of {}", name.escape_debug()));
            format!("{name}: {path} in commit {commit}{}", other.unwrap_or_default())
        }
        (None, Some(supplier)) => format!("{name}: {file}, {}'s", supplier.escape_debug()),
        (None, None) => format!("{name}: {file}, in no commit"),
    }
}

/// A bundle's manifest.
pub fn bundle(manifest: &Manifest) -> String {
    let mut text = format!("bundle {}\n", manifest.bundle_name());
    let inputs = &manifest.inputs;
    let _ = writeln!(text, "  git revision {}", inputs.git_revision.as_deref().unwrap_or("none"));
    if let Some(release) = &inputs.bsp {
        let _ = writeln!(text, "  L4T {release}");
    }
    for (name, version) in &inputs.toolchains {
        let _ = writeln!(text, "  {name}: {version}");
    }
    for given in &inputs.given {
        let _ = writeln!(text, "  given {}", origin(given));
    }
    let memory = &manifest.plan.memory;
    let _ = writeln!(
        text,
        "  carve-out    {:>10}, alignment {}",
        human(memory.tzdram),
        human(manifest.tzdram.alignment)
    );
    let _ = writeln!(text, "    kernel     {:>10}", human(memory.kernel));
    for app in &memory.trusted_apps {
        let _ = writeln!(
            text,
            "    {:<22} image {:>9}, heap {:>9}, stack {:>9}",
            app.name,
            human(app.image),
            human(app.heap),
            human(app.stack)
        );
    }
    let word = if memory.free < 0 { "lacking" } else { "free" };
    let _ = writeln!(text, "    {word:<10} {:>10}", human(memory.free.unsigned_abs()));
    for app in &manifest.trusted_apps {
        let ports: Vec<&str> = app.ports.iter().map(|p| p.name.as_str()).collect();
        let _ = writeln!(text, "  trusted app  {} {} {}", app.name, app.uuid, ports.join(" "));
    }
    if let Some(desk_boot) = manifest.desk_boot {
        let what = match desk_boot {
            DeskBoot::Answered => "booted in QEMU, and every declared port answered",
            DeskBoot::Skipped => "not booted in QEMU",
        };
        let _ = writeln!(text, "  secure-os    {what}");
    }
    if let Some(device) = &manifest.device {
        for module in &device.modules {
            let _ = writeln!(text, "  module       {:<12} {}", module.name, module.id);
        }
        if !device.lacks.is_empty() {
            let _ = writeln!(text, "  lacks        {}: not for a full flash", device.lacks.join(", "));
        }
        for uuid in &device.stock_trusted_apps {
            let _ = writeln!(text, "  stock app    {} {uuid}", stock::name(*uuid).unwrap_or("unknown"));
        }
    }
    for partition in &manifest.plan.partitions {
        let (used, size) = (human(partition.used), human(partition.size));
        let _ = writeln!(text, "  partition    {:<12} {used:>10} of {size}", partition.name);
    }
    for file in &manifest.files {
        let _ = writeln!(text, "  file         {:<44} {:>10}", file.path, human(file.size));
    }
    text.push_str("  (as its manifest says; `cargo xtask verify` checks it)\n");
    text
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bundle::Origin;

    #[test]
    fn where_a_file_came_from_is_told() {
        let given = |origin: Option<Origin>, supplier: Option<&str>| Given {
            name: "trusted_apps.a".into(),
            file: "a.elf".into(),
            sha256: None,
            tree_sha256: None,
            supplier: supplier.map(str::to_owned),
            origin,
        };
        let of = |repository: Option<&str>| Origin {
            path: "prebuilt/a.elf".into(),
            commit: "0123456789abcdef".into(),
            repository: repository.map(str::to_owned),
        };
        for (given, expected) in [
            (given(Some(of(None)), None), "trusted_apps.a: prebuilt/a.elf in commit 0123456789ab"),
            (
                given(Some(of(Some("example.com/b"))), None),
                "trusted_apps.a: prebuilt/a.elf in commit 0123456789ab of example.com/b",
            ),
            (given(None, Some("NVIDIA")), "trusted_apps.a: a.elf, NVIDIA's"),
            (given(None, None), "trusted_apps.a: a.elf, in no commit"),
        ] {
            assert_eq!(origin(&given), expected);
        }
        let hostile = Given { file: "\u{1b}[2J".into(), ..given(None, None) };
        assert_eq!(origin(&hostile), "trusted_apps.a: \\u{1b}[2J, in no commit");
    }
}
