//! What keeps files.

use trusty_abi::storage::Outcome;

/// What keeps files.
pub trait Files {
    /// Makes sure that a file is there: made if it may be, emptied if it is to be.
    fn open(&mut self, name: &str, create: bool, truncate: bool) -> Result<(), Outcome>;
    /// Bytes from an offset, as many as there are.
    fn read(&mut self, name: &str, offset: u64, size: usize) -> Result<Vec<u8>, Outcome>;
    /// Writes at an offset.
    fn write(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), Outcome>;
    /// Bytes of a file.
    fn size(&mut self, name: &str) -> Result<u64, Outcome>;
    /// Removes a file.
    fn delete(&mut self, name: &str) -> Result<(), Outcome>;
    /// Brings to the disk what was written and removed.
    fn sync(&mut self) -> Result<(), Outcome>;
}
