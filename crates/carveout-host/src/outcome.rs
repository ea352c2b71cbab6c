//! What a command leaves behind.

use crate::error::{Error, Failure};
use crate::text::{Shown, Text};
use serde::Serialize;
use serde_json::{Value, json};

/// Rows as lines with aligned columns, two spaces between them.
pub fn columns<R: AsRef<[String]>>(rows: &[R]) -> Text {
    let shown = |cell: &String| Shown(cell).to_string();
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.as_ref().iter().map(shown).collect()).collect();
    let width = |column: usize| rows.iter().map(|row| row.get(column).map_or(0, |c| c.chars().count())).max();
    let mut text = Text::new();
    for row in &rows {
        let cells = row.iter().enumerate().map(|(column, cell)| match column {
            0 => format!("{cell:<0$}", width(column).unwrap_or(0)),
            _ => format!("{cell:>0$}", width(column).unwrap_or(0)),
        });
        let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
    text
}

/// What a verb leaves behind.
#[derive(Default)]
pub struct Outcome {
    /// What is printed on stdout: mostly a line.
    pub line: Option<Text>,
    /// The same for machines.
    pub json: Value,
    /// Whether what it says is that a check failed.
    pub failed: bool,
    /// Exit code of a command that was run for the user, instead of ours.
    pub exit_code: Option<u8>,
}

/// Version of what `--json` prints. It rises when something that was there is no more, or means something else.
pub const SCHEMA: u32 = 1;

/// What a command prints with `--json`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Document {
    /// Version of this document: 1. It rises when something that was there is no more, or means something else.
    pub schema: u32,
    /// Whether the exit code is 0. A check that fails has `ok` false, a `result`, and no `errors`.
    pub ok: bool,
    /// What the command has to say; null if it could not do it.
    pub result: Value,
    /// All that failed; the first decides the exit code.
    pub errors: Vec<Failure>,
}

/// What `--json` prints, of success and of failure: the result of a verb, or what has failed.
pub fn document(result: Result<&Outcome, &Error>) -> Value {
    let (ok, result, errors) = match result {
        Ok(outcome) => (!outcome.failed, outcome.json.clone(), Vec::new()),
        Err(error) => (false, Value::Null, error.json()),
    };
    json!(Document { schema: SCHEMA, ok, result, errors })
}
