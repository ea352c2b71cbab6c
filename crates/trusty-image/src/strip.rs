//! An ELF file without its debug information: what ships, of what was linked.
//!
//! Byte for byte what `ld.lld --strip-debug` links: whoever builds with that flag has the same file. What is loaded stays where it is.

use crate::bytes::{slice, u16_at, u32_at};
use crate::elf::{EHDR_SIZE, Elf, ElfError, SHF_ALLOC};

/// Bytes of a section header, and of a symbol.
const SHDR_SIZE: usize = 40;
/// See [`SHDR_SIZE`].
const SYMBOL_SIZE: usize = 16;
/// `sh_type` of a symbol table.
const SYMTAB: u32 = 2;
/// Words of a section header.
const NAME: usize = 0;
const KIND: usize = 1;
const OFFSET: usize = 4;
const SIZE: usize = 5;
const LINK: usize = 6;
const INFO: usize = 7;
const ALIGN: usize = 8;
/// Section numbers from here on mean something else (`SHN_LORESERVE`).
const RESERVED: u16 = 0xff00;

/// Whether a section is debug information.
fn is_debug(name: &str, flags: u32) -> bool {
    flags & SHF_ALLOC == 0 && (name.starts_with(".debug_") || name.starts_with(".zdebug_"))
}

/// Takes debug information out of a file. One without any comes back as it is.
pub fn strip_debug(file: &[u8]) -> Result<Vec<u8>, ElfError> {
    let elf = Elf::parse(file)?;
    if !elf.sections.iter().any(|section| is_debug(section.name, section.flags)) {
        return Ok(file.to_vec());
    }
    Stripper::new(&elf).map(|stripper| stripper.write(&elf)).ok_or(ElfError::Table {
        table: "section",
        offset: elf.section_headers,
        count: elf.section_count,
        file: file.len(),
    })
}

struct Stripper {
    /// Headers of the sections that stay, the null one first.
    headers: Vec<[u32; SHDR_SIZE / 4]>,
    /// What they hold, if it moves.
    contents: Vec<Option<Vec<u8>>>,
    /// The new number of each old section; none of one that goes.
    numbers: Vec<Option<u16>>,
    /// Where what is loaded ends in the file.
    loaded: usize,
    /// The new number of the section with the names.
    names: u16,
}

impl Stripper {
    fn new(elf: &Elf) -> Option<Self> {
        let (mut headers, mut contents, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
        let mut loaded = elf.program_headers_end as usize;
        // Sections of a linked file share no bytes: all together are no more than the file.
        let mut room = elf.data.len();
        for (index, section) in elf.sections.iter().enumerate() {
            if is_debug(section.name, section.flags) {
                numbers.push(None);
                continue;
            }
            numbers.push(Some(u16::try_from(headers.len()).ok()?));
            let at = elf.section_headers as usize + index * SHDR_SIZE;
            let word = |word: usize| u32_at(elf.data, at + 4 * word);
            let mut header = [0; SHDR_SIZE / 4];
            for (index, to) in header.iter_mut().enumerate() {
                *to = word(index)?;
            }
            headers.push(header);
            let stays = index == 0 || section.flags & SHF_ALLOC != 0;
            if stays {
                loaded = loaded.max(section.file_end() as usize);
            }
            let content = slice(elf.data, section.offset, section.size);
            contents.push(match content {
                _ if stays => None,
                content => {
                    let content = content?;
                    room = room.checked_sub(content.len())?;
                    Some(content.to_vec())
                }
            });
        }
        let names = *numbers.get(usize::from(u16_at(elf.data, 50)?))?;
        Some(Self { headers, contents, numbers, loaded, names: names? })
    }

    fn write(mut self, elf: &Elf) -> Vec<u8> {
        let number = |old: u32| {
            let new = usize::try_from(old).ok().and_then(|old| self.numbers.get(old).copied().flatten());
            new.unwrap_or_default()
        };
        let mut names = vec![0];
        let kept = elf.sections.iter().filter(|section| !is_debug(section.name, section.flags));
        for ((header, content), section) in self.headers.iter_mut().zip(&mut self.contents).zip(kept).skip(1)
        {
            header[NAME] = names.len() as u32;
            names.extend(section.name.bytes().chain([0]));
            header[LINK] = number(header[LINK]).into();
            if let Some(table) = content.as_mut().filter(|_| header[KIND] == SYMTAB) {
                (*table, header[INFO]) = symbols(table, header[INFO], &self.numbers);
            }
        }
        if let Some(content) = self.contents.get_mut(usize::from(self.names)) {
            *content = Some(names);
        }
        let mut out = elf.data.get(..self.loaded).unwrap_or_default().to_vec();
        for (header, content) in self.headers.iter_mut().zip(&self.contents) {
            let Some(content) = content else { continue };
            out.resize(out.len().next_multiple_of(header[ALIGN].clamp(1, 4096) as usize), 0);
            (header[OFFSET], header[SIZE]) = (out.len() as u32, content.len() as u32);
            out.extend(content);
        }
        out.resize(out.len().next_multiple_of(4), 0);
        let table = out.len() as u32;
        out.extend(self.headers.iter().flatten().flat_map(|word| word.to_le_bytes()));
        let mut put = |at: usize, bytes: &[u8]| {
            if let Some(to) = out.get_mut(at..at + bytes.len()).filter(|_| at + bytes.len() <= EHDR_SIZE) {
                to.copy_from_slice(bytes);
            }
        };
        put(32, &table.to_le_bytes());
        put(48, &(self.headers.len() as u16).to_le_bytes());
        put(50, &self.names.to_le_bytes());
        out
    }
}

/// The symbols of sections that stay, and how many of them are local ones.
fn symbols(table: &[u8], locals: u32, numbers: &[Option<u16>]) -> (Vec<u8>, u32) {
    let (mut out, mut left) = (Vec::with_capacity(table.len()), locals);
    for (index, symbol) in table.chunks_exact(SYMBOL_SIZE).enumerate() {
        let section = u16_at(symbol, 14).unwrap_or_default();
        let new = match numbers.get(usize::from(section)) {
            _ if section >= RESERVED => Some(section),
            Some(new) => *new,
            None => Some(section),
        };
        match new {
            Some(new) => out.extend(symbol.iter().take(14).copied().chain(new.to_le_bytes())),
            None if (index as u32) < locals => left -= 1,
            None => {}
        }
    }
    (out, left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_elf::TestElf;

    /// A file of the tests with sections behind what it has: names of debug sections, a symbol table with one symbol in each, strings.
    fn with_debug(debug: &[&str]) -> Vec<u8> {
        let mut file = TestElf::good().build();
        let elf = Elf::parse(&file).unwrap();
        let (at, count) = (elf.section_headers as usize, usize::from(elf.section_count));
        let old: Vec<u8> = file[at..at + count * SHDR_SIZE].to_vec();
        let old_names: Vec<String> = elf.sections.iter().map(|section| section.name.to_owned()).collect();
        file.truncate(at);
        let first = count as u32;
        let mut symbols = vec![0; SYMBOL_SIZE];
        let mut sections: Vec<(&str, u32, Vec<u8>, u32, u32)> = Vec::new();
        for (index, name) in debug.iter().enumerate() {
            sections.push((name, 1, vec![7; 33], 0, 0));
            symbols.extend(
                [[1, 0, 0, 0].as_slice(), &[0; 8], &[0, 0], &(first as u16 + index as u16).to_le_bytes()]
                    .concat(),
            );
        }
        symbols.extend([[3, 0, 0, 0].as_slice(), &[0, 128, 0, 0, 4, 0, 0, 0], &[2, 0], &[1, 0]].concat());
        let (link, locals) = (first + debug.len() as u32 + 1, 1 + debug.len() as u32);
        sections.push((".symtab", SYMTAB, symbols, link, locals));
        sections.push((".strtab", 3, b"\0a\0main\0".to_vec(), 0, 0));
        let mut names = vec![0u8];
        let mut name = |text: &str| {
            let at = names.len() as u32;
            names.extend(text.bytes().chain([0]));
            at
        };
        let mut headers: Vec<u8> = Vec::new();
        for (header, text) in old.chunks_exact(SHDR_SIZE).zip(&old_names) {
            headers.extend(name(text).to_le_bytes());
            headers.extend(&header[4..]);
        }
        for (text, kind, content, link, info) in &sections {
            let words =
                [name(text), *kind, 0, 0, file.len() as u32, content.len() as u32, *link, *info, 1, 0];
            headers.extend(words.iter().flat_map(|word| word.to_le_bytes()));
            file.extend(content);
        }
        let words = [name(".shstrtab"), 3, 0, 0, file.len() as u32, 0, 0, 0, 1, 0];
        headers.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        let size = names.len() as u32;
        let end = headers.len();
        headers[end - 20..end - 16].copy_from_slice(&size.to_le_bytes());
        file.extend(&names);
        let (table, count) = (file.len() as u32, (headers.len() / SHDR_SIZE) as u16);
        file.extend(&headers);
        file[32..36].copy_from_slice(&table.to_le_bytes());
        file[48..50].copy_from_slice(&count.to_le_bytes());
        file[50..52].copy_from_slice(&(count - 1).to_le_bytes());
        file
    }

    #[test]
    fn debug_sections_go_and_all_else_stays() {
        let full = with_debug(&[".debug_line", ".debug_frame"]);
        let stripped = strip_debug(&full).unwrap();
        let (before, after) = (Elf::parse(&full).unwrap(), Elf::parse(&stripped).unwrap());
        assert_eq!(before.segments, after.segments);
        for section in after.sections.iter().filter(|section| section.flags & SHF_ALLOC != 0) {
            assert!(before.sections.contains(section), "{}", section.name);
        }
        assert!(!after.sections.iter().any(|section| section.name.starts_with(".debug")));
        assert_eq!(after.sections.len() + 2, before.sections.len());
        assert_eq!(after.headers_end(), stripped.len() as u64, "the loader's idea of its size");
        // Of three symbols the one in .text is left, and the null one in front.
        let symtab = after.named(".symtab").next().unwrap();
        assert_eq!(symtab.size as usize, 2 * SYMBOL_SIZE);
        let symbol = &stripped[symtab.offset as usize + SYMBOL_SIZE..][..SYMBOL_SIZE];
        assert_eq!((u32_at(symbol, 0), u16_at(symbol, 14)), (Some(3), Some(1)));
        crate::inspect(&stripped).unwrap();
    }

    /// The same bytes, whatever was taken out.
    #[test]
    fn what_is_left_does_not_depend_on_what_goes() {
        let one = strip_debug(&with_debug(&[".debug_line"])).unwrap();
        assert_eq!(strip_debug(&with_debug(&[".debug_str", ".debug_line", ".zdebug_info"])).unwrap(), one);
        assert_eq!(strip_debug(&one).unwrap(), one);
    }

    #[test]
    fn what_is_broken_is_refused() {
        assert!(strip_debug(b"\x7fELF").is_err());
        let full = with_debug(&[".debug_line"]);
        let mut broken = full.clone();
        let elf = Elf::parse(&full).unwrap();
        // The symbol table lies beyond the file.
        let index = elf.sections.iter().position(|section| section.name == ".symtab").unwrap();
        let at = elf.section_headers as usize + index * SHDR_SIZE + 4 * OFFSET;
        broken[at..at + 4].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(strip_debug(&broken).is_err());
        for end in (0..full.len()).step_by(97) {
            let _ = strip_debug(&full[..end]);
        }
    }
}
