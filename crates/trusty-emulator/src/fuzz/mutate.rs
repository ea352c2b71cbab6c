//! Makes a case of another: what it sends changed a little, or its actions.

use fastrand::Rng;
use tipc_bulk::MAX_MESSAGE;
use trusty_model::case::{Action, Case};

/// Most actions of a case that is made.
const ACTIONS: usize = 24;
/// Most bytes of a transfer.
const TRANSFER: usize = 64 << 10;
/// Numbers at which sizes and counters turn.
const EDGES: [u32; 16] = [
    0,
    1,
    2,
    4,
    8,
    16,
    64,
    0x7f,
    0x80,
    0xff,
    0x100,
    0xfff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fffe,
    0xffff_ffff,
];

/// What cases are made with.
pub struct Mutator {
    rng: Rng,
    ports: Vec<String>,
    /// Numbers that the app compares with.
    words: Vec<u32>,
}

impl Mutator {
    /// The same seed makes the same cases.
    pub fn new(seed: u64, ports: Vec<String>, words: Vec<u32>) -> Self {
        Self { rng: Rng::with_seed(seed), ports, words }
    }

    /// A place among so many, or none.
    pub fn below(&mut self, count: usize) -> Option<usize> {
        (count > 0).then(|| self.rng.usize(..count))
    }

    /// Another case, made of this one; of another one it may take parts.
    pub fn mutate(&mut self, case: &Case, other: &Case) -> Case {
        let mut case = case.clone();
        for _ in 0..1 << self.rng.u32(..5) {
            if self.rng.u32(..8) == 0 {
                self.actions(&mut case.0, other);
            } else {
                self.content(&mut case.0, other);
            }
        }
        case.0.truncate(ACTIONS);
        case
    }

    /// The same with bytes of which none is like the other, as far as that goes: so that a number tells where it is from.
    pub fn coloured(&mut self, case: &Case) -> Case {
        let mut case = case.clone();
        for bytes in case.0.iter_mut().filter_map(Action::content) {
            bytes.fill_with(|| self.rng.u8(1..));
        }
        case
    }

    /// Changes what is done.
    fn actions(&mut self, actions: &mut Vec<Action>, other: &Case) {
        let connections = actions.iter().filter(|action| matches!(action, Action::Connect(_))).count();
        let to = self.below(connections.max(1)).unwrap_or_default();
        let at = self.rng.usize(..=actions.len());
        match self.rng.u32(..8) {
            0 => actions.insert(at, Action::Send(to, vec![0; self.rng.usize(..64)])),
            1 => actions.insert(at, Action::Bulk(to, self.rng.u32(..8), vec![0; self.rng.usize(..512)])),
            2 => {
                if let Some(port) = self.rng.choice(&self.ports) {
                    actions.push(Action::Connect(port.clone()));
                }
            }
            3 => actions.insert(at, Action::Close(to)),
            4 | 5 if at < actions.len() => {
                let again = actions[at].clone();
                actions.insert(at, again);
            }
            6 if at < actions.len() => drop(actions.remove(at)),
            _ => actions.extend(other.0.iter().skip(1).take(4).cloned()),
        }
    }

    /// Changes what is sent.
    fn content(&mut self, actions: &mut [Action], other: &Case) {
        let mut senders: Vec<_> =
            actions.iter_mut().filter(|a| matches!(a, Action::Send(..) | Action::Bulk(..))).collect();
        let Some(at) = self.below(senders.len()) else { return };
        let action = &mut *senders[at];
        if let Action::Bulk(_, tag, _) = action
            && self.rng.u32(..8) == 0
        {
            *tag = self.number();
        }
        let most = if matches!(action, Action::Bulk(..)) { TRANSFER } else { MAX_MESSAGE };
        if let Some(bytes) = action.content() {
            self.bytes(bytes, other);
            bytes.truncate(most);
        }
    }

    fn number(&mut self) -> u32 {
        match self.rng.u32(..4) {
            0 => self.rng.u32(..16),
            1 => self.rng.u32(..),
            2 => *self.rng.choice(&self.words).unwrap_or(&0),
            _ => *self.rng.choice(&EDGES).unwrap_or(&0),
        }
    }

    fn bytes(&mut self, bytes: &mut Vec<u8>, other: &Case) {
        let length = bytes.len();
        let at = self.below(length);
        match (self.rng.u32(..10), at) {
            // A number, where the bytes are or behind them.
            (0..=2, at) => {
                let number = self.number();
                let number = if self.rng.u32(..8) == 0 { number.swap_bytes() } else { number };
                let width = [1, 2, 4][self.rng.usize(..3)];
                let at = at.unwrap_or_default() & if self.rng.bool() { !3 } else { !0 };
                bytes.resize(length.max(at + width), 0);
                bytes[at..at + width].copy_from_slice(&number.to_le_bytes()[..width]);
            }
            (3, Some(at)) => bytes[at] ^= 1 << self.rng.u32(..8),
            (4, Some(at)) => bytes[at] = self.rng.u8(..),
            (5, Some(at)) => bytes[at] = bytes[at].wrapping_add_signed(self.rng.i8(-8..=8)),
            // Longer and shorter.
            (6, at) => {
                let [fill, count] = [self.rng.u8(..), 1 << self.rng.u32(..9)];
                let at = at.unwrap_or_default();
                let fill = if self.rng.bool() { fill } else { 0 };
                bytes.splice(at..at, std::iter::repeat_n(fill, count.into()));
            }
            (7, Some(at)) => {
                let count = self.rng.usize(..=(length - at).min(64));
                bytes.drain(at..at + count);
            }
            (8, _) => {
                let longest = if self.rng.u32(..4) == 0 { MAX_MESSAGE } else { 128 };
                bytes.resize(self.rng.usize(..=longest), 0);
            }
            // A part of what another case sends.
            (_, at) => {
                let at = at.unwrap_or_default();
                let mut sent = other.0.iter().filter_map(|action| match action {
                    Action::Send(_, bytes) | Action::Bulk(_, _, bytes) if !bytes.is_empty() => Some(bytes),
                    _ => None,
                });
                let from = sent.clone().count();
                if let Some(from) = self.below(from).and_then(|from| sent.nth(from)) {
                    let start = self.rng.usize(..from.len());
                    let end = self.rng.usize(start..=from.len());
                    bytes.splice(at..at, from[start..end].iter().copied());
                }
            }
        }
    }
}
