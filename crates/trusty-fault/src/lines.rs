//! Files and lines of addresses, out of DWARF.

use addr2line::gimli::{self, Dwarf, EndianSlice, LittleEndian, Section as _, SectionId};
use addr2line::{Context, LookupResult};
use object::{Object, ObjectSection};
use std::fmt;
use trusty_abi::text::Shown;

type Reader<'a> = EndianSlice<'a, LittleEndian>;

/// Longest list of functions that were inlined into each other.
const INLINED: usize = 32;

/// How deep entries of DWARF lie within each other, at most: the reader calls itself for each function that is inlined into another.
const MAX_DEPTH: isize = 256;
/// Entries of DWARF, at most. A TA of ours has some thousands.
const MAX_ENTRIES: usize = 1 << 20;
/// Address ranges that all entries together may name, at most, if each names all that there are: any number of entries may name one list.
const MAX_RANGES: usize = 1 << 27;

/// A place in sources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The function.
    pub function: String,
    /// The file, as the compiler was told it; the standard library's without the compiler's own folder.
    pub file: String,
    /// The line, if it is known.
    pub line: Option<u32>,
}

impl Place {
    /// Whether the file is the trusted app's own or its workspace's: not Rust's, not another package's, not the run-time's, not NVIDIA's.
    pub fn is_own(&self) -> bool {
        Self::is_own_file(&self.file)
    }

    /// The same, of a file.
    pub(crate) fn is_own_file(file: &str) -> bool {
        const LIBRARIES: [&str; 9] = [
            "library/",
            "/rust/",
            "/rustc/",
            "/checkout/",
            "/cargo/",
            "crates/trusty-",
            "crates/tipc-bulk/",
            // NVIDIA's sources, around a trusted app in C.
            "lk/",
            "lib/lib/",
        ];
        let contained =
            ["/crates/trusty-", "/crates/tipc-bulk/", "/.cargo/", "/cargo/registry/", "/cargo/git/"];
        !LIBRARIES.iter().any(|folder| file.starts_with(folder))
            && !contained.iter().any(|folder| file.contains(folder))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { function, file, line } = self;
        match line {
            Some(line) => write!(f, "{file}:{line} in {function}"),
            None => write!(f, "{file} in {function}"),
        }
    }
}

/// A file's DWARF.
pub struct Lines<'a>(Context<Reader<'a>>);

impl<'a> Lines<'a> {
    /// Of an ELF file; none if it has no DWARF, or none that can be read.
    pub fn read(elf: &'a [u8]) -> Option<Self> {
        let file = object::File::parse(elf).ok()?;
        file.section_by_name(".debug_line")?;
        let section = |id: SectionId| {
            let section = file.section_by_name(id.name());
            let bytes = section.and_then(|section| section.data().ok()).unwrap_or_default();
            Ok::<_, addr2line::gimli::Error>(EndianSlice::new(bytes, LittleEndian))
        };
        let dwarf = Dwarf::load(section).ok()?;
        if !is_bounded(&dwarf) {
            return None;
        }
        Context::from_dwarf(dwarf).ok().map(Self)
    }

    /// Where an instruction comes from: the innermost of inlined functions first.
    pub fn at(&self, address: u64) -> Vec<Place> {
        let mut lookup = self.0.find_frames(address);
        // Line tables of this crate's builds are never split; what asks for another file is answered with none.
        let found = loop {
            match lookup {
                LookupResult::Output(found) => break found,
                LookupResult::Load { continuation, .. } => {
                    lookup = addr2line::LookupContinuation::resume(continuation, None);
                }
            }
        };
        let mut places = Vec::new();
        let Ok(mut frames) = found else { return places };
        while let Ok(Some(frame)) = frames.next() {
            let name = frame.function.as_ref().and_then(|function| function.raw_name().ok());
            let Some((name, location)) = name.zip(frame.location) else { continue };
            let Some(file) = location.file else { continue };
            let function = Shown(format!("{:#}", rustc_demangle::demangle(&name))).to_string();
            places.push(Place {
                function,
                file: shortened(file),
                line: location.line.filter(|line| *line > 0),
            });
            if places.len() == INLINED {
                break;
            }
        }
        places
    }
}

/// Whether DWARF can be read in a bounded time and with a bounded stack.
fn is_bounded(dwarf: &Dwarf<Reader>) -> bool {
    within_limits(dwarf).unwrap_or(false)
}

fn within_limits(dwarf: &Dwarf<Reader>) -> gimli::Result<bool> {
    let bytes = |section: &Reader| section.len();
    // The shortest entry of a list of ranges takes two bytes.
    let ranges =
        dwarf.ranges.debug_ranges().reader().len() / 8 + bytes(dwarf.ranges.debug_rnglists().reader()) / 2;
    let (mut entries, mut ranged) = (0, 0);
    let mut units = dwarf.units();
    while let Some(header) = units.next()? {
        let abbreviations = dwarf.abbreviations(&header)?;
        let mut raw = header.entries_raw(&abbreviations, None)?;
        while !raw.is_empty() {
            let Some(abbreviation) = raw.read_abbreviation()? else { continue };
            raw.skip_attributes(abbreviation.attributes())?;
            entries += 1;
            ranged += usize::from(abbreviation.attributes().iter().any(|a| a.name() == gimli::DW_AT_ranges));
            let work = ranges.saturating_mul(ranged);
            if raw.next_depth() > MAX_DEPTH || entries > MAX_ENTRIES || work > MAX_RANGES {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// `/rustc/COMMIT/library/core/src/…` without the commit, `./src/main.rs` without the dot.
pub(crate) fn shortened(file: &str) -> String {
    let inside = file.strip_prefix("/rustc/").and_then(|rest| rest.split_once('/')).map(|(_, rest)| rest);
    let file = inside.unwrap_or(file);
    Shown(file.strip_prefix("./").unwrap_or(file)).to_string()
}

#[cfg(test)]
mod tests;
