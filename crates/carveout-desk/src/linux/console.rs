//! The log of the guest's console: the lines that say why something failed.

use carveout_host::text::Shown;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes at the log's end that are looked at.
const LOOKED_AT: u64 = 64 << 10;
/// Lines that are shown.
const SHOWN: usize = 12;
/// How lines of our agent begin.
const AGENT: &str = "carveout-guest: ";
/// How lines begin from which on a kernel says why it gives up.
const FATAL: [&str; 4] =
    ["Kernel panic - not syncing", "Unable to handle kernel", "Internal error", "Out of memory"];

/// What matters of a log, each line behind `|`, and where the log is.
pub fn tail(log: &Path) -> String {
    let text = File::open(log).and_then(|mut file| {
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(LOOKED_AT)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    });
    let lines = matter(&text.unwrap_or_default());
    let lines: String = lines.iter().map(|line| format!("\n  | {line}")).collect();
    format!("{lines}\n  its console: {}", log.display())
}

/// The lines that matter: what our agent said, else from the kernel's last words on, else the last ones.
fn matter(text: &str) -> Vec<String> {
    let lines: Vec<String> = text
        .lines()
        .map(|line| Shown(plain(line.trim_end())).to_string())
        .filter(|line| !line.trim().is_empty())
        .collect();
    let agent: Vec<String> =
        lines.iter().filter_map(|line| line.split_once(AGENT).map(|(_, said)| said.to_owned())).collect();
    if !agent.is_empty() {
        return agent;
    }
    let fatal = lines.iter().position(|line| FATAL.iter().any(|fatal| line.contains(fatal)));
    let first = fatal.unwrap_or(lines.len().saturating_sub(SHOWN));
    lines.into_iter().skip(first).take(SHOWN).collect()
}

/// A line without the colours that systemd gives it.
fn plain(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line.chars();
    while let Some(c) = rest.next() {
        if c != '\u{1b}' {
            text.push(c);
        } else if rest.next() == Some('[') {
            // To the letter that ends the command.
            rest.by_ref().find(char::is_ascii_alphabetic);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_that_matter_are_shown() {
        assert_eq!(matter("[ 1.0] x\r\ncarveout-guest: /dev/vda: no root\nmore"), ["/dev/vda: no root"]);
        let panic = "a\nb\n[    0.9] Kernel panic - not syncing: VFS\n[ 0.9] Call trace:\n";
        assert_eq!(matter(panic), ["[    0.9] Kernel panic - not syncing: VFS", "[ 0.9] Call trace:"]);
        let many: String = (0..30).map(|n| format!("line {n}\n\n")).collect();
        let shown = matter(&many);
        assert_eq!((shown.len(), shown.first().map(String::as_str)), (SHOWN, Some("line 18")));
        assert_eq!(
            matter("[\u{1b}[0;32m  OK  \u{1b}[0m] Started \u{1b}[0;1;39mx\u{1b}[0m."),
            ["[  OK  ] Started x."]
        );
        assert!(matter("").is_empty());
    }
}
