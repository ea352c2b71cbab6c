//! The packages that a `packages.lock` pins, and how what is installed, or what archives have, differs from them.

use crate::errors::{LockError, PackagesError};
use carveout_host::error::{Error, Result, nearest};
use carveout_host::tools::{dpkg, read_limited};
use carveout_product::{Rootfs, RootfsKind, SNAPSHOT};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io::BufRead;
use std::path::Path;

/// Largest `packages.lock` that is read, in bytes: all packages of Debian would take some 9 MiB.
const MAX_LOCK: u64 = 16 << 20;
/// Digits of a checksum that an error shows.
const DIGITS: usize = 12;

/// A line of a `packages.lock`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pin {
    /// Name of the package.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture, or `all`.
    pub architecture: String,
    /// Of the package file; `-` where nobody knows it.
    pub sha256: String,
}

impl Pin {
    fn parse(line: &str) -> Option<Self> {
        let fields: Vec<&str> = line.split('\t').collect();
        let &[name, version, architecture, sha256] = &fields[..] else { return None };
        // They get into apt's preferences, where a space or a star would have a meaning.
        let plain = |text: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.:~_".contains(c))
        };
        let own = |text: &str| text.to_owned();
        fields.iter().all(|field| plain(field)).then(|| Self {
            name: own(name),
            version: own(version),
            architecture: own(architecture),
            sha256: own(sha256),
        })
    }

    /// Name, version and architecture, by tabs.
    pub fn identity(&self) -> String {
        [self.name.as_str(), &self.version, &self.architecture].join("\t")
    }
}

/// All lines of a `packages.lock`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pins(BTreeSet<Pin>);

impl Pins {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = read_limited(path, MAX_LOCK)?;
        let text = String::from_utf8_lossy(&bytes);
        Self::parse(&text).map_err(|number| {
            let line: String = text.lines().nth(number).unwrap_or_default().chars().take(80).collect();
            let text = line.escape_debug().to_string();
            LockError::BadLine { path: path.into(), line: number + 1, text }.into()
        })
    }

    /// Or the number of the line that is none, from 0.
    fn parse(text: &str) -> Result<Self, usize> {
        let pins = text.lines().enumerate().map(|(number, line)| Pin::parse(line).ok_or(number));
        pins.collect::<Result<_, _>>().map(Self)
    }

    /// apt's preferences, by which the pinned version is the one that gets installed, be it older or newer than others.
    pub fn preferences(&self) -> String {
        self.0.iter().fold(String::new(), |mut text, pin| {
            let _ =
                writeln!(text, "Package: {}\nPin: version {}\nPin-Priority: 1001\n", pin.name, pin.version);
            text
        })
    }

    /// What archives do not have as it is pinned. `known` tells which versions of a package they have, with sha256 by identity.
    /// A package whose name they do not know comes from elsewhere: the workspace, or NVIDIA's BSP.
    pub fn missing(&self, known: &Known) -> Vec<String> {
        let missing = |pin: &Pin| {
            let versions = known.versions.get(&pin.name)?;
            match known.sums.get(&pin.identity()) {
                Some(sums) if sums.contains(&pin.sha256) => None,
                Some(sums) => {
                    let sums: Vec<&str> = sums.iter().map(|sum| short(sum)).collect();
                    let (name, version) = (&pin.name, &pin.version);
                    let (pinned, found) = (short(&pin.sha256), sums.join(" and "));
                    Some(format!(
                        "{name}: {version} has sha256 {found}… in the archives, {pinned}… is pinned"
                    ))
                }
                None => {
                    let versions: Vec<&str> = versions.iter().map(String::as_str).collect();
                    let (name, version) = (&pin.name, &pin.version);
                    Some(format!("{name}: {version} is pinned, the archives have {}", versions.join(" and ")))
                }
            }
        };
        self.0.iter().filter_map(missing).collect()
    }
}

/// What archives have of the packages of an architecture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Versions, by name.
    pub versions: BTreeMap<String, BTreeSet<String>>,
    /// SHA-256, by name, version and architecture.
    pub sums: BTreeMap<String, BTreeSet<String>>,
    /// Names that packages provide besides their own.
    pub provided: BTreeSet<String>,
}

impl Known {
    /// Reads archives' lists.
    pub fn read(lists: impl BufRead) -> std::io::Result<Self> {
        let mut known = Self::default();
        dpkg::stanzas(lists, &["Package", "Version", "Architecture", "SHA256", "Provides"], |fields| {
            let field = |name: &str| fields.get(name).cloned().unwrap_or_default();
            known.versions.entry(field("Package")).or_default().insert(field("Version"));
            known.sums.entry(dpkg::identity(fields)).or_default().insert(field("SHA256"));
            let provides = field("Provides");
            let names = provides.split(',').filter_map(|one| one.split_whitespace().next());
            known.provided.extend(names.map(str::to_owned));
        })?;
        Ok(known)
    }
}

/// Refuses packages that no archive has.
pub fn ensure_known(rootfs: &Rootfs, packages: &[String], known: &Known, config: &Path) -> Result<()> {
    let is_known = |name: &String| known.versions.contains_key(name) || known.provided.contains(name);
    let unknown: Vec<&String> = packages.iter().filter(|name| !is_known(name)).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let line = |name: &&String| match nearest(name, known.versions.keys().map(String::as_str)) {
        Some(near) => format!("{name}: did you mean `{near}`?"),
        None => (*name).clone(),
    };
    let packages = unknown.iter().map(line).collect();
    Err(PackagesError::Unknown { suite: rootfs.suite.clone(), packages, config: config.into() }.into())
}

fn short(sum: &str) -> &str {
    sum.get(..DIGITS).unwrap_or(sum)
}

/// How two lists differ.
#[derive(Debug, Default, PartialEq, Eq)]
struct Differences {
    /// Pinned, and installed in its place.
    moved: Vec<(Pin, Pin)>,
    /// Pinned, not installed.
    gone: Vec<Pin>,
    /// Installed, not pinned.
    new: Vec<Pin>,
}

impl Differences {
    fn of(pinned: &Pins, found: &Pins) -> Self {
        let mut new: Vec<Pin> = found.0.difference(&pinned.0).cloned().collect();
        let (mut moved, mut gone) = (Vec::new(), Vec::new());
        for pin in pinned.0.difference(&found.0).cloned() {
            // A package of several architectures is compared with its own first.
            let same =
                |pin: &Pin, other: &Pin| pin.name == other.name && pin.architecture == other.architecture;
            let place = new.iter().position(|other| same(&pin, other));
            match place.or_else(|| new.iter().position(|other| pin.name == other.name)) {
                Some(place) => moved.push((pin, new.remove(place))),
                None => gone.push(pin),
            }
        }
        Self { moved, gone, new }
    }

    fn lines(&self) -> Vec<String> {
        let moved = self.moved.iter().map(|(pinned, found)| {
            let (name, old, new) = (&pinned.name, &pinned.version, &found.version);
            if old != new {
                return format!("{name}: {old} is pinned, {new} is installed");
            }
            if pinned.architecture != found.architecture {
                let (pinned, found) = (&pinned.architecture, &found.architecture);
                return format!("{name}: {old} for {pinned} is pinned, for {found} is installed");
            }
            let (pinned, found) = (short(&pinned.sha256), short(&found.sha256));
            format!("{name}: {old} with sha256 {pinned}… is pinned, with {found}… is installed")
        });
        let gone =
            self.gone.iter().map(|pin| format!("{}: {} is pinned, not installed", pin.name, pin.version));
        let new =
            self.new.iter().map(|pin| format!("{}: {} is installed, not pinned", pin.name, pin.version));
        moved.chain(gone).chain(new).collect()
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let moved = self.moved.iter().map(|(pin, _)| pin);
        moved.chain(&self.gone).chain(&self.new).map(|pin| pin.name.as_str())
    }
}

/// A root filesystem that is not the pinned one.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused {
    /// What differs, and what mends it.
    pub error: Box<Error>,
    /// Whether packages differ that an archive has: another day it may have had others.
    pub of_archive: bool,
}

/// Refuses a root filesystem that differs from the pinned one. `ours` are the packages that this build makes itself.
pub fn enforce(
    rootfs: &Rootfs,
    lock: &Path,
    text: &str,
    ours: &BTreeSet<String>,
    config: &Path,
) -> Result<(), Refused> {
    let other = |error| Refused { error: Box::new(error), of_archive: false };
    let pinned = Pins::read(lock).map_err(other)?;
    let found = Pins::parse(text).map_err(|_| other(LockError::BadList.into()))?;
    let differences = Differences::of(&pinned, &found);
    let lines = differences.lines();
    if lines.is_empty() {
        return Ok(());
    }
    let of_archive = differences.names().any(|name| !ours.contains(name));
    let other_version = |(pin, found): &(Pin, Pin)| pin.version != found.version && !ours.contains(&pin.name);
    let hint = if rootfs.kind == RootfsKind::Debian && differences.moved.iter().any(other_version) {
        remedy(rootfs, config)
    } else {
        what_else(rootfs, of_archive, config)
    };
    let error = LockError::Differs { path: lock.into(), differences: lines, hint };
    Err(Refused { error: Box::new(error.into()), of_archive })
}

/// What archives lack of what is pinned, as an error.
pub fn ensure_there(rootfs: &Rootfs, lock: &Path, pins: &Pins, known: &Known, config: &Path) -> Result<()> {
    let missing = pins.missing(known);
    if missing.is_empty() {
        return Ok(());
    }
    Err(LockError::NotInArchives { path: lock.into(), missing, hint: remedy(rootfs, config) }.into())
}

const NEW_LOCK: &str = "build once without rootfs.lock and pin the rootfs/packages.lock of that bundle";

/// What to do where archives have moved on.
fn remedy(rootfs: &Rootfs, config: &Path) -> String {
    let config = config.display();
    if rootfs.mirrors.is_empty() {
        return format!(
            "to keep the pinned versions, name an archive that has them as rootfs.mirror in {config}, such as Debian's \
             snapshot service at the date of the lock: `mirror: {SNAPSHOT}`; to take the new versions, {NEW_LOCK}"
        );
    }
    let suite = &rootfs.suite;
    format!(
        "the archives of rootfs.mirror in {config} do not have them either: name those of the lock's date; security \
         updates are an archive of their own, `mirror: [URL, {{ url: URL, suites: [{suite}-security] }}]`; to take the \
         new versions, {NEW_LOCK}"
    )
}

/// What to do about differences that no archive's move has made.
fn what_else(rootfs: &Rootfs, of_archive: bool, config: &Path) -> String {
    let config = config.display();
    let decides = match rootfs.kind {
        _ if !of_archive => "this workspace's own packages have changed".to_owned(),
        RootfsKind::Debian => {
            format!(
                "rootfs.packages in {config} and what those and the client apps depend on decide what is installed"
            )
        }
        _ => format!("rootfs.tarball in {config} decides what is installed"),
    };
    format!("{decides}; if the change is wanted, {NEW_LOCK}")
}

#[cfg(test)]
mod tests;
