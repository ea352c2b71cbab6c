//! Identities of Jetson AGX Xavier modules, and which of them take the same boot files.
//!
//! A module's EEPROM names board, fab, SKU and revision. NVIDIA's flash script chooses power and BPMP configuration by
//! them (`process_board_version` of `p2972-0000.conf.common`, L4T R32.7): a flash package made for one module fits all
//! those for which it would choose the same.

use serde::{Deserialize, Serialize};
use std::fmt;

/// The module that L4T calls P2888: Jetson AGX Xavier.
pub const P2888: &str = "2888";

/// Other modules: board, SKU (any, if it is empty), name. Sources: NVIDIA's nvautoflash.sh and l4t_generate_soc_bup.sh of L4T R32.7.2.
const OTHERS: [(&str, &str, &str); 13] = [
    ("2888", "0006", "the 8 GB Jetson AGX Xavier, whose memory config is another"),
    ("2888", "0008", "Jetson AGX Xavier Industrial"),
    ("3668", "", "Jetson Xavier NX"),
    ("3310", "", "Jetson TX2"),
    ("3489", "0888", "Jetson TX2 4GB"),
    ("3489", "", "Jetson TX2i"),
    ("3636", "", "Jetson TX2 NX"),
    ("3448", "0003", "Jetson Nano 2GB"),
    ("3448", "", "Jetson Nano"),
    ("2180", "", "Jetson TX1"),
    ("3701", "", "Jetson AGX Orin"),
    ("3767", "", "Jetson Orin NX or Orin Nano"),
    ("3834", "", "Jetson Thor"),
];

/// What a module's EEPROM says of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct BoardId {
    /// Number of the module, e.g. `2888`.
    pub board: String,
    /// Fab: three letters or digits, e.g. `400`.
    pub fab: String,
    /// SKU: four digits, e.g. `0004`.
    pub sku: String,
    /// Revision, e.g. `K.0`; empty if the module names none.
    #[serde(default)]
    pub revision: String,
}

/// Why an identity cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BoardError {
    /// A field of another form.
    #[error("{field} is `{found}`, expected {expected}")]
    Field {
        /// `board`, `fab`, `sku` or `revision`.
        field: &'static str,
        /// What was found.
        found: String,
        /// What is allowed.
        expected: &'static str,
    },
    /// Another module.
    #[error(
        "module P{id} is {name}no Jetson AGX Xavier developer kit, which is P2888 with SKU 0001 (16 GB), 0004 (32 GB) or 0005 (64 GB)"
    )]
    OtherModule {
        /// Board and SKU.
        id: String,
        /// What it is, if it is known, with a comma behind it.
        name: String,
    },
}

/// What the flash script chooses by an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Choice {
    /// Part of the names of pinmux, padvoltage, prod and bootrom configuration.
    fab: &'static str,
    /// Part of the name of the PMIC configuration.
    pmic: &'static str,
    /// The BPMP device tree.
    bpmp: &'static str,
}

impl BoardId {
    /// Checks form and module.
    pub fn check(&self) -> Result<(), BoardError> {
        let digits = |text: &str, length| text.len() == length && text.bytes().all(|b| b.is_ascii_digit());
        let fab =
            self.fab.len() == 3 && self.fab.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
        let revision = match self.revision.as_bytes() {
            [] => true,
            [letter, b'.', digit] => letter.is_ascii_uppercase() && digit.is_ascii_digit(),
            _ => false,
        };
        let fields = [
            ("board", &self.board, digits(&self.board, 4), "four digits, such as 2888"),
            ("fab", &self.fab, fab, "three capitals or digits, such as 400"),
            ("sku", &self.sku, digits(&self.sku, 4), "four digits, such as 0004"),
            ("revision", &self.revision, revision, "a capital and a digit with a dot, such as K.0"),
        ];
        if let Some((field, found, _, expected)) = fields.into_iter().find(|(_, _, good, _)| !good) {
            let found = found.escape_debug().to_string();
            return Err(BoardError::Field { field, found, expected });
        }
        if self.board != P2888 || !["0001", "0004", "0005"].contains(&self.sku.as_str()) {
            let name = self.known_name().map(|name| format!("{name}, ")).unwrap_or_default();
            return Err(BoardError::OtherModule { id: format!("{}-{}", self.board, self.sku), name });
        }
        Ok(())
    }

    /// The name of a module that is no Jetson AGX Xavier developer kit.
    fn known_name(&self) -> Option<&'static str> {
        let is = |(board, sku, _): &&(&str, &str, &str)| {
            self.board == *board && (sku.is_empty() || self.sku == *sku)
        };
        OTHERS.iter().find(is).map(|(_, _, name)| *name)
    }

    /// Whether a flash package that was made for this module fits another: the flash script would choose the same files.
    pub fn fits(&self, other: &Self) -> bool {
        self.board == other.board && self.sku == other.sku && self.choice() == other.choice()
    }

    /// As `process_board_version` compares: texts by their bytes.
    fn choice(&self) -> Choice {
        // A fab of another form is taken as A01, the default.
        let plain = self.fab.len() == 3 && self.fab.bytes().skip(1).all(|b| b.is_ascii_digit());
        let fab = if plain { self.fab.as_str() } else { "A01" };
        let late = self.sku.as_str() >= "0004" || (fab > "300" && self.revision.as_str() > "D.0");
        let mut choice = match fab {
            _ if fab < "200" => Choice { fab: "a01", pmic: "a01", bpmp: "a01" },
            _ if fab < "300" => Choice { fab: "a02", pmic: "a02", bpmp: "a02" },
            _ if fab < "500" && late => Choice { fab: "a02", pmic: "a04-E-0", bpmp: "a04" },
            _ if fab < "500" => Choice { fab: "a02", pmic: "a04", bpmp: "a02" },
            _ => Choice { fab: "a01", pmic: "a01", bpmp: "a01" },
        };
        if self.sku == "0005" {
            choice.bpmp = "0005-a04";
        }
        choice
    }
}

impl fmt::Display for BoardId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "P{}-{} fab {}", self.board, self.sku, self.fab)?;
        if self.revision.is_empty() { Ok(()) } else { write!(f, " revision {}", self.revision) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(sku: &str, fab: &str, revision: &str) -> BoardId {
        BoardId { board: P2888.into(), fab: fab.into(), sku: sku.into(), revision: revision.into() }
    }

    #[test]
    fn modules_that_take_the_same_files_fit() {
        let package = id("0004", "400", "K.0");
        for fitting in [("400", "K.0"), ("401", "M.0"), ("400", "A.0"), ("499", "K.0")] {
            assert!(package.fits(&id("0004", fitting.0, fitting.1)), "{fitting:?}");
        }
        for other in [
            id("0001", "400", "H.0"),
            id("0005", "402", ""),
            id("0004", "200", "K.0"),
            id("0004", "500", "K.0"),
        ] {
            assert!(!package.fits(&other), "{other}");
        }
        let early = id("0001", "400", "H.0");
        assert!(early.fits(&id("0001", "402", "E.0")));
        assert!(!early.fits(&id("0001", "400", "D.0")), "another PMIC configuration");
        assert!(!early.fits(&id("0001", "300", "H.0")), "fab 300 is not above 300");
        let d0 = id("0001", "400", "D.0");
        assert!(d0.fits(&id("0001", "400", "C.0")) && d0.fits(&id("0001", "401", "D.0")));
        assert!(!d0.fits(&id("0001", "400", "E.0")), "another PMIC configuration and BPMP device tree");
        // 2888-401-0004-F.0, as sold since 2021.
        assert!(package.fits(&id("0004", "401", "F.0")));
        let other = BoardId { board: "3668".into(), ..package.clone() };
        assert!(!package.fits(&other));
    }

    #[test]
    fn forms_and_modules_are_checked() {
        assert_eq!(id("0004", "400", "K.0").check(), Ok(()));
        let error = |id: BoardId| id.check().unwrap_err().to_string();
        assert_eq!(error(id("4", "400", "K.0")), "sku is `4`, expected four digits, such as 0004");
        assert_eq!(
            error(id("0004", "40", "K.0")),
            "fab is `40`, expected three capitals or digits, such as 400"
        );
        assert_eq!(
            error(id("0004", "400", "K;0")),
            "revision is `K;0`, expected a capital and a digit with a dot, such as K.0"
        );
        assert!(error(id("0008", "600", "A.0")).starts_with(
            "module P2888-0008 is Jetson AGX Xavier Industrial, no Jetson AGX Xavier developer kit"
        ));
        let nano = BoardId { board: "3448".into(), ..id("0002", "400", "A.0") };
        assert!(error(nano).starts_with("module P3448-0002 is Jetson Nano, no"));
        assert!(error(id("0006", "400", "B.0")).contains("P2888-0006 is the 8 GB Jetson AGX Xavier"));
        assert!(error(id("0099", "400", "B.0")).contains("module P2888-0099 is no Jetson AGX Xavier"));
    }
}
