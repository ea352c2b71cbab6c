//! Why a root filesystem could not be made: the first error of mmdebstrap, apt and dpkg, and what they themselves say of it.

use super::settings;
use crate::errors::PackagesError;
use carveout_host::error::{Cause, Error, Exit, nearest};
use carveout_host::tools::{capture, shell};
use carveout_product::{Mirror, Rootfs};
use std::fs;
use std::path::Path;
use xshell::cmd;

/// Lines that an error shows before the first error, and from it on.
const BEFORE: usize = 6;
const FROM: usize = 4;
/// How lines begin that say why something failed. Others follow from them.
const FIRST: [&str; 6] = ["E: ", "dpkg: error", "dpkg-deb: error", "carveout: ", "tar: ", "mke2fs: "];
/// mmdebstrap itself writes so what it was about to do.
const NOISE: [&str; 3] = ["I: ", "Get:", "Selecting previously"];

/// Shows the first error of a log, with the lines that lead to it, instead of the last lines.
pub fn with_first_error(error: Error, log: &Path) -> Error {
    // What a signal has ended says nothing of its own failure.
    if error.exit == Exit::Interrupted {
        return error;
    }
    // A log's bytes need not be text.
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let run = text.rsplit("\n$ ").next().unwrap_or_default();
    let Some(excerpt) = excerpt(run) else { return error };
    let what = error.message.lines().next().unwrap_or_default();
    let message = format!("{what}\n{excerpt}\n  full log: {}", log.display());
    let Error { facts, causes, others, .. } = error;
    Error { facts, causes, others, ..said(&excerpt)(message.into()).into() }
}

fn excerpt(run: &str) -> Option<String> {
    let dull = |line: &&str| line.trim().is_empty() || NOISE.iter().any(|noise| line.starts_with(noise));
    let lines: Vec<&str> = run.lines().filter(|line| !dull(line)).collect();
    let first = lines.iter().position(|line| FIRST.iter().any(|start| line.starts_with(start)))?;
    // The command itself is no cause.
    let shown = lines.get(first.saturating_sub(BEFORE).max(1).min(first)..)?.iter();
    let count = first.min(BEFORE) + FROM;
    let shown = shown.take(count).map(|line| format!("  | {}", line.trim_end().escape_debug()));
    Some(shown.collect::<Vec<_>>().join("\n").replace("\\'", "'").replace("\\\"", "\""))
}

/// A failure of this cause.
type Failure = fn(Cause) -> PackagesError;

/// What apt says in words of its own, and which failure that is.
const SAID: [(&[&str], Failure); 7] = [
    (&["No space left on device"], |source| PackagesError::DiskFull { source }),
    (
        &["Temporary failure resolving", "Could not resolve", "Something wicked happened resolving"],
        |source| PackagesError::HostNotResolved { source },
    ),
    (
        &[
            "Could not connect",
            "Unable to connect",
            "Network is unreachable",
            "Connection timed out",
            "Connection failed",
            "Connection refused",
        ],
        |source| PackagesError::NoConnection { source },
    ),
    (&["is not valid yet"], |source| PackagesError::NotValidYet { source }),
    (&["is expired (invalid since"], |source| PackagesError::Expired { source }),
    (&["Hash Sum mismatch", "File has unexpected size"], |source| PackagesError::WrongContents { source }),
    (&["Could not allocate block in ext2 filesystem"], |source| PackagesError::ImageTooSmall { source }),
];

/// The failure that an excerpt tells of. Where apt says none of its words, nothing is guessed.
fn said(excerpt: &str) -> Failure {
    let known = SAID.iter().find(|(texts, _)| texts.iter().any(|text| excerpt.contains(text)));
    known.map_or(|source| PackagesError::Failed { source }, |(_, failure)| *failure)
}

/// What to mend in the config for what the archives do not have, or are not signed with.
pub fn explained(error: Error, rootfs: &Rootfs, config: &Path) -> Error {
    if error.remedy.is_some() {
        return error;
    }
    let suites = settings::suites();
    explain(error, rootfs, config, &suites, host_packages)
}

fn explain(
    error: Error,
    rootfs: &Rootfs,
    config: &Path,
    suites: &[String],
    packages: impl Fn() -> Vec<String>,
) -> Error {
    let (suite, config) = (rootfs.suite.clone(), config.to_owned());
    let message = &error.message;
    let says = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    let source = Cause::from(message.clone());
    let mirror = rootfs.mirrors.iter().find(|mirror| names(message, mirror));
    if let Some(package) = unknown_package(message) {
        let all = packages();
        let near = nearest(&package, all.iter().map(String::as_str).filter(|name| *name != package));
        let near = near.map(str::to_owned);
        return PackagesError::NotFound { package, suite, near, config, source }.into();
    }
    let unsigned = ["NO_PUBKEY", "is not signed", "GPG error", "EXPKEYSIG", "BADSIG", "not verified"];
    if says(&unsigned) && !says(&["404  Not Found"]) {
        let Some(Mirror { url, key, .. }) = mirror else {
            return PackagesError::DebianKeysOutdated { source }.into();
        };
        let mirror = url.clone();
        return match key {
            Some(_) => PackagesError::NotSignedWithKey { mirror, config, source }.into(),
            None => PackagesError::NotSignedByDebian { mirror, config, source }.into(),
        };
    }
    if says(&["does not have a Release file", "404  Not Found", "File not found"]) {
        if let Some(Mirror { url, suites, .. }) = mirror {
            let (mirror, suites) = (url.clone(), suites.clone());
            return PackagesError::MirrorLacksSuites { mirror, suites, suite, config, source }.into();
        }
        let near = nearest(&suite, suites.iter().map(String::as_str).filter(|name| *name != suite));
        let near = near.map(str::to_owned);
        return PackagesError::NoSuchSuite { suite, near, config, source }.into();
    }
    if says(&["unmet dependencies"]) && !says(&["nvidia-l4t-"]) {
        return PackagesError::UnmetDependencies { suite, config, source }.into();
    }
    error
}

/// Whether apt speaks of this archive.
fn names(message: &str, mirror: &Mirror) -> bool {
    let rest = mirror.url.split_once("://").map_or(mirror.url.as_str(), |(_, rest)| rest);
    message.contains(rest.trim_end_matches('/'))
}

fn unknown_package(message: &str) -> Option<String> {
    let behind = |text: &str| message.split_once(text).map(|(_, rest)| rest);
    let word = |rest: &str| rest.split_whitespace().next().map(str::to_owned);
    let quoted = |rest: &str| rest.split('\'').next().map(str::to_owned);
    let located = behind("Unable to locate package ").and_then(word);
    located.or_else(|| {
        behind("E: Package '").filter(|_| message.contains("no installation candidate")).and_then(quoted)
    })
}

/// Names of the packages that the host's apt knows: not those of the suite, but near enough for a name that was meant.
fn host_packages() -> Vec<String> {
    let Ok(sh) = shell(Path::new("/")) else { return Vec::new() };
    let names = capture("apt-cache pkgnames", cmd!(sh, "apt-cache pkgnames")).unwrap_or_default();
    names.lines().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
