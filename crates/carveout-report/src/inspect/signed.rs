//! What NVIDIA's tools or NVIDIA itself have signed.

use super::explained::Explained;
use super::found::Found;
use super::{boot_config, parts, secure_os};
use crate::errors::InspectError;
use carveout_host::error::Result;
use carveout_host::text::Text;
use serde_json::Value;
use std::path::Path;
use tegra_bct::signed::{HEADER, Signed, kind_name, nvidias_own};

/// A file with the header for t194.
pub fn t194(path: &Path, bytes: &[u8]) -> Result<Explained> {
    if let Some((kind, length)) = nvidias_own(bytes) {
        let name = kind_name(kind).unwrap_or_default();
        let kind = kind.escape_ascii().to_string();
        let text = Text::block(&format!(
            "{name} ({kind}), signed by NVIDIA alone, {length} bytes behind the header\n"
        ));
        return Ok(Explained::new(text, Found::NvidiaSigned { content_kind: Some(kind), size: length }));
    }
    if bytes.len() < HEADER {
        return Err(InspectError::SignedTooShort { path: path.into(), bytes: bytes.len() }.into());
    }
    let Some(signed) = Signed::parse(bytes) else { return Ok(t186_rom(bytes.len())) };
    ensure_whole(path, &signed)?;
    let whole = signed.holds() == Some(true);
    // A file that was encrypted with an SBK cannot be told from a damaged one.
    let seal = if whole {
        "its checksum holds"
    } else {
        "its checksum is not that of the content: encrypted with an SBK, or changed"
    };
    let mut text = Text::block(&format!(
        "signed {}, {} bytes behind the header; {seal}\n",
        signed.name(),
        signed.length
    ));
    let content = content(path, &signed, whole, &mut text)?;
    let content_kind = signed.kind.escape_ascii().to_string();
    let found = Found::Signed { content_kind, size: signed.length, checksum_holds: whole, content };
    Ok(Explained::new(text, found))
}

/// What the boot ROM of t186 loads has a header of another form, whose fields are not known here.
fn t186_rom(size: usize) -> Explained {
    let text = Text::block(&format!(
        "part of the boot chain that NVIDIA has signed (NVDA), {size} bytes; its header names no part that t194 has: t186 (Jetson TX2)\n"
    ));
    Explained::new(text, Found::NvidiaSigned { content_kind: None, size })
}

/// A file with the header that NVIDIA's tools put in front for t186 (`GSHV`).
pub fn t186(path: &Path, bytes: &[u8]) -> Result<Explained> {
    let signed = Signed::parse(bytes)
        .ok_or_else(|| InspectError::SignedTooShort { path: path.into(), bytes: bytes.len() })?;
    ensure_whole(path, &signed)?;
    let holds = signed.holds();
    let seal = match holds {
        Some(true) => "its checksum holds",
        Some(false) => "its checksum is not that of the content: changed",
        None => "signed with keys, so that its checksum cannot be told",
    };
    let mut text = Text::block(&format!(
        "signed for t186 (Jetson TX2): {}, {} bytes behind the header (GSHV); {seal}\n",
        signed.name(),
        signed.length
    ));
    let content = content(path, &signed, holds == Some(true), &mut text)?;
    Ok(Explained::new(text, Found::SignedT186 { size: signed.length, checksum_holds: holds, content }))
}

fn ensure_whole(path: &Path, signed: &Signed) -> Result<()> {
    if signed.content.len() >= signed.length {
        return Ok(());
    }
    let (announced, there) = (signed.length, signed.content.len());
    Err(InspectError::SignedTruncated { path: path.into(), announced, there }.into())
}

/// What is behind a header, added to the text. A damaged or encrypted one is told of no further.
fn content(path: &Path, signed: &Signed, whole: bool, text: &mut Text) -> Result<Option<Value>> {
    let inner = match &signed.kind {
        b"TOSB" if whole => Some(secure_os::image(path, signed.content)?),
        b"MBCT" if whole => Some(boot_config::mb1_bct(path, signed.content)?),
        b"EKSB" if whole => parts::ekb(path, signed.content)?,
        _ => None,
    };
    Ok(inner.map(|inner| {
        text.push(&inner.text.indented());
        inner.json
    }))
}
