//! S-EL2: accesses of Trusty that no memory is behind.
//!
//! Of the interrupt controller's CPU interface QEMU lacks the registers for group 1 (AIAR, AEOIR, AHPPIR); with AckCtl set
//! the plain ones do the same. `security_engine` is asked for its own. Other devices of Tegra194 read as zero, and the host is told once of
//! each page that is touched (of the first 256). Anything else is fatal, an access behind the carve-out above all.

use crate::report::{fatal, line};
use crate::{mrs, msr, security_engine};
use core::cell::UnsafeCell;
use desk_firmware::{machine, map};

/// EC of a data abort from a lower level.
const DATA_ABORT: u64 = 0x24;
/// The general register of a syndrome that is always zero.
const ZERO: usize = 31;

/// Pages of devices that are told of.
const TOLD: usize = 256;

/// Pages of devices that have been touched.
struct Touched(UnsafeCell<[u64; TOLD]>);

// SAFETY: one CPU runs this code, and EL2 does not interrupt itself.
unsafe impl Sync for Touched {}

static TOUCHED: Touched = Touched(UnsafeCell::new([0; TOLD]));

/// What the vectors call for an exception from below: an `x` for each general register.
#[unsafe(no_mangle)]
extern "C" fn el2_exception(x: &mut [u64; 31]) {
    let (esr, hpfar, elr, far) = (mrs!("esr_el2"), mrs!("hpfar_el2"), mrs!("elr_el2"), mrs!("far_el2"));
    // HPFAR: bits 47:12 of the address in 39:4, and NS in 63.
    let address = (hpfar & 0xff_ffff_fff0) << 8 | far & 0xfff;
    let non_secure = hpfar >> 63 != 0;
    let whose = if non_secure { "non-secure memory" } else { "secure memory" };
    if esr >> 26 != DATA_ABORT {
        fatal(format_args!(
            "execution in {whose} at 0x{address:x}: esr 0x{esr:x} elr 0x{elr:x} far 0x{far:x}"
        ));
    }
    let (known, write, register) = (esr & 1 << 24 != 0, esr & 1 << 6 != 0, (esr >> 16 & 31) as usize);
    if non_secure || address >= map::DRAM || !known {
        let verb = if write { "write to" } else { "read of" };
        fatal(format_args!("{verb} {whose} at 0x{address:x}: esr 0x{esr:x} elr 0x{elr:x} far 0x{far:x}"));
    }
    let value = if register == ZERO { 0 } else { x[register] };
    let written = write.then_some(value as u32);
    let read = if address & !0xfff == map::TEGRA_GICC {
        match written {
            Some(value) => {
                machine::write(interface(address), value);
                0
            }
            None => machine::read(interface(address)),
        }
    } else if security_engine::has(address) {
        security_engine::access(address, written)
    } else {
        tell(address, write, elr);
        0
    };
    if !write && register != ZERO {
        x[register] = read.into();
    }
    msr!("elr_el2", elr + 4);
}

/// The machine's register for one of Tegra194's CPU interface.
fn interface(address: u64) -> u64 {
    let offset = match address & 0xfff {
        0x20 => 0x0c, // AIAR: IAR
        0x24 => 0x10, // AEOIR: EOIR
        0x28 => 0x18, // AHPPIR: HPPIR
        other => other,
    };
    map::GICC + offset
}

fn tell(address: u64, write: bool, elr: u64) {
    // SAFETY: see the Sync of Touched; the reference ends with this function.
    let touched = unsafe { &mut *TOUCHED.0.get() };
    let page = address & !0xfff;
    // Page 0 is no device of Tegra194, so that zero says that an entry is free.
    if let Some(free) = touched.iter_mut().find(|entry| **entry == 0 || **entry == page)
        && *free == 0
    {
        *free = page;
        let verb = if write { "write to" } else { "read of" };
        line(format_args!("device: {verb} 0x{address:08x} by 0x{elr:x}"));
    }
}
