//! What a trusted app (TA) says on the console when it ends: lines for people, with a form that programs can read.
//!
//! The run-time (trusty-ta) prints them with `NAME: ` in front; a board's console shows them, and `emulate` explains them:
//!
//! | line | when |
//! |---|---|
//! | `out of memory: 50000 bytes asked, align 1; heap 16384, in use 96, largest free 16288; min_heap 53248 would do` | an allocation failed and nobody handled it |
//! | `panicked at src/main.rs:12:5:` and the message | Rust's own words; any other panic |
//! | `ended: trusted app UUID, called from 0x9a04 0x8010.` | always the last line; without a panic there are no addresses |
//!
//! All sizes are bytes. An address is that of the instruction behind a call, the innermost call first. A line that the console has
//! cut lacks its end, and is read as far as it is whole.

use crate::Uuid;
use core::fmt::{self, Display};

/// An allocation that failed, and the heap that it failed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory {
    /// Bytes that were asked for.
    pub asked: usize,
    /// Their alignment.
    pub align: usize,
    /// The heap by manifest, in whole pages.
    pub heap: usize,
    /// Bytes of it that are allocated.
    pub used: usize,
    /// The largest block that is free.
    pub largest: usize,
    /// The smallest `min_heap` with which this allocation had succeeded; none if no TA can have so much.
    pub enough: Option<usize>,
}

/// How the line of [`OutOfMemory`] begins.
const SHORT: &str = "out of memory: ";

impl Display for OutOfMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, align, heap, used, largest, enough } = self;
        write!(
            f,
            "{SHORT}{asked} bytes asked, align {align}; heap {heap}, in use {used}, largest free {largest}; "
        )?;
        match enough {
            Some(enough) => write!(f, "min_heap {enough} would do"),
            None => f.write_str("no min_heap would do"),
        }
    }
}

impl OutOfMemory {
    /// Reads the line, without the name in front.
    pub fn parse(line: &str) -> Option<Self> {
        let mut rest = line.strip_prefix(SHORT)?;
        let mut number = |after: &str| {
            let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, more) = rest.split_at_checked(digits)?;
            rest = more.strip_prefix(after)?;
            number.parse().ok()
        };
        let asked = number(" bytes asked, align ")?;
        let align = number("; heap ")?;
        let heap = number(", in use ")?;
        let used = number(", largest free ")?;
        let largest = number("; ")?;
        let enough = match rest {
            "no min_heap would do" => None,
            other => Some(other.strip_prefix("min_heap ")?.strip_suffix(" would do")?.parse().ok()?),
        };
        Some(Self { asked, align, heap, used, largest, enough })
    }
}

/// Addresses that [`Ended`] tells at most: a console line has 255 bytes.
pub const CHAIN: usize = 16;
/// How the line of [`Ended`] begins.
const ENDED: &str = "ended: trusted app ";
/// What stands in front of its addresses.
const CALLED: &str = ", called from";
/// What stands behind them.
const WHOLE: &str = ".";

/// The last line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended<'a> {
    /// Who.
    pub uuid: Uuid,
    /// Return addresses, the innermost first; at most [`CHAIN`] are told.
    pub chain: &'a [u32],
}

impl Display for Ended<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ENDED}{}", self.uuid)?;
        if self.chain.is_empty() {
            return Ok(());
        }
        f.write_str(CALLED)?;
        self.chain.iter().take(CHAIN).try_for_each(|address| write!(f, " 0x{address:x}"))?;
        f.write_str(WHOLE)
    }
}

/// Reads the last line, without the name in front: the UUID as it is written, and the return addresses.
pub fn ended(line: &str) -> Option<(&str, impl Iterator<Item = u32> + '_)> {
    let rest = line.strip_prefix(ENDED)?;
    let (uuid, chain) = rest.split_once(CALLED).unwrap_or((rest, ""));
    let sound = uuid.len() == 36 && uuid.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit());
    // A number that was cut is another number.
    let cut = chain.rfind(' ').and_then(|end| chain.get(..end)).unwrap_or_default();
    let chain = chain.strip_suffix(WHOLE).unwrap_or(cut);
    let addresses = chain.split_ascii_whitespace().take(CHAIN);
    sound.then(|| (uuid, addresses.map_while(|a| u32::from_str_radix(a.strip_prefix("0x")?, 16).ok())))
}

/// Whether a word is an instruction (A32) that calls: `bl` or `blx`. Behind one stands a return address.
pub fn is_call(word: u32) -> bool {
    let bl = word & 0x0f00_0000 == 0x0b00_0000 && word >> 28 != 0xf;
    let blx = word & 0xfe00_0000 == 0xfa00_0000;
    let blx_register = word & 0x0fff_fff0 == 0x012f_ff30 && word >> 28 != 0xf;
    bl || blx || blx_register
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::string::ToString;
    use std::vec::Vec;

    const SHORTAGE: OutOfMemory =
        OutOfMemory { asked: 50000, align: 1, heap: 16384, used: 96, largest: 16288, enough: Some(53248) };
    const UUID: Uuid = Uuid([4, 3, 2, 1, 6, 5, 8, 7, 9, 10, 11, 12, 13, 14, 15, 16]);

    #[test]
    fn a_shortage_is_written_and_read() {
        let line = SHORTAGE.to_string();
        assert_eq!(
            line,
            "out of memory: 50000 bytes asked, align 1; heap 16384, in use 96, largest free 16288; min_heap 53248 would do"
        );
        assert_eq!(OutOfMemory::parse(&line), Some(SHORTAGE));
        let never = OutOfMemory { enough: None, ..SHORTAGE };
        assert_eq!(OutOfMemory::parse(&never.to_string()), Some(never));
        // Cut anywhere, or of another, it says nothing.
        assert!((0..line.len()).all(|end| OutOfMemory::parse(&line[..end]).is_none()));
        assert_eq!(OutOfMemory::parse("out of memory"), None);
        assert_eq!(OutOfMemory::parse(&line.replace("96", "99999999999999999999999")), None);
    }

    #[test]
    fn calls_are_known() {
        // bl, blne, blx label, blx r3; b, mov, bx lr, and data.
        for call in [0xeb00_1234, 0x1bff_fffe, 0xfa00_0001, 0xe12f_ff33] {
            assert!(is_call(call), "{call:x}");
        }
        for other in [0xea00_1234, 0xe1a0_0000, 0xe12f_ff1e, 0, 0xffff_ffff, 0xf57f_f05b] {
            assert!(!is_call(other), "{other:x}");
        }
    }

    #[test]
    fn the_end_is_written_and_read() {
        let line = Ended { uuid: UUID, chain: &[0x9a04, 0x8010] }.to_string();
        assert_eq!(
            line,
            "ended: trusted app 01020304-0506-0708-090a-0b0c0d0e0f10, called from 0x9a04 0x8010."
        );
        let read =
            |line: &str| ended(line).map(|(uuid, chain)| (uuid.to_string(), chain.collect::<Vec<_>>()));
        let uuid = UUID.to_string();
        assert_eq!(read(&line), Some((uuid.clone(), [0x9a04, 0x8010].to_vec())));
        assert_eq!(read(&Ended { uuid: UUID, chain: &[] }.to_string()), Some((uuid.clone(), Vec::new())));
        // Of a line that was cut the last number is not believed.
        assert_eq!(read(line.strip_suffix("10.").unwrap()), Some((uuid.clone(), [0x9a04].to_vec())));
        assert_eq!(read("ended: trusted app x"), None);
        // The longest line, with a name in front, is one line of the console.
        let longest = Ended { uuid: UUID, chain: &[0xff_fffc; 99] }.to_string();
        assert!(longest.len() <= 255 - 32, "{}", longest.len());
        assert_eq!(read(&longest).unwrap().1.len(), CHAIN);
    }
}
