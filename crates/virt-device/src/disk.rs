//! What a device is on: a file, or in tests memory that loses power.

use rustix::fs::{FallocateFlags, fallocate};
use std::fmt::Debug;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// Bytes that are moved at once. Such a block of zeros is not written: its place has been made zeros before.
pub const BLOCK: usize = 256 << 10;
/// Bytes of zeros that are written at once where holes cannot be made.
const ZEROS: usize = 1 << 16;

/// Bytes that can be made to last.
pub trait Disk: Read + Write + Seek + Debug {
    /// Returns when all that was written will be there after a power cut.
    fn sync(&mut self) -> io::Result<()>;

    /// Makes `length` bytes from `offset` on read as zeros.
    fn zero(&mut self, offset: u64, length: u64) -> io::Result<()> {
        self.seek(SeekFrom::Start(offset))?;
        io::copy(&mut io::repeat(0).take(length), &mut io::BufWriter::with_capacity(ZEROS, self))?;
        Ok(())
    }

    /// The same disk for a thread that reads what was written while more is; none if it can only be read afterwards.
    fn behind(&self) -> io::Result<Option<File>> {
        Ok(None)
    }
}

impl Disk for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }

    fn behind(&self) -> io::Result<Option<File>> {
        self.try_clone().map(Some)
    }

    fn zero(&mut self, offset: u64, length: u64) -> io::Result<()> {
        let hole = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        match fallocate(&*self, hole, offset, length) {
            // Not every filesystem has holes.
            Err(rustix::io::Errno::OPNOTSUPP) => {
                self.seek(SeekFrom::Start(offset))?;
                io::copy(&mut io::repeat(0).take(length), &mut io::BufWriter::with_capacity(ZEROS, self))?;
                Ok(())
            }
            other => Ok(other?),
        }
    }
}
