//! Requests and answers.

use alloc::vec::Vec;
use core::ffi::CStr;
use core::time::Duration;
use trusty_ta::hwkey::{EkbKey, HwkeySession};
use trusty_ta::sealed::{OVERHEAD, SealError, Sealer};
use trusty_ta::storage::{Storage, StorageError};
use trusty_ta::{
    ConnectResult, Event, Handle, MAX_MESSAGE, Message, MessageResult, PortCfg, Result, Service, Uuid, log,
    rng,
};
use vault_service::{SECRET, Status, What};
use zeroize::Zeroizing;

/// How long the key may take: hwkey-agent starts behind this app.
const PATIENCE: Option<Duration> = Some(Duration::from_secs(5));

/// Where the daemon that keeps the store comes to.
const STORAGE: &CStr = c"com.carveout.storage.vault-srv";

/// The vault. It asks for its key when it first needs one.
#[derive(Default)]
pub struct Vault {
    keys: Option<(EkbKey, Sealer)>,
    store: Storage,
}

type Answer = core::result::Result<Zeroizing<Vec<u8>>, Status>;

impl Vault {
    fn keys(&mut self) -> core::result::Result<&(EkbKey, Sealer), Status> {
        if self.keys.is_none() {
            let key = HwkeySession::open(PATIENCE).and_then(|agent| agent.query_ekb_key(PATIENCE));
            let key = key.map_err(|error| {
                log!("hwkey-agent gives no key: {error}");
                Status::NoKey
            })?;
            let sealer = Sealer::new(&key, &crate::UUID);
            self.store.unlock(Sealer::new(&key, &crate::UUID));
            self.keys = Some((key, sealer));
        }
        self.keys.as_ref().ok_or(Status::NoKey)
    }

    fn seal(&mut self, name: &[u8], content: &[u8]) -> Answer {
        // What is sealed must fit into a request to open it, behind two bytes and the name.
        if 2 + name.len() + content.len() + OVERHEAD > MAX_MESSAGE {
            return Err(Status::TooLarge);
        }
        let (_, sealer) = self.keys()?;
        sealer.seal(name, content).map(Zeroizing::new).map_err(failed)
    }

    fn answer(&mut self, request: &[u8]) -> Answer {
        let (what, name, content) = vault_service::parts(request).ok_or(Status::BadRequest)?;
        match what {
            What::Seal => self.seal(name, content),
            What::Open => self.keys()?.1.open(name, content).map_err(failed),
            What::Entropy => {
                let (key, _) = self.keys()?;
                rng::seed(key, &crate::UUID, content).map_err(|_| Status::BadRequest)?;
                Ok(Zeroizing::default())
            }
            What::New => {
                let mut secret = Zeroizing::new([0; SECRET]);
                let [length @ 1..=u8::MAX] = content else { return Err(Status::BadRequest) };
                let secret = secret.get_mut(..(*length).into()).ok_or(Status::TooLarge)?;
                rng::fill(secret).map_err(|_| Status::NoEntropy)?;
                self.seal(name, secret)
            }
            What::Init | What::Put | What::Get | What::Remove | What::List => {
                self.keys()?;
                self.kept(what, name, content).map_err(|error| {
                    log!("store: {error}");
                    not_kept(error)
                })
            }
        }
    }

    fn kept(
        &mut self,
        what: What,
        name: &[u8],
        content: &[u8],
    ) -> core::result::Result<Zeroizing<Vec<u8>>, StorageError> {
        let store = &mut self.store;
        match what {
            What::Get => return store.get(name),
            What::Put => store.put(name, content)?,
            What::Remove => store.remove(name)?,
            What::Init => store.create()?,
            _ => {
                let mut all = Zeroizing::new(Vec::new());
                for (name, size) in store.list()? {
                    let length = u8::try_from(name.len()).unwrap_or(u8::MAX);
                    if all.len() + 5 + name.len() < MAX_MESSAGE {
                        all.extend_from_slice(&(size as u32).to_le_bytes());
                        all.push(length);
                        all.extend_from_slice(name);
                    }
                }
                return Ok(all);
            }
        };
        Ok(Zeroizing::default())
    }
}

fn not_kept(error: StorageError) -> Status {
    use StorageError::{Absent, Gone, NoMemory, NoProxy, NotFound, Present, Refused, TooLarge};
    match error {
        NoProxy | Gone(_) => Status::NoDaemon,
        Absent => Status::NoStore,
        Present => Status::StoreExists,
        NotFound => Status::NotFound,
        Refused(_) => Status::NotKept,
        TooLarge | NoMemory => Status::TooLarge,
        // Nonsense, too: it is no daemon of ours.
        _ => Status::NotTrusted,
    }
}

fn failed(error: SealError) -> Status {
    match error {
        SealError::NoMemory => Status::TooLarge,
        _ => Status::NotOpened,
    }
}

impl Service for Vault {
    type Connection = ();

    fn on_connect(&mut self, port: &PortCfg, _: &Handle, _: &Uuid) -> Result<ConnectResult<()>> {
        Ok(if port.path == STORAGE { ConnectResult::Keep } else { ConnectResult::Accept(()) })
    }

    fn on_kept(&mut self, _: &PortCfg, handle: Handle) {
        if !self.store.attach(handle) {
            log!("turns a second daemon for the store away");
        }
    }

    fn on_event(&mut self, event: &Event) {
        self.store.on_event(event);
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
    use trusty_ta::testing::{AgentMood, App, Client, StorageMood, World};

    const SEAL: u8 = What::Seal as u8;
    const OPEN: u8 = What::Open as u8;

    static PORTS: [PortCfg; 2] = [
        PortCfg::declared(c"com.carveout.srv.vault-srv").allow_ns_connect(),
        PortCfg::declared(STORAGE).allow_ns_connect(),
    ];

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

    /// What it seals no other trusted app opens.
    #[test]
    fn its_uuid_is_the_declared_one() {
        assert!(include_str!("../Cargo.toml").contains(&std::format!("uuid = \"{}\"", crate::UUID)));
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
        for bad in [&[][..], &[SEAL], &[SEAL, 3, b'a'], &[99, 0]] {
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

    #[test]
    fn what_is_kept_is_given_back_by_the_store_that_kept_it() {
        let world = World::new();
        world.hwkey_agent(AgentMood::Gives);
        let (mut app, client) = start(&world);
        let say = |what: What, name: &[u8], content: &[u8]| request(what as u8, name, content);
        let get = say(What::Get, b"pin", b"");
        assert_eq!(ask(&mut app, &client, &get), (Status::NoDaemon as u8, vec![]));
        let daemon = world.storage_daemon(STORAGE, Default::default());
        assert_eq!(ask(&mut app, &client, &get), (Status::NoStore as u8, vec![]));
        for (request, status) in [
            (say(What::Init, b"", b""), Status::Done),
            (say(What::Init, b"", b""), Status::StoreExists),
            (get.clone(), Status::NotFound),
            (say(What::Put, b"pin", b"1234"), Status::Done),
            (say(What::Put, b"", b"1234"), Status::TooLarge),
        ] {
            assert_eq!(ask(&mut app, &client, &request), (status as u8, vec![]));
        }
        assert_eq!(ask(&mut app, &client, &get), (0, b"1234".to_vec()));
        assert_eq!(ask(&mut app, &client, &say(What::List, b"", b"")), (0, b"\x04\0\0\0\x03pin".to_vec()));
        daemon.files(|files| files.files.values_mut().for_each(|file| file.truncate(40)));
        assert_eq!(ask(&mut app, &client, &get), (Status::NotTrusted as u8, vec![]));
        daemon.set_mood(StorageMood::Full);
        let put = say(What::Put, b"pin", b"5");
        assert_eq!(ask(&mut app, &client, &put), (Status::NotKept as u8, vec![]));
        // What needs no store goes on.
        assert_eq!(ask(&mut app, &client, &request(SEAL, b"n", b"content")).0, 0);
    }

    /// Cases as `carveout fuzz` keeps them: the vault serves on after each.
    #[test]
    fn it_serves_on_after_what_a_fuzzer_sends() {
        let world = World::new();
        world.hwkey_agent(AgentMood::Gives);
        let (mut app, client) = start(&world);
        for case in ["send 0 ff", "send 0 0400ff", "send 0 01ff\nclose 0", "bulk 0 1 00", "send 0\nsend 7 00"]
        {
            let case = std::format!("connect com.carveout.srv.vault-srv\n{case}");
            world.replay(&mut app, &case).unwrap();
        }
        assert!(world.replay(&mut app, "send").is_err());
        assert_eq!(ask(&mut app, &client, &request(SEAL, b"n", b"content")).0, 0);
    }

    #[test]
    fn a_secret_is_made_of_what_a_client_sent_and_of_the_key() {
        let world = World::new();
        world.hwkey_agent(AgentMood::Gives);
        let (mut app, client) = start(&world);
        let new = request(What::New as u8, b"pin", &[16]);
        assert_eq!(ask(&mut app, &client, &new), (Status::NoEntropy as u8, vec![]));
        let entropy = |length: usize| request(What::Entropy as u8, b"", &vec![5; length]);
        assert_eq!(ask(&mut app, &client, &entropy(31)), (Status::BadRequest as u8, vec![]));
        assert_eq!(ask(&mut app, &client, &entropy(32)), (0, vec![]));
        let mut secrets = Vec::new();
        for _ in 0..2 {
            let (status, sealed) = ask(&mut app, &client, &new);
            assert_eq!((status, sealed.len()), (0, 16 + OVERHEAD));
            let (status, secret) = ask(&mut app, &client, &request(OPEN, b"pin", &sealed));
            assert_eq!((status, secret.len()), (0, 16));
            secrets.push(secret);
        }
        assert_ne!(secrets[0], secrets[1]);
        for (length, status) in [(0, Status::BadRequest), (65, Status::TooLarge)] {
            let new = request(What::New as u8, b"pin", &[length]);
            assert_eq!(ask(&mut app, &client, &new), (status as u8, vec![]));
        }
    }
}
