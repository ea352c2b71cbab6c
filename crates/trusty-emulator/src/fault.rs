//! What a trusted app did that stops all of Trusty, in plain words.

use crate::machine::{Fault, Machine};
use crate::symbols::Symbols;
use std::fmt::Write as _;
use trusty_image::TrustedApp;
use trusty_image::limits::{APP_STACK_TOP, PAGE};
use unicorn_engine::unicorn_const::MemType;

/// An access that no TA may make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A read.
    Read(u32),
    /// A write.
    Write(u32),
    /// A jump.
    Fetch(u32),
    /// What is no instruction of a TA.
    Instruction,
}

impl Access {
    /// The access that the engine reports.
    pub fn of(kind: MemType, address: u64) -> Self {
        let address = u32::try_from(address).unwrap_or(u32::MAX);
        match kind {
            MemType::WRITE | MemType::WRITE_UNMAPPED | MemType::WRITE_PROT => Self::Write(address),
            MemType::FETCH | MemType::FETCH_UNMAPPED | MemType::FETCH_PROT => Self::Fetch(address),
            _ => Self::Read(address),
        }
    }

    fn address(self) -> Option<u32> {
        match self {
            Self::Read(address) | Self::Write(address) | Self::Fetch(address) => Some(address),
            Self::Instruction => None,
        }
    }

    fn verb(self) -> &'static str {
        match self {
            Self::Read(_) => "read",
            Self::Write(_) => "written",
            Self::Fetch(_) => "jumped to",
            Self::Instruction => "executed",
        }
    }
}

/// What is known of a TA when it faults.
pub struct Scene<'a> {
    /// Its name.
    pub name: &'a str,
    /// What its ELF says.
    pub app: &'a TrustedApp,
    /// Its symbols.
    pub symbols: &'a Symbols,
    /// What it did, and its registers.
    pub fault: &'a Fault,
    /// Its memory.
    pub machine: &'a Machine,
    /// The break.
    pub brk: u32,
    /// The break that the last `brk` asked for in vain, if it was in vain.
    pub refused: Option<u32>,
}

fn size(bytes: u32) -> String {
    if bytes.is_multiple_of(1024) { format!("{} KiB", bytes / 1024) } else { format!("{bytes} bytes") }
}

impl Scene<'_> {
    /// One sentence: what happened, why, and what mends it.
    pub fn diagnosis(&self) -> String {
        let access = self.fault.access;
        let heap = self.app.manifest.heap();
        let stack_bottom = APP_STACK_TOP - self.app.manifest.stack();
        let [.., sp, _, _] = self.fault.registers;
        let Some(address) = access.address() else {
            return "no instruction that a trusted app may execute: 32-bit ARM code is allowed".into();
        };
        let verb = access.verb();
        let heap_end = self.app.heap_start + heap;
        if address < PAGE {
            let asked = |refused: u32| {
                format!(
                    "null + {address} {verb}: the last brk was refused; the heap is {} by manifest, {} were asked. \
                     Check what the allocation returns, and raise min_heap",
                    size(heap),
                    size(refused - self.brk)
                )
            };
            return self.refused.map_or_else(
                || format!("null + {address} {verb}: a pointer that was never set, or whose failure was not checked"),
                asked,
            );
        }
        let near_stack = (stack_bottom.saturating_sub(16 * PAGE)..stack_bottom).contains(&address);
        if near_stack && sp < stack_bottom.saturating_add(PAGE) {
            return format!(
                "the stack is full: 0x{address:x} {verb} below its {} (min_stack); raise min_stack, or use less of it",
                size(self.app.manifest.stack())
            );
        }
        if matches!(access, Access::Fetch(_)) && self.machine.is_mapped(address, 1) {
            return format!("0x{address:x} {verb}: heap and stack cannot be executed");
        }
        if let Some(segment) =
            self.app.segments.iter().find(|s| (u64::from(s.vaddr)..s.end()).contains(&address.into()))
        {
            let what = if segment.flags & 2 == 0 { "read-only text" } else { "data" };
            return format!("0x{address:x} {verb}: it lies in {what}{}", self.symbols.at(address));
        }
        if (heap_end..heap_end + 16 * PAGE).contains(&address) {
            return format!(
                "0x{address:x} {verb}: {} bytes behind the heap, which is {} by manifest; raise min_heap, or check the index",
                address - heap_end,
                size(heap)
            );
        }
        format!(
            "0x{address:x} {verb}: not the trusted app's memory; an address of another app or of a client is useless here"
        )
    }

    /// Everything, in lines.
    pub fn report(&self) -> String {
        let Fault { registers, cpsr, .. } = self.fault;
        let [.., lr, pc] = *registers;
        let mut text = format!("{} faults: {}\n", self.name, self.diagnosis());
        let _ = writeln!(text, "  at    0x{pc:08x}{}", self.symbols.at(pc));
        let _ = writeln!(text, "  from  0x{lr:08x}{}", self.symbols.at(lr));
        let names = [
            "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r7", "r8", "r9", "r10", "r11", "r12", "sp", "lr", "pc",
        ];
        for (registers, names) in registers.chunks(4).zip(names.chunks(4)) {
            let line: Vec<String> = registers
                .iter()
                .zip(names)
                .map(|(register, name)| format!("{name:>3} {register:08x}"))
                .collect();
            let _ = writeln!(text, "  {}", line.join("  "));
        }
        let _ = writeln!(text, "  cpsr {:08x}", cpsr);
        let start = self.app.heap_start;
        let _ = writeln!(
            text,
            "  heap  0x{start:x} to 0x{:x}: {} by manifest, brk at {}, touched {}",
            start + self.app.manifest.heap(),
            size(self.app.manifest.heap()),
            size(self.brk - start),
            size(self.machine.heap_high_water())
        );
        let stack = self.app.manifest.stack();
        let _ = writeln!(
            text,
            "  stack 0x{:x} to 0x{APP_STACK_TOP:x}: {} by manifest, touched {}",
            APP_STACK_TOP - stack,
            size(stack),
            size(self.machine.stack_high_water())
        );
        text
    }
}
