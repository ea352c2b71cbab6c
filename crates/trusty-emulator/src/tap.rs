//! Where a debugger wants a trusted app to stop. No engine is known here.

use std::collections::BTreeSet;
use std::ops::Range;

/// What kind of access is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watched {
    /// Writes.
    Writes,
    /// Reads.
    Reads,
    /// Both.
    Both,
}

impl Watched {
    fn covers(self, write: bool) -> bool {
        match self {
            Self::Writes => write,
            Self::Reads => !write,
            Self::Both => true,
        }
    }
}

/// Why a trusted app stops for the debugger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    /// An instruction with a breakpoint is next.
    Breakpoint,
    /// The next instruction accesses what is watched: here.
    Watch(Watched, u32),
    /// One instruction was executed.
    Step,
}

/// Registers and memory before an instruction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Before {
    /// r0 to r15, and the status register.
    pub registers: [u32; 17],
    /// What it has overwritten, in order.
    pub written: Vec<(u32, Vec<u8>)>,
}

/// What a debugger wants.
#[derive(Default)]
pub struct Tap {
    breakpoints: BTreeSet<u32>,
    watches: Vec<(Range<u64>, Watched)>,
    step: bool,
    /// The next instruction is that where it had stopped: it runs.
    fresh: bool,
    /// That instruction runs now.
    quiet: bool,
    hit: Option<Hit>,
    before: Before,
}

impl Tap {
    /// Sets a breakpoint.
    pub fn break_at(&mut self, address: u32) {
        self.breakpoints.insert(address);
    }

    /// Removes a breakpoint; whether there was one.
    pub fn unbreak(&mut self, address: u32) -> bool {
        self.breakpoints.remove(&address)
    }

    /// Watches memory.
    pub fn watch(&mut self, address: u32, length: u32, watched: Watched) {
        self.watches.push((range(address, length), watched));
    }

    /// Watches it no more; whether it was.
    pub fn unwatch(&mut self, address: u32, length: u32, watched: Watched) -> bool {
        let is = |watch: &(Range<u64>, Watched)| *watch == (range(address, length), watched);
        let found = self.watches.iter().position(is);
        found.map(|at| self.watches.swap_remove(at)).is_some()
    }

    /// Lets it run on, or one instruction.
    pub fn resume(&mut self, step: bool) {
        (self.step, self.fresh, self.hit) = (step, true, None);
    }

    /// Nobody debugs it any more.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    /// Whether accesses matter: then [`Self::keep`] is to be called before each instruction.
    pub fn watches(&self) -> bool {
        !self.watches.is_empty()
    }

    /// An instruction is next: whether to stop there.
    pub fn instruction(&mut self, address: u32) -> bool {
        if self.hit.is_some() {
            return true;
        }
        self.quiet = std::mem::take(&mut self.fresh);
        if !self.quiet {
            self.hit = match () {
                () if self.breakpoints.contains(&address) => Some(Hit::Breakpoint),
                () if self.step => Some(Hit::Step),
                () => None,
            };
        }
        self.hit.is_some()
    }

    /// Keeps the registers before an instruction, if it is not stopping.
    pub fn keep(&mut self, registers: [u32; 17]) {
        if self.hit.is_none() {
            self.before = Before { registers, written: Vec::new() };
        }
    }

    /// An instruction accesses memory, which holds `old` if it is to be written: whether to stop in front of it.
    pub fn access(&mut self, address: u32, length: u32, old: Option<Vec<u8>>) -> bool {
        let write = old.is_some();
        self.before.written.extend(old.map(|old| (address, old)));
        if !self.quiet && self.hit.is_none() {
            self.hit = self.watched(address, length, write);
        }
        self.hit.is_some()
    }

    /// The kernel has written to its memory. It stops when the system call is over.
    pub fn kernel_wrote(&mut self, address: u32, length: u32) {
        if self.hit.is_none() {
            self.hit = self.watched(address, length, true);
            self.before = Before::default();
        }
    }

    fn watched(&self, address: u32, length: u32, write: bool) -> Option<Hit> {
        let accessed = range(address, length);
        let meets = |watch: &Range<u64>| watch.start < accessed.end && accessed.start < watch.end;
        let (watch, watched) =
            self.watches.iter().find(|(watch, watched)| meets(watch) && watched.covers(write))?;
        Some(Hit::Watch(*watched, watch.start.max(accessed.start) as u32))
    }

    /// Why it stops, once; and of an access what is to be restored.
    pub fn take_hit(&mut self) -> Option<(Hit, Before)> {
        self.hit.take().map(|hit| (hit, std::mem::take(&mut self.before)))
    }
}

fn range(address: u32, length: u32) -> Range<u64> {
    u64::from(address)..u64::from(address) + u64::from(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_breakpoint_lets_its_instruction_run_when_it_is_resumed() {
        let mut tap = Tap::default();
        tap.break_at(0x8000);
        tap.resume(false);
        assert!(!tap.instruction(0x8000) && !tap.instruction(0x8004) && tap.instruction(0x8000));
        assert_eq!(tap.take_hit().map(|(hit, _)| hit), Some(Hit::Breakpoint));
        assert!(tap.take_hit().is_none() && tap.unbreak(0x8000) && !tap.unbreak(0x8000));
    }

    #[test]
    fn a_step_is_one_instruction() {
        let mut tap = Tap::default();
        tap.resume(true);
        assert!(!tap.instruction(0x8000) && tap.instruction(0x8004) && tap.instruction(0x8008));
        assert_eq!(tap.take_hit().map(|(hit, _)| hit), Some(Hit::Step));
    }

    #[test]
    fn what_is_watched_stops_before_it_is_accessed() {
        let mut tap = Tap::default();
        tap.watch(0x9002, 2, Watched::Writes);
        tap.watch(0x9100, 4, Watched::Reads);
        tap.resume(false);
        // Where it had stopped nothing stops it again.
        tap.instruction(0x8000);
        assert!(!tap.access(0x9002, 2, Some(vec![0; 2])));
        tap.instruction(0x8004);
        tap.keep([1; 17]);
        assert!(!tap.access(0x9000, 2, Some(vec![7; 2])) && !tap.access(0x9002, 2, None));
        assert!(tap.access(0x9000, 4, Some(vec![8; 4])));
        let (hit, before) = tap.take_hit().unwrap();
        assert_eq!(hit, Hit::Watch(Watched::Writes, 0x9002));
        assert_eq!((before.registers, before.written.len()), ([1; 17], 2));
        tap.instruction(0x8008);
        assert!(tap.access(0x90fe, 4, None) && tap.take_hit().is_some());
        tap.kernel_wrote(0x9000, 2);
        assert!(tap.take_hit().is_none());
        tap.kernel_wrote(0x9000, 3);
        assert_eq!(tap.take_hit().map(|(hit, _)| hit), Some(Hit::Watch(Watched::Writes, 0x9002)));
        assert!(tap.unwatch(0x9002, 2, Watched::Writes) && !tap.unwatch(0x9002, 2, Watched::Writes));
    }
}
