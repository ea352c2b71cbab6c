//! The other side in the conformance suite: answers each message with itself.
//!
//! One that is just `bye` ends the connection instead.
#![cfg_attr(target_os = "none", no_std, no_main)]

use trusty_ta::{
    ConnectResult, Handle, MAX_MESSAGE, Message, MessageResult, PortCfg, Result, Service, TipcError, Uuid,
};

struct Echo;

impl Service for Echo {
    type Connection = ();

    fn on_connect(&mut self, _: &PortCfg, _: &Handle, _: &Uuid) -> Result<ConnectResult<()>> {
        Ok(ConnectResult::Accept(()))
    }

    fn on_message(&mut self, _: &mut (), handle: &Handle, message: Message) -> Result<MessageResult> {
        let mut buffer = [0; MAX_MESSAGE];
        let length = message.read(&mut buffer)?;
        let text = buffer.get(..length).ok_or(TipcError::TooBig)?;
        if text == b"bye" {
            return Ok(MessageResult::CloseConnection);
        }
        handle.send(text)?;
        Ok(MessageResult::MaintainConnection)
    }

    fn on_disconnect(&mut self, _: ()) {}
}

trusty_ta::trusted_app!("conformance-peer", Echo);
