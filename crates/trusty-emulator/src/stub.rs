//! A trusted app as gdb sees it: registers, memory, breakpoints. The protocol is the crate gdbstub's.

use crate::machine::Machine;
use crate::tap::Watched;
use gdbstub::arch::Arch;
use gdbstub::common::Signal;
use gdbstub::target::ext::base::BaseOps;
use gdbstub::target::ext::base::singlethread::{
    SingleThreadBase, SingleThreadResume, SingleThreadResumeOps, SingleThreadSingleStep,
    SingleThreadSingleStepOps,
};
use gdbstub::target::ext::breakpoints::{
    Breakpoints, BreakpointsOps, HwBreakpoint, HwBreakpointOps, HwWatchpoint, HwWatchpointOps, SwBreakpoint,
    SwBreakpointOps, WatchKind,
};
use gdbstub::target::{Target, TargetError, TargetResult};

/// Bytes of r0 to r15 and the status register.
const REGISTERS: usize = 17 * 4;
/// "Bad address", as gdb has it of Linux.
const EFAULT: u8 = 14;

/// The engine refuses something.
#[derive(Debug, thiserror::Error)]
#[error("the engine: {0:?}")]
pub struct EngineError(unicorn_engine::uc_error);

/// A 32-bit ARM core without what a trusted app does not see of it.
pub enum Armv7 {}

/// r0 to r15, and the status register.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registers([u32; 17]);

impl Arch for Armv7 {
    type Usize = u32;
    type Registers = Registers;
    type BreakpointKind = usize;
    type RegId = ();

    // The name of the feature, and of its registers, are gdb's (features/arm/arm-core.xml).
    fn target_description_xml() -> Option<&'static str> {
        Some(
            r#"<target version="1.0"><architecture>armv7</architecture><feature name="org.gnu.gdb.arm.core">
<reg name="r0" bitsize="32" type="uint32"/><reg name="r1" bitsize="32" type="uint32"/>
<reg name="r2" bitsize="32" type="uint32"/><reg name="r3" bitsize="32" type="uint32"/>
<reg name="r4" bitsize="32" type="uint32"/><reg name="r5" bitsize="32" type="uint32"/>
<reg name="r6" bitsize="32" type="uint32"/><reg name="r7" bitsize="32" type="uint32"/>
<reg name="r8" bitsize="32" type="uint32"/><reg name="r9" bitsize="32" type="uint32"/>
<reg name="r10" bitsize="32" type="uint32"/><reg name="r11" bitsize="32" type="uint32"/>
<reg name="r12" bitsize="32" type="uint32"/><reg name="sp" bitsize="32" type="data_ptr"/>
<reg name="lr" bitsize="32"/><reg name="pc" bitsize="32" type="code_ptr"/>
<reg name="cpsr" bitsize="32" regnum="25"/></feature></target>"#,
        )
    }
}

impl gdbstub::arch::Registers for Registers {
    type ProgramCounter = u32;

    fn pc(&self) -> u32 {
        let [.., pc, _] = self.0;
        pc
    }

    fn gdb_serialize(&self, write: impl FnMut(Option<u8>)) {
        self.0.iter().flat_map(|value| value.to_le_bytes()).map(Some).for_each(write);
    }

    fn gdb_deserialize(&mut self, bytes: &[u8]) -> Result<(), ()> {
        if bytes.len() != REGISTERS {
            return Err(());
        }
        for (value, bytes) in self.0.iter_mut().zip(bytes.chunks_exact(4)) {
            *value = bytes.try_into().map(u32::from_le_bytes).map_err(|_| ())?;
        }
        Ok(())
    }
}

impl Target for Machine {
    type Arch = Armv7;
    type Error = EngineError;

    fn base_ops(&mut self) -> BaseOps<'_, Self::Arch, Self::Error> {
        BaseOps::SingleThread(self)
    }

    fn support_breakpoints(&mut self) -> Option<BreakpointsOps<'_, Self>> {
        Some(self)
    }

    // A local socket has bandwidth enough, and packets can be read.
    fn use_rle(&self) -> bool {
        false
    }
}

impl SingleThreadBase for Machine {
    fn read_registers(&mut self, registers: &mut Registers) -> TargetResult<(), Self> {
        registers.0 = self.registers();
        Ok(())
    }

    fn write_registers(&mut self, registers: &Registers) -> TargetResult<(), Self> {
        self.set_registers(&registers.0).map_err(|error| TargetError::Fatal(EngineError(error)))
    }

    fn read_addrs(&mut self, address: u32, bytes: &mut [u8]) -> TargetResult<usize, Self> {
        match self.look(address, bytes) {
            0 if !bytes.is_empty() => Err(TargetError::Errno(EFAULT)),
            read => Ok(read),
        }
    }

    fn write_addrs(&mut self, address: u32, bytes: &[u8]) -> TargetResult<(), Self> {
        self.poke(address, bytes).ok_or(TargetError::Errno(EFAULT))
    }

    fn support_resume(&mut self) -> Option<SingleThreadResumeOps<'_, Self>> {
        Some(self)
    }
}

impl SingleThreadResume for Machine {
    fn resume(&mut self, _: Option<Signal>) -> Result<(), Self::Error> {
        self.tap().resume(false);
        Ok(())
    }

    fn support_single_step(&mut self) -> Option<SingleThreadSingleStepOps<'_, Self>> {
        Some(self)
    }
}

impl SingleThreadSingleStep for Machine {
    fn step(&mut self, _: Option<Signal>) -> Result<(), Self::Error> {
        self.tap().resume(true);
        Ok(())
    }
}

impl Breakpoints for Machine {
    fn support_sw_breakpoint(&mut self) -> Option<SwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_breakpoint(&mut self) -> Option<HwBreakpointOps<'_, Self>> {
        Some(self)
    }

    fn support_hw_watchpoint(&mut self) -> Option<HwWatchpointOps<'_, Self>> {
        Some(self)
    }
}

impl SwBreakpoint for Machine {
    fn add_sw_breakpoint(&mut self, address: u32, _: usize) -> TargetResult<bool, Self> {
        self.tap().break_at(address);
        Ok(true)
    }

    fn remove_sw_breakpoint(&mut self, address: u32, _: usize) -> TargetResult<bool, Self> {
        Ok(self.tap().unbreak(address))
    }
}

// No instruction is changed for either kind.
impl HwBreakpoint for Machine {
    fn add_hw_breakpoint(&mut self, address: u32, kind: usize) -> TargetResult<bool, Self> {
        self.add_sw_breakpoint(address, kind)
    }

    fn remove_hw_breakpoint(&mut self, address: u32, kind: usize) -> TargetResult<bool, Self> {
        self.remove_sw_breakpoint(address, kind)
    }
}

impl HwWatchpoint for Machine {
    fn add_hw_watchpoint(&mut self, address: u32, length: u32, kind: WatchKind) -> TargetResult<bool, Self> {
        self.tap().watch(address, length, watched(kind));
        Ok(true)
    }

    fn remove_hw_watchpoint(
        &mut self,
        address: u32,
        length: u32,
        kind: WatchKind,
    ) -> TargetResult<bool, Self> {
        Ok(self.tap().unwatch(address, length, watched(kind)))
    }
}

fn watched(kind: WatchKind) -> Watched {
    match kind {
        WatchKind::Write => Watched::Writes,
        WatchKind::Read => Watched::Reads,
        WatchKind::ReadWrite => Watched::Both,
    }
}
