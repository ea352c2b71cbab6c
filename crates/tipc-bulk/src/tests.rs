extern crate std;

use crate::*;
use proptest::prelude::*;
use std::collections::VecDeque;
use std::vec::Vec;

type Queue = VecDeque<Vec<u8>>;

fn put(queue: &mut Queue, packet: &Packet) {
    let mut message = [0; MAX_MESSAGE];
    let length = packet.write(&mut message).unwrap();
    assert_eq!(Packet::parse(&message[..length]), Ok(*packet));
    queue.push_back(message[..length].to_vec());
}

/// Both sides with queues between them. What came out, or the failure; and the most messages that ever waited.
struct Link {
    sender: Sender,
    receiver: Receiver,
    data: Vec<u8>,
    window: u32,
    to_receiver: Queue,
    to_sender: Queue,
    received: Vec<u8>,
    most: usize,
    finished: bool,
}

impl Link {
    fn new(transfer: u32, data: &[u8], window: u32) -> Self {
        let mut link = Self {
            sender: Sender::open(transfer, data.len() as u32, 7),
            receiver: Receiver::new(),
            data: data.to_vec(),
            window,
            to_receiver: Queue::new(),
            to_sender: Queue::new(),
            received: Vec::new(),
            most: 0,
            finished: false,
        };
        let open = link.sender.opening();
        put(&mut link.to_receiver, &open);
        link
    }

    fn send(&mut self) {
        if let Some((header, length)) = self.sender.data(&self.data) {
            self.to_receiver.push_back(header.into_iter().chain(self.data.drain(..length)).collect());
        } else if let Some(end) = self.sender.end() {
            put(&mut self.to_receiver, &end);
        }
    }

    fn receive(&mut self) -> Result<(), Failure> {
        let Some(message) = self.to_receiver.pop_front() else { return Ok(()) };
        let packet = Packet::parse(&message)?;
        match self.receiver.on_packet(&packet)? {
            Event::Opened { .. } => {
                let accept = self.receiver.accept(self.window).unwrap();
                put(&mut self.to_sender, &accept);
            }
            Event::Data(bytes) => {
                self.received.extend_from_slice(bytes);
                if let Some(credit) = self.receiver.consumed() {
                    put(&mut self.to_sender, &credit);
                }
            }
            Event::Complete(done) => put(&mut self.to_sender, &done),
            Event::Ignored => {}
        }
        Ok(())
    }

    fn answer(&mut self) -> Result<(), Failure> {
        let Some(message) = self.to_sender.pop_front() else { return Ok(()) };
        self.finished |= self.sender.on_packet(&Packet::parse(&message)?)? == Progress::Finished;
        Ok(())
    }

    /// Runs to the end; a transfer that makes no progress any more stops, too.
    fn run(&mut self) -> Result<(), Failure> {
        for _ in 0..100_000 {
            while self.sender.is_ready() {
                self.send();
            }
            self.most = self.most.max(self.to_receiver.len());
            self.receive()?;
            self.answer()?;
            if self.finished
                || (self.to_receiver.is_empty() && self.to_sender.is_empty() && !self.sender.is_ready())
            {
                break;
            }
        }
        Ok(())
    }
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|i| (i * 31 % 251) as u8).collect()
}

#[test]
fn bytes_on_the_wire_are_those_of_the_document() {
    let mut message = [0xee; 32];
    let mut write = |packet: Packet| {
        let length = packet.write(&mut message).unwrap();
        message[..length].to_vec()
    };
    assert_eq!(
        write(Packet::Open { transfer: 1, total: 0x0a0b0c0d, tag: 2 }),
        [1, 1, 0, 0, 1, 0, 0, 0, 0x0d, 0x0c, 0x0b, 0x0a, 2, 0, 0, 0]
    );
    assert_eq!(write(Packet::Accept { transfer: 1, credit: 4 }), [1, 2, 0, 0, 1, 0, 0, 0, 4, 0, 0, 0]);
    assert_eq!(
        write(Packet::Data { transfer: 1, sequence: 3, payload: b"x" }),
        [1, 3, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, b'x']
    );
    assert_eq!(write(Packet::Credit { transfer: 1, credit: 9 }), [1, 4, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0]);
    assert_eq!(write(Packet::End { transfer: 1, checksum: 8 }), [1, 5, 0, 0, 1, 0, 0, 0, 8, 0, 0, 0]);
    assert_eq!(write(Packet::Done { transfer: 1 }), [1, 6, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]);
    let abort = Packet::Abort { transfer: 1, reason: Reason::NoMemory, asked: 5, available: 4 };
    assert_eq!(write(abort), [1, 7, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 5, 0, 0, 0, 4, 0, 0, 0]);
    let cancel = Packet::Cancel { transfer: 1, reason: Reason::Application };
    assert_eq!(write(cancel), [1, 8, 0, 0, 1, 0, 0, 0, 6, 0, 0, 0]);
    const { assert!(MAX_DATA * 100 >= MAX_MESSAGE * 99, "99 % payload") };
}

/// CRC-32C of "123456789", from RFC 3720's polynomial.
#[test]
fn the_checksum_is_crc_32c() {
    let mut checksum = crate::checksum::Checksum::new();
    checksum.update(b"1234");
    checksum.update(b"56789");
    assert_eq!(checksum.value(), 0xe306_9283);
}

#[test]
fn transfers_of_all_sizes_arrive_within_the_window() {
    for (size, window) in [(0, 1), (1, 1), (MAX_DATA, 2), (MAX_DATA + 1, 2), (100_000, 1), (5 << 20, 28)] {
        let data = pattern(size);
        let mut link = Link::new(1, &data, window);
        link.run().unwrap();
        assert!(link.finished && link.received == data, "{size} bytes, window {window}");
        // The window of data, and the end, which needs no credit.
        assert!(link.most <= window as usize + 1, "{} waited, window {window}", link.most);
    }
}

#[test]
fn who_lacks_memory_says_so_before_data_flows() {
    let mut sender = Sender::open(1, 256_000, 0);
    let mut receiver = Receiver::new();
    receiver.on_packet(&sender.opening()).unwrap();
    assert!(!sender.is_ready());
    let refusal = receiver.refuse(Reason::NoMemory, 81_920).unwrap();
    let failure = sender.on_packet(&refusal).unwrap_err();
    assert_eq!(failure, Failure::Aborted { reason: Reason::NoMemory, asked: 256_000, available: 81_920 });
    // The channel is clean: the next transfer works.
    let next = Sender::open(2, 1, 0);
    assert!(matches!(receiver.on_packet(&next.opening()), Ok(Event::Opened { transfer: 2, .. })));
}

#[test]
fn lost_doubled_and_reordered_messages_are_found() {
    let run = |change: fn(&mut Queue)| {
        let mut link = Link::new(1, &pattern(20_000), 8);
        link.receive().unwrap();
        link.answer().unwrap();
        while link.sender.is_ready() {
            link.send();
        }
        change(&mut link.to_receiver);
        link.run().unwrap_err()
    };
    assert_eq!(run(|q| drop(q.pop_front())), Failure::Sequence { expected: 0, found: 1 });
    assert_eq!(run(|q| q.swap(1, 2)), Failure::Sequence { expected: 1, found: 2 });
    let doubled = run(|q| {
        let copy = q[0].clone();
        q.push_front(copy);
    });
    assert_eq!(doubled, Failure::Sequence { expected: 1, found: 0 });
    assert!(matches!(run(|q| q[2][100] ^= 1), Failure::Checksum { .. }));
    assert_eq!(run(|q| drop(q.remove(4))), Failure::Length { expected: 20_000, found: 4 * MAX_DATA as u32 });
    assert_eq!(run(|q| q[0].truncate(5)), Failure::NotAPacket);
    assert_eq!(run(|q| q[0][0] = 2), Failure::Version(2));
}

#[test]
fn a_sender_that_ignores_the_window_is_stopped() {
    let mut receiver = Receiver::new();
    receiver.on_packet(&Packet::Open { transfer: 1, total: 100, tag: 0 }).unwrap();
    receiver.accept(2).unwrap();
    let data = |sequence| Packet::Data { transfer: 1, sequence, payload: b"x" };
    receiver.on_packet(&data(0)).unwrap();
    receiver.on_packet(&data(1)).unwrap();
    assert_eq!(receiver.on_packet(&data(2)), Err(Failure::Window));
}

#[test]
fn after_a_failure_the_rest_is_left_out_and_the_next_transfer_works() {
    let mut receiver = Receiver::new();
    let data = |transfer, sequence| Packet::Data { transfer, sequence, payload: b"x" };
    receiver.on_packet(&Packet::Open { transfer: 5, total: 100, tag: 0 }).unwrap();
    receiver.accept(8).unwrap();
    assert!(receiver.on_packet(&data(5, 1)).is_err());
    for rest in [data(5, 2), data(5, 3), Packet::End { transfer: 5, checksum: 0 }] {
        assert_eq!(receiver.on_packet(&rest), Ok(Event::Ignored));
    }
    assert_eq!(receiver.on_packet(&data(9, 0)), Err(Failure::Unexpected("a packet of an unknown transfer")));
    let again = Packet::Open { transfer: 5, total: 1, tag: 0 };
    assert_eq!(receiver.on_packet(&again), Err(Failure::Unexpected("an open with a used number")));
    assert!(receiver.on_packet(&Packet::Open { transfer: 6, total: 1, tag: 0 }).is_ok());
}

#[test]
fn numbers_wrap_around() {
    let mut receiver = Receiver::new();
    for transfer in [u32::MAX - 1, u32::MAX, 0, 1] {
        receiver.on_packet(&Packet::Open { transfer, total: 1, tag: 0 }).unwrap();
        receiver.refuse(Reason::Busy, 0).unwrap();
    }
}

proptest! {
    #[test]
    fn any_message_is_survived(messages: Vec<Vec<u8>>) {
        let (mut sender, mut receiver) = (Sender::open(1, 10, 0), Receiver::new());
        for message in &messages {
            if let Ok(packet) = Packet::parse(message) {
                let _ = sender.on_packet(&packet);
                let _ = receiver.on_packet(&packet);
            }
        }
    }

    /// Hostile packets of every kind, in any order: nothing panics, and no more is handed on than was announced.
    #[test]
    fn any_packets_are_survived(packets in proptest::collection::vec((0u8..9, 0u32..4, 0u32..9, 0usize..20), 0..60)) {
        let (mut sender, mut receiver) = (Sender::open(1, 10, 0), Receiver::new());
        let payload = [0; 20];
        let (mut announced, mut came) = (0, 0);
        for (kind, transfer, number, length) in packets {
            let packet = match kind {
                1 => Packet::Open { transfer, total: number, tag: 0 },
                2 => Packet::Accept { transfer, credit: number },
                3 => Packet::Data { transfer, sequence: number, payload: &payload[..length.max(1)] },
                4 => Packet::Credit { transfer, credit: number },
                5 => Packet::End { transfer, checksum: number },
                6 => Packet::Done { transfer },
                7 => Packet::Cancel { transfer, reason: Reason::from_code(number) },
                _ => Packet::Abort { transfer, reason: Reason::from_code(number), asked: 0, available: 0 },
            };
            let _ = sender.on_packet(&packet);
            match receiver.on_packet(&packet) {
                Ok(Event::Opened { total, .. }) => {
                    (announced, came) = (total as usize, 0);
                    let _ = receiver.accept(number);
                }
                Ok(Event::Data(bytes)) => came += bytes.len(),
                _ => {}
            }
            let _ = receiver.consumed();
            let _ = (sender.data(&payload), sender.end());
            prop_assert!(came <= announced);
        }
    }

    /// Whatever is done to the messages, a transfer that ends well has brought the very bytes.
    #[test]
    fn what_arrives_is_what_was_sent(
        data in proptest::collection::vec(any::<u8>(), 0..30_000),
        window in 1u32..10,
        damage in proptest::option::of((0usize..12, 0usize..4, 0usize..4080)),
    ) {
        let mut link = Link::new(1, &data, window);
        link.receive().unwrap();
        link.answer().unwrap();
        while link.sender.is_ready() {
            link.send();
        }
        if let Some((at, what, byte)) = damage.filter(|(at, ..)| *at < link.to_receiver.len()) {
            let queue = &mut link.to_receiver;
            match what {
                0 => drop(queue.remove(at)),
                1 => queue.swap(0, at),
                2 => queue[at].truncate(byte),
                _ => if let Some(byte) = queue[at].get_mut(byte) { *byte ^= 0x10 },
            }
        }
        let ended = link.run();
        if link.finished {
            prop_assert_eq!(&link.received, &data);
        } else {
            prop_assert!(damage.is_some(), "{:?}", ended);
        }
    }
}
