//! What must be flashed for a change.

use crate::slots::{APP, SECURE_OS};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// How much of a device is written, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// The root filesystem, of a board with two slots for it the one that is not active.
    App,
    /// Both slots of the secure-os partition.
    SecureOs,
    /// Everything. Whatever else changes, the boot config above all, needs it: the carve-out is part of the signed
    /// MB1_BCT, which a flash of the secure-os partition does not touch.
    Full,
}

impl Scope {
    /// All, from least to most.
    pub const ALL: [Self; 3] = [Self::App, Self::SecureOs, Self::Full];

    /// A scope as people write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::SecureOs => "secure-os",
            Self::Full => "full",
        }
    }

    /// The least scope that writes a partition.
    pub fn of_partition(name: &str) -> Self {
        match name {
            name if APP.contains(&name) => Self::App,
            name if SECURE_OS.contains(&name) => Self::SecureOs,
            _ => Self::Full,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A word that names no scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no scope: allowed are app, secure-os and full")]
pub struct NoScope;

impl FromStr for Scope {
    type Err = NoScope;

    fn from_str(text: &str) -> Result<Self, NoScope> {
        Self::ALL.into_iter().find(|scope| scope.name() == text).ok_or(NoScope)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The mistake that this product answers: a carve-out change followed by a flash of secure-os alone.
    #[test]
    fn boot_config_needs_a_full_flash() {
        for partition in ["MB1_BCT", "MB1_BCT_b", "BCT", "mb2", "kernel", "secondary_gpt"] {
            assert_eq!(Scope::of_partition(partition), Scope::Full);
        }
        assert_eq!(Scope::of_partition("secure-os_b"), Scope::SecureOs);
        assert_eq!(Scope::of_partition("APP"), Scope::App);
    }
}
