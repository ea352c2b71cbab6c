//! `release`: a bundle, signed, with all that is told of it, in a directory of its own.

pub mod provenance;
pub mod sources;
use crate::errors::ReleaseError;
use crate::make;
use crate::program;
use crate::program::Programs;
use crate::release::provenance::PROVENANCE;
use crate::release::sources::Sources;
use crate::results::Released;
use crate::stages::bundle::given::Input;
use crate::stages::bundle::{SBOM, frames, publish};
use bundle::{ExtractError, Frames, Manifest, PublicKey, Role, Source, UpdateArchiveError, bundle_name};
use carveout_field::release::index::Entry;
use carveout_field::release::store::{Published, Store, released};
use carveout_field::release::{SIGNATURE, SUMS, notes};
use carveout_field::{diff, verify};
use carveout_host::dirs::Dirs;
use carveout_host::error::{At, Result};
use carveout_host::files;
use carveout_host::files::sync_folder;
use carveout_host::interrupt;
use carveout_host::outcome::Outcome;
use carveout_host::tools::read_limited;
use carveout_host::ui::Ui;
use carveout_keys as signing;
use carveout_keys::Signer;
use serde_json::json;
use stage_cache::EPOCH;
use std::fs;
use std::path::{Path, PathBuf};

/// The notes' name.
const NOTES: &str = "RELEASE_NOTES.md";
/// The page that explains it.
const REPORT: &str = "report.html";
/// Bytes of a changelog, at most.
const MAX_CHANGELOG: u64 = 16 << 20;
/// Channels, from tried to new.
pub const CHANNELS: [&str; 2] = ["stable", "beta"];

/// What is asked for.
#[derive(Clone, Debug)]
pub struct ReleaseRequest {
    /// What to build.
    pub build: make::BuildRequest,
    /// Release this bundle instead of building one.
    pub bundle: Option<PathBuf>,
    /// The key that signs, instead of the environment's.
    pub sign: Option<String>,
    /// Which of [`CHANNELS`].
    pub channel: String,
    /// What it is compared with, instead of the channel's newest.
    pub previous: Option<PathBuf>,
    /// Keep this many releases of the product in the channel.
    pub keep: Option<usize>,
    /// Do not boot the secure-os image.
    pub no_boot: bool,
    /// Boot Linux from the root filesystem, too.
    pub boot_linux: bool,
    /// This program beside the bundle, instead of one that is built.
    pub program: Option<PathBuf>,
    /// Where releases lie.
    pub output_dir: PathBuf,
}

/// Writes the page of a bundle into a file: of which bundle, of what it is compared with, of whose key.
pub type WritePage = fn(&Path, Option<&Path>, Option<&PublicKey>, &Path) -> Result<()>;

/// Builds, signs and publishes a release. What can be refused is refused before anything is built.
pub fn run(args: &ReleaseRequest, write_page: WritePage, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    let root = dirs.root()?;
    let logs = dirs.logs()?;
    let signer = Signer::open(args.sign.as_deref(), args.build.offline, &logs, ui)?;
    let program = args.program.as_deref().map(program::read).transpose()?;
    let mut sources = Sources::of(root)?;
    if let Some(path) = &args.previous {
        Source::open(path).map_err(verify::unreadable)?;
    }
    let Some(bundle) = &args.bundle else {
        return make::with_build(&args.build, dirs, ui, |build| {
            let product = build.product;
            sources.check(build)?;
            sources.uri()?;
            let changes = changes(product.changelog.as_deref(), &product.version)?;
            let name = bundle_name(&product.name, &product.version, &product.board.name, product.tzdram);
            let store = open(args, &sources, dirs, ui)?;
            if let Some(there) = store.existing(&name, signer.public())? {
                sources.same(&store.folder(&name), &there.manifest)?;
            }
            let bundle = make::make(
                build,
                make::Boots { kernel: !args.no_boot, linux: args.boot_linux },
                Path::new("target/bundles"),
            )?;
            let manifest = verify::check(&bundle)?;
            sources.suit(&bundle, &manifest)?;
            sources.unmoved(&manifest)?;
            let release = Release {
                bundle: &bundle,
                manifest: &manifest,
                changes,
                sources: Some(&sources),
                program,
                write_page,
                dirs,
            };
            release.publish(args, store, &signer, ui)
        });
    };
    let manifest = verify::check(bundle)?;
    sources.suit(bundle, &manifest)?;
    let changes = changes_of(args, &manifest, &mut sources, dirs, ui)?;
    let store = open(args, &sources, dirs, ui)?;
    // Of a bundle that was built elsewhere nobody here can say how.
    Release { bundle, manifest: &manifest, changes, sources: None, program, write_page, dirs }
        .publish(args, store, &signer, ui)
}

/// What the product's changelog says of a version.
fn changes(changelog: Option<&Path>, version: &str) -> Result<Option<String>> {
    let Some(path) = changelog else { return Ok(None) };
    let bytes = read_limited(path, MAX_CHANGELOG)?;
    let text = String::from_utf8_lossy(&bytes);
    notes::section(&text, version)
        .map(|text| Some(text.to_owned()))
        .ok_or_else(|| ReleaseError::NoChanges { path: path.into(), version: version.into() }.into())
}

/// The same for a bundle that is there: its config says where the changelog is, if `-c` names that config.
fn changes_of(
    args: &ReleaseRequest,
    manifest: &Manifest,
    sources: &mut Sources,
    dirs: &Dirs,
    ui: &Ui,
) -> Result<Option<String>> {
    let read = make::with_build(&args.build, dirs, ui, |build| {
        let product = build.product;
        let same = (&product.name, &product.version) == (&manifest.name, &manifest.version);
        Ok(same.then(|| product.changelog.clone()))
    });
    match read {
        Ok(Some(changelog)) => {
            let input =
                |path: &PathBuf| Input { name: "changelog".into(), path: path.clone(), supplier: None };
            sources.committed(&changelog.iter().map(input).collect::<Vec<_>>())?;
            changes(changelog.as_deref(), &manifest.version)
        }
        // The default config may be of another product, or not there.
        _ if args.build.config == Path::new(make::DEFAULT_CONFIG) => Ok(None),
        Ok(None) => Err(ReleaseError::OtherProduct {
            path: args.build.config.clone(),
            name: manifest.name.clone(),
            version: manifest.version.clone(),
        }
        .into()),
        Err(error) => Err(error),
    }
}

/// The folder of releases: it can be written to, and a commit's changes are not in it.
fn open(args: &ReleaseRequest, sources: &Sources, dirs: &Dirs, ui: &Ui) -> Result<Store> {
    let wanted = make::from_here(&args.output_dir, dirs)?;
    let made: Vec<_> = wanted.ancestors().take_while(|folder| !folder.exists()).collect();
    let out = publish::folder(&wanted)?;
    made.iter().map(|folder| files::parent(folder)).try_for_each(sync_folder)?;
    sources.apart(&out)?;
    Store::open(&out, ui)
}

/// A release that is being written.
struct Release<'a> {
    bundle: &'a Path,
    manifest: &'a Manifest,
    /// What the changelog says of it.
    changes: Option<String>,
    /// What it was built of, if it was built here.
    sources: Option<&'a Sources>,
    /// The program that was given.
    program: Option<Vec<u8>>,
    write_page: WritePage,
    dirs: &'a Dirs,
}

impl Release<'_> {
    /// Signs it and gives it its name, unless that has been done.
    fn publish(&self, args: &ReleaseRequest, store: Store, signer: &Signer, ui: &Ui) -> Result<Outcome> {
        let name = self.manifest.bundle_name();
        let folder = store.folder(&name);
        let published = match store.existing(&name, signer.public())? {
            Some(there) if there.manifest != *self.manifest => {
                return Err(released(&folder, "that bundle has other contents"));
            }
            Some(there) => {
                let published = store.complete(there, &args.channel, args.keep, signer, ui)?;
                let what = match published {
                    Published::New => format!("was there, the same: {} has it now", args.channel),
                    Published::Already => "is released already, the same: nothing was changed".into(),
                };
                ui.note(&format!("{}: {what}", folder.display()));
                published
            }
            None => self.new_release(args, store, signer, ui)?,
        };
        let line = folder.display().to_string();
        let json = json!(Released {
            release: line.clone(),
            channel: args.channel.to_string(),
            key_id: signer.public().id().to_string(),
            already: published == Published::Already,
        });
        Ok(Outcome { line: Some(line.into()), json, ..Outcome::default() })
    }

    fn new_release(
        &self,
        args: &ReleaseRequest,
        store: Store,
        signer: &Signer,
        ui: &Ui,
    ) -> Result<Published> {
        let name = self.manifest.bundle_name();
        let previous = args.previous.clone().or_else(|| store.before(&args.channel, self.manifest));
        if self.changes.is_none() {
            ui.note(&format!("{NOTES} lists no changes: {}", notes::NO_CHANGELOG));
        }
        let program = match &self.program {
            Some(program) => program.clone(),
            None => self.built_program(args.build.offline, ui)?,
        };
        let running = ui.start("release");
        running.building(&format!("sign {name}"));
        let filled = store.fill(&name, |new| {
            let path = new.join(program::NAME);
            files::write(&path, &program, program::EXECUTABLE)?;
            self.fill(new, previous.as_deref(), signer, args.build.overrides.without_rootfs)
        });
        let (new, entry) = match filled {
            Ok(filled) => filled,
            Err(error) => {
                running.fail();
                return Err(error);
            }
        };
        running.done();
        store.publish(Some(&new), entry, &args.channel, args.keep, signer, ui)?;
        Ok(Published::New)
    }

    /// carveout itself, for technicians.
    fn built_program(&self, offline: bool, ui: &Ui) -> Result<Vec<u8>> {
        let running = ui.start(program::NAME);
        running.building("build it as one static program");
        let programs = Programs { dirs: self.dirs, profile: program::PROFILE, offline, ui };
        match programs.build(program::NAME).and_then(|path| program::read(&path)) {
            Ok(program) => {
                running.done();
                Ok(program)
            }
            Err(error) => {
                running.fail();
                Err(error)
            }
        }
    }

    /// Writes all its other files.
    fn fill(
        &self,
        new: &Path,
        previous: Option<&Path>,
        signer: &Signer,
        without_rootfs: bool,
    ) -> Result<Entry> {
        let Self { bundle, manifest, changes, sources, .. } = self;
        let name = manifest.bundle_name();
        let archive = new.join(format!("{name}.tar.zst"));
        let sums = manifest.sums().map_err(|e| ReleaseError::Checksums { source: e.into() })?;
        let comment = signing::comment(manifest);
        let signature = signer.sign(sums.as_bytes(), &comment)?;
        let source = Source::open(bundle).map_err(verify::unreadable)?;
        let (frames, _held) = match &source {
            Source::Folder(folder) => frames::of(folder, &manifest.files, &self.dirs.home())?,
            Source::Archive(_) => (Frames::default(), Vec::new()),
        };
        bundle::write_signed(&source, manifest, &signature, EPOCH, &frames, &archive)
            .map_err(verify::unreadable)?;
        interrupt::check()?;
        // What devices will check.
        verify::signed(&archive, Some(signer.public()))?;
        if manifest.has_update() {
            let (signed, out) = (Source::Archive(archive.clone()), new.join(manifest.update_name()));
            bundle::write_update(&signed, manifest, EPOCH, &out).map_err(|error| match error {
                UpdateArchiveError::Extract(ExtractError::Source(error)) => verify::unreadable(error),
                error => ReleaseError::Update { path: out, source: error.into() }.into(),
            })?;
        }
        let compared = previous.map(|old| diff::between(old, &archive)).transpose()?;
        let compared = compared.as_ref().map(|(old, diff)| (old, diff));
        let text = notes::text(manifest, changes.as_deref(), compared);
        let path = new.join(NOTES);
        fs::write(&path, text).at(&path)?;
        let (_, sboms) = bundle::extract(&source, |file| file.role == Role::Sbom)
            .map_err(|e| ReleaseError::Sbom { path: (*bundle).into(), source: e.into() })?;
        for (_, bytes) in sboms {
            let path = new.join(SBOM);
            fs::write(&path, bytes).at(&path)?;
        }
        if let Some(sources) = sources {
            let path = new.join(PROVENANCE);
            fs::write(&path, provenance::text(manifest, &archive, sources, without_rootfs)?).at(&path)?;
        }
        (self.write_page)(&archive, previous, Some(signer.public()), &new.join(REPORT))?;
        let hashed = seal(new, signer, &comment)?;
        let (size, sha256) = hashed.get(&format!("{name}.tar.zst")).cloned().unwrap_or_default();
        Ok(Entry::new(manifest, size, sha256))
    }
}

/// Writes checksums of a folder's files, and their signature.
fn seal(
    folder: &Path,
    signer: &Signer,
    comment: &str,
) -> Result<std::collections::BTreeMap<String, (u64, String)>> {
    let mut hashed = std::collections::BTreeMap::new();
    for entry in fs::read_dir(folder).at(folder)? {
        interrupt::check()?;
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
