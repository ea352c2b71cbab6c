//! Which modules take the same boot files as another.
//!
//! NVIDIA's flash script chooses some files by a module's fab and revision (`process_board_version` of a board's `*.conf`, L4T R32.7): a
//! flash package made for one module fits all those for which it would choose the same. It compares texts by their bytes.

use crate::board::{BoardId, is_fab, is_revision};
use serde::{Deserialize, Serialize};

/// Modules of the same number that take the same boot files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Fits {
    /// Their SKU; that of the module itself without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<String>,
    /// Fabs: `400`, or from and to: `300-499`, `300-`, `-299`. All without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fabs: Option<Span>,
    /// Revisions, likewise: `-D.0` are those up to D.0 and modules that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revisions: Option<Span>,
}

/// One text, or from one to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Span {
    first: Option<String>,
    last: Option<String>,
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Span {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Span".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        String::json_schema(generator)
    }
}

/// Why a text is no span.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is neither a fab or revision nor from one to another, such as 300-499 or -D.0")]
pub struct SpanError {
    found: String,
}

impl TryFrom<String> for Span {
    type Error = SpanError;

    fn try_from(text: String) -> Result<Self, SpanError> {
        let wrong = || SpanError { found: text.escape_debug().to_string() };
        let end = |text: &str| (is_fab(text) || is_revision(text)).then(|| text.to_owned());
        let Some((first, last)) = text.split_once('-') else {
            let only = end(&text).ok_or_else(wrong)?;
            return Ok(Self { first: Some(only.clone()), last: Some(only) });
        };
        let side = |text: &str| match text {
            "" => Ok(None),
            text => end(text).map(Some).ok_or_else(wrong),
        };
        let (first, last) = (side(first)?, side(last)?);
        let ordered = match (&first, &last) {
            (None, None) => false,
            (Some(first), Some(last)) => first <= last,
            _ => true,
        };
        if ordered { Ok(Self { first, last }) } else { Err(wrong()) }
    }
}

impl From<Span> for String {
    fn from(span: Span) -> Self {
        let [first, last] = [&span.first, &span.last].map(|end| end.as_deref().unwrap_or_default());
        if first == last { first.into() } else { format!("{first}-{last}") }
    }
}

impl Span {
    fn has(&self, text: &str) -> bool {
        self.first.as_deref().is_none_or(|first| first <= text)
            && self.last.as_deref().is_none_or(|last| text <= last)
    }
}

impl Fits {
    /// Whether a module is one of those, where `own` is the one that they are said of.
    fn has(&self, own: &BoardId, id: &BoardId) -> bool {
        // The script compares no fab of another form.
        let plain = id.fab.len() == 3 && id.fab.bytes().skip(1).all(|b| b.is_ascii_digit());
        self.sku.as_ref().unwrap_or(&own.sku) == &id.sku
            && self.fabs.as_ref().is_none_or(|fabs| plain && fabs.has(&id.fab))
            && self.revisions.as_ref().is_none_or(|revisions| revisions.has(&id.revision))
    }
}

impl BoardId {
    /// Whether a flash package that was made for this module fits another: it is of the same fab and revision, or as one of these says.
    pub fn fits(&self, also: &[Fits], other: &Self) -> bool {
        self.board == other.board && (self == other || also.iter().any(|fits| fits.has(self, other)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(text: &str) -> Result<Span, SpanError> {
        Span::try_from(text.to_owned())
    }

    fn id(fab: &str, revision: &str) -> BoardId {
        BoardId { board: "2888".into(), fab: fab.into(), sku: "0001".into(), revision: revision.into() }
    }

    #[test]
    fn modules_that_take_the_same_files_fit() {
        let fits = |fabs: &str, revisions: &str| Fits {
            sku: None,
            fabs: Some(span(fabs).unwrap()),
            revisions: Some(span(revisions).unwrap()),
        };
        let early = [fits("300-499", "-D.0"), Fits { fabs: Some(span("300").unwrap()), ..Fits::default() }];
        for (fab, revision, expected) in [
            ("400", "D.0", true),
            ("401", "C.0", true),
            ("400", "", true),
            ("400", "D.1", false),
            ("400", "E.0", false),
            ("300", "H.0", true),
            ("301", "H.0", false),
            ("500", "D.0", false),
            ("299", "D.0", false),
            ("3B0", "D.0", false),
        ] {
            assert_eq!(id("400", "D.0").fits(&early, &id(fab, revision)), expected, "{fab} {revision}");
        }
        let own = id("400", "D.0");
        assert!(
            own.fits(&[], &own) && !own.fits(&[], &id("400", "C.0")) && !own.fits(&[], &id("401", "D.0"))
        );
        assert!(own.fits(&[Fits::default()], &id("4B1", "Z.9")), "whatever it is");
        assert!(!own.fits(&[Fits::default()], &BoardId { sku: "0004".into(), ..own.clone() }));
        let other = BoardId { sku: "0003".into(), ..own.clone() };
        let also = Fits { sku: Some("0003".into()), ..Fits::default() };
        assert!(own.fits(&[also.clone()], &other) && own.fits(&[also.clone()], &own));
        assert!(!own.fits(&[also], &BoardId { fab: "401".into(), ..own.clone() }));
        assert!(!own.fits(&[Fits::default()], &BoardId { board: "3668".into(), ..own.clone() }));
    }

    #[test]
    fn spans_are_read_and_written() {
        for text in ["400", "D.0", "300-499", "300-", "-D.0", "D.1-"] {
            assert_eq!(String::from(span(text).unwrap()), text);
        }
        for text in ["", "-", "40", "400-300", "400 - 500", "4.00", "d.0", "300-499-500"] {
            assert!(
                span(text).unwrap_err().to_string().starts_with(&format!("`{text}` is neither")),
                "{text}"
            );
        }
    }
}
