//! The run-time on the kernel in memory.

use crate::bulk::{Event, Failure, Link, Reason};
use crate::testing::{App, BulkClient, World};
use crate::*;
use std::string::ToString;
use std::vec;
use std::vec::Vec;
use tipc_bulk::{MAX_DATA, Packet};

#[global_allocator]
static HEAP: crate::testing::TestHeap = crate::testing::TestHeap;

static PORTS: [PortCfg; 1] = [PortCfg::declared(c"com.test").allow_ns_connect()];

const TA_PORT: &core::ffi::CStr = c"com.test.ta";
static TA_PORTS: [PortCfg; 1] = [PortCfg::declared(TA_PORT).allow_ta_connect()];
/// A TA that calls another one.
const CALLER: Uuid = Uuid([0xca; 16]);

/// Takes transfers of up to 100000 bytes whole and sends them back; passes others on as they come with tag 2.
struct Echo {
    store: Vec<u8>,
    disconnected: usize,
}

#[derive(Default)]
struct State {
    link: Link,
    came: usize,
    sent: usize,
}

const ROOM: usize = 100_000;

impl Service for Echo {
    type Connection = State;

    fn on_connect(&mut self, port: &PortCfg, _: &Handle, peer: &Uuid) -> Result<ConnectResult<State>> {
        let expected = if port.path == TA_PORT { CALLER } else { Uuid::NON_SECURE };
        assert_eq!(*peer, expected);
        Ok(ConnectResult::Accept(State::default()))
    }

    fn on_message(&mut self, state: &mut State, handle: &Handle, message: Message) -> Result<MessageResult> {
        let State { link, came, sent } = state;
        let relay = link.is_sending() && link.is_receiving();
        let mut buffer = [0; MAX_DATA];
        let into = if relay { &mut buffer[..] } else { &mut self.store[*came..] };
        match link.on_message(handle, message, into)? {
            Event::Opened { tag: 2, .. } => link.relay(handle, 2)?,
            Event::Opened { total, .. } if total as usize <= ROOM => {
                (*came, *sent) = (0, 0);
                link.accept(handle)?;
            }
            Event::Opened { .. } => link.refuse(handle, Reason::NoMemory, ROOM as u32)?,
            Event::Data(length) if relay => {
                assert_eq!(link.send(handle, &buffer[..length]), Ok(length));
                link.consumed(handle)?;
            }
            Event::Data(length) => {
                *came += length;
                link.consumed(handle)?;
            }
            Event::Complete if !relay => link.open(handle, *came as u32, 1)?,
            Event::Flow if !relay => *sent += link.send(handle, &self.store[*sent..*came])?,
            Event::Complete | Event::Flow if relay => drop(link.send(handle, &[])?),
            _ => {}
        }
        Ok(MessageResult::MaintainConnection)
    }

    fn on_disconnect(&mut self, _: State) {
        self.disconnected += 1;
    }
}

fn echo() -> Echo {
    Echo { store: vec![0; ROOM], disconnected: 0 }
}

/// A client that the app has accepted.
fn connect(world: &World, app: &mut App<Echo>) -> BulkClient {
    let client = BulkClient::new(world.connect(c"com.test").unwrap());
    app.run();
    client
}

#[test]
fn bulk_transfers_come_back_held_and_relayed() {
    let world = World::new();
    let mut app = world.app(&PORTS, echo);
    let mut client = connect(&world, &mut app);
    for (tag, size) in [(1, 0), (1, 1), (1, ROOM), (2, 0), (2, 1), (2, 1 << 20), (1, MAX_DATA), (2, 8136)] {
        let data: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
        let back = client.exchange(&mut app, tag, &data);
        assert!(back.as_deref() == Ok(&data[..]), "tag {tag}, {size} bytes: {:?}", back.map(|b| b.len()));
    }
    app.run();
    assert_eq!(world.census().messages, 0);
}

#[test]
fn a_refusal_tells_both_sizes_and_the_next_is_served() {
    let world = World::new();
    let mut app = world.app(&PORTS, echo);
    let mut client = connect(&world, &mut app);
    let refused = client.exchange(&mut app, 1, &[0; ROOM + 1]);
    let failure = Failure::Aborted { reason: Reason::NoMemory, asked: 100_001, available: 100_000 };
    assert_eq!(refused, Err(failure));
    assert!(client.exchange(&mut app, 1, &[7; 5000]).is_ok());
}

#[test]
fn hostile_messages_end_their_connection_only() {
    let world = World::new();
    let mut app = world.app(&PORTS, echo);
    let bad: [&[u8]; 4] = [b"", b"short", &[9; 12], &[1; 4080]];
    for message in bad {
        let client = world.connect(c"com.test").unwrap();
        app.run();
        client.send(message).unwrap();
        app.run();
        assert_eq!(client.receive(), Err(TipcError::ChannelClosed), "{message:?}");
    }
    // More data than was announced: the transfer fails, the connection stays.
    let mut client = connect(&world, &mut app);
    let open = client.end.open(10, 1);
    client.put(open);
    app.run();
    let mut data = vec![1, 3, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0];
    data.extend([5; 4000]);
    client.client.send(&data).unwrap();
    app.run();
    client.client.receive().unwrap();
    let abort = client.client.receive().unwrap();
    assert!(matches!(Packet::parse(&abort), Ok(Packet::Abort { reason: Reason::Protocol, .. })));
    client.end.on_packet(&Packet::parse(&abort).unwrap());
    assert!(client.exchange(&mut app, 1, &[7; 5000]).is_ok());
    drop(client);
    app.run();
    assert_eq!((app.handles(), world.census().channels, world.census().messages), (1, 0, 0));
    assert_eq!(app.manager().unwrap().service().disconnected, 5);
}

#[test]
fn a_peer_that_vanishes_leaves_nothing() {
    let world = World::new();
    let mut app = world.app(&PORTS, echo);
    let before = world.census();
    for tag in [1, 2] {
        let mut client = connect(&world, &mut app);
        let open = client.end.open(50_000, tag);
        client.put(open);
        app.run();
        client.put(Some(Packet::Data { transfer: 1, sequence: 0, payload: &[1; 100] }));
        drop(client);
        app.run();
        assert_eq!(world.census(), before);
        assert_eq!(app.manager().unwrap().connections(), 0);
    }
}

#[test]
fn a_client_that_floods_and_never_reads_is_closed_and_others_are_served() {
    let world = World::new();
    let mut app = world.app(&PORTS, echo);
    let flood = world.connect(c"com.test").unwrap();
    app.run();
    let mut ended = false;
    for transfer in 1..50 {
        // Each is refused by a message that nobody reads.
        let mut message = [0; MAX_MESSAGE];
        let length = Packet::Open { transfer, total: u32::MAX, tag: 1 }.write(&mut message).unwrap();
        if flood.send(&message[..length]) == Err(TipcError::ChannelClosed) {
            ended = true;
            break;
        }
        app.run();
    }
    assert!(ended, "the connection is closed when its buffers are full");
    let mut client = connect(&world, &mut app);
    assert!(client.exchange(&mut app, 1, &[7; 5000]).is_ok());
    assert!(world.console().contains("closes a connection"), "{}", world.console());
}

#[test]
fn more_clients_than_connections_are_refused() {
    let world = World::new();
    let mut app = world.app(&PORTS, echo);
    let clients: Vec<_> = (0..CONNECTIONS + 1).map(|_| world.connect(c"com.test").unwrap()).collect();
    app.run();
    assert_eq!(app.manager().unwrap().connections(), CONNECTIONS);
    assert_eq!(clients.last().unwrap().receive(), Err(TipcError::ChannelClosed));
    drop(clients);
    app.run();
    assert_eq!(app.handles(), 1);
}

#[test]
fn a_port_can_be_had_once() {
    let world = World::new();
    let _first = world.app(&PORTS, echo);
    let second = world.app(&PORTS, echo);
    assert_eq!(second.handles(), 0);
    assert!(world.console().contains("is refused: exists already (-14)"), "{}", world.console());
    assert_eq!(world.connect(c"com.none").err(), Some(TipcError::NotFound));
}

#[test]
fn outside_of_apps_there_is_no_kernel() {
    assert_eq!(time::now(), Err(TipcError::Offline));
    assert_eq!(Handle::connect(c"com.test").err(), Some(TipcError::Offline));
    log!("nobody reads {}", TipcError::Offline.to_string());
}

/// Messages of another TA's port, by the handle itself.
struct Asker {
    answer: core::result::Result<(), TipcError>,
}

impl Service for Asker {
    type Connection = ();

    fn on_connect(&mut self, _: &PortCfg, _: &Handle, _: &Uuid) -> Result<ConnectResult<()>> {
        let before = time::now()?;
        time::sleep(core::time::Duration::from_millis(5))?;
        assert_eq!((time::now()? - before).as_millis(), 5);
        let none = Handle::connect(c"com.none");
        assert_eq!(none.err(), Some(TipcError::NotFound));
        let denied = Handle::connect_async(c"com.test");
        self.answer = denied.map(drop);
        Ok(ConnectResult::CloseConnection)
    }

    fn on_message(&mut self, _: &mut (), _: &Handle, _: Message) -> Result<MessageResult> {
        Ok(MessageResult::CloseConnection)
    }

    fn on_disconnect(&mut self, _: ()) {}
}

#[test]
fn apps_connect_where_they_may() {
    static ASKER: [PortCfg; 1] = [PortCfg::declared(c"com.asker").allow_ns_connect()];
    let world = World::new();
    let _echo = world.app(&PORTS, echo);
    let mut asker = world.app(&ASKER, || Asker { answer: Ok(()) });
    let client = world.connect(c"com.asker").unwrap();
    asker.run();
    assert_eq!(asker.manager().unwrap().service().answer, Err(TipcError::AccessDenied));
    assert_eq!(client.receive(), Err(TipcError::ChannelClosed));
    assert_eq!(asker.handles(), 1);
}

#[test]
fn port_flags_are_the_kernels() {
    let port = PortCfg::declared(c"a");
    assert_eq!((port.flags, port.buffers, port.buffer_size), (0, 16, 4080));
    assert_eq!(port.allow_ta_connect().flags, 1);
    assert_eq!(port.allow_ta_connect().allow_ns_connect().flags, 3);
    let port = port.msg_queue_len(2).msg_max_size(64);
    assert_eq!((port.buffers, port.buffer_size), (2, 64));
}

#[test]
fn a_limited_heap_fails_as_a_ta_s_does() {
    let (refused, peak) = crate::testing::limited(1000, || {
        let held = vec![1u8; 600];
        assert_eq!((crate::heap::size(), crate::heap::used(), crate::heap::free()), (1000, 600, 400));
        assert_eq!(crate::heap::largest(), 400);
        let refused = Vec::<u8>::new().try_reserve(500).is_err();
        drop(held);
        assert!(Vec::<u8>::new().try_reserve(500).is_ok());
        (refused, crate::heap::peak())
    });
    assert!(refused);
    assert_eq!(peak, 600);
    assert_eq!((crate::heap::size(), crate::heap::used()), (usize::MAX, 0));
}

/// Counts its ticks; closes a connection at its second.
#[derive(Default)]
struct Ticking(usize);

impl Service for Ticking {
    type Connection = usize;

    fn on_connect(&mut self, _: &PortCfg, _: &Handle, _: &Uuid) -> Result<ConnectResult<usize>> {
        Ok(ConnectResult::Accept(0))
    }

    fn on_message(&mut self, _: &mut usize, _: &Handle, _: Message) -> Result<MessageResult> {
        Ok(MessageResult::MaintainConnection)
    }

    fn on_disconnect(&mut self, _: usize) {}

    fn tick(&self) -> Option<core::time::Duration> {
        Some(core::time::Duration::from_millis(100))
    }

    fn on_tick(&mut self) {
        self.0 += 1;
    }

    fn on_connection_tick(&mut self, ticks: &mut usize, _: &Handle) -> Result<MessageResult> {
        *ticks += 1;
        Ok(if *ticks == 2 { MessageResult::CloseConnection } else { MessageResult::MaintainConnection })
    }
}

#[test]
fn ticks_come_when_they_are_due() {
    let world = World::new();
    let mut app = world.app(&PORTS, Ticking::default);
    let client = world.connect(c"com.test").unwrap();
    assert_eq!(app.run(), 1);
    for (milliseconds, ticks, open) in
        [(99, 0, true), (1, 1, true), (99, 1, true), (1, 2, false), (1000, 3, false)]
    {
        world.advance(core::time::Duration::from_millis(milliseconds));
        app.run();
        let manager = app.manager().unwrap();
        assert_eq!((manager.service().0, manager.connections() == 1), (ticks, open), "{milliseconds}");
    }
    assert_eq!(client.receive(), Err(TipcError::ChannelClosed));
}

#[test]
fn a_ta_calls_another_one() {
    use crate::bulk::{CallError, call};
    let world = World::new();
    let app = world.app(&TA_PORTS, echo);
    let ask = |length: usize, limit: usize| {
        let request: Vec<u8> = (0..length).map(|n| n as u8).collect();
        let answer = world.as_app(CALLER, || call(TA_PORT, 1, &request, limit, None));
        answer.map(|answer| assert!(answer == request, "{length}"))
    };
    for length in [0, 1, MAX_DATA, ROOM] {
        assert_eq!(ask(length, ROOM), Ok(()));
    }
    assert_eq!(ask(1000, 999), Err(CallError::TooLarge(1000)));
    let refused = ask(ROOM + 1, usize::MAX).unwrap_err();
    assert!(matches!(refused, CallError::Failed(_)), "{refused:?}");
    assert!(refused.to_string().contains("100001"), "{refused}");
    // What was refused leaves nothing over.
    assert_eq!(ask(5, 5), Ok(()));
    drop(app);
    assert_eq!(ask(5, 5), Err(CallError::Tipc(TipcError::NotFound)));
    static CLOSING: [PortCfg; 1] = [PortCfg::declared(TA_PORT).allow_ta_connect()];
    let _closing = world.app(&CLOSING, || Asker { answer: Ok(()) });
    assert!(matches!(ask(5, 5), Err(CallError::Tipc(_))));
    // One that does not come to accept, as itself while it calls, is waited for as long as for an answer.
    let second = Some(core::time::Duration::from_secs(1));
    let own = c"com.test.own";
    static OWN: PortCfg = PortCfg::declared(c"com.test.own").allow_ta_connect();
    let called = world.as_app(CALLER, || {
        let _port = crate::handle::Port::create(&OWN)?;
        call(own, 1, b"", 5, second)
    });
    assert_eq!(called, Err(CallError::Tipc(TipcError::TimedOut)));
    assert_eq!(world.census().channels, 0, "{:?}", world.census());
}

#[test]
fn a_long_line_goes_on_in_the_next() {
    let world = World::new();
    world.as_app(CALLER, || log!("{}{}", "a".repeat(254), "b".repeat(300)));
    let said = world.console();
    let lines: Vec<usize> = said.lines().map(str::len).collect();
    assert_eq!(lines, [254, 254, 46]);
    // No character is cut.
    world.as_app(CALLER, || log!("{}é!", "d".repeat(253)));
    assert!(world.console().ends_with(&("d".repeat(253) + "\né!\n")));
    world.as_app(CALLER, || log!("{}", "c".repeat(254)));
    assert!(world.console().ends_with(&("\n".to_string() + &"c".repeat(254) + "\n")));
}
