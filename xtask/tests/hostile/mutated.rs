//! More than 1,000 inputs, changed from good ones with fixed seeds: none panics, each is read or refused soon, memory stays bounded, and
//! what is taken is consistent.

mod bundles;
mod formats;
mod mutator;
mod texts;

use mutator::{Tally, peak};

/// KiB that the tests of this binary may take together. Its largest input has 32 MiB.
const MEMORY: u64 = 2 << 20;

#[test]
fn changed_binaries_are_survived() {
    let tally = Tally::default();
    formats::parts(&tally);
    formats::devices(&tally);
    formats::inspected(&tally);
    assert!(tally.print() >= 1300);
    assert!(peak() < MEMORY, "{} KiB", peak());
}

#[test]
fn changed_texts_are_survived() {
    let tally = Tally::default();
    texts::configs(&tally);
    texts::others(&tally);
    assert!(tally.print() >= 800);
    assert!(peak() < MEMORY, "{} KiB", peak());
}

/// `verify` never says ok of a payload that has changed.
#[test]
fn changed_bundles_are_refused() {
    let tally = Tally::default();
    bundles::archives(&tally);
    bundles::folders(&tally);
    bundles::signatures(&tally);
    assert!(tally.print() >= 700);
    assert!(peak() < MEMORY, "{} KiB", peak());
}

#[test]
fn the_command_line_survives_changed_inputs() {
    let tally = Tally::default();
    bundles::command_line(&tally);
    assert!(tally.print() >= 40);
}
