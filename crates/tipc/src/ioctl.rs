//! How the driver connects.

use std::ffi::{CString, c_char, c_void};

/// `TIPC_IOC_CONNECT`, `_IOW('r', 0x80, char *)`; its argument is the name itself.
pub struct Connect<'a>(pub &'a CString);

// SAFETY: the opcode is the driver's (drivers/trusty/trusty-ipc.c), which only reads the name.
unsafe impl rustix::ioctl::Ioctl for Connect<'_> {
    type Output = ();
    const IS_MUTATING: bool = false;

    fn opcode(&self) -> rustix::ioctl::Opcode {
        rustix::ioctl::opcode::write::<*const c_char>(b'r', 0x80)
    }

    fn as_ptr(&mut self) -> *mut c_void {
        self.0.as_ptr().cast_mut().cast()
    }

    unsafe fn output_from_ptr(_: rustix::ioctl::IoctlOutput, _: *mut c_void) -> rustix::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::ioctl::Ioctl;

    #[test]
    fn the_ioctl_is_the_drivers() {
        let name = CString::new("p").unwrap();
        // _IOW('r', 0x80, char *) of a 64-bit kernel: write, 8 bytes.
        assert_eq!(Connect(&name).opcode(), 0x4008_7280);
    }
}
