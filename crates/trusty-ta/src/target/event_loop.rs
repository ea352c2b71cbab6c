//! Serves all ports and connections of a TA.

use super::{console, handles, sys};
use crate::{ConnectResult, MAX_MESSAGE, MAX_PORTS, MessageResult, PortCfg, Service, Uuid};

/// Connections that are served at once; more are closed.
const CONNECTIONS: usize = 16;
/// Messages that may wait in a connection.
const BUFFERS: u32 = 2;
struct Loop<S: Service> {
    service: S,
    ports: [Option<(u32, &'static PortCfg)>; MAX_PORTS],
    connections: [Option<(u32, S::Connection)>; CONNECTIONS],
    message: [u8; MAX_MESSAGE],
    reply: [u8; MAX_MESSAGE],
}

/// Publishes the ports and serves for ever. Returns the error that ends it.
pub fn run<S: Service>(service: S, ports: &'static [PortCfg]) -> i32 {
    let mut this = Loop {
        service,
        ports: [None; MAX_PORTS],
        connections: [const { None }; CONNECTIONS],
        message: [0; MAX_MESSAGE],
        reply: [0; MAX_MESSAGE],
    };
    for (slot, port) in this.ports.iter_mut().zip(ports) {
        match sys::port_create(port, BUFFERS, MAX_MESSAGE) {
            Ok(handle) => {
                handles::opened(handle);
                *slot = Some((handle, port));
            }
            Err(code) => console(format_args!("port {:?} is refused ({code})", port.path)),
        }
    }
    loop {
        match sys::wait_any() {
            Ok(event) => this.dispatch(&event),
            Err(code) => return code,
        }
    }
}

impl<S: Service> Loop<S> {
    fn dispatch(&mut self, event: &sys::Event) {
        let port = self.ports.iter().flatten().find(|(handle, _)| *handle == event.handle).copied();
        if let Some((handle, port)) = port {
            if event.event & sys::EVENT_READY != 0 {
                self.accept(handle, port);
            }
            return;
        }
        let mut open = true;
        if event.event & sys::EVENT_MSG != 0 {
            open = self.messages(event.handle);
        }
        if !open || event.event & (sys::EVENT_HUP | sys::EVENT_ERROR) != 0 {
            self.disconnect(event.handle);
        }
    }

    fn accept(&mut self, port_handle: u32, port: &PortCfg) {
        let (channel, peer): (u32, Uuid) = match sys::accept(port_handle) {
            Ok(accepted) => accepted,
            Err(code) => return console(format_args!("accept on {:?} fails ({code})", port.path)),
        };
        // Before anything that can panic: the panic closes what is known here.
        handles::opened(channel);
        let Some(slot) = self.connections.iter_mut().find(|slot| slot.is_none()) else {
            console(format_args!("refuses a client: {CONNECTIONS} are connected"));
            return handles::close(channel);
        };
        match self.service.on_connect(port, &peer) {
            ConnectResult::Accept(connection) => *slot = Some((channel, connection)),
            ConnectResult::CloseConnection => handles::close(channel),
        }
    }

    /// Handles all waiting messages. False if the connection is to be closed.
    fn messages(&mut self, channel: u32) -> bool {
        let connection = self.connections.iter_mut().flatten().find(|(handle, _)| *handle == channel);
        let Some((_, connection)) = connection else { return false };
        loop {
            let length = match sys::receive(channel, &mut self.message) {
                Ok(Some(length)) => length,
                Ok(None) => return true,
                Err(code) => {
                    console(format_args!("cannot read a message ({code})"));
                    return false;
                }
            };
            let message = self.message.get(..length).unwrap_or_default();
            let sent = match self.service.on_message(connection, message, &mut self.reply) {
                MessageResult::Reply(length) => {
                    sys::send(channel, self.reply.get(..length).unwrap_or_default())
                }
                MessageResult::MaintainConnection => Ok(()),
                MessageResult::CloseConnection => return false,
            };
            if let Err(code) = sent {
                console(format_args!("cannot answer ({code}): the client does not read its messages"));
                return false;
            }
        }
    }

    fn disconnect(&mut self, channel: u32) {
        handles::close(channel);
        let slot = self.connections.iter_mut().find(|slot| slot.as_ref().is_some_and(|(h, _)| *h == channel));
        if let Some((_, connection)) = slot.and_then(Option::take) {
            self.service.on_disconnect(connection);
        }
    }
}
