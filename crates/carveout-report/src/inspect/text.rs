//! Texts: keys and signatures, sums, a manifest, boot configs, layouts, and what else people have of a BSP.

use super::explained::Explained;
use super::found::Found;
use super::rows::Minisign;
use super::{boot_config, bundle};
use crate::errors::InspectError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use carveout_host::error::Result;
use carveout_host::size::human;
use carveout_host::text::Text;
use std::path::Path;
use trusty_ta_build::Declaration;

/// Bytes of minisign's public key, signature and secret key.
const PUBLIC: usize = 42;
const SIGNATURE: usize = 74;
const SECRET: usize = 158;
/// Where the key's identifier lies: behind two bytes of algorithm; in a secret key behind salt and limits, too.
const ID: std::ops::Range<usize> = 2..10;
const SECRET_ID: std::ops::Range<usize> = 54..62;

/// How a line of a text begins, and what such a text is.
const KNOWN: [(&str, &str); 14] = [
    ("<genericfuse", "fuse config of NVIDIA's odmfuse (.xml): which fuses are burned"),
    ("/dts-v1/", "source of a device tree (.dts): dtc compiles it"),
    ("< VERSION", "slot metadata config (smd_info.cfg): retries and slots of A/B updates"),
    ("mb1_ratchet_level", "rollback config (rollback.cfg): least versions of the boot chain for each board"),
    ("process_board_version()", "board config of L4T (.conf.common), which flash.sh reads"),
    ("source \"${LDK_DIR}/", "board config of L4T (.conf), which flash.sh reads"),
    ("TNSPEC\t", "nv_boot_control.conf of a device: its module, for update payloads"),
    ("TNSPEC ", "nv_boot_control.conf of a device: its module, for update payloads"),
    ("BSP_BRANCH=", "release of a BSP (nv_tegra/bsp_version)"),
    ("LABEL primary", "extlinux.conf: what the boot loader boots"),
    ("trusted_apps:", "product config: cargo xtask plan -c FILE shows its memory"),
    ("\"bomFormat\": \"CycloneDX\"", "list of a bundle's parts (SBOM, CycloneDX)"),
    ("\"predicateType\":", "how a bundle came to be (provenance, in-toto)"),
    ("0, 0:3:BCT,", "index of what is flashed (flash.idx of NVIDIA's tools)"),
];

/// A text, if it is one that is known.
pub fn explain(path: &Path, bytes: &[u8]) -> Result<Option<Explained>> {
    let Ok(text) = std::str::from_utf8(bytes) else { return Ok(None) };
    if text.contains("<partition_layout") {
        return boot_config::layout(path, text).map(Some);
    }
    if let Some(found) = minisign(text) {
        return Ok(Some(found));
    }
    if text.trim_start().starts_with('{') && text.contains("\"tzdram\"") && text.contains("\"trusted_apps\"")
    {
        return bundle::of_text(path, text).map(Some);
    }
    if let Some(found) = sums(text).or_else(|| pem(text)).or_else(|| script(text)) {
        return Ok(Some(found));
    }
    if text.lines().any(|line| line.trim_end() == "[package.metadata.trusty]") {
        return declaration(path, text).map(Some);
    }
    // Of JSON, whose lines are indented, a key; of all else a line as it stands: scripts that write such files have indented ones.
    let begins = |mark: &str| {
        let json = mark.starts_with('"');
        text.lines().any(|line| if json { line.trim_start() } else { line }.starts_with(mark))
    };
    if let Some(found) = KNOWN.iter().find(|(mark, _)| begins(mark)) {
        return Ok(Some(simple(found.1, bytes.len())));
    }
    boot_config::cfg(path, bytes).transpose()
}

fn simple(what: &'static str, length: usize) -> Explained {
    Explained::new(Text::block(&format!("{what}, {length} bytes\n")), Found::Text { what, size: length })
}

/// What a TA declares in its Cargo.toml.
fn declaration(path: &Path, text: &str) -> Result<Explained> {
    let declared = Declaration::from_cargo_toml(text)
        .map_err(|e| InspectError::WrongDeclaration { path: path.into(), source: e.into() })?;
    let mut out = Text::block(&format!(
        "Cargo.toml of a trusted app\n  UUID         {}\n  heap         {}\n  stack        {}\n",
        declared.uuid,
        human(declared.min_heap.into()),
        human(declared.min_stack.into())
    ));
    for port in &declared.start_ports {
        let who = match (port.flags.allow_ta_connect, port.flags.allow_ns_connect) {
            (true, true) => "trusted apps and Linux",
            (true, false) => "trusted apps",
            (false, true) => "Linux",
            (false, false) => "nobody",
        };
        let _ = writeln!(out, "  port         {} for {who}", port.name);
    }
    for region in &declared.mem_map {
        let _ = writeln!(out, "  mem_map      id {}, 0x{:x}, {} bytes", region.id, region.addr, region.size);
    }
    Ok(Explained::new(out, Found::Declaration { declaration: declared }))
}

/// minisign's files: a comment, and what base64 hides.
fn minisign(text: &str) -> Option<Explained> {
    let mut lines = text.lines();
    let comment = lines.next()?.strip_prefix("untrusted comment:")?.trim().to_owned();
    let key = STANDARD.decode(lines.next()?.trim()).ok()?;
    let id = |range| {
        let bytes: Option<[u8; 8]> = key.get(range).and_then(|b: &[u8]| b.try_into().ok());
        format!("{:016X}", bytes.map_or(0, u64::from_le_bytes))
    };
    let (what, kind, id): (_, fn(Minisign) -> Found, _) = match key.len() {
        PUBLIC => (
            "public key (minisign): verify and flash take it with --key",
            Found::MinisignPublic,
            Some(id(ID)),
        ),
        SIGNATURE => ("signature (minisign)", Found::MinisignSignature, Some(id(ID))),
        SECRET if key.get(2..4) == Some(&[0, 0]) => (
            "SECRET key (minisign) without a password: keep it where releases are signed, and out of git",
            Found::MinisignSecret,
            Some(id(SECRET_ID)),
        ),
        SECRET => (
            "SECRET key (minisign) with a password: keep it where releases are signed, and out of git",
            Found::MinisignSecret,
            None,
        ),
        _ => return None,
    };
    let mut out = Text::block(&format!("{what}\n"));
    if let Some(id) = &id {
        let _ = writeln!(out, "  key          {id}");
    }
    let _ = writeln!(out, "  comment      {comment} (not signed)");
    let trusted = lines.next().and_then(|line| line.strip_prefix("trusted comment:"));
    if let Some(trusted) = trusted {
        let _ = writeln!(out, "  comment      {} (signed)", trusted.trim());
    }
    Some(Explained::new(
        out,
        kind(Minisign { key: id, trusted_comment: trusted.map(|comment| comment.trim().to_owned()) }),
    ))
}

/// `sha256sum`'s list.
fn sums(text: &str) -> Option<Explained> {
    let is_line = |line: &str| {
        let digest = line.get(..64).is_some_and(|digest| digest.bytes().all(|b| b.is_ascii_hexdigit()));
        digest && line.get(64..66).is_some_and(|gap| gap == "  " || gap == " *") && line.len() > 66
    };
    let lines = text.lines().filter(|line| !line.is_empty()).count();
    if lines == 0 || !text.lines().filter(|line| !line.is_empty()).all(is_line) {
        return None;
    }
    let out = Text::block(&format!(
        "sha256 sums of {lines} files: sha256sum -c FILE compares them, cargo xtask verify BUNDLE checks a bundle's\n"
    ));
    Some(Explained::new(out, Found::Sha256sums { files: lines }))
}

fn pem(text: &str) -> Option<Explained> {
    let label = text.lines().find_map(|line| line.strip_prefix("-----BEGIN ")?.strip_suffix("-----"))?;
    let secret = label.contains("PRIVATE KEY");
    let advice = if secret { "; a secret: keep it where images are signed, and out of git" } else { "" };
    let out = Text::block(&format!("PEM file: {}{advice}\n", label.to_lowercase()));
    Some(Explained::new(out, Found::Pem { label: label.into(), secret }))
}

fn script(text: &str) -> Option<Explained> {
    let program = text.lines().next()?.strip_prefix("#!")?.trim();
    Some(Explained::new(
        Text::block(&format!("script for {program}, {} bytes\n", text.len())),
        Found::Script { program: program.into(), size: text.len() },
    ))
}
