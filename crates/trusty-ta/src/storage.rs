//! A small sealed store: the trusted app seals, a daemon on Linux (`carveout-stored`) keeps.
//!
//! The trusted app has a port whose name begins with [`PORT_PREFIX`]; the daemon connects to it, and is asked over that connection. Names as
//! in AOSP's storage service; the messages are those of its storage proxy.
//!
//! A store is a table and contents. The table has each content's name, size and digest (BLAKE2s), and a counter that rises with each change;
//! table and contents are sealed ([`crate::sealed`]). The digest of the table is the root of this tree of hashes, and [`Storage`] remembers it: what
//! Linux gives back is the very last state, or an error. A change is written beside what is there, and becomes true with its new table, which is
//! written to the older of two places: after a power cut, or the death of the daemon, the store is as before the change or as behind it.
//!
//! What it cannot promise without a counter outside: across a restart of Trusty the root is forgotten, and an attacker who owns Linux can
//! bring back an older store as a whole, or none at all. Then:
//!
//! - [`Storage::create`] is another call than [`Storage::open`]: a store that is gone is an error, and no new one is made by itself.
//! - [`Storage::version`] is for somebody who remembers: a server that the trusted app speaks with, a secure element.
//! - [`Storage::with_counter`] asks a [`MonotonicCounter`]. Neither Trusty for Jetson with R32 nor carveout has one: eMMC's RPMB is not used by
//!   NVIDIA's Trusty.
//!
//! An attacker who owns Linux can always keep the store from being read or written, sees sizes and when something changes, and not what.
//!
//! ```text
//! fn on_connect(&mut self, port: &PortCfg, _: &Handle, peer: &Uuid) -> Result<ConnectResult<Client>> {
//!     if port.path == STORAGE_PORT {
//!         return Ok(ConnectResult::Keep);
//!     }
//!     Ok(ConnectResult::Accept(Client::default()))
//! }
//!
//! fn on_kept(&mut self, _: &PortCfg, handle: Handle) {
//!     self.storage.attach(handle);
//! }
//!
//! fn on_event(&mut self, event: &Event) {
//!     self.storage.on_event(event);
//! }
//! ```
//!
//! While the daemon is asked, the trusted app serves nobody: [`Storage::TIMEOUT`] at most for each answer.

mod error;
mod proxy;
mod state;
mod table;

pub use error::StorageError;
pub use state::{Change, MAX_CHANGES, MAX_CONTENT, MAX_ENTRIES, MAX_NAME, Version};
pub use trusty_abi::storage::PORT_PREFIX;

use crate::handle::Handle;
use crate::sealed::{OVERHEAD, SealError, Sealer};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::time::Duration;
use proxy::Proxy;
use table::Table;
use trusty_abi::{Error, Event};
use zeroize::Zeroizing;

/// A number that no one can lower, outside of Linux's reach.
pub trait MonotonicCounter {
    /// What it is.
    fn read(&mut self) -> Result<u64, Error>;
    /// Raises it.
    fn advance(&mut self, to: u64) -> Result<(), Error>;
}

/// A store.
#[derive(Default)]
pub struct Storage {
    sealer: Option<Sealer>,
    proxy: Option<Proxy>,
    /// The table, if it was read over this connection.
    table: Option<Table>,
    known: Option<Version>,
    /// A state that may have become true.
    attempted: Option<Version>,
    counter: Option<Box<dyn MonotonicCounter>>,
}

impl Storage {
    /// How long the daemon may take for an answer.
    pub const TIMEOUT: Duration = Duration::from_secs(10);

    /// A store without a key yet: the daemon may come before hwkey-agent does.
    pub fn new() -> Self {
        Self::default()
    }

    /// Gives it what seals its contents: before that, all else is `Locked`.
    pub fn unlock(&mut self, sealer: Sealer) {
        self.sealer = Some(sealer);
    }

    /// Whether it has what seals its contents.
    pub fn is_unlocked(&self) -> bool {
        self.sealer.is_some()
    }

    /// Asks a counter outside, too.
    #[must_use]
    pub fn with_counter(self, counter: Box<dyn MonotonicCounter>) -> Self {
        Self { counter: Some(counter), ..self }
    }

    fn sealer(&self) -> Result<&Sealer, StorageError> {
        self.sealer.as_ref().ok_or(StorageError::Locked)
    }

    /// The daemon has connected. While one is connected another one is turned away: false.
    pub fn attach(&mut self, handle: Handle) -> bool {
        // That one has gone may be the next event.
        if self.proxy.as_ref().is_some_and(Proxy::has_gone) {
            self.detach();
        }
        let free = self.proxy.is_none();
        if free {
            self.proxy = Some(Proxy::new(handle, Self::TIMEOUT));
        }
        free
    }

    /// Whether a daemon is connected.
    pub fn is_attached(&self) -> bool {
        self.proxy.is_some()
    }

    /// Looks whether an event is the daemon's; then it has gone, as it says nothing unasked. What was known stays known.
    pub fn on_event(&mut self, event: &Event) -> bool {
        let own = self.proxy.as_ref().is_some_and(|proxy| proxy.is(event.handle));
        if own {
            self.detach();
        }
        own
    }

    fn detach(&mut self) {
        (self.proxy, self.table) = (None, None);
    }

    /// Reads the newest state, and tells it. Other calls do so by themselves.
    pub fn open(&mut self) -> Result<Version, StorageError> {
        self.with(Self::read_table)
    }

    /// Makes an empty store where there is none, or none that could ever be read. `Present` if there is one; `RolledBack` if there was one since
    /// the start, or the counter outside knows of one. Call it when the device is provisioned, not when [`Self::open`] fails.
    pub fn create(&mut self) -> Result<Version, StorageError> {
        match self.open() {
            Ok(_) => return Err(StorageError::Present),
            Err(StorageError::Absent) => {}
            // The power was cut when the first table was written, say.
            Err(StorageError::Tampered) if self.known.is_none() => {
                if let known @ StorageError::RolledBack { .. } = self.absent()? {
                    return Err(known);
                }
            }
            Err(error) => return Err(error),
        }
        self.table = Some(Table::default());
        self.apply(&[])
    }

    /// The state that is known, if one is.
    pub fn version(&self) -> Option<Version> {
        self.known
    }

    /// Names and sizes.
    pub fn list(&mut self) -> Result<impl Iterator<Item = (&[u8], usize)>, StorageError> {
        self.ensure_open()?;
        let entries = self.table.as_ref().map(|table| table.entries.as_slice()).unwrap_or_default();
        Ok(entries.iter().map(|entry| (entry.name.as_slice(), entry.size as usize)))
    }

    /// The content of a name.
    pub fn get(&mut self, name: &[u8]) -> Result<Zeroizing<Vec<u8>>, StorageError> {
        self.ensure_open()?;
        let found = self.table.as_ref().and_then(|table| table.find(name));
        let entry = found.cloned().ok_or(StorageError::NotFound)?;
        let sealed = self.with(|_, proxy| proxy.read(&entry.file(), entry.size as usize + OVERHEAD))?;
        let sealed = sealed.ok_or(StorageError::Tampered)?;
        let content = self.sealer()?.open(&entry.sealed_name(), &sealed)?;
        if content.len() != entry.size as usize || table::digest(&content) != entry.digest {
            return Err(StorageError::Tampered);
        }
        Ok(content)
    }

    /// Gives a name this content.
    pub fn put(&mut self, name: &[u8], content: &[u8]) -> Result<Version, StorageError> {
        self.apply(&[Change::Put(name, content)])
    }

    /// Removes a name. `NotFound` if it is not there.
    pub fn remove(&mut self, name: &[u8]) -> Result<Version, StorageError> {
        self.apply(&[Change::Remove(name)])
    }

    /// Makes changes true together, or none. More than [`MAX_CHANGES`] are `TooLarge`.
    pub fn apply(&mut self, changes: &[Change]) -> Result<Version, StorageError> {
        self.ensure_open()?;
        let before = self.table.take().unwrap_or_default();
        let next = match before.changed(changes) {
            Ok(next) => next,
            Err(error) => {
                self.table = Some(before);
                return Err(error);
            }
        };
        // If it fails, what is true now is read again.
        let version = self.with(|this, proxy| this.write(proxy, &before, &next, changes))?;
        self.table = Some(next);
        Ok(version)
    }

    fn ensure_open(&mut self) -> Result<(), StorageError> {
        if self.table.is_none() || self.proxy.is_none() {
            self.open()?;
        }
        Ok(())
    }

    /// Does something with the daemon. One that does not do as it should is let go.
    fn with<T>(
        &mut self,
        run: impl FnOnce(&mut Self, &mut Proxy) -> Result<T, StorageError>,
    ) -> Result<T, StorageError> {
        self.sealer()?;
        let mut proxy = self.proxy.take().ok_or(StorageError::NoProxy)?;
        let done = run(self, &mut proxy);
        match done {
            Err(StorageError::Gone(_) | StorageError::Nonsense) => self.detach(),
            _ => self.proxy = Some(proxy),
        }
        done
    }

    /// Reads the newest table, and removes what no table names any more.
    fn read_table(&mut self, proxy: &mut Proxy) -> Result<Version, StorageError> {
        self.table = None;
        let mut found: Vec<Table> = Vec::new();
        let mut unsound = false;
        for slot in 0..2 {
            let Some(sealed) = proxy.read(&table::file(slot), table::MAX + OVERHEAD)? else { continue };
            match self.sealer()?.open(table::NAME, &sealed) {
                Ok(bytes) => found.extend(Table::parse(&bytes, slot)),
                Err(SealError::NoMemory) => return Err(StorageError::NoMemory),
                // One that was being written when the power was cut is not whole: the other one is true.
                Err(_) => unsound = true,
            }
        }
        found.sort_by_key(|table| table.counter);
        let Some(newest) = found.pop() else {
            return Err(match self.known {
                Some(known) => StorageError::RolledBack { known: known.counter, found: 0 },
                None if unsound => StorageError::Tampered,
                None => self.absent()?,
            });
        };
        let version = newest.version();
        self.ensure_newest(&version)?;
        let older = found.pop();
        let of_older = older.iter().flat_map(|older| older.files_not_in(&newest));
        // Of a change that did not become true.
        let of_next =
            (0..MAX_CHANGES).map(|index| table::content_file(newest.counter.saturating_add(1), index));
        for file in of_older.chain(of_next) {
            match proxy.delete(&file) {
                // What the daemon may not remove only takes room.
                Ok(_) | Err(StorageError::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        self.table = Some(newest);
        self.known = Some(version);
        self.attempted = None;
        Ok(version)
    }

    /// There is nothing: as it should be, if no counter knows of a state.
    fn absent(&mut self) -> Result<StorageError, StorageError> {
        let known = self.counter.as_mut().map_or(Ok(0), |counter| counter.read());
        Ok(match known.map_err(StorageError::Counter)? {
            0 => StorageError::Absent,
            known => StorageError::RolledBack { known, found: 0 },
        })
    }

    fn ensure_newest(&mut self, version: &Version) -> Result<(), StorageError> {
        let older = |known| StorageError::RolledBack { known, found: version.counter };
        if let Some(known) = self.known
            && known != *version
            && self.attempted != Some(*version)
        {
            let is_older = version.counter <= known.counter;
            return Err(if is_older { older(known.counter) } else { StorageError::Tampered });
        }
        let Some(counter) = &mut self.counter else { return Ok(()) };
        let known = counter.read().map_err(StorageError::Counter)?;
        match version.counter.checked_sub(known) {
            Some(0) => Ok(()),
            // Written, and then the power was cut.
            Some(1) => counter.advance(version.counter).map_err(StorageError::Counter),
            Some(_) => Err(StorageError::Tampered),
            None => Err(older(known)),
        }
    }

    fn write(
        &mut self,
        proxy: &mut Proxy,
        before: &Table,
        next: &Table,
        changes: &[Change],
    ) -> Result<Version, StorageError> {
        for (entry, change) in next.brought_by(changes) {
            if let Change::Put(_, content) = change {
                let sealed = self.sealer()?.seal(&entry.sealed_name(), content)?;
                proxy.write(&entry.file(), &sealed, false)?;
            }
        }
        let bytes = next.bytes()?;
        let version = next.version_of(&bytes);
        let sealed = self.sealer()?.seal(table::NAME, &bytes)?;
        self.attempted = Some(version);
        proxy.write(&table::file(next.slot), &sealed, true)?;
        (self.known, self.attempted) = (Some(version), None);
        if let Some(counter) = &mut self.counter {
            counter.advance(version.counter).map_err(StorageError::Counter)?;
        }
        // It is true already: what is left over is removed the next time.
        let _ = before.files_not_in(next).try_for_each(|file| proxy.delete(&file).map(drop));
        Ok(version)
    }
}

#[cfg(test)]
mod tests;
