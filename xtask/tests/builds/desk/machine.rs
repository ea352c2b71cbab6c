//! Firmware, link and socket, with the test kernel (crates/desk-firmware/src/bin/desk-test-kernel).

use super::{Emulate, receive};
use std::time::{Duration, Instant};
use tipc::{Channel, Error, Transport};

const MIB: u64 = 1 << 20;

#[test]
fn messages_of_every_size_come_back() {
    let emulate = Emulate::test_kernel("16MiB");
    let mut channel = emulate.connect("test.echo");
    for length in [0, 1, 2, 3, 15, 16, 17, 255, 1024, 4064, 4079, 4080] {
        let message: Vec<u8> = (0..length).map(|i| (i * 7 + length) as u8).collect();
        channel.send(&message).unwrap();
        assert_eq!(receive(&mut channel).unwrap(), message, "{length}");
    }
    assert!(matches!(channel.send(&[0; 4081]), Err(Error::TooLong(4081))));
    let stats = emulate.stop();
    assert_eq!((&stats["messages"], &stats["lost"]), (&24.into(), &0.into()));
    assert_eq!(stats["backend"], "qemu");
    assert_eq!(stats["fault"], serde_json::Value::Null);
}

/// Byte for byte what the boot config says; one byte more is not there.
#[test]
fn trusty_gets_exactly_its_carve_out() {
    for (size, expected) in [("1MiB", MIB), ("3MiB", 3 * MIB), ("64MiB", 64 * MIB), ("106MiB", 106 * MIB)] {
        let emulate = Emulate::test_kernel(size);
        let mut channel = emulate.connect("test.size");
        assert_eq!(receive(&mut channel).unwrap(), expected.to_le_bytes(), "{size}");
        let beyond = Channel::connect_timeout(&emulate.socket, "test.beyond", Some(Duration::from_secs(20)));
        assert!(matches!(beyond, Err(Error::Refused { .. })), "{beyond:?}");
        assert!(matches!(receive(&mut channel), Err(Error::Stopped)));
        let ended = emulate.wait();
        assert_eq!(ended.code, Some(1));
        let message = ended.json["errors"][0]["message"].as_str().unwrap();
        let place = format!("write to secure memory at 0x{:x}", 0x5000_0000 + expected);
        assert!(
            message.contains("Trusty left its carve-out") && message.contains(&place),
            "{size}: {message}"
        );
    }
}

/// The secure timer, its interrupt and the sleep of the non-secure side: nothing else wakes it.
#[test]
fn the_secure_timer_wakes_the_machine() {
    let emulate = Emulate::test_kernel("16MiB");
    let mut channel = emulate.connect("test.late");
    for number in 0..20u8 {
        let start = Instant::now();
        channel.send(&[number]).unwrap();
        assert_eq!(receive(&mut channel).unwrap(), [number]);
        let time = start.elapsed();
        assert!(time >= Duration::from_millis(20), "{time:?}");
    }
    emulate.stop();
}

#[test]
fn many_clients_each_get_their_own() {
    let emulate = Emulate::test_kernel("16MiB");
    let mut channels: Vec<Channel> = (0..32).map(|_| emulate.connect("test.echo")).collect();
    for round in 0..3u8 {
        for (number, channel) in channels.iter_mut().enumerate() {
            channel.send(&[round, number as u8]).unwrap();
        }
        for (number, channel) in channels.iter_mut().enumerate() {
            assert_eq!(receive(channel).unwrap(), [round, number as u8]);
        }
    }
    // One more than QL-TIPC has channels for; and when one has gone, there is room again.
    let refused = Channel::connect(&emulate.socket, "test.echo");
    assert!(
        matches!(refused, Err(Error::Refused { error: trusty_abi::Error::NoResources, .. })),
        "{refused:?}"
    );
    channels.pop();
    let start = Instant::now();
    while Channel::connect(&emulate.socket, "test.echo").is_err() {
        assert!(start.elapsed() < Duration::from_secs(20));
    }
    emulate.stop();
}

#[test]
fn a_port_refuses_waits_or_hangs_up() {
    let emulate = Emulate::test_kernel("16MiB");
    let refused = Channel::connect(&emulate.socket, "test.no-such-port");
    assert!(matches!(refused, Err(Error::Refused { error: trusty_abi::Error::Generic, .. })), "{refused:?}");
    let silent = Channel::connect_timeout(&emulate.socket, "test.never", Some(Duration::from_millis(300)));
    assert!(matches!(silent, Err(Error::TimedOut(_))), "{silent:?}");
    let mut channel = emulate.connect("test.hang-up");
    channel.send(b"go away").unwrap();
    assert!(matches!(receive(&mut channel), Err(Error::Closed)));
    channel.reconnect().unwrap();
    assert!(emulate.connect("test.echo").send(b"it goes on").is_ok());
    emulate.stop();
}

/// What a port cannot take is lost, as it is on a board, and is counted.
#[test]
fn cut_and_lost_messages_are_told() {
    let emulate = Emulate::test_kernel("16MiB");
    let mut channel = emulate.connect("test.small");
    channel.send(&[7; 100]).unwrap();
    assert_eq!(receive(&mut channel).unwrap(), [7; 16]);
    let ended = {
        emulate.signal("-INT");
        emulate.wait()
    };
    assert_eq!(ended.json["result"]["stats"]["lost"], 1);
    let told = "a message of 100 bytes was cut to the port's receive buffer of 16";
    assert!(ended.stderr.contains(told), "{}", ended.stderr);
}

/// A client that does not read holds up its own port alone, and gets everything in order when it reads.
#[test]
fn a_slow_reader_loses_nothing() {
    let emulate = Emulate::test_kernel("16MiB");
    let mut chatty = emulate.connect("test.chatty");
    let mut echo = emulate.connect("test.echo");
    for number in 0..50u8 {
        echo.send(&[number]).unwrap();
        assert_eq!(receive(&mut echo).unwrap(), [number]);
    }
    for number in 0..1000u32 {
        assert_eq!(receive(&mut chatty).unwrap(), number.to_le_bytes());
    }
    emulate.stop();
}

/// QEMU throws away what it cannot write at once: no more is under way than fits, even while the command does not run.
#[test]
fn a_flood_loses_nothing() {
    let emulate = Emulate::test_kernel("16MiB");
    let mut channels: Vec<Channel> = (0..32).map(|_| emulate.connect("test.echo")).collect();
    for round in 0..40u8 {
        for (number, channel) in channels.iter_mut().enumerate() {
            channel.send(&[round ^ number as u8; 4080]).unwrap();
        }
        emulate.signal("-STOP");
        std::thread::sleep(Duration::from_millis(u64::from(round % 8)));
        emulate.signal("-CONT");
        for (number, channel) in channels.iter_mut().enumerate() {
            assert!(
                receive(channel).unwrap() == [round ^ number as u8; 4080],
                "round {round}, client {number}"
            );
        }
    }
    assert_eq!(emulate.stop()["lost"], 0);
}

/// A client that sends without a pause gets in nobody's way for long.
#[test]
fn a_client_that_floods_leaves_the_others_their_turn() {
    let emulate = Emulate::test_kernel("16MiB");
    let mut floods = emulate.connect("test.never-mind");
    std::thread::scope(|scope| {
        let flood = scope.spawn(move || {
            let start = Instant::now();
            while start.elapsed() < Duration::from_secs(4) {
                floods.send(&[1]).unwrap();
            }
        });
        while !flood.is_finished() {
            let start = Instant::now();
            let mut channel = emulate.connect("test.echo");
            channel.send(b"still there?").unwrap();
            assert_eq!(receive(&mut channel).unwrap(), b"still there?");
            assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        }
    });
    assert!(
        emulate.stop()["lost"].as_u64().unwrap() > 0,
        "its port takes four messages, and nobody fetches them"
    );
}

/// Sockets on which nobody says anything keep nobody out.
#[test]
fn silent_sockets_give_way() {
    let emulate = Emulate::test_kernel("16MiB");
    let address = rustix::net::SocketAddrUnix::new(&emulate.socket).unwrap();
    let silent: Vec<_> = (0..330)
        .map(|_| {
            use rustix::net::{AddressFamily, SocketType, connect, socket};
            let socket = socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
            connect(&socket, &address).unwrap();
            socket
        })
        .collect();
    let mut channel = emulate.connect("test.echo");
    channel.send(b"in").unwrap();
    assert_eq!(receive(&mut channel).unwrap(), b"in");
    drop(silent);
    emulate.stop();
}

/// Tegra194's other devices read as zero, and it is told which were asked for.
#[test]
fn absent_devices_are_told() {
    let emulate = Emulate::test_kernel("16MiB");
    let mut channel = emulate.connect("test.device");
    assert_eq!(receive(&mut channel).unwrap(), 0u32.to_le_bytes());
    let stats = emulate.stop();
    let devices = stats["absent_devices"].as_array().unwrap();
    assert_eq!(devices.len(), 1, "{devices:?}");
    assert!(devices[0].as_str().unwrap().starts_with("read of 0x02c00000 by 0x5"), "{devices:?}");
}

#[test]
fn the_console_is_logged_with_times() {
    let emulate = Emulate::test_kernel("16MiB");
    let stats = emulate.stop();
    let log = std::fs::read_to_string(stats["console"].as_str().unwrap()).unwrap();
    let line = log
        .lines()
        .find(|line| line.ends_with("test kernel: 0x1000000 bytes, boot parameters of 0x1000 bytes"));
    let stamp = line.unwrap_or_else(|| panic!("{log}")).split(']').next().unwrap();
    assert!(stamp.starts_with('[') && stamp[1..].trim().parse::<f64>().is_ok(), "{log}");
    assert!(stats["boot_milliseconds"].as_u64().is_some());
}
