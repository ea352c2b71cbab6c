//! What a layout may have at most, found out before its text is parsed: the parser compares each attribute of an element with those before
//! it, and whoever wrote the text may be an enemy.

use super::error::LayoutError;

/// Largest file that is read, in bytes: NVIDIA's have some 40 KiB.
pub const MAX_FILE: usize = 1 << 20;
/// Elements within each other, at most: a layout has four (layout, device, partition, size).
pub const MAX_DEPTH: usize = 32;
/// Bytes of a tag, at most: NVIDIA's have some 100.
pub const MAX_TAG: usize = 4096;
/// Partitions of a layout, at most: NVIDIA's have 64, and the kernel's GPT 128 for each device.
pub const MAX_PARTITIONS: usize = 1024;

/// Checks depth and tags, and leaves all else to the parser.
pub fn check(xml: &str) -> Result<(), LayoutError> {
    let too = |what: String| Err(LayoutError::Xml(what));
    if xml.len() > MAX_FILE {
        return too(format!(
            "{} bytes are too many: a layout has some 40 KiB, at most {MAX_FILE} are read",
            xml.len()
        ));
    }
    let (mut rest, mut depth) = (xml, 0_usize);
    while let Some(at) = rest.find('<') {
        let tag = rest.get(at..).unwrap_or_default();
        // What may hold tags that are none.
        let opaque = [("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>")];
        if let Some((_, end)) = opaque.iter().find(|(begin, _)| tag.starts_with(begin)) {
            rest = tag.find(end).and_then(|at| tag.get(at + end.len()..)).unwrap_or_default();
            continue;
        }
        let line = || xml.len() - tag.len();
        let Some(length) = length(tag) else {
            return too(format!("at byte {}: a tag has no end, or more than {MAX_TAG} bytes", line()));
        };
        let (own, behind) = tag.split_at(length);
        rest = behind;
        if own.starts_with("</") {
            depth = depth.saturating_sub(1);
        } else if !own.ends_with("/>") && !own.starts_with("<!") {
            depth += 1;
        }
        if depth > MAX_DEPTH {
            return too(format!("at byte {}: more than {MAX_DEPTH} elements within each other", line()));
        }
    }
    Ok(())
}

/// Bytes of a tag up to its `>`, which does not count in quotes.
fn length(tag: &str) -> Option<usize> {
    let mut quote = None;
    for (at, byte) in tag.bytes().enumerate().take(MAX_TAG) {
        match (quote, byte) {
            (None, b'>') => return Some(at + 1),
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

/// Where lines begin, so that the line of each partition is found without counting from the beginning.
pub struct Lines(Vec<usize>);

impl Lines {
    /// The lines of a text.
    pub fn of(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect())
    }

    /// The 1-based line of a byte.
    pub fn at(&self, byte: usize) -> u32 {
        u32::try_from(self.0.partition_point(|end| *end < byte) + 1).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Layout;
    use std::time::{Duration, Instant};

    const BEGIN: &str = "<partition_layout><device type='a' num_sectors='9'>";
    const END: &str = "</device></partition_layout>";

    fn refused(text: &str, why: &str) {
        let start = Instant::now();
        let error = Layout::parse(text).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
        assert!(start.elapsed() < Duration::from_secs(5), "{why}: {:?}", start.elapsed());
    }

    #[test]
    fn what_no_layout_has_is_refused_at_once() {
        refused(&"<a>".repeat(300_000), "more than 32 elements within each other");
        let attributes: String = (0..90_000).map(|n| format!(" a{n:05}=''")).collect();
        refused(&format!("<partition_layout{attributes}></partition_layout>"), "more than 4096 bytes");
        let partition = |n| format!("<partition name='{n}' type='x'><size> 1 </size></partition>\n");
        let many: String = (0..15_000).map(partition).collect();
        refused(&format!("{BEGIN}{many}{END}"), "15000 partitions, allowed are 1024");
        refused(&" ".repeat(MAX_FILE + 1), "are too many");
        refused("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", "DTD");
    }

    #[test]
    fn comments_quotes_and_empty_elements_count_for_nothing() {
        let comment = format!("<!-- {} -->", "<a> ' ".repeat(2000));
        let empty = "<x y='>'/>".repeat(100);
        let text = format!(
            "<?xml version='1.0'?>{comment}{BEGIN}\n{empty}<partition name='p' type='x'>\n<size> 1 </size></partition>{END}"
        );
        let layout = Layout::parse(&text).unwrap();
        assert_eq!(layout.partition("p").unwrap().line, 2);
    }

    #[test]
    fn as_many_partitions_as_may_be_are_read_in_no_time() {
        let partition =
            |n| format!("\n<partition name='{n}' type='x'><size> {} </size></partition>", u64::MAX - n);
        let many: String = (1..=MAX_PARTITIONS as u64).map(partition).collect();
        let start = Instant::now();
        let layout = Layout::parse(&format!("{BEGIN}{many}{END}")).unwrap();
        assert_eq!(layout.partition("1024").unwrap().line, 1025);
        assert!(layout.too_small(u64::MAX).is_some());
        assert!(start.elapsed() < Duration::from_secs(5));
    }
}
