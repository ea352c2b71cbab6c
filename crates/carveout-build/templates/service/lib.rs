//! What the trusted app does: it answers each message with the same text in capitals, and counts the messages.
#![no_std]

#[cfg(test)]
extern crate std;

use trusty_ta::{
    ConnectResult, Handle, MAX_MESSAGE, Message, MessageResult, PortCfg, Result, Service, Uuid, log,
};

/// The service. It needs no heap: a message has at most 4080 bytes, and lies on the stack.
#[derive(Default)]
pub struct @Type@ {
    answered: u32,
}

impl Service for @Type@ {
    type Connection = ();

    fn on_connect(&mut self, _: &PortCfg, _: &Handle, _: &Uuid) -> Result<ConnectResult<()>> {
        Ok(ConnectResult::Accept(()))
    }

    fn on_message(&mut self, _: &mut (), handle: &Handle, message: Message) -> Result<MessageResult> {
        let mut buffer = [0; MAX_MESSAGE];
        let length = message.read(&mut buffer)?;
        let text = buffer.get_mut(..length).unwrap_or_default();
        text.make_ascii_uppercase();
        handle.send(text)?;
        self.answered += 1;
        log!("answered {} messages", self.answered);
        Ok(MessageResult::MaintainConnection)
    }

    fn on_disconnect(&mut self, (): ()) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use trusty_ta::testing::World;

    static PORTS: [PortCfg; 1] = [PortCfg::declared(c"com.example.@NAME@").allow_ns_connect()];

    #[test]
    fn a_message_comes_back_in_capitals() {
        let world = World::new();
        let mut app = world.app(&PORTS, @Type@::default);
        let client = world.connect(c"com.example.@NAME@").unwrap();
        app.run();
        client.send(b"hello").unwrap();
        app.run();
        assert_eq!(client.receive().unwrap(), b"HELLO");
    }
}
