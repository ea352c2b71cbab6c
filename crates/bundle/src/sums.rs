//! `SHA256SUMS`, as `sha256sum` writes and checks it.

use crate::file_entry::FileEntry;
use crate::format::MANIFEST;
use std::collections::BTreeMap;

/// The text for these files and a manifest of this digest.
pub fn to_text(files: &[FileEntry], manifest: &str) -> String {
    let mut sums: BTreeMap<&str, &str> = files.iter().map(|f| (f.path.as_str(), f.sha256.as_str())).collect();
    sums.insert(MANIFEST, manifest);
    sums.iter().map(|(path, sum)| format!("{sum}  {path}\n")).collect()
}

/// Reads the text: path to digest. Lines that are none are left out; their absence is a finding elsewhere.
pub fn parse(text: &str) -> BTreeMap<&str, &str> {
    let line = |line| str::split_once(line, "  ").map(|(sum, path)| (path, sum));
    text.lines().filter_map(line).collect()
}
