//! One trusted app on a 32-bit ARM core: its memory as the loader maps it, and what stops it.

use crate::comparisons::Comparisons;
use crate::coverage::Coverage;
use crate::engine::{
    Engine, EngineState, Fault, THUMB, all_registers, comparison_hooks, debugger_hooks, hooks, map, record,
    set_all_registers, take_hit,
};
use crate::tap::{Hit, Tap};
use std::ops::Range;
use trusty_fault::Access;
use trusty_image::TrustedApp;
use trusty_image::elf::Elf;
use trusty_image::limits::{APP_STACK_TOP, PAGE};
use unicorn_engine::unicorn_const::{Arch, Mode, Permission};
use unicorn_engine::{Context, RegisterARM, Unicorn, uc_error};

/// CPSR of a TA at its start: user mode, ARM state.
const USER_MODE: u64 = 0x10;

/// Coprocessor access: `struct uc_arm_cp_reg` { cp, is64, sec, crn, crm, opc1, opc2, padding; u64 value }, for CPACR with
/// cp10 and cp11 (floating point) allowed.
const CPACR_ALL: [u8; 40] = {
    let mut bytes = [0; 40];
    (bytes[0], bytes[12], bytes[24], bytes[34]) = (15, 1, 2, 0xf0);
    bytes
};

/// `p_flags` of a segment that may be executed, and written. What is mapped can always be read (`arch_uthread_map`).
pub const PF_X: u32 = 1;
/// See [`PF_X`].
const PF_W: u32 = 2;

fn permission(flags: u32) -> Permission {
    let allowed = |flag, permission| if flags & flag != 0 { permission } else { Permission::NONE };
    Permission::READ | allowed(PF_X, Permission::EXEC) | allowed(PF_W, Permission::WRITE)
}

/// Why a TA does not run on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It calls the kernel.
    Syscall,
    /// Its turn is over.
    Turn,
    /// It did what no TA may.
    Fault(Fault),
    /// A debugger wants it to stop here.
    Hit(Hit),
}

/// A TA's processor and memory.
pub struct Machine {
    uc: Engine<'static>,
    /// Segments, heap, stack, devices.
    mappings: Vec<Range<u32>>,
    /// Segments that may not be written.
    read_only: Vec<Range<u32>>,
}

/// Registers and memory at a moment.
pub struct SavedMachine {
    registers: Context,
    /// What may be written, in order.
    memory: Vec<(u32, Vec<u8>)>,
    mappings: usize,
    instructions: u64,
    touched: (u32, u32),
}

/// End of the user address space.
const USER_END: u32 = 32 << 20;

impl Machine {
    /// Maps a TA as the loader does. `elf` has passed [`trusty_image::inspect`].
    pub fn load(elf: &[u8], app: &TrustedApp) -> Result<Self, uc_error> {
        let heap = app.heap_start..app.heap_start + app.manifest.heap();
        let stack = APP_STACK_TOP - app.manifest.stack()..APP_STACK_TOP;
        let mut mappings = vec![heap.clone(), stack.clone()];
        let mut read_only = Vec::new();
        let state = EngineState {
            instructions: 0,
            left: 0,
            syscall: false,
            block: (app.entry, 0),
            fault: None,
            hint: None,
            tap: Tap::default(),
            coverage: None,
            comparisons: Comparisons::default(),
            heap_touched: heap.start,
            stack_touched: stack.end,
            heap,
            stack,
        };
        let mut uc = Unicorn::new_with_data(Arch::ARM, Mode::ARM, state)?;
        let bss = Elf::parse(elf)
            .ok()
            .and_then(|elf| elf.named(".bss").next().map(|bss| u64::from(bss.addr)..bss.end()));
        for segment in &app.segments {
            let size = segment.mem_size.next_multiple_of(PAGE);
            let bytes =
                trusty_image::bytes::slice(elf, segment.offset, segment.file_size).unwrap_or_default();
            uc.mem_map(segment.vaddr.into(), size as usize, permission(segment.flags))?;
            uc.mem_write(segment.vaddr.into(), bytes)?;
            let range = segment.vaddr..segment.vaddr + size;
            mappings.push(range.clone());
            if segment.flags & PF_W == 0 {
                read_only.push(range);
            }
        }
        if let Some(bss) = bss {
            uc.mem_write(bss.start, &vec![0; (bss.end - bss.start) as usize])?;
        }
        // The kernel gives TAs floating point when they first use it.
        // The engine masks the value in place, so it must not lie in read-only memory.
        uc.reg_write_long(RegisterARM::CP_REG, &std::hint::black_box(CPACR_ALL))?;
        uc.reg_write(RegisterARM::FPEXC, 1 << 30)?;
        // The mode first: each has a stack pointer of its own.
        uc.reg_write(RegisterARM::CPSR, USER_MODE)?;
        uc.reg_write(RegisterARM::SP, APP_STACK_TOP.into())?;
        uc.reg_write(RegisterARM::PC, app.entry.into())?;
        hooks(&mut uc)?;
        Ok(Self { uc, mappings, read_only })
    }

    /// Runs on, for about so many instructions.
    pub fn run(&mut self, turn: u64) -> Stop {
        if let Ok(Some(hit)) = take_hit(&mut self.uc) {
            return Stop::Hit(hit);
        }
        let state = self.uc.get_data_mut();
        state.left = i64::try_from(turn).unwrap_or(i64::MAX);
        state.syscall = false;
        let thumb = u64::from(self.uc.reg_read(RegisterARM::CPSR).unwrap_or_default() & THUMB != 0);
        let begin = u64::from(self.register(RegisterARM::PC)) | thumb;
        let ended = self.uc.emu_start(begin, u64::MAX, 0, 0);
        if let Ok(Some(hit)) = take_hit(&mut self.uc) {
            return Stop::Hit(hit);
        }
        let state = self.uc.get_data();
        match (state.fault, ended) {
            (Some(fault), _) => Stop::Fault(fault),
            (None, Err(_)) => {
                record(&mut self.uc, Access::Instruction);
                self.uc.get_data().fault.map_or(Stop::Turn, Stop::Fault)
            }
            (None, Ok(())) if state.syscall => Stop::Syscall,
            (None, Ok(())) => Stop::Turn,
        }
    }

    /// Lets a debugger stop it.
    pub fn allow_debugger(&mut self) -> Result<(), uc_error> {
        debugger_hooks(&mut self.uc)
    }

    /// What a debugger wants.
    pub fn tap(&mut self) -> &mut Tap {
        &mut self.uc.get_data_mut().tap
    }

    /// What it did that no TA may, if it did.
    pub fn fault(&self) -> Option<Fault> {
        self.uc.get_data().fault
    }

    /// r0 to r15, and the status register. Of a fault those of its instruction.
    pub fn registers(&self) -> [u32; 17] {
        let mut all = all_registers(&self.uc);
        if let Some(fault) = self.fault() {
            for (value, of_fault) in all.iter_mut().zip(fault.registers) {
                *value = of_fault;
            }
        }
        all
    }

    /// Sets them.
    pub fn set_registers(&mut self, all: &[u32; 17]) -> Result<(), uc_error> {
        set_all_registers(&mut self.uc, all)
    }

    /// Copies from its memory for a debugger, up to where it ends: what was never touched is zero.
    pub fn look(&self, address: u32, bytes: &mut [u8]) -> usize {
        let mut read = 0;
        for (place, at) in bytes.iter_mut().zip(u64::from(address)..) {
            let Ok(at) = u32::try_from(at) else { break };
            let mut byte = [0];
            if self.uc.mem_read(at.into(), &mut byte).is_err() && !self.is_mapped(at, 1) {
                break;
            }
            [*place] = byte;
            read += 1;
        }
        read
    }

    /// Writes to its memory for a debugger, also to its text. `None` if not all of it is the TA's.
    pub fn poke(&mut self, address: u32, bytes: &[u8]) -> Option<()> {
        self.is_mapped(address, bytes.len() as u32).then(|| self.touch(address, bytes.len()))??;
        self.uc.mem_write(address.into(), bytes).ok()?;
        // An instruction that was translated already is another now.
        let _ = self.uc.ctl_remove_cache(address.into(), u64::from(address) + bytes.len() as u64);
        Some(())
    }

    /// Its mappings with their bytes, as far as they were touched.
    pub fn memory(&self) -> Vec<(u32, Vec<u8>)> {
        let mut blocks: Vec<(u32, Vec<u8>)> = Vec::new();
        for region in self.uc.mem_regions().unwrap_or_default() {
            let size = (region.end - region.begin + 1) as usize;
            let Ok(bytes) = self.uc.mem_read_as_vec(region.begin, size) else { continue };
            blocks.push((region.begin as u32, bytes));
        }
        blocks.sort_by_key(|(start, _)| *start);
        blocks
    }

    /// Keeps registers and memory.
    pub fn save(&self) -> Result<SavedMachine, uc_error> {
        let writable = |(start, _): &(u32, Vec<u8>)| !self.read_only.iter().any(|text| text.contains(start));
        let state = self.uc.get_data();
        Ok(SavedMachine {
            registers: self.uc.context_init()?,
            memory: self.memory().into_iter().filter(writable).collect(),
            mappings: self.mappings.len(),
            instructions: state.instructions,
            touched: (state.heap_touched, state.stack_touched),
        })
    }

    /// Goes back to what was kept. Pages that were touched since then are zero, as they were.
    pub fn restore(&mut self, saved: &SavedMachine) -> Result<(), uc_error> {
        while self.mappings.len() > saved.mappings {
            let device = self.mappings.remove(saved.mappings);
            self.uc.mem_unmap(device.start.into(), device.len())?;
        }
        let kept = |start: u32| saved.memory.binary_search_by_key(&start, |(start, _)| *start).is_ok();
        for region in self.uc.mem_regions()? {
            let start = region.begin as u32;
            if !kept(start) && !self.read_only.iter().any(|text| text.contains(&start)) {
                self.uc.mem_write(region.begin, &vec![0; (region.end - region.begin + 1) as usize])?;
            }
        }
        for (start, bytes) in &saved.memory {
            self.uc.mem_write((*start).into(), bytes)?;
        }
        self.uc.context_restore(&saved.registers)?;
        let state = self.uc.get_data_mut();
        (state.instructions, state.fault, state.hint, state.syscall) =
            (saved.instructions, None, None, false);
        (state.heap_touched, state.stack_touched) = saved.touched;
        Ok(())
    }

    /// Which blocks it enters, from the first call on.
    pub fn coverage(&mut self) -> &mut Coverage {
        self.uc.get_data_mut().coverage.get_or_insert_default()
    }

    /// Tells what it compares, from now on.
    pub fn tell_comparisons(&mut self) -> Result<(), uc_error> {
        comparison_hooks(&mut self.uc)?;
        // What is translated already tells nothing.
        self.uc.ctl_flush_tb()
    }

    /// What it has compared.
    pub fn comparisons(&mut self) -> &mut Comparisons {
        &mut self.uc.get_data_mut().comparisons
    }

    /// A register.
    pub fn register(&self, register: RegisterARM) -> u32 {
        self.uc.reg_read(register).unwrap_or_default() as u32
    }

    /// Number and arguments of the system call.
    pub fn call(&self) -> (u32, [u32; 4]) {
        use RegisterARM::{R0, R1, R2, R3, R12};
        (self.register(R12), [R0, R1, R2, R3].map(|register| self.register(register)))
    }

    /// Sets what the system call returns.
    pub fn set_result(&mut self, result: i32) {
        // Refused only for a register that does not exist.
        let _ = self.uc.reg_write(RegisterARM::R0, u64::from(result.cast_unsigned()));
    }

    /// Whether a range lies in one mapping: a segment, the heap, the stack or a device.
    pub fn is_mapped(&self, address: u32, length: u32) -> bool {
        let end = u64::from(address) + u64::from(length);
        self.mappings.iter().any(|mapping| mapping.contains(&address) && end <= u64::from(mapping.end))
    }

    /// Copies from the TA's memory. `None` if not all of it is the TA's.
    pub fn read(&mut self, address: u32, length: usize) -> Option<Vec<u8>> {
        if length == 0 {
            return Some(Vec::new());
        }
        self.touch(address, length)?;
        self.uc.mem_read_as_vec(address.into(), length).ok()
    }

    /// A word of the TA's memory, without touching it.
    pub fn peek(&self, address: u32) -> Option<u32> {
        let mut word = [0; 4];
        self.uc.mem_read(address.into(), &mut word).ok().map(|()| u32::from_le_bytes(word))
    }

    /// Copies to the TA's memory, page by page up to the first that may not be written: then `None`.
    pub fn write(&mut self, address: u32, bytes: &[u8]) -> Option<()> {
        let mut rest = bytes;
        let mut at = address;
        while !rest.is_empty() {
            let page = (PAGE - at % PAGE) as usize;
            let (now, later) = rest.split_at(page.min(rest.len()));
            if self.read_only.iter().any(|text| text.contains(&at)) {
                return None;
            }
            self.touch(at, now.len())?;
            self.uc.get_data_mut().tap.kernel_wrote(at, now.len() as u32);
            self.uc.mem_write(at.into(), now).ok()?;
            rest = later;
            at = at.wrapping_add(now.len() as u32);
        }
        Some(())
    }

    /// Maps the pages of heap and stack that the kernel is about to use.
    fn touch(&mut self, address: u32, length: usize) -> Option<()> {
        let end = u64::from(address) + length as u64;
        let mut page = u64::from(address / PAGE * PAGE);
        while page < end {
            let mut byte = [0];
            if self.uc.mem_read(page, &mut byte).is_err() && !map(&mut self.uc, page) {
                return None;
            }
            page += u64::from(PAGE);
        }
        Some(())
    }

    /// Maps a device at the first place above the stack where it fits, as the kernel does. There is none here: it reads as
    /// zero.
    pub fn map_device(&mut self, size: u32) -> Option<u32> {
        let size = size.checked_next_multiple_of(PAGE).filter(|size| *size > 0)?;
        let mut devices: Vec<_> = self.mappings.iter().filter(|m| m.start >= APP_STACK_TOP).collect();
        devices.sort_by_key(|device| device.start);
        let mut start = APP_STACK_TOP;
        for device in devices {
            if device.start - start >= size {
                break;
            }
            start = device.end;
        }
        let end = start.checked_add(size).filter(|end| *end <= USER_END)?;
        self.uc.mem_map(start.into(), size as usize, Permission::READ | Permission::WRITE).ok()?;
        self.mappings.push(start..end);
        Some(start)
    }

    /// Unmaps the whole device in which the range lies.
    pub fn unmap_device(&mut self, address: u32, size: u32) -> Option<()> {
        let end = u64::from(address) + u64::from(size);
        let is = |m: &Range<u32>| m.start >= APP_STACK_TOP && m.contains(&address) && end <= u64::from(m.end);
        let at = self.mappings.iter().position(is)?;
        let device = self.mappings.swap_remove(at);
        self.uc.mem_unmap(device.start.into(), device.len()).ok()
    }

    /// Instructions that it has executed.
    pub fn instructions(&self) -> u64 {
        self.uc.get_data().instructions
    }

    /// Bytes of the heap up to the highest page that was touched.
    pub fn heap_high_water(&self) -> u32 {
        let state = self.uc.get_data();
        state.heap_touched - state.heap.start
    }

    /// Bytes of the stack down to the lowest page that was touched.
    pub fn stack_high_water(&self) -> u32 {
        let state = self.uc.get_data();
        state.stack.end - state.stack_touched
    }
}
