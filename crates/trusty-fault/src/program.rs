//! A trusted app's code: what its addresses are called, and who called whom.

use crate::lines::{Lines, Place};
use crate::symbols::Symbols;
use crate::unwind::Frames;
use object::{Object, ObjectSection, SectionKind};
use std::fmt::Write as _;
use trusty_abi::last_words::is_call;
use trusty_image::limits::APP_STACK_TOP;

/// Bytes of a function, at most, whose instructions are looked at: a symbol may claim any size, and ours have some KiB.
const MAX_FUNCTION: u32 = 1 << 20;
/// Longest chain that is told.
const CHAIN: usize = 32;
/// T bit of the status register: 16-bit code, which has no frames that are known.
const THUMB: u32 = 1 << 5;
/// `mov r11, sp`
const MOVE_FRAME: u32 = 0xe1a0_b00d;
/// `add r11, sp, #number`, without the number.
const ADD_FRAME: u32 = 0xe28d_b000;
const FP: u32 = 11;
const LR: u32 = 14;

/// What has become of the return address at a place of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Frame {
    /// The frame pointer points to the caller's, and behind it the return address lies.
    Made,
    /// The link register has it still, and the frame pointer is the caller's.
    NotYet,
    /// Nobody knows.
    Unknown,
}

/// A TA's code with its names, and, where they are known, files and lines.
#[derive(Default)]
pub struct Program<'a> {
    symbols: Symbols,
    lines: Option<Lines<'a>>,
    frames: Option<Frames<'a>>,
    /// Sections of code: their addresses and bytes.
    code: Vec<(u32, &'a [u8])>,
}

impl<'a> Program<'a> {
    /// Of an ELF file, with DWARF from `debug`: the file that trusty-ta's builds keep beside the stripped one. DWARF of other code is
    /// left out; without `debug` the ELF file's own is read.
    pub fn read(elf: &'a [u8], debug: Option<&'a [u8]>) -> Self {
        let code = code(elf);
        let fitting = debug.filter(|debug| !code.is_empty() && self::code(debug) == code);
        let debug = fitting.unwrap_or(elf);
        Self { symbols: Symbols::read(elf), lines: Lines::read(debug), frames: Frames::read(debug), code }
    }

    /// Names of its functions.
    pub fn symbols(&self) -> &Symbols {
        &self.symbols
    }

    /// The word of code at an address.
    fn word(&self, address: u32) -> Option<u32> {
        let (start, bytes) =
            self.code.iter().find(|(start, bytes)| (address.wrapping_sub(*start) as usize) < bytes.len())?;
        let at = (address - start) as usize;
        bytes.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes)
    }

    /// Whether an address of its code stands behind a call.
    pub fn is_return(&self, address: u32) -> bool {
        address.is_multiple_of(4) && self.word(address.wrapping_sub(4)).is_some_and(is_call)
    }

    /// Where the return address is when an instruction runs: what the instructions before it in its function have done.
    fn frame(&self, address: u32) -> Frame {
        let start = self.symbols.start(address.into()).and_then(|start| u32::try_from(start).ok());
        let Some(start) = start.filter(|start| address.saturating_sub(*start) <= MAX_FUNCTION) else {
            return Frame::Unknown;
        };
        let mut frame = Frame::NotYet;
        for word in (start..address).step_by(4) {
            match self.word(word) {
                Some(word) if word == MOVE_FRAME || word & !0xfff == ADD_FRAME => return Frame::Made,
                Some(word) if !changes_link(word) => {}
                _ => frame = Frame::Unknown,
            }
        }
        frame
    }

    /// Return addresses at a moment, the innermost first. Each stands behind a call in a function that keeps frames, or whose frames the
    /// compiler has written down; where that is not so, the chain ends: it is empty rather than wrong. `memory` reads words of the stack.
    pub fn chain(&self, registers: &[u32; 16], cpsr: u32, memory: &dyn Fn(u32) -> Option<u32>) -> Vec<u32> {
        let kept = self.kept_frames(registers, cpsr, memory);
        if kept.is_empty() && cpsr & THUMB == 0 { self.written_frames(registers, memory) } else { kept }
    }

    /// The chain by what the compiler has written down.
    fn written_frames(&self, registers: &[u32; 16], memory: &dyn Fn(u32) -> Option<u32>) -> Vec<u32> {
        let (mut chain, mut registers) = (Vec::new(), *registers);
        let [.., mut at] = registers;
        let Some(frames) = &self.frames else { return chain };
        while let Some(caller) = frames.caller(at, &registers, memory) {
            let [.., least, _, _] = registers;
            let [.., frame, _, back] = caller;
            // A function that calls no other has its caller's frame.
            let is_deeper = frame > least || frame == least && chain.is_empty();
            if !is_deeper || frame > APP_STACK_TOP || !self.is_return(back) || chain.len() == CHAIN {
                break;
            }
            chain.push(back);
            (registers, at) = (caller, back.wrapping_sub(4));
        }
        chain
    }

    /// The chain by frame pointers.
    fn kept_frames(&self, registers: &[u32; 16], cpsr: u32, memory: &dyn Fn(u32) -> Option<u32>) -> Vec<u32> {
        let [.., mut frame, _, mut least, link, pc] = *registers;
        let mut chain = Vec::new();
        if cpsr & THUMB != 0 {
            return chain;
        }
        match self.frame(pc) {
            Frame::Made => {}
            now if self.is_return(link) && (now == Frame::NotYet || self.jumped(registers)) => {
                chain.push(link);
                if self.frame(link.wrapping_sub(4)) != Frame::Made {
                    return chain;
                }
            }
            _ => return chain,
        }
        while chain.len() < CHAIN && frame >= least && frame <= APP_STACK_TOP - 8 && frame.is_multiple_of(4) {
            let Some((next, back)) = memory(frame).zip(memory(frame + 4)) else { break };
            if !self.is_return(back) {
                break;
            }
            chain.push(back);
            if self.frame(back.wrapping_sub(4)) != Frame::Made {
                break;
            }
            (frame, least) = (next, frame + 8);
        }
        chain
    }

    /// Whether the instruction in front of the link register's address has jumped to the program counter, through a register: a call
    /// of what is no function.
    fn jumped(&self, registers: &[u32; 16]) -> bool {
        let [.., link, pc] = *registers;
        let call = self.word(link.wrapping_sub(4)).filter(|word| word & 0x0fff_fff0 == 0x012f_ff30);
        let through = call.and_then(|word| registers.get(word as usize & 15));
        self.word(pc).is_none() && through.is_some_and(|target| target & !1 == pc & !1)
    }

    /// The first of these addresses that are return addresses of this code.
    pub fn sound<'b>(&self, chain: &'b [u32]) -> &'b [u32] {
        let sound = chain.iter().take_while(|address| self.is_return(**address)).count();
        chain.get(..sound).unwrap_or_default()
    }

    /// Functions and lines of an instruction, the innermost of inlined ones first; none without DWARF.
    pub fn places(&self, address: u32) -> Vec<Place> {
        let mut places = self.lines.as_ref().map(|lines| lines.at(address.into())).unwrap_or_default();
        // Line tables name functions without the modules that they are in; the outermost is no inlined one, and has a symbol.
        if let Some((place, name)) = places.last_mut().zip(self.symbols.name(address.into())) {
            name.clone_into(&mut place.function);
        }
        places
    }

    /// The place in the TA's own sources: the first that is not of a library. `at` is the instruction, if there is one.
    pub fn own_place(&self, at: Option<u32>, chain: &[u32]) -> Option<Place> {
        let calls = chain.iter().map(|address| address.wrapping_sub(4));
        let places = at.into_iter().chain(calls).flat_map(|address| self.places(address));
        let own: Vec<Place> = places.filter(Place::is_own).collect();
        // Where the compiler has joined code of several lines, it knows none.
        own.iter().find(|place| place.line.is_some()).or(own.first()).cloned()
    }

    /// Lines of a report: the instruction, if there is one, and its callers.
    pub fn trace(&self, at: Option<u32>, chain: &[u32]) -> String {
        let mut text = String::new();
        let at = at.map(|address| ("at", address, address));
        let calls = chain.iter().map(|address| ("from", *address, address.wrapping_sub(4)));
        for (word, address, instruction) in at.into_iter().chain(calls) {
            let _ = writeln!(text, "  {word:<5} 0x{address:08x}{}", self.symbols.at(instruction.into()));
            for place in self.places(instruction) {
                let _ = writeln!(text, "          {place}");
            }
        }
        text
    }
}

/// Sections of 32-bit code.
fn code(elf: &[u8]) -> Vec<(u32, &[u8])> {
    let Ok(file) = object::File::parse(elf) else { return Vec::new() };
    let texts = file.sections().filter(|section| section.kind() == SectionKind::Text);
    texts.filter_map(|text| Some((u32::try_from(text.address()).ok()?, text.data().ok()?))).collect()
}

/// Whether an instruction (A32) may change the link register, or the frame pointer otherwise than a prologue does.
fn changes_link(word: u32) -> bool {
    let is_one = |register: u32| register == LR || register == FP;
    let listed = word & (1 << LR | 1 << FP) != 0;
    let (loads, target) = (word & 1 << 20 != 0, word >> 12 & 15);
    match word >> 25 & 7 {
        // Data processing, multiplications and loads of halfwords.
        0 | 1 => is_one(target) || is_one(word >> 16 & 15) && word & 0x90 == 0x90 || is_call(word),
        2 | 3 => loads && is_one(target),
        // What is pushed may be changed from then on; what is popped is.
        4 => listed,
        5 => is_call(word),
        6 | 7 => loads && is_one(target),
        _ => false,
    }
}

#[cfg(test)]
mod tests;
