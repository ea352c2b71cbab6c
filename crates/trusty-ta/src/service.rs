//! What a TA is. Names as in AOSP Trusty's `tipc` crate.

use crate::handle::{Handle, Message};
use crate::port::PortCfg;
use core::time::Duration;
use trusty_abi::{Event, Result, Uuid};

/// Answer to a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectResult<C> {
    /// Serve it, with this state.
    Accept(C),
    /// Give its handle to [`Service::on_kept`]; its events come to [`Service::on_event`].
    Keep,
    /// Close it.
    CloseConnection,
}

/// Answer to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageResult {
    /// Go on.
    MaintainConnection,
    /// Close the connection.
    CloseConnection,
}

/// The logic of a TA. An error that a method returns is printed, and closes the connection.
pub trait Service {
    /// State of one connection.
    type Connection;

    /// A peer has connected to a port.
    fn on_connect(
        &mut self,
        port: &PortCfg,
        handle: &Handle,
        peer: &Uuid,
    ) -> Result<ConnectResult<Self::Connection>>;

    /// The handle of a peer that [`Self::on_connect`] wants to keep.
    fn on_kept(&mut self, _port: &PortCfg, _handle: Handle) {}

    /// A peer has sent a message. It is retired when it is dropped.
    fn on_message(
        &mut self,
        connection: &mut Self::Connection,
        handle: &Handle,
        message: Message,
    ) -> Result<MessageResult>;

    /// The peer has room again after a send that failed with `NotEnoughBuffer`.
    fn on_send_unblocked(
        &mut self,
        _connection: &mut Self::Connection,
        _handle: &Handle,
    ) -> Result<MessageResult> {
        Ok(MessageResult::MaintainConnection)
    }

    /// A connection has ended, from either side.
    fn on_disconnect(&mut self, connection: Self::Connection);

    /// An event of a handle that the service has opened itself. It must take the event away (read the message, drop the
    /// handle that hung up), or the next event is the same.
    fn on_event(&mut self, _event: &Event) {}

    /// How often [`Self::on_tick`] is called, about; none for never. What the service does meanwhile delays it.
    fn tick(&self) -> Option<Duration> {
        None
    }

    /// So much time has passed.
    fn on_tick(&mut self) {}

    /// The same for each connection, behind [`Self::on_tick`]: a service may send, or close what has been idle for too long.
    fn on_connection_tick(
        &mut self,
        _connection: &mut Self::Connection,
        _handle: &Handle,
    ) -> Result<MessageResult> {
        Ok(MessageResult::MaintainConnection)
    }
}
