//! States of a store, and what leads from one to the next.

/// Bytes of a name.
pub const MAX_NAME: usize = 64;
/// Bytes of a content.
pub const MAX_CONTENT: usize = 1 << 20;
/// Contents of a store.
pub const MAX_ENTRIES: usize = 128;
/// Changes that become true together.
pub const MAX_CHANGES: usize = 16;

/// What tells a store's states apart. It rises with each change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// Changes so far.
    pub counter: u64,
    /// Digest of the table, and by it of all contents.
    pub root: [u8; 32],
}

/// A change of a store.
#[derive(Clone, Copy, Debug)]
pub enum Change<'a> {
    /// A name has this content from now on.
    Put(&'a [u8], &'a [u8]),
    /// A name is there no more.
    Remove(&'a [u8]),
}
