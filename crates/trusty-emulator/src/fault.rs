//! What the engine knows of a fault, in the terms of [`trusty_fault`].

use crate::machine::{Fault, Machine};
use trusty_fault::{Access, HeapUse, Program, Scene};
use trusty_image::TrustedApp;
use unicorn_engine::unicorn_const::MemType;

/// The access that the engine reports.
pub fn access(kind: MemType, address: u64) -> Access {
    let address = u32::try_from(address).unwrap_or(u32::MAX);
    match kind {
        MemType::WRITE | MemType::WRITE_UNMAPPED | MemType::WRITE_PROT => Access::Write(address),
        MemType::FETCH | MemType::FETCH_UNMAPPED | MemType::FETCH_PROT => Access::Fetch(address),
        _ => Access::Read(address),
    }
}

/// A fault, with all that the machine knows of the TA's memory.
pub fn scene<'a>(
    name: &'a str,
    app: &'a TrustedApp,
    program: &'a Program<'a>,
    fault: &Fault,
    machine: &Machine,
    heap: HeapUse,
    memory: &'a dyn Fn(u32) -> Option<u32>,
) -> Scene<'a> {
    Scene {
        name,
        app,
        program,
        access: fault.access,
        registers: fault.registers,
        cpsr: fault.cpsr,
        heap: Some(heap),
        stack_touched: Some(machine.stack_high_water()),
        mapped: fault.access.address().map(|address| machine.is_mapped(address, 1)),
        memory,
    }
}
