//! What BitBake wants of its user, by name.

/// Names the user if we are root.
pub const VARIABLE: &str = "CARVEOUT_BITBAKE_USER";
/// The only locale that BitBake 2.0 takes.
pub const LOCALE: &str = "en_US.UTF-8";
