//! The TA's side.

use crate::protocol::{MAX_VALUES, REPLY_SIZE, Reply, Request, Status, values, write_values};
use alloc::vec::Vec;
use trusty_ta::{ConnectResult, MAX_MESSAGE, MessageResult, PortCfg, Service, Uuid, log};

/// Keeps one client's values at a time.
pub struct EchoService {
    store: Vec<f32>,
    /// What was asked of the kernel, in values.
    wanted: usize,
    /// Whether the store is held by a client.
    held: bool,
}

/// One client.
#[derive(Debug, Default)]
pub struct Client {
    /// How many values it has opened, if it holds the store.
    opened: Option<usize>,
}

impl EchoService {
    /// Asks for room for `wanted` values. If it is refused, that is said on the console and to every client, and no
    /// value is ever stored.
    pub fn new(wanted: usize) -> Self {
        let mut store = Vec::new();
        match store.try_reserve_exact(wanted) {
            Ok(()) => {
                store.resize(wanted, 0.0);
                log!("has room for {wanted} f32 values ({} bytes)", wanted * 4);
            }
            Err(_) => log!("no memory for {wanted} f32 values ({} bytes): raise min_heap", wanted * 4),
        }
        Self { store, wanted, held: false }
    }

    fn reply(&self, status: Status, requested: u32) -> Reply {
        let room = if status == Status::NoMemory { self.wanted } else { self.store.len() };
        Reply { status, requested, room: u32::try_from(room).unwrap_or(u32::MAX) }
    }

    fn open(&mut self, client: &mut Client, count: u32) -> Reply {
        let status = if self.store.len() < self.wanted {
            Status::NoMemory
        } else if count as usize > self.store.len() {
            Status::TooLarge
        } else if self.held && client.opened.is_none() {
            Status::Busy
        } else {
            self.held = true;
            client.opened = Some(count as usize);
            Status::Ok
        };
        if status != Status::Ok {
            log!("refuses {count} values: {status:?}, room for {}", self.store.len());
        }
        self.reply(status, count)
    }

    /// The part of the store that a client has opened, if the request lies within it.
    fn part(&mut self, client: &Client, index: u32, count: usize) -> Option<&mut [f32]> {
        let end = (index as usize).checked_add(count)?;
        self.store.get_mut(..client.opened?)?.get_mut(index as usize..end)
    }
}

impl Service for EchoService {
    type Connection = Client;

    fn on_connect(&mut self, _port: &PortCfg, _peer: &Uuid) -> ConnectResult<Client> {
        ConnectResult::Accept(Client::default())
    }

    fn on_message(
        &mut self,
        client: &mut Client,
        message: &[u8],
        reply: &mut [u8; MAX_MESSAGE],
    ) -> MessageResult {
        let mut sent = 0;
        let answer = match Request::parse(message) {
            Ok(Request::Open { count }) => self.open(client, count),
            Ok(Request::Put { index, values: bytes }) => {
                let count = bytes.len() / 4;
                let part = self.part(client, index, count);
                let status = if part.is_some() { Status::Ok } else { Status::BadRequest };
                for (to, from) in part.unwrap_or_default().iter_mut().zip(values(bytes)) {
                    *to = from;
                }
                self.reply(status, count as u32)
            }
            Ok(Request::Get { index, count }) => {
                let part = self.part(client, index, count as usize).filter(|p| p.len() <= MAX_VALUES);
                let status = if part.is_some() { Status::Ok } else { Status::BadRequest };
                let room = reply.get_mut(REPLY_SIZE..).unwrap_or_default();
                sent = write_values(part.unwrap_or_default(), room);
                self.reply(status, count)
            }
            Err(_) => self.reply(Status::BadRequest, 0),
        };
        match answer.write(reply) {
            Some(head) => MessageResult::Reply(head + sent),
            None => MessageResult::CloseConnection,
        }
    }

    fn on_disconnect(&mut self, client: Client) {
        if client.opened.is_some() {
            self.held = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HEADER_SIZE;
    use proptest::prelude::*;

    fn ask(service: &mut EchoService, client: &mut Client, message: &[u8]) -> (Reply, Vec<f32>) {
        let mut reply = [0xee; MAX_MESSAGE];
        let MessageResult::Reply(length) = service.on_message(client, message, &mut reply) else {
            panic!("no reply");
        };
        let (reply, rest) = Reply::parse(&reply[..length]).unwrap();
        (reply, values(rest).collect())
    }

    fn request(service: &mut EchoService, client: &mut Client, request: Request) -> (Reply, Vec<f32>) {
        let mut message = [0; MAX_MESSAGE];
        let length = request.write(&mut message).unwrap();
        assert_eq!(Request::parse(&message[..length]), Ok(request));
        ask(service, client, &message[..length])
    }

    #[test]
    fn values_come_back() {
        let (mut service, mut client) = (EchoService::new(2000), Client::default());
        assert_eq!(request(&mut service, &mut client, Request::Open { count: 1500 }).0.status, Status::Ok);
        let sent: Vec<f32> = (0..1500).map(|v| v as f32 * 0.5).collect();
        for (index, part) in sent.chunks(MAX_VALUES).enumerate() {
            let mut bytes = [0; MAX_MESSAGE - HEADER_SIZE];
            let length = write_values(part, &mut bytes);
            let put = Request::Put { index: (index * MAX_VALUES) as u32, values: &bytes[..length] };
            assert_eq!(request(&mut service, &mut client, put).0.status, Status::Ok);
        }
        let get = |index, count| Request::Get { index, count };
        let mut back = request(&mut service, &mut client, get(0, 1000)).1;
        back.extend(request(&mut service, &mut client, get(1000, 500)).1);
        assert_eq!(back, sent);
        assert_eq!(request(&mut service, &mut client, get(1000, 501)).0.status, Status::BadRequest);
        assert_eq!(request(&mut service, &mut client, get(0, 1200)).0.status, Status::BadRequest);
    }

    #[test]
    fn a_larger_request_is_refused_with_both_sizes_and_the_next_is_served() {
        let (mut service, mut client) = (EchoService::new(20_480), Client::default());
        let refused = request(&mut service, &mut client, Request::Open { count: 64_000 }).0;
        assert_eq!(refused, Reply { status: Status::TooLarge, requested: 64_000, room: 20_480 });
        assert_eq!(request(&mut service, &mut client, Request::Open { count: 20_480 }).0.status, Status::Ok);
    }

    /// The forum's failure: an allocation that fails is never used.
    #[test]
    fn refused_memory_is_reported_and_never_used() {
        let (mut service, mut client) = (EchoService::new(usize::MAX / 8), Client::default());
        assert_eq!(request(&mut service, &mut client, Request::Open { count: 1 }).0.status, Status::NoMemory);
        let put = Request::Put { index: 0, values: &[0; 4] };
        assert_eq!(request(&mut service, &mut client, put).0.status, Status::BadRequest);
    }

    #[test]
    fn two_clients_take_turns() {
        let mut service = EchoService::new(10);
        let (mut one, mut two) = (Client::default(), Client::default());
        let open = Request::Open { count: 10 };
        assert_eq!(request(&mut service, &mut one, open).0.status, Status::Ok);
        assert_eq!(request(&mut service, &mut two, open).0.status, Status::Busy);
        let get = Request::Get { index: 0, count: 1 };
        assert_eq!(request(&mut service, &mut two, get).0.status, Status::BadRequest);
        service.on_disconnect(two);
        service.on_disconnect(one);
        assert_eq!(request(&mut service, &mut Client::default(), open).0.status, Status::Ok);
    }

    proptest! {
        #[test]
        fn any_message_is_answered(messages: Vec<Vec<u8>>, words in proptest::collection::vec(0u32..5, 0..6)) {
            let (mut service, mut client) = (EchoService::new(4), Client::default());
            let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
            for message in messages.iter().chain([&bytes]) {
                let (reply, values) = ask(&mut service, &mut client, message);
                prop_assert!(reply.status == Status::Ok || values.is_empty());
            }
        }
    }
}
