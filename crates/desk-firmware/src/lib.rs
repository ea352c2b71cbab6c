//! What boots the secure-os image of a bundle in QEMU, and talks to its trusted apps.
//!
//! Three programs without an operating system, and what they and the host agree on:
//!
//! * `desk-monitor` at EL3 and S-EL2. It stands in for what runs before and below Trusty on a board: MB2, the monitor
//!   (ATF), and the devices of Tegra194 that Trusty touches. The kernel runs as it is flashed, in exactly the memory that
//!   the boot config gives it.
//! * `desk-agent` at non-secure EL1. It stands in for Linux: speaks QL-TIPC with Trusty and frames ([`link`]) with the host.
//! * `desk-test-kernel` at secure EL1: a kernel of a few ports that obeys the same contract, so that all of this is tested
//!   without NVIDIA's.
//!
//! The machine is QEMU's `virt` with `secure=on,virtualization=on,gic-version=2` and one CPU; [`map`] says what lies where.
//! Nothing here is meant for a device.
#![no_std]

pub mod boot;
pub mod link;
#[cfg(target_os = "none")]
pub mod machine;
pub mod map;
pub mod smc;
pub mod timer;

/// A sum of a page's words (FNV-1a, a word at a time): tells trusted apps apart by what they are loaded of.
pub fn page_sum(words: impl Iterator<Item = u32>) -> u64 {
    words.fold(0xcbf2_9ce4_8422_2325, |sum, word| (sum ^ u64::from(word)).wrapping_mul(0x0100_0000_01b3))
}
