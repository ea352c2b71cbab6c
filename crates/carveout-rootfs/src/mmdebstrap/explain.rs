//! Why a root filesystem could not be made: the first error of mmdebstrap, apt and dpkg, and what they themselves say of it.

use super::settings;
use carveout_host::error::{Error, Exit, nearest};
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
    // A log's bytes need not be text.
    let text = fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let run = text.rsplit("\n$ ").next().unwrap_or_default();
    let Some(excerpt) = excerpt(run) else { return error };
    let what = error.message.lines().next().unwrap_or_default();
    let message = format!("{what}\n{excerpt}\n  full log: {}", log.display());
    let said = said(&excerpt);
    match said {
        Some((exit, remedy)) => Error { exit, message, remedy: Some(remedy), ..error },
        None => Error { exit: Exit::Check, message, remedy: None, ..error },
    }
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

/// What apt says in words of its own, and what is right then. Where it says none of these, nothing is guessed.
fn said(excerpt: &str) -> Option<(Exit, String)> {
    let has = |texts: &[&str]| texts.iter().any(|text| excerpt.contains(text));
    let again = "run the command again: what is built already stays";
    let (exit, remedy) = if has(&["No space left on device"]) {
        let folder = std::env::temp_dir();
        (
            Exit::Environment,
            format!("free some space in {} and target/carveout, and {again}", folder.display()),
        )
    } else if has(&[
        "Temporary failure resolving",
        "Could not resolve",
        "Something wicked happened resolving",
    ]) {
        (
            Exit::Environment,
            format!("check the network and DNS of this host, which does not know that name, and {again}"),
        )
    } else if has(&[
        "Could not connect",
        "Unable to connect",
        "Network is unreachable",
        "Connection timed out",
    ]) || has(&["Connection failed", "Connection refused"])
    {
        (Exit::Environment, format!("check the network, and apt's proxy if this host needs one, and {again}"))
    } else if has(&["is not valid yet"]) {
        (
            Exit::Environment,
            "set the clock of this host, or of the archive's: the one is behind the other".into(),
        )
    } else if has(&["is expired (invalid since"]) {
        let remedy = "the archive is no longer updated, or the clock of this host is ahead: correct apt's sources or the clock";
        (Exit::Environment, remedy.into())
    } else if has(&["Hash Sum mismatch", "File has unexpected size"]) {
        let remedy = "run the command again; if it stays, the archive or a proxy before it serves other bytes than are signed";
        (Exit::Environment, remedy.into())
    } else if has(&["Could not allocate block in ext2 filesystem"]) {
        (Exit::Usage, "raise rootfs.size in the product config: the packages do not fit".into())
    } else {
        return None;
    };
    Some((exit, remedy))
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
    let (suite, config) = (&rootfs.suite, config.display());
    let message = error.message.clone();
    let mirror = rootfs.mirrors.iter().find(|mirror| names(&message, mirror));
    let usage = |remedy: String| Error::usage(message.clone()).remedy(remedy);
    if let Some(package) = unknown_package(&message) {
        let all = packages();
        let near = nearest(&package, all.iter().map(String::as_str).filter(|name| *name != package));
        let near = near.map(|name| format!(". Did you mean `{name}`?")).unwrap_or_default();
        return usage(format!(
            "correct rootfs.packages in {config}: Debian {suite} has no package `{package}`{near}"
        ));
    }
    let unsigned = ["NO_PUBKEY", "is not signed", "GPG error", "EXPKEYSIG", "BADSIG", "not verified"];
    if unsigned.iter().any(|text| message.contains(text)) && !message.contains("404  Not Found") {
        return match mirror {
            Some(mirror) => {
                let whose =
                    if mirror.key.is_some() { "the key that its `key` names" } else { "Debian's keys" };
                let remedy = format!(
                    "{} is not signed with {whose}: correct rootfs.mirror in {config}, `{{ url: URL, key: FILE }}` with the \
                     public key of the archive",
                    mirror.url
                );
                usage(remedy)
            }
            None => Error::environment(message).remedy(
                "bring Debian's keys up to date on this host: apt-get install debian-archive-keyring",
            ),
        };
    }
    let no_suite = ["does not have a Release file", "404  Not Found", "File not found"];
    if no_suite.iter().any(|text| message.contains(text)) {
        if let Some(mirror) = mirror {
            let suites = mirror.suites.join(", ");
            return usage(format!(
                "correct rootfs.mirror in {config}: {} has not all of {suites} (`dists/{suite}` must be below the URL)",
                mirror.url
            ));
        }
        let near = nearest(suite, suites.iter().map(String::as_str).filter(|name| name != suite));
        let near = near.map(|name| format!(". Did you mean `{name}`?")).unwrap_or_default();
        return usage(format!("correct rootfs.suite in {config}: the archive has no suite {suite}{near}"));
    }
    if message.contains("unmet dependencies") && !message.contains("nvidia-l4t-") {
        return usage(format!(
            "correct rootfs.packages in {config}: Debian {suite} does not have what the lines above say"
        ));
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
