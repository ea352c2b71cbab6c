//! Who called whom, by what the compiler has written down for debuggers (`.debug_frame`): for code without frame pointers, as C has it.

use addr2line::gimli::{
    BaseAddresses, CfaRule, DebugFrame, EndianSlice, LittleEndian, Register, RegisterRule, UnwindContext,
    UnwindSection as _,
};
use object::{Object, ObjectSection};

/// Bytes of the section, at most: each step of a chain reads through it.
const MAX_SECTION: usize = 4 << 20;
/// Bytes of an address.
const ADDRESS: u8 = 4;
const SP: usize = 13;
const LR: usize = 14;
const PC: usize = 15;

/// Call frame information of a file.
pub struct Frames<'a>(DebugFrame<EndianSlice<'a, LittleEndian>>);

impl<'a> Frames<'a> {
    /// Of an ELF file; none if it has none.
    pub fn read(elf: &'a [u8]) -> Option<Self> {
        let file = object::File::parse(elf).ok()?;
        let bytes = file.section_by_name(".debug_frame")?.data().ok()?;
        let bytes = Some(bytes).filter(|bytes| bytes.len() <= MAX_SECTION)?;
        let mut section = DebugFrame::from(EndianSlice::new(bytes, LittleEndian));
        section.set_address_size(ADDRESS);
        Some(Self(section))
    }

    /// The registers of the caller, with the return address as its program counter. `at` is the instruction that runs, or that made
    /// the call. None if it is not known.
    pub fn caller(
        &self,
        at: u32,
        registers: &[u32; 16],
        memory: &dyn Fn(u32) -> Option<u32>,
    ) -> Option<[u32; 16]> {
        let (bases, mut context) = (BaseAddresses::default(), UnwindContext::new());
        let found =
            self.0.unwind_info_for_address(&bases, &mut context, at.into(), DebugFrame::cie_from_offset);
        let row = found.ok()?;
        let CfaRule::RegisterAndOffset { register, offset } = row.cfa() else { return None };
        let base = *registers.get(usize::from(register.0))?;
        let frame = base.checked_add_signed(i32::try_from(*offset).ok()?)?;
        let mut caller = *registers;
        for (number, value) in caller.iter_mut().enumerate().take(PC) {
            match row.register(Register(number as u16)) {
                Some(RegisterRule::Offset(offset)) => {
                    let place = frame.checked_add_signed(i32::try_from(offset).ok()?)?;
                    *value = memory(place)?;
                }
                // The caller's return address is nowhere: nobody has called.
                None | Some(RegisterRule::Undefined) if number == LR && at != registers[PC] => return None,
                None | Some(RegisterRule::Undefined | RegisterRule::SameValue) => {}
                _ => return None,
            }
        }
        (caller[SP], caller[PC]) = (frame, caller[LR]);
        Some(caller)
    }
}
