//! `release`: a bundle, signed, with all that is told of it, in a directory of its own.

use super::{Outcome, build, diff, verify};
use crate::cli::ReleaseArgs;
use crate::error::{At, Error, Result};
use crate::release::index::{Entry, Index};
use crate::release::{SIGNATURE, SUMS, notes};
use crate::signing::{self, Signer};
use crate::stage::lock;
use crate::stages::EPOCH;
use crate::stages::bundle::{SBOM, git_revision, publish};
use crate::ui::Ui;
use crate::workspace;
use bundle::{Manifest, Role, Source};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// The notes' name.
const NOTES: &str = "RELEASE_NOTES.md";
/// The page that explains it.
const REPORT: &str = "report.html";
/// How the bundle came to be.
const PROVENANCE: &str = "provenance.json";
/// Who builds where no CI says so.
const LOCAL: &str = "urn:carveout:local";
const CHANGELOG: &str = "CHANGELOG.md";
/// How the name of an unfinished release begins.
const TEMPORARY: &str = ".carveout-release-";
/// Channels, from tried to new.
pub const CHANNELS: [&str; 2] = ["stable", "beta"];

/// Builds, signs and publishes a release.
pub fn run(args: &ReleaseArgs, ui: &Ui) -> Result<Outcome> {
    let root = workspace::root();
    // First: nothing is built for a key that cannot sign.
    let logs = crate::stages::logs(&root)?;
    let signer = Signer::open(args.sign.as_deref(), args.build.offline, &logs, ui)?;
    let revision = clean(&root)?;
    let out = publish::folder(&build::from_here(&args.output_dir))?;
    let _lock = lock(&out.join(".lock"))?;
    sweep(&out)?;
    let bundle = match &args.bundle {
        Some(path) => path.clone(),
        None => build::local(&args.build, &args.without, !args.no_boot, Path::new("target/bundles"), ui)?,
    };
    let manifest = verify::check(&bundle)?;
    if manifest.inputs.git_revision != revision {
        let built = manifest.inputs.git_revision.as_deref().unwrap_or("no commit");
        let message = format!(
            "{}: was built from {built}, the work tree is at {}",
            bundle.display(),
            revision.as_deref().unwrap_or_default()
        );
        return Err(Error::check(message).remedy("build it from this commit, or check its commit out"));
    }
    let name = manifest.bundle_name();
    let folder = out.join(&name);
    if folder.exists() {
        return Err(Error::usage(format!(
            "{}: is released already, and a release never changes",
            folder.display()
        ))
        .remedy("raise `version` in the product config"));
    }
    let mut index = Index::read(&out)?;
    let previous = args.previous.clone().or_else(|| before(&index, &out, &args.channel, &manifest));
    let temporary = tempfile::Builder::new().prefix(TEMPORARY).tempdir_in(&out).at(&out)?;
    let new = temporary.path().join(&name);
    fs::create_dir(&new).at(&new)?;
    let running = ui.start("release");
    running.building(&format!("sign {name}"));
    // Of a bundle that was built elsewhere nobody here can say how.
    let built_here = args.bundle.is_none();
    let release = Release { new: &new, bundle: &bundle, manifest: &manifest, built_here };
    let entry = match release.fill(previous.as_deref(), &signer, &root) {
        Ok(entry) => entry,
        Err(error) => {
            running.fail();
            return Err(error);
        }
    };
    running.done();
    fs::rename(&new, &folder).at(&folder)?;
    let gone = index.add(&args.channel, entry, args.keep);
    index.write(&out, &signer)?;
    // Only when no index names them any more.
    for old in gone {
        let path = out.join(&old.bundle);
        ui.note(&format!("{} is kept no longer", path.display()));
        fs::remove_dir_all(&path).at(&path)?;
    }
    let line = folder.display().to_string();
    let json =
        json!({ "release": line, "channel": args.channel, "key_id": signer.public().id().to_string() });
    Ok(Outcome { line: Some(line), json, ..Outcome::default() })
}

/// The commit, of a work tree that has nothing else.
fn clean(root: &Path) -> Result<Option<String>> {
    let revision = git_revision(root)?;
    let place = root.display();
    match revision.as_deref() {
        None => Err(Error::check(format!(
            "{place}: is no git work tree with a commit: nobody could build the release again"
        ))
        .remedy("release from a clone")),
        Some(modified) if modified.ends_with("-modified") => Err(Error::check(format!(
            "{place}: has changes that are in no commit: nobody could build the release again"
        ))
        .remedy("commit them, or put them aside: git stash -u")),
        Some(_) => Ok(revision),
    }
}

/// The newest release of the same product and board in a channel.
fn before(index: &Index, out: &Path, channel: &str, manifest: &Manifest) -> Option<PathBuf> {
    let entries = index.channels.get(channel)?;
    let same = |entry: &&Entry| (&entry.name, &entry.board) == (&manifest.name, &manifest.board);
    let path = out.join(&entries.iter().find(same)?.archive);
    path.exists().then_some(path)
}

/// A release that is being written.
struct Release<'a> {
    new: &'a Path,
    bundle: &'a Path,
    manifest: &'a Manifest,
    built_here: bool,
}

impl Release<'_> {
    /// Writes all its files.
    fn fill(&self, previous: Option<&Path>, signer: &Signer, root: &Path) -> Result<Entry> {
        let Self { new, bundle, manifest, built_here } = *self;
        let name = manifest.bundle_name();
        let archive = new.join(format!("{name}.tar.zst"));
        let sums = manifest.sums().map_err(|e| Error::check(e.to_string()))?;
        let comment = signing::comment(manifest);
        let signature = signer.sign(sums.as_bytes(), &comment)?;
        let source = Source::open(bundle).map_err(verify::unreadable)?;
        bundle::write_signed(&source, manifest, &signature, EPOCH, &archive).map_err(verify::unreadable)?;
        // What devices will check.
        verify::signed(&archive, Some(signer.public()))?;
        let changelog = root.join(CHANGELOG);
        let changelog = fs::read_to_string(&changelog).unwrap_or_default();
        let compared = previous.map(|old| diff::between(old, &archive)).transpose()?;
        let compared = compared.as_ref().map(|(old, diff)| (old, diff));
        let text = notes::text(manifest, notes::section(&changelog, &manifest.version), compared);
        let path = new.join(NOTES);
        fs::write(&path, text).at(&path)?;
        let (_, sboms) = bundle::extract(&source, |file| file.role == Role::Sbom)
            .map_err(|e| Error::check(format!("{}: {e}", bundle.display())))?;
        for (_, bytes) in sboms {
            let path = new.join(SBOM);
            fs::write(&path, bytes).at(&path)?;
        }
        if built_here {
            let path = new.join(PROVENANCE);
            fs::write(&path, provenance(manifest, &archive)?).at(&path)?;
        }
        crate::report::write(&archive, previous, Some(signer.public()), &new.join(REPORT))?;
        let hashed = seal(new, signer, &comment)?;
        let (size, sha256) = hashed.get(&format!("{name}.tar.zst")).cloned().unwrap_or_default();
        Ok(Entry::new(manifest, size, sha256))
    }
}

/// How the bundle came to be: on a CI that says who it is, or here.
fn provenance(manifest: &Manifest, archive: &Path) -> Result<String> {
    let name = archive.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let subjects = [(name, bundle::hash_file(archive).at(archive)?.sha256)];
    let said = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let github = || {
        let place = format!("{}/{}/actions", said("GITHUB_SERVER_URL")?, said("GITHUB_REPOSITORY")?);
        let run = format!("{place}/runs/{}", said("GITHUB_RUN_ID")?);
        Some((place, Some(run)))
    };
    let gitlab = || Some((format!("{}/-/pipelines", said("CI_PROJECT_URL")?), said("CI_JOB_URL")));
    let (builder, invocation) = github().or_else(gitlab).unwrap_or_else(|| (LOCAL.into(), None));
    let repository = env!("CARGO_PKG_REPOSITORY");
    let invocation = invocation.as_deref();
    let said = attestation::Provenance { subjects: &subjects, builder: &builder, invocation, repository };
    Ok(attestation::provenance(manifest, &said))
}

/// Writes checksums of a folder's files, and their signature.
fn seal(
    folder: &Path,
    signer: &Signer,
    comment: &str,
) -> Result<std::collections::BTreeMap<String, (u64, String)>> {
    let mut hashed = std::collections::BTreeMap::new();
    for entry in fs::read_dir(folder).at(folder)? {
        let path = entry.at(folder)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let sum = bundle::hash_file(&path).at(&path)?;
        hashed.insert(name, (sum.size, sum.sha256));
    }
    let text: String = hashed.iter().map(|(name, (_, sum))| format!("{sum}  {name}\n")).collect();
    for (name, content) in [(SUMS, text.clone()), (SIGNATURE, signer.sign(text.as_bytes(), comment)?)] {
        let path = folder.join(name);
        fs::write(&path, content).at(&path)?;
    }
    Ok(hashed)
}

/// Removes what interrupted runs have left.
fn sweep(out: &Path) -> Result<()> {
    let entries = fs::read_dir(out).at(out)?.flatten();
    let left = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(TEMPORARY));
    left.map(|entry| entry.path()).try_for_each(|path| fs::remove_dir_all(&path).at(&path))
}
