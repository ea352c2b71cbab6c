//! One module for each verb, or for those that belong together.

pub mod build;
pub mod doctor;
pub mod inspect;
pub mod test;
pub mod verify;

/// What a verb leaves behind.
pub struct Outcome {
    /// The last line on stdout.
    pub line: Option<String>,
    /// The same for machines.
    pub json: serde_json::Value,
}
