//! Partition GUIDs in a layout.
//!
//! NVIDIA's `tegraparser_v2` makes up a random GUID for each partition without a `<unique_guid>`, so that two runs give two
//! different partition tables. With all of them given its output is the same each time.

use crate::layout::{LayoutError, edited, parse_document, partitions};
use roxmltree::Node;
use std::ops::Range;

const TAG: &str = "unique_guid";

/// The layout with a `<unique_guid>` in each partition, `guid` of the device's type and the partition's name. Other bytes
/// stay.
pub fn with_guids(xml: &str, guid: impl Fn(&str, &str) -> String) -> Result<String, LayoutError> {
    let document = parse_document(xml)?;
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    for partition in partitions(&document) {
        let name = |node: Option<Node>, attribute: &str| {
            node.and_then(|node| node.attribute(attribute).map(str::to_owned)).unwrap_or_default()
        };
        let text = guid(&name(partition.parent(), "type"), &name(Some(partition), "name"));
        let element = format!("<{TAG}> {text} </{TAG}>");
        match partition.children().find(|node| node.has_tag_name(TAG)) {
            Some(old) => edits.push((old.range(), element)),
            // An empty partition has no place for it, and is refused by the layout's own rules.
            None => edits.extend(partition.first_child().map(|first| {
                let start = first.range().start;
                (start..start, format!("\n            {element}"))
            })),
        }
    }
    // One behind the other: no partition lies within another.
    Ok(edited(xml, edits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Layout;
    use proptest::prelude::*;

    const SAMPLE: &str = "<partition_layout version=\"1\"><device type=\"a\" sector_size=\"512\" num_sectors=\"1\">\n\
        <partition name=\"x\" type=\"data\"><size> 1 </size></partition>\n\
        <partition name=\"y\" type=\"data\">\n<size> 1 </size><unique_guid> </unique_guid></partition>\n</device>\
        <device type=\"b\" sector_size=\"512\" num_sectors=\"1\"><partition name=\"x\" type=\"data\"><size> 1 </size>\
        </partition></device></partition_layout>";

    #[test]
    fn every_partition_gets_its_guid() {
        let out = with_guids(SAMPLE, |device, name| format!("{device}-{name}")).unwrap();
        let expected = SAMPLE
            .replacen(
                "type=\"data\"><size>",
                "type=\"data\">\n            <unique_guid> a-x </unique_guid><size>",
                1,
            )
            .replace("<unique_guid> </unique_guid>", "<unique_guid> a-y </unique_guid>")
            .replace(
                "<partition name=\"x\" type=\"data\"><size>",
                "<partition name=\"x\" type=\"data\">\n            <unique_guid> b-x </unique_guid><size>",
            );
        assert_eq!(out, expected);
        assert_eq!(
            with_guids(&out, |device, name| format!("{device}-{name}")).unwrap(),
            out,
            "once is enough"
        );
        assert_eq!(Layout::parse(&out).unwrap(), {
            let mut plain = Layout::parse(SAMPLE).unwrap();
            // Lines move.
            for (a, b) in plain.devices.iter_mut().zip(Layout::parse(&out).unwrap().devices) {
                for (a, b) in a.partitions.iter_mut().zip(b.partitions) {
                    (a.line, a.guid) = (b.line, b.guid);
                }
            }
            plain
        });
    }

    /// An edit within another one made the second one's place wrong, or none.
    #[test]
    fn a_partition_within_another_is_none() {
        let inner = format!("<partition><{TAG}>{}</{TAG}></partition>", "long ".repeat(99));
        let nested = SAMPLE.replace(&format!("<{TAG}> </{TAG}>"), &format!("<{TAG}>{inner}</{TAG}>"));
        let out = with_guids(&nested, |_, _| "é".into()).unwrap();
        assert_eq!(out, with_guids(SAMPLE, |_, _| "é".into()).unwrap());
    }

    proptest! {
        #[test]
        fn any_input_is_survived(at in 0usize..300, length in 0usize..40) {
            let mut cut = SAMPLE.to_owned();
            cut.replace_range(at..(at + length).min(SAMPLE.len()), "");
            let _ = with_guids(&cut, |_, _| "é".into());
        }
    }
}
