//! From reset to Trusty.

use crate::context::Context;
use crate::report::fatal;
use crate::worlds::{self, SCR_SECURE};
use crate::{gic, mrs, msr, stage2};
use core::cell::UnsafeCell;
use desk_firmware::boot::{self, BootBlock};
use desk_firmware::{machine, map};

/// HCR_EL2 of both worlds: EL1 is AArch64 and behind stage 2.
const HCR: u64 = 1 << 31 | 1;
/// SCR_EL3 with NS set, so that the registers of EL2 are there.
const SCR_EL2: u64 = SCR_SECURE | 1;
/// Version and console of the boot parameters: the combined UART.
const BOOT_PARAMS: [u32; 2] = [1, 0xfe];

#[repr(C, align(16))]
struct Stack(UnsafeCell<[u8; 16 << 10]>);

// SAFETY: only the assembly and the stack pointers refer to it.
unsafe impl Sync for Stack {}

static EL3_STACK: Stack = Stack(UnsafeCell::new([0; 16 << 10]));
static EL2_STACK: Stack = Stack(UnsafeCell::new([0; 16 << 10]));

/// For the assembly.
#[repr(transparent)]
struct Top(*mut u8);

// SAFETY: an address, never read through in Rust.
unsafe impl Sync for Top {}

#[unsafe(no_mangle)]
static EL3_STACK_TOP: Top = Top(top(&EL3_STACK));

const fn top(stack: &'static Stack) -> *mut u8 {
    // SAFETY: one past the end of the array.
    unsafe { stack.0.get().cast::<u8>().add(16 << 10) }
}

/// Called once, at reset: sets the machine up and returns the context to run.
#[unsafe(no_mangle)]
extern "C" fn start() -> *mut Context {
    msr!("cptr_el3", 0);
    msr!("mdcr_el3", 0);
    gic::init();
    let block = boot_block();
    msr!("scr_el3", SCR_EL2);
    crate::context::isb();
    stage2::init(block.tzdram_size);
    msr!("cptr_el2", 0);
    msr!("sp_el2", top(&EL2_STACK) as u64);
    msr!("hcr_el2", HCR);
    msr!("vpidr_el2", mrs!("midr_el1"));
    msr!("vmpidr_el2", mrs!("mpidr_el1"));
    // EL1 may use the physical counter and timer.
    msr!("cnthctl_el2", 3);
    worlds::probe()
}

/// The block that the host has written.
pub fn boot_block() -> BootBlock {
    // SAFETY: flash, which nobody writes.
    let bytes = unsafe { (map::BOOT_BLOCK as *const [u8; boot::SIZE]).read_volatile() };
    BootBlock::parse(&bytes).unwrap_or_else(|| fatal(format_args!("no boot block in flash")))
}

fn copy(from: u64, to: u64, size: u64) {
    for offset in (0..size).step_by(8) {
        // SAFETY: the boot block's places, checked when it was read; each is a whole number of pages long in flash, so that
        // the last word is whole too.
        unsafe {
            let word = ((map::FLASH + from + offset) as *const u64).read_volatile();
            ((to + offset) as *mut u64).write_volatile(word);
        }
    }
}

/// Copies kernel and agent to their places and writes the boot parameters, with the keys of the EKB behind them. Returns the kernel's block.
pub fn load() -> BootBlock {
    let block = boot_block();
    copy(block.kernel, map::TZDRAM, block.kernel_size);
    copy(block.agent, map::AGENT, block.agent_size);
    let (keys, keys_end) = (map::BOOT_PARAMS_SIZE + 4, map::BOOT_PARAMS_SIZE + 4 + block.ekb_size);
    for offset in (0..boot_params_size(&block)).step_by(4) {
        let value = match offset {
            map::BOOT_PARAMS_SIZE => block.ekb_size as u32,
            offset if (keys..keys_end).contains(&offset) => {
                machine::read(map::FLASH + block.ekb + (offset - keys))
            }
            offset => BOOT_PARAMS.get((offset / 4) as usize).copied().unwrap_or_default(),
        };
        machine::write(map::BOOT_PARAMS + offset, value);
    }
    block
}

/// Bytes of the boot parameters and what is behind them: whole pages, as MB2 gives them.
pub fn boot_params_size(block: &BootBlock) -> u64 {
    (map::BOOT_PARAMS_SIZE + 4 + block.ekb_size).next_multiple_of(map::PAGE)
}
