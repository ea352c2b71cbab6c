//! What must be flashed for a change.

use serde::{Deserialize, Serialize};

/// How much of a device is written, from least to most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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
    /// The least scope that writes a partition.
    pub fn of_partition(name: &str) -> Self {
        match name {
            "APP" | "APP_b" => Self::App,
            "secure-os" | "secure-os_b" => Self::SecureOs,
            _ => Self::Full,
        }
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
