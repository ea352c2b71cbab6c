//! Why a store does not do what is asked.

use crate::sealed::SealError;
use core::fmt;
use trusty_abi::Error;
use trusty_abi::storage::Outcome;

/// Why the store does not do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StorageError {
    /// It has no key yet: [`super::Storage::unlock`].
    Locked,
    /// No daemon is connected.
    NoProxy,
    /// The daemon has gone, or does not answer in time. Whether a change has become true is told by the next call.
    Gone(Error),
    /// The daemon could not do it: the disk is full, say.
    Refused(Outcome),
    /// The daemon answers what is no answer.
    Nonsense,
    /// There is no store: [`super::Storage::create`] makes one. If there was one, Linux has lost it or took it away.
    Absent,
    /// [`super::Storage::create`], and there is one.
    Present,
    /// No content has this name.
    NotFound,
    /// It was changed by somebody else, or sealed by another trusted app, chip or EKB; or a part of it is missing.
    Tampered,
    /// It is older than what was there.
    RolledBack {
        /// The counter that is known.
        known: u64,
        /// The counter that was found; 0 if no store is there any more.
        found: u64,
    },
    /// The counter outside gives an error.
    Counter(Error),
    /// A name is empty or longer than [`crate::storage::MAX_NAME`]; a content is longer than [`crate::storage::MAX_CONTENT`]; or there would be more than [`crate::storage::MAX_ENTRIES`].
    TooLarge,
    /// The heap has no room.
    NoMemory,
}

impl core::error::Error for StorageError {}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Locked => f.write_str("the store has no key yet"),
            Self::NoProxy => f.write_str("no daemon on Linux keeps the store: is carveout-stored running?"),
            Self::Gone(error) => write!(f, "the daemon on Linux is gone: {error}"),
            Self::Refused(outcome) => write!(f, "the daemon on Linux could not do it: {outcome:?}"),
            Self::Nonsense => f.write_str("the daemon on Linux answers what is no answer"),
            Self::Absent => f.write_str("there is no store"),
            Self::Present => f.write_str("there is a store already"),
            Self::NotFound => f.write_str("the store has no content of this name"),
            Self::Tampered => f.write_str("the store was changed by somebody else, or is another's"),
            Self::RolledBack { known, found } => {
                write!(f, "the store is an older one: state {found} was given, state {known} is known")
            }
            Self::Counter(error) => write!(f, "the counter outside: {error}"),
            Self::TooLarge => f.write_str("the name, the content or the store would be too large"),
            Self::NoMemory => f.write_str("the heap has no room for it"),
        }
    }
}

impl From<SealError> for StorageError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::NoMemory => Self::NoMemory,
            _ => Self::Tampered,
        }
    }
}
