//! What `reference` tells, for machines.

use schemars::JsonSchema;
use serde::Serialize;

/// Of `reference`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Pages {
    /// The pages that were not those which the code makes; they are now, without `--check`.
    pub stale: Vec<&'static str>,
}
