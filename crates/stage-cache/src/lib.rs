//! Stages: declared inputs in, one directory out, named by the digest of its inputs.
//!
//! `target/carveout/stages/<stage>/<digest>/` holds the result and `.stage.json`: the inputs by name, and size and time of
//! each file, so that a result that someone has touched is built anew. A result appears by rename, so it is whole.

pub mod errors;
mod key;
pub mod tree;

pub use key::Key;

use carveout_host::error::{At, Result};
use carveout_host::files;
use carveout_host::tools::namespace::remove;
use carveout_host::ui::Ui;
use errors::CacheError;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;
use tempfile::TempDir;
use tree::Stamp;

/// Time that outputs bear, in seconds since 1970 (2025-01-01): no output tells when it was built.
pub const EPOCH: u64 = 1_735_689_600;
const RECORD: &str = ".stage.json";
const LOCK: &str = ".lock";
/// How names of unfinished results begin.
const TEMPORARY: &str = ".new-";
/// Results kept of each stage.
const KEEP: usize = 3;

/// What is kept of a result.
#[derive(Serialize, Deserialize)]
struct Record {
    inputs: Key,
    files: BTreeMap<String, Stamp>,
    content: String,
}

/// A stage's result.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its directory.
    pub dir: PathBuf,
    /// The digest of what it holds. Stages that use it are keyed by this: a change without effect ends here.
    pub content: String,
    /// Whether it had been there.
    pub reused: bool,
    /// A shared lock on its record: while it is held, no other xtask removes the result.
    _in_use: Arc<File>,
}

impl Output {
    /// Whether its files have the contents that they were made with. This reads them all; that nobody has touched them was seen before.
    pub fn is_whole(&self) -> Result<bool> {
        Ok(tree::digest(&self.dir, &|name| name == RECORD)? == self.content)
    }

    /// Its files with this extension, sorted.
    pub fn files(&self, extension: &str) -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(&self.dir).at(&self.dir)?.flatten().map(|entry| entry.path());
        let mut files: Vec<PathBuf> =
            entries.filter(|path| path.extension().is_some_and(|e| e == extension)).collect();
        files.sort();
        Ok(files)
    }
}

/// Where results are kept.
pub struct Cache<'a> {
    root: PathBuf,
    ui: &'a Ui,
}

/// What a stage's function works with.
pub struct Work<'a> {
    /// The directory that it fills.
    pub out: &'a Path,
    /// The log of the programs that it runs.
    pub log: &'a Path,
    home: &'a Path,
}

impl Work<'_> {
    /// A folder for what is needed meanwhile. If this run is killed, the next one removes it.
    pub fn scratch(&self) -> Result<TempDir> {
        temporary(self.home)
    }
}

impl<'a> Cache<'a> {
    /// Keeps results under `root`.
    pub fn new(root: &Path, ui: &'a Ui) -> Self {
        Self { root: root.into(), ui }
    }

    /// The stage's result: the one that is there, or a new one.
    pub fn stage(&self, name: &str, key: Key, build: impl FnOnce(&Work) -> Result<()>) -> Result<Output> {
        let home = self.home(name);
        fs::create_dir_all(&home).at(&home)?;
        let running = self.ui.start(name);
        let result = self.locked(&home, &name.replace(' ', "-"), &key, build, |why| running.building(why));
        match &result {
            Ok((output, size)) => running.finish(output.reused, *size),
            Err(_) => running.fail(),
        }
        result.map(|(output, _)| output)
    }

    /// Whether a stage has this result.
    pub fn has(&self, name: &str, key: &Key) -> bool {
        still_good(&folder(&self.home(name), key), key).is_some()
    }

    /// Whether a stage was ever built here, or is being built.
    pub fn knows(&self, name: &str) -> bool {
        self.home(name).exists()
    }

    fn home(&self, name: &str) -> PathBuf {
        self.root.join("stages").join(name.replace(' ', "-"))
    }

    /// Makes a result anew that turned out to be too old. If that fails, the old one is there as before.
    pub fn renew(&self, old: &Output, build: impl FnOnce() -> Result<Output>) -> Result<Output> {
        let aside = old.dir.with_extension("old");
        remove(&aside)?;
        fs::rename(&old.dir, &aside).at(&old.dir)?;
        let made = build();
        if made.is_ok() {
            remove(&aside)?;
        } else {
            fs::rename(&aside, &old.dir).at(&old.dir)?;
        }
        made
    }

    fn locked(
        &self,
        home: &Path,
        name: &str,
        key: &Key,
        build: impl FnOnce(&Work) -> Result<()>,
        building: impl FnOnce(&str),
    ) -> Result<(Output, u64)> {
        // Another xtask may want the same stage: it waits here and then finds the result.
        let _lock = files::lock(&home.join(LOCK))?;
        sweep(home)?;
        let dir = folder(home, key);
        if let Some((content, size)) = still_good(&dir, key) {
            let _in_use = hold(&dir)?;
            return Ok((Output { dir, content, reused: true, _in_use }, size));
        }
        building(&self.why(home, key));
        let logs = self.root.join("logs");
        fs::create_dir_all(&logs).at(&logs)?;
        let log = logs.join(format!("{name}.log"));
        files::new_log(&log)?;
        let temporary = temporary(home)?;
        build(&Work { out: temporary.path(), log: &log, home })?;
        let files = stamps(temporary.path())?;
        let size = files.values().map(Stamp::size).sum();
        let content = tree::digest(temporary.path(), &|_| false)?;
        let record = Record { inputs: key.clone(), files, content: content.clone() };
        let text =
            serde_json::to_string_pretty(&record).map_err(|e| CacheError::NoRecord { source: e.into() })?;
        let path = temporary.path().join(RECORD);
        files::put(&path, text)?;
        remove(&dir)?;
        let temporary = temporary.keep();
        fs::rename(&temporary, &dir).at(&dir)?;
        let _in_use = hold(&dir)?;
        prune(home)?;
        Ok((Output { dir, content, reused: false, _in_use }, size))
    }

    /// Why there is no result: which inputs differ from those of the latest one.
    fn why(&self, home: &Path, key: &Key) -> String {
        let Some(latest) = results(home).into_iter().next() else { return "building: never built".into() };
        let Some(record) = read_record(&latest) else { return "building: no record of the last".into() };
        let names = key.0.keys().chain(record.inputs.0.keys());
        let mut changed: Vec<&str> =
            names.filter(|n| key.0.get(*n) != record.inputs.0.get(*n)).map(String::as_str).collect();
        changed.sort_unstable();
        changed.dedup();
        if changed.is_empty() {
            "building: the last result has been touched".into()
        } else {
            format!("building: changed {}", changed.join(", "))
        }
    }
}

/// Where the result of these inputs is or will be.
fn folder(home: &Path, key: &Key) -> PathBuf {
    let digest = key.digest();
    home.join(digest.get(..16).unwrap_or(&digest))
}

fn temporary(home: &Path) -> Result<TempDir> {
    tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(home).at(home)
}

/// Stamps of each file and link below a directory, but for the record at its top.
pub fn stamps(dir: &Path) -> Result<BTreeMap<String, Stamp>> {
    tree::stamps(dir, RECORD)
}

/// Content and size of a result that is what it was.
fn still_good(dir: &Path, key: &Key) -> Option<(String, u64)> {
    let record = read_record(dir)?;
    let good = record.inputs == *key && stamps(dir).ok()? == record.files;
    good.then(|| (record.content, record.files.values().map(Stamp::size).sum()))
}

fn read_record(dir: &Path) -> Option<Record> {
    serde_json::from_str(&fs::read_to_string(dir.join(RECORD)).ok()?).ok()
}

/// All results of a stage, the one used last first.
fn results(home: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(home).into_iter().flatten().flatten();
    let mut found: Vec<_> = entries
        .filter_map(|e| Some((fs::metadata(e.path().join(RECORD)).ok()?.modified().ok()?, e.path())))
        .collect();
    found.sort_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, path)| path).collect()
}

/// Marks a result as used now, and keeps others from removing it.
fn hold(dir: &Path) -> Result<Arc<File>> {
    let path = dir.join(RECORD);
    let file = File::options().write(true).open(&path).at(&path)?;
    file.lock_shared().at(&path)?;
    file.set_modified(SystemTime::now()).at(&path)?;
    Ok(Arc::new(file))
}

/// Whether no xtask works with a result.
fn is_free(dir: &Path) -> bool {
    File::open(dir.join(RECORD)).is_ok_and(|file| file.try_lock().is_ok())
}

/// Removes all but the results used last.
fn prune(home: &Path) -> Result<()> {
    let mut old = results(home).into_iter().skip(KEEP).filter(|path| is_free(path));
    old.try_for_each(|path| remove(&path))
}

/// Removes what an interrupted run has left; the lock says that none is at work.
fn sweep(home: &Path) -> Result<()> {
    let entries = fs::read_dir(home).at(home)?.flatten();
    let left = entries.filter(|e| e.file_name().to_string_lossy().starts_with(TEMPORARY)).map(|e| e.path());
    left.collect::<Vec<_>>().iter().try_for_each(|path| remove(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use carveout_host::error::Error;
    use carveout_host::ui::Verbosity;

    fn build(root: &Path, input: &str) -> Result<Output> {
        let ui = Ui::new(Verbosity::Quiet);
        let make = |work: &Work| {
            let path = work.out.join("a/file");
            fs::create_dir_all(work.out.join("a")).at(&path)?;
            fs::write(&path, input).at(&path)
        };
        Cache::new(root, &ui).stage("a stage", Key::default().with("input", input), make)
    }

    #[test]
    fn what_is_renewed_is_new_or_as_before() {
        let root = tempfile::tempdir().unwrap();
        let ui = Ui::new(Verbosity::Quiet);
        let cache = Cache::new(root.path(), &ui);
        let old = build(root.path(), "x").unwrap();
        assert!(cache.renew(&old, || Err(Error::interrupted())).is_err());
        let old = build(root.path(), "x").unwrap();
        assert!(old.reused);
        let new = cache.renew(&old, || build(root.path(), "x")).unwrap();
        assert!(!new.reused && build(root.path(), "x").unwrap().reused);
    }

    #[test]
    fn same_inputs_are_reused() {
        let root = tempfile::tempdir().unwrap();
        let first = build(root.path(), "x").unwrap();
        assert!(!first.reused);
        assert_eq!(fs::read_to_string(first.dir.join("a/file")).unwrap(), "x");
        assert!(build(root.path(), "x").unwrap().reused);
        let ui = Ui::new(Verbosity::Quiet);
        let has = |x: &str| Cache::new(root.path(), &ui).has("a stage", &Key::default().with("input", x));
        assert!(has("x") && !has("y"));
        let other = build(root.path(), "y").unwrap();
        assert!(!other.reused && other.dir != first.dir);
        assert_ne!(other.content, first.content);
        assert!(build(root.path(), "x").unwrap().reused, "going back costs nothing");
    }

    #[test]
    fn a_touched_result_is_built_anew() {
        let root = tempfile::tempdir().unwrap();
        let first = build(root.path(), "x").unwrap();
        fs::write(first.dir.join("a/file"), "longer").unwrap();
        assert!(!build(root.path(), "x").unwrap().reused);
        assert_eq!(fs::read_to_string(first.dir.join("a/file")).unwrap(), "x");
    }

    #[test]
    fn old_results_and_leftovers_are_removed() {
        let root = tempfile::tempdir().unwrap();
        let ui = Ui::new(Verbosity::Quiet);
        let knows = || Cache::new(root.path(), &ui).knows("a stage");
        assert!(!knows());
        build(root.path(), "0").unwrap();
        assert!(knows());
        let home = root.path().join("stages/a-stage");
        fs::create_dir(home.join(".new-left")).unwrap();
        for input in ["1", "2", "3", "4"] {
            build(root.path(), input).unwrap();
        }
        assert_eq!(fs::read_dir(&home).unwrap().count(), KEEP + 1, "results and the lock");
    }

    #[test]
    fn a_link_is_no_file() {
        let root = tempfile::tempdir().unwrap();
        let ui = Ui::new(Verbosity::Quiet);
        let build = |link: bool| {
            let key = Key::default().with("link", link);
            let made = Cache::new(root.path(), &ui).stage("a stage", key, |work| {
                let (file, other) = (work.out.join("file"), work.out.join("other"));
                fs::write(&file, "image").at(&file)?;
                if link {
                    std::os::unix::fs::symlink("file", &other).at(&other)
                } else {
                    fs::write(&other, "image").at(&other)
                }
            });
            made.unwrap()
        };
        assert_ne!(build(true).content, build(false).content);
        let made = build(true);
        assert!(made.reused);
        fs::remove_file(made.dir.join("other")).unwrap();
        std::os::unix::fs::symlink("fil_", made.dir.join("other")).unwrap();
        assert!(!build(true).reused, "touched");
    }

    #[test]
    fn results_in_use_stay() {
        let root = tempfile::tempdir().unwrap();
        let used = build(root.path(), "used").unwrap();
        for input in ["1", "2", "3", "4", "5"] {
            build(root.path(), input).unwrap();
        }
        assert!(used.dir.join("a/file").exists());
        drop(used);
        build(root.path(), "6").unwrap();
        assert!(!build(root.path(), "used").unwrap().reused);
    }

    #[test]
    fn a_failed_stage_leaves_the_last_result() {
        let root = tempfile::tempdir().unwrap();
        let good = build(root.path(), "x").unwrap();
        let ui = Ui::new(Verbosity::Quiet);
        let failed = Cache::new(root.path(), &ui).stage("a stage", Key::default(), |work| {
            fs::write(work.out.join("half"), "").at(work.out)?;
            Err(Error::interrupted())
        });
        assert_eq!(failed.unwrap_err(), Error::interrupted());
        assert!(good.dir.join("a/file").exists());
        assert!(build(root.path(), "x").unwrap().reused);
    }
}
