//! What the kernel's loader demands of a TA's ELF file, each demand a [`Rule`] of its own.
//!
//! Read from `trusty_app.c` of L4T R32.7. The loader trusts what it loads: a file that breaks a rule panics the
//! kernel at boot, makes the TAs behind it vanish, or runs into another TA's memory. So every rule is an error.

use crate::elf::{Elf, PT_LOAD, SHF_ALLOC, SHT_NOBITS, SHT_PROGBITS, Section, Segment};
use crate::limits::{APP_STACK_TOP, APP_START, PAGE};
use crate::manifest::{self, Manifest};
use core::fmt;

pub use rule::Rule;

mod rule;

const ET_EXEC: u16 = 2;
const EM_ARM: u16 = 40;
const EF_ARM_EABI: u32 = 0xff00_0000;
const EF_ARM_EABI5: u32 = 0x0500_0000;
const PF_X: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_INTERP: u32 = 3;
const PT_TLS: u32 = 7;

/// A broken rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which rule.
    pub rule: Rule,
    /// The section or segment it is about.
    pub place: Option<String>,
    /// Offset in the file.
    pub offset: Option<u64>,
    /// What was found and what is allowed.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}: ", self.rule.code())?;
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        if let Some(offset) = self.offset {
            write!(f, "file offset 0x{offset:x}: ")?;
        }
        f.write_str(&self.what)
    }
}

/// What a sound TA is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedApp {
    /// Its manifest.
    pub manifest: Manifest,
    /// Where the manifest's bytes lie in the file.
    pub manifest_range: core::ops::Range<usize>,
    /// Entry point.
    pub entry: u32,
    /// Loaded segments: address, size in bytes, flags.
    pub segments: Vec<Segment>,
    /// Bytes that the loaded segments take in memory, in whole pages.
    pub image_size: u32,
    /// Where the heap starts: the end of the last segment, rounded up to a page.
    pub heap_start: u32,
}

impl TrustedApp {
    /// Bytes of user address space that are left between heap and stack.
    pub fn address_space_left(&self) -> u32 {
        APP_STACK_TOP - self.manifest.stack() - self.manifest.heap() - self.heap_start
    }
}

/// Checks a TA's ELF file by every rule. An empty list means that the loader takes it.
pub fn check(data: &[u8]) -> Vec<Finding> {
    inspect(data).err().unwrap_or_default()
}

/// Checks a TA's ELF file and, if no rule is broken, says what it is.
pub fn inspect(data: &[u8]) -> Result<TrustedApp, Vec<Finding>> {
    let elf = Elf::parse(data).map_err(|error| {
        vec![Finding { rule: Rule::Elf, place: None, offset: None, what: error.to_string() }]
    })?;
    let mut checker = Checker { elf: &elf, findings: Vec::new() };
    checker.target();
    checker.entry();
    checker.segments();
    checker.bss();
    checker.bss_pad();
    checker.file_end();
    let app = checker.manifest();
    match app {
        Some(app) if checker.findings.is_empty() => Ok(app),
        _ => Err(checker.findings),
    }
}

struct Checker<'a> {
    elf: &'a Elf<'a>,
    findings: Vec<Finding>,
}

impl<'a> Checker<'a> {
    fn add(&mut self, rule: Rule, what: String) {
        self.findings.push(Finding { rule, place: None, offset: None, what });
    }

    fn at(&mut self, rule: Rule, place: &str, offset: u64, what: String) {
        self.findings.push(Finding { rule, place: Some(place.into()), offset: Some(offset), what });
    }

    fn loads(&self) -> impl Iterator<Item = (usize, &'a Segment)> + use<'a> {
        self.elf.segments.iter().enumerate().filter(|(_, s)| s.kind == PT_LOAD)
    }

    fn target(&mut self) {
        let elf = self.elf;
        if elf.machine != EM_ARM {
            self.add(Rule::Target, format!("machine {}, expected {EM_ARM} (ARM)", elf.machine));
        }
        if elf.kind != ET_EXEC {
            self.add(
                Rule::Target,
                format!("ELF type {}, expected {ET_EXEC} (EXEC, fixed addresses)", elf.kind),
            );
        }
        // The float ABI is the TA's own matter: those of NVIDIA's R32.7.2 image are marked hard float (0x05000400).
        if elf.flags & EF_ARM_EABI != EF_ARM_EABI5 {
            let what = format!("e_flags 0x{:08x}, expected EABI5 (0x05......)", elf.flags);
            self.add(Rule::Target, what);
        }
        for (index, segment) in elf.segments.iter().enumerate() {
            let kind = match segment.kind {
                PT_DYNAMIC => "PT_DYNAMIC",
                PT_INTERP => "PT_INTERP",
                PT_TLS => "PT_TLS",
                _ => continue,
            };
            let what = format!("{kind} needs a run-time linker, and Trusty has none");
            self.at(Rule::Static, &format!("segment {index}"), segment.offset.into(), what);
        }
    }

    fn entry(&mut self) {
        let entry = self.elf.entry;
        let inside = |s: &Segment| entry >= s.vaddr && u64::from(entry) < s.end() && s.flags & PF_X != 0;
        if !entry.is_multiple_of(4) {
            self.add(Rule::Entry, format!("entry 0x{entry:x} is no ARM address: expected a multiple of 4"));
        } else if !self.loads().any(|(_, s)| inside(s)) {
            self.add(Rule::Entry, format!("entry 0x{entry:x} lies in no executable segment"));
        }
    }

    fn segments(&mut self) {
        let first = self.loads().map(|(_, s)| s.vaddr).min();
        if first != Some(APP_START) {
            let found = first.map_or("there is none".into(), |v| format!("it is at 0x{v:x}"));
            self.add(Rule::SegmentPlace, format!("the first PT_LOAD belongs at 0x{APP_START:x}, {found}"));
        }
        let bss_end = self.elf.named(".bss").map(Section::end).max();
        let mut placed: Vec<&Segment> = Vec::new();
        for (index, segment) in self.loads() {
            let place = format!("segment {index}");
            let offset = u64::from(segment.offset);
            if !segment.vaddr.is_multiple_of(PAGE) || !segment.offset.is_multiple_of(PAGE) {
                let what = format!("address 0x{:x} and file offset must be multiples of 4096", segment.vaddr);
                self.at(Rule::SegmentAlignment, &place, offset, what);
            }
            let (file, memory) = (segment.file_size, segment.mem_size);
            if file != memory {
                let what = format!("0x{file:x} bytes in the file, 0x{memory:x} in memory: must be equal");
                self.at(Rule::SegmentSize, &place, offset, what);
            }
            let end = offset + u64::from(file);
            if end > self.elf.data.len() as u64 {
                let what = format!("ends at 0x{end:x}, behind the file's end");
                self.at(Rule::SegmentSize, &place, offset, what);
            }
            if bss_end.is_some_and(|end| u64::from(segment.vaddr) >= end) {
                let what = format!("address 0x{:x} lies behind .bss: the loader skips it", segment.vaddr);
                self.at(Rule::SegmentPlace, &place, offset, what);
            }
            let over = |o: &&&Segment| {
                let memory = overlap(segment.vaddr, segment.mem_size, o.vaddr, o.mem_size);
                memory || overlap(segment.offset, segment.file_size, o.offset, o.file_size)
            };
            if let Some(other) = placed.iter().find(over) {
                let what =
                    format!("shares a page, in memory or file, with the segment at 0x{:x}", other.vaddr);
                self.at(Rule::SegmentPlace, &place, offset, what);
            }
            placed.push(segment);
        }
    }

    /// The only section of this name; none or several are findings.
    fn section(&mut self, name: &'static str) -> Option<&'a Section<'a>> {
        let found: Vec<&Section> = self.elf.named(name).collect();
        match found.as_slice() {
            [one] => Some(one),
            [] => {
                self.add(Rule::Sections, format!("section {name} is missing"));
                None
            }
            many => {
                self.add(
                    Rule::Sections,
                    format!("section {name} exists {} times, expected once", many.len()),
                );
                None
            }
        }
    }

    /// Whether a section's file bytes are those that get mapped at its address.
    fn mapped(&self, section: &Section) -> bool {
        self.loads().any(|(_, s)| {
            section.addr >= s.vaddr
                && section.end() <= s.end()
                && section.offset.checked_sub(s.offset) == section.addr.checked_sub(s.vaddr)
        })
    }

    fn bss(&mut self) {
        let Some(bss) = self.section(".bss") else { return };
        let offset = u64::from(bss.offset);
        if bss.file_end() > self.elf.max_extent().min(self.elf.data.len() as u64) {
            let what = format!("its 0x{:x} bytes have no space in the file: must be PROGBITS", bss.size);
            self.at(Rule::Bss, ".bss", offset, what);
        } else if !self.mapped(bss) {
            let what = format!("the file offset does not belong to its address 0x{:x}", bss.addr);
            self.at(Rule::Bss, ".bss", offset, what);
        }
        let shared = |s: &&Section| {
            let over = u64::from(s.offset) < bss.file_end() && u64::from(bss.offset) < s.file_end();
            s.name != ".bss" && s.kind != 0 && s.kind != SHT_NOBITS && s.size > 0 && bss.size > 0 && over
        };
        if let Some(other) = self.elf.sections.iter().find(shared) {
            let what = format!("overlaps {}, which the loader would clear", other.name);
            self.at(Rule::Bss, ".bss", offset, what);
        }
    }

    fn bss_pad(&mut self) {
        let Some(pad) = self.section(".bss-pad") else { return };
        let offset = u64::from(pad.offset);
        if pad.kind != SHT_PROGBITS || pad.size == 0 {
            let what = format!("type {}, {} bytes: must be PROGBITS (1) and not empty", pad.kind, pad.size);
            self.at(Rule::BssPad, ".bss-pad", offset, what);
        }
        if !pad.file_end().is_multiple_of(PAGE.into()) {
            let what = format!("ends at file offset 0x{:x}, expected a multiple of 4096", pad.file_end());
            self.at(Rule::BssPad, ".bss-pad", offset, what);
        }
        let later = |s: &&Section| s.flags & SHF_ALLOC != 0 && s.size > 0 && s.end() > pad.end();
        if let Some(later) = self.elf.sections.iter().find(later) {
            let what = format!("must be the last allocated section, but {} ends behind it", later.name);
            self.at(Rule::BssPad, ".bss-pad", offset, what);
        }
        self.kept(pad.file_end());
        if pad.kind == SHT_PROGBITS && !self.mapped(pad) {
            let what = "must lie at the end of the data segment".into();
            self.at(Rule::BssPad, ".bss-pad", offset, what);
        }
    }

    /// The loader moves the next TA down to the end of `.bss-pad` in the file, and only then reads the program headers,
    /// maps whole pages of the segments and clears their last page's rest: all of that must lie before.
    fn kept(&mut self, end: u64) {
        let pages = |size: u32| u64::from(size).next_multiple_of(PAGE.into());
        let segments =
            self.loads().map(|(i, s)| (format!("segment {i}"), u64::from(s.offset) + pages(s.mem_size)));
        let manifests = self.elf.named(manifest::SECTION).map(|s| (s.name.to_owned(), s.file_end()));
        let headers = [("program headers".to_owned(), self.elf.program_headers_end)];
        let late: Vec<_> = segments.chain(manifests).chain(headers).filter(|(_, last)| *last > end).collect();
        for (place, last) in late {
            let what = format!(
                "ends at file offset 0x{last:x}, behind .bss-pad at 0x{end:x}: the next app goes there"
            );
            self.at(Rule::BssPad, &place, last, what);
        }
    }

    fn file_end(&mut self) {
        let expected = self.elf.max_extent().next_multiple_of(4);
        let headers = u64::from(self.elf.section_headers);
        if headers != expected {
            let what =
                format!("section headers start here, expected right behind the sections at 0x{expected:x}");
            self.findings.push(Finding { rule: Rule::HeadersLast, place: None, offset: Some(headers), what });
        }
        let (end, length) = (self.elf.headers_end(), self.elf.data.len() as u64);
        if end != length {
            let what =
                format!("the section headers end here, the file at 0x{length:x}: the next app is not found");
            self.findings.push(Finding { rule: Rule::FileEnd, place: None, offset: Some(end), what });
        }
    }

    fn manifest(&mut self) -> Option<TrustedApp> {
        let section = self.section(manifest::SECTION)?;
        let offset = u64::from(section.offset);
        let bytes = crate::bytes::slice(self.elf.data, section.offset, section.size);
        let Some(bytes) = bytes.filter(|_| section.kind != SHT_NOBITS) else {
            self.at(Rule::Manifest, manifest::SECTION, offset, "does not lie within the file".into());
            return None;
        };
        let manifest = match Manifest::parse(bytes) {
            Ok(manifest) => manifest,
            Err(error) => {
                self.at(Rule::Manifest, manifest::SECTION, offset, error.to_string());
                return None;
            }
        };
        if manifest.uuid.is_nil() {
            self.at(Rule::Manifest, manifest::SECTION, offset, "the UUID is nil".into());
        }
        let pages = |s: &Segment| s.end().next_multiple_of(PAGE.into());
        let heap_start = self.loads().map(|(_, s)| pages(s)).max().unwrap_or_default();
        let image: u64 = self.loads().map(|(_, s)| u64::from(s.mem_size).next_multiple_of(PAGE.into())).sum();
        let (heap, stack) = (u64::from(manifest.heap()), u64::from(manifest.stack()));
        if heap_start + heap + stack > APP_STACK_TOP.into() {
            let what = format!(
                "image up to 0x{heap_start:x}, heap 0x{heap:x} and stack 0x{stack:x} do not fit below 0x{APP_STACK_TOP:x}"
            );
            self.add(Rule::AddressSpace, what);
            return None;
        }
        let start = section.offset as usize;
        Some(TrustedApp {
            manifest,
            manifest_range: start..start + bytes.len(),
            entry: self.elf.entry,
            segments: self.loads().map(|(_, s)| s.clone()).collect(),
            image_size: image as u32,
            heap_start: heap_start as u32,
        })
    }
}

/// Whether two ranges share a page.
fn overlap(a: u32, a_size: u32, b: u32, b_size: u32) -> bool {
    let end = |start: u32, size: u32| (u64::from(start) + u64::from(size)).next_multiple_of(PAGE.into());
    u64::from(a) < end(b, b_size) && u64::from(b) < end(a, a_size)
}

#[cfg(test)]
mod loader;
#[cfg(test)]
mod tests;
