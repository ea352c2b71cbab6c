//! Kinds of recipes.

/// What a package is for BitBake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecipeKind {
    /// A TA.
    TrustedApp,
    /// A CA.
    ClientApp,
    /// carveout-update or carveout-stored, which devices have.
    DeviceTool,
    /// carveout itself, which recipes use on the build host.
    HostTool,
}
