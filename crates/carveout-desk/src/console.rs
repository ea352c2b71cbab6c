//! The console of Trusty and its trusted apps: lines with the time since start, in a log, on standard error, and at hand.

use carveout_host::error::Result;
use carveout_host::text::Shown;
use carveout_host::ui;
use std::collections::VecDeque;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Lines that are at hand.
const KEPT: usize = 1000;
/// Longest line, in bytes.
const LONGEST: usize = 4096;

/// Where lines go.
pub struct Console {
    start: Instant,
    path: PathBuf,
    log: File,
    shown: bool,
    partial: Vec<u8>,
    lines: VecDeque<String>,
    /// Lines that nobody has looked at.
    new: Vec<String>,
}

impl Console {
    /// The log of this process in a folder: several may run at once. Those that no process has locked are removed.
    pub fn path_in(folder: &Path) -> PathBuf {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let process = name.strip_prefix("console-").and_then(|rest| rest.strip_suffix(".log"));
            let left = process.is_some_and(|number| number.parse::<u32>().is_ok())
                && bundle::open(&entry.path()).is_ok_and(|log| log.try_lock().is_ok());
            if left {
                // Another's cannot be removed, and need not be.
                let _ = std::fs::remove_file(entry.path());
            }
        }
        folder.join(format!("console-{}.log", std::process::id()))
    }

    /// A new log; lines are shown too if asked for.
    pub fn create(path: &Path, shown: bool) -> Result<Self> {
        let log = carveout_host::files::new_log(path)?;
        // For as long as it is written, by whatever process in whatever container. Not every filesystem has locks.
        let _ = log.try_lock();
        let (partial, lines, new) = (Vec::new(), VecDeque::new(), Vec::new());
        Ok(Self { start: Instant::now(), path: path.into(), log, shown, partial, lines, new })
    }

    /// Whether its lines are shown as they come.
    pub fn is_shown(&self) -> bool {
        self.shown
    }

    /// The log.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Takes bytes in.
    pub fn take(&mut self, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' => self.end_line(),
                b'\r' => {}
                byte => self.partial.push(*byte),
            }
            if self.partial.len() >= LONGEST {
                self.end_line();
            }
        }
    }

    /// Ends a line that has no end.
    pub fn end_line(&mut self) {
        if self.partial.is_empty() {
            return;
        }
        let text = String::from_utf8_lossy(&self.partial).into_owned();
        self.partial.clear();
        self.line(&text);
    }

    /// A line of our own, or of the console. Control characters of a trusted app do not reach the terminal.
    pub fn line(&mut self, text: &str) {
        let text = Shown(text.replace('\t', "    ")).to_string();
        let time = self.start.elapsed();
        // A full disk takes nothing from what is shown and kept.
        let _ = writeln!(self.log, "[{:5}.{:06}] {text}", time.as_secs(), time.subsec_micros());
        if self.shown {
            ui::line(&text);
        }
        if self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        if self.new.len() < KEPT {
            self.new.push(text.clone());
        }
        self.lines.push_back(text);
    }

    /// Lines that have come since this was asked last; of a flood the first ones.
    pub fn take_new(&mut self) -> Vec<String> {
        std::mem::take(&mut self.new)
    }

    /// The last lines.
    pub fn lines(&self) -> impl DoubleEndedIterator<Item = &str> + ExactSizeIterator {
        self.lines.iter().map(String::as_str)
    }

    /// The last few, for an error.
    pub fn tail(&self, count: usize) -> String {
        let skipped = self.lines.len().saturating_sub(count);
        self.lines().skip(skipped).map(|line| format!("  | {line}\n")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_that_are_written_stay() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        // Of a process that this one cannot see.
        let used = Console::create(&path("console-4000000000.log"), false).unwrap();
        for name in ["console-1.log", "console-x.log", "other.log"] {
            std::fs::write(path(name), "").unwrap();
        }
        let own = Console::path_in(dir.path());
        assert!(own.ends_with(format!("console-{}.log", std::process::id())));
        let left = |name: &str| path(name).exists();
        assert!(!left("console-1.log") && left("console-x.log") && left("other.log"));
        assert!(left("console-4000000000.log"));
        drop(used);
        Console::path_in(dir.path());
        assert!(!left("console-4000000000.log"));
    }

    #[test]
    fn lines_are_cut_stamped_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let mut console = Console::create(&path, false).unwrap();
        console.take(b"first\r\nsec");
        console.take(b"ond\n\npartial \x1b[2J");
        assert_eq!(console.lines().collect::<Vec<_>>(), ["first", "second"]);
        console.end_line();
        assert_eq!(console.tail(2), "  | second\n  | partial \\u{1b}[2J\n");
        let log = std::fs::read_to_string(path).unwrap();
        let first = log.lines().next().unwrap();
        assert!(first.starts_with("[    0.") && first.ends_with("] first"), "{first}");
        console.take(&[b'x'; 3 * LONGEST]);
        assert_eq!(console.lines().len(), 6);
        (0..2 * KEPT).for_each(|_| console.take(b"y\n"));
        assert_eq!(console.lines().len(), KEPT);
    }
}
