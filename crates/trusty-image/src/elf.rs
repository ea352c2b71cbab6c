//! The part of ELF32 that Trusty's loader reads: header, program headers, section headers and their names.

use crate::bytes::{slice, u16_at, u32_at};

/// Section holds bytes of the file.
pub const SHT_PROGBITS: u32 = 1;
/// Section takes no space in the file.
pub const SHT_NOBITS: u32 = 8;
/// Section occupies memory when loaded.
pub const SHF_ALLOC: u32 = 2;
/// Segment is loaded.
pub const PT_LOAD: u32 = 1;
/// How a file begins.
pub const MAGIC: &[u8] = b"\x7fELF";
/// Bytes of the file header.
pub const EHDR_SIZE: usize = 52;
const PHDR_SIZE: usize = 32;
const SHDR_SIZE: usize = 40;

/// Section headers of a file, at most. A linked TA has some twenty, one with DWARF some thirty. What is checked for each pair of sections
/// stays quick.
pub const MAX_SECTIONS: u16 = 1024;
/// Program headers of a file, at most. A TA has two to four: each is compared with all others.
pub const MAX_SEGMENTS: u16 = 256;
/// Bytes of a section's name, at most. The longest that is known has 30; each is looked for in a table as long as the file.
pub const MAX_NAME: usize = 256;

/// Why a file cannot be read as ELF32 at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ElfError {
    /// Shorter than an ELF header.
    #[error("{0} bytes are too few for an ELF32 header (52)")]
    TooShort(usize),
    /// Not `\x7fELF`.
    #[error("offset 0x0: no ELF magic")]
    Magic,
    /// Not a 32-bit little-endian file.
    #[error("offset 0x4: class {class}, data encoding {data}: expected 1 and 1, a 32-bit little-endian file")]
    Class {
        /// `EI_CLASS`.
        class: u8,
        /// `EI_DATA`.
        data: u8,
    },
    /// A header table does not lie within the file.
    #[error("the {table} headers ({count} at offset 0x{offset:x}) do not lie within the file's {file} bytes")]
    Table {
        /// `program` or `section`.
        table: &'static str,
        /// Where the table starts.
        offset: u32,
        /// How many entries it has.
        count: u16,
        /// Length of the file.
        file: usize,
    },
    /// Table entries have another size than ELF32's.
    #[error("the {table} headers have {found} bytes each, expected {expected}")]
    EntrySize {
        /// `program` or `section`.
        table: &'static str,
        /// Size in the file.
        found: u16,
        /// Size that ELF32 has.
        expected: usize,
    },
    /// More table entries than a linked program has.
    #[error("{count} {table} headers: at most {most} are read")]
    TooMany {
        /// `program` or `section`.
        table: &'static str,
        /// How many.
        count: u16,
        /// How many are read.
        most: u16,
    },
    /// A section's name cannot be read.
    #[error(
        "section {0}: its name does not lie within the section name table, or has more than {MAX_NAME} bytes"
    )]
    Name(usize),
}

/// A section header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section<'a> {
    /// Its name.
    pub name: &'a str,
    /// `sh_type`.
    pub kind: u32,
    /// `sh_flags`.
    pub flags: u32,
    /// Address when loaded.
    pub addr: u32,
    /// Offset in the file.
    pub offset: u32,
    /// Size in bytes.
    pub size: u32,
}

impl Section<'_> {
    /// End in the file, wide enough not to overflow.
    pub fn file_end(&self) -> u64 {
        u64::from(self.offset) + u64::from(self.size)
    }

    /// End in memory.
    pub fn end(&self) -> u64 {
        u64::from(self.addr) + u64::from(self.size)
    }
}

/// A program header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// `p_type`.
    pub kind: u32,
    /// Offset in the file.
    pub offset: u32,
    /// Address when loaded.
    pub vaddr: u32,
    /// Bytes in the file.
    pub file_size: u32,
    /// Bytes in memory.
    pub mem_size: u32,
    /// `p_flags`: 1 execute, 2 write, 4 read.
    pub flags: u32,
}

impl Segment {
    /// End in memory.
    pub fn end(&self) -> u64 {
        u64::from(self.vaddr) + u64::from(self.mem_size)
    }
}

/// A parsed ELF32 file.
#[derive(Clone, Debug)]
pub struct Elf<'a> {
    /// The whole file.
    pub data: &'a [u8],
    /// `e_type`.
    pub kind: u16,
    /// `e_machine`.
    pub machine: u16,
    /// `e_entry`.
    pub entry: u32,
    /// `e_shoff`.
    pub section_headers: u32,
    /// `e_flags`.
    pub flags: u32,
    /// Where the program headers end in the file.
    pub program_headers_end: u64,
    /// Number of section headers, the null one included.
    pub section_count: u16,
    /// All sections, the null one included.
    pub sections: Vec<Section<'a>>,
    /// All segments.
    pub segments: Vec<Segment>,
}

impl<'a> Elf<'a> {
    /// Reads the headers. Every offset is checked against the file's length.
    pub fn parse(data: &'a [u8]) -> Result<Self, ElfError> {
        let short = || ElfError::TooShort(data.len());
        let header = data.get(..EHDR_SIZE).ok_or_else(short)?;
        if !header.starts_with(MAGIC) {
            return Err(ElfError::Magic);
        }
        let byte = |at: usize| header.get(at).copied().unwrap_or_default();
        if (byte(4), byte(5)) != (1, 1) {
            return Err(ElfError::Class { class: byte(4), data: byte(5) });
        }
        let half = |at| u16_at(header, at).ok_or_else(short);
        let word = |at| u32_at(header, at).ok_or_else(short);
        for (table, count, most) in
            [("program", half(44)?, MAX_SEGMENTS), ("section", half(48)?, MAX_SECTIONS)]
        {
            if count > most {
                return Err(ElfError::TooMany { table, count, most });
            }
        }
        let segments =
            table(data, "program", word(28)?, half(42)?, half(44)?, PHDR_SIZE)?.map(segment).collect();
        let section_count = half(48)?;
        let rows = table(data, "section", word(32)?, half(46)?, section_count, SHDR_SIZE)?;
        let mut sections: Vec<(u32, Section)> = rows.map(section).collect();
        let names = sections.get(usize::from(half(50)?)).map(|(_, s)| (s.offset, s.size));
        let names = names.and_then(|(offset, size)| slice(data, offset, size)).unwrap_or_default();
        for (index, (name, section)) in sections.iter_mut().enumerate().skip(1) {
            section.name = name_at(names, *name).ok_or(ElfError::Name(index))?;
        }
        Ok(Self {
            data,
            kind: half(16)?,
            machine: half(18)?,
            entry: word(24)?,
            section_headers: word(32)?,
            flags: word(36)?,
            program_headers_end: u64::from(word(28)?) + u64::from(half(44)?) * PHDR_SIZE as u64,
            section_count,
            sections: sections.into_iter().map(|(_, section)| section).collect(),
            segments,
        })
    }

    /// All sections of this name that the loader sees: it skips null ones.
    pub fn named<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Section<'a>> {
        self.sections.iter().filter(move |s| s.kind != 0 && s.name == name)
    }

    /// Where the section headers end: the size of the file that the loader computes.
    pub fn headers_end(&self) -> u64 {
        u64::from(self.section_headers) + u64::from(self.section_count) * SHDR_SIZE as u64
    }

    /// The largest end in the file of a section with file space, as the loader computes it.
    pub fn max_extent(&self) -> u64 {
        let sections = self.sections.iter().filter(|s| s.kind != 0 && s.kind != SHT_NOBITS);
        sections.map(Section::file_end).max().unwrap_or_default()
    }
}

fn table<'a>(
    data: &'a [u8],
    table: &'static str,
    offset: u32,
    found: u16,
    count: u16,
    expected: usize,
) -> Result<impl Iterator<Item = &'a [u8]>, ElfError> {
    if count > 0 && usize::from(found) != expected {
        return Err(ElfError::EntrySize { table, found, expected });
    }
    let length = u32::from(count) * expected as u32;
    let rows =
        slice(data, offset, length).ok_or(ElfError::Table { table, offset, count, file: data.len() })?;
    Ok(rows.chunks_exact(expected))
}

fn segment(row: &[u8]) -> Segment {
    let word = |index: usize| u32_at(row, index * 4).unwrap_or_default();
    Segment {
        kind: word(0),
        offset: word(1),
        vaddr: word(2),
        file_size: word(4),
        mem_size: word(5),
        flags: word(6),
    }
}

fn section(row: &[u8]) -> (u32, Section<'_>) {
    let word = |index: usize| u32_at(row, index * 4).unwrap_or_default();
    let section =
        Section { name: "", kind: word(1), flags: word(2), addr: word(3), offset: word(4), size: word(5) };
    (word(0), section)
}

fn name_at(names: &[u8], offset: u32) -> Option<&str> {
    let rest = names.get(offset as usize..)?;
    let end = rest.iter().take(MAX_NAME + 1).position(|b| *b == 0)?;
    core::str::from_utf8(rest.get(..end)?).ok()
}
