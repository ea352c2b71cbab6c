//! Daemons that lie, die, are slow and full.

extern crate std;

use super::*;
use crate::testing::{StorageDaemon, StorageMood, World, test_key};
use crate::{ConnectResult, Message, MessageResult, PortCfg, Service, Uuid};
use alloc::vec;
use core::cell::Cell;
use core::ffi::CStr;
use std::rc::Rc;
use storage_proxy::Memory;
use trusty_abi::storage::Outcome;

const PORT: &CStr = c"com.carveout.storage.test";
static PORTS: [PortCfg; 1] = [PortCfg::declared(PORT).allow_ns_connect()];

/// What is to be done with the store, and what came of it: the client's message is only the occasion.
type Job = Rc<Cell<Option<std::boxed::Box<dyn FnOnce(&mut Storage)>>>>;

struct Keeper {
    storage: Storage,
    job: Job,
}

impl Service for Keeper {
    type Connection = ();

    fn on_connect(&mut self, _: &PortCfg, _: &Handle, _: &Uuid) -> trusty_abi::Result<ConnectResult<()>> {
        Ok(ConnectResult::Keep)
    }

    fn on_kept(&mut self, _: &PortCfg, handle: Handle) {
        self.storage.attach(handle);
    }

    fn on_message(&mut self, _: &mut (), _: &Handle, _: Message) -> trusty_abi::Result<MessageResult> {
        Ok(MessageResult::CloseConnection)
    }

    fn on_disconnect(&mut self, (): ()) {}

    fn on_event(&mut self, event: &Event) {
        self.storage.on_event(event);
    }

    fn tick(&self) -> Option<Duration> {
        Some(Duration::from_millis(1))
    }

    fn on_tick(&mut self) {
        if let Some(job) = self.job.take() {
            job(&mut self.storage);
        }
    }
}

struct App<'w> {
    world: &'w World,
    app: crate::testing::App<Keeper>,
    job: Job,
}

impl<'w> App<'w> {
    /// A trusted app that has just started.
    fn start(world: &'w World, counter: Option<Outside>) -> Self {
        let job = Job::default();
        let given = job.clone();
        let app = world.app(&PORTS, move || {
            let mut storage = Storage::new();
            if let Some(counter) = counter {
                storage = storage.with_counter(Box::new(counter));
            }
            assert_eq!(storage.open(), Err(StorageError::Locked));
            storage.unlock(Sealer::new(&test_key(), &Uuid([7; 16])));
            Keeper { storage, job: given }
        });
        Self { world, app, job }
    }

    /// Lets it do something with its store.
    fn with<T: 'static>(&mut self, run: impl FnOnce(&mut Storage) -> T + 'static) -> T {
        let result = Rc::new(Cell::new(None));
        let given = result.clone();
        self.job.set(Some(std::boxed::Box::new(move |storage| given.set(Some(run(storage))))));
        self.app.run();
        self.world.advance(Duration::from_millis(1));
        self.app.run();
        result.take().expect("it was called")
    }

    fn put(&mut self, name: &'static [u8], content: &[u8]) -> Result<u64, StorageError> {
        let content = content.to_vec();
        self.with(move |storage| storage.put(name, &content).map(|version| version.counter))
    }

    fn get(&mut self, name: &'static [u8]) -> Result<Vec<u8>, StorageError> {
        self.with(move |storage| storage.get(name).map(|content| content.to_vec()))
    }
}

/// A counter that a test looks at.
#[derive(Clone, Default)]
struct Outside(Rc<Cell<u64>>);

impl MonotonicCounter for Outside {
    fn read(&mut self) -> Result<u64, Error> {
        Ok(self.0.get())
    }

    fn advance(&mut self, to: u64) -> Result<(), Error> {
        self.0.set(to);
        Ok(())
    }
}

/// A store with two contents, and the files that keep it.
fn stored() -> Memory {
    let world = World::new();
    let (mut app, daemon) = (App::start(&world, None), world.storage_daemon(PORT, Memory::default()));
    app.with(|storage| storage.create()).unwrap();
    app.put(b"pin", b"1234").unwrap();
    app.put(b"large", &[9; 9000]).unwrap();
    files(&daemon)
}

fn files(daemon: &StorageDaemon) -> Memory {
    daemon.files(|files| Memory { mood: StorageMood::Keeps, writes: 0, ..files.clone() })
}

#[test]
fn what_was_put_is_there_after_a_restart() {
    let world = World::new();
    let mut app = App::start(&world, None);
    assert_eq!(app.with(|storage| storage.open()), Err(StorageError::NoProxy));
    let daemon = world.storage_daemon(PORT, Memory::default());
    assert_eq!(app.get(b"pin"), Err(StorageError::Absent));
    assert_eq!(app.with(|storage| storage.create()).unwrap().counter, 1);
    assert_eq!(app.with(|storage| storage.create()), Err(StorageError::Present));
    assert_eq!(app.get(b"pin"), Err(StorageError::NotFound));
    assert_eq!((app.put(b"pin", b"1234"), app.put(b"large", &[9; 9000])), (Ok(2), Ok(3)));
    assert_eq!(app.put(b"pin", b"9999"), Ok(4), "it is replaced");
    assert_eq!(app.get(b"pin").unwrap(), b"9999");
    let list = |storage: &mut Storage| {
        storage.list().map(|all| all.map(|(name, size)| (name.to_vec(), size)).collect::<Vec<_>>())
    };
    assert_eq!(app.with(list), Ok(vec![(b"large".to_vec(), 9000), (b"pin".to_vec(), 4)]));
    // Of each content there is one file, and nothing of it can be read there.
    let kept = files(&daemon);
    assert_eq!(kept.files.len(), 4, "{:?}", kept.files.keys());
    assert!(kept.files.values().all(|file| !file.windows(4).any(|window| window == b"9999")));
    drop((app, daemon));

    let (mut app, daemon) = (App::start(&world, None), world.storage_daemon(PORT, kept));
    assert_eq!((app.get(b"large").unwrap(), app.get(b"pin").unwrap()), (vec![9; 9000], b"9999".to_vec()));
    assert_eq!(app.with(|storage| storage.remove(b"large")).unwrap().counter, 5);
    assert_eq!(app.with(|storage| storage.remove(b"large")), Err(StorageError::NotFound));
    assert_eq!(app.get(b"pin").unwrap(), b"9999", "an error has lost nothing");
    assert_eq!(files(&daemon).files.len(), 3);
}

#[test]
fn changes_become_true_together() {
    let world = World::new();
    let (mut app, _daemon) = (App::start(&world, None), world.storage_daemon(PORT, stored()));
    let both = [Change::Put(b"a", b"1"), Change::Remove(b"pin")];
    assert_eq!(app.with(move |storage| storage.apply(&both)).unwrap().counter, 4);
    let half = [Change::Put(b"b", b"2"), Change::Remove(b"nothing")];
    assert_eq!(app.with(move |storage| storage.apply(&half)), Err(StorageError::NotFound));
    assert_eq!(
        (app.get(b"a").unwrap(), app.get(b"b"), app.get(b"pin")),
        (b"1".to_vec(), Err(StorageError::NotFound), Err(StorageError::NotFound))
    );
    for (name, content) in [(&b""[..], 1), (&[b'n'; MAX_NAME + 1], 1), (b"n", MAX_CONTENT + 1)] {
        let (name, content) = (name.to_vec(), vec![0; content]);
        assert_eq!(app.with(move |storage| storage.put(&name, &content)), Err(StorageError::TooLarge));
    }
}

/// The daemon, or the power, goes behind each write of a change: the store is as before or as behind it, and goes on.
#[test]
fn a_daemon_that_dies_leaves_the_old_or_the_new_store() {
    let before = stored();
    let mut news = 0;
    for writes in 0.. {
        let world = World::new();
        let (mut app, daemon) = (App::start(&world, None), world.storage_daemon(PORT, before.clone()));
        assert_eq!(app.get(b"pin").unwrap(), b"1234");
        daemon.set_mood(StorageMood::DiesAfter(writes));
        let new = vec![5; 5000];
        let put = app.put(b"pin", &new);
        let after = files(&daemon);
        // The same trusted app, and one that was started anew.
        daemon.set_mood(StorageMood::Keeps);
        daemon.connect();
        let here = app.get(b"pin").unwrap();
        drop((app, daemon));
        let (mut app, daemon) = (App::start(&world, None), world.storage_daemon(PORT, after));
        let there = app.get(b"pin").unwrap();
        assert_eq!(here, there, "{writes}");
        assert!(here == b"1234" || here == new, "{writes}");
        assert!(put.is_err() || here == new, "{writes}");
        news += usize::from(here == new);
        assert_eq!(app.put(b"more", b"x").map(drop), Ok(()));
        assert_eq!(app.get(b"large").unwrap(), vec![9; 9000]);
        assert_eq!(files(&daemon).files.len(), 5, "{writes}: {:?}", files(&daemon).files.keys());
        if put.is_ok() && news > 2 {
            break;
        }
    }
}

#[test]
fn no_byte_can_be_changed_and_no_file_be_missing_or_another() {
    let kept = stored();
    let refused = |what: &str, files: Memory, get: &'static [u8]| {
        let world = World::new();
        let (mut app, _daemon) = (App::start(&world, None), world.storage_daemon(PORT, files));
        let got = app.get(get);
        assert!(got == Err(StorageError::Tampered) || got == Err(StorageError::Absent), "{what}: {got:?}");
    };
    let content = |files: &Memory, size: usize| {
        files.files.iter().find(|(_, file)| file.len() == size + OVERHEAD).unwrap().0.clone()
    };
    let pin = content(&kept, 4);
    for at in 0..kept.files[&pin].len() {
        let mut files = kept.clone();
        files.files.get_mut(&pin).unwrap()[at] ^= 1;
        refused("a content", files, b"pin");
    }
    let mut swapped = kept.clone();
    let large = content(&kept, 9000);
    let other = swapped.files[&large].clone();
    swapped.files.insert(pin.clone(), other);
    refused("another content", swapped, b"pin");
    let mut missing = kept.clone();
    missing.files.remove(&pin);
    refused("a content that is missing", missing, b"pin");
    // Without the newest table the one before it is true, for one who has just started; what it names may be gone already.
    let newest = |files: &Memory| {
        if files.files["table.0"].len() > files.files["table.1"].len() { "table.0" } else { "table.1" }
    };
    let tables = ["table.0", "table.1"];
    for at in 0..kept.files[newest(&kept)].len() {
        let mut files = kept.clone();
        files.files.get_mut(newest(&kept)).unwrap()[at] ^= 0x80;
        let world = World::new();
        let (mut app, _daemon) = (App::start(&world, None), world.storage_daemon(PORT, files));
        assert_eq!(app.get(b"large"), Err(StorageError::NotFound), "the state before");
    }
    let mut none = kept.clone();
    tables.iter().for_each(|table| none.files.get_mut(*table).unwrap()[9] ^= 1);
    refused("both tables", none, b"pin");
    let mut none = kept;
    tables.iter().for_each(|table| drop(none.files.remove(*table)));
    refused("no tables", none, b"pin");
}

#[test]
fn an_older_store_is_refused_as_long_as_somebody_remembers() {
    let world = World::new();
    let outside = Outside::default();
    let mut app = App::start(&world, Some(outside.clone()));
    let daemon = world.storage_daemon(PORT, Memory::default());
    app.with(|storage| storage.create()).unwrap();
    app.put(b"tries", b"3").unwrap();
    let older = files(&daemon);
    app.put(b"tries", b"2").unwrap();
    let newer = files(&daemon);
    let give = |files: &Memory| daemon.files(|now| *now = files.clone());
    // The trusted app remembers by itself.
    give(&older);
    daemon.connect();
    assert_eq!(app.get(b"tries"), Err(StorageError::RolledBack { known: 3, found: 2 }));
    give(&Memory::default());
    daemon.connect();
    assert_eq!(app.get(b"tries"), Err(StorageError::RolledBack { known: 3, found: 0 }));
    assert!(matches!(app.with(|storage| storage.create()), Err(StorageError::RolledBack { .. })));
    give(&newer);
    daemon.connect();
    assert_eq!(app.get(b"tries").unwrap(), b"2");
    drop(app);
    // Behind a restart the counter outside does.
    for (files, found) in [(&older, 2), (&Memory::default(), 0)] {
        give(files);
        let mut app = App::start(&world, Some(outside.clone()));
        daemon.connect();
        assert_eq!(app.get(b"tries"), Err(StorageError::RolledBack { known: 3, found }));
    }
    // Without one nobody does: this is what the documentation says.
    give(&older);
    let mut app = App::start(&world, None);
    daemon.connect();
    assert_eq!(app.get(b"tries").unwrap(), b"3");
    drop(app);
    // The power was cut between the write and the counter.
    give(&newer);
    outside.0.set(2);
    let mut app = App::start(&world, Some(outside.clone()));
    daemon.connect();
    assert_eq!((app.get(b"tries").unwrap(), outside.0.get()), (b"2".to_vec(), 3));
}

#[test]
fn a_daemon_that_is_slow_full_or_talks_nonsense_is_told_and_the_next_is_served() {
    let world = World::new();
    let (mut app, daemon) = (App::start(&world, None), world.storage_daemon(PORT, stored()));
    assert_eq!(app.get(b"pin").unwrap(), b"1234");
    for (mood, expected) in [
        (StorageMood::Full, StorageError::Refused(Outcome::Generic)),
        (StorageMood::NeverSyncs, StorageError::Refused(Outcome::SyncFailure)),
        (StorageMood::Silent, StorageError::Gone(Error::TimedOut)),
    ] {
        daemon.set_mood(mood);
        assert_eq!(app.put(b"pin", b"5"), Err(expected), "{mood:?}");
        daemon.set_mood(StorageMood::Keeps);
        if mood == StorageMood::Silent {
            assert_eq!(app.put(b"pin", b"5"), Err(StorageError::NoProxy));
            daemon.connect();
        }
        assert_eq!(app.get(b"pin").unwrap(), b"1234", "{mood:?}");
    }
    // A second one is turned away while the first is there.
    let second = world.storage_daemon(PORT, Memory::default());
    assert_eq!(app.get(b"pin").unwrap(), b"1234");
    drop(second);
    daemon.disconnect();
    assert_eq!(app.get(b"pin"), Err(StorageError::NoProxy));
}
