//! Carries out checks of what trusted apps rely on, and tells what the kernel answered.
//!
//! A client sends the name of a check; the answer is a transcript, a line for each step, in messages that an empty one
//! ends. `cargo xtask emulate` runs it on a model of the kernel and on the kernel itself, and xtask/tests/builds compares
//! both with the same text. Times and addresses are in no transcript.
#![cfg_attr(target_os = "none", no_std, no_main)]

mod checks;
mod ends;
mod sys;
mod transcript;

use core::time::Duration;
use transcript::Transcript;
use trusty_ta::{
    ConnectResult, Handle, MAX_MESSAGE, Message, MessageResult, PortCfg, Result, Service, TipcError, Uuid,
    time,
};

struct Conformance {
    transcript: Transcript,
    /// What `wait_any` says when there is no handle at all: only before the ports are there.
    without_handles: i32,
    /// What getrandom 0.2, 0.3 and 0.4 say before there is a seed.
    without_seed: [Option<u32>; 3],
    connected: u32,
    gone: u32,
}

impl Conformance {
    fn new() -> Self {
        let without_handles = sys::wait_any(0).0;
        let without_seed = checks::random_errors();
        Self { transcript: Transcript::new(), without_handles, without_seed, connected: 0, gone: 0 }
    }
}

/// Sends a message, as soon as there is room. Not with a wait: that would return for each message that has come meanwhile.
fn send(handle: &Handle, message: &[u8]) -> Result<()> {
    loop {
        match handle.send(message) {
            Err(TipcError::NotEnoughBuffer) => time::sleep(Duration::from_millis(1))?,
            other => return other,
        }
    }
}

impl Service for Conformance {
    type Connection = ();

    fn on_connect(&mut self, _: &PortCfg, _: &Handle, _: &Uuid) -> Result<ConnectResult<()>> {
        self.connected += 1;
        Ok(ConnectResult::Accept(()))
    }

    fn on_message(&mut self, _: &mut (), handle: &Handle, message: Message) -> Result<MessageResult> {
        let mut name = [0; 32];
        let length = message.read(&mut name)?;
        let name = name.get(..length).unwrap_or_default();
        drop(message);
        let transcript = &mut self.transcript;
        transcript.clear();
        match name {
            b"start" => {
                say!(transcript, "wait_any without handles: {}", self.without_handles);
                say!(transcript, "getrandom without a seed: {:?}", self.without_seed);
            }
            b"clients" => say!(transcript, "{} have connected, {} have gone", self.connected, self.gone),
            b"close" => return Ok(MessageResult::CloseConnection),
            b"stream" => checks::stream(handle.as_raw().cast_signed(), transcript),
            name if ends::end(name) => {}
            name if checks::run(name, transcript).is_some() => {}
            _ => say!(transcript, "no such check"),
        }
        for part in transcript.bytes().chunks(MAX_MESSAGE) {
            send(handle, part)?;
        }
        send(handle, b"")?;
        Ok(MessageResult::MaintainConnection)
    }

    fn on_disconnect(&mut self, (): ()) {
        self.gone += 1;
    }
}

trusty_ta::trusted_app!("conformance-srv", Conformance::new());
