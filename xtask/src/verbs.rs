//! One module for each verb, or for those that belong together.

pub mod assemble;
pub mod bench;
pub mod build;
pub mod diff;
pub mod doctor;
pub mod emulate;
pub mod flash;
pub mod inspect;
pub mod key;
pub mod manual;
pub mod plan;
pub mod recipes;
pub mod release;
pub mod report;
pub mod test;
pub mod verify;
pub mod yocto;

/// Rows as lines with aligned columns, two spaces between them.
pub fn columns<R: AsRef<[String]>>(rows: &[R]) -> String {
    let rows: Vec<&[String]> = rows.iter().map(AsRef::as_ref).collect();
    let width = |column: usize| rows.iter().map(|row| row.get(column).map_or(0, |c| c.chars().count())).max();
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().enumerate().map(|(column, cell)| match column {
            0 => format!("{cell:<0$}", width(column).unwrap_or(0)),
            _ => format!("{cell:>0$}", width(column).unwrap_or(0)),
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// What a verb leaves behind.
#[derive(Default)]
pub struct Outcome {
    /// The last line on stdout.
    pub line: Option<String>,
    /// The same for machines.
    pub json: serde_json::Value,
    /// Whether what it says is that a check failed.
    pub failed: bool,
}
