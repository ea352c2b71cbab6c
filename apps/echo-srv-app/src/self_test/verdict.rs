//! What came of a self-test, and what of it is wrong.

use echo_service::VALUE;
use std::fmt;

/// A trusted app, and what is right for it beside all sizes coming back intact.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Its name, or its port's.
    pub name: String,
    /// It may refuse, with both sizes, if it goes on serving.
    pub may_refuse: bool,
    /// It need not be on the device.
    pub may_be_missing: bool,
}

/// What came of one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Every byte came back.
    Intact,
    /// It has too little room: both in bytes.
    Refused { needs: u32, holds: u32 },
    /// Something else came back, or nothing for a reason that was told.
    Failed(String),
    /// The connection ended, or no answer came in time.
    Silent(String),
    /// The connection had ended before.
    NotTried,
    /// There is no such port.
    NotThere,
    /// There is no connection, for another reason.
    Unreachable(String),
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// The trusted app.
    pub subject: Subject,
    /// How many values were sent; none without a connection.
    pub count: Option<u32>,
    /// Whether they were sent to see that it serves on after a refusal.
    pub after_refusal: bool,
    /// What came of it.
    pub outcome: Outcome,
}

impl Outcome {
    /// Its name, for machines.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Intact => "intact",
            Self::Refused { .. } => "refused",
            Self::Failed(_) => "failed",
            Self::Silent(_) => "silent",
            Self::NotTried => "not tried",
            Self::NotThere => "not there",
            Self::Unreachable(_) => "unreachable",
        }
    }

    /// Whether there was a trusted app to talk to.
    pub fn is_reached(&self) -> bool {
        !matches!(self, Self::NotThere | Self::Unreachable(_))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Refused { needs, holds } => write!(f, "refused: needs {needs} bytes, may hold {holds}"),
            Self::Failed(text) | Self::Silent(text) | Self::Unreachable(text) => f.write_str(text),
            Self::Intact | Self::NotTried | Self::NotThere => f.write_str(self.kind()),
        }
    }
}

impl Row {
    /// Bytes that were sent.
    pub fn bytes(&self) -> Option<u32> {
        self.count.map(|count| count.saturating_mul(VALUE as u32))
    }

    /// Whether it was refused with sizes that can be.
    fn is_refused_cleanly(&self) -> bool {
        matches!(self.outcome, Outcome::Refused { needs, holds } if Some(needs) == self.bytes() && holds < needs)
    }
}

/// What is wrong, what it means and what mends it: a line each. None if all is right.
pub fn wrong(rows: &[Row]) -> Vec<String> {
    let of_one_app = rows.chunk_by(|one, next| one.subject.name == next.subject.name);
    of_one_app.flat_map(|rows| rows.iter().filter_map(fault).chain(too_little_room(rows))).collect()
}

/// What is wrong with one outcome by itself. Refusals are told together.
fn fault(row: &Row) -> Option<String> {
    let Subject { name, may_be_missing, .. } = &row.subject;
    let count = row.count.unwrap_or_default();
    match &row.outcome {
        Outcome::Refused { .. } if row.is_refused_cleanly() => None,
        Outcome::Refused { needs, holds } => Some(format!(
            "{name} refused {count} values, but with sizes that cannot be: it needs {needs} bytes and may hold {holds}. \
             That is a fault of the trusted app, not of its memory: flash the one that belongs to this client app"
        )),
        Outcome::Failed(text) => Some(format!(
            "{name}, {count} values: {text}. To try these alone: echo-srv-app --ta {name} --count {count}"
        )),
        Outcome::Silent(text) => Some(format!(
            "{name}, {count} values: {text}. The trusted app or Trusty has stopped: see the console, and restart the device"
        )),
        Outcome::Unreachable(text) => Some(format!(
            "{name}: no connection; the trusted app or Trusty has stopped: see the console ({text})"
        )),
        Outcome::NotThere if !may_be_missing => Some(format!(
            "{name} is not there: the secure-os image on the device has no such trusted app for Linux. \
             Flash one that has it (trusted_apps of the product), or name another by --ta"
        )),
        Outcome::Intact | Outcome::NotTried | Outcome::NotThere => None,
    }
}

/// Refusals of a trusted app that must not refuse, or must not refuse so little.
fn too_little_room(rows: &[Row]) -> Option<String> {
    let wrong = |row: &&Row| row.is_refused_cleanly() && (row.after_refusal || !row.subject.may_refuse);
    let refused: Vec<&Row> = rows.iter().filter(wrong).collect();
    let last = refused.last()?;
    let Outcome::Refused { holds, .. } = last.outcome else { return None };
    let name = &last.subject.name;
    let mut counts: Vec<String> =
        refused.iter().filter_map(|row| row.count).map(|count| count.to_string()).collect();
    counts.dedup();
    let even = if last.after_refusal { "even " } else { "" };
    let (counts, what) =
        (counts.join(", "), if holds == 0 { "is" } else { "or the room that it asks for is" });
    Some(format!(
        "{name} refused {even}{counts} values, and may hold {holds} bytes: its heap (min_heap) {what} too small, \
         whatever the carve-out. Raise min_heap of {name} in the product, build and flash: \
         its line on the console says what it asked for"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTACT: Outcome = Outcome::Intact;

    fn row(subject: &Subject, count: u32, outcome: Outcome) -> Row {
        Row { subject: subject.clone(), count: Some(count), after_refusal: false, outcome }
    }

    fn refused(count: u32, holds: u32) -> Outcome {
        Outcome::Refused { needs: count * 4, holds }
    }

    fn strict() -> Subject {
        Subject { name: "echo-srv".into(), may_refuse: false, may_be_missing: false }
    }

    fn lax() -> Subject {
        Subject { name: "small-echo-srv".into(), may_refuse: true, may_be_missing: true }
    }

    /// The one line that tells what is wrong.
    fn one(rows: &[Row]) -> String {
        let mut lines = wrong(rows);
        assert_eq!(lines.len(), 1, "{lines:?}");
        lines.remove(0)
    }

    #[test]
    fn all_intact_is_right_and_so_is_a_clean_refusal_of_one_that_may() {
        let mut rows: Vec<_> = [1000, 64_000].map(|count| row(&strict(), count, INTACT)).into();
        rows.extend([1000, 64_000].map(|count| row(&lax(), count, INTACT)));
        assert_eq!(wrong(&rows), Vec::<String>::new());
        rows.push(row(&lax(), 64_000, refused(64_000, 81_920)));
        rows.push(Row { after_refusal: true, ..row(&lax(), 100, INTACT) });
        assert_eq!(wrong(&rows), Vec::<String>::new());
    }

    #[test]
    fn refusals_of_one_that_must_not_are_told_once_with_what_they_mean() {
        let line = one(&[row(&strict(), 20_480, INTACT), row(&strict(), 64_000, refused(64_000, 131_072))]);
        assert!(
            line.starts_with("echo-srv refused 64000 values, and may hold 131072 bytes: its heap"),
            "{line}"
        );
        assert!(line.contains("or the room that it asks for is too small, whatever the carve-out"), "{line}");
        let line = one(&[1000, 2048, 64_000].map(|count| row(&strict(), count, refused(count, 0))));
        assert!(
            line.starts_with("echo-srv refused 1000, 2048, 64000 values, and may hold 0 bytes"),
            "{line}"
        );
        assert!(line.contains("its heap (min_heap) is too small, whatever the carve-out"), "{line}");
    }

    #[test]
    fn one_that_may_refuse_must_serve_on_and_tell_true_sizes() {
        let again = |outcome| Row { after_refusal: true, ..row(&lax(), 100, outcome) };
        let refusal = |count| row(&lax(), count, refused(count, 0));
        let rows = [refusal(1000), again(refused(100, 0)), refusal(2048), again(refused(100, 0))];
        let line = one(&rows);
        assert!(line.starts_with("small-echo-srv refused even 100 values, and may hold 0 bytes"), "{line}");
        let line = one(&[refusal(1000), again(Outcome::Silent("gone".into()))]);
        assert!(
            line.contains("100 values: gone. The trusted app or Trusty has stopped: see the console"),
            "{line}"
        );
        for (needs, holds) in [(4000, 4000), (4000, 9000), (8, 4)] {
            let line = one(&[row(&lax(), 1000, Outcome::Refused { needs, holds })]);
            assert!(line.contains("sizes that cannot be"), "{line}");
        }
    }

    #[test]
    fn a_silence_is_told_once_and_damage_for_each_size() {
        let silent = Outcome::Silent("the trusted app closed the connection".into());
        let rows = [row(&strict(), 2048, silent), row(&strict(), 64_000, Outcome::NotTried)];
        let line = one(&rows);
        assert!(line.starts_with("echo-srv, 2048 values: the trusted app closed the connection. "), "{line}");
        assert!(line.contains("see the console"), "{line}");
        let damaged = |count| row(&lax(), count, Outcome::Failed("byte 30 is not the one".into()));
        let lines = wrong(&[damaged(1000), damaged(2048)]);
        assert_eq!(lines.len(), 2);
        assert!(lines[1].ends_with("echo-srv-app --ta small-echo-srv --count 2048"), "{lines:?}");
    }

    #[test]
    fn only_one_that_may_be_missing_may_and_neither_may_be_out_of_reach() {
        let without = |subject: &Subject, outcome| Row { count: None, ..row(subject, 0, outcome) };
        assert_eq!(wrong(&[without(&lax(), Outcome::NotThere)]), Vec::<String>::new());
        assert!(one(&[without(&strict(), Outcome::NotThere)]).starts_with("echo-srv is not there: "));
        for subject in [strict(), lax()] {
            let line = one(&[without(&subject, Outcome::Unreachable("cannot connect?".into()))]);
            assert!(line.contains("or Trusty has stopped: see the console (cannot connect?)"), "{line}");
        }
    }

    #[test]
    fn without_a_connection_none_is_reached() {
        assert!(!Outcome::NotThere.is_reached() && !Outcome::Unreachable(String::new()).is_reached());
        assert!(INTACT.is_reached() && Outcome::Silent(String::new()).is_reached());
    }
}
