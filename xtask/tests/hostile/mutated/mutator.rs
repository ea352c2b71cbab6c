//! Changes inputs, always the same ones for a seed, and counts what became of them.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Within this each input must have been read, on a busy machine and without optimization.
const SOON: Duration = Duration::from_secs(5);

/// Random numbers that are the same each time (splitmix64).
pub struct Random(u64);

impl Random {
    /// Of a kind of inputs and the number of a try.
    pub fn of(kind: &str, number: u64) -> Self {
        let seed = kind.bytes().fold(number, |sum, byte| sum.wrapping_mul(257).wrapping_add(byte.into()));
        Self(seed)
    }

    /// The next number.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// A number below `end`, or 0.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    fn range(&mut self, length: usize, most: usize) -> std::ops::Range<usize> {
        let start = self.below(length + 1);
        start..(start + self.below(most + 1)).min(length)
    }
}

/// Integers at which arithmetic goes wrong.
pub const EXTREMES: [u64; 16] = [
    0,
    1,
    2,
    127,
    255,
    0x7fff,
    0xffff,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fff0,
    u32::MAX as u64,
    1 << 32,
    i64::MAX as u64,
    1 << 63,
    u64::MAX - 1,
    u64::MAX,
];
/// Words at which parsers of text go wrong.
const WORDS: [&str; 20] = [
    "{", "}", "[", "]", "\"", "'", "<", ">", "</", "&a", "*a", "\0", "\n", "\r\n", "\u{feff}", "\u{202e}",
    "../", "-1", "null", "=;",
];

/// A changed input: one to four changes of `seed`, with pieces of `other`.
pub fn mutate(seed: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=random.below(4) {
        change(&mut bytes, other, random);
    }
    // What is doubled again and again stays an input.
    bytes.truncate(seed.len() * 4 + 4096);
    bytes
}

fn change(bytes: &mut Vec<u8>, other: &[u8], random: &mut Random) {
    let length = bytes.len();
    let extreme = EXTREMES[random.below(EXTREMES.len())];
    match random.below(10) {
        0 => {
            if let Some(byte) = bytes.get_mut(random.below(length)) {
                *byte ^= 1 << random.below(8);
            }
        }
        1 => bytes.truncate(random.below(length + 1)),
        2 => {
            // A range twice.
            let range = random.range(length, 256);
            let copy = bytes[range.clone()].to_vec();
            bytes.splice(range.end..range.end, copy);
        }
        3 => drop(bytes.drain(random.range(length, 64))),
        4 => {
            // A field: aligned mostly, as fields are.
            let width = 1 << random.below(4);
            let at = random.below(length + 1) / width * width;
            let value = if random.below(2) == 0 {
                extreme.to_le_bytes().to_vec()
            } else {
                (extreme << (64 - 8 * width)).to_be_bytes().to_vec()
            };
            if let Some(field) = bytes.get_mut(at..at + width) {
                field.copy_from_slice(&value[..width]);
            }
        }
        5 => {
            // A piece of another place or another input.
            let (from, to) = (random.range(other.len(), 512), random.range(length, 64));
            bytes.splice(to, other[from].iter().copied());
        }
        6 | 7 => number(bytes, extreme, random),
        8 => {
            let at = random.below(length + 1);
            let word = WORDS[random.below(WORDS.len())].repeat(1 + random.below(64) * random.below(2));
            bytes.splice(at..at, word.bytes());
        }
        _ => {
            let range = random.range(length, 16);
            bytes[range].iter_mut().for_each(|byte| *byte = random.next() as u8);
        }
    }
}

/// Puts an extreme in the place of a number that is written in digits.
fn number(bytes: &mut Vec<u8>, extreme: u64, random: &mut Random) {
    let from = random.below(bytes.len());
    let digit = |byte: &u8| byte.is_ascii_digit();
    let Some(start) = bytes[from.min(bytes.len())..].iter().position(digit).map(|at| at + from) else {
        return;
    };
    let end = bytes[start..]
        .iter()
        .position(|byte| !byte.is_ascii_hexdigit() && *byte != b'x')
        .map_or(bytes.len(), |at| start + at);
    let text = match random.below(4) {
        0 => format!("0x{extreme:x}"),
        1 => format!("{}", extreme.wrapping_add(random.next() % 4096)),
        2 => "9".repeat(1 + random.below(40)),
        _ => extreme.to_string(),
    };
    bytes.splice(start..end, text.bytes());
}

/// What became of the inputs of each kind.
#[derive(Default)]
pub struct Tally(Mutex<BTreeMap<String, (usize, usize, Duration)>>);

impl Tally {
    /// Gives `read` inputs that are changed from `seeds`. It says whether it took one.
    pub fn run(&self, kind: &str, seeds: &[impl AsRef<[u8]>], tries: usize, read: impl Fn(&[u8]) -> bool) {
        for number in 0..tries {
            let mut random = Random::of(kind, number as u64);
            let (seed, other) = (&seeds[number % seeds.len()], &seeds[random.below(seeds.len())]);
            let bytes = mutate(seed.as_ref(), other.as_ref(), &mut random);
            self.one(kind, number, &bytes, &read);
        }
    }

    /// Gives `read` one input: it must not panic, and end soon.
    pub fn one(&self, kind: &str, number: usize, bytes: &[u8], read: impl Fn(&[u8]) -> bool) {
        let start = Instant::now();
        let taken = catch_unwind(AssertUnwindSafe(|| read(bytes)));
        let took = start.elapsed();
        let keep = || {
            let path = Path::new(env!("CARGO_TARGET_TMPDIR"))
                .join(format!("mutated-{kind}-{number}").replace(' ', "-"));
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let taken =
            taken.unwrap_or_else(|_| panic!("{kind}, try {number} panicked (above): {}", keep().display()));
        assert!(took < SOON, "{kind}, try {number} took {took:?}: {}", keep().display());
        let mut all = self.0.lock().unwrap();
        let (tries, taken_tries, slowest) = all.entry(kind.to_owned()).or_default();
        *tries += 1;
        *taken_tries += usize::from(taken);
        *slowest = took.max(*slowest);
    }

    /// Prints the numbers. Returns the number of all tries.
    pub fn print(&self) -> usize {
        let all = self.0.lock().unwrap();
        for (kind, (tries, taken, slowest)) in &*all {
            println!("mutated {kind:<24} {tries:>5} tries, {taken:>4} taken, slowest {slowest:.0?}");
        }
        let sum = all.values().map(|(tries, ..)| tries).sum();
        println!("mutated {:<24} {sum:>5} tries", "in all");
        sum
    }
}

/// The most memory that this process has had, in KiB.
pub fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
