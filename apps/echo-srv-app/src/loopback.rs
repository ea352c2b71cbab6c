//! The trusted app's own logic in this process, for tests.

use echo_service::EchoService;
use tipc::{Error, MAX_MESSAGE, Transport};
use trusty_ta::testing::{App, Client, World};
use trusty_ta::{PortCfg, TipcError};

static PORTS: [PortCfg; 1] = [PortCfg::declared(c"com.test").allow_ns_connect()];

/// A connection to it.
pub struct Loopback {
    /// The client's end of it.
    pub client: Client,
    /// The trusted app.
    pub app: App<EchoService>,
    /// Changes this byte of each message that comes back.
    pub flip: Option<usize>,
    /// Closes the connection after so many messages.
    pub messages: usize,
}

impl Loopback {
    /// A trusted app with room for so many values.
    pub fn new(room: usize) -> Self {
        let world = World::new();
        let mut app = world.app(&PORTS, || EchoService::new(room));
        let client = world.connect(c"com.test").unwrap();
        app.run();
        Self { client, app, flip: None, messages: usize::MAX }
    }
}

impl Transport for Loopback {
    fn send(&mut self, message: &[u8]) -> Result<(), Error> {
        self.messages = self.messages.checked_sub(1).ok_or(Error::Closed)?;
        self.client.send(message).map_err(|_| Error::Closed)?;
        self.app.run();
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8; MAX_MESSAGE]) -> Result<usize, Error> {
        self.app.run();
        let mut message = match self.client.receive() {
            Err(TipcError::NoMessage) => return Err(Error::TimedOut(Default::default())),
            other => other.map_err(|_| Error::Closed)?,
        };
        if let Some(byte) = self.flip.and_then(|at| message.get_mut(at)) {
            *byte ^= 1;
        }
        buffer[..message.len()].copy_from_slice(&message);
        Ok(message.len())
    }
}
