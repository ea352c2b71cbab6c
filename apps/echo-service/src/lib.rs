//! Echo of f32 arrays: what `echo-srv` and `small-echo-srv` do, and the messages by which clients talk to them.
//!
//! A client says how many values it wants to keep ([`Request::Open`]), puts them piece by piece and gets them back
//! piece by piece. The TA holds all of them at once, in memory that it asked for when it started; if the kernel
//! refused that memory, or the client asks for more than there is, the answer says so and the TA goes on serving.
#![no_std]
#![warn(clippy::indexing_slicing)]

extern crate alloc;

mod protocol;
mod service;

pub use protocol::{
    HEADER_SIZE, MAX_VALUES, ProtocolError, REPLY_SIZE, Reply, Request, Status, values, write_values,
};
pub use service::EchoService;
