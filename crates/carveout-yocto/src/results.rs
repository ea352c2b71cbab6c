//! What verbs tell, for machines.

use serde::Serialize;

/// Of `recipes`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Recipes {
    /// The recipes.
    pub recipes: Vec<String>,
    /// How many of them were written or removed; not with `--check`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed: Option<usize>,
}

/// Of `yocto` without a task.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BuildFolder {
    /// The build folder.
    pub folder: String,
}
