//! The two worlds, and what passes between them.

use crate::context::Context;
use crate::report::{self, fatal, line};
use crate::{mrs, secure_timer, start};
use core::cell::UnsafeCell;
use desk_firmware::timer::Access;
use desk_firmware::{map, smc};

/// SCR_EL3 of Trusty: S-EL2 in use (EEL2), EL1 may use the secure timer (ST), EL2 is AArch64 (RW), RES1. FIQ stays below.
pub const SCR_SECURE: u64 = 1 << 18 | 1 << 11 | 1 << 10 | 0x30;
/// SCR_EL3 of the non-secure side: the same and NS; FIQ comes here, and none is expected.
const SCR_NON_SECURE: u64 = SCR_SECURE | 1 << 2 | 1;
/// EC of an `smc` from AArch64.
const SMC: u64 = 0x17;
/// Arguments of a call that pass to Trusty.
const ARGUMENTS: usize = 8;

struct Worlds(UnsafeCell<[Context; 2]>);

// SAFETY: one CPU runs this code, EL3 does not interrupt itself, and references to the contexts end with each exception.
unsafe impl Sync for Worlds {}

static WORLDS: Worlds = Worlds(UnsafeCell::new([Context::new(), Context::new()]));

/// Runs the timer's probe first; what it says starts Trusty.
pub fn probe() -> *mut Context {
    // SAFETY: see the Sync of Worlds.
    let [trusty, agent] = unsafe { &mut *WORLDS.0.get() };
    secure_timer::prepare_probe(trusty, SCR_SECURE);
    agent.reset(SCR_NON_SECURE, map::AGENT, map::AGENT_END);
    trusty.enter();
    trusty
}

fn boot(trusty: &mut Context, timer: bool) {
    let block = start::load();
    if !timer {
        let replaced = secure_timer::replace(block.kernel_size);
        line(format_args!("timer: {replaced} instructions replaced"));
    }
    // Trusty's first code has no stack of its own, and finds there what firmware has left: the end of its memory.
    trusty.reset(SCR_SECURE, map::TZDRAM, map::TZDRAM + block.tzdram_size);
    trusty.x[0] = block.tzdram_size;
    trusty.x[1] = map::BOOT_PARAMS;
    trusty.x[2] = start::boot_params_size(&block);
}

/// What the vectors call for an `smc`, or what else comes from below: returns the context to go on with.
#[unsafe(no_mangle)]
extern "C" fn el3_exception(current: *mut Context) -> *mut Context {
    let esr = mrs!("esr_el3");
    // SAFETY: see the Sync of Worlds; `current` is one of them.
    let [trusty, agent] = unsafe { &mut *WORLDS.0.get() };
    let secure = core::ptr::eq(current, trusty);
    if esr >> 26 != SMC {
        let (of, elr, far) = (if secure { "Trusty" } else { "the agent" }, mrs!("elr_el3"), mrs!("far_el3"));
        fatal(format_args!("exception of {of} at EL3: esr 0x{esr:x} elr 0x{elr:x} far 0x{far:x}"));
    }
    let immediate = (esr & 0xffff) as u32;
    if !secure {
        agent.leave();
        trusty.x[..ARGUMENTS].copy_from_slice(&agent.x[..ARGUMENTS]);
        trusty.enter();
        return trusty;
    }
    if let Some(access) = Access::of_smc(immediate) {
        secure_timer::access(access, &mut trusty.x);
        return trusty;
    }
    if matches!(immediate, secure_timer::PROBE_CAN | secure_timer::PROBE_CANNOT) {
        boot(trusty, immediate == secure_timer::PROBE_CAN);
        trusty.enter();
        return trusty;
    }
    if trusty.x[0] as u32 != smc::NS_RETURN {
        // ATF knows more calls; of those Trusty needs none to boot.
        trusty.x[0] = u64::from(smc::result::UNDEFINED.cast_unsigned());
        return trusty;
    }
    if trusty.x[1] as i32 == smc::result::PANIC {
        report::panicked();
    }
    trusty.leave();
    agent.x[0] = trusty.x[1];
    agent.enter();
    agent
}
