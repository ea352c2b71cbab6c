//! Whatever two clients send to the echo app, on the kernel's model, it goes on serving and nothing is left of them.
#![no_main]

use echo_service::{EchoService, HOLD};
use libfuzzer_sys::fuzz_target;
use tipc_bulk::{MAX_MESSAGE, Packet};
use trusty_ta::PortCfg;
use trusty_ta::testing::World;

static PORTS: [PortCfg; 1] = [PortCfg::declared(c"com.test").allow_ns_connect()];

fuzz_target!(|data: &[u8]| {
    let world = World::new();
    let mut app = world.app(&PORTS, || EchoService::new(64));
    let before = world.census();
    let mut clients = [None, None];
    let mut rest = data;
    while let Some((head, behind)) = rest.split_first_chunk::<2>() {
        let [which, length] = *head;
        let (message, behind) = behind.split_at(usize::from(length).min(behind.len()));
        rest = behind;
        let client = &mut clients[usize::from(which & 1)];
        if which & 2 != 0 {
            *client = None;
        }
        let connected = client.get_or_insert_with(|| world.connect(c"com.test").expect("the port is there"));
        if which & 4 == 0 {
            app.run();
        }
        let _ = connected.send(message);
        if which & 8 == 0 {
            app.run();
        }
        if which & 16 == 0 {
            let _ = connected.receive();
        }
    }
    drop(clients);
    app.run();
    assert_eq!((world.census(), app.handles()), (before, 1));
    let client = world.connect(c"com.test").expect("the port is there");
    app.run();
    let mut message = [0; MAX_MESSAGE];
    let open = Packet::Open { transfer: 1, total: 256, tag: HOLD };
    let length = open.write(&mut message).expect("it fits");
    client.send(&message[..length]).expect("there is room");
    app.run();
    let answer = client.receive().expect("it answers");
    assert!(matches!(Packet::parse(&answer), Ok(Packet::Accept { transfer: 1, .. })));
});
