//! Reads YAML of anybody: what a parser would take minutes for is refused before it sees the text.
//!
//! The parser looks at every open flow collection for each token, and refuses what is more than 128 deep only when it has read all. Which
//! braces are text in quotes or comments, only a whole scanner can tell, and one that is wrong could be led past: all of them count.

use super::report::Reporter;
use crate::errors::ConfigError;
use carveout_host::error::Result;
use serde::de::DeserializeOwned;
use std::path::Path;

/// Largest config that is read, in bytes: ours have 2 KiB, and a list of 15,000 packages would fit.
pub const MAX_CONFIG: u64 = 256 << 10;
/// `{` and `[` of a config, at most: with a mapping for each of the 38 trusted apps that an image has, some 60 are needed.
pub const MAX_FLOWS: usize = 256;
/// Aliases (`*name`) of a config, at most: each repeats what its anchor names, which may have aliases itself.
pub const MAX_ALIASES: usize = 256;

/// A file's text.
pub fn text(path: &Path, bytes: Vec<u8>) -> Result<String> {
    let text = String::from_utf8(bytes);
    // A mark at the beginning, as editors of Windows write it, is no part of a document.
    text.map(|text| text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
        .map_err(|error| ConfigError::NotUtf8 { path: path.into(), source: error.utf8_error().into() }.into())
}

/// Reads a config.
pub fn parse<T: DeserializeOwned>(reporter: &Reporter) -> Result<T> {
    if let Some((line, fault)) = excess(reporter.text) {
        return Err(reporter.on_line(line, fault));
    }
    serde_yaml::from_str(reporter.text).map_err(|e| reporter.yaml(&e))
}

/// The line from which on there is too much of something, and what.
fn excess(text: &str) -> Option<(usize, ConfigError)> {
    if text.len() as u64 > MAX_CONFIG {
        return Some((1, ConfigError::TooLarge { bytes: text.len(), most: MAX_CONFIG }));
    }
    let begins = |before: Option<u8>| before.is_none_or(|b| !b.is_ascii_alphanumeric() && b != b'*');
    let (mut line, mut flows, mut aliases, mut before) = (1, 0, 0, None);
    for byte in text.bytes() {
        flows += usize::from(matches!(byte, b'{' | b'['));
        aliases += usize::from(byte == b'*' && begins(before));
        if flows > MAX_FLOWS {
            return Some((line, ConfigError::TooManyBrackets { most: MAX_FLOWS }));
        }
        if aliases > MAX_ALIASES {
            return Some((line, ConfigError::TooManyAliases { most: MAX_ALIASES }));
        }
        line += usize::from(byte == b'\n');
        before = Some(byte);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_yaml::Value;
    use std::time::{Duration, Instant};

    fn error(text: &str) -> String {
        let start = Instant::now();
        let reporter = Reporter { path: Path::new("p.yaml"), text };
        let error = parse::<Value>(&reporter).unwrap_err().message;
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}: {error}", start.elapsed());
        error
    }

    #[test]
    fn deep_nesting_is_refused_in_every_style() {
        for open in ["{a: ", "[", "[ '{', ", "? {", "- [", "{ \"}\": "] {
            let message = error(&open.repeat(30_000));
            assert!(message.starts_with("p.yaml:1: more than 256 `{` and `["), "{message}");
        }
        // Closing brackets in quotes and comments close nothing.
        let closed = "{a: '}}', # }}}\nb: ".repeat(10_000);
        assert!(error(&closed).contains("p.yaml:257: more than 256"));
        for block in ["- ", "? ", "- ? ", "-\t"] {
            error(&block.repeat(60_000));
        }
        let steps: String = (0..700).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
        assert!(error(&steps).contains("recursion limit"));
        let flows = "[".repeat(200) + &"a,".repeat(100_000);
        error(&flows);
        assert!(error(&"a: b\n".repeat(300_000)).contains("at most 262144 are read"));
    }

    #[test]
    fn aliases_do_not_multiply() {
        let levels: String = (1..100).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}]\n", n - 1)).collect();
        assert!(error(&format!("a0: &a0 [x, x]\n{levels}")).contains("repetition limit"));
        let wide = format!("a: &a [{}]\nb: [{}]\n", "x, ".repeat(30_000), "*a, ".repeat(30_000));
        assert!(error(&wide).contains("more than 256 aliases"));
        let reporter = Reporter { path: Path::new("p"), text: "# ***\na: &a { b: 1 }\nc: *a\nd: 2*3\n" };
        let value: Value = parse(&reporter).unwrap();
        assert_eq!(value["c"]["b"], 1);
    }
}
