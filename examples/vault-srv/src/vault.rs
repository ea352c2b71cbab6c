//! Requests and answers.

use alloc::vec::Vec;
use core::time::Duration;
use trusty_ta::hwkey::HwkeySession;
use trusty_ta::sealed::{OVERHEAD, SealError, Sealer};
use trusty_ta::{
    ConnectResult, Handle, MAX_MESSAGE, Message, MessageResult, PortCfg, Result, Service, Uuid, log,
};
use zeroize::Zeroizing;

/// Its own UUID, as its Cargo.toml has it: what it seals no other trusted app opens.
const APP: Uuid = Uuid::parse("5b1f4c6e-8f0a-4d53-9c7e-2f6a1b3d4e05").unwrap();
/// How long the key may take: hwkey-agent starts behind this app.
const PATIENCE: Option<Duration> = Some(Duration::from_secs(5));

const SEAL: u8 = 1;
const OPEN: u8 = 2;

/// How a request has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// As asked.
    Done = 0,
    /// It is no request.
    BadRequest = 1,
    /// hwkey-agent gave no key.
    NoKey = 2,
    /// The content was sealed by another app, chip or EKB, under another name, or was changed.
    NotOpened = 3,
    /// The heap, or a message, has no room for it.
    TooLarge = 4,
}

/// The vault. It asks for its key when it first needs one.
#[derive(Default)]
pub struct Vault(Option<Sealer>);

impl Vault {
    fn sealer(&mut self) -> core::result::Result<&Sealer, Status> {
        if self.0.is_none() {
            let key = HwkeySession::open(PATIENCE).and_then(|agent| agent.query_ekb_key(PATIENCE));
            let key = key.map_err(|error| {
                log!("hwkey-agent gives no key: {error}");
                Status::NoKey
            })?;
            self.0 = Some(Sealer::new(&key, &APP));
        }
        self.0.as_ref().ok_or(Status::NoKey)
    }

    fn answer(&mut self, request: &[u8]) -> core::result::Result<Zeroizing<Vec<u8>>, Status> {
        let [what, length, rest @ ..] = request else { return Err(Status::BadRequest) };
        let (name, content) = rest.split_at_checked((*length).into()).ok_or(Status::BadRequest)?;
        let failed = |error| match error {
            SealError::NoMemory => Status::TooLarge,
            _ => Status::NotOpened,
        };
        match *what {
            // What is sealed must fit into a request to open it, behind two bytes and the name.
            SEAL if request.len() + OVERHEAD > MAX_MESSAGE => Err(Status::TooLarge),
            SEAL => self.sealer()?.seal(name, content).map(Zeroizing::new).map_err(failed),
            OPEN => self.sealer()?.open(name, content).map_err(failed),
            _ => Err(Status::BadRequest),
        }
    }
}

impl Service for Vault {
    type Connection = ();

    fn on_connect(&mut self, _: &PortCfg, _: &Handle, _: &Uuid) -> Result<ConnectResult<()>> {
        Ok(ConnectResult::Accept(()))
    }

    fn on_message(&mut self, _: &mut (), handle: &Handle, message: Message) -> Result<MessageResult> {
        let mut request = Zeroizing::new([0; MAX_MESSAGE]);
        let length = message.read(&mut request[..])?;
        match self.answer(request.get(..length).unwrap_or_default()) {
            Ok(content) => handle.send_parts(&[&[Status::Done as u8], &content])?,
            Err(status) => handle.send(&[status as u8])?,
        }
        Ok(MessageResult::MaintainConnection)
    }

    fn on_disconnect(&mut self, (): ()) {}
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use trusty_ta::testing::{AgentMood, App, Client, World};

    static PORTS: [PortCfg; 1] = [PortCfg::declared(c"com.carveout.srv.vault-srv").allow_ns_connect()];

    fn request(what: u8, name: &[u8], content: &[u8]) -> Vec<u8> {
        [&[what, name.len() as u8], name, content].concat()
    }

    fn ask(app: &mut App<Vault>, client: &Client, request: &[u8]) -> (u8, Vec<u8>) {
        client.send(request).unwrap();
        app.run();
        let answer = client.receive().unwrap();
        (answer[0], answer[1..].to_vec())
    }

    fn start(world: &World) -> (App<Vault>, Client) {
        let mut app = world.app(&PORTS, Vault::default);
        let client = world.connect(c"com.carveout.srv.vault-srv").unwrap();
        app.run();
        (app, client)
    }

    #[test]
    fn its_uuid_is_the_declared_one() {
        assert!(include_str!("../Cargo.toml").contains(&std::format!("uuid = \"{APP}\"")));
    }

    #[test]
    fn what_was_sealed_is_opened_after_a_restart() {
        let world = World::new();
        world.hwkey_agent(AgentMood::Gives);
        let (mut app, client) = start(&world);
        let (status, sealed) = ask(&mut app, &client, &request(SEAL, b"pin", b"1234"));
        assert_eq!((status, sealed.len()), (0, 4 + OVERHEAD));
        drop((app, client));
        let (mut app, client) = start(&world);
        assert_eq!(ask(&mut app, &client, &request(OPEN, b"pin", &sealed)), (0, b"1234".to_vec()));
        assert_eq!(
            ask(&mut app, &client, &request(OPEN, b"puk", &sealed)),
            (Status::NotOpened as u8, vec![])
        );
    }

    #[test]
    fn what_cannot_be_done_is_told_and_the_next_request_is_served() {
        let world = World::new();
        world.hwkey_agent(AgentMood::Refuses);
        let (mut app, client) = start(&world);
        let seal = request(SEAL, b"n", b"content");
        assert_eq!(ask(&mut app, &client, &seal), (Status::NoKey as u8, vec![]));
        world.hwkey_agent(AgentMood::Gives);
        assert_eq!(ask(&mut app, &client, &seal).0, 0);
        for bad in [&[][..], &[SEAL], &[SEAL, 3, b'a'], &[7, 0]] {
            assert_eq!(ask(&mut app, &client, bad), (Status::BadRequest as u8, vec![]), "{bad:?}");
        }
        // The largest that can be opened again, whatever the length of its name.
        for name in [&b""[..], b"n", &[b'n'; 255]] {
            let most = vec![7; MAX_MESSAGE - OVERHEAD - 2 - name.len()];
            let (status, sealed) = ask(&mut app, &client, &request(SEAL, name, &most));
            assert_eq!(status, 0);
            assert_eq!(ask(&mut app, &client, &request(OPEN, name, &sealed)), (0, most.clone()));
            let more = [&most[..], &[7]].concat();
            assert_eq!(ask(&mut app, &client, &request(SEAL, name, &more)), (Status::TooLarge as u8, vec![]));
        }
    }
}
