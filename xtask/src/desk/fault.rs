//! What stopped Trusty, in plain words.

use super::machine::{Desk, Fate};
use super::run::Symbols;

/// Lines of the console that a report shows.
const TAIL: usize = 30;

/// A report: a sentence first, then what is known.
pub fn report(desk: &Desk, _symbols: &Symbols) -> String {
    let head = match desk.fate() {
        None => return String::new(),
        Some(Fate::Stopped(why)) => format!("Trusty {why}"),
        Some(Fate::Fatal(why)) => why.clone(),
        Some(Fate::Gone(why)) => why.clone(),
    };
    format!("{head}\n{}", desk.console.tail(TAIL))
}
