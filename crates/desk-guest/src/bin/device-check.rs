//! Runs in the guest, for tests: what Trusty's device answers to a client that does what it may, and what it may not.
//!
//! Its argument is the port of a trusted app that answers each message with itself.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags, fcntl_setfl, open};
use rustix::io::{Errno, read, write};
use rustix::ioctl::{Ioctl, IoctlOutput, Opcode, ioctl};
use std::ffi::{CString, c_void};
use std::os::fd::OwnedFd;
use tipc::ioctl::Connect;

const DEVICE: &str = "/dev/trusty-ipc-dev0";
/// Longest message.
const LONGEST: usize = 4080;

/// An ioctl without an argument.
struct Other(Opcode);

// SAFETY: no memory is named.
unsafe impl Ioctl for Other {
    type Output = ();
    const IS_MUTATING: bool = false;

    fn opcode(&self) -> Opcode {
        self.0
    }

    fn as_ptr(&mut self) -> *mut c_void {
        std::ptr::null_mut()
    }

    unsafe fn output_from_ptr(_: IoctlOutput, _: *mut c_void) -> rustix::io::Result<()> {
        Ok(())
    }
}

fn device() -> Result<OwnedFd, Errno> {
    open(DEVICE, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
}

fn connect(device: &OwnedFd, port: &str) -> Result<(), Errno> {
    let name = CString::new(port).map_err(|_| Errno::INVAL)?;
    // SAFETY: the driver only reads the name.
    unsafe { ioctl(device, Connect(&name)) }
}

fn events(device: &OwnedFd, milliseconds: i64) -> Result<String, Errno> {
    let wanted = PollFlags::IN | PollFlags::OUT;
    let mut fds = [PollFd::new(device, wanted)];
    let time = Timespec { tv_sec: 0, tv_nsec: milliseconds * 1_000_000 };
    poll(&mut fds, Some(&time))?;
    let [fd] = &fds;
    Ok(format!("{:?}", fd.revents().iter_names().map(|(name, _)| name).collect::<Vec<_>>()))
}

fn said<T: std::fmt::Debug>(what: &str, result: Result<T, Errno>) {
    match result {
        Ok(value) => println!("{what}: {value:?}"),
        Err(error) => println!("{what}: {}", std::io::Error::from(error)),
    }
}

fn main() -> Result<(), Errno> {
    let port = std::env::args().nth(1).unwrap_or_default();
    let mut buffer = vec![0; LONGEST + 1];
    let fresh = device()?;
    said("read before a connection", read(&fresh, &mut buffer[..]));
    said("write before a connection", write(&fresh, b"x"));
    said("poll before a connection", events(&fresh, 0));
    said("connect to a port that is not there", connect(&fresh, "no.such.port"));
    said("the same with a name of 300 bytes", connect(&fresh, &"n".repeat(300)));
    said("another ioctl of the driver's type", {
        // SAFETY: no memory is named.
        unsafe { ioctl(&fresh, Other(rustix::ioctl::opcode::none(b'r', 0x81))) }
    });
    said("an ioctl of another type", {
        // SAFETY: no memory is named.
        unsafe { ioctl(&fresh, Other(rustix::ioctl::opcode::none(b'q', 0x80))) }
    });
    said("connect after a refusal", connect(&fresh, &port));
    said("connect twice", connect(&fresh, &port));
    said("poll", events(&fresh, 0));
    said("write 4081 bytes", write(&fresh, &vec![7; LONGEST + 1]));
    said("write 4080 bytes", write(&fresh, &vec![7; LONGEST]));
    said("wait for the answer", wait(&fresh));
    said("read into 4079 bytes", read(&fresh, &mut buffer[..LONGEST - 1]));
    said("read into 4080 bytes", read(&fresh, &mut buffer[..LONGEST]));
    println!("the same bytes: {}", buffer.iter().take(LONGEST).all(|byte| *byte == 7));
    fcntl_setfl(&fresh, OFlags::NONBLOCK)?;
    said("read without blocking", read(&fresh, &mut buffer[..]));
    fcntl_setfl(&fresh, OFlags::empty())?;
    // Each file is a connection of its own.
    let files: Vec<OwnedFd> = (0..8).map(|_| device()).collect::<Result<_, _>>()?;
    let connected = files.iter().filter(|file| connect(file, &port).is_ok()).count();
    println!("connections at once: {}", connected + 1);
    for (number, file) in (0..).zip(&files) {
        write(file, &[number])?;
    }
    let mut right = 0;
    for (number, file) in (0..).zip(&files) {
        right += usize::from(read(file, &mut buffer[..])? == 1 && buffer.first() == Some(&number));
    }
    println!("each gets its own answer: {}", right == files.len());
    Ok(())
}

fn wait(device: &OwnedFd) -> Result<String, Errno> {
    for _ in 0..500 {
        let found = events(device, 20)?;
        if found.contains("IN") {
            return Ok(found);
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    Err(Errno::TIMEDOUT)
}
