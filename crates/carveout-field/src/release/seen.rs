//! The newest release of each channel that this user has seen: an old index is signed, too, and must not pass for today's.

use super::index::Entry;
use crate::errors::ChannelError;
use carveout_host::error::{At, Result};
use carveout_host::files;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fs;
use std::path::Path;

/// Bytes of a record, at most.
const MAX: u64 = 64 << 10;

/// What was seen of a product in a channel.
#[derive(Debug, Serialize, Deserialize)]
struct Seen {
    /// Where: the address or the folder, and the channel.
    channel: String,
    name: String,
    board: String,
    version: String,
    security_version: u32,
}

/// Refuses a release that is older than what this user has seen of it in the channel; `accept` takes it all the same. The newest is kept.
/// What nobody has signed is compared only: it would keep out what is signed.
pub fn admit(folder: &Path, channel: &str, entry: &Entry, signed: bool, accept: bool) -> Result<()> {
    fs::create_dir_all(folder).at(folder)?;
    let name = bundle::sha256(format!("{channel}\n{}\n{}", entry.name, entry.board).as_bytes());
    let path = folder.join(format!("{}.json", name.get(..32).unwrap_or(&name)));
    // Between reading and writing nobody else may have seen a newer one.
    let _lock = files::lock(&folder.join("lock"))?;
    if let Some(seen) = read(&path)? {
        match order(entry.security_version, &entry.version, &seen) {
            Ordering::Equal => return Ok(()),
            Ordering::Less if accept => return Ok(()),
            Ordering::Less => {
                return Err(ChannelError::Older {
                    channel: channel.into(),
                    product: entry.name.clone(),
                    version: entry.version.clone(),
                    security_version: entry.security_version,
                    seen: seen.version,
                    seen_security_version: seen.security_version,
                }
                .into());
            }
            Ordering::Greater => {}
        }
    }
    if !signed {
        return Ok(());
    }
    let seen = Seen {
        channel: channel.into(),
        name: entry.name.clone(),
        board: entry.board.clone(),
        version: entry.version.clone(),
        security_version: entry.security_version,
    };
    let text = serde_json::to_string_pretty(&seen);
    let text = text.map_err(|e| ChannelError::SeenNotEncoded { source: e.into() })? + "\n";
    files::write(&path, text, files::OUTPUT)
}

fn read(path: &Path) -> Result<Option<Seen>> {
    if !path.exists() {
        return Ok(None);
    }
    let text = files::read_limited(path, MAX)?;
    serde_json::from_slice(&text)
        .map(Some)
        .map_err(|e| ChannelError::SeenNotRead { path: path.into(), source: e.into() }.into())
}

/// A larger security version is newer whatever the version is.
fn order(security_version: u32, version: &str, seen: &Seen) -> Ordering {
    security_version.cmp(&seen.security_version).then_with(|| versions(version, &seen.version))
}

/// The order of versions: numbers by value; what follows `-` or `~` comes before the version itself, what follows `+` after it.
fn versions(one: &str, other: &str) -> Ordering {
    let split = |version: &str| {
        let at = version.find(['-', '~', '+']).unwrap_or(version.len());
        let (core, rest) = version.split_at(at);
        let rank = match rest.chars().next() {
            Some('-' | '~') => 0,
            None => 1,
            Some(_) => 2,
        };
        (pieces(core), rank, pieces(rest))
    };
    split(one).cmp(&split(other))
}

/// A piece of a version. A number comes before a word at the same place.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Piece {
    /// By length without leading zeros, then by digits: no number is too large.
    Number(usize, String),
    Word(String),
}

fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let digit = first.is_ascii_digit();
        let end = rest.find(|c: char| c.is_ascii_digit() != digit).unwrap_or(rest.len());
        let (piece, after) = rest.split_at(end);
        let number = piece.trim_start_matches('0');
        pieces.push(if digit {
            Piece::Number(number.len(), number.into())
        } else {
            Piece::Word(piece.into())
        });
        rest = after;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_in_the_order_that_people_expect() {
        let rising = [
            "0.9",
            "1.0.0-rc1",
            "1.0.0-rc2",
            "1.0.0-rc10",
            "1.0.0",
            "1.0.0+1",
            "1.0.1",
            "1.2.0",
            "1.10.0",
            "2",
            "2024.01",
            "2024.2",
            "99999999999999999999999",
            "100000000000000000000000",
        ];
        for (at, one) in rising.iter().enumerate() {
            for (other_at, other) in rising.iter().enumerate() {
                assert_eq!(versions(one, other), at.cmp(&other_at), "{one} {other}");
            }
        }
        assert_eq!(versions("01.2", "1.02"), Ordering::Equal);
    }
}
