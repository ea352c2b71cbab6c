//! tar files, compared entry by entry.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

/// All that an entry is: path, and the rest.
type Entry = (String, String);

/// The entries of a tar file, in order.
pub fn entries(tar: impl Read) -> Vec<Entry> {
    let mut archive = tar::Archive::new(tar);
    let entry = |entry: std::io::Result<tar::Entry<_>>| {
        let mut entry = entry.unwrap();
        let extensions = entry.pax_extensions().unwrap().into_iter().flatten();
        let more: Vec<String> = extensions
            .map(|pair| pair.unwrap())
            .map(|pair| format!("{}={}", pair.key().unwrap(), String::from_utf8_lossy(pair.value_bytes())))
            .collect();
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let header = entry.header().clone();
        let link = entry.link_name_bytes().map(|link| String::from_utf8_lossy(&link).into_owned());
        let device = (header.device_major().ok(), header.device_minor().ok());
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        let is = format!(
            "{:?}, mode {:o}, owner {}:{} ({:?}:{:?}), time {}, link {link:?}, device {device:?}, {} bytes, sha256 {}, {more:?}",
            header.entry_type(),
            header.mode().unwrap(),
            header.uid().unwrap(),
            header.gid().unwrap(),
            header.username().unwrap(),
            header.groupname().unwrap(),
            header.mtime().unwrap(),
            header.size().unwrap(),
            bundle::sha256(&content),
        );
        (path, is)
    };
    archive.entries().unwrap().map(entry).collect()
}

/// What differs, by path: what the entry is in either tar file. Of two that differ in the order of the other entries alone, the first that
/// is not at its place.
pub fn differences(one: &[Entry], two: &[Entry]) -> BTreeMap<String, String> {
    let all = |entries: &[Entry]| -> BTreeSet<Entry> { entries.iter().cloned().collect() };
    let (ones, twos) = (all(one), all(two));
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    for (path, is) in ones.symmetric_difference(&twos) {
        found.entry(path.clone()).or_default().push_str(&format!("\n  {is}"));
    }
    let shared = |entries: &[Entry]| -> Vec<Entry> {
        entries.iter().filter(|(path, _)| !found.contains_key(path)).cloned().collect()
    };
    let (ones, twos) = (shared(one), shared(two));
    if ones != twos {
        let at =
            ones.iter().zip(&twos).position(|(one, two)| one != two).unwrap_or(ones.len().min(twos.len()));
        let (path, _) = ones.get(at).or(twos.get(at)).unwrap();
        found.insert(path.clone(), "\n  is at another place, or there twice".into());
    }
    found
}

/// A tar file of a file and a link to it, with one thing changed.
fn archive(change: impl Fn(&mut tar::Header, &mut String, &mut String), order: [usize; 2]) -> Vec<Entry> {
    let mut builder = tar::Builder::new(Vec::new());
    for index in order {
        let (mut name, mut content) = (["file", "link"][index].to_owned(), ["text", ""][index].to_owned());
        let mut header = tar::Header::new_ustar();
        header.set_mode(0o644);
        header.set_mtime(1);
        header.set_uid(0);
        header.set_gid(0);
        if index == 1 {
            header.set_entry_type(tar::EntryType::Symlink);
            header.set_link_name("file").unwrap();
        }
        change(&mut header, &mut name, &mut content);
        header.set_size(content.len() as u64);
        builder.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    entries(&builder.into_inner().unwrap()[..])
}

#[test]
fn each_kind_of_difference_is_found() {
    let same = |_: &mut tar::Header, _: &mut String, _: &mut String| ();
    let good = archive(same, [0, 1]);
    let paths = |other: &[Entry]| differences(&good, other).into_keys().collect::<Vec<_>>().join(" ");
    assert_eq!(paths(&archive(same, [0, 1])), "");
    type Change = fn(&mut tar::Header);
    let of_the_header: [(&str, Change); 5] = [
        ("mode", |header| header.set_mode(0o600)),
        ("owner", |header| header.set_uid(1)),
        ("group", |header| header.set_gid(1)),
        ("time", |header| header.set_mtime(2)),
        ("kind", |header| header.set_entry_type(tar::EntryType::Directory)),
    ];
    for (what, change) in of_the_header {
        let other = archive(
            |header, name, _| {
                if name == "file" {
                    change(header)
                }
            },
            [0, 1],
        );
        assert_eq!(paths(&other), "file", "{what}");
    }
    let target = |header: &mut tar::Header, name: &mut String, _: &mut String| {
        if name == "link" {
            header.set_link_name("else").unwrap();
        }
    };
    assert_eq!(paths(&archive(target, [0, 1])), "link");
    let content = |_: &mut tar::Header, _: &mut String, content: &mut String| {
        *content = content.replace("text", "TEXT");
    };
    assert_eq!(paths(&archive(content, [0, 1])), "file");
    let name = |_: &mut tar::Header, name: &mut String, _: &mut String| *name = name.replace("file", "other");
    assert_eq!(paths(&archive(name, [0, 1])), "file other");
    assert_eq!(paths(&archive(same, [1, 0])), "file");
    assert_eq!(paths(&good[..1]), "link", "one is missing");
    assert_eq!(paths(&[&good[..], &good[1..]].concat()), "link", "one is there twice");
}
