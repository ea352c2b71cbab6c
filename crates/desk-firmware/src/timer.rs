//! The secure physical timer's instructions.
//!
//! Trusty programs `CNTPS_*_EL1` at S-EL1. The architecture makes that undefined while S-EL2 is in use; some versions of QEMU
//! let it pass, others (from 9.2.3 on) do not. For these the monitor replaces each such instruction in memory by an `smc`
//! with an immediate that says what was asked, and does it at EL3, where it is defined.

/// A register of the timer, by `op2` of its encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// `CNTPS_TVAL_EL1`.
    Tval,
    /// `CNTPS_CTL_EL1`.
    Ctl,
    /// `CNTPS_CVAL_EL1`.
    Cval,
}

/// One access.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Access {
    /// `mrs` rather than `msr`.
    pub read: bool,
    /// What.
    pub register: Register,
    /// The general register; 31 is zero.
    pub rt: u32,
}

/// `msr s3_7_c14_c2_0, x0`.
const MSR: u32 = 0xd51f_e200;
/// The bit that makes it `mrs`.
const READ: u32 = 1 << 21;
/// `smc #0`.
const SMC: u32 = 0xd400_0003;
/// Immediates of ours begin here: 0x5400 | read << 7 | register << 5 | rt.
const IMMEDIATE: u32 = 0x5400;

impl Register {
    fn of(op2: u32) -> Option<Self> {
        [Self::Tval, Self::Ctl, Self::Cval].into_iter().nth(op2 as usize)
    }
}

impl Access {
    /// The access that an instruction makes, if it is one.
    pub fn decode(instruction: u32) -> Option<Self> {
        let rest = instruction & !(READ | 0xff);
        let register = Register::of(instruction >> 5 & 7)?;
        (rest == MSR & !0xff).then_some(Self {
            read: instruction & READ != 0,
            register,
            rt: instruction & 31,
        })
    }

    /// The call that takes its place.
    pub fn to_smc(self) -> u32 {
        let register = self.register as u32;
        SMC | (IMMEDIATE | u32::from(self.read) << 7 | register << 5 | self.rt) << 5
    }

    /// The access that a call stands for, by its immediate.
    pub fn of_smc(immediate: u32) -> Option<Self> {
        let register = Register::of(immediate >> 5 & 3)?;
        let ours = immediate & !0xff == IMMEDIATE;
        ours.then_some(Self { read: immediate & 1 << 7 != 0, register, rt: immediate & 31 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Encodings as GNU as makes them.
    #[test]
    fn the_timers_instructions_are_known() {
        let of = |read, register, rt| Some(Access { read, register, rt });
        for (instruction, expected) in [
            (0xd51f_e221, of(false, Register::Ctl, 1)), // msr cntps_ctl_el1, x1
            (0xd51f_e25f, of(false, Register::Cval, 31)), // msr cntps_cval_el1, xzr
            (0xd53f_e203, of(true, Register::Tval, 3)), // mrs x3, cntps_tval_el1
            (0xd51b_e220, None),                        // msr cntp_ctl_el0, x0
            (0xd51f_e320, None),                        // another register
            (0xd51f_e260, None),                        // op2 3
            (0xd503_201f, None),                        // nop
        ] {
            assert_eq!(Access::decode(instruction), expected, "{instruction:08x}");
        }
    }

    #[test]
    fn each_access_comes_back_from_its_call() {
        for base in [MSR, MSR | READ] {
            for low in 0..0x60 {
                let access = Access::decode(base | low).unwrap();
                let smc = access.to_smc();
                assert_eq!(smc & 0xffe0_001f, SMC, "{smc:08x}");
                assert_eq!(Access::of_smc(smc >> 5 & 0xffff), Some(access));
            }
        }
        assert_eq!(Access::of_smc(0), None);
        assert_eq!(Access::of_smc(IMMEDIATE | 3 << 5), None);
    }
}
