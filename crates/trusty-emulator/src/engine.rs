//! What the unicorn engine tells while it runs: blocks, accesses, system calls.

use crate::comparisons::{Compared, Comparisons, Operand, decode, is_executed};
use crate::coverage::Coverage;
use crate::locate;
use crate::tap::{Before, Hit, Tap};
use std::ops::Range;
use trusty_fault::Access;
use trusty_image::limits::PAGE;
use unicorn_engine::unicorn_const::{HookType, MemType, Permission};
use unicorn_engine::{RegisterARM, Unicorn, uc_error};

/// A processor of unicorn's.
pub type Engine<'a> = Unicorn<'a, EngineState>;

/// Interrupt number of `svc`.
const INTERRUPT_SVC: u32 = 2;
/// `yield` and `wfe`: they do nothing.
const HINTS: [u32; 2] = [0xe320_f001, 0xe320_f002];
/// T bit of CPSR.
pub const THUMB: u64 = 0x20;

/// What a TA did, and its registers then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The access.
    pub access: Access,
    /// r0 to r15.
    pub registers: [u32; 16],
    /// The status register.
    pub cpsr: u32,
}

/// r0 to r15.
pub const REGISTERS: [RegisterARM; 16] = {
    use RegisterARM::{LR, PC, R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, R11, R12, SP};
    [R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, R11, R12, SP, LR, PC]
};

/// What the hooks know.
pub struct EngineState {
    /// Instructions that were executed.
    pub instructions: u64,
    /// Instructions until the turn is over.
    pub left: i64,
    /// Whether it has called the kernel.
    pub syscall: bool,
    /// Start and bytes of the block that runs.
    pub block: (u32, u32),
    /// The first fault.
    pub fault: Option<Fault>,
    /// Where a hint was passed last, after how many instructions.
    pub hint: Option<(u64, u64)>,
    /// The heap, all of it.
    pub heap: Range<u32>,
    /// The stack, all of it.
    pub stack: Range<u32>,
    /// End of the highest page of the heap that was touched.
    pub heap_touched: u32,
    /// What a debugger wants.
    pub tap: Tap,
    /// What it compares, if that is of interest.
    pub comparisons: Comparisons,
    /// Which blocks it enters, if that is of interest.
    pub coverage: Option<Coverage>,
    /// Start of the lowest page of the stack that was touched.
    pub stack_touched: u32,
}

/// Maps a page of heap or stack when it is first touched: so what was never touched is known.
pub fn map(uc: &mut Engine, address: u64) -> bool {
    let page = u32::try_from(address).unwrap_or(u32::MAX) / PAGE * PAGE;
    let state = uc.get_data_mut();
    if state.heap.contains(&page) {
        state.heap_touched = state.heap_touched.max(page + PAGE);
    } else if state.stack.contains(&page) {
        state.stack_touched = state.stack_touched.min(page);
    } else {
        return false;
    }
    uc.mem_map(page.into(), PAGE as usize, Permission::READ | Permission::WRITE).is_ok()
}

/// The access that the engine reports.
fn access(kind: MemType, address: u64) -> Access {
    let address = u32::try_from(address).unwrap_or(u32::MAX);
    match kind {
        MemType::WRITE | MemType::WRITE_UNMAPPED | MemType::WRITE_PROT => Access::Write(address),
        MemType::FETCH | MemType::FETCH_UNMAPPED | MemType::FETCH_PROT => Access::Fetch(address),
        _ => Access::Read(address),
    }
}

/// Keeps the first fault, with the registers of that moment.
pub fn record(uc: &mut Engine, access: Access) {
    if uc.get_data().fault.is_some() {
        return;
    }
    let [mut registers @ .., cpsr] = all_registers(uc);
    let (start, size) = uc.get_data().block;
    let located = match access {
        Access::Read(address) | Access::Write(address) if u64::from(cpsr) & THUMB == 0 => {
            let block = uc.mem_read_as_vec(start.into(), size as usize).unwrap_or_default();
            Some(locate::instruction(&block, start, &registers, address))
        }
        Access::Fetch(address) => Some(address),
        _ => None,
    };
    if let (Some(located), Some(pc)) = (located, registers.last_mut()) {
        *pc = located;
    }
    uc.get_data_mut().fault = Some(Fault { access, registers, cpsr });
}

/// The engine calls a hint invalid, with the program counter behind it. Reported twice without progress, it is what stands
/// there that is invalid.
fn passed_hint(uc: &mut Engine) -> bool {
    let pc = uc.reg_read(RegisterARM::PC).unwrap_or_default();
    let mut before = [0; 4];
    let is_hint =
        uc.mem_read(pc.wrapping_sub(4), &mut before).is_ok() && HINTS.contains(&u32::from_le_bytes(before));
    let state = uc.get_data_mut();
    let here = (pc, state.instructions);
    is_hint && state.hint.replace(here) != Some(here)
}

/// What the engine calls.
pub fn hooks(uc: &mut Engine<'static>) -> Result<(), uc_error> {
    uc.add_block_hook(1, 0, |uc, start, size| {
        let thumb = uc.reg_read(RegisterARM::CPSR).unwrap_or_default() & THUMB != 0;
        let instructions = size / if thumb { 2 } else { 4 };
        let state = uc.get_data_mut();
        state.block = (start as u32, size);
        state.instructions += u64::from(instructions);
        state.left -= i64::from(instructions);
        if state.left < 0 {
            // Not counted twice: the block has not run yet, and will begin anew.
            state.instructions -= u64::from(instructions);
            let _ = uc.emu_stop();
        } else if let Some(coverage) = &mut state.coverage {
            coverage.enter(start as u32);
        }
    })?;
    uc.add_intr_hook(|uc, number| {
        if number == INTERRUPT_SVC {
            uc.get_data_mut().syscall = true;
        } else {
            record(uc, Access::Instruction);
        }
        let _ = uc.emu_stop();
    })?;
    uc.add_mem_hook(HookType::MEM_UNMAPPED, 1, 0, |uc, kind, address, size, _| {
        let mapped = kind != MemType::FETCH_UNMAPPED && map(uc, address);
        if mapped {
            // An access may reach into the next page.
            let last = address + size.saturating_sub(1) as u64;
            if last / u64::from(PAGE) == address / u64::from(PAGE) || uc.mem_read(last, &mut [0]).is_ok() {
                return true;
            }
            return map(uc, last);
        }
        record(uc, access(kind, address));
        false
    })?;
    uc.add_mem_hook(HookType::MEM_PROT, 1, 0, |uc, kind, address, _, _| {
        record(uc, access(kind, address));
        false
    })?;
    uc.add_insn_invalid_hook(|uc| {
        let hint = passed_hint(uc);
        if !hint {
            record(uc, Access::Instruction);
        }
        hint
    })?;
    Ok(())
}

/// What the engine calls besides, where comparisons are of interest: it is much slower with it.
pub fn comparison_hooks(uc: &mut Engine<'static>) -> Result<(), uc_error> {
    uc.add_code_hook(1, 0, |uc, address, _| {
        let mut word = [0; 4];
        if uc.mem_read(address, &mut word).is_err() {
            return;
        }
        let word = u32::from_le_bytes(word);
        let Some((first, operand)) = decode(word) else { return };
        let cpsr = uc.reg_read(RegisterARM::CPSR).unwrap_or_default();
        if cpsr & THUMB != 0 || !is_executed(word, cpsr as u32) {
            return;
        }
        let read = |register: usize| {
            REGISTERS.get(register).map_or(0, |register| uc.reg_read(*register).unwrap_or_default() as u32)
        };
        let (right, in_code) = match operand {
            Operand::Number(number) => (number, true),
            Operand::Register(register) => (read(register), false),
        };
        let compared = Compared { pc: address as u32, left: read(first), right, in_code };
        uc.get_data_mut().comparisons.keep(compared);
    })?;
    Ok(())
}

/// What the engine calls besides, where a debugger may come: it is slower with it.
pub fn debugger_hooks(uc: &mut Engine<'static>) -> Result<(), uc_error> {
    uc.add_code_hook(1, 0, |uc, address, _| {
        let stops = uc.get_data_mut().tap.instruction(address as u32);
        if stops {
            let _ = uc.emu_stop();
        } else if uc.get_data().tap.watches() {
            let registers = all_registers(uc);
            uc.get_data_mut().tap.keep(registers);
        }
    })?;
    uc.add_mem_hook(HookType::MEM_READ | HookType::MEM_WRITE, 1, 0, |uc, kind, address, size, _| {
        if !uc.get_data().tap.watches() {
            return true;
        }
        let old = (kind == MemType::WRITE).then(|| uc.mem_read_as_vec(address, size).unwrap_or_default());
        if uc.get_data_mut().tap.access(address as u32, size as u32, old) {
            // The instruction is executed still, and undone.
            let _ = uc.emu_stop();
        }
        true
    })?;
    Ok(())
}

/// r0 to r15, and the status register.
pub fn all_registers(uc: &Engine) -> [u32; 17] {
    let mut all = [0; 17];
    for (value, register) in all.iter_mut().zip(REGISTERS.into_iter().chain([RegisterARM::CPSR])) {
        *value = uc.reg_read(register).unwrap_or_default() as u32;
    }
    all
}

/// Sets them. The status register first: each mode has a stack pointer of its own.
pub fn set_all_registers(uc: &mut Engine, all: &[u32; 17]) -> Result<(), uc_error> {
    let [general @ .., status] = all;
    uc.reg_write(RegisterARM::CPSR, u64::from(*status))?;
    // The lowest bit of what becomes the program counter says which instruction set it is.
    let thumb = u64::from(u64::from(*status) & THUMB != 0);
    for (value, register) in general.iter().zip(REGISTERS) {
        let bit = if matches!(register, RegisterARM::PC) { thumb } else { 0 };
        uc.reg_write(register, u64::from(*value) | bit)?;
    }
    Ok(())
}

/// Why a debugger wants it to stop, if it does. It stands in front of the instruction then that accesses what is watched.
pub fn take_hit(uc: &mut Engine) -> Result<Option<Hit>, uc_error> {
    let Some((hit, before)) = uc.get_data_mut().tap.take_hit() else { return Ok(None) };
    if matches!(hit, Hit::Watch(..)) && before != Before::default() {
        for (address, old) in before.written.iter().rev() {
            uc.mem_write(u64::from(*address), old)?;
        }
        set_all_registers(uc, &before.registers)?;
    }
    Ok(Some(hit))
}
