//! What is said: on stderr, and `ready` or `debugger` on stdout. No text of a trusted app commands the terminal.

use std::io::Write as _;
use trusty_abi::text::{Lines, Shown};

/// A line, of ours or of a trusted app.
pub fn line(text: &str) {
    write(&Shown(text.replace('\t', "    ").trim_end_matches('\r')));
}

/// Lines of ours, in which what trusted apps say is shown already.
pub fn lines(text: &str) {
    write(&Lines(text.trim_end()));
}

/// At once: others write to the same place.
fn write(text: &dyn std::fmt::Display) {
    // Whoever reads may have gone.
    let _ = std::io::stderr().write_all(format!("{text}\n").as_bytes());
}

/// All trusted apps wait.
pub fn ready() {
    state("ready");
}

/// A debugger may come, and nothing runs before it does.
pub fn awaits_debugger() {
    state("debugger");
}

fn state(word: &str) {
    let _ = writeln!(std::io::stdout(), "{word}").and_then(|()| std::io::stdout().flush());
}
