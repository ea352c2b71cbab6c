//! What the compiler says, by cargo's messages in JSON: warnings and errors as it renders them.

use crate::text::Lines;
use crate::ui::Ui;
use cargo_metadata::diagnostic::DiagnosticLevel;
use cargo_metadata::{CompilerMessage, Message};
use std::io::{self, BufRead, Write};

/// Lines of errors that are shown: the first error stands first.
const SHOWN: usize = 40;
/// The compiler's summaries, which say nothing of their own.
const SUMMARIES: [&str; 4] =
    ["aborting due to", "For more information about", "Some errors have detailed", "warning emitted"];

/// What has come so far.
#[derive(Default)]
pub struct Messages {
    errors: Vec<String>,
}

impl Messages {
    /// Reads to the end: everything goes to the log, warnings are shown at once.
    pub fn read(&mut self, reader: impl BufRead, log: &mut impl Write, ui: &Ui) -> io::Result<()> {
        for message in Message::parse_stream(reader) {
            match message? {
                Message::CompilerMessage(message) => self.take(&message, log, ui)?,
                Message::TextLine(line) => writeln!(log, "{line}")?,
                _ => {}
            }
        }
        Ok(())
    }

    fn take(&mut self, said: &CompilerMessage, log: &mut impl Write, ui: &Ui) -> io::Result<()> {
        let message = &said.message;
        let rendered = message.rendered.as_deref().unwrap_or(&message.message).trim_end();
        writeln!(log, "{rendered}\n")?;
        let summary = SUMMARIES.iter().any(|text| message.message.contains(text))
            || message.message.ends_with("warnings emitted");
        match message.level {
            _ if summary => {}
            DiagnosticLevel::Error | DiagnosticLevel::Ice => self.errors.push(rendered.into()),
            DiagnosticLevel::Warning => ui.quote(&said.target.name, rendered),
            _ => {}
        }
        Ok(())
    }

    /// The errors, for an error of ours; none if the compiler has not said any.
    pub fn errors(&self) -> Option<String> {
        let lines: Vec<&str> = self.errors.iter().flat_map(|error| error.lines().chain([""])).collect();
        let lines = lines.split_last()?.1;
        let shown = lines.iter().take(SHOWN).map(|line| format!("  | {}", Lines(line)).trim_end().to_owned());
        let mut shown: Vec<String> = shown.collect();
        if lines.len() > SHOWN {
            shown.push(format!("  … {} errors in all", self.errors.len()));
        }
        Some(shown.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Verbosity;
    use serde_json::json;

    fn message(level: &str, text: &str, rendered: &str) -> String {
        let target = json!({
            "kind": ["bin"], "crate_types": ["bin"], "name": "my-srv", "src_path": "/x/main.rs", "edition": "2024",
            "doc": true, "doctest": false, "test": true,
        });
        let diagnostic = json!({ "message": text, "code": null, "level": level, "spans": [], "children": [], "rendered": rendered });
        json!({
            "reason": "compiler-message", "package_id": "path+file:///x#my-srv@0.1.0", "target": target,
            "message": diagnostic,
        })
        .to_string()
    }

    #[test]
    fn the_first_error_stands_first_and_summaries_are_left_out() {
        let lines = [
            message("warning", "unused", "warning: unused\n --> src/main.rs:1:1\n"),
            message("error", "mismatched types", "error[E0308]: mismatched types\n --> src/main.rs:9:5\n"),
            message("error", "aborting due to 1 previous error", "error: aborting due to 1 previous error\n"),
            "some tool's own line".to_owned(),
        ];
        let mut log = Vec::new();
        let mut messages = Messages::default();
        let ui = Ui::new(Verbosity::Quiet);
        messages.read(lines.join("\n").as_bytes(), &mut log, &ui).unwrap();
        assert_eq!(
            messages.errors().unwrap(),
            "  | error[E0308]: mismatched types\n  |  --> src/main.rs:9:5"
        );
        let log = String::from_utf8(log).unwrap();
        for part in ["warning: unused", "aborting", "some tool's own line"] {
            assert!(log.contains(part), "{log}");
        }
        assert_eq!(Messages::default().errors(), None);
        let many = Messages { errors: vec!["error: x\n --> y".into(); 30] };
        let shown = many.errors().unwrap();
        assert!(shown.lines().count() == SHOWN + 1 && shown.ends_with("  … 30 errors in all"), "{shown}");
    }
}
