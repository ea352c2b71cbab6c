extern crate std;

use crate::*;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::vec::Vec;

/// Messages between two ends, never more than the receive buffers.
#[derive(Default)]
struct Queue {
    messages: VecDeque<Vec<u8>>,
    most: usize,
}

impl Queue {
    fn put(&mut self, packets: impl IntoIterator<Item = Option<Packet<'static>>>) {
        for packet in packets.into_iter().flatten() {
            let mut message = [0; MAX_MESSAGE];
            let length = packet.write(&mut message).unwrap();
            self.push(message[..length].to_vec());
        }
    }

    fn push(&mut self, message: Vec<u8>) {
        self.messages.push_back(message);
        self.most = self.most.max(self.messages.len());
    }
}

/// A client that sends data and wants it back, and a TA that passes it on with one message of memory.
struct Echo {
    client: Endpoint,
    app: Endpoint,
    to_app: Queue,
    to_client: Queue,
    data: Vec<u8>,
    sent: usize,
    back: Vec<u8>,
    signals: Vec<Signal<'static>>,
}

impl Echo {
    fn new(data: Vec<u8>) -> Self {
        let (client, app, sent) = (Endpoint::new(), Endpoint::new(), 0);
        let (to_app, to_client) = (Queue::default(), Queue::default());
        let mut echo =
            Self { client, app, to_app, to_client, data, sent, back: Vec::new(), signals: Vec::new() };
        echo.start();
        echo
    }

    fn start(&mut self) {
        (self.sent, self.back) = (0, Vec::new());
        let open = self.client.open(self.data.len() as u32, 1);
        self.to_app.put([open]);
    }

    fn client_sends(&mut self) -> bool {
        match self.client.data(&self.data[self.sent..]) {
            Some((header, length)) => {
                let payload = &self.data[self.sent..self.sent + length];
                self.to_app.push(header.iter().chain(payload).copied().collect());
                self.sent += length;
                true
            }
            None => {
                self.to_app.put([self.client.end()]);
                false
            }
        }
    }

    fn client_receives(&mut self) {
        let Some(message) = self.to_client.messages.pop_front() else { return };
        let step = self.client.on_packet(&Packet::parse(&message).unwrap());
        self.to_app.put(step.answers);
        match step.signal {
            Signal::Opened { .. } => self.to_app.put([self.client.accept(WINDOW)]),
            Signal::Data(bytes) => {
                self.back.extend_from_slice(bytes);
                self.to_app.put([self.client.consumed()]);
            }
            Signal::Complete => self.signals.push(Signal::Complete),
            Signal::Sent => self.signals.push(Signal::Sent),
            Signal::SendFailed(failure) => self.signals.push(Signal::SendFailed(failure)),
            Signal::ReceiveFailed(failure) => self.signals.push(Signal::ReceiveFailed(failure)),
            Signal::Flow | Signal::Ignored => {}
        }
    }

    fn app_runs(&mut self) {
        let Some(message) = self.to_app.messages.pop_front() else { return };
        let Ok(packet) = Packet::parse(&message) else { return };
        let step = self.app.on_packet(&packet);
        self.to_client.put(step.answers);
        match step.signal {
            Signal::Opened { tag, .. } => self.to_client.put([self.app.relay(tag, WINDOW)]),
            Signal::Data(bytes) => {
                let (header, length) = self.app.data(bytes).expect("what comes can be passed on");
                assert_eq!(length, bytes.len());
                self.to_client.push(header.iter().chain(bytes).copied().collect());
                self.to_client.put([self.app.consumed()]);
            }
            _ => {}
        }
        self.to_client.put([self.app.end()]);
    }

    fn run(&mut self, order: &mut impl Iterator<Item = u8>) {
        for _ in 0..200_000 {
            match order.next().unwrap_or(0) % 3 {
                1 => self.client_receives(),
                2 => self.app_runs(),
                _ => {
                    while self.client_sends() {}
                    self.app_runs();
                    self.client_receives();
                }
            }
            if self.signals.len() >= 2 {
                break;
            }
        }
    }
}

#[test]
fn bytes_come_back_as_they_flow_and_never_overflow_the_buffers() {
    for size in [0, 1, MAX_DATA, MAX_DATA + 1, 5 << 20] {
        let mut echo = Echo::new((0..size).map(|i| (i * 7 % 253) as u8).collect());
        echo.run(&mut [].into_iter());
        assert!(echo.back == echo.data, "{size} bytes");
        assert!(echo.to_app.most <= BUFFERS as usize, "{}", echo.to_app.most);
        assert!(echo.to_client.most <= BUFFERS as usize, "{}", echo.to_client.most);
    }
}

#[test]
fn a_relay_ends_on_both_sides_and_the_channel_is_clean() {
    let data: Vec<u8> = (0..60_000).map(|i| (i % 250) as u8).collect();
    // The client gives up as sender, as receiver, and a message is damaged.
    for way in 0..3 {
        let mut echo = Echo::new(data.clone());
        for _ in 0..9 {
            echo.client_sends();
            echo.app_runs();
            echo.client_receives();
        }
        assert!(echo.app.is_receiving() && echo.app.is_sending());
        match way {
            0 => echo.to_app.put([echo.client.cancel(Reason::Application)]),
            1 => echo.to_app.put([echo.client.abort(Reason::Application)]),
            _ => echo.to_app.push(std::vec![1, 3, 0, 0, 1, 0, 0, 0, 99, 0, 0, 0, 7]),
        }
        for _ in 0..30 {
            echo.app_runs();
            echo.client_receives();
        }
        assert!(!echo.app.is_receiving() && !echo.app.is_sending(), "way {way}");
        assert!(!echo.client.is_sending() && !echo.client.is_receiving(), "way {way}");
        echo.signals.clear();
        echo.start();
        echo.run(&mut [].into_iter());
        assert!(echo.back == echo.data, "way {way}");
    }
}

#[test]
fn a_refusal_tells_both_sizes() {
    let (mut client, mut app) = (Endpoint::new(), Endpoint::new());
    app.on_packet(&client.open(256_000, 1).unwrap());
    let refusal = app.refuse(Reason::NoMemory, 81_920).unwrap();
    let failure = Failure::Aborted { reason: Reason::NoMemory, asked: 256_000, available: 81_920 };
    assert_eq!(client.on_packet(&refusal).signal, Signal::SendFailed(failure));
    assert!(!client.is_sending() && !app.is_receiving());
    assert!(client.open(1, 1).is_some());
    assert!(client.open(1, 1).is_none(), "one at a time");
}

/// Seen on the real kernel: the transfer under way ended, and its sender was not told.
#[test]
fn a_transfer_that_ends_by_a_stray_packet_is_named() {
    let strays = [
        Packet::Open { transfer: 11, total: 1, tag: 0 },
        Packet::Data { transfer: 77, sequence: 0, payload: b"x" },
    ];
    for stray in strays {
        let mut end = Endpoint::new();
        end.on_packet(&Packet::Open { transfer: 10, total: 8, tag: 0 });
        end.accept(WINDOW);
        let step = end.on_packet(&stray);
        let named: Vec<u32> = step.answers.iter().flatten().map(Packet::transfer).collect();
        assert_eq!(named, [10, stray.transfer()]);
        assert!(!end.is_receiving());
    }
}

#[test]
fn an_abort_of_an_ended_transfer_is_left_out() {
    let mut end = Endpoint::new();
    end.open(0, 0).unwrap();
    end.on_packet(&Packet::Accept { transfer: 1, credit: 1 });
    end.end().unwrap();
    assert_eq!(end.on_packet(&Packet::Done { transfer: 1 }).signal, Signal::Sent);
    let late = Packet::Abort { transfer: 1, reason: Reason::Application, asked: 0, available: 0 };
    assert_eq!(end.on_packet(&late).signal, Signal::Ignored);
}

proptest! {
    /// In whatever order the sides run, all comes back and no buffer overflows.
    #[test]
    fn any_order_works(size in 0usize..80_000, order in proptest::collection::vec(0u8..3, 0..400)) {
        let mut echo = Echo::new((0..size).map(|i| (i % 255) as u8).collect());
        echo.run(&mut order.into_iter());
        prop_assert!(echo.back == echo.data);
        prop_assert!(echo.to_app.most <= BUFFERS as usize && echo.to_client.most <= BUFFERS as usize);
    }
}
