//! Names of functions, as far as an ELF file has them.

use object::{Object, ObjectSection, ObjectSymbol, SymbolKind};
use std::collections::BTreeMap;
use trusty_abi::text::Shown;

/// Symbols of a file, at most: the kernel has some thousands.
const MAX_SYMBOLS: usize = 1 << 17;
/// Bytes of a symbol's name in the file, at most. Names may lie within each other, so that a small file has many long ones.
const MAX_NAME: usize = 4096;
/// Bytes of all names, at most, as they are shown: a few bytes of a mangled name may stand for a MiB.
const MAX_NAMES: usize = 32 << 20;

/// Addresses with their names.
#[derive(Clone, Debug, Default)]
pub struct Symbols(BTreeMap<u64, (u64, String)>);

impl Symbols {
    /// Reads the symbol table of a 32-bit or 64-bit file; a file without one has no names.
    pub fn read(elf: &[u8]) -> Self {
        let Ok(file) = object::File::parse(elf) else { return Self::default() };
        let mut symbols = BTreeMap::new();
        let mut held = 0;
        for symbol in file.symbols().filter(ObjectSymbol::is_definition).take(MAX_SYMBOLS) {
            // `$a`, `$d`, `$t`, `$x`: where code and data of ARM begin.
            let name = symbol
                .name()
                .ok()
                .filter(|name| !name.is_empty() && name.len() <= MAX_NAME && !name.starts_with('$'));
            let Some(name) =
                name.map(|name| Shown(format!("{:#}", rustc_demangle::demangle(name))).to_string())
            else {
                continue;
            };
            held += name.len();
            if held > MAX_NAMES {
                break;
            }
            let address = symbol.address() & !1;
            symbols.insert(address, (extent(&file, &symbol, address), name));
        }
        Self(symbols)
    }

    /// Names of functions at addresses, with their sizes.
    #[cfg(test)]
    pub(crate) fn of(functions: &[(u64, u64, &str)]) -> Self {
        Self(functions.iter().map(|(start, size, name)| (*start, (*size, (*name).to_owned()))).collect())
    }

    /// Where the symbol of a name is.
    pub fn address(&self, name: &str) -> Option<u64> {
        self.0.iter().find(|(_, (_, known))| known == name).map(|(address, _)| *address)
    }

    /// Where the function of an address begins.
    pub fn start(&self, address: u64) -> Option<u64> {
        let (start, (size, _)) = self.0.range(..=address).next_back()?;
        (address - start < *size).then_some(*start)
    }

    /// The name of the function of an address.
    pub fn name(&self, address: u64) -> Option<&str> {
        let (start, (size, name)) = self.0.range(..=address).next_back()?;
        (address - start < *size).then_some(name)
    }

    /// ` (name + 0x10)` of an address, or nothing.
    pub fn at(&self, address: u64) -> String {
        match self.0.range(..=address).next_back() {
            Some((start, (size, name))) if address - start < *size => {
                format!(" ({name} + 0x{:x})", address - start)
            }
            _ => String::new(),
        }
    }
}

/// Bytes that a symbol may name, if no other comes before.
///
/// Assembly mostly says no size: such code goes on to the next symbol, and not beyond its section.
fn extent<'a>(file: &object::File<'a>, symbol: &impl ObjectSymbol<'a>, address: u64) -> u64 {
    let section = || file.section_by_index(symbol.section_index()?).ok();
    let size = match (symbol.size(), symbol.kind()) {
        (0, SymbolKind::Text) => {
            section().map_or(0, |s| s.address().saturating_add(s.size()).saturating_sub(address))
        }
        (size, _) => size,
    };
    size.max(4)
}

#[cfg(test)]
mod tests;
