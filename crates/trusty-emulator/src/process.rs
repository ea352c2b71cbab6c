//! A trusted app that runs: its machine, and what it waits for.

use crate::clock::Clock;
use crate::engine::Fault;
use crate::fault;
use crate::image::ImageError;
use crate::machine::{Machine, PF_X, SavedMachine, Stop};
use crate::say;
use crate::tap::Hit;
use std::path::PathBuf;
use std::time::Duration;
use trusty_abi::Uuid;
use trusty_abi::text::Shown;
use trusty_fault::{CoreSignal, Ending, HeapUse, Listener, Program, Symbols, core_file};
use trusty_image::TrustedApp;
use trusty_model::{Kernel, Task};
use unicorn_engine::uc_error;

/// Instructions before the other TAs have their turn.
const TURN: u64 = 1_000_000;
/// The symbol of trusty_ta's heap.
const HEAP: &str = "trusty_ta_heap";
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
    /// It waits, perhaps until some time since the start.
    Waiting(What, Option<Duration>),
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
    /// What was allocated of its heap when all waited for the first time.
    pub heap_at_ready: Option<u32>,
    /// Why it has ended, if it has and was heard.
    pub ended: Option<String>,
    /// What it said when it ended.
    pub ending: Option<Ending>,
    /// What it says is not shown, nor told at its end.
    pub muted: bool,
    elf: Vec<u8>,
    /// The ELF file with its debug information, if it is there.
    debug: Option<Vec<u8>>,
    /// Where trusty_ta keeps what is used of its heap, if it has that one.
    heap: Option<u32>,
    /// Where its core file is to be written.
    core: Option<PathBuf>,
    /// What it says on the console, and the line that it has not ended yet.
    listener: Listener,
    said: Option<Ending>,
    partial: Vec<u8>,
}

/// Why a TA does not go on, and all of Trusty with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// It did what no TA may.
    Fault(Fault),
    /// Its call ended the kernel.
    Kernel(&'static str),
}

/// A TA at a moment.
pub struct Saved {
    machine: SavedMachine,
    state: AppState,
    brk: u32,
    refused: Option<u32>,
    ports: usize,
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
        let (state, refused, peak_handles, ports) = (AppState::Ready, None, 0, Vec::new());
        let heap = Symbols::read(&elf).address(HEAP).and_then(|address| u32::try_from(address).ok());
        let (listener, said, partial) = (Listener::default(), None, Vec::new());
        let (ended, ending, muted, heap_at_ready) = (None, None, false, None);
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
            heap_at_ready,
            ended,
            ending,
            muted,
            elf,
            debug,
            heap,
            core,
            listener,
            said,
            partial,
        })
    }

    /// Runs until it waits, ends, has had its turn, or a debugger wants it to stop; or crashes.
    pub fn run(&mut self, kernel: &mut Kernel, clock: &Clock) -> Result<Option<Hit>, Crash> {
        let end = self.machine.instructions() + TURN;
        while self.state == AppState::Ready {
            let left = end.saturating_sub(self.machine.instructions());
            if left == 0 {
                break;
            }
            match self.machine.run(left) {
                Stop::Syscall => self.call(kernel, clock),
                Stop::Turn => break,
                Stop::Fault(fault) => return Err(Crash::Fault(fault)),
                Stop::Hit(hit) => return Ok(Some(hit)),
            }
            self.peak_handles = self.peak_handles.max(kernel.handles(self.task));
            if let Some(why) = kernel.panicked() {
                return Err(Crash::Kernel(why));
            }
        }
        Ok(None)
    }

    /// Writes the core file of a fault, if one is wanted.
    pub fn dump(&self, crash: &Crash) {
        let (Some(path), Crash::Fault(fault)) = (&self.core, crash) else { return };
        let signal = if fault.access.address().is_some() { CoreSignal::Segv } else { CoreSignal::Ill };
        let core = core_file(signal, &self.machine.registers(), &self.machine.memory());
        if let Err(error) = std::fs::write(path, core) {
            say::line(&format!("emulator: {}: no core file: {error}", path.display()));
        }
    }

    /// What can be said of a crash.
    pub fn report(&self, crash: &Crash) -> String {
        let fault = match crash {
            Crash::Fault(fault) => fault,
            Crash::Kernel(why) => return format!("{} panics the kernel: {why}\n", self.name),
        };
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
        if !self.muted {
            say::line(&line);
        }
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
        if !self.muted {
            let report = self.last_words(&ending);
            self.ended = Some(report.lines().next().unwrap_or_default().to_owned());
            say::lines(&report);
        }
        self.ending = Some(ending);
    }

    /// What is allocated of its heap, and the most that was, in bytes: of one that has trusty_ta's heap.
    pub fn heap_figures(&self) -> Option<[u32; 2]> {
        let mut figures = [0; 8];
        let read = self.machine.look(self.heap?, &mut figures);
        let [used, peak] = figures.as_chunks().0 else { return None };
        (read == figures.len()).then(|| [u32::from_le_bytes(*used), u32::from_le_bytes(*peak)])
    }

    /// Its segments that may be executed.
    pub fn code(&self) -> impl Iterator<Item = &[u8]> {
        let executable = self.app.segments.iter().filter(|segment| segment.flags & PF_X != 0);
        executable.filter_map(|part| trusty_image::bytes::slice(&self.elf, part.offset, part.file_size))
    }

    /// What can be said of how it ended.
    pub fn last_words(&self, ending: &Ending) -> String {
        let program = Program::read(&self.elf, self.debug.as_deref());
        ending.report(&self.name, Some(&self.app), &program)
    }

    /// Keeps this moment, to which [`Self::restore`] goes back.
    pub fn save(&self) -> Result<Saved, uc_error> {
        let (machine, ports) = (self.machine.save()?, self.ports.len());
        Ok(Saved { machine, state: self.state, brk: self.brk, refused: self.refused, ports })
    }

    /// Goes back.
    pub fn restore(&mut self, saved: &Saved) -> Result<(), uc_error> {
        self.machine.restore(&saved.machine)?;
        (self.state, self.brk, self.refused) = (saved.state, saved.brk, saved.refused);
        self.ports.truncate(saved.ports);
        (self.listener, self.said, self.ending) = (Listener::default(), None, None);
        self.partial.clear();
        Ok(())
    }
}
