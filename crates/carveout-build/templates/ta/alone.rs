//! A trusted app that answers each message with the same bytes.
#![cfg_attr(target_os = "none", no_std, no_main)]

use trusty_ta::{
    ConnectResult, Handle, MAX_MESSAGE, Message, MessageResult, PortCfg, Result, Service, Uuid,
};

/// What it does.
struct @Type@;

impl Service for @Type@ {
    type Connection = ();

    fn on_connect(&mut self, _: &PortCfg, _: &Handle, _: &Uuid) -> Result<ConnectResult<()>> {
        Ok(ConnectResult::Accept(()))
    }

    fn on_message(&mut self, _: &mut (), handle: &Handle, message: Message) -> Result<MessageResult> {
        let mut buffer = [0; MAX_MESSAGE];
        let length = message.read(&mut buffer)?;
        handle.send(buffer.get(..length).unwrap_or_default())?;
        Ok(MessageResult::MaintainConnection)
    }

    fn on_disconnect(&mut self, (): ()) {}
}

trusty_ta::trusted_app!("@NAME@", @Type@);
