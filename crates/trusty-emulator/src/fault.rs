//! What the engine knows of a fault, in the terms of [`trusty_fault`].

use crate::engine::Fault;
use crate::machine::Machine;
use trusty_fault::{HeapUse, Program, Scene};
use trusty_image::TrustedApp;

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
