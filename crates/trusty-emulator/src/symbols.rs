//! Names of a trusted app's functions, as far as its ELF file has them.

use object::{Object, ObjectSymbol};
use std::collections::BTreeMap;

/// Addresses with their names.
#[derive(Default)]
pub struct Symbols(BTreeMap<u32, (u32, String)>);

impl Symbols {
    /// Reads a symbol table; a file without one has no names.
    pub fn read(elf: &[u8]) -> Self {
        let Ok(file) = object::File::parse(elf) else { return Self::default() };
        let symbols = file.symbols().filter(ObjectSymbol::is_definition).filter_map(|symbol| {
            let name = symbol.name().ok().filter(|name| !name.is_empty() && !name.starts_with('$'))?;
            let name = format!("{:#}", rustc_demangle::demangle(name));
            let address = u32::try_from(symbol.address()).ok()? & !1;
            Some((address, (u32::try_from(symbol.size()).ok()?, name)))
        });
        Self(symbols.collect())
    }

    /// ` (name + offset)` of an address, or nothing.
    pub fn at(&self, address: u32) -> String {
        match self.0.range(..=address).next_back() {
            Some((start, (size, name))) if address - start < (*size).max(4) => {
                format!(" ({name} + 0x{:x})", address - start)
            }
            _ => String::new(),
        }
    }
}
