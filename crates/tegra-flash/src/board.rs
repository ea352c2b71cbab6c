//! Identities of Jetson modules: what a module's EEPROM says of board, fab, SKU and revision.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What NVIDIA calls its modules, for messages: board, SKU (any, if it is empty), name. Sources: nvautoflash.sh and
/// l4t_generate_soc_bup.sh of L4T R32.7.2.
const NAMES: [(&str, &str, &str); 18] = [
    ("2888", "0001", "Jetson AGX Xavier 16 GB"),
    ("2888", "0004", "Jetson AGX Xavier 32 GB"),
    ("2888", "0005", "Jetson AGX Xavier 64 GB"),
    ("2888", "0006", "Jetson AGX Xavier 8 GB"),
    ("2888", "0008", "Jetson AGX Xavier Industrial"),
    ("3668", "0000", "Jetson Xavier NX with SD card"),
    ("3668", "0001", "Jetson Xavier NX with eMMC"),
    ("3668", "0003", "Jetson Xavier NX 16 GB"),
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
}

/// Whether a text is a fab.
pub(crate) fn is_fab(text: &str) -> bool {
    text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// Whether a text is a revision.
pub(crate) fn is_revision(text: &str) -> bool {
    matches!(text.as_bytes(), [letter, b'.', digit] if letter.is_ascii_uppercase() && digit.is_ascii_digit())
}

fn digits(text: &str) -> bool {
    text.len() == 4 && text.bytes().all(|b| b.is_ascii_digit())
}

const SKU: &str = "four digits, such as 0004";

/// Checks the form of a SKU.
pub(crate) fn check_sku(text: &str) -> Result<(), BoardError> {
    if digits(text) {
        return Ok(());
    }
    Err(BoardError::Field { field: "sku", found: text.escape_debug().to_string(), expected: SKU })
}

impl BoardId {
    /// Checks the form.
    pub fn check(&self) -> Result<(), BoardError> {
        let (fab, revision) = (is_fab(&self.fab), self.revision.is_empty() || is_revision(&self.revision));
        let fields = [
            ("board", &self.board, digits(&self.board), "four digits, such as 2888"),
            ("fab", &self.fab, fab, "three capitals or digits, such as 400"),
            ("sku", &self.sku, digits(&self.sku), SKU),
            ("revision", &self.revision, revision, "a capital and a digit with a dot, such as K.0"),
        ];
        if let Some((field, found, _, expected)) = fields.into_iter().find(|(_, _, good, _)| !good) {
            let found = found.escape_debug().to_string();
            return Err(BoardError::Field { field, found, expected });
        }
        Ok(())
    }

    /// What NVIDIA calls the module.
    pub fn name(&self) -> Option<&'static str> {
        let is = |(board, sku, _): &&(&str, &str, &str)| {
            self.board == *board && (sku.is_empty() || self.sku == *sku)
        };
        NAMES.iter().find(is).map(|(_, _, name)| *name)
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
        BoardId { board: "2888".into(), fab: fab.into(), sku: sku.into(), revision: revision.into() }
    }

    #[test]
    fn forms_are_checked() {
        assert_eq!(id("0004", "400", "K.0").check(), Ok(()));
        assert_eq!(id("0004", "B01", "").check(), Ok(()));
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
    }

    #[test]
    fn modules_have_names() {
        assert_eq!(id("0004", "400", "K.0").name(), Some("Jetson AGX Xavier 32 GB"));
        assert_eq!(id("0099", "400", "K.0").name(), None);
        let nano = BoardId { board: "3448".into(), ..id("0002", "400", "A.0") };
        assert_eq!(nano.name(), Some("Jetson Nano"));
        assert_eq!(BoardId { sku: "0003".into(), ..nano }.name(), Some("Jetson Nano 2GB"));
    }
}
