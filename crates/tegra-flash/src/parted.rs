//! A layout without one of its devices.

use crate::layout::{LayoutError, edited, parse_document};
use roxmltree::Node;
use std::ops::Range;

/// The layout without the devices of a type, and with other names of the files of what is left. Other bytes stay.
pub fn without_device(
    xml: &str,
    kind: &str,
    file: impl Fn(&str) -> Option<String>,
) -> Result<String, LayoutError> {
    let document = parse_document(xml)?;
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    for device in document.root_element().children().filter(|node| node.has_tag_name("device")) {
        if device.attribute("type") == Some(kind) {
            edits.push((device.range(), String::new()));
            continue;
        }
        for partition in device.children().filter(|node| node.has_tag_name("partition")) {
            let is_file = |node: &Node| node.has_tag_name("filename");
            let (Some(node), Some(name)) =
                (partition.children().find(is_file), partition.attribute("name").and_then(&file))
            else {
                continue;
            };
            edits.push((node.range(), format!("<filename> {name} </filename>")));
        }
    }
    Ok(edited(xml, edits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_taken_out() {
        let one = "<device type=\"spi\">\n<partition name=\"mb2\" type=\"x\"><size> 1 </size><filename> a.bin </filename>\
                   </partition><partition name=\"SMD\" type=\"x\"><size> 1 </size></partition></device>";
        let other = "<device type=\"sdcard\"><partition name=\"APP\" type=\"x\"><size> 1 </size></partition></device>";
        let xml = format!("<partition_layout>{one}\n{other}\n</partition_layout>");
        let left = without_device(&xml, "sdcard", |name| (name == "mb2").then(|| "a.signed".into())).unwrap();
        assert_eq!(
            left,
            format!("<partition_layout>{}\n\n</partition_layout>", one.replace("a.bin", "a.signed"))
        );
        assert_eq!(without_device(&xml, "emmc", |_| None).unwrap(), xml);
        assert!(without_device("<x", "spi", |_| None).is_err());
    }
}
