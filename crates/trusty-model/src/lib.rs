//! The IPC of NVIDIA's Trusty for Tegra194 (L4T R32), as its trusted apps (TAs) and Linux see it.
//!
//! A [`Kernel`] has tasks: TAs, and Linux as one task more. Each call here is one system call of a task that never waits:
//! whoever waits calls [`Kernel::poll`] or [`Kernel::poll_any`] again when something has happened. Unit tests of TAs and
//! the emulator run on it, so that a limit or an error code is the same in both.
//!
//! Follows `ipc.c`, `ipc_msg.c`, `handle.c` and `uctx.c` of L4T R32.7, also where they surprise: a message longer than
//! the receive buffer is cut, handles in messages are not supported, events are levels, and a call that makes the real
//! kernel panic makes this one [`Kernel::panicked`].
#![warn(clippy::indexing_slicing)]

mod calls;
pub mod case;
mod channel;
pub mod clients;
mod connections;
mod handles;
pub mod hwkey;
mod id;
mod messages;
mod queue;
#[cfg(test)]
mod tests;

use channel::{Channel, Port};
use handles::Handles;
use id::Id;
use std::collections::BTreeMap;
use trusty_abi::{Uuid, limit};

/// A task of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Task(usize);

#[derive(Clone)]
enum Object {
    Port(Port),
    Channel(Channel),
}

/// All tasks, ports, channels and messages. A clone is the same moment once more.
#[derive(Clone, Default)]
pub struct Kernel {
    tasks: Vec<Handles>,
    objects: BTreeMap<Id, Object>,
    /// Clients that wait for a port, in the order in which they came.
    waiting: Vec<(Id, Vec<u8>)>,
    next: u64,
    panicked: Option<&'static str>,
    /// Bytes for receive buffers, if they are limited.
    memory: Option<u64>,
}

/// What there is at a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Ports.
    pub ports: usize,
    /// Ends of channels.
    pub channels: usize,
    /// Messages that have not been retired.
    pub messages: usize,
    /// Bytes of receive buffers that the kernel holds for the channels.
    pub buffers: usize,
}

impl Kernel {
    /// A kernel without tasks.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a TA.
    pub fn add_app(&mut self, uuid: Uuid) -> Task {
        self.add(Handles::new(uuid, limit::HANDLES))
    }

    /// Adds Linux: a client that may connect where `allow_ns_connect` is set.
    pub fn add_linux(&mut self) -> Task {
        self.add(Handles::new(Uuid::NON_SECURE, limit::NS_CHANNELS))
    }

    fn add(&mut self, handles: Handles) -> Task {
        self.tasks.push(handles);
        Task(self.tasks.len() - 1)
    }

    /// What stopped the kernel, if anything did.
    pub fn panicked(&self) -> Option<&'static str> {
        self.panicked
    }

    /// Limits what all receive buffers may take, in bytes, to what the carve-out has free when all TAs are loaded. A
    /// connection whose buffers do not fit is refused with `NoMemory`, and those that there are go on.
    pub fn limit_memory(&mut self, bytes: u64) {
        self.memory = Some(bytes);
    }

    /// Whether there is memory for so many bytes more.
    fn has_memory(&self, more: u64) -> bool {
        let Some(memory) = self.memory else { return true };
        let queues = self.objects.values().filter_map(|object| match object {
            Object::Channel(channel) => channel.queue.as_ref(),
            Object::Port(_) => None,
        });
        queues.map(queue::Queue::taken).sum::<u64>() + more <= memory
    }

    /// Open handles of a task.
    pub fn handles(&self, task: Task) -> usize {
        self.tasks.get(task.0).map_or(0, Handles::len)
    }

    /// Counts what there is.
    pub fn census(&self) -> Census {
        let mut census = Census::default();
        for object in self.objects.values() {
            match object {
                Object::Port(_) => census.ports += 1,
                Object::Channel(channel) => {
                    census.channels += 1;
                    if let Some(queue) = &channel.queue {
                        census.messages += queue.used();
                        census.buffers += queue.bytes();
                    }
                }
            }
        }
        census
    }

    fn insert(&mut self, object: Object) -> Id {
        let id = Id(self.next);
        self.next += 1;
        self.objects.insert(id, object);
        id
    }

    fn port(&mut self, id: Id) -> Option<&mut Port> {
        match self.objects.get_mut(&id) {
            Some(Object::Port(port)) => Some(port),
            _ => None,
        }
    }

    fn channel(&mut self, id: Id) -> Option<&mut Channel> {
        match self.objects.get_mut(&id) {
            Some(Object::Channel(channel)) => Some(channel),
            _ => None,
        }
    }

    fn panic(&mut self, why: &'static str) {
        self.panicked.get_or_insert(why);
    }
}
