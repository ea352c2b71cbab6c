//! Clients of Linux, which do what a case says: for a fuzzer, and for unit tests that do again what it has found.

use crate::case::Action;
use crate::{Kernel, Task};
use tipc_bulk::{Endpoint, MAX_MESSAGE, Packet, Signal, WINDOW};
use trusty_abi::{Error, Uuid, connect, event};

/// The trusted app as which ports are reached that Linux may not connect to.
const STRANGER: Uuid = Uuid([0xf; 16]);
/// Messages of the trusted apps that are read for one case. One that sends without end is stopped by this.
const MOST_READ: usize = 4096;

/// Connections, in the order in which they were made.
#[derive(Clone)]
pub struct Clients {
    linux: Task,
    stranger: Task,
    connections: Vec<Connection>,
    read: usize,
}

#[derive(Clone, Default)]
struct Connection {
    /// Its task and handle, if it is open.
    open: Option<(Task, u32)>,
    /// Its transfers, if it has made any.
    bulk: Option<(Endpoint, Vec<u8>, usize)>,
}

impl Clients {
    /// Clients of a kernel, none of which is connected yet: Linux's, and those of a trusted app of no image.
    pub fn new(kernel: &mut Kernel, linux: Task) -> Self {
        let stranger = kernel.add_app(STRANGER);
        Self { linux, stranger, connections: Vec::new(), read: 0 }
    }

    /// Does what is said.
    pub fn act(&mut self, kernel: &mut Kernel, action: &Action) {
        match action {
            Action::Connect(port) => {
                let mut as_task =
                    |task| kernel.connect(task, port.as_bytes(), connect::ASYNC).map(|handle| (task, handle));
                let connected = as_task(self.linux).or_else(|error| match error {
                    Error::AccessDenied => as_task(self.stranger),
                    other => Err(other),
                });
                self.connections.push(Connection { open: connected.ok(), bulk: None });
            }
            Action::Send(at, bytes) => {
                if let Some((task, handle)) = self.connections.get(*at).and_then(|c| c.open) {
                    // What finds no room is lost, as the driver loses it.
                    let _ = kernel.send_msg(task, handle, &[bytes]);
                }
            }
            Action::Bulk(at, tag, bytes) => {
                let Some(connection) = self.connections.get_mut(*at) else { return };
                let (end, content, sent) = connection.bulk.get_or_insert_default();
                // One that is still at work goes on instead.
                if let Some(open) = end.open(u32::try_from(bytes.len()).unwrap_or(u32::MAX), *tag) {
                    (*content, *sent) = (bytes.clone(), 0);
                    put(kernel, connection.open, open);
                }
            }
            Action::Close(at) => self.close(kernel, *at),
        }
    }

    fn close(&mut self, kernel: &mut Kernel, at: usize) {
        if let Some((task, handle)) = self.connections.get_mut(at).and_then(|c| c.open.take()) {
            let _ = kernel.close(task, handle);
        }
    }

    /// Closes all.
    pub fn leave(&mut self, kernel: &mut Kernel) {
        (0..self.connections.len()).for_each(|at| self.close(kernel, at));
    }

    /// Takes what came. Whether anything did.
    pub fn serve(&mut self, kernel: &mut Kernel) -> bool {
        let mut passed = false;
        for connection in &mut self.connections {
            while let Some((task, handle)) = connection.open {
                let events = match kernel.poll(task, handle) {
                    Ok(None) => break,
                    Ok(Some(event)) => event.event,
                    Err(_) => event::HUP,
                };
                passed = true;
                self.read += 1;
                let message =
                    if events & event::MSG != 0 { kernel.take_msg(task, handle).ok() } else { None };
                match message {
                    Some(message) => connection.take(kernel, &message),
                    None if events & event::HUP == 0 => {}
                    None => {
                        let _ = kernel.close(task, handle);
                        connection.open = None;
                    }
                }
                if self.read > MOST_READ {
                    return false;
                }
            }
        }
        passed
    }
}

impl Connection {
    /// A message came. Of a transfer it is answered.
    fn take(&mut self, kernel: &mut Kernel, message: &[u8]) {
        let Some((end, content, sent)) = &mut self.bulk else { return };
        let Ok(packet) = Packet::parse(message) else { return };
        let step = end.on_packet(&packet);
        step.answers.into_iter().flatten().for_each(|answer| put(kernel, self.open, answer));
        let answer = match step.signal {
            Signal::Opened { .. } => end.accept(WINDOW),
            Signal::Data(_) => end.consumed(),
            _ => None,
        };
        answer.into_iter().for_each(|answer| put(kernel, self.open, answer));
        while let Some((header, length)) = end.data(content.get(*sent..).unwrap_or_default()) {
            let payload = content.get(*sent..*sent + length).unwrap_or_default();
            *sent += length;
            if let Some((task, handle)) = self.open {
                let _ = kernel.send_msg(task, handle, &[&header, payload]);
            }
        }
        end.end().into_iter().for_each(|end| put(kernel, self.open, end));
    }
}

fn put(kernel: &mut Kernel, open: Option<(Task, u32)>, packet: Packet) {
    let mut message = [0; MAX_MESSAGE];
    if let (Some((task, handle)), Ok(length)) = (open, packet.write(&mut message)) {
        let _ = kernel.send_msg(task, handle, &[message.get(..length).unwrap_or_default()]);
    }
}
