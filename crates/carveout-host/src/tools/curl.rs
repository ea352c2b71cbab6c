//! Downloads: the one place that fetches something. curl speaks to servers and knows the user's proxies, certificates and
//! .netrc; what it brings comes through us, who count it, keep it and check it.

mod part;
#[cfg(test)]
mod tests;
mod transfer;
mod url;

use crate::error::{At, Error, Result};
use crate::errors::DownloadError;
use crate::interrupt;
use crate::packages;
use crate::packages::Need;
use crate::ui::Ui;
use part::PartFile;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};
use transfer::{Ended, get};
pub use url::Url;

/// For downloads.
pub const NEEDS: [Need; 2] = [
    Need { program: "curl", package: "curl", why: "downloads NVIDIA's BSP and sources" },
    Need {
        program: "/etc/ssl/certs/ca-certificates.crt",
        package: "ca-certificates",
        why: "checks the server's identity",
    },
];

/// Seconds that a server may be silent, or slower than every line is.
pub const TIMEOUT_VARIABLE: &str = "CARVEOUT_DOWNLOAD_TIMEOUT";
pub(crate) const TIMEOUT: u32 = 30;
pub(crate) const MOST_TIMEOUT: u32 = 3600;
/// How many time limits a text may take, with all tries.
const WHOLE: u32 = 10;
/// How often a transfer is tried that brings nothing new, and how many bytes are something new.
const TRIES: u32 = 3;
const PROGRESS: u64 = 1 << 20;
/// How often a part that cannot be continued is dropped in a run.
const RESTARTS: u32 = 2;

/// How much may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// A signed size.
    Exactly(u64),
    /// A fixed limit.
    AtMost(u64),
}

impl Size {
    fn most(self) -> u64 {
        match self {
            Self::Exactly(size) | Self::AtMost(size) => size,
        }
    }

    fn fits(self, size: u64) -> bool {
        match self {
            Self::Exactly(exact) => size == exact,
            Self::AtMost(most) => size <= most,
        }
    }
}

/// Fetches a file, or does nothing if it is there already. A part that an interrupted run has left is continued, or dropped
/// if that leads to nothing.
pub fn fetch(url: &Url, sha256: &str, size: Size, file: &Path, ui: &Ui) -> Result<()> {
    if file.exists() {
        return check(url, sha256, size, file);
    }
    let name = |extension: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(extension);
        PathBuf::from(name)
    };
    packages::ensure(&NEEDS, false, &name(".log"), ui)?;
    let Some(mut part) = PartFile::open(name(".part"), file, ui)? else {
        return check(url, sha256, size, file);
    };
    // A run that was interrupted at the very end has left all of it: a server has no range behind that.
    if part.length > 0 && size.fits(part.length) && part.sha256()? == sha256 {
        return part.finish(file);
    }
    if part.length >= size.most() {
        part.restart()?;
    }
    let running = ui.start("download");
    running.building(&format!("fetching {url}"));
    let path = part.path().to_owned();
    match running.watch(&path, || complete(url, sha256, size, &mut part, ui)) {
        Ok(Kept(true)) => {
            let length = part.length;
            part.finish(file)?;
            running.finish(false, length);
            Ok(())
        }
        Ok(Kept(false)) => {
            running.fail();
            let (length, most) = (part.length, size.most());
            let found = part.sha256()?;
            part.remove()?;
            let url = url.to_string();
            Err(match size {
                _ if length > most => DownloadError::FileTooLong { url, most },
                Size::Exactly(expected) if length != expected => {
                    DownloadError::WrongLength { url, length, expected }
                }
                _ => DownloadError::WrongChecksum { url, found, length, expected: sha256.into() },
            }
            .into())
        }
        Err(error) => {
            running.fail();
            Err(error)
        }
    }
}

/// Whether what came is what was asked for.
struct Kept(bool);

/// Fills the part. One byte more than may come, at most.
fn complete(url: &Url, sha256: &str, size: Size, part: &mut PartFile, ui: &Ui) -> Result<Kept> {
    let (limit, mut tries, mut restarts, mut furthest) = (timeout()?, 0, 0, 0);
    loop {
        let from = part.length;
        let ended = get(url, from, limit, None, &mut |bytes| {
            let room = size.most().saturating_add(1).saturating_sub(part.length);
            part.add(bytes.get(..usize::try_from(room).unwrap_or(usize::MAX)).unwrap_or(bytes))?;
            Ok(part.length <= size.most())
        })?;
        let come = part.length > size.most() || ended.code == Some(0);
        if come && size.fits(part.length) && part.sha256()? == sha256 {
            return Ok(Kept(true));
        }
        // What was there before is of another file, or the server cannot continue it.
        if from > 0 && restarts < RESTARTS && (come || ended.lacks_range()) {
            ui.note(&format!("{url}: cannot be continued from byte {from}: starting over"));
            restarts += 1;
            part.restart()?;
            continue;
        }
        if come {
            return Ok(Kept(false));
        }
        if part.length > furthest + PROGRESS {
            (furthest, tries) = (part.length, 0);
        }
        tries += 1;
        if tries >= TRIES || !ended.may_pass() {
            return Err(ended.error(url, |url, said| DownloadError::FileNotFetched { url, said }));
        }
        pause(url, &ended, tries, ui)?;
    }
}

/// A small text, as it is now: `most` bytes at most.
pub fn text(url: &Url, most: u64, logs: &Path, ui: &Ui) -> Result<Vec<u8>> {
    packages::ensure(&NEEDS, false, &logs.join("curl.log"), ui)?;
    let limit = timeout()?;
    let until = Instant::now() + limit * WHOLE;
    for tries in 1.. {
        let mut text = Vec::new();
        let ended = get(url, 0, limit, Some(until), &mut |bytes| {
            text.extend_from_slice(bytes);
            Ok(text.len() as u64 <= most)
        })?;
        if text.len() as u64 > most {
            return Err(DownloadError::TextTooLong { url: url.to_string(), most }.into());
        }
        if ended.code == Some(0) {
            return Ok(text);
        }
        if tries >= TRIES || !ended.may_pass() || Instant::now() >= until {
            return Err(ended.error(url, |url, said| DownloadError::TextNotFetched { url, said }));
        }
        pause(url, &ended, tries, ui)?;
    }
    Err(Error::interrupted())
}

fn pause(url: &Url, ended: &Ended, tries: u32, ui: &Ui) -> Result<()> {
    ui.note(&format!("{url}: {}: trying again", ended.first()));
    thread::sleep(Duration::from_secs(tries.into()));
    interrupt::check()
}

/// How long a server may take.
fn timeout() -> Result<Duration> {
    seconds(std::env::var(TIMEOUT_VARIABLE).ok().as_deref())
        .map(|seconds| Duration::from_secs(seconds.into()))
}

fn seconds(given: Option<&str>) -> Result<u32> {
    let Some(text) = given.filter(|text| !text.is_empty()) else { return Ok(TIMEOUT) };
    let seconds = text.parse().ok().filter(|seconds| (1..=MOST_TIMEOUT).contains(seconds));
    seconds.ok_or_else(|| DownloadError::WrongTimeout { given: text.into() }.into())
}

/// A file with another sum is removed: continuing it would never mend it.
fn check(url: &Url, sha256: &str, size: Size, file: &Path) -> Result<()> {
    let found = bundle::hash_file(file).at(file)?;
    if found.sha256 == sha256 && size.fits(found.size) {
        return Ok(());
    }
    fs::remove_file(file).at(file)?;
    let (url, path, expected) = (url.to_string(), file.into(), sha256.into());
    Err(DownloadError::FileChanged { url, path, found: found.sha256, length: found.size, expected }.into())
}
