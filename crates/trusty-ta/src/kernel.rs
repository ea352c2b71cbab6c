//! The kernel: Trusty's own, or on a host the model in memory.

use crate::syscalls::Syscalls;

/// The kernel that this code runs on.
pub(crate) fn kernel() -> impl Syscalls {
    #[cfg(target_os = "none")]
    return crate::target::Kernel;
    #[cfg(not(target_os = "none"))]
    return crate::testing::Current;
}
