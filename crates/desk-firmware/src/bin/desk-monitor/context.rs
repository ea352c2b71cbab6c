//! What a world is when it does not run, and the registers of the CPU.

/// Reads a system register.
#[macro_export]
macro_rules! mrs {
    ($name:literal) => {{
        let value: u64;
        // SAFETY: reading a system register of this level changes nothing.
        unsafe { core::arch::asm!(concat!("mrs {}, ", $name), out(reg) value, options(nomem, nostack)) };
        value
    }};
}

/// Writes a system register.
#[macro_export]
macro_rules! msr {
    ($name:literal, $value:expr) => {{
        let value: u64 = $value;
        // SAFETY: the registers that the monitor writes shape what runs below it, not its own code or data: those of EL1
        // and EL2, and of EL3 the routing (SCR) and the return state (ELR, SPSR). No `nomem`: memory accesses must not
        // move across.
        unsafe { core::arch::asm!(concat!("msr ", $name, ", {}"), in(reg) value, options(nostack)) };
    }};
}

/// Waits until what was written to system registers counts.
pub fn isb() {
    // SAFETY: a barrier.
    unsafe { core::arch::asm!("isb", options(nostack)) };
}

macro_rules! el1_registers {
    ($($index:literal $name:literal),* $(,)?) => {
        /// How many registers of EL1 a world has.
        const EL1: usize = [$($index),*].len();

        fn save(to: &mut [u64; EL1]) {
            $(to[$index] = mrs!($name);)*
        }

        fn load(from: &[u64; EL1]) {
            $(msr!($name, from[$index]);)*
        }
    };
}

el1_registers!(
    0 "sp_el1", 1 "sctlr_el1", 2 "ttbr0_el1", 3 "ttbr1_el1", 4 "tcr_el1", 5 "mair_el1", 6 "vbar_el1", 7 "cpacr_el1",
    8 "contextidr_el1", 9 "tpidr_el0", 10 "tpidrro_el0", 11 "tpidr_el1", 12 "sp_el0", 13 "elr_el1", 14 "spsr_el1",
    15 "esr_el1", 16 "far_el1", 17 "par_el1", 18 "cntkctl_el1", 19 "amair_el1", 20 "csselr_el1", 21 "actlr_el1",
);

/// SCTLR_EL1 at reset: MMU and caches off.
const SCTLR_RESET: u64 = 0x30d0_0800;
/// EL1 with its own stack pointer, all interrupts masked.
const SPSR_EL1H: u64 = 0x3c5;

/// A world: its general registers (the assembly knows that they come first), and the rest.
#[repr(C, align(16))]
pub struct Context {
    /// x0 to x30.
    pub x: [u64; 31],
    elr: u64,
    spsr: u64,
    /// SCR_EL3 while it runs.
    scr: u64,
    el1: [u64; EL1],
}

impl Context {
    /// Zeroes, until [`Self::reset`].
    pub const fn new() -> Self {
        Self { x: [0; 31], elr: 0, spsr: 0, scr: 0, el1: [0; EL1] }
    }

    /// As the CPU is at reset, at an address, with a stack.
    pub fn reset(&mut self, scr: u64, entry: u64, stack: u64) {
        *self = Self::new();
        (self.elr, self.spsr, self.scr) = (entry, SPSR_EL1H, scr);
        self.el1[0] = stack;
        self.el1[1] = SCTLR_RESET;
    }

    /// Where exceptions of it go, for a moment: see `secure_timer`.
    pub fn set_vectors(&mut self, vbar: u64) {
        self.el1[6] = vbar;
    }

    /// Takes the CPU's registers in, all but the general ones.
    pub fn leave(&mut self) {
        (self.elr, self.spsr) = (mrs!("elr_el3"), mrs!("spsr_el3"));
        save(&mut self.el1);
    }

    /// Gives the CPU its registers, all but the general ones.
    pub fn enter(&self) {
        msr!("scr_el3", self.scr);
        isb();
        load(&self.el1);
        msr!("elr_el3", self.elr);
        msr!("spsr_el3", self.spsr);
        isb();
    }
}
