extern crate std;

use crate::*;
use std::vec;
use std::vec::Vec;
use tipc_bulk::{Failure, Packet, Reason, Signal, WINDOW};
use trusty_ta::testing::{App, BulkClient, World};
use trusty_ta::{PortCfg, TipcError};

static PORTS: [PortCfg; 1] = [PortCfg::declared(c"com.test").allow_ns_connect()];

/// A client that the app has accepted.
fn connect(world: &World, app: &mut App<EchoService>) -> BulkClient {
    let client = BulkClient::new(world.connect(c"com.test").unwrap());
    app.run();
    client
}

fn values(count: usize) -> Vec<u8> {
    (0..count).flat_map(|value| (value as f32 * 0.5).to_le_bytes()).collect()
}

fn refused(reason: Reason, asked: u32, available: u32) -> Result<Vec<u8>, Failure> {
    Err(Failure::Aborted { reason, asked, available })
}

#[test]
fn all_sizes_of_the_forum_come_back() {
    let world = World::new();
    let mut app = world.app(&PORTS, || EchoService::new(64_000));
    let mut peer = connect(&world, &mut app);
    for count in [0, 1, 1000, 2048, 20_480, 64_000] {
        assert!(peer.exchange(&mut app, HOLD, &values(count)) == Ok(values(count)), "{count}");
    }
}

#[test]
fn a_larger_request_is_refused_with_both_sizes_and_the_next_is_served() {
    let world = World::new();
    let mut app = world.app(&PORTS, || EchoService::new(20_480));
    let mut peer = connect(&world, &mut app);
    let answer = peer.exchange(&mut app, HOLD, &values(64_000));
    assert_eq!(answer, refused(Reason::NoMemory, 256_000, 81_920));
    assert!(peer.exchange(&mut app, HOLD, &values(20_480)) == Ok(values(20_480)));
    assert!(world.console().contains("refuses 256000 bytes"), "{}", world.console());
}

/// The forum's failure: an allocation that fails is never used.
#[test]
fn refused_memory_is_reported_and_never_used() {
    let world = World::new();
    let mut app = world.app(&PORTS, || EchoService::new(usize::MAX / 8));
    let mut peer = connect(&world, &mut app);
    assert_eq!(peer.exchange(&mut app, HOLD, &values(1)), refused(Reason::NoMemory, 4, 0));
    let data = vec![3; 1 << 20];
    assert!(peer.exchange(&mut app, STREAM, &data) == Ok(data), "streaming needs no such memory");
}

#[test]
fn two_clients_take_turns_with_the_room_and_stream_side_by_side() {
    let world = World::new();
    let mut app = world.app(&PORTS, || EchoService::new(5000));
    let (mut one, mut two) = (connect(&world, &mut app), connect(&world, &mut app));
    let open = one.end.open(20_000, HOLD);
    one.put(open);
    app.run();
    assert_eq!(two.exchange(&mut app, HOLD, &values(10)), refused(Reason::Busy, 0, 0));
    let data = vec![3; 100_000];
    assert!(two.exchange(&mut app, STREAM, &data) == Ok(data));
    // Who holds the room vanishes: it is free again.
    drop(one);
    app.run();
    assert!(two.exchange(&mut app, HOLD, &values(10)) == Ok(values(10)));
}

/// Seen on the real kernel: a late abort of an ended transfer, and a fault of the receiving direction while the values
/// are on their way back, ended what they had nothing to do with.
#[test]
fn stray_packets_end_nothing_else() {
    let world = World::new();
    let mut app = world.app(&PORTS, || EchoService::new(5000));
    let mut peer = connect(&world, &mut app);
    assert!(peer.exchange(&mut app, HOLD, &values(10)) == Ok(values(10)));
    let open = peer.end.open(20_000, HOLD);
    peer.put(open);
    peer.put(Some(Packet::Abort { transfer: 1, reason: Reason::Application, asked: 0, available: 0 }));
    app.run();
    let mut other = connect(&world, &mut app);
    assert_eq!(
        other.exchange(&mut app, HOLD, &values(1)),
        refused(Reason::Busy, 0, 0),
        "the room is still held"
    );
    drop(peer);
    app.run();
    // While the values are on their way back, a packet of a transfer that is not.
    let mut peer = connect(&world, &mut app);
    let (mut stray, mut back) = (false, Vec::new());
    let open = peer.end.open(20_000, HOLD);
    peer.put(open);
    let data = values(5000);
    let mut sent = 0;
    while back.len() < data.len() {
        app.run();
        let Ok(message) = peer.client.receive() else {
            sent += peer.flow(&data[sent..]);
            continue;
        };
        let step = peer.end.on_packet(&Packet::parse(&message).unwrap());
        match step.signal {
            Signal::Opened { .. } => {
                peer.put(Some(Packet::Data { transfer: 77, sequence: 0, payload: &[1] }));
                stray = true;
                let accept = peer.end.accept(WINDOW);
                peer.put(accept);
            }
            Signal::Data(bytes) => {
                back.extend_from_slice(bytes);
                let credit = peer.end.consumed();
                peer.put(credit);
            }
            _ => {}
        }
    }
    assert!(stray && back == data);
}

#[test]
fn what_it_does_not_do_is_refused() {
    let world = World::new();
    let mut app = world.app(&PORTS, || EchoService::new(10));
    let mut peer = connect(&world, &mut app);
    assert_eq!(peer.exchange(&mut app, 9, &[1]), refused(Reason::Unsupported, 0, 0));
    assert_eq!(peer.exchange(&mut app, HOLD, &[1, 2, 3]), refused(Reason::Unsupported, 0, 0));
}

#[test]
fn nothing_is_left_of_clients() {
    let world = World::new();
    let mut app = world.app(&PORTS, || EchoService::new(5000));
    let before = world.census();
    for round in 0..100 {
        let mut peer = connect(&world, &mut app);
        match round % 3 {
            0 => drop(peer.exchange(&mut app, STREAM, &[1; 9000])),
            1 => {
                let open = peer.end.open(20_000, HOLD);
                peer.put(open);
            }
            _ => peer.client.send(b"no packet at all").unwrap(),
        }
        app.run();
        drop(peer);
        app.run();
        assert_eq!((world.census(), app.handles()), (before, 1));
    }
}

proptest::proptest! {
    /// Whatever a client sends, the next one is served.
    #[test]
    fn any_messages_are_survived(
        messages in proptest::collection::vec(proptest::collection::vec(0u8..9, 0..30), 0..40),
        packets in proptest::collection::vec((1u8..9, 0u8..3, 0u8..60), 0..40),
    ) {
        let world = World::new();
        let mut app = world.app(&PORTS, || EchoService::new(10));
        let mut hostile = connect(&world, &mut app);
        let packets = packets.iter().map(|(kind, transfer, number)| {
            let mut packet = vec![1, *kind, 0, 0, *transfer, 0, 0, 0, *number, 0, 0, 0];
            packet.extend(vec![1; if *kind == 3 { 9 } else { [0, 4, 0, 0, 0, 0, 0, 8, 0][usize::from(*kind)] }]);
            packet
        });
        for message in packets.chain(messages.iter().cloned()) {
            if hostile.client.send(&message) == Err(TipcError::ChannelClosed) {
                hostile = connect(&world, &mut app);
            }
            app.run();
            let _ = hostile.client.receive();
        }
        drop(hostile);
        app.run();
        let mut peer = connect(&world, &mut app);
        proptest::prop_assert_eq!(peer.exchange(&mut app, HOLD, &values(10)), Ok(values(10)));
    }
}
