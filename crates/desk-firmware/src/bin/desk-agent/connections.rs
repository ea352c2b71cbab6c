//! The host's connections, and Trusty's channels behind them.

use crate::host::Host;
use crate::trusty::{Dead, Trusty};
use desk_firmware::link::{self, Header, PAYLOAD};
use desk_firmware::smc::{ql, result};
use trusty_abi::{Error, event};

/// Longest port name, with its NUL.
const NAME: usize = 256;
/// Before the name: a cookie and a reserved word.
const CONNECT_HEAD: usize = 16;

#[derive(Clone, Copy)]
struct Connection {
    /// The host's number.
    number: u16,
    /// QL-TIPC's handle; 0 if the port has refused.
    handle: u32,
    /// Messages that the host has room for.
    credit: u32,
    /// What the host is to be told of its end.
    ended: Option<Error>,
    /// Messages that did not arrive whole, and of the last one length and result.
    lost: (u32, u32, i32),
}

/// All connections: as many as one QL-TIPC device has. The host asks for no more.
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
        let granted = payload.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        match kind {
            link::CREDIT if number == 0 => {
                host.grant(granted);
                return Ok(());
            }
            link::CONNECT => return self.connect(number, payload, trusty, host),
            _ => {}
        }
        let Some(slot) = self.find(number) else { return Ok(()) };
        let Some(connection) = slot else { return Ok(()) };
        match kind {
            link::MESSAGE if connection.ended.is_none() => send(connection, payload, trusty, host),
            link::CLOSE => {
                let handle = connection.handle;
                *slot = None;
                if handle == 0 {
                    Ok(())
                } else {
                    trusty.command(ql::DISCONNECT, handle, &[], host).map(|_| ())
                }
            }
            link::CREDIT => {
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
        let Some(slot) = self.0.iter_mut().find(|slot| slot.is_none()) else { return Ok(()) };
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
        let (handle, ended) = match answer.result {
            0.. => (answer.handle, None),
            result::INVALID_PARAMETERS => (0, Some(Error::InvalidArguments)),
            // Trusty does not tell QL-TIPC why it refuses.
            _ => (0, Some(Error::Generic)),
        };
        *slot = Some(Connection { number, handle, credit: 0, ended, lost: (0, 0, 0) });
        Ok(())
    }

    /// Tells the host what there is for its connections, as far as it has room. Whether there was anything.
    pub fn poll(&mut self, trusty: &mut Trusty, host: &mut Host) -> Result<bool, Dead> {
        let mut any = false;
        for slot in &mut self.0 {
            while let Some(connection) = slot {
                if !host.has_room() {
                    // It will grant more.
                    return Ok(any);
                }
                let told = connection.tell(trusty, host)?;
                any |= told != Told::Nothing;
                match told {
                    Told::Something => {}
                    Told::Nothing => break,
                    Told::End => *slot = None,
                }
            }
        }
        Ok(any)
    }
}

#[derive(PartialEq, Eq)]
enum Told {
    Nothing,
    Something,
    End,
}

impl Connection {
    /// Tells the host one thing.
    fn tell(&mut self, trusty: &mut Trusty, host: &mut Host) -> Result<Told, Dead> {
        let (count, length, result) = self.lost;
        if count > 0 {
            self.lost = (0, 0, 0);
            let mut lost = [0; 12];
            let words = [count, length, result.cast_unsigned()].map(u32::to_le_bytes);
            lost.chunks_exact_mut(4).zip(words).for_each(|(to, word)| to.copy_from_slice(&word));
            host.send(link::LOST, self.number, &lost);
            return Ok(Told::Something);
        }
        if let Some(error) = self.ended {
            host.send(link::CLOSE, self.number, &error.code().to_le_bytes());
            return Ok(Told::End);
        }
        let events = self.events(trusty, host)?;
        if events & event::READY != 0 {
            host.send(link::ACCEPTED, self.number, &[]);
            // Told once; all else is told again.
            return Ok(Told::Something);
        }
        if events & event::MSG != 0 {
            // Without credit it waits: events are levels.
            return if self.credit > 0 { self.receive(trusty, host) } else { Ok(Told::Nothing) };
        }
        if events & event::HUP == 0 {
            return Ok(Told::Nothing);
        }
        self.end(trusty, host)?;
        Ok(Told::Something)
    }

    fn events(&self, trusty: &mut Trusty, host: &Host) -> Result<u32, Dead> {
        let answer = trusty.command(ql::GET_EVENT, self.handle, &[0; 8], host)?;
        let mut bytes = [0; 4];
        let told = answer.result >= 0 && trusty.payload(&answer, &mut bytes) == bytes.len();
        Ok(if told { u32::from_le_bytes(bytes) } else { event::HUP })
    }

    /// Closes it here; the host is told next.
    fn end(&mut self, trusty: &mut Trusty, host: &Host) -> Result<(), Dead> {
        self.ended = Some(Error::ChannelClosed);
        let handle = core::mem::take(&mut self.handle);
        trusty.command(ql::DISCONNECT, handle, &[], host).map(|_| ())
    }

    fn receive(&mut self, trusty: &mut Trusty, host: &mut Host) -> Result<Told, Dead> {
        let answer = trusty.command(ql::RECV, self.handle, &[], host)?;
        if answer.result < 0 {
            // A message that is there and cannot be had: the channel is no more.
            self.end(trusty, host)?;
            return Ok(Told::Something);
        }
        let mut message = [0; PAYLOAD];
        let length = trusty.payload(&answer, &mut message);
        self.credit -= 1;
        host.send(link::MESSAGE, self.number, message.get(..length).unwrap_or_default());
        Ok(Told::Something)
    }
}

/// Sends a message. One that finds no receive buffer is tried again when the trusted app has had its turn; after that it is
/// lost, as it is on a board, and the host is told.
fn send(connection: &mut Connection, payload: &[u8], trusty: &mut Trusty, host: &Host) -> Result<(), Dead> {
    let mut answer = trusty.command(ql::SEND, connection.handle, payload, host)?;
    if answer.result < 0 {
        trusty.run_all(host)?;
        answer = trusty.command(ql::SEND, connection.handle, payload, host)?;
    }
    let length = payload.len() as u32;
    if answer.result == length.cast_signed() {
        return Ok(());
    }
    let result = if answer.result < 0 {
        // Trusty does not say why. A channel that has been closed lost nothing to full buffers.
        let events = connection.events(trusty, host)?;
        if events & event::HUP != 0 {
            return Ok(());
        }
        Error::NotEnoughBuffer.code()
    } else {
        answer.result
    };
    connection.lost = (connection.lost.0.saturating_add(1), length, result);
    Ok(())
}
