use super::*;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use std::collections::VecDeque;
use std::os::fd::OwnedFd;
use std::time::Duration;
use tipc_bulk::{Endpoint, HEADER, MAX_DATA, Packet, Signal, WINDOW};

#[test]
fn errors_say_what_to_do() {
    let connect = |device: &str, port: &str| Channel::connect(device.as_ref(), port).unwrap_err().to_string();
    assert!(connect("/nonexistent", "p").starts_with("/nonexistent: No such file or directory"));
    assert!(connect("/dev/null", "com.x").starts_with("cannot connect to com.x: "));
    assert!(connect("/dev/null", &"p".repeat(64)).contains("1 to 63 characters"));
    assert!(connect("/dev/null", "a\0b").contains("without NUL"));
}

/// An emulator that serves one connection after the other by a function.
fn serve(turns: Vec<fn(OwnedFd)>) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let kind = SocketType::SEQPACKET;
    let listener = rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
    rustix::net::bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    rustix::net::listen(&listener, 4).unwrap();
    std::thread::spawn(move || {
        for turn in turns {
            turn(rustix::net::accept(&listener).unwrap());
        }
    });
    (dir, path)
}

fn read(socket: &OwnedFd) -> Vec<u8> {
    let mut packet = vec![0; socket::PACKET];
    let length = rustix::io::read(socket, &mut packet).unwrap();
    packet.truncate(length);
    packet
}

fn write(socket: &OwnedFd, number: i32, message: &[u8]) {
    let packet = [&number.to_le_bytes(), message].concat();
    rustix::io::write(socket, &packet).unwrap();
}

fn accept(socket: &OwnedFd) {
    assert_eq!(read(socket), b"\0\0\0\0com.port");
    write(socket, 0, b"");
}

#[test]
fn messages_pass_the_socket_and_have_a_limit() {
    let (_dir, path) = serve(vec![|socket| {
        accept(&socket);
        assert_eq!(read(&socket), b"\0\0\0\0hello");
        write(&socket, 0, b"");
        write(&socket, 0, &[7; MAX_MESSAGE]);
        write(&socket, -15, b"");
    }]);
    let mut channel = Channel::connect(&path, "com.port").unwrap();
    let error = channel.send(&[0; MAX_MESSAGE + 1]).unwrap_err().to_string();
    assert!(error.contains("4081 bytes") && error.contains("at most 4080") && error.contains("tipc::Bulk"));
    channel.send(b"hello").unwrap();
    let mut buffer = [0; MAX_MESSAGE];
    assert_eq!(channel.receive(&mut buffer).unwrap(), 0, "an empty message is one");
    assert_eq!(channel.receive(&mut buffer).unwrap(), MAX_MESSAGE);
    assert_eq!(buffer, [7; MAX_MESSAGE]);
    assert!(matches!(channel.receive(&mut buffer), Err(Error::Closed)));
}

#[test]
fn refusals_timeouts_and_ends_are_told_apart_and_a_connection_can_be_renewed() {
    let (_dir, path) = serve(vec![
        |socket| {
            read(&socket);
            write(&socket, -43, b"");
        },
        |socket| {
            read(&socket);
            write(&socket, -2, b"trusted app x has ended: \x1b[2Jout of memory");
        },
        |socket| {
            accept(&socket);
            read(&socket);
            write(&socket, -16, b"");
        },
        |socket| {
            accept(&socket);
            write(&socket, 0, b"again");
        },
    ]);
    let refused = Channel::connect(&path, "com.port").unwrap_err().to_string();
    assert!(refused.contains("access denied (-43)"), "{refused}");
    let ended = Channel::connect(&path, "com.port").unwrap_err().to_string();
    let expected = "cannot connect to com.port: trusted app x has ended: \\u{1b}[2Jout of memory";
    assert_eq!(ended, expected, "nothing controls the terminal");
    let mut channel = Channel::connect(&path, "com.port").unwrap();
    channel.set_timeout(Some(Duration::from_millis(20)));
    let mut buffer = [0; MAX_MESSAGE];
    assert!(matches!(channel.receive(&mut buffer), Err(Error::TimedOut(_))));
    channel.send(b"stop").unwrap();
    channel.set_timeout(None);
    assert!(matches!(channel.receive(&mut buffer), Err(Error::Stopped)));
    channel.reconnect().unwrap();
    assert_eq!(channel.receive(&mut buffer).unwrap(), 5);
    assert!(matches!(channel.receive(&mut buffer), Err(Error::Closed)));
    assert_eq!(channel.port(), "com.port");
}

/// A trusted app in this process that holds what comes, up to a limit, and sends it back; with tag 9 it spoils it.
struct Loopback {
    end: Endpoint,
    answers: VecDeque<Vec<u8>>,
    store: Vec<u8>,
    sent: usize,
    tag: u32,
}

impl Loopback {
    fn new() -> Self {
        Self { end: Endpoint::new(), answers: VecDeque::new(), store: Vec::new(), sent: 0, tag: 0 }
    }

    fn put(&mut self, packet: Option<Packet>) {
        if let Some(packet) = packet {
            let mut message = [0; MAX_MESSAGE];
            let length = packet.write(&mut message).unwrap();
            self.answers.push_back(message[..length].to_vec());
        }
    }

    fn flow(&mut self) {
        while let Some((header, length)) = self.end.data(&self.store[self.sent..]) {
            let mut message = [&header, &self.store[self.sent..self.sent + length]].concat();
            if self.tag == 9 {
                message[HEADER] ^= 1;
            }
            self.answers.push_back(message);
            self.sent += length;
        }
        let end = self.end.end();
        self.put(end);
    }
}

impl Transport for Loopback {
    fn send(&mut self, message: &[u8]) -> Result<(), Error> {
        assert!(message.len() <= MAX_MESSAGE);
        let packet = Packet::parse(message).unwrap();
        let step = self.end.on_packet(&packet);
        let (signal, answers) = (step.signal, step.answers);
        answers.into_iter().for_each(|answer| self.put(answer));
        match signal {
            Signal::Opened { total, .. } if total > 100_000 => {
                let refusal = self.end.refuse(Reason::NoMemory, 100_000);
                self.put(refusal);
            }
            Signal::Opened { tag, .. } => {
                (self.store, self.sent, self.tag) = (Vec::new(), 0, tag);
                let accept = self.end.accept(WINDOW);
                self.put(accept);
            }
            Signal::Data(data) => {
                self.store.extend_from_slice(data);
                let credit = self.end.consumed();
                self.put(credit);
            }
            Signal::Complete if self.tag != 5 => {
                let open = self.end.open(self.store.len() as u32, 1);
                self.put(open);
            }
            Signal::Flow => self.flow(),
            _ => {}
        }
        Ok(())
    }

    fn receive(&mut self, buffer: &mut [u8; MAX_MESSAGE]) -> Result<usize, Error> {
        let message = self.answers.pop_front().ok_or(Error::TimedOut(Duration::ZERO))?;
        buffer[..message.len()].copy_from_slice(&message);
        Ok(message.len())
    }
}

#[test]
fn any_amount_goes_and_comes_in_one_call() {
    let mut bulk = Bulk::new(Loopback::new());
    for size in [0, 1, MAX_DATA, MAX_DATA + 1, 100_000] {
        let data: Vec<u8> = (0..size).map(|i| (i % 249) as u8).collect();
        assert!(bulk.call(1, &data, u32::MAX).unwrap() == data, "{size}");
        let mut sink = Vec::new();
        let mut steps = 0;
        let done = bulk.exchange(1, size as u64, &data[..], &mut sink, |_| steps += 1).unwrap();
        let messages = 2 * size.div_ceil(MAX_DATA) as u64;
        let expected = Exchanged { sent: size as u64, received: size as u64, data_messages: messages };
        assert_eq!((done, steps), (expected, messages));
        assert!(sink == data);
    }
    assert_eq!(bulk.send(5, &[1; 9000]).unwrap().sent, 9000);
}

/// After each failure the next call works on the same channel.
#[test]
fn failures_leave_a_clean_channel() {
    let mut bulk = Bulk::new(Loopback::new());
    let good = |bulk: &mut Bulk<Loopback>| assert_eq!(bulk.call(1, &[3; 9000], 9000).unwrap(), [3; 9000]);
    let refused = bulk.call(1, &[0; 100_001], u32::MAX).unwrap_err().to_string();
    assert!(refused.contains("100001 bytes were asked for, 100000 there are"), "{refused}");
    good(&mut bulk);
    let large = bulk.call(1, &[0; 9000], 8999).unwrap_err();
    assert!(matches!(large, BulkError::AnswerTooLarge { found: 9000, limit: 8999 }));
    good(&mut bulk);
    assert!(matches!(bulk.call(9, &[0; 9000], 9000), Err(BulkError::Failed(Failure::Checksum { .. }))));
    good(&mut bulk);
    let short = bulk.exchange(1, 50_000, &[0; 20_000][..], std::io::sink(), |_| ()).unwrap_err();
    assert!(matches!(short, BulkError::Io { what: "what is to be sent cannot be read", .. }));
    good(&mut bulk);
    let mut full = &mut [0; 5000][..];
    let error = bulk.exchange(1, 50_000, &[0; 50_000][..], &mut full, |_| ()).unwrap_err();
    assert!(matches!(error, BulkError::Io { what: "what came cannot be written", .. }), "{error}");
    good(&mut bulk);
    let large = bulk.exchange(1, 1 << 32, std::io::empty(), std::io::sink(), |_| ()).unwrap_err();
    assert!(matches!(large, BulkError::TooLarge(4_294_967_296)));
    let silent = bulk.call(5, &[1], 1).unwrap_err();
    assert!(matches!(silent, BulkError::Transport(Error::TimedOut(_))));
    good(&mut bulk);
}
