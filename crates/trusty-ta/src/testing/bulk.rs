//! A client of bulk transfers, for unit tests.

use super::world::{App, Client};
use crate::service::Service;
use std::vec::Vec;
use tipc_bulk::{Endpoint, Failure, MAX_MESSAGE, Packet, Signal, WINDOW};

/// A connection of Linux that makes bulk transfers, as `tipc::Bulk` does.
pub struct BulkClient {
    /// The connection.
    pub client: Client,
    /// Its end of the transfers.
    pub end: Endpoint,
}

impl BulkClient {
    /// Takes over a connection on which no transfer has been made.
    pub fn new(client: Client) -> Self {
        Self { client, end: Endpoint::new() }
    }

    /// Sends a packet, if there is one.
    pub fn put(&self, packet: Option<Packet>) {
        let Some(packet) = packet else { return };
        let mut message = [0; MAX_MESSAGE];
        let length = packet.write(&mut message).unwrap_or_default();
        // What the app does not take shows in the transfer.
        let _ = self.client.send(message.get(..length).unwrap_or_default());
    }

    /// Sends what may be sent now of data, from an offset. Returns the bytes that were sent.
    pub fn flow(&mut self, data: &[u8]) -> usize {
        let mut sent = 0;
        while let Some((header, length)) = self.end.data(data.get(sent..).unwrap_or_default()) {
            let payload = data.get(sent..sent + length).unwrap_or_default();
            let message: Vec<u8> = header.iter().chain(payload).copied().collect();
            let _ = self.client.send(&message);
            sent += length;
        }
        let end = self.end.end();
        self.put(end);
        sent
    }

    /// Sends data with a tag and gets the app's answer, the app running whenever it can. A transfer that comes to a
    /// standstill is a failure, too.
    pub fn exchange<S: Service>(
        &mut self,
        app: &mut App<S>,
        tag: u32,
        data: &[u8],
    ) -> Result<Vec<u8>, Failure> {
        let (mut sent, mut back) = (0, Vec::new());
        let open = self.end.open(u32::try_from(data.len()).unwrap_or(u32::MAX), tag);
        self.put(open);
        loop {
            let events = app.run();
            let Ok(message) = self.client.receive() else {
                let ready = self.end.is_ready();
                sent += self.flow(data.get(sent..).unwrap_or_default());
                if events == 0 && !ready {
                    return Err(Failure::Unexpected("a standstill"));
                }
                continue;
            };
            let packet = Packet::parse(&message)?;
            let step = self.end.on_packet(&packet);
            step.answers.into_iter().for_each(|answer| self.put(answer));
            match step.signal {
                Signal::Opened { .. } => {
                    let accept = self.end.accept(WINDOW);
                    self.put(accept);
                }
                Signal::Data(bytes) => {
                    back.extend_from_slice(bytes);
                    let credit = self.end.consumed();
                    self.put(credit);
                }
                Signal::Complete => {
                    app.run();
                    return Ok(back);
                }
                Signal::SendFailed(failure) | Signal::ReceiveFailed(failure) => return Err(failure),
                Signal::Flow | Signal::Sent | Signal::Ignored => {}
            }
        }
    }
}
