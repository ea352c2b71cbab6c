//! What can be wrong with a declaration.

/// What is wrong with a declaration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeclarationError {
    /// Not TOML, or keys and types that do not fit.
    #[error("{0}")]
    Toml(String),
    /// The table is missing.
    #[error(
        "[package.metadata.trusty] is missing: a trusted app declares uuid, min_heap, min_stack and start_ports there"
    )]
    Missing,
    /// A value outside its limits.
    #[error("[package.metadata.trusty] {key}: {what}")]
    Value {
        /// Which key.
        key: String,
        /// What was found and what is allowed.
        what: String,
    },
}
