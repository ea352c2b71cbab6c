//! What clients of trusted apps rely on.

use super::run::{Run, ask, receive, transcript};
use super::{PEER, SRV};
use std::time::{Duration, Instant};
use tipc::{Channel, Error, MAX_MESSAGE, Transport};

/// Receive buffers of a port that trusty-ta declares.
const BUFFERS: usize = 16;
/// Messages of the check `stream`.
const STREAM: u32 = 1000;

pub fn check(run: &Run, backend: &str) {
    ports(run);
    lengths(run);
    closed_by_the_app(run);
    two_at_once(run);
    vanished(run);
    too_many(run);
    flooded(run);
    unread(run);
    vanished_while_it_sends(run);
    busy(run, backend);
}

/// Linux learns that a port is not there, or not for it. Why is not said by the protocol that boots in QEMU.
fn ports(run: &Run) {
    use tipc::Error::Refused;
    for (port, expected) in [
        ("com.carveout.conformance.no", trusty_abi::Error::NotFound),
        ("com.carveout.conformance.ta-only", trusty_abi::Error::AccessDenied),
    ] {
        match run.connect(port) {
            Err(Refused { error, .. }) => {
                assert!([expected, trusty_abi::Error::Generic].contains(&error), "{port}: {error}");
            }
            other => panic!("{port}: {other:?}"),
        }
    }
    run.connect("com.carveout.conformance.ns-only").unwrap();
}

fn echo(channel: &mut Channel, message: &[u8]) {
    channel.send(message).unwrap();
    let answer = receive(channel).unwrap();
    assert!(answer == message, "{} bytes: {} came back", message.len(), answer.len());
}

fn lengths(run: &Run) {
    let mut channel = run.connect(PEER).unwrap();
    let bytes: Vec<u8> = (0..MAX_MESSAGE).map(|at| (at * 7 % 251) as u8).collect();
    for length in [0, 1, 2, 3, 64, 1000, 4079, 4080, 0, 4080] {
        echo(&mut channel, &bytes[..length]);
    }
}

fn closed_by_the_app(run: &Run) {
    for (port, word) in [(SRV, "close"), (PEER, "bye")] {
        let mut channel = run.connect(port).unwrap();
        channel.send(word.as_bytes()).unwrap();
        let end = receive(&mut channel);
        assert!(matches!(end, Err(Error::Closed)), "{port}: {end:?}");
        let end = receive(&mut channel);
        assert!(matches!(end, Err(Error::Closed)), "{port}: {end:?}");
    }
    // What was sent before it closed still arrives.
    let mut channel = run.connect(PEER).unwrap();
    for message in [b"one".as_slice(), b"two", b"bye"] {
        channel.send(message).unwrap();
    }
    assert_eq!(receive(&mut channel).unwrap(), b"one");
    assert_eq!(receive(&mut channel).unwrap(), b"two");
    assert!(matches!(receive(&mut channel), Err(Error::Closed)));
}

fn two_at_once(run: &Run) {
    let (mut one, mut two) = (run.connect(PEER).unwrap(), run.connect(PEER).unwrap());
    one.send(b"one").unwrap();
    two.send(b"two").unwrap();
    assert_eq!(receive(&mut two).unwrap(), b"two");
    two.send(b"two again").unwrap();
    assert_eq!(receive(&mut one).unwrap(), b"one");
    drop(one);
    assert_eq!(receive(&mut two).unwrap(), b"two again");
    echo(&mut two, b"and on");
}

/// How many clients are connected.
fn connected(channel: &mut Channel) -> u32 {
    let text = ask(channel, "clients");
    let numbers: Vec<u32> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [connected, gone] = numbers[..] else { panic!("{text}") };
    connected - gone
}

fn wait_for(channel: &mut Channel, expected: u32) {
    let start = Instant::now();
    while connected(channel) != expected {
        assert!(start.elapsed() < Duration::from_secs(20), "{} are connected", connected(channel));
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn vanished(run: &Run) {
    let mut stays = run.connect(SRV).unwrap();
    wait_for(&mut stays, 1);
    let others = [0; 5].map(|_| run.connect(SRV).unwrap());
    wait_for(&mut stays, 6);
    drop(others);
    wait_for(&mut stays, 1);
}

/// An app of trusty-ta serves 16; it accepts the next and closes it.
fn too_many(run: &Run) {
    let mut clients: Vec<Channel> = (0..20).map(|_| run.connect(PEER).unwrap()).collect();
    for (number, client) in clients.iter_mut().enumerate() {
        let answer = client.send(b"hello").and_then(|()| receive(client));
        match answer {
            Ok(answer) if number < 16 => assert_eq!(answer, b"hello"),
            Err(Error::Closed) if number >= 16 => {}
            other => panic!("client {number}: {other:?}"),
        }
    }
    drop(clients);
    // They leave one by one.
    let start = Instant::now();
    while run.connect(PEER).and_then(|mut next| next.send(b"x").and_then(|()| receive(&mut next))).is_err() {
        assert!(start.elapsed() < Duration::from_secs(20));
    }
}

/// What finds no receive buffer is lost, and the rest arrives.
fn flooded(run: &Run) {
    let mut channel = run.connect(SRV).unwrap();
    channel.send(b"nap").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    for _ in 0..50 {
        channel.send(b"unknown").unwrap();
    }
    assert_eq!(transcript(&mut channel, "nap"), "nanosleep: 0\n");
    for _ in 0..BUFFERS {
        assert_eq!(transcript(&mut channel, "unknown"), "no such check\n");
    }
    channel.set_timeout(Some(Duration::from_millis(300)));
    let more = receive(&mut channel);
    assert!(matches!(more, Err(Error::TimedOut(_))), "{more:?}");
    channel.set_timeout(Some(Duration::from_secs(60)));
    assert_eq!(ask(&mut channel, "unknown"), "no such check\n");
}

/// Nothing is lost of what is sent to a client that reads late; the app is told that there is no room, and when there is.
fn unread(run: &Run) {
    let mut channel = run.connect(SRV).unwrap();
    channel.send(b"stream").unwrap();
    std::thread::sleep(Duration::from_millis(500));
    // It cannot serve others meanwhile: it waits for room.
    let other = run.connect_within(SRV, Duration::from_millis(300));
    assert!(matches!(other, Err(Error::TimedOut(_))), "{other:?}");
    for number in 0..STREAM {
        let message = receive(&mut channel).unwrap();
        assert_eq!(message.len(), MAX_MESSAGE, "message {number}");
        assert_eq!(message[..4], number.to_le_bytes());
        assert!(message[4..].iter().all(|byte| *byte == 0x55), "message {number}");
    }
    let text = transcript(&mut channel, "stream");
    assert_eq!(text, "1000 messages, no room at times: true, other events: 0\n");
}

fn vanished_while_it_sends(run: &Run) {
    let mut channel = run.connect(SRV).unwrap();
    channel.send(b"stream").unwrap();
    receive(&mut channel).unwrap();
    drop(channel);
    let mut next = run.connect(SRV).unwrap();
    wait_for(&mut next, 1);
    echo(&mut run.connect(PEER).unwrap(), b"and others");
}

/// An app that does not pause does not keep others from their clients. In QEMU it does, until it pauses: the agent that
/// stands for Linux gets no turn before, and a board's Linux has its own.
fn busy(run: &Run, backend: &str) {
    let (mut spins, mut peer) = (run.connect(SRV).unwrap(), run.connect(PEER).unwrap());
    let start = Instant::now();
    spins.send(b"spin").unwrap();
    std::thread::sleep(Duration::from_millis(100));
    echo(&mut peer, b"meanwhile");
    let answered = start.elapsed();
    assert_eq!(transcript(&mut spins, "spin"), "two seconds have passed\n");
    assert!(backend == "qemu" || answered < start.elapsed() - Duration::from_millis(200), "{answered:?}");
}
