//! What can be wrong with a layout.

/// Why a layout cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayoutError {
    /// No XML.
    #[error("{0}")]
    Xml(String),
    /// Something is missing or wrong at a line.
    #[error("line {line}: {what}")]
    At {
        /// 1-based line.
        line: u32,
        /// What is wrong and what is expected.
        what: String,
    },
}
