//! Names that a workspace and its apps can have.

use crate::errors::{MAX_NAME, NewError};
use carveout_host::error::Result;

/// Words that name no crate: Rust's own (reference, "Keywords", all editions), its own crates, and what cargo has in its folders.
const RESERVED: &str = "abstract alloc as async await become box break build const continue core crate debug deps do dyn else enum \
    examples extern false final fn for gen if impl in incremental let loop macro match mod move mut override priv pub ref \
    release return self static std struct super test trait true try type typeof unsafe unsized use virtual where while yield";

/// Refuses what packages, ports and bundles cannot be called.
pub fn ensure(name: &str) -> Result<()> {
    let letters = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let begins = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
    let good = letters && begins && name.len() <= MAX_NAME && !name.ends_with('-') && !name.contains("--");
    if good { Ok(()) } else { Err(NewError::Name { name: name.into() }.into()) }
}

/// Refuses what one more package of a workspace cannot be called, whose Cargo.lock has those that are `taken`.
pub fn ensure_free<'a>(name: &str, mut taken: impl Iterator<Item = &'a str>) -> Result<()> {
    if RESERVED.split_whitespace().any(|word| word == name) {
        return Err(NewError::Reserved { name: name.into() }.into());
    }
    if taken.any(|other| other == name) {
        return Err(NewError::Taken { name: name.into() }.into());
    }
    Ok(())
}

/// `DoorLock` of door-lock.
pub fn of_type(name: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    name.split('-').map(word).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_packages() {
        for good in ["a", "door-lock", "cam2"] {
            assert!(ensure(good).is_ok(), "{good}");
        }
        let long = "a".repeat(33);
        for bad in ["", "-a", "a-", "A", "a_b", "2a", "a--b", "a/b", "..", "tür", "a\n", "a\u{202e}b", &long]
        {
            assert!(ensure(bad).is_err(), "{bad}");
        }
        assert_eq!(of_type("door-lock2"), "DoorLock2");
    }

    #[test]
    fn a_package_has_no_name_of_another_crate() {
        let code = |name: &str| ensure_free(name, ["serde", "tipc"].into_iter()).map_err(|error| error.code);
        assert_eq!(code("door-srv"), Ok(()));
        assert_eq!(code("tipc"), Err("build::new::taken"));
        for word in ["self", "fn", "core", "yield", "release"] {
            assert_eq!(code(word), Err("build::new::reserved"), "{word}");
        }
    }
}
