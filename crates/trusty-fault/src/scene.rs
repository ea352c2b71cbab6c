//! A fault, and what can be said of it.

use crate::program::Program;
use std::fmt::{self, Write as _};
use std::ops::Range;
use trusty_abi::text::Shown;
use trusty_image::TrustedApp;
use trusty_image::limits::{APP_STACK_TOP, PAGE};

/// How far from the end of heap or stack an access still is one beyond it.
const NEAR: u32 = 16 * PAGE;
/// `p_flags` of a segment that may be written.
const PF_W: u32 = 2;

/// An access that no TA may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A read.
    Read(u32),
    /// A write.
    Write(u32),
    /// A jump.
    Fetch(u32),
    /// An access that must be aligned.
    Unaligned(u32),
    /// What is no instruction of a TA.
    Instruction,
}

impl Access {
    /// What was accessed, but for an instruction.
    pub fn address(self) -> Option<u32> {
        match self {
            Self::Read(address) | Self::Write(address) | Self::Fetch(address) | Self::Unaligned(address) => {
                Some(address)
            }
            Self::Instruction => None,
        }
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Read(_) => "read",
            Self::Write(_) => "written",
            Self::Fetch(_) => "jumped to",
            Self::Unaligned(_) => "accessed",
            Self::Instruction => "executed",
        }
    }
}

/// What a TA has done with its heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeapUse {
    /// The break, an address.
    pub brk: u32,
    /// The break that the last `brk` asked for in vain, if it was in vain.
    pub refused: Option<u32>,
    /// Bytes up to the highest page that was touched.
    pub touched: u32,
}

/// What is known of a TA when it faults.
pub struct Scene<'a> {
    /// Its name.
    pub name: &'a str,
    /// What its ELF says.
    pub app: &'a TrustedApp,
    /// Its code.
    pub program: &'a Program<'a>,
    /// What it did.
    pub access: Access,
    /// r0 to r15.
    pub registers: [u32; 16],
    /// The status register.
    pub cpsr: u32,
    /// Its heap, if that is known.
    pub heap: Option<HeapUse>,
    /// Bytes of the stack down to the lowest page that was touched, if that is known.
    pub stack_touched: Option<u32>,
    /// Whether what it accessed is mapped for it. If that is not known, its segments, all of its heap and its stack are.
    pub mapped: Option<bool>,
    /// Reads words of its stack, as far as they are known.
    pub memory: &'a dyn Fn(u32) -> Option<u32>,
}

/// A size, in KiB if it is a whole number of them.
pub(crate) fn size(bytes: u32) -> String {
    if bytes.is_multiple_of(1024) { format!("{} KiB", bytes / 1024) } else { format!("{bytes} bytes") }
}

impl Scene<'_> {
    /// One sentence: what happened, why, and what mends it.
    pub fn diagnosis(&self) -> String {
        let Some(address) = self.access.address() else {
            return "no instruction that a trusted app may execute: 32-bit ARM code is allowed".into();
        };
        let verb = self.access.verb();
        let (heap, stack) = (self.heap_range(), self.stack_range());
        let [.., sp, _, _] = self.registers;
        if address < PAGE {
            return format!("null + {address} {verb}: {}", self.why_null());
        }
        if matches!(self.access, Access::Unaligned(_)) {
            return format!(
                "0x{address:x} {verb}, unaligned, by an instruction for several words (ldm, stm, ldrd, strd, vldm): \
                 a pointer to bytes was taken for one to words"
            );
        }
        let near_stack = (stack.start.saturating_sub(NEAR)..stack.start).contains(&address);
        if near_stack && sp < stack.start.saturating_add(PAGE) {
            return format!(
                "the stack is full: 0x{address:x} {verb} below its {} (min_stack); raise min_stack, or use less of it",
                size(self.app.manifest.stack())
            );
        }
        if let Some(segment) =
            self.app.segments.iter().find(|s| (u64::from(s.vaddr)..s.end()).contains(&address.into()))
        {
            let what = if segment.flags & PF_W == 0 { "read-only text" } else { "data" };
            return format!(
                "0x{address:x} {verb}: it lies in {what}{}",
                self.program.symbols().at(address.into())
            );
        }
        let mapped = || self.mapped.unwrap_or_else(|| heap.contains(&address) || stack.contains(&address));
        if matches!(self.access, Access::Fetch(_)) && mapped() {
            return format!("0x{address:x} {verb}: heap and stack cannot be executed");
        }
        if (heap.end..heap.end.saturating_add(NEAR)).contains(&address) {
            return format!(
                "0x{address:x} {verb}: {} bytes behind the heap, which is {} by manifest; raise min_heap, or check the index",
                address - heap.end,
                size(self.app.manifest.heap())
            );
        }
        format!(
            "0x{address:x} {verb}: not the trusted app's memory; an address of another app or of a client is useless here"
        )
    }

    /// Why a TA may have a null pointer.
    fn why_null(&self) -> String {
        let heap = size(self.app.manifest.heap());
        match self.heap {
            Some(HeapUse { brk, refused: Some(refused), .. }) => format!(
                "the last brk was refused; the heap is {heap} by manifest, {} were asked. \
                 Check what the allocation returns, and raise min_heap",
                size(refused.saturating_sub(brk))
            ),
            Some(_) => "a pointer that was never set, or whose failure was not checked".into(),
            None => format!(
                "a pointer that was never set, or an allocation whose failure was not checked; \
                 the heap is {heap} by manifest, whatever the carve-out"
            ),
        }
    }

    fn heap_range(&self) -> Range<u32> {
        let start = self.app.heap_start;
        start..start.saturating_add(self.app.manifest.heap())
    }

    fn stack_range(&self) -> Range<u32> {
        APP_STACK_TOP.saturating_sub(self.app.manifest.stack())..APP_STACK_TOP
    }

    /// Everything, in lines.
    pub fn report(&self) -> String {
        let [.., pc] = self.registers;
        let mut text = format!("{} faults: {}\n", Shown(self.name), self.diagnosis());
        let chain = self.program.chain(&self.registers, self.cpsr, self.memory);
        if let Some(place) = self.program.own_place(Some(pc), &chain) {
            let _ = writeln!(text, "  place {place}");
        }
        text += &self.program.trace(Some(pc), &chain);
        let names = [
            "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "sp", "lr", "pc",
        ];
        for (registers, names) in self.registers.chunks(4).zip(names.chunks(4)) {
            let line: Vec<String> = registers
                .iter()
                .zip(names)
                .map(|(register, name)| format!("{name:>3} {register:08x}"))
                .collect();
            let _ = writeln!(text, "  {}", line.join("  "));
        }
        let _ = writeln!(text, "  cpsr {:08x}", self.cpsr);
        text += &self.memory();
        if let Some(enough) = self.enough() {
            let advice = Advice { name: self.name, app: Some(self.app), enough: Some(enough), least: false };
            text += &advice.to_string();
        }
        text
    }

    /// The heap with which the `brk` had not been refused that a null pointer came of.
    fn enough(&self) -> Option<u32> {
        let null = self.access.address().is_some_and(|address| address < PAGE);
        let refused = self.heap.filter(|_| null)?.refused?;
        refused.saturating_sub(self.app.heap_start).checked_next_multiple_of(PAGE)
    }

    /// The lines of heap and stack.
    fn memory(&self) -> String {
        let (heap, stack) = (self.heap_range(), self.stack_range());
        let used = self.heap.map_or_else(String::new, |used| {
            let brk = used.brk.saturating_sub(heap.start);
            format!(", brk at {}, touched {}", size(brk), size(used.touched))
        });
        let touched =
            self.stack_touched.map_or_else(String::new, |bytes| format!(", touched {}", size(bytes)));
        let line = |name: &str, range: &Range<u32>, bytes: u32, used: &str| {
            format!(
                "  {name:<5} 0x{:x} to 0x{:x}: {} by manifest{used}\n",
                range.start,
                range.end,
                size(bytes)
            )
        };
        line("heap", &heap, self.app.manifest.heap(), &used)
            + &line("stack", &stack, self.app.manifest.stack(), &touched)
    }
}

/// What to write where, so that an allocation has room.
pub(crate) struct Advice<'a> {
    /// The TA.
    pub name: &'a str,
    /// What its ELF file says, if it is known.
    pub app: Option<&'a TrustedApp>,
    /// The heap that is needed, in whole pages; none if no TA can have so much.
    pub enough: Option<u32>,
    /// Whether less would not do: what an allocator asked the kernel for may be more than it needs.
    pub least: bool,
}

impl fmt::Display for Advice<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, app, enough, least } = self;
        let name = Shown(name);
        let would = if *least { "needs a heap of at least" } else { "would have had room in a heap of" };
        // Below the stack the kernel maps image and heap.
        let room = app.map_or(APP_STACK_TOP, |app| {
            APP_STACK_TOP.saturating_sub(app.manifest.stack()).saturating_sub(app.heap_start)
        });
        match enough.filter(|enough| *enough <= room) {
            Some(enough) => write!(
                f,
                "  {would} {}. In [package.metadata.trusty] of the Cargo.toml of {name}:\n    min_heap = {enough}\n  \
                 If the product config sets min_heap of {name}, there:\n    min_heap: {}KiB\n",
                size(enough),
                enough / 1024
            ),
            None => writeln!(
                f,
                "  no min_heap is enough: a trusted app has at most {} for its heap; allocate less at once",
                size(room)
            ),
        }
    }
}

#[cfg(test)]
mod tests;
