//! The TA's side.

use crate::{HOLD, STREAM, VALUE};
use alloc::vec::Vec;
use tipc_bulk::MAX_DATA;
use trusty_ta::bulk::{Event, Link, Reason};
use trusty_ta::{ConnectResult, Handle, Message, MessageResult, PortCfg, Result, Service, Uuid, log};

/// Holds one client's values at a time, and passes any client's bytes on.
pub struct EchoService {
    /// The values, as bytes.
    store: Vec<u8>,
    /// What was asked of the kernel, in values.
    wanted: usize,
    /// Whether a client's values are in the store.
    held: bool,
    /// Whether a refusal has been printed.
    told: bool,
    /// One message, on its way through.
    passing: [u8; MAX_DATA],
}

/// One client.
#[derive(Debug, Default)]
pub struct Client {
    link: Link,
    task: Task,
}

#[derive(Clone, Copy, Debug, Default)]
enum Task {
    #[default]
    None,
    /// So many bytes of the store have come.
    Hold(usize),
    /// So many of so many bytes of the store have been sent back.
    Return(usize, usize),
    Stream,
}

impl EchoService {
    /// Asks for room for `wanted` values. If it is refused, that is said on the console and to every client, and no
    /// value is ever stored.
    pub fn new(wanted: usize) -> Self {
        let mut store = Vec::new();
        let bytes = wanted.saturating_mul(VALUE);
        match store.try_reserve_exact(bytes) {
            Ok(()) => {
                store.resize(bytes, 0);
                log!("has room for {wanted} f32 values ({bytes} bytes)");
            }
            Err(_) => log!("no memory for {wanted} f32 values ({bytes} bytes): raise min_heap"),
        }
        Self { store, wanted, held: false, told: false, passing: [0; MAX_DATA] }
    }

    fn open(&mut self, client: &mut Client, handle: &Handle, total: u32, tag: u32) -> Result<()> {
        let room = self.store.len();
        let fits = total as usize <= room && room >= self.wanted.saturating_mul(VALUE);
        let refusal = match tag {
            _ if client.link.is_sending() => Reason::Busy,
            STREAM => {
                client.task = Task::Stream;
                return client.link.relay(handle, STREAM);
            }
            HOLD if !(total as usize).is_multiple_of(VALUE) => Reason::Unsupported,
            HOLD if !fits => Reason::NoMemory,
            HOLD if self.held => Reason::Busy,
            HOLD => {
                self.held = true;
                client.task = Task::Hold(0);
                return client.link.accept(handle);
            }
            _ => Reason::Unsupported,
        };
        // Once: a hostile client shall not flood the console.
        if !core::mem::replace(&mut self.told, true) {
            log!("refuses {total} bytes: {refusal:?}, room for {room}");
        }
        client.link.refuse(handle, refusal, u32::try_from(room).unwrap_or(u32::MAX))
    }

    /// The client needs the store no more.
    fn release(&mut self, client: &mut Client) {
        if matches!(client.task, Task::Hold(_) | Task::Return(..)) {
            self.held = false;
        }
        client.task = Task::None;
    }

    /// Where the data of the next message belongs.
    fn place(&mut self, task: Task) -> &mut [u8] {
        match task {
            Task::Hold(came) => self.store.get_mut(came..).unwrap_or_default(),
            _ => &mut self.passing,
        }
    }

    fn on_data(&mut self, client: &mut Client, handle: &Handle, length: usize) -> Result<()> {
        match &mut client.task {
            Task::Hold(came) => *came += length,
            _ => drop(client.link.send(handle, self.passing.get(..length).unwrap_or_default())?),
        }
        client.link.consumed(handle)
    }

    /// Sends what may be sent now.
    fn on_flow(&mut self, client: &mut Client, handle: &Handle) -> Result<()> {
        match &mut client.task {
            Task::Return(sent, total) => {
                *sent += client.link.send(handle, self.store.get(*sent..*total).unwrap_or_default())?;
            }
            _ => drop(client.link.send(handle, &[])?),
        }
        Ok(())
    }
}

impl Service for EchoService {
    type Connection = Client;

    fn on_connect(&mut self, _: &PortCfg, _: &Handle, _: &Uuid) -> Result<ConnectResult<Client>> {
        Ok(ConnectResult::Accept(Client::default()))
    }

    fn on_message(
        &mut self,
        client: &mut Client,
        handle: &Handle,
        message: Message,
    ) -> Result<MessageResult> {
        let place = self.place(client.task);
        match client.link.on_message(handle, message, place)? {
            Event::Opened { total, tag } => self.open(client, handle, total, tag)?,
            Event::Data(length) => self.on_data(client, handle, length)?,
            Event::Complete => match client.task {
                Task::Hold(came) => {
                    client.task = Task::Return(0, came);
                    client.link.open(handle, came as u32, HOLD)?;
                }
                _ => self.on_flow(client, handle)?,
            },
            Event::Flow => self.on_flow(client, handle)?,
            Event::Sent => self.release(client),
            // The other direction goes its own way.
            Event::ReceiveFailed(_) if matches!(client.task, Task::Return(..)) => {}
            Event::SendFailed(_) if matches!(client.task, Task::Hold(_)) => {}
            Event::ReceiveFailed(_) | Event::SendFailed(_) => self.release(client),
            Event::Nothing => {}
        }
        Ok(MessageResult::MaintainConnection)
    }

    fn on_disconnect(&mut self, mut client: Client) {
        self.release(&mut client);
    }
}
