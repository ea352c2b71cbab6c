//! The folder of releases: written so that a kill or a power cut at any moment leaves each release whole or absent, and each
//! channel as it was or as it will be. The next run completes or removes what is left.
//!
//! All is written and synced in a scratch folder, in the order of the names that it then gets by rename:
//! the release's folder; the list of what is kept no longer; `index.json.minisig`, which has the index in it and so is the
//! switch; `index.json`, a copy. What is kept no longer goes last.

use super::index::{Entry, INDEX, INDEX_SIGNATURE, Index, Signed, plain_name};
use super::{SIGNATURE, SUMS};
use crate::errors::ReleaseError;
use crate::verify;
use bundle::{MAX_SIGNATURE, Manifest, PublicKey};
use carveout_host::error::{At, Error, Result};
use carveout_host::files;
use carveout_host::files::{Scratch, beside, durable, lock_told};
use carveout_host::interrupt;
use carveout_host::tools::read_limited;
use carveout_host::ui::Ui;
use carveout_keys::Signer;
use std::fs;
use std::path::{Path, PathBuf};

/// How the name of an unfinished release begins.
const TEMPORARY: &str = ".carveout-release-";
/// Bundles that are kept no longer, one a line. It is there from before the switch until they are gone.
const GONE: &str = ".carveout-gone";
const LOCK: &str = ".lock";
/// Bytes of checksums and of the list, at most.
const MAX_LIST: u64 = 1 << 20;

/// A folder of releases, locked.
pub struct Store {
    out: PathBuf,
    index: Index,
    // As it was read.
    signed: Option<Signed>,
    temporary: Scratch,
    _lock: fs::File,
}

/// A release that is there, whole and signed.
pub struct Existing {
    /// The bundle's manifest.
    pub manifest: Manifest,
    entry: Entry,
}

/// What publishing has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// The release is in the channel.
    New,
    /// It was there before.
    Already,
}

impl Store {
    /// Locks the folder, and completes or removes what interrupted runs have left.
    pub fn open(out: &Path, ui: &Ui) -> Result<Self> {
        Self::opened(out, ui).map_err(|error| as_before(out, error))
    }

    fn opened(out: &Path, ui: &Ui) -> Result<Self> {
        let lock = lock_told(&out.join(LOCK), ui)?;
        // What interrupted runs have left goes: the lock says that none is at work.
        let temporary = beside(out, TEMPORARY).at(out)?;
        let signed = Signed::read(out)?;
        let index = signed.as_ref().map_or_else(|| Ok(Index::default()), |signed| signed.index(out, None))?;
        let store = Self { out: out.into(), index, signed, temporary, _lock: lock };
        // Between the switch and the copy.
        if let Some(signed) = store.signed.as_ref().filter(|signed| signed.attached) {
            store.copy(&signed.text)?;
        }
        store.remove_gone(ui)?;
        Ok(store)
    }

    /// Where a release is, or will be.
    pub fn folder(&self, name: &str) -> PathBuf {
        self.out.join(name)
    }

    /// Lets a new release be written into a scratch folder.
    pub fn fill(&self, name: &str, fill: impl FnOnce(&Path) -> Result<Entry>) -> Result<(PathBuf, Entry)> {
        let new = self.temporary.path().join(name);
        let filled = fs::create_dir(&new).at(&new).and_then(|()| fill(&new));
        let entry = filled.and_then(|entry| durable::sync_tree(&new).map(|()| entry));
        entry.map(|entry| (new, entry)).map_err(|error| as_before(&self.out, error))
    }

    /// The newest release of the same product and board in a channel.
    pub fn before(&self, channel: &str, manifest: &Manifest) -> Option<PathBuf> {
        let entries = self.index.channels.get(channel)?;
        let same = |entry: &&Entry| (&entry.name, &entry.board) == (&manifest.name, &manifest.board);
        let path = self.out.join(&entries.iter().find(same)?.archive);
        path.exists().then_some(path)
    }

    /// The release of that name. What has its name and is no whole release by that key is refused.
    pub fn existing(&self, name: &str, key: &PublicKey) -> Result<Option<Existing>> {
        let folder = self.folder(name);
        if folder.symlink_metadata().is_err() {
            return Ok(None);
        }
        whole(&folder, name, key).map(Some).map_err(|why| {
            let (path, key) = (folder, key.id().to_string());
            if self.entries(name).next().is_some() {
                ReleaseError::NotWholeInChannel { path, key, why }.into()
            } else {
                ReleaseError::NotWhole { path, key, why }.into()
            }
        })
    }

    fn entries<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Entry> {
        self.index.channels.values().flatten().filter(move |entry| entry.bundle == name)
    }

    /// Puts a release that is there into a channel, if it is not in it.
    pub fn complete(
        self,
        existing: Existing,
        channel: &str,
        keep: Option<usize>,
        signer: &Signer,
        ui: &Ui,
    ) -> Result<Published> {
        let entry = existing.entry;
        let listed = self.index.channels.get(channel).is_some_and(|entries| entries.contains(&entry));
        if !listed {
            self.publish(None, entry, channel, keep, signer, ui)?;
            return Ok(Published::New);
        }
        if !self.ensure_own(signer)? {
            self.prepare(&self.index, &[], signer)?;
            self.give(INDEX_SIGNATURE)?;
            self.give(INDEX)?;
        }
        Ok(Published::Already)
    }

    /// What is signed anew is believed by all who have the key: another's index, or a changed one, is not. Whether it is signed as it
    /// should be, which those of before are not.
    fn ensure_own(&self, signer: &Signer) -> Result<bool> {
        let Some(signed) = &self.signed else { return Ok(false) };
        let Err(error) = signed.index(&self.out, Some(signer.public())) else { return Ok(signed.attached) };
        // An interrupted release of before has left it so: then all that it names is there, and signed.
        let is_whole = |entry: &Entry| {
            let found = whole(&self.folder(&entry.bundle), &entry.bundle, signer.public());
            found.is_ok_and(|found| found.entry == *entry)
        };
        if !signed.attached && self.index.channels.values().flatten().all(is_whole) {
            return Ok(false);
        }
        let remedy = "if it was changed, bring it back from the server; with a new key, release into a new folder (-o)";
        Err(error.remedy(remedy))
    }

    /// Gives a release that [`Self::fill`] has written its name, if there is one, and puts the release into a channel.
    pub fn publish(
        mut self,
        filled: Option<&Path>,
        entry: Entry,
        channel: &str,
        keep: Option<usize>,
        signer: &Signer,
        ui: &Ui,
    ) -> Result<()> {
        let folder = self.folder(&entry.bundle);
        if self.entries(&entry.bundle).any(|old| old.sha256 != entry.sha256) {
            return Err(released(&folder, "a channel names another archive of this name"));
        }
        self.ensure_own(signer)?;
        let mut index = self.index.clone();
        let gone = index.add(channel, entry, keep);
        self.prepare(&index, &gone, signer).map_err(|error| as_before(&self.out, error))?;
        interrupt::check()?;
        if let Some(filled) = filled {
            durable::rename(filled, &folder).map_err(|error| as_before(&self.out, error))?;
        }
        let switched = if gone.is_empty() { Ok(()) } else { self.give(GONE) };
        switched.and_then(|()| self.give(INDEX_SIGNATURE)).map_err(|error| {
            let whole = format!("{} is whole, and in no new channel yet", folder.display());
            as_before(&self.out, error)
                .with_lines(format!("  {whole}: the same command puts it into {channel}"))
        })?;
        self.index = index;
        let published = self.give(INDEX).and_then(|()| self.remove_gone(ui));
        published.map_err(|error| {
            let before = format!("{} was published before", folder.display());
            error.with_lines(format!("  {before}: the same command does the rest"))
        })
    }

    /// Writes and syncs the index, its signature, and the list of what it has no longer.
    fn prepare(&self, index: &Index, gone: &[Entry], signer: &Signer) -> Result<()> {
        let signed = Signed::new(index, signer)?;
        let place = self.temporary.path();
        durable::write(&place.join(INDEX_SIGNATURE), &signed.file)?;
        durable::write(&place.join(INDEX), &signed.text)?;
        if !gone.is_empty() {
            let list: String = gone.iter().map(|old| format!("{}\n", old.bundle)).collect();
            durable::write(&place.join(GONE), list.as_bytes())?;
        }
        durable::sync_folder(place)
    }

    /// Gives a file that [`Self::prepare`] has written its name.
    fn give(&self, name: &str) -> Result<()> {
        durable::rename(&self.temporary.path().join(name), &self.out.join(name))
    }

    /// Makes `index.json` what the signed file has in it.
    fn copy(&self, text: &[u8]) -> Result<()> {
        let path = self.out.join(INDEX);
        if files::read(&path).is_ok_and(|found| found == text) {
            return Ok(());
        }
        let new = self.temporary.path().join("copy");
        durable::write(&new, text)?;
        durable::rename(&new, &path)
    }

    /// Removes the releases that a run wanted to remove, where no channel has them any more.
    fn remove_gone(&self, ui: &Ui) -> Result<()> {
        let list = self.out.join(GONE);
        if list.symlink_metadata().is_err() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&read_limited(&list, MAX_LIST)?).into_owned();
        for name in text.lines().filter(|name| plain_name(name)) {
            let path = self.folder(name);
            if self.entries(name).next().is_some() || path.symlink_metadata().is_err() {
                continue;
            }
            ui.note(&format!("{} is kept no longer", path.display()));
            // From here on nobody takes what is left for a release.
            let aside = self.temporary.path().join(format!("gone-{name}"));
            durable::rename(&path, &aside)?;
            fs::remove_dir_all(&aside).at(&aside)?;
        }
        fs::remove_file(&list).at(&list)?;
        durable::sync_folder(&self.out)
    }
}

/// What has failed before the switch.
fn as_before(out: &Path, error: Error) -> Error {
    error.with_lines(format!("  nothing was published: the channels of {} are as before", out.display()))
}

/// The error of another release that has the same name.
pub fn released(folder: &Path, why: &str) -> Error {
    ReleaseError::Already { path: folder.into(), why: why.into() }.into()
}

/// Reads a release and checks all of it.
fn whole(folder: &Path, name: &str, key: &PublicKey) -> Result<Existing, String> {
    let said = |error: Error| error.message;
    let read = |name: &str, most| read_limited(&folder.join(name), most).map_err(said);
    let sums = read(SUMS, MAX_LIST)?;
    key.verify(&sums, &read(SIGNATURE, MAX_SIGNATURE)?).map_err(|e| e.to_string())?;
    let archive = format!("{name}.tar.zst");
    let mut found = None;
    for line in String::from_utf8_lossy(&sums).lines() {
        let (sum, file) =
            line.split_once("  ").filter(|(_, file)| plain_name(file)).ok_or("bad checksums")?;
        let path = folder.join(file);
        let hashed = bundle::hash_file(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        if hashed.sha256 != sum {
            return Err(format!("{}: has been changed", path.display()));
        }
        if file == archive {
            found = Some(hashed);
        }
    }
    let found = found.ok_or_else(|| format!("{SUMS} does not name {archive}"))?;
    let (manifest, _) = verify::signed(&folder.join(&archive), Some(key)).map_err(said)?;
    if manifest.bundle_name() != name {
        return Err(format!("{archive} is of {}", manifest.bundle_name()));
    }
    let entry = Entry::new(&manifest, found.size, found.sha256);
    Ok(Existing { manifest, entry })
}
