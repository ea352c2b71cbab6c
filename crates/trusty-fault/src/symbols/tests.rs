//! Names out of ELF files made here: of either class, with nothing but a text section and symbols.

use super::Symbols;

/// `st_type`.
const NOTYPE: u8 = 0;
const OBJECT: u8 = 1;
const FUNC: u8 = 2;

/// Sections: null, .text, .symtab, .strtab.
const TEXT: u16 = 1;
/// `sh_type`.
const SYMTAB: u32 = 2;
const STRTAB: u32 = 3;
const NOBITS: u32 = 8;

/// A name, its address, size and type.
type Symbol<'a> = (&'a str, u64, u64, u8);

/// Bytes of a file of 32 or 64 bits.
struct Writer {
    wide: bool,
    bytes: Vec<u8>,
}

impl Writer {
    fn half(&mut self, value: u16) {
        self.bytes.extend(value.to_le_bytes());
    }

    fn word(&mut self, value: u32) {
        self.bytes.extend(value.to_le_bytes());
    }

    /// As wide as an address.
    fn long(&mut self, value: u64) {
        let bytes = value.to_le_bytes();
        self.bytes.extend(&bytes[..if self.wide { 8 } else { 4 }]);
    }

    fn symbol(&mut self, name: u32, (_, address, size, kind): Symbol) {
        let section = if address == 0 { 0 } else { TEXT };
        self.word(name);
        if !self.wide {
            self.long(address);
            self.long(size);
        }
        self.bytes.extend([kind, 0]);
        self.half(section);
        if self.wide {
            self.long(address);
            self.long(size);
        }
    }

    fn section(&mut self, kind: u32, address: u64, offset: u64, size: u64, entry: u64) {
        self.word(0);
        self.word(kind);
        [2, address, offset, size].into_iter().for_each(|value| self.long(value));
        // Its names are in section 3; no symbol is local but the null one.
        let (link, info) = if kind == SYMTAB { (3, 1) } else { (0, 0) };
        self.word(link);
        self.word(info);
        [4, entry].into_iter().for_each(|value| self.long(value));
    }
}

fn elf(wide: bool, text: (u64, u64), symbols: &[Symbol]) -> Vec<u8> {
    let (class, machine, header, row, entry) = if wide { (2, 183, 64, 64, 24) } else { (1, 40, 52, 40, 16) };
    let mut names = vec![0];
    let mut file = Writer { wide, bytes: Vec::new() };
    file.bytes.extend([0x7f, b'E', b'L', b'F', class, 1, 1, 0]);
    file.bytes.resize(16, 0);
    let table = (symbols.len() as u64 + 1) * entry;
    let length: usize = 1 + symbols.iter().map(|symbol| symbol.0.len() + 1).sum::<usize>();
    let (symbols_at, names_at) = (u64::from(header), u64::from(header) + table);
    file.half(2);
    file.half(machine);
    file.word(1);
    [text.0, 0, names_at + length as u64].into_iter().for_each(|value| file.long(value));
    file.word(0);
    [header, 0, 0, row, 4, 3].into_iter().for_each(|value| file.half(value));
    file.symbol(0, ("", 0, 0, 0));
    for symbol in symbols {
        file.symbol(names.len() as u32, *symbol);
        names.extend(symbol.0.as_bytes());
        names.push(0);
    }
    assert_eq!((file.bytes.len() as u64, names.len()), (names_at, length));
    file.bytes.extend(&names);
    file.section(0, 0, 0, 0, 0);
    file.section(NOBITS, text.0, 0, text.1, 0);
    file.section(SYMTAB, 0, symbols_at, table, entry);
    file.section(STRTAB, 0, names_at, length as u64, 0);
    file.bytes
}

/// What each of some addresses is called.
fn check(symbols: &Symbols, expected: &[(u64, &str)]) {
    for (address, name) in expected {
        assert_eq!(symbols.at(*address), *name, "0x{address:x}");
    }
}

#[test]
fn a_trusted_apps_functions_have_names() {
    let file = elf(
        false,
        (0x8000, 0x1000),
        &[
            ("_ZN8echo_srv7Service10on_message17h0123456789abcdefE", 0x8000, 0x20, FUNC),
            ("$a", 0x8004, 0, NOTYPE),
            ("$d.7", 0x8018, 0, NOTYPE),
            // Thumb code.
            ("thumb", 0x8041, 0x10, FUNC),
            ("table", 0x8060, 2, OBJECT),
            ("elsewhere", 0, 0x100, FUNC),
        ],
    );
    check(
        &Symbols::read(&file),
        &[
            (0, ""),
            (0x7fff, ""),
            (0x8000, " (echo_srv::Service::on_message + 0x0)"),
            (0x801f, " (echo_srv::Service::on_message + 0x1f)"),
            (0x8020, ""),
            (0x8040, " (thumb + 0x0)"),
            (0x804e, " (thumb + 0xe)"),
            (0x8050, ""),
            // One word at least.
            (0x8063, " (table + 0x3)"),
            (0x8064, ""),
            (u64::MAX, ""),
        ],
    );
}

#[test]
fn the_kernels_assembly_goes_on_to_the_next_symbol() {
    let text = 0xffff_ffff_ea80_0000;
    let file = elf(
        true,
        (text, 0x1000),
        &[
            ("_start", text, 0, FUNC),
            ("$x", text + 4, 0, NOTYPE),
            ("local_label", text + 8, 0, NOTYPE),
            ("arm64_sync_exc_current_el_SP0", text + 0x200, 0, FUNC),
            ("panic", text + 0x280, 0x30, FUNC),
            ("arch_spin_lock", text + 0x300, 0, FUNC),
            ("constants", text + 0x340, 0, OBJECT),
            ("arm64_el3_to_el1", text + 0x400, 0, FUNC),
        ],
    );
    check(
        &Symbols::read(&file),
        &[
            (text - 1, ""),
            (text, " (_start + 0x0)"),
            (text + 8, " (_start + 0x8)"),
            (text + 0x1ff, " (_start + 0x1ff)"),
            (text + 0x27c, " (arm64_sync_exc_current_el_SP0 + 0x7c)"),
            (text + 0x2ac, " (panic + 0x2c)"),
            (text + 0x2b0, ""),
            (text + 0x33c, " (arch_spin_lock + 0x3c)"),
            // Data without a size: one word.
            (text + 0x343, " (constants + 0x3)"),
            (text + 0x344, ""),
            // The last one: to the end of its section.
            (text + 0xfff, " (arm64_el3_to_el1 + 0xbff)"),
            (text + 0x1000, ""),
            // A trusted app's address is no kernel's.
            (0x8000, ""),
        ],
    );
}

/// Within an image, say.
#[test]
fn a_file_may_lie_at_any_address() {
    for wide in [false, true] {
        let file = elf(wide, (0x8000, 0x100), &[("main", 0x8000, 0x20, FUNC)]);
        for before in 0..9 {
            let image = [vec![0; before], file.clone()].concat();
            check(&Symbols::read(&image[before..]), &[(0x8004, " (main + 0x4)")]);
        }
    }
}

#[test]
fn what_is_no_elf_file_has_no_names() {
    for bytes in [&b""[..], b"\x7fELF", &[0; 4096]] {
        assert_eq!(Symbols::read(bytes).at(0), "");
    }
    // Cut or filled at any byte: fewer names, and no panic.
    for wide in [false, true] {
        let whole =
            elf(wide, (u64::MAX - 7, 0x1000), &[("a", u64::MAX - 7, u64::MAX, FUNC), ("b", 9, 0, FUNC)]);
        for at in 0..whole.len() {
            let _ = Symbols::read(&whole[..at]).at(u64::MAX);
            let mut broken = whole.clone();
            broken[at] = 0xff;
            let _ = Symbols::read(&broken).at(u64::MAX);
        }
    }
}
