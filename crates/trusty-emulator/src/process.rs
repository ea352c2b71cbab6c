//! A trusted app that runs: its machine, and what it waits for.

use crate::fault;
use crate::image::ImageError;
use crate::machine::{Fault, Machine, Stop};
use std::time::Instant;
use trusty_abi::Uuid;
use trusty_fault::{HeapUse, Symbols};
use trusty_image::TrustedApp;
use trusty_model::{Kernel, Task};

/// Instructions before the other TAs have their turn.
const TURN: u64 = 1_000_000;

/// What a TA waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// An event of a handle, to be written here.
    Handle(u32, u32),
    /// An event of any handle, to be written here.
    Any(u32),
    /// A connection, until it is accepted.
    Connect(u32),
    /// Time.
    Sleep,
}

/// Whether a TA runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does.
    Ready,
    /// It waits, perhaps until some time.
    Waiting(What, Option<Instant>),
    /// It has called `exit_group`. Its handles stay open: the kernel does not close them.
    Exited,
}

/// A TA.
pub struct Process {
    /// Its name.
    pub name: String,
    /// What its ELF says.
    pub app: TrustedApp,
    /// Its processor and memory.
    pub machine: Machine,
    /// The task that it is for the kernel.
    pub task: Task,
    /// Whether it runs.
    pub state: State,
    /// Its break.
    pub brk: u32,
    /// What the last `brk` asked for in vain, if it was in vain.
    pub refused: Option<u32>,
    /// Most handles that were open at once.
    pub peak_handles: usize,
    symbols: Symbols,
}

impl Process {
    /// Loads a TA. `names` gives TAs the names that people know them by.
    pub fn load(
        index: usize,
        elf: &[u8],
        kernel: &mut Kernel,
        names: &dyn Fn(uuid::Uuid) -> Option<String>,
    ) -> Result<Self, ImageError> {
        let broken = |findings: String| ImageError::App { index, findings };
        let app = trusty_image::inspect(elf).map_err(|findings| {
            broken(findings.iter().map(|f| format!("  {f}")).collect::<Vec<_>>().join("\n"))
        })?;
        let machine =
            Machine::load(elf, &app).map_err(|e| broken(format!("  the engine refuses it: {e:?}")))?;
        let uuid = app.manifest.uuid;
        let name = names(uuid).unwrap_or_else(|| format!("trusted app {index} ({uuid})"));
        let task = kernel.add_app(Uuid(uuid.to_bytes_le()));
        let (brk, symbols) = (app.heap_start, Symbols::read(elf));
        let (state, refused, peak_handles) = (State::Ready, None, 0);
        Ok(Self { name, app, machine, task, state, brk, refused, peak_handles, symbols })
    }

    /// Runs until it waits, ends, has had its turn, or faults: then with a report.
    pub fn run(&mut self, kernel: &mut Kernel, start: Instant) -> Result<(), String> {
        let end = self.machine.instructions() + TURN;
        while self.state == State::Ready {
            let left = end.saturating_sub(self.machine.instructions());
            if left == 0 {
                break;
            }
            match self.machine.run(left) {
                Stop::Syscall => self.call(kernel, start),
                Stop::Turn => break,
                Stop::Fault(fault) => return Err(self.report(&fault)),
            }
            self.peak_handles = self.peak_handles.max(kernel.handles(self.task));
            if let Some(why) = kernel.panicked() {
                return Err(format!("{} panics the kernel: {why}\n", self.name));
            }
        }
        Ok(())
    }

    /// What can be said of a fault.
    fn report(&self, fault: &Fault) -> String {
        let Self { name, app, symbols, machine, brk, refused, .. } = self;
        let heap = HeapUse { brk: *brk, refused: *refused, touched: machine.heap_high_water() };
        fault::scene(name, app, symbols, fault, machine, heap).report()
    }
}
