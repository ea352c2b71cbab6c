//! A core file: registers and memory of a trusted app at its fault, as gdb opens it for 32-bit ARM (ELF, `ET_CORE`).

/// `e_type`, `e_machine` and `e_flags` of a core file of ARM's EABI, version 5.
const ET_CORE: u16 = 4;
/// See [`ET_CORE`].
const EM_ARM: u16 = 40;
/// See [`ET_CORE`].
const EABI5: u32 = 0x0500_0000;
/// Bytes of the ELF header and of a program header.
const HEADER: u32 = 52;
/// See [`HEADER`].
const PROGRAM_HEADER: u32 = 32;
const PT_LOAD: u32 = 1;
const PT_NOTE: u32 = 4;
/// Type of the note that holds the registers.
const NT_PRSTATUS: u32 = 1;
/// Bytes of `struct elf_prstatus` for ARM, and where in it signal, process and registers are (Linux, arch/arm; bfd/elf32-arm.c).
const PRSTATUS: usize = 148;
/// See [`PRSTATUS`].
const SIGNAL: usize = 12;
/// See [`PRSTATUS`].
const PROCESS: usize = 24;
/// See [`PRSTATUS`].
const REGISTERS: usize = 72;

/// What a signal of the fault is called in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoreSignal {
    /// No instruction.
    Ill = 4,
    /// An access.
    Segv = 11,
}

/// A core file. `registers` are r0 to r15 and the status register; `memory` are blocks with their addresses, below 4 GiB in all.
pub fn core_file(signal: CoreSignal, registers: &[u32; 17], memory: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let note = note(signal, registers);
    let headers = 1 + memory.len() as u32;
    let mut offset = HEADER + headers * PROGRAM_HEADER;
    let mut file = b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    half(&mut file, &[ET_CORE, EM_ARM]);
    word(&mut file, &[1, 0, HEADER, 0, EABI5]);
    half(&mut file, &[HEADER as u16, PROGRAM_HEADER as u16, headers as u16, 0, 0, 0]);
    word(&mut file, &[PT_NOTE, offset, 0, 0, note.len() as u32, 0, 0, 4]);
    offset += note.len() as u32;
    for (address, bytes) in memory {
        let size = bytes.len() as u32;
        // Readable and writable: gdb does not ask.
        word(&mut file, &[PT_LOAD, offset, *address, 0, size, size, 6, 1]);
        offset += size;
    }
    file.extend(note);
    memory.iter().for_each(|(_, bytes)| file.extend(bytes));
    file
}

fn note(signal: CoreSignal, registers: &[u32; 17]) -> Vec<u8> {
    let mut status = vec![0; PRSTATUS];
    let mut put = |at: usize, value: u32| {
        if let Some(place) = status.get_mut(at..at + 4) {
            place.copy_from_slice(&value.to_le_bytes());
        }
    };
    put(SIGNAL, signal as u32);
    put(PROCESS, 1);
    for (register, at) in registers.iter().zip((REGISTERS..).step_by(4)) {
        put(at, *register);
    }
    let mut note = Vec::new();
    word(&mut note, &[5, PRSTATUS as u32, NT_PRSTATUS]);
    note.extend(b"CORE\0\0\0\0");
    note.extend(status);
    note
}

fn half(file: &mut Vec<u8>, values: &[u16]) {
    values.iter().for_each(|value| file.extend(value.to_le_bytes()));
}

fn word(file: &mut Vec<u8>, values: &[u32]) {
    values.iter().for_each(|value| file.extend(value.to_le_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::read::elf::{FileHeader, ProgramHeader};
    use object::{Endianness, elf};

    #[test]
    fn memory_and_registers_are_where_elf_says() {
        let mut registers = [0; 17];
        registers[15] = 0x8004;
        registers[16] = 0x10;
        let memory = [(0x8000, vec![1, 2, 3, 4]), (0x9000, vec![5; 8])];
        let file = core_file(CoreSignal::Segv, &registers, &memory);
        let header = elf::FileHeader32::<Endianness>::parse(&*file).unwrap();
        let endian = header.endian().unwrap();
        assert_eq!((header.e_type(endian), header.e_machine(endian)), (ET_CORE, EM_ARM));
        let headers = header.program_headers(endian, &*file).unwrap();
        let loads: Vec<(u32, Vec<u8>)> = headers
            .iter()
            .filter(|header| header.p_type(endian) == PT_LOAD)
            .map(|header| (header.p_vaddr(endian), header.data(endian, &*file).unwrap().to_vec()))
            .collect();
        assert_eq!(loads, memory);
        let mut notes = headers.iter().find_map(|header| header.notes(endian, &*file).unwrap()).unwrap();
        let note = notes.next().unwrap().unwrap();
        assert_eq!((note.name(), note.n_type(endian)), (&b"CORE"[..], NT_PRSTATUS));
        let word = |at: usize| u32::from_le_bytes(note.desc()[at..at + 4].try_into().unwrap());
        assert_eq!((word(SIGNAL), word(REGISTERS + 60), word(REGISTERS + 64)), (11, 0x8004, 0x10));
        assert!(notes.next().unwrap().is_none());
    }
}
