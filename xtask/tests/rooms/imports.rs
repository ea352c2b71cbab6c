//! Which files of a crate import each other, as far as their text tells: macros do not count.

use std::collections::{BTreeMap, BTreeSet};

/// Texts of a crate's files by their modules, `a/b`, the crate itself being the empty one.
type Modules<'a> = BTreeMap<&'a str, &'a str>;

/// Pairs of files that import each other, in sources with their paths. A parent that uses or hands on what a child has while the child
/// uses what the parent has counts, too.
pub fn pairs(sources: &[(String, String)]) -> Vec<String> {
    let mut crates: BTreeMap<&str, Modules> = BTreeMap::new();
    for (name, text) in sources {
        if let Some((folder, path)) = name.strip_suffix(".rs").and_then(|name| name.rsplit_once("/src/")) {
            let module = if path == "lib" { "" } else { path.strip_suffix("/mod").unwrap_or(path) };
            crates.entry(folder).or_default().insert(module, text);
        }
    }
    let mut found = Vec::new();
    for (folder, modules) in &crates {
        let edges: BTreeSet<(&str, &str)> = modules
            .iter()
            .flat_map(|(from, text)| imports(from, text, modules).into_iter().map(|to| (*from, to)))
            .collect();
        let both = edges.iter().filter(|(a, b)| a < b && edges.contains(&(*b, *a)));
        found
            .extend(both.map(|(a, b)| format!("{folder}: {} and {b}", if a.is_empty() { "lib" } else { a })));
    }
    found
}

/// The other modules that a module's text names.
fn imports<'a>(own: &str, text: &str, modules: &Modules<'a>) -> BTreeSet<&'a str> {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let text = lines.collect::<Vec<_>>().join("\n");
    let tokens = tokens(&text);
    let children: BTreeSet<&str> = tokens
        .windows(3)
        .filter(|three| three[0] == "mod" && three[2] == ";")
        .map(|three| three[1])
        .collect();
    let (mut paths, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        at = read(&tokens, at, &[], &mut paths);
    }
    let parts: Vec<&str> = own.split('/').filter(|part| !part.is_empty()).collect();
    // A word alone may be anything's name.
    let absolute = paths.iter().filter(|path| path.len() > 1).filter_map(|path| {
        let ups = path.iter().take_while(|word| **word == "super").count();
        let (above, below) = match path[0] {
            "crate" => (0, 1),
            "super" => (parts.len().checked_sub(ups)?, ups),
            "self" => (parts.len(), 1),
            first if children.contains(first) => (parts.len(), 0),
            _ => return None,
        };
        Some([&parts[..above], &path[below..]].concat())
    });
    // What is no module is an item of the one before it.
    let module_of = |path: Vec<&str>| {
        let places = (0..=path.len()).rev().map(|end| path[..end].join("/"));
        places.filter_map(|place| modules.get_key_value(place.as_str())).map(|(name, _)| *name).next()
    };
    absolute.filter_map(module_of).filter(|name| *name != own).collect()
}

/// Words, `::`, and all other characters one by one.
fn tokens(text: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let (mut found, mut rest) = (Vec::new(), text);
    while let Some(first) = rest.chars().next() {
        let length = match first {
            _ if is_word(first) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
            ':' if rest.starts_with("::") => 2,
            _ => first.len_utf8(),
        };
        let (token, left) = rest.split_at(length);
        if !token.trim().is_empty() {
            found.push(token);
        }
        rest = left;
    }
    found
}

/// Reads one path, or with braces all that begin as it does, and tells where it ends.
fn read<'a>(tokens: &[&'a str], mut at: usize, before: &[&'a str], found: &mut Vec<Vec<&'a str>>) -> usize {
    let mut path = before.to_vec();
    loop {
        match tokens[at..] {
            // Another crate's, whatever it is called.
            ["::", ..] if path.is_empty() => (path, at) = (vec!["::"], at + 1),
            ["{", ..] if !path.is_empty() => {
                at += 1;
                while tokens.get(at).is_some_and(|token| *token != "}") {
                    at = match tokens[at] {
                        "," => at + 1,
                        "as" => at + 2,
                        _ => read(tokens, at, &path, found),
                    };
                }
                return at + 1;
            }
            [word, "::", ..] => (path, at) = ([path, vec![word]].concat(), at + 2),
            [word, ref next @ ..] => {
                let is_macro = next.first() == Some(&"!") && next.get(1) != Some(&"=");
                if !is_macro {
                    found.push([path, vec![word]].concat());
                }
                return at + 1;
            }
            [] => return at,
        }
    }
}

#[test]
fn files_that_import_each_other_are_seen() {
    let found = |texts: &[(&str, &str)]| {
        let file = |(path, text): &(&str, &str)| (format!("crates/x/src/{path}.rs"), (*text).to_owned());
        pairs(&texts.iter().map(file).collect::<Vec<_>>())
    };
    // Side by side, in braces, in a body, by a path from the crate, of the parent, under another name.
    for (a, b) in [
        ("use super::b::B;", "use super::a::A;"),
        ("use crate::{b::{B, C}, c};", "fn f() -> crate::a::A { x }"),
        ("use super::{c, b as other};", "use crate::a as first;"),
        ("use super::b::*;", "use super::a::{self, A};"),
    ] {
        assert_eq!(found(&[("a", a), ("b", b), ("c", "")]), ["crates/x: a and b"], "{a} {b}");
    }
    for (parent, child) in [
        ("mod b;\npub use b::B;", "use super::A;"),
        ("mod b;\nfn f() { b::f() }", "use crate::a::{A, C};"),
        ("use self::b::B;", "fn f() -> super::A { x }"),
    ] {
        assert_eq!(found(&[("a", parent), ("a/b", child)]), ["crates/x: a and a/b"], "{parent} {child}");
        assert_eq!(found(&[("a/mod", parent), ("a/b", child)]), ["crates/x: a and a/b"]);
    }
    assert_eq!(found(&[("lib", "mod b;\npub use b::B;"), ("b", "use crate::A;")]), ["crates/x: lib and b"]);
    // One way; others of the name; of another crate; a macro; a comment; a child that is only declared.
    for (a, b) in [
        ("use super::b::B;", "use super::c::C;"),
        ("use super::b::B;", "use a::A;"),
        ("use super::b::B;", "use ::a::A;\nuse other::{a, c::a};"),
        ("use super::b::B;", "crate::a! { x }"),
        ("use super::b::B;", "// crate::a::A\nfn f(a: u8) -> bool { a != b::c }"),
        ("use super::c::{b, B};", "use super::a::A;"),
    ] {
        assert_eq!(found(&[("a", a), ("b", b), ("c", "")]), Vec::<String>::new(), "{a} {b}");
    }
    assert_eq!(found(&[("a", "mod b;\nuse c::C;"), ("a/b", "use super::A;")]), Vec::<String>::new());
    let apart = [("crates/x/src/a.rs", "use crate::b::B;"), ("crates/y/src/b.rs", "use crate::a::A;")];
    assert_eq!(pairs(&apart.map(|(name, text)| (name.into(), text.into()))), Vec::<String>::new());
}
