//! Clients reach the trusted apps as Linux does.

use crate::process::Process;
use crate::say;
use tipc::server::{Backend, Incoming};
use trusty_abi::{Error, connect, event, limit};
use trusty_model::{Kernel, Task};

/// Linux, as one task of the kernel.
pub struct Linux<'a> {
    /// The kernel.
    pub kernel: &'a mut Kernel,
    /// Linux.
    pub task: Task,
    /// The trusted apps.
    pub apps: &'a [Process],
}

impl Backend for Linux<'_> {
    fn connect(&mut self, port: &[u8]) -> Result<u32, Error> {
        // The driver refuses before the kernel is asked.
        if self.kernel.handles(self.task) >= limit::NS_CHANNELS {
            return Err(Error::NoResources);
        }
        self.kernel.connect(self.task, port, connect::ASYNC)
    }

    fn ended(&self, port: &[u8]) -> Option<String> {
        let had = |app: &&Process| app.ended.is_some() && app.ports.iter().any(|path| path == port);
        self.apps.iter().find(had)?.ended.clone()
    }

    fn say(&mut self, text: &str) {
        say::line(text);
    }

    fn close(&mut self, channel: u32) {
        let _ = self.kernel.close(self.task, channel);
    }

    fn send(&mut self, channel: u32, message: &[u8]) -> Result<usize, Error> {
        self.kernel.send_msg(self.task, channel, &[message])
    }

    fn next(&mut self, channel: u32) -> Option<Incoming> {
        let events = match self.kernel.poll(self.task, channel) {
            Ok(None) => return None,
            Ok(Some(event)) => event.event,
            Err(_) => event::HUP,
        };
        if events & event::READY != 0 {
            return Some(Incoming::Accepted);
        }
        if events & event::MSG != 0
            && let Ok(message) = self.kernel.take_msg(self.task, channel)
        {
            return Some(Incoming::Message(message));
        }
        self.close(channel);
        Some(Incoming::Closed(Error::ChannelClosed))
    }
}
