//! Bulk transfers over Trusty's IPC: up to 4 GiB - 1 in messages of at most 4080 bytes.
//!
//! State machines without I/O and without allocation, the same for both sides: a [`Sender`] turns bytes into messages, a
//! [`Receiver`] turns messages into bytes. Between them they keep at most a window of messages in flight, count every
//! byte, compare a CRC-32C of the whole, and say why a transfer ends. An [`Endpoint`] is both, for one end of a channel. Whoever lacks memory says so before data flows.
//! After any error the channel is clean again: packets of an ended transfer are known by its number and left out.
//!
//! The format is specified, byte by byte, in `docs/big-messages.md`.
//!
//! ```
//! use tipc_bulk::{Event, Packet, Receiver, Sender};
//!
//! let (mut sender, mut receiver) = (Sender::open(1, 5, 0), Receiver::new());
//! let open = sender.opening();
//! assert_eq!(receiver.on_packet(&open), Ok(Event::Opened { transfer: 1, total: 5, tag: 0 }));
//! sender.on_packet(&receiver.accept(4).unwrap())?;
//! let (header, length) = sender.data(b"hello").unwrap();
//! assert_eq!(receiver.on_packet(&Packet::parse_parts(&header, &b"hello"[..length])?), Ok(Event::Data(b"hello")));
//! # Ok::<(), tipc_bulk::Failure>(())
//! ```
#![no_std]
#![warn(clippy::indexing_slicing)]

mod checksum;
mod endpoint;
#[cfg(test)]
mod endpoint_tests;
mod failure;
mod packet;
mod receiver;
mod sender;
#[cfg(test)]
mod tests;
mod version;

pub use endpoint::{BUFFERS, Endpoint, Signal, Step, WINDOW};
pub use failure::{Failure, Reason};
pub use packet::{HEADER, MAX_DATA, MAX_MESSAGE, Packet};
pub use receiver::{Event, Receiver};
pub use sender::{Progress, Sender};
pub use version::VERSION;
