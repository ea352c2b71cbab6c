//! A small TA's ELF file, made field by field, so that tests can break each field.
#![allow(clippy::indexing_slicing, clippy::unwrap_used)]

/// Offsets and values of one good file.
pub struct TestElf {
    /// `e_machine`.
    pub machine: u16,
    /// `e_type`.
    pub kind: u16,
    /// `e_flags`.
    pub flags: u32,
    /// `e_entry`.
    pub entry: u32,
    /// Type, offset, vaddr, file size, memory size, flags
    pub segments: Vec<[u32; 6]>,
    /// Name, type, flags, addr, offset, size
    pub sections: Vec<(&'static str, [u32; 5])>,
    /// Bytes of the manifest section.
    pub manifest: Vec<u8>,
    /// Bytes between the last section and the section headers.
    pub shift_headers: u32,
    /// Bytes behind the section headers.
    pub tail: Vec<u8>,
}

/// File offset of the manifest.
pub const MANIFEST_AT: u32 = 0x2000;

impl TestElf {
    /// A file that breaks no rule.
    pub fn good() -> Self {
        let mut manifest = vec![0xde, 0xc0, 0x1f, 0x6d, 0x75, 0x52, 0x74, 0x73, 0xec, 0x40, 0, 0, 0, 0, 0, 1];
        for word in [1u32, 0x4000, 2, 0x8000] {
            manifest.extend_from_slice(&word.to_le_bytes());
        }
        Self {
            machine: 40,
            kind: 2,
            flags: 0x0500_0200,
            entry: 0x8000,
            segments: vec![[1, 0x1000, 0x8000, 0x100, 0x100, 5], [1, 0x2000, 0x9000, 0x1000, 0x1000, 6]],
            sections: vec![
                (".text", [1, 6, 0x8000, 0x1000, 0x100]),
                (".trusty_app.manifest", [1, 3, 0x9000, MANIFEST_AT, 0x20]),
                (".bss", [1, 3, 0x9020, 0x2020, 0x40]),
                (".bss-pad", [1, 3, 0x9060, 0x2060, 0xfa0]),
            ],
            manifest,
            shift_headers: 0,
            tail: Vec::new(),
        }
    }

    /// A section's fields.
    pub fn section(&mut self, name: &str) -> &mut [u32; 5] {
        &mut self.sections.iter_mut().find(|(n, _)| *n == name).unwrap().1
    }

    /// The file's bytes.
    pub fn build(&self) -> Vec<u8> {
        let mut file = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
        let mut names = vec![0u8];
        let mut rows = vec![[0u32; 10]];
        for (name, [kind, flags, addr, offset, size]) in &self.sections {
            rows.push([names.len() as u32, *kind, *flags, *addr, *offset, *size, 0, 0, 1, 0]);
            names.extend_from_slice(name.as_bytes());
            names.push(0);
        }
        let name = names.len() as u32;
        names.extend_from_slice(b".shstrtab\0");
        rows.push([name, 3, 0, 0, 0x3000, names.len() as u32, 0, 0, 1, 0]);
        let headers = (0x3000 + names.len() as u32).next_multiple_of(4) + self.shift_headers;
        let half = |file: &mut Vec<u8>, v: u16| file.extend_from_slice(&v.to_le_bytes());
        let word = |file: &mut Vec<u8>, v: u32| file.extend_from_slice(&v.to_le_bytes());
        half(&mut file, self.kind);
        half(&mut file, self.machine);
        [1, self.entry, 52, headers, self.flags].into_iter().for_each(|v| word(&mut file, v));
        let counts = [52, 32, self.segments.len(), 40, rows.len(), rows.len() - 1];
        counts.into_iter().for_each(|v| half(&mut file, v as u16));
        for [kind, offset, vaddr, file_size, mem_size, flags] in &self.segments {
            [*kind, *offset, *vaddr, *vaddr, *file_size, *mem_size, *flags, 0x1000]
                .into_iter()
                .for_each(|v| word(&mut file, v));
        }
        file.resize(MANIFEST_AT as usize, 0);
        file.extend_from_slice(&self.manifest);
        file.resize(0x3000, 0);
        file.extend_from_slice(&names);
        file.resize(headers as usize, 0);
        rows.iter().flatten().for_each(|v| word(&mut file, *v));
        file.extend_from_slice(&self.tail);
        file
    }
}
