//! Clock and sleep.

use crate::kernel::kernel;
use crate::syscalls::Syscalls;
use core::time::Duration;
use trusty_abi::Result;

/// Time since the kernel has started.
pub fn now() -> Result<Duration> {
    kernel().gettime().map(Duration::from_nanos)
}

/// Sleeps; the kernel rounds up to milliseconds. Nothing else of this TA runs meanwhile: a TA has one thread.
pub fn sleep(time: Duration) -> Result<()> {
    kernel().nanosleep(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}
