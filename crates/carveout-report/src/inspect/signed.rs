//! What NVIDIA's tools or NVIDIA itself have signed.

use super::explained::Explained;
use super::found::Found;
use super::{boot_config, parts, secure_os};
use crate::errors::InspectError;
use bundle::sha256;
use carveout_host::error::Result;
use carveout_host::text::Text;
use std::path::Path;
use tegra_bct::signed::{Signed, kind_name, nvidias_own};

/// Bytes of the header for t186, and where it has the length of what is behind it.
const T186_HEADER: usize = 0x190;
const T186_LENGTH: std::ops::Range<usize> = 0x188..0x18c;

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
    let signed = Signed::parse(bytes)
        .ok_or_else(|| InspectError::SignedTooShort { path: path.into(), bytes: bytes.len() })?;
    if kind_name(signed.kind).is_none() {
        return Ok(t186_rom(bytes.len()));
    }
    if signed.content.len() < signed.length {
        let (announced, there) = (signed.length, signed.content.len());
        return Err(InspectError::SignedTruncated { path: path.into(), announced, there }.into());
    }
    let whole = sha256(signed.content) == hex(&signed.digest);
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
    let inner = match &signed.kind {
        b"TOSB" if whole => Some(secure_os::image(path, signed.content)?),
        b"MBCT" if whole => Some(boot_config::mb1_bct(path, signed.content)?),
        b"EKSB" if whole => parts::ekb(path, signed.content)?,
        _ => None,
    };
    let content = inner.map(|inner| {
        text.push(&inner.text.indented());
        inner.json
    });
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
pub fn t186(bytes: &[u8]) -> Explained {
    let length = bytes.get(T186_LENGTH).and_then(|b| b.try_into().ok()).map_or(0, u32::from_le_bytes);
    let behind = bytes.get(T186_HEADER..).unwrap_or_default();
    let inner = if behind.starts_with(b"NVTOSP") { secure_os::container(behind).ok() } else { None };
    let mut text =
        Text::block(&format!("signed for t186 (Jetson TX2), {length} bytes behind the header (GSHV)\n"));
    let content = inner.map(|inner| {
        text.push(&inner.text.indented());
        inner.json
    });
    Explained::new(text, Found::SignedT186 { size: length, content })
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
