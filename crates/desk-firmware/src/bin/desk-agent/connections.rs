//! The host's connections, and Trusty's channels behind them.

use crate::host::Host;
use crate::trusty::{Dead, Trusty};
use desk_firmware::link::{self, Header, PAYLOAD};
use desk_firmware::smc::{ql, result};

/// Events of a channel.
mod event {
    pub const READY: u32 = 1;
    pub const HANG_UP: u32 = 4;
    pub const MESSAGE: u32 = 8;
}

/// LK: an error without a name. Trusty does not tell QL-TIPC why it refuses.
const GENERIC: i32 = -1;
/// LK: no more resources.
const NO_RESOURCES: i32 = -41;
/// LK: no room in the port's receive buffers.
const NOT_ENOUGH_BUFFER: i32 = -9;
/// LK: the other side has closed.
const CHANNEL_CLOSED: i32 = -15;
/// Longest port name, with its NUL.
const NAME: usize = 256;
/// Before the name: a cookie and a reserved word.
const CONNECT_HEAD: usize = 16;

#[derive(Clone, Copy)]
struct Connection {
    /// The host's number.
    number: u16,
    /// QL-TIPC's handle.
    handle: u32,
    /// Messages that the host has room for.
    credit: u32,
}

/// All connections: as many as one QL-TIPC device has.
pub struct Connections([Option<Connection>; ql::CHANNELS]);

impl Connections {
    /// None yet.
    pub fn new() -> Self {
        Self([None; ql::CHANNELS])
    }

    fn find(&mut self, number: u16) -> Option<&mut Option<Connection>> {
        self.0.iter_mut().find(|slot| slot.is_some_and(|connection| connection.number == number))
    }

    /// Does what a frame of the host asks for. One for a connection that has ended meanwhile is late, and means nothing.
    pub fn take(
        &mut self,
        header: Header,
        payload: &[u8],
        trusty: &mut Trusty,
        host: &mut Host,
    ) -> Result<(), Dead> {
        let Header { kind, connection: number, .. } = header;
        if kind == link::CONNECT {
            return self.connect(number, payload, trusty, host);
        }
        let Some(slot) = self.find(number) else { return Ok(()) };
        let Some(connection) = slot else { return Ok(()) };
        match kind {
            link::MESSAGE => send(connection, payload, trusty, host),
            link::CLOSE => {
                let handle = connection.handle;
                *slot = None;
                trusty.command(ql::DISCONNECT, handle, &[], host).map(|_| ())
            }
            link::CREDIT => {
                let granted = payload.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
                connection.credit = connection.credit.saturating_add(granted);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn connect(
        &mut self,
        number: u16,
        name: &[u8],
        trusty: &mut Trusty,
        host: &mut Host,
    ) -> Result<(), Dead> {
        let Some(slot) = self.0.iter_mut().find(|slot| slot.is_none()) else {
            host.send(link::CLOSE, number, &NO_RESOURCES.to_le_bytes());
            return Ok(());
        };
        // Zeroes: cookie, reserved word, and the NUL behind the name.
        let mut request = [0; CONNECT_HEAD + NAME];
        let length = name.len().min(NAME - 1);
        if let (Some(to), Some(name)) =
            (request.get_mut(CONNECT_HEAD..CONNECT_HEAD + length), name.get(..length))
        {
            to.copy_from_slice(name);
        }
        let request = request.get(..CONNECT_HEAD + length + 1).unwrap_or_default();
        let answer = trusty.command(ql::CONNECT, 0, request, host)?;
        if answer.result < 0 {
            let code = if answer.result == result::INTERNAL_FAILURE { GENERIC } else { answer.result };
            host.send(link::CLOSE, number, &code.to_le_bytes());
        } else {
            *slot = Some(Connection { number, handle: answer.handle, credit: 0 });
        }
        Ok(())
    }

    /// Fetches what Trusty has for connections. Whether there was anything.
    pub fn poll(&mut self, trusty: &mut Trusty, host: &mut Host) -> Result<bool, Dead> {
        let mut any = false;
        for slot in &mut self.0 {
            while let Some(connection) = slot {
                let event = trusty.command(ql::GET_EVENT, connection.handle, &[0; 8], host)?;
                let mut bytes = [0; 4];
                let events = if event.result < 0 || trusty.payload(&event, &mut bytes) < 4 {
                    0
                } else {
                    u32::from_le_bytes(bytes)
                };
                if events & event::READY != 0 {
                    host.send(link::ACCEPTED, connection.number, &[]);
                }
                if events & event::MESSAGE != 0 {
                    if connection.credit == 0 {
                        // The host will grant more, and events are levels.
                        any |= events & event::READY != 0;
                        break;
                    }
                    connection.credit -= 1;
                    receive(connection, trusty, host)?;
                } else if events & event::HANG_UP != 0 || event.result < 0 {
                    host.send(link::CLOSE, connection.number, &CHANNEL_CLOSED.to_le_bytes());
                    trusty.command(ql::DISCONNECT, connection.handle, &[], host)?;
                    *slot = None;
                } else if events & event::READY == 0 {
                    break;
                }
                any = true;
            }
        }
        Ok(any)
    }
}

/// Sends a message. One that finds no receive buffer is tried again when the trusted app has had its turn; after that it is
/// lost, as it is on a board, and the host is told.
fn send(connection: &Connection, payload: &[u8], trusty: &mut Trusty, host: &mut Host) -> Result<(), Dead> {
    let mut answer = trusty.command(ql::SEND, connection.handle, payload, host)?;
    if answer.result == result::INTERNAL_FAILURE {
        trusty.run_all(host)?;
        answer = trusty.command(ql::SEND, connection.handle, payload, host)?;
    }
    let length = payload.len() as u32;
    if answer.result == result::INTERNAL_FAILURE {
        // Or the channel has been closed, which its next event tells.
        answer.result = NOT_ENOUGH_BUFFER;
    }
    if answer.result != length.cast_signed() {
        let mut lost = [0; 8];
        let (head, tail) = lost.split_at_mut(4);
        head.copy_from_slice(&length.to_le_bytes());
        tail.copy_from_slice(&answer.result.to_le_bytes());
        host.send(link::LOST, connection.number, &lost);
    }
    Ok(())
}

fn receive(connection: &Connection, trusty: &mut Trusty, host: &mut Host) -> Result<(), Dead> {
    let answer = trusty.command(ql::RECV, connection.handle, &[], host)?;
    let mut message = [0; PAYLOAD];
    if answer.result >= 0 {
        let length = trusty.payload(&answer, &mut message);
        host.send(link::MESSAGE, connection.number, message.get(..length).unwrap_or_default());
    }
    Ok(())
}
