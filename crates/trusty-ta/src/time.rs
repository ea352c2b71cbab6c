//! Clock and sleep.

use crate::kernel::kernel;
use crate::syscalls::Syscalls;
use core::time::Duration;
use trusty_abi::{INFINITE, MAX_TIMEOUT, Result};

/// Time since the kernel has started.
pub fn now() -> Result<Duration> {
    kernel().gettime().map(Duration::from_nanos)
}

/// Sleeps; the kernel rounds up to milliseconds. Nothing else of this TA runs meanwhile: a TA has one thread.
pub fn sleep(time: Duration) -> Result<()> {
    kernel().nanosleep(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX))
}

/// Milliseconds for the kernel, rounded up; `None` waits for ever.
pub(crate) fn milliseconds(timeout: Option<Duration>) -> u32 {
    let whole = |timeout: Duration| timeout.as_nanos().div_ceil(1_000_000).min(u128::from(MAX_TIMEOUT));
    timeout.map_or(INFINITE, |timeout| whole(timeout) as u32)
}
