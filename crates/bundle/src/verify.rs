//! Checks a bundle: checksums, manifest, structure, TA rules, budgets.

use crate::file_entry::{FileEntry, Role};
use crate::format::{MANIFEST, SUMS};
use crate::hash::{hash_blocks, sha256};
use crate::identity::{IDENTITY_FILE, IDENTITY_SIZE, Identity};
use crate::limits::MAX_CHECKED;
use crate::manifest::Manifest;
use crate::problem::Problem;
use crate::signature::{Claim, PublicKey, SIGNATURE, SignatureError};
use crate::source::{Meta, Source, SourceError, most_of};
use crate::trace::{Traced, Tracer};
use crate::writer::{DATA, PROGRAM};
use crate::{structure, sums};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

/// What was found of a bundle.
#[derive(Clone, Debug)]
pub struct Verified {
    /// The manifest, if it can be believed.
    pub manifest: Option<Manifest>,
    /// All that is wrong; none means that all holds.
    pub problems: Vec<Problem>,
    /// The signature, if there is one. It has not been checked.
    pub signed: Option<Signed>,
}

/// A signature and what it signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    pub(crate) sums: String,
    pub(crate) signature: Vec<u8>,
}

impl Signed {
    /// What the signature says of itself, which anybody may have written.
    pub fn claim(&self) -> Result<Claim, SignatureError> {
        Claim::parse(&self.signature)
    }

    /// Checks that the owner of a key has made the bundle; the trusted comment.
    pub fn check(&self, key: &PublicKey) -> Result<String, SignatureError> {
        key.verify(self.sums.as_bytes(), &self.signature)
    }
}

/// Reads the whole bundle once.
pub fn verify(source: &Source) -> Result<Verified, SourceError> {
    let mut check = Check { archive: matches!(source, Source::Archive(_)), ..Check::default() };
    let top = match source.for_each_with_meta(&mut |path, meta, reader| check.file(path, meta, reader)) {
        Err(SourceError::Io { .. }) if check.stopped => None,
        other => other?,
    };
    let mut verified = check.finish();
    if let (Some(top), Some(manifest)) = (top, &verified.manifest)
        && top != manifest.bundle_name()
    {
        let what = format!("the archive's folder is called {top}, expected {}", manifest.bundle_name());
        verified.problems.push(Problem::new(MANIFEST, what));
    }
    Ok(verified)
}

/// As many bytes as an identity has, of those that are read.
struct Window {
    /// Bytes before it.
    skip: u64,
    bytes: Vec<u8>,
}

impl Window {
    fn take(&mut self, block: &[u8]) {
        let skipped = usize::try_from(self.skip).unwrap_or(usize::MAX).min(block.len());
        self.skip -= skipped as u64;
        let room = IDENTITY_SIZE - self.bytes.len();
        self.bytes.extend(block.iter().skip(skipped).take(room));
    }
}

#[derive(Default)]
struct Check {
    manifest: Option<Manifest>,
    manifest_sum: Option<String>,
    sums: Option<String>,
    /// The same, by path.
    listed: BTreeMap<String, String>,
    signature: Option<Vec<u8>>,
    /// Whether what comes may be without end: an archive of some bytes can hold any number of zeros.
    archive: bool,
    /// Whether reading has ended at something that no bundle's archive holds.
    stopped: bool,
    seen: BTreeSet<String>,
    /// Files whose structure is checked, whole; of the root filesystem, the beginning.
    contents: BTreeMap<String, Vec<u8>>,
    /// Bytes of them.
    held: u64,
    /// What signed files are made of.
    traced: BTreeMap<String, Traced>,
    /// What root filesystems say of their bundle.
    identities: BTreeMap<String, Vec<u8>>,
    problems: Vec<Problem>,
}

impl Check {
    fn file(&mut self, path: &str, meta: Meta, reader: &mut dyn Read) -> io::Result<()> {
        if !self.seen.insert(path.into()) {
            return self.pass(Problem::new(path, "exists twice"));
        }
        if let Some(most) = most_of(path) {
            if meta.size > most {
                return self.pass(Problem::new(path, format!("has {} bytes, allowed are {most}", meta.size)));
            }
            let mut bytes = Vec::new();
            reader.take(most).read_to_end(&mut bytes)?;
            match path {
                MANIFEST => self.manifest(&String::from_utf8_lossy(&bytes)),
                SIGNATURE => self.signature = Some(bytes),
                _ => self.sums(String::from_utf8_lossy(&bytes).into_owned()),
            }
            return Ok(());
        }
        let entry = self.manifest.as_ref().and_then(|m| m.file(path)).cloned();
        match entry {
            Some(entry) => self.content(&entry, meta, reader),
            None if self.archive && self.manifest.is_none() => {
                self.pass(Problem::new(path, "comes before a valid manifest"))
            }
            None => self.unknown(path, meta, reader),
        }
    }

    /// What of an archive would have to be unpacked to get past it ends reading; of a folder it is left out.
    fn pass(&mut self, problem: Problem) -> io::Result<()> {
        self.problems.push(problem);
        if !self.archive {
            return Ok(());
        }
        self.stopped = true;
        Err(io::ErrorKind::InvalidData.into())
    }

    fn sums(&mut self, text: String) {
        self.listed = sums::parse(&text).into_iter().map(|(path, sum)| (path.into(), sum.into())).collect();
        self.sums = Some(text);
    }

    /// A file that no manifest lists. If none can be believed, the checksums tell what else is damaged.
    fn unknown(&mut self, path: &str, meta: Meta, reader: &mut dyn Read) -> io::Result<()> {
        let listed = self.listed.get(path).filter(|_| self.manifest.is_none()).cloned();
        let Some(expected) = listed else {
            return self.pass(Problem::new(path, "does not belong to the bundle"));
        };
        if meta.size <= MAX_CHECKED {
            let found = hash_blocks(reader.take(meta.size), |_| Ok(()))?.sha256;
            if found != expected {
                self.problems.push(Problem::new(path, format!("has sha256 {found}, expected {expected}")));
            }
        }
        Ok(())
    }

    fn manifest(&mut self, text: &str) {
        self.manifest_sum = Some(sha256(text.as_bytes()));
        match Manifest::from_text(text) {
            Ok(manifest) => self.manifest = Some(manifest),
            Err(error) => self.problems.push(Problem::new(MANIFEST, error.to_string())),
        }
    }

    fn content(&mut self, entry: &FileEntry, meta: Meta, reader: &mut dyn Read) -> io::Result<()> {
        let (path, size) = (entry.path.as_str(), entry.size);
        if meta.size > size && self.archive {
            let what = format!("has more than the {size} bytes that it should have");
            return self.pass(Problem::new(path, what));
        }
        if meta.size != size {
            let what = format!("has {} bytes, expected {size}", meta.size);
            self.problems.push(Problem::new(path, what));
            return Ok(());
        }
        let mut keep = kept(entry);
        self.held = self.held.saturating_add(size.min(keep as u64));
        if self.held > MAX_CHECKED {
            let what =
                format!("the files whose structure is checked have more than {MAX_CHECKED} bytes with it");
            self.problems.push(Problem::new(path, what));
            keep = 0;
        }
        let mut content = Vec::new();
        let mut tracer = (entry.role == Role::Flash).then(|| {
            let made_of = entry.made_of.as_ref();
            Tracer::new(made_of.map_or(0, |made_of| made_of.size))
        });
        let mut window =
            entry.identity.as_ref().map(|place| Window { skip: place.offset, bytes: Vec::new() });
        // A byte more tells that it has grown.
        let hashed = hash_blocks(reader.take(size.saturating_add(1)), |block| {
            tracer.iter_mut().for_each(|tracer| tracer.take(block));
            window.iter_mut().for_each(|window| window.take(block));
            let room = keep.saturating_sub(content.len());
            content.extend_from_slice(block.get(..room.min(block.len())).unwrap_or_default());
            Ok(())
        })?;
        if hashed.size != size {
            let what = format!("has {} bytes, expected {size}", hashed.size);
            self.problems.push(Problem::new(path, what));
        } else if hashed.sha256 != entry.sha256 {
            let what = format!("has sha256 {}, expected {}", hashed.sha256, entry.sha256);
            self.problems.push(Problem::new(path, what));
        } else {
            if keep > 0 {
                self.contents.insert(path.into(), content);
            }
            self.traced.extend(tracer.map(|tracer| (path.into(), tracer.finish())));
            self.identities.extend(window.map(|window| (path.into(), window.bytes)));
        }
        let problem = mode_problem(entry, meta.mode, self.archive);
        self.problems.extend(problem.map(|what| Problem::new(path, what)));
        Ok(())
    }

    fn finish(mut self) -> Verified {
        if !self.stopped {
            self.whole();
        }
        let signed =
            self.signature.map(|signature| Signed { sums: self.sums.unwrap_or_default(), signature });
        Verified { manifest: self.manifest, problems: self.problems, signed }
    }

    /// What can be told when all has been read.
    fn whole(&mut self) {
        for name in [MANIFEST, SUMS] {
            if !self.seen.contains(name) {
                self.problems.push(Problem::new(name, "is missing"));
            }
        }
        if let Some(manifest) = &self.manifest {
            for file in manifest.files.iter().filter(|f| !self.seen.contains(&f.path)) {
                self.problems.push(Problem::new(&file.path, "is missing"));
            }
            let expected = sums::to_text(&manifest.files, self.manifest_sum.as_deref().unwrap_or_default());
            if let Some(text) = self.sums.as_ref().filter(|text| **text != expected) {
                let pairs = text.lines().zip(expected.lines()).position(|(a, b)| a != b);
                let line = pairs.unwrap_or(text.lines().count().min(expected.lines().count())) + 1;
                let what = format!("line {line} disagrees with {MANIFEST}: it has been changed");
                self.problems.push(Problem::new(SUMS, what));
            }
            for (path, found) in &self.identities {
                if *found != Identity::of(manifest).to_bytes() {
                    let what = format!("{IDENTITY_FILE} in it is not that of {}", manifest.bundle_name());
                    self.problems.push(Problem::new(path, what));
                }
            }
            if self.problems.is_empty() {
                self.problems = structure::check(manifest, &self.contents, &self.traced);
            }
        }
    }
}

/// Modes are part of the bundle. A folder may lie where there are others; but what is run must be executable.
fn mode_problem(entry: &FileEntry, mode: u32, archive: bool) -> Option<String> {
    let expected = if entry.executable { PROGRAM } else { DATA };
    let wrong = if archive { mode != expected } else { entry.executable && mode & 0o111 == 0 };
    wrong.then(|| format!("has mode {mode:04o}, expected {expected:04o}: run chmod {expected:04o} on it, or unpack it where files have modes"))
}

/// How many bytes of a file are kept for the check of its structure.
fn kept(file: &FileEntry) -> usize {
    match file.role {
        Role::Rootfs => crate::flash::ROOTFS_HEAD,
        _ if is_checked(file) => usize::MAX,
        _ => 0,
    }
}

fn is_checked(file: &FileEntry) -> bool {
    use Role::{BootConfig, Layout, SecureOs, TrustedApp, TrustedAppSymbols, Update};
    matches!(file.role, SecureOs | TrustedApp | TrustedAppSymbols | BootConfig | Layout | Update)
        || crate::signed::is_checked(file)
}
