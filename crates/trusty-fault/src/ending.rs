//! How a trusted app has ended by itself: read from what it said on the console.
//!
//! The run-time's words are those of [`trusty_abi::last_words`]. A TA without it may end without a word.

use crate::lines::{Place, shortened};
use crate::program::Program;
use crate::scene::{Advice, size};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use trusty_abi::last_words::{self, OutOfMemory};
use trusty_abi::text::Shown;
use trusty_image::TrustedApp;

/// Lines of a panic's message that are kept.
const MESSAGE: usize = 8;
/// Names of TAs that are kept: no image has so many.
const NAMES: usize = 64;

/// Why a TA has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// An allocation failed and was not handled.
    OutOfMemory(OutOfMemory),
    /// Any other panic: the place and the message.
    Panic(String, String),
    /// Its event loop stopped, with an error.
    Stopped(String),
    /// It has not said why.
    Unknown,
}

/// A TA that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ending {
    /// Its UUID, as it is written; unknown of a TA that has said nothing.
    pub uuid: Option<String>,
    /// Why.
    pub reason: Reason,
    /// Return addresses, as it told them.
    pub chain: Vec<u32>,
}

/// Listens to a console, line by line.
#[derive(Debug, Default)]
pub struct Listener {
    /// The last reason that each name has given.
    reasons: BTreeMap<String, Reason>,
    /// Whose panic's message comes, and how much of it has.
    panics: Option<(String, usize)>,
}

impl Listener {
    /// Takes a line; a TA's end, if this was its last line.
    pub fn line(&mut self, line: &str) -> Option<Ending> {
        // What it says is told in reports, within lines of ours.
        let line = Shown(line).to_string();
        let line = line.as_str();
        let marked = |mark: &str| line.find(mark).and_then(|at| Some((line.get(..at)?, line.get(at + 2..)?)));
        if let Some((name, rest)) = marked(": ended: trusted app ") {
            self.panics = None;
            let (uuid, chain) = last_words::ended(rest)?;
            let reason = self.reasons.remove(name).unwrap_or(Reason::Unknown);
            return Some(Ending { uuid: Some(uuid.to_owned()), reason, chain: chain.collect() });
        }
        let shortage = marked(": out of memory: ")
            .and_then(|(name, rest)| Some((name, Reason::OutOfMemory(OutOfMemory::parse(rest)?))));
        let stopped = || {
            marked(": stops: ")
                .map(|(name, rest)| (name, Reason::Stopped(rest.trim_start_matches("stops: ").into())))
        };
        if let Some((name, reason)) = shortage.or_else(stopped) {
            self.panics = None;
            self.keep(name, reason);
        } else if let Some((name, rest)) = marked(": panicked at ") {
            let place = rest.trim_start_matches("panicked at ").trim_end_matches(':');
            self.panics = Some((name.to_owned(), 0));
            self.keep(name, Reason::Panic(place.to_owned(), String::new()));
        } else if let Some((name, lines)) = self.panics.as_mut().filter(|(_, lines)| *lines < MESSAGE) {
            *lines += 1;
            if let Some(Reason::Panic(_, message)) = self.reasons.get_mut(name.as_str()) {
                let between = if message.is_empty() { "" } else { "\n" };
                message.push_str(between);
                message.push_str(line);
            }
        }
        None
    }

    fn keep(&mut self, name: &str, reason: Reason) {
        if self.reasons.len() < NAMES || self.reasons.contains_key(name) {
            self.reasons.insert(name.to_owned(), reason);
        }
    }

    /// Why the only TA that this listens to has ended, if it ended without a last line.
    pub fn silent_end(&mut self) -> Ending {
        let reason = std::mem::take(&mut self.reasons).into_values().next().unwrap_or(Reason::Unknown);
        Ending { uuid: None, reason, chain: Vec::new() }
    }
}

impl Ending {
    /// Why, in a line.
    pub fn reason(&self) -> String {
        match &self.reason {
            Reason::OutOfMemory(short) => {
                let (asked, heap, largest) = (short.asked, short.heap, short.largest);
                format!(
                    "out of memory: {asked} bytes asked; the largest free block of its heap of {} has {largest}",
                    size(u32::try_from(heap).unwrap_or(u32::MAX))
                )
            }
            Reason::Panic(place, message) => format!("panicked at {place}: {}", message.replace('\n', " ")),
            Reason::Stopped(error) => format!("its event loop stopped: {error}"),
            Reason::Unknown => "it called exit_group, and no line of a known form says why".into(),
        }
    }

    /// What tells it from other endings of the same TA: the place of a panic, or the way to where it ended.
    pub fn key(&self) -> String {
        match &self.reason {
            Reason::Panic(place, _) => format!("panic {place}"),
            Reason::OutOfMemory(_) => format!("memory {:x?}", self.chain),
            Reason::Stopped(error) => format!("stopped {error}"),
            Reason::Unknown => format!("ended {:x?}", self.chain),
        }
    }

    /// Everything, in lines: the first says that this TA has ended, and why.
    pub fn report(&self, name: &str, app: Option<&TrustedApp>, program: &Program) -> String {
        let mut text = format!("trusted app {} has ended: {}\n", Shown(name), self.reason());
        let chain = program.sound(&self.chain);
        let panicked = match &self.reason {
            // Rust's own words name the place to the column.
            Reason::Panic(place, _) => Some(shortened(place)).filter(|place| Place::is_own_file(place)),
            _ => None,
        };
        let place = panicked.or_else(|| program.own_place(None, chain).map(|place| place.to_string()));
        if let Some(place) = place {
            let _ = writeln!(text, "  place {place}");
        }
        text += &program.trace(None, chain);
        if let Reason::OutOfMemory(short) = &self.reason {
            let OutOfMemory { heap, used, largest, .. } = short;
            let heap = size(u32::try_from(*heap).unwrap_or(u32::MAX));
            let _ = writeln!(
                text,
                "  heap  {heap} by manifest (min_heap), {used} bytes in use, largest free block {largest} bytes"
            );
            let enough = short.enough.and_then(|enough| u32::try_from(enough).ok());
            text += &Advice { name, app, enough, least: true }.to_string();
        }
        text
    }
}

#[cfg(test)]
mod tests;
