//! Serves all ports and connections of a TA.

use crate::handle::{Handle, Port};
use crate::kernel::kernel;
use crate::port::{MAX_PORTS, PortCfg};
use crate::service::{ConnectResult, MessageResult, Service};
use crate::syscalls::Syscalls;
use core::time::Duration;
use trusty_abi::{Error, Event, Result, event};

/// Connections that are served at once; more are closed.
pub const CONNECTIONS: usize = 16;
/// Messages of one connection before the others have their turn.
const TURN: usize = 8;

/// The event loop of a TA.
pub struct Manager<S: Service> {
    service: S,
    ports: [Option<(Port, &'static PortCfg)>; MAX_PORTS],
    connections: [Option<(Handle, S::Connection)>; CONNECTIONS],
    /// When the next tick is due, since the kernel's start; before the first none is known.
    due: Option<Duration>,
}

impl<S: Service> Manager<S> {
    /// Publishes the ports. One that the kernel refuses is told on the console; the others are served.
    pub fn new(service: S, ports: &'static [PortCfg]) -> Self {
        let (none, connections) = ([const { None }; MAX_PORTS], [const { None }; CONNECTIONS]);
        let mut this = Self { service, ports: none, connections, due: None };
        for (slot, cfg) in this.ports.iter_mut().zip(ports) {
            match Port::create(cfg) {
                Ok(port) => *slot = Some((port, cfg)),
                Err(error) => crate::log!("port {:?} is refused: {error}", cfg.path),
            }
        }
        this
    }

    /// Serves for ever. Returns the error that ends it.
    pub fn run_event_loop(&mut self) -> trusty_abi::Error {
        loop {
            match self.serve(None) {
                // The kernel's clock may be a moment behind its timer.
                Ok(()) | Err(Error::TimedOut) => {}
                Err(error) => return error,
            }
        }
    }

    /// Waits for one event or a tick and serves it. `TimedOut` if there is none in time.
    pub fn serve(&mut self, timeout: Option<Duration>) -> Result<()> {
        let left = self.until_tick()?;
        if left == Some(Duration::ZERO) {
            self.tick();
            return Ok(());
        }
        let timeout = timeout.into_iter().chain(left).min();
        let event = kernel().wait_any(crate::time::milliseconds(timeout))?;
        self.dispatch(&event);
        Ok(())
    }

    /// Time until a tick is due; none for a service that wants none.
    fn until_tick(&mut self) -> Result<Option<Duration>> {
        let Some(period) = self.service.tick() else { return Ok(None) };
        let now = crate::time::now()?;
        let due = *self.due.get_or_insert(now + period);
        if due <= now {
            // Late ones are not made up for.
            self.due = Some(now + period);
        }
        Ok(Some(due.saturating_sub(now)))
    }

    fn tick(&mut self) {
        self.service.on_tick();
        for slot in 0..CONNECTIONS {
            let Some((handle, connection)) = self.connections.get_mut(slot).and_then(Option::as_mut) else {
                continue;
            };
            let ticked = self.service.on_connection_tick(connection, handle);
            self.conclude(slot, ticked);
        }
    }

    /// The service.
    pub fn service(&self) -> &S {
        &self.service
    }

    /// Connections that are open.
    pub fn connections(&self) -> usize {
        self.connections.iter().flatten().count()
    }

    fn dispatch(&mut self, event: &Event) {
        if let Some(port) = self.ports.iter().flatten().position(|(port, _)| port.as_raw() == event.handle) {
            if event.event & event::READY != 0 {
                self.accept(port);
            }
            return;
        }
        let of = |slot: &Option<(Handle, S::Connection)>| {
            slot.as_ref().is_some_and(|(handle, _)| handle.as_raw() == event.handle)
        };
        let Some(slot) = self.connections.iter().position(of) else {
            return self.service.on_event(event);
        };
        let served = self.connection(slot, event);
        self.conclude(slot, served);
    }

    /// Closes a connection if it is over.
    fn conclude(&mut self, slot: usize, served: Result<MessageResult>) {
        match served {
            Ok(MessageResult::MaintainConnection) => {}
            Ok(MessageResult::CloseConnection) => self.disconnect(slot),
            Err(error) => {
                // A peer that has gone is no news.
                if error != Error::ChannelClosed {
                    crate::log!("closes a connection: {error}");
                }
                self.disconnect(slot);
            }
        }
    }

    fn accept(&mut self, port: usize) {
        let Some((port, cfg)) = self.ports.iter().flatten().nth(port) else { return };
        let (handle, peer) = match port.accept() {
            Ok(accepted) => accepted,
            Err(error) => return crate::log!("accept on {:?} fails: {error}", cfg.path),
        };
        let Some(slot) = self.connections.iter_mut().find(|slot| slot.is_none()) else {
            return crate::log!("refuses a client: {CONNECTIONS} are connected");
        };
        match self.service.on_connect(cfg, &handle, &peer) {
            Ok(ConnectResult::Accept(connection)) => *slot = Some((handle, connection)),
            Ok(ConnectResult::Keep) => self.service.on_kept(cfg, handle),
            Ok(ConnectResult::CloseConnection) => {}
            Err(error) => crate::log!("refuses a client: {error}"),
        }
    }

    /// Serves an event of a connection. A peer that has hung up is served to its last message.
    fn connection(&mut self, slot: usize, event: &Event) -> Result<MessageResult> {
        let Some((handle, connection)) = self.connections.get_mut(slot).and_then(Option::as_mut) else {
            return Ok(MessageResult::MaintainConnection);
        };
        if event.event & event::SEND_UNBLOCKED != 0
            && self.service.on_send_unblocked(connection, handle)? == MessageResult::CloseConnection
        {
            return Ok(MessageResult::CloseConnection);
        }
        if event.event & event::MSG != 0 {
            for _ in 0..TURN {
                let Some(message) = handle.get()? else { break };
                if self.service.on_message(connection, handle, message)? == MessageResult::CloseConnection {
                    return Ok(MessageResult::CloseConnection);
                }
            }
            return Ok(MessageResult::MaintainConnection);
        }
        let over = event.event & (event::HUP | event::ERROR) != 0;
        Ok(if over { MessageResult::CloseConnection } else { MessageResult::MaintainConnection })
    }

    fn disconnect(&mut self, slot: usize) {
        if let Some((handle, connection)) = self.connections.get_mut(slot).and_then(Option::take) {
            drop(handle);
            self.service.on_disconnect(connection);
        }
    }
}
