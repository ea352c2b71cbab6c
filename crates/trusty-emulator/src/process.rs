//! A trusted app that runs: its machine, and what it waits for.

use crate::engine::Fault;
use crate::fault;
use crate::image::ImageError;
use crate::machine::{Machine, Stop};
use crate::say;
use crate::tap::Hit;
use std::path::PathBuf;
use std::time::Instant;
use trusty_abi::Uuid;
use trusty_abi::text::Shown;
use trusty_fault::{CoreSignal, Ending, HeapUse, Listener, Program, core_file};
use trusty_image::TrustedApp;
use trusty_model::{Kernel, Task};

/// Instructions before the other TAs have their turn.
const TURN: u64 = 1_000_000;
/// Longest line of the console that is read, in bytes.
const LINE: usize = 4096;

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
pub enum AppState {
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
    pub state: AppState,
    /// Its break.
    pub brk: u32,
    /// What the last `brk` asked for in vain, if it was in vain.
    pub refused: Option<u32>,
    /// Most handles that were open at once.
    pub peak_handles: usize,
    /// Paths of the ports that it has made.
    pub ports: Vec<Vec<u8>>,
    /// Why it has ended, if it has.
    pub ended: Option<String>,
    elf: Vec<u8>,
    /// The ELF file with its debug information, if it is there.
    debug: Option<Vec<u8>>,
    /// Where its core file is to be written.
    core: Option<PathBuf>,
    /// What it says on the console, and the line that it has not ended yet.
    listener: Listener,
    said: Option<Ending>,
    partial: Vec<u8>,
}

/// What is known of TAs besides the image, by their UUIDs.
pub trait Known {
    /// The name that people know it by.
    fn name(&self, uuid: uuid::Uuid) -> Option<String>;
    /// Its ELF file with debug information.
    fn debug(&self, uuid: uuid::Uuid) -> Option<Vec<u8>>;
    /// Where its core file is to be written if it faults.
    fn core(&self, uuid: uuid::Uuid) -> Option<PathBuf>;
}

impl Process {
    /// Loads a TA.
    pub fn load(
        index: usize,
        elf: &[u8],
        kernel: &mut Kernel,
        known: &dyn Known,
    ) -> Result<Self, ImageError> {
        let broken = |findings: String| ImageError::App { index, findings };
        let app = trusty_image::inspect(elf).map_err(|findings| {
            broken(findings.iter().map(|f| format!("  {f}")).collect::<Vec<_>>().join("\n"))
        })?;
        let machine =
            Machine::load(elf, &app).map_err(|e| broken(format!("  the engine refuses it: {e:?}")))?;
        let uuid = app.manifest.uuid;
        let name = known
            .name(uuid)
            .map(|name| Shown(name).to_string())
            .unwrap_or_else(|| format!("trusted app {index} ({uuid})"));
        let task = kernel.add_app(Uuid(uuid.to_bytes_le()));
        let (brk, elf, debug, core) = (app.heap_start, elf.to_vec(), known.debug(uuid), known.core(uuid));
        let (state, refused, peak_handles, ports, ended) = (AppState::Ready, None, 0, Vec::new(), None);
        let (listener, said, partial) = (Listener::default(), None, Vec::new());
        Ok(Self {
            name,
            app,
            machine,
            task,
            state,
            brk,
            refused,
            peak_handles,
            ports,
            ended,
            elf,
            debug,
            core,
            listener,
            said,
            partial,
        })
    }

    /// Runs until it waits, ends, has had its turn, or a debugger wants it to stop; or faults: then with a report.
    pub fn run(&mut self, kernel: &mut Kernel, start: Instant) -> Result<Option<Hit>, String> {
        let end = self.machine.instructions() + TURN;
        while self.state == AppState::Ready {
            let left = end.saturating_sub(self.machine.instructions());
            if left == 0 {
                break;
            }
            match self.machine.run(left) {
                Stop::Syscall => self.call(kernel, start),
                Stop::Turn => break,
                Stop::Fault(fault) => {
                    self.dump(&fault);
                    return Err(self.report(&fault));
                }
                Stop::Hit(hit) => return Ok(Some(hit)),
            }
            self.peak_handles = self.peak_handles.max(kernel.handles(self.task));
            if let Some(why) = kernel.panicked() {
                return Err(format!("{} panics the kernel: {why}\n", self.name));
            }
        }
        Ok(None)
    }

    /// Writes the core file, if one is wanted.
    fn dump(&self, fault: &Fault) {
        let Some(path) = &self.core else { return };
        let signal = if fault.access.address().is_some() { CoreSignal::Segv } else { CoreSignal::Ill };
        let core = core_file(signal, &self.machine.registers(), &self.machine.memory());
        if let Err(error) = std::fs::write(path, core) {
            say::line(&format!("emulator: {}: no core file: {error}", path.display()));
        }
    }

    /// What can be said of a fault.
    fn report(&self, fault: &Fault) -> String {
        let Self { name, app, machine, brk, refused, .. } = self;
        let heap = HeapUse { brk: *brk, refused: *refused, touched: machine.heap_high_water() };
        let program = Program::read(&self.elf, self.debug.as_deref());
        fault::scene(name, app, &program, fault, machine, heap, &|address| machine.peek(address)).report()
    }

    /// Shows what it says, line by line, and listens.
    pub fn hear(&mut self, text: &[u8]) {
        for byte in text {
            if *byte != b'\n' {
                self.partial.push(*byte);
            }
            if *byte == b'\n' || self.partial.len() == LINE {
                self.whole_line();
            }
        }
    }

    fn whole_line(&mut self) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.partial)).into_owned();
        say::line(&line);
        let own = |end: &Ending| end.uuid == Some(self.app.manifest.uuid.to_string());
        self.said = self.listener.line(&line).filter(own).or_else(|| self.said.take());
    }

    /// Nothing comes any more that would end its line.
    pub fn end_line(&mut self) {
        if !self.partial.is_empty() {
            self.whole_line();
        }
    }

    /// It ends: says so, and why, as far as it has said it.
    pub fn end(&mut self) {
        self.state = AppState::Exited;
        self.end_line();
        let ending = self.said.take().unwrap_or_else(|| self.listener.silent_end());
        let program = Program::read(&self.elf, self.debug.as_deref());
        let report = ending.report(&self.name, Some(&self.app), &program);
        self.ended = Some(report.lines().next().unwrap_or_default().to_owned());
        say::lines(&report);
    }
}
