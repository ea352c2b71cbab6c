//! Ports and ends of channels (`ipc.c`).

use crate::id::Id;
use crate::queue::Queue;
use std::collections::VecDeque;
use trusty_abi::{Uuid, event};

#[derive(Clone)]
pub struct Port {
    pub path: Vec<u8>,
    pub uuid: Uuid,
    pub buffers: u32,
    pub buffer_size: u32,
    pub flags: u32,
    /// Server ends that nobody has accepted yet.
    pub pending: VecDeque<Id>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelState {
    Accepting,
    Connecting,
    Connected,
    Disconnecting,
    WaitingForPort,
}

#[derive(Clone)]
pub struct Channel {
    pub state: ChannelState,
    pub uuid: Uuid,
    pub peer: Option<Id>,
    pub queue: Option<Queue>,
    pub send_blocked: bool,
    pub send_unblocked: bool,
    pub ready: bool,
}

impl Channel {
    pub fn new(state: ChannelState, uuid: Uuid) -> Self {
        let (send_blocked, send_unblocked, ready) = (false, false, false);
        Self { state, uuid, peer: None, queue: None, send_blocked, send_unblocked, ready }
    }

    pub fn events(&self) -> u32 {
        let message = self.queue.as_ref().is_some_and(|queue| !queue.is_empty());
        let bits = [
            (self.state == ChannelState::Disconnecting, event::HUP),
            (self.ready, event::READY),
            (message, event::MSG),
            (self.send_unblocked, event::SEND_UNBLOCKED),
        ];
        bits.into_iter().filter(|(set, _)| *set).fold(0, |all, (_, bit)| all | bit)
    }

    /// Ready and send-unblocked are told once.
    pub fn told(&mut self, events: u32) {
        self.ready &= events & event::READY == 0;
        self.send_unblocked &= events & event::SEND_UNBLOCKED == 0;
    }
}
