//! A question to another TA and its answer, each a transfer.

use super::{Event, Failure, Link, Reason};
use crate::handle::Handle;
use alloc::vec::Vec;
use core::ffi::CStr;
use core::time::Duration;
use trusty_abi::{Error, event};

/// Why a call has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError {
    /// A system call was refused: `NotFound` without such a port, `TimedOut`, `ChannelClosed` if the other TA closed.
    Tipc(Error),
    /// The other TA ended a transfer before its time, or refused it.
    Failed(Failure),
    /// The answer has so many bytes, more than the limit. The other TA knows.
    TooLarge(u32),
    /// There is no room in the heap for an answer of so many bytes. The other TA knows.
    NoMemory(u32),
}

impl From<Error> for CallError {
    fn from(error: Error) -> Self {
        Self::Tipc(error)
    }
}

impl core::fmt::Display for CallError {
    fn fmt(&self, f: &mut core::fmt::Formatter) -> core::fmt::Result {
        match self {
            Self::Tipc(error) => error.fmt(f),
            Self::Failed(failure) => failure.fmt(f),
            Self::TooLarge(total) => write!(f, "the answer of {total} bytes is larger than what is taken"),
            Self::NoMemory(total) => write!(f, "no memory for the answer of {total} bytes"),
        }
    }
}

impl core::error::Error for CallError {}

/// Connects to a port of another TA, sends it a transfer with a tag, and returns the transfer that comes back: `limit` bytes at most.
/// `timeout` is the longest wait for a message of the other TA; `None` waits for ever.
///
/// Nothing else of this TA runs meanwhile: call no TA that calls this one. `TooBig` if the request has 4 GiB or more.
pub fn call(
    port: &CStr,
    tag: u32,
    request: &[u8],
    limit: usize,
    timeout: Option<Duration>,
) -> core::result::Result<Vec<u8>, CallError> {
    let total = u32::try_from(request.len()).map_err(|_| Error::TooBig)?;
    let (handle, mut link) = (Handle::connect(port)?, Link::new());
    link.open(&handle, total, tag)?;
    let (mut sent, mut came, mut answer) = (0, 0, Vec::new());
    loop {
        let Some(message) = handle.get()? else {
            let waited = handle.wait(timeout)?;
            if waited.event & event::MSG == 0 && waited.event & event::HUP != 0 {
                return Err(Error::ChannelClosed.into());
            }
            continue;
        };
        match link.on_message(&handle, message, answer.get_mut(came..).unwrap_or_default())? {
            Event::Opened { total, .. } => {
                let room = |total: u32| usize::try_from(total).ok().filter(|total| *total <= limit);
                let Some(size) = room(total) else {
                    link.refuse(&handle, Reason::NoMemory, u32::try_from(limit).unwrap_or(u32::MAX))?;
                    return Err(CallError::TooLarge(total));
                };
                if answer.try_reserve_exact(size).is_err() {
                    link.refuse(&handle, Reason::NoMemory, 0)?;
                    return Err(CallError::NoMemory(total));
                }
                answer.resize(size, 0);
                link.accept(&handle)?;
            }
            Event::Data(length) => {
                came += length;
                link.consumed(&handle)?;
            }
            Event::Complete => return Ok(answer),
            Event::Flow => sent += link.send(&handle, request.get(sent..).unwrap_or_default())?,
            Event::ReceiveFailed(failure) | Event::SendFailed(failure) => {
                return Err(CallError::Failed(failure));
            }
            Event::Sent | Event::Nothing => {}
        }
    }
}
