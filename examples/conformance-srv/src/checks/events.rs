//! What events there are, which of them stay, and which are told once.

use super::{Pair, client, listen};
use crate::say;
use crate::sys;
use crate::transcript::Transcript;

pub fn check(t: &mut Transcript) {
    of_a_port(t);
    of_a_channel(t);
    of_what_ends(t);
    of_room(t);
}

fn of_a_port(t: &mut Transcript) {
    let port = listen(1, 16);
    say!(t, "a port, nobody waits: {}", sys::wait(port, 0));
    let (one, two) = (client(), client());
    say!(t, "two wait: {}, and again: {}", sys::wait(port, 0), sys::wait(port, 0));
    let (first, _) = sys::accept(port);
    say!(t, "one is accepted: {}", sys::wait(port, 0));
    let (second, _) = sys::accept(port);
    say!(t, "both are: {}", sys::wait(port, 0));
    for handle in [one, two, first, second, port] {
        sys::close(handle);
    }
}

fn of_a_channel(t: &mut Transcript) {
    let port = listen(2, 16);
    let client = client();
    let (server, _) = sys::accept(port);
    sys::close(port);
    say!(t, "connected: server {}, client {}", sys::wait(server, 0), sys::wait(client, 0));
    say!(t, "again: server {}, client {}", sys::wait(server, 0), sys::wait(client, 0));
    sys::send_msg(server, &[b"1"]);
    say!(t, "a message: {}, and again: {}", sys::wait(client, 0), sys::wait(client, 0));
    sys::send_msg(server, &[b"2"]);
    let first = sys::get_msg(client).1.id;
    say!(t, "one of two is being read: {}", sys::wait(client, 0));
    let second = sys::get_msg(client).1.id;
    say!(t, "both are: {}", sys::wait(client, 0));
    sys::put_msg(client, first);
    sys::put_msg(client, second);
    say!(t, "both are retired: {}, their sender {}", sys::wait(client, 0), sys::wait(server, 0));
    Pair { client, server }.close();
}

fn of_what_ends(t: &mut Transcript) {
    let port = listen(2, 16);
    let client = super::client();
    let (server, _) = sys::accept(port);
    sys::send_msg(server, &[b"1"]);
    sys::close(server);
    say!(t, "accepted, a message, closed: {}", sys::wait(client, 0));
    say!(t, "again: {}", sys::wait(client, 0));
    let got = sys::get_msg(client);
    say!(t, "get_msg: {got}, then {}", sys::wait(client, 0));
    say!(t, "again: {}", sys::wait(client, 0));
    say!(t, "put_msg: {}", sys::put_msg(client, got.1.id));
    say!(t, "close: {}", sys::close(client));

    let client = super::client();
    let (server, _) = sys::accept(port);
    sys::send_msg(client, &[b"1"]);
    sys::close(client);
    say!(t, "the client closes after a message: {}", sys::wait(server, 0));
    let got = sys::get_msg(server);
    say!(t, "get_msg: {got}, then {}", sys::wait(server, 0));
    sys::close(server);

    let client = super::client();
    sys::close(port);
    say!(t, "the port closes first: {}, and again: {}", sys::wait(client, 0), sys::wait(client, 0));
    say!(t, "send_msg: {}, get_msg: {}", sys::send_msg(client, &[b"1"]), sys::get_msg(client));
    sys::close(client);
}

fn of_room(t: &mut Transcript) {
    let Pair { client, server } = Pair::new(1, 16);
    say!(t, "send_msg: {}", sys::send_msg(client, &[b"1"]));
    let got = sys::get_msg(server);
    sys::put_msg(server, got.1.id);
    say!(t, "room was never missed: {}", sys::wait(client, 0));
    sys::send_msg(client, &[b"2"]);
    say!(t, "no room: {}", sys::send_msg(client, &[b"3"]));
    say!(t, "it is not an event: {}", sys::wait(client, 0));
    let got = sys::get_msg(server);
    say!(t, "being read is no room: {}, {}", sys::send_msg(client, &[b"3"]), sys::wait(client, 0));
    sys::put_msg(server, got.1.id);
    say!(t, "room: {}, and again: {}", sys::wait(client, 0), sys::wait(client, 0));
    sys::send_msg(client, &[b"4"]);
    say!(t, "no room again: {}", sys::send_msg(client, &[b"5"]));
    let got = sys::get_msg(server);
    sys::put_msg(server, got.1.id);
    say!(t, "send_msg before the event is taken: {}", sys::send_msg(client, &[b"6"]));
    sys::send_msg(server, &[b"back"]);
    say!(t, "room that is gone, and a message: {}", sys::wait(client, 0));
    say!(t, "again: {}", sys::wait(client, 0));
    say!(t, "no room: {}", sys::send_msg(client, &[b"7"]));
    sys::close(server);
    say!(t, "closed instead: {}", sys::wait(client, 0));
    sys::close(client);
}
