use super::*;
use proptest::prelude::*;
use trusty_abi::{Error, Event, connect, event, port};

const BOTH: u32 = port::ALLOW_TA_CONNECT | port::ALLOW_NS_CONNECT;

struct World {
    kernel: Kernel,
    app: Task,
    linux: Task,
    port: u32,
}

fn world(flags: u32) -> World {
    let mut kernel = Kernel::new();
    let app = kernel.add_app(Uuid([1; 16]));
    let linux = kernel.add_linux();
    let port = kernel.port_create(app, b"com.port", 2, 8, flags).unwrap();
    World { kernel, app, linux, port }
}

impl World {
    /// A channel: the client's handle and the server's.
    fn join(&mut self) -> (u32, u32) {
        let client = self.kernel.connect(self.linux, b"com.port", 0).unwrap();
        let ready = Event { handle: self.port, event: event::READY, cookie: 0 };
        assert_eq!(self.kernel.poll_any(self.app), Ok(Some(ready)));
        let (server, uuid) = self.kernel.accept(self.app, self.port).unwrap();
        assert_eq!(uuid, Uuid::NON_SECURE);
        let events = self.kernel.poll(self.linux, client).unwrap().unwrap().event;
        assert_eq!(events, event::READY);
        assert_eq!(self.kernel.connected(self.linux, client, events), Ok(client));
        (client, server)
    }
}

#[test]
fn messages_go_both_ways_in_order() {
    let mut w = world(BOTH);
    let (client, server) = w.join();
    assert_eq!(w.kernel.send_msg(w.linux, client, &[b"one", b"two"]), Ok(6));
    assert_eq!(w.kernel.send_msg(w.linux, client, &[b"three"]), Ok(5));
    assert_eq!(w.kernel.poll_any(w.app).unwrap().unwrap().event, event::MSG);
    let info = w.kernel.get_msg(w.app, server).unwrap();
    assert_eq!(info.length, 6);
    assert_eq!(w.kernel.read_msg(w.app, server, info.id, 3), Ok(&b"two"[..]));
    assert_eq!(w.kernel.read_msg(w.app, server, info.id, 7), Err(Error::InvalidArguments));
    assert_eq!(w.kernel.put_msg(w.app, server, info.id), Ok(()));
    assert_eq!(w.kernel.put_msg(w.app, server, info.id), Err(Error::InvalidArguments));
    assert_eq!(w.kernel.get_msg(w.app, server).unwrap().length, 5);
    assert_eq!(w.kernel.get_msg(w.app, server), Err(Error::NoMessage));
    assert_eq!(w.kernel.send_msg(w.app, server, &[b"back"]), Ok(4));
    assert_eq!(w.kernel.get_msg(w.linux, client).unwrap().length, 4);
}

#[test]
fn a_message_longer_than_the_buffer_is_cut() {
    let mut w = world(BOTH);
    let (client, server) = w.join();
    assert_eq!(w.kernel.send_msg(w.linux, client, &[b"12345", b"67890"]), Ok(8));
    assert_eq!(w.kernel.get_msg(w.app, server).unwrap().length, 8);
}

#[test]
fn full_buffers_block_and_tell_when_there_is_room() {
    let mut w = world(BOTH);
    let (client, server) = w.join();
    for _ in 0..2 {
        w.kernel.send_msg(w.linux, client, &[b"x"]).unwrap();
    }
    assert_eq!(w.kernel.send_msg(w.linux, client, &[b"x"]), Err(Error::NotEnoughBuffer));
    assert_eq!(w.kernel.poll(w.linux, client), Ok(None));
    let info = w.kernel.get_msg(w.app, server).unwrap();
    assert_eq!(w.kernel.poll(w.linux, client), Ok(None), "a message that is being read keeps its buffer");
    w.kernel.put_msg(w.app, server, info.id).unwrap();
    assert_eq!(w.kernel.poll(w.linux, client).unwrap().unwrap().event, event::SEND_UNBLOCKED);
    assert_eq!(w.kernel.poll(w.linux, client), Ok(None), "it is told once");
}

#[test]
fn a_peer_that_closes_leaves_its_messages() {
    let mut w = world(BOTH);
    let (client, server) = w.join();
    w.kernel.send_msg(w.linux, client, &[b"last"]).unwrap();
    w.kernel.close(w.linux, client).unwrap();
    assert_eq!(w.kernel.poll(w.app, server).unwrap().unwrap().event, event::MSG | event::HUP);
    assert_eq!(w.kernel.get_msg(w.app, server).unwrap().length, 4);
    assert_eq!(w.kernel.send_msg(w.app, server, &[b"x"]), Err(Error::ChannelClosed));
    w.kernel.close(w.app, server).unwrap();
    assert_eq!(w.kernel.census(), Census { ports: 1, ..Census::default() });
}

#[test]
fn ports_let_in_whom_they_name() {
    let mut w = world(port::ALLOW_TA_CONNECT);
    assert_eq!(w.kernel.connect(w.linux, b"com.port", 0), Err(Error::AccessDenied));
    let other = w.kernel.add_app(Uuid([2; 16]));
    assert!(w.kernel.connect(other, b"com.port", 0).is_ok());
    assert_eq!(w.kernel.connect(other, b"com.none", 0), Err(Error::NotFound));
    assert_eq!(w.kernel.connect(other, b"com.port", 4), Err(Error::InvalidArguments));
    let mut w = world(port::ALLOW_NS_CONNECT);
    let other = w.kernel.add_app(Uuid([2; 16]));
    assert_eq!(w.kernel.connect(other, b"com.port", 0), Err(Error::AccessDenied));
}

#[test]
fn ports_have_limits() {
    let mut w = world(BOTH);
    let mut create = |path: &[u8], buffers, size| w.kernel.port_create(w.app, path, buffers, size, BOTH);
    assert_eq!(create(b"com.port", 1, 1), Err(Error::AlreadyExists));
    assert!(create(&[b'a'; 63], 32, 4096).is_ok());
    for (path, buffers, size) in
        [(&[b'a'; 64][..], 1, 1), (b"", 1, 1), (b"p", 0, 1), (b"p", 33, 1), (b"p", 1, 0), (b"p", 1, 4097)]
    {
        assert_eq!(create(path, buffers, size), Err(Error::InvalidArguments));
    }
}

#[test]
fn a_task_has_128_handles() {
    let mut w = world(BOTH);
    let other = w.kernel.add_app(Uuid([2; 16]));
    for handle in 0..128 {
        assert_eq!(w.kernel.connect(other, b"com.port", 0), Ok(handle));
    }
    assert_eq!(w.kernel.connect(other, b"com.port", 0), Err(Error::NoResources));
    assert_eq!(w.kernel.close(other, 128), Err(Error::BadHandle));
    w.kernel.close(other, 5).unwrap();
    assert_eq!(w.kernel.close(other, 5), Err(Error::NotFound));
    assert_eq!(w.kernel.connect(other, b"com.port", 0), Ok(5));
}

#[test]
fn clients_wait_for_ports() {
    let mut w = world(BOTH);
    let other = w.kernel.add_app(Uuid([2; 16]));
    let client = w.kernel.connect(other, b"com.late", connect::WAIT_FOR_PORT).unwrap();
    assert_eq!(w.kernel.poll(other, client), Ok(None));
    let late = w.kernel.port_create(w.app, b"com.late", 1, 1, BOTH).unwrap();
    assert_eq!(w.kernel.accept(w.app, late).unwrap().1, Uuid([2; 16]));
    assert_eq!(w.kernel.poll(other, client).unwrap().unwrap().event, event::READY);
    assert_eq!(w.kernel.panicked(), None);
}

#[test]
fn what_panics_the_kernel_is_told() {
    let mut w = world(BOTH);
    let client = w.kernel.connect(w.linux, b"com.late", connect::WAIT_FOR_PORT).unwrap();
    assert!(w.kernel.get_msg(w.linux, client).is_err());
    assert!(w.kernel.panicked().unwrap().contains("still waits"));
    let mut w = world(BOTH);
    w.kernel.connect(w.linux, b"com.late", connect::WAIT_FOR_PORT).unwrap();
    w.kernel.port_create(w.app, b"com.late", 1, 1, port::ALLOW_TA_CONNECT).unwrap();
    assert!(w.kernel.panicked().unwrap().contains("does not let it connect"));
}

#[test]
fn a_port_that_closes_ends_those_who_wait_there() {
    let mut w = world(BOTH);
    let client = w.kernel.connect(w.linux, b"com.port", 0).unwrap();
    w.kernel.close(w.app, w.port).unwrap();
    let events = w.kernel.poll(w.linux, client).unwrap().unwrap().event;
    assert_eq!(events, event::HUP);
    assert_eq!(w.kernel.connected(w.linux, client, events), Err(Error::ChannelClosed));
    assert_eq!(w.kernel.census(), Census::default());
}

#[test]
fn a_client_that_gave_up_is_not_accepted() {
    let mut w = world(BOTH);
    let client = w.kernel.connect(w.linux, b"com.port", 0).unwrap();
    w.kernel.close(w.linux, client).unwrap();
    assert_eq!(w.kernel.accept(w.app, w.port), Err(Error::ChannelClosed));
    assert_eq!(w.kernel.accept(w.app, w.port), Err(Error::NoMessage));
    assert_eq!(w.kernel.poll_any(w.app), Ok(None));
}

#[test]
fn wait_any_takes_turns() {
    let mut w = world(BOTH);
    let (first, second) = (w.join(), w.join());
    for (client, _) in [first, second] {
        w.kernel.send_msg(w.linux, client, &[b"x"]).unwrap();
    }
    let mut next = || w.kernel.poll_any(w.app).unwrap().unwrap().handle;
    let turns = [next(), next(), next()];
    assert_eq!(turns[0], turns[2]);
    assert_ne!(turns[0], turns[1]);
    let lonely = w.kernel.add_app(Uuid([3; 16]));
    assert_eq!(w.kernel.poll_any(lonely), Err(Error::NotFound));
    w.kernel.set_cookie(w.app, first.1, 77).unwrap();
    assert_eq!(w.kernel.poll(w.app, first.1).unwrap().unwrap().cookie, 77);
}

/// Counted on the kernel: 119 connections with 32 buffers of 4096 bytes at each end, of a carve-out of 32 MiB.
#[test]
fn memory_runs_out_as_the_kernels() {
    let mut kernel = Kernel::new();
    kernel.limit_memory(32_280_000);
    let app = kernel.add_app(Uuid([1; 16]));
    let port = kernel.port_create(app, b"large", 32, 4096, 1).unwrap();
    kernel.port_create(app, b"small", 1, 16, 1).unwrap();
    let clients: Vec<u32> = std::iter::from_fn(|| kernel.connect(app, b"large", 2).ok()).collect();
    assert_eq!(clients.len(), 119);
    assert_eq!(kernel.connect(app, b"large", 2), Err(Error::NoMemory));
    let small = kernel.connect(app, b"small", 2).unwrap();
    kernel.close(app, small).unwrap();
    kernel.close(app, clients[0]).unwrap();
    assert_eq!(kernel.connect(app, b"large", 2), Err(Error::NoMemory), "the server's end is there");
    assert_eq!(kernel.accept(app, port), Err(Error::ChannelClosed));
    kernel.connect(app, b"large", 2).unwrap();
}

proptest! {
    /// Whatever tasks do, nothing panics here, and closing all handles leaves nothing.
    #[test]
    fn nothing_leaks(calls in proptest::collection::vec((0u8..11, 0usize..3, 0u32..6, 0u32..4), 0..200)) {
        let mut kernel = Kernel::new();
        let tasks = [kernel.add_app(Uuid([1; 16])), kernel.add_app(Uuid([2; 16])), kernel.add_linux()];
        for (call, task, handle, number) in calls {
            let task = tasks[task];
            let path = [b'a' + number as u8];
            let _ = match call {
                0 => kernel.port_create(task, &path, 1 + number, 4, number).map(drop),
                1 | 2 => kernel.connect(task, &path, number).map(drop),
                3 => kernel.accept(task, handle).map(drop),
                4 => kernel.close(task, handle),
                5 => kernel.poll_any(task).map(drop),
                6 => kernel.send_msg(task, handle, &[&[7; 6][..number as usize]]).map(drop),
                7 => kernel.get_msg(task, handle).map(drop),
                8 => kernel.read_msg(task, handle, number, number).map(drop),
                9 => kernel.put_msg(task, handle, number),
                _ => kernel.poll(task, handle).map(drop),
            };
        }
        for task in tasks {
            for handle in 0..256 {
                let _ = kernel.close(task, handle);
            }
            prop_assert_eq!(kernel.handles(task), 0);
        }
        prop_assert_eq!(kernel.census(), Census::default());
    }
}
