//! System calls as they are: for TAs that look at the kernel itself, and for calls that have no wrapper here.
//!
//! Handles, messages and the heap belong to the run-time: what is opened here is to be closed here, and `brk` is the
//! allocator's as soon as something has been allocated.

/// One system call, by its number of [`nr`](trusty_abi::nr) or any other: its result, or an error code, which is negative.
/// On a host, where no kernel is, -24 (`NotSupported`).
///
/// # Safety
/// Pointers among the arguments must be valid for what the call reads and writes, or such that the kernel refuses them.
pub unsafe fn syscall(number: u32, arguments: [usize; 4]) -> i32 {
    #[cfg(target_os = "none")]
    // SAFETY: as the caller answers for.
    return unsafe { crate::target::syscall(number, arguments) };
    #[cfg(not(target_os = "none"))]
    {
        let _ = (number, arguments);
        trusty_abi::Error::NotSupported.code()
    }
}
