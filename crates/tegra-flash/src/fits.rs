//! Which modules take the same boot files as another.
//!
//! NVIDIA's flash script chooses some files by a module's fab and revision (`process_board_version` of a board's `*.conf`, L4T R32.7): a
//! flash package made for one module fits all those for which it would choose the same. It compares texts by their bytes.

use crate::board::{BoardError, BoardId, check_sku, is_fab, is_revision};
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
    /// Whether a text may be in both.
    fn meets(&self, other: &Self) -> bool {
        let before = |first: &Option<String>, last: &Option<String>| match (first, last) {
            (Some(first), Some(last)) => first <= last,
            _ => true,
        };
        before(&self.first, &other.last) && before(&other.first, &self.last)
    }

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

impl Fits {
    /// Checks the form of what [`Span`] does not.
    pub fn check(&self) -> Result<(), BoardError> {
        self.sku.as_deref().map_or(Ok(()), check_sku)?;
        let spans = [
            ("fabs", &self.fabs, is_fab as fn(&str) -> bool, "fabs, such as 300-499"),
            ("revisions", &self.revisions, is_revision, "revisions, such as -D.0"),
        ];
        for (field, span, is_one, expected) in spans {
            let ends = span.iter().flat_map(|span| [&span.first, &span.last]).flatten();
            if let Some(found) = ends.into_iter().find(|end| !is_one(end)) {
                return Err(BoardError::Field { field, found: found.clone(), expected });
            }
        }
        Ok(())
    }

    /// Whether a module may be one of those and one of the others; each beside the module that it is said of.
    fn meets(&self, own: &BoardId, other: &Self, others: &BoardId) -> bool {
        let meet = |one: &Option<Span>, two: &Option<Span>| match (one, two) {
            (Some(one), Some(two)) => one.meets(two),
            _ => true,
        };
        self.sku.as_ref().unwrap_or(&own.sku) == other.sku.as_ref().unwrap_or(&others.sku)
            && meet(&self.fabs, &other.fabs)
            && meet(&self.revisions, &other.revisions)
    }
}

impl BoardId {
    /// Whether there may be a module that the flash packages of two fit.
    pub fn meets(&self, also: &[Fits], other: &Self, others: &[Fits]) -> bool {
        let meet = |fits: &Fits| others.iter().any(|more| fits.meets(self, more, other));
        self.fits(also, other)
            || other.fits(others, self)
            || (self.board == other.board && also.iter().any(meet))
    }

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
    fn modules_meet_where_one_may_be_of_both() {
        let fits = |fabs: &str, revisions: &str| {
            let side = |text: &str| (!text.is_empty()).then(|| span(text).unwrap());
            [Fits { sku: None, fabs: side(fabs), revisions: side(revisions) }]
        };
        let own = id("400", "D.0");
        for (one, two, expected) in [
            (("300-499", ""), ("500-", ""), false),
            (("300-500", ""), ("500-", ""), true),
            (("", "-D.0"), ("", "D.1-"), false),
            (("", "-D.1"), ("", "D.1-"), true),
            (("300-499", "-D.0"), ("500-", ""), false),
            (("300-499", "-D.0"), ("450", "C.0"), true),
            (("300", ""), ("", ""), true),
        ] {
            let other = id("700", "Z.0");
            let (one, two) = (fits(one.0, one.1), fits(two.0, two.1));
            assert_eq!(own.meets(&one, &other, &two), expected, "{one:?} {two:?}");
            assert_eq!(other.meets(&two, &own, &one), expected, "{two:?} {one:?}");
            let sku = BoardId { sku: "0004".into(), ..other.clone() };
            assert!(!own.meets(&one, &sku, &two));
        }
        assert!(own.meets(&[], &own, &[]) && !own.meets(&[], &id("401", "D.0"), &[]));
        assert!(id("401", "").meets(&[], &own, &fits("401", "-D.0")), "a module, and what another fits");
    }

    #[test]
    fn each_side_has_its_form() {
        let check = |yaml: Fits| yaml.check().unwrap_err().to_string();
        let fits = |sku: Option<&str>, fabs: Option<&str>, revisions: Option<&str>| Fits {
            sku: sku.map(Into::into),
            fabs: fabs.map(|text| span(text).unwrap()),
            revisions: revisions.map(|text| span(text).unwrap()),
        };
        fits(Some("0003"), Some("300-"), Some("-D.0")).check().unwrap();
        assert_eq!(check(fits(Some("5"), None, None)), "sku is `5`, expected four digits, such as 0004");
        assert_eq!(check(fits(None, Some("D.0-"), None)), "fabs is `D.0`, expected fabs, such as 300-499");
        assert_eq!(
            check(fits(None, None, Some("-400"))),
            "revisions is `400`, expected revisions, such as -D.0"
        );
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
