//! Changes of a text's parts.

use std::ops::Range;

/// The text with these parts replaced, which stand one behind the other. Other bytes stay.
pub(crate) fn edited(text: &str, edits: Vec<(Range<usize>, String)>) -> String {
    let (mut out, mut done) = (String::with_capacity(text.len()), 0);
    for (range, new) in edits {
        out.push_str(text.get(done..range.start).unwrap_or_default());
        out.push_str(&new);
        done = range.end;
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out
}
