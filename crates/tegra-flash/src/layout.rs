//! The partition layout: `<partition_layout>` XML of NVIDIA's flash tools (L4T R32, version 01.00.0000).
//!
//! Sizes and file names may be placeholders in capitals (`APPSIZE`, `TOSFILE`), which the flash script replaces.

mod devices;
mod edits;
mod error;
mod limits;
mod place;
mod room;

pub use devices::{Device, Layout, Partition, Size};
pub(crate) use edits::edited;
pub use error::LayoutError;
pub use limits::{MAX_DEPTH, MAX_FILE, MAX_PARTITIONS, MAX_TAG};
pub use place::{Place, PlaceError};
pub use room::TooSmall;

use crate::slots::PLACEHOLDERS;
use limits::Lines;
use roxmltree::{Document, Node};
use std::collections::BTreeSet;

/// Bytes of a sector where a layout does not say: as NVIDIA's `tegraparser_v2` takes it (L4T R32.7).
const SECTOR: u64 = 512;
/// Bit of `<allocation_attribute>` (hexadecimal) of a partition that takes what is left (0x808 of `UDA`).
const REST: u32 = 0x800;

impl Layout {
    /// Reads a layout.
    pub fn parse(xml: &str) -> Result<Self, LayoutError> {
        let document = parse_document(xml)?;
        let root = document.root_element();
        if !root.has_tag_name("partition_layout") {
            return at(&root, format!("expected <partition_layout>, found <{}>", root.tag_name().name()));
        }
        let count = partitions(&document).count();
        if count > MAX_PARTITIONS {
            return at(&root, format!("{count} partitions, allowed are {MAX_PARTITIONS}"));
        }
        let lines = Lines::of(xml);
        let devices = children(&root, "device").map(|node| device(&node, &lines));
        let devices: Vec<Device> = devices.collect::<Result<_, _>>()?;
        if devices.is_empty() {
            return at(&root, "expected at least one <device>".into());
        }
        Ok(Self { devices })
    }

    /// The partition of a name, or the one whose name flash.sh fills in with it.
    pub fn partition(&self, name: &str) -> Option<&Partition> {
        let placeholder = PLACEHOLDERS.iter().find(|(_, filled)| *filled == name).map(|(text, _)| *text);
        self.partitions().find(|p| p.name == name || Some(p.name.as_str()) == placeholder)
    }

    /// Which of these partitions the layout has not.
    pub fn lacks<'a>(&self, names: &[&'a str]) -> Vec<&'a str> {
        names.iter().copied().filter(|name| self.partition(name).is_none()).collect()
    }

    /// All partitions.
    pub fn partitions(&self) -> impl Iterator<Item = &Partition> {
        self.devices.iter().flat_map(|d| &d.partitions)
    }
}

/// The XML of a layout of bounded size.
pub(crate) fn parse_document(xml: &str) -> Result<Document<'_>, LayoutError> {
    limits::check(xml)?;
    Document::parse(xml).map_err(|e| LayoutError::Xml(e.to_string()))
}

/// The partitions of all devices. Those within another one are none.
pub(crate) fn partitions<'a, 'd>(document: &'a Document<'d>) -> impl Iterator<Item = Node<'a, 'd>> {
    let devices = document.root_element().children().filter(|node| node.has_tag_name("device"));
    devices.flat_map(|device| device.children()).filter(|node| node.has_tag_name("partition"))
}

/// Replaces placeholders in a layout: whole words of letters, digits and `_`. Every other byte stays.
pub fn substitute(xml: &str, values: &[(&str, &str)]) -> String {
    let mut out = String::with_capacity(xml.len());
    for piece in xml.split_inclusive(|c: char| !is_word(c)) {
        let word = piece.trim_end_matches(|c: char| !is_word(c));
        let value = values.iter().find(|(name, _)| *name == word).map(|(_, value)| *value);
        out.push_str(value.unwrap_or(word));
        out.push_str(piece.get(word.len()..).unwrap_or_default());
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn device(node: &Node, lines: &Lines) -> Result<Device, LayoutError> {
    let mut seen = BTreeSet::new();
    let mut partitions = Vec::new();
    for child in children(node, "partition") {
        let partition = partition(&child, lines)?;
        // Names are unique on a device only: NVIDIA's layouts have a secondary_gpt on each of two.
        if !seen.insert(partition.name.clone()) {
            return at(&child, format!("partition {} exists already on this device", partition.name));
        }
        partitions.push(partition);
    }
    let said = node.attribute("sector_size").map(|text| size(node, text)).transpose()?;
    let sector_size = match said {
        None => SECTOR,
        Some(Size::Number(bytes)) if bytes > 0 => bytes,
        Some(_) => return at(node, "sector_size must be a number above 0".into()),
    };
    let sectors = node.attribute("num_sectors").map_or(Ok(Size::Rest), |text| size(node, text))?;
    let kind = attribute(node, "type")?.into();
    Ok(Device { kind, sector_size, sector_size_assumed: said.is_none(), sectors, partitions })
}

fn partition(node: &Node, lines: &Lines) -> Result<Partition, LayoutError> {
    let name = attribute(node, "name")?.to_owned();
    let text = |tag: &str| children(node, tag).next().and_then(|n| n.text()).map(str::trim);
    let size = match text("size") {
        Some(bytes) => size(node, bytes)?,
        None if text("allocation_attribute").is_some_and(takes_the_rest) => Size::Rest,
        None => return at(node, format!("partition {name} has no <size>")),
    };
    let file = text("filename").filter(|f| !f.is_empty()).map(Into::into);
    Ok(Partition {
        kind: attribute(node, "type")?.into(),
        name,
        size,
        file,
        id: node.attribute("id").and_then(|text| text.parse().ok()),
        boundary: text("align_boundary").and_then(size_number),
        guid: text("unique_guid").filter(|guid| !guid.is_empty()).map(Into::into),
        line: lines.at(node.range().start),
    })
}

/// Whether an allocation attribute says that a partition takes what is left.
fn takes_the_rest(attribute: &str) -> bool {
    let digits = attribute.strip_prefix("0x").unwrap_or(attribute);
    u32::from_str_radix(digits, 16).is_ok_and(|bits| bits & REST != 0)
}

fn size_number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

fn size(node: &Node, text: &str) -> Result<Size, LayoutError> {
    let number = size_number(text);
    let placeholder = text.starts_with(|c: char| c.is_ascii_uppercase())
        && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    match number {
        Some(u64::MAX) => Ok(Size::Rest),
        Some(number) => Ok(Size::Number(number)),
        None if placeholder => Ok(Size::Placeholder(text.into())),
        None => at(node, format!("`{text}` is no size: expected bytes or a placeholder such as APPSIZE")),
    }
}

fn attribute<'a>(node: &Node<'a, '_>, name: &str) -> Result<&'a str, LayoutError> {
    match node.attribute(name) {
        Some(value) => Ok(value),
        None => at(node, format!("<{}> lacks the attribute {name}", node.tag_name().name())),
    }
}

fn children<'a, 'd>(node: &Node<'a, 'd>, tag: &str) -> impl Iterator<Item = Node<'a, 'd>> {
    node.children().filter(move |n| n.has_tag_name(tag))
}

fn line(node: &Node) -> u32 {
    node.document().text_pos_at(node.range().start).row
}

fn at<T>(node: &Node, what: String) -> Result<T, LayoutError> {
    Err(LayoutError::At { line: line(node), what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SAMPLE: &str = "<?xml version=\"1.0\"?>\n<partition_layout version=\"01.00.0000\">\n\
        <device type=\"sdmmc_user\" instance=\"3\" sector_size=\"512\" num_sectors=\"EMMCSIZE\">\n\
        <partition name=\"APP\" type=\"data\">\n<size> APPSIZE </size>\n<filename> APPFILE </filename>\n</partition>\n\
        <partition name=\"secure-os\" type=\"tos\">\n<size> 0x280000 </size>\n</partition>\n</device>\n</partition_layout>\n";

    #[test]
    fn partitions_are_read() {
        let layout = Layout::parse(SAMPLE).unwrap();
        let app = layout.partition("APP").unwrap();
        assert_eq!(app.size, Size::Placeholder("APPSIZE".into()));
        assert_eq!((app.file.as_deref(), app.line), (Some("APPFILE"), 4));
        assert_eq!(layout.partition("secure-os").unwrap().size.number(), Some(2_621_440));
        assert_eq!(layout.devices[0].sectors, Size::Placeholder("EMMCSIZE".into()));
    }

    /// The form of balena's and Mender's layouts, and of those of TX2.
    #[test]
    fn sectors_of_512_bytes_are_assumed() {
        let layout =
            Layout::parse(&SAMPLE.replace(" sector_size=\"512\" num_sectors=\"EMMCSIZE\"", "")).unwrap();
        let device = &layout.devices[0];
        assert_eq!((device.sector_size, device.sector_size_assumed), (512, true));
        assert_eq!(device.sectors, Size::Rest);
        assert!(!Layout::parse(SAMPLE).unwrap().devices[0].sector_size_assumed);
    }

    #[test]
    fn absent_partitions_are_named() {
        let layout = Layout::parse(SAMPLE).unwrap();
        assert_eq!(layout.lacks(&["APP", "kernel", "secure-os", "MB1_BCT"]), ["kernel", "MB1_BCT"]);
        let tx2 = Layout::parse(&SAMPLE.replace("\"secure-os\"", "\"TOSNAME\"")).unwrap();
        assert_eq!(tx2.lacks(&["APP", "secure-os"]), Vec::<&str>::new(), "flash.sh fills it in");
    }

    #[test]
    fn placeholders_are_whole_words() {
        let filled =
            substitute(SAMPLE, &[("APPSIZE", "4096"), ("EMMCSIZE", "9"), ("EMMC", "x"), ("SIZE", "x")]);
        assert_eq!(filled, SAMPLE.replace(" APPSIZE ", " 4096 ").replace("\"EMMCSIZE\"", "\"9\""));
    }

    #[test]
    fn defects_have_lines() {
        let error =
            |from: &str, to: &str| Layout::parse(&SAMPLE.replacen(from, to, 1)).unwrap_err().to_string();
        assert_eq!(
            error("APPSIZE", "-1"),
            "line 4: `-1` is no size: expected bytes or a placeholder such as APPSIZE"
        );
        assert_eq!(error("<size> 0x280000 </size>", ""), "line 8: partition secure-os has no <size>");
        assert_eq!(error("secure-os", "APP"), "line 8: partition APP exists already on this device");
        assert_eq!(error("\"512\"", "\"0\""), "line 3: sector_size must be a number above 0");
        assert_eq!(error("\"512\"", "\"SECTOR\""), "line 3: sector_size must be a number above 0");
        assert!(error("</device>", "").contains("partition_layout"));
    }

    /// NVIDIA's own layouts, where they are at hand: they are not ours to copy.
    #[test]
    fn real_layouts_are_read() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/l4t-data");
        for (name, partitions) in [("flash_t194_sdmmc.xml", 63), ("flash_t194_sdmmc_rootfs_ab.xml", 64)] {
            let Ok(text) = std::fs::read_to_string(format!("{folder}/{name}")) else {
                eprintln!("skipped: {folder}/{name} is not there");
                continue;
            };
            let layout = Layout::parse(&text).unwrap();
            assert_eq!(layout.partitions().count(), partitions, "{name}");
            assert_eq!(layout.partition("secure-os").unwrap().size.number(), Some(2_621_440));
            assert_eq!(layout.partition("secure-os_b").unwrap().kind, "tos");
            assert_eq!(layout.partition("UDA").unwrap().size, Size::Rest);
            assert_eq!(layout.partition("APP").unwrap().size, Size::Placeholder("APPSIZE".into()));
        }
    }

    proptest! {
        #[test]
        fn any_input_is_survived(text: String, at in 0usize..300, length in 0usize..40) {
            let _ = Layout::parse(&text);
            let mut cut = SAMPLE.to_owned();
            cut.replace_range(at..(at + length).min(SAMPLE.len()), "");
            let _ = Layout::parse(&cut);
            prop_assert_eq!(substitute(&text, &[]), text);
        }
    }
}
