//! What not to do: the allocation is not checked, and the heap is the default of 16 KiB.
//!
//! It takes f32 values as echo-srv does, "initialises all data" without a complaint, and dies on the first payload: the
//! failure that a team met on a board, and that `cargo xtask emulate` explains on the desk. Its second port shows the other ways to end.
#![cfg_attr(target_os = "none", no_std, no_main)]

extern crate alloc;

mod ends;

use alloc::alloc::Layout;
use echo_service::{HOLD, VALUE};
use tipc_bulk::MAX_DATA;
use trusty_ta::bulk::{Event, Link};
use trusty_ta::{ConnectResult, Handle, Message, MessageResult, PortCfg, Result, Service, Uuid, log};

/// Values that it believes to have room for: 256000 bytes.
const ROOM: usize = 64_000;

struct Unchecked {
    values: *mut u8,
}

#[derive(Default)]
struct Client {
    /// Whether it has come to the port where this app is asked to end.
    ends: bool,
    link: Link,
    came: usize,
    sent: usize,
}

impl Unchecked {
    fn new() -> Self {
        // SAFETY: the layout is not empty.
        let values = unsafe { alloc::alloc::alloc(Layout::new::<[f32; ROOM]>()) };
        log!("all data initialised");
        Self { values }
    }
}

impl Service for Unchecked {
    type Connection = Client;

    fn on_connect(&mut self, port: &PortCfg, _: &Handle, _: &Uuid) -> Result<ConnectResult<Client>> {
        let ends = port.path.to_bytes().ends_with(b".end");
        Ok(ConnectResult::Accept(Client { ends, ..Client::default() }))
    }

    fn on_message(
        &mut self,
        client: &mut Client,
        handle: &Handle,
        message: Message,
    ) -> Result<MessageResult> {
        let Client { ends, link, came, sent } = client;
        let mut payload = [0; MAX_DATA];
        if *ends {
            let length = message.read(&mut payload)?;
            ends::as_asked(payload.get(..length).unwrap_or_default());
            handle.send(b"still here")?;
            return Ok(MessageResult::MaintainConnection);
        }
        match link.on_message(handle, message, &mut payload)? {
            Event::Opened { total, .. } if total as usize <= ROOM * VALUE => {
                (*came, *sent) = (0, 0);
                link.accept(handle)?;
            }
            Event::Data(length) => {
                // SAFETY: none: this is the mistake. Nobody has looked whether there is any memory.
                unsafe { core::ptr::copy_nonoverlapping(payload.as_ptr(), self.values.add(*came), length) };
                *came += length;
                link.consumed(handle)?;
            }
            Event::Complete => link.open(handle, *came as u32, HOLD)?,
            Event::Flow => {
                // SAFETY: as little as above.
                let rest = unsafe { core::slice::from_raw_parts(self.values.add(*sent), *came - *sent) };
                *sent += link.send(handle, rest)?;
            }
            _ => {}
        }
        Ok(MessageResult::MaintainConnection)
    }

    fn on_disconnect(&mut self, _: Client) {}
}

trusty_ta::trusted_app!("unchecked-srv", Unchecked::new());
