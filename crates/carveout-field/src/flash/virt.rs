//! Virt devices: what is active is never written to; the other slots are written, read back, and then switched to.

use super::request::FlashRequest;
use crate::device::disk;
use crate::device::disk::Fresh;
use crate::device::record::{Record, SWITCH};
use crate::errors::{BundleError, VirtError};
use crate::verify::{digest_of, signed, unreadable};
use bundle::{Diff, FileEntry, Manifest, Role, Source};
use carveout_host::error::{At, Result};
use carveout_host::ui::{Running, Ui};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use tegra_flash::Scope;
use virt_device::{Device, DevicePart, FlashState, Installed, PARTS, Placed, Slot};

/// A bundle for virt devices, and what is wanted with it.
pub struct VirtJob {
    source: Source,
    /// What the bundle says of itself.
    pub manifest: Manifest,
    digest: String,
    /// How much, or what differs.
    pub scope: Option<Scope>,
    from: Option<(String, Diff)>,
    keep_app: bool,
    downgrade: bool,
    partitions: Vec<(String, u64)>,
    files: BTreeMap<DevicePart, FileEntry>,
}

impl VirtJob {
    /// Verifies the bundle, and the one that the devices are said to have.
    pub fn new(args: &FlashRequest, path: &Path, scope: Option<Scope>, ui: &Ui) -> Result<Self> {
        let (manifest, authenticity) = signed(path, args.key.as_ref())?;
        ui.note(&authenticity.text());
        if manifest.device.is_some() {
            return Err(BundleError::NotForVirt { path: path.into(), board: manifest.board }.into());
        }
        let source = Source::open(path).map_err(unreadable)?;
        let layout = bundle::extract(&source, |file| file.role == Role::Layout);
        let (_, layout) =
            layout.map_err(|e| BundleError::LayoutNotRead { path: path.into(), source: e.into() })?;
        let text = layout.first().map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned());
        let partitions = disk::partitions(&manifest, &text.unwrap_or_default())?;
        let mut files = BTreeMap::new();
        for part in PARTS {
            let goes = |file: &&FileEntry| file.partitions.iter().any(|p| p == part.partition(Slot::A));
            if let Some(file) = manifest.files.iter().find(goes) {
                files.insert(part, file.clone());
            }
        }
        let from = args.from.as_deref().map(|old| crate::diff::between(old, path)).transpose()?;
        let from = from.map(|(old, diff)| digest_of(&old).map(|digest| (digest, diff))).transpose()?;
        Ok(Self {
            digest: digest_of(&manifest)?,
            source,
            manifest,
            scope,
            from,
            keep_app: args.keep_app,
            downgrade: args.allow_downgrade,
            partitions,
            files,
        })
    }

    /// What is written to a device, and why.
    fn decide(&self, path: &Path, device: Option<&Device<File>>) -> Result<(Option<Scope>, String)> {
        let active = device.and_then(|device| device.state().active.as_ref());
        self.allowed(path, device, active)?;
        let content = |part: DevicePart| self.files.get(&part).map(FileEntry::content);
        let same = |part: DevicePart| {
            active.and_then(|active| active.parts.get(&part)).map(Placed::content) == content(part)
        };
        let relaid = device.is_some_and(|device| !disk::has(device, &self.partitions(Some(device))));
        let boot_differs = !same(DevicePart::BootConfig) || relaid;
        match self.scope {
            Some(Scope::Full) => return Ok((Some(Scope::Full), "everything is written".into())),
            Some(scope) => {
                self.ensure_enough(path, scope, active.is_some(), relaid, boot_differs)?;
                return Ok((Some(scope), format!("{} is written, nothing else", scope)));
            }
            None => {}
        }
        if let (Some((digest, diff)), Some(active)) = (&self.from, active) {
            if *digest != active.digest {
                return Err(VirtError::NotFrom { path: path.into(), bundle: active.bundle.clone() }.into());
            }
            if diff.scope == Some(Scope::App) && self.keep_app {
                return Ok((None, "only the root filesystem differs, which is kept".into()));
            }
            return Ok((diff.scope, crate::diff::reason(diff).into()));
        }
        // Without a root filesystem in the bundle, the device keeps its own.
        let app_differs = !same(DevicePart::App) && content(DevicePart::App).is_some() && !self.keep_app;
        let (scope, why) = match (boot_differs, same(DevicePart::SecureOs), app_differs) {
            _ if active.is_none() => (Some(Scope::Full), "the device has no bundle yet"),
            (true, _, _) => {
                (Some(Scope::Full), "boot config or layout differ: no smaller scope writes the carve-out")
            }
            (false, false, true) => (Some(Scope::Full), "secure-os and the root filesystem differ"),
            (false, false, false) => (Some(Scope::SecureOs), "secure-os differs, the carve-out is the same"),
            (false, true, true) => (Some(Scope::App), "the root filesystem differs, and nothing else"),
            (false, true, false) => (None, "the device has it already"),
        };
        Ok((scope, why.into()))
    }

    /// Refuses another board's bundle, and one behind what the device has had.
    fn allowed(&self, path: &Path, device: Option<&Device<File>>, active: Option<&Installed>) -> Result<()> {
        let manifest = &self.manifest;
        if let Some(active) = active.filter(|active| active.board != manifest.board) {
            let (board, bundle_board) = (active.board.clone(), manifest.board.clone());
            return Err(VirtError::OtherBoard { path: path.into(), board, bundle_board }.into());
        }
        let had = device.map_or(0, |device| device.state().security_version);
        if manifest.security_version < had && !self.downgrade {
            let (bundle, has) = (manifest.bundle_name(), manifest.security_version);
            return Err(VirtError::Downgrade { path: path.into(), bundle, had, has }.into());
        }
        Ok(())
    }

    /// The mistake that this product answers: secure-os alone, and the carve-out stays what it was.
    fn ensure_enough(
        &self,
        path: &Path,
        scope: Scope,
        flashed: bool,
        relaid: bool,
        boot_differs: bool,
    ) -> Result<()> {
        let part = if scope == Scope::App { DevicePart::App } else { DevicePart::SecureOs };
        let carve_out_differs = scope == Scope::SecureOs && boot_differs;
        let (path, scope) = (path.to_owned(), scope.to_string());
        let error = if !flashed {
            VirtError::NoBundleYet { path, scope }
        } else if relaid {
            VirtError::OtherPartitions { path, scope }
        } else if carve_out_differs {
            VirtError::OtherBootConfig { path, scope, carve_out: self.manifest.tzdram.size() }
        } else if !self.files.contains_key(&part) {
            VirtError::NothingForScope { bundle: self.manifest.bundle_name(), scope }
        } else {
            return Ok(());
        };
        Err(error.into())
    }

    /// Partitions that a device gets: those of the layout, and of a bundle without a root filesystem what the device has for it.
    fn partitions(&self, device: Option<&Device<File>>) -> Vec<(String, u64)> {
        let mut all = self.partitions.clone();
        if !self.files.contains_key(&DevicePart::App) {
            let slots = [Slot::A, Slot::B].map(|slot| DevicePart::App.partition(slot));
            let own = slots.iter().filter(|name| !all.iter().any(|(other, _)| other == *name));
            let sizes =
                own.filter_map(|name| Some(((*name).to_owned(), device?.partitions().get(*name)?.size)));
            let sizes: Vec<(String, u64)> = sizes.collect();
            all.extend(sizes);
        }
        all
    }

    /// Parts that a scope writes, of those that the bundle has.
    fn parts(&self, scope: Scope) -> BTreeSet<DevicePart> {
        let wanted = |part: &DevicePart| match scope {
            Scope::Full => *part != DevicePart::App || !self.keep_app,
            Scope::SecureOs => *part == DevicePart::SecureOs,
            Scope::App => *part == DevicePart::App,
        };
        self.files.keys().copied().filter(wanted).collect()
    }

    /// Writes parts to the slots that are not active, in the bundle's order.
    fn write(
        &self,
        path: &Path,
        device: &mut Device<File>,
        parts: &BTreeSet<DevicePart>,
        record: &mut Record,
        running: &Running,
    ) -> Result<BTreeMap<DevicePart, Placed>> {
        let (mut placed, mut result, mut left) = (BTreeMap::new(), Ok(()), parts.len());
        let read = self.source.for_each(&mut |file, reader| {
            let part = self.files.iter().find(|(part, entry)| entry.path == file && parts.contains(part));
            let Some((part, entry)) = part else { return Ok(()) };
            let what = format!("write {} and read it back", part.partition(device.spare(*part)));
            running.building(&what);
            let name = self.manifest.bundle_name();
            let written = record.step(&what, || {
                device
                    .write(*part, reader, entry.size, &entry.sha256, &name)
                    .map_err(|e| disk::failed(path, e))
            });
            left -= 1;
            match written {
                Ok(place) => {
                    let content = entry.identity.as_ref().map(|place| place.content.clone());
                    placed.insert(*part, Placed { content, ..place });
                }
                Err(error) => (left, result) = (0, Err(error)),
            }
            if left == 0 { Err(io::ErrorKind::Interrupted.into()) } else { Ok(()) }
        });
        result?;
        match read {
            Err(_) if left == 0 => Ok(placed),
            Err(error) => Err(unreadable(error)),
            Ok(_) => Err(BundleError::LostFiles.into()),
        }
    }

    fn installed(&self, parts: BTreeMap<DevicePart, Placed>) -> Installed {
        Installed {
            bundle: self.manifest.bundle_name(),
            board: self.manifest.board.clone(),
            digest: self.digest.clone(),
            security_version: self.manifest.security_version,
            parts,
        }
    }

    /// What would be written to a device, and why.
    pub fn plan(&self, path: &Path) -> Result<(Option<Scope>, String)> {
        self.decide(path, opened(path)?.as_ref())
    }

    /// Flashes a device and records it.
    pub fn flash(&self, path: &Path, folder: &Path, ui: &Ui) -> Result<Record> {
        let target = format!("{}{}", disk::VIRT, path.display());
        let running = ui.start(&target);
        let name = self.manifest.bundle_name();
        let mut record = Record::begin(folder, "flash", &target, &name, &self.digest);
        record.security_version = self.manifest.security_version;
        let result = self.steps(path, &mut record, &running, ui);
        let failed = result.is_err();
        let ended = record.end(folder, result);
        if failed {
            running.fail()
        } else {
            running.done()
        }
        ended
    }

    fn steps(&self, path: &Path, record: &mut Record, running: &Running, ui: &Ui) -> Result<()> {
        let mut device = opened(path)?;
        let (scope, why) = self.decide(path, device.as_ref())?;
        let scope_name = crate::diff::scope_name(scope);
        record.scope = Some(scope_name.into());
        ui.note(&format!("{}{}: scope {scope_name}: {why}", disk::VIRT, path.display()));
        let Some(scope) = scope else { return Ok(()) };
        let (parts, partitions) = (self.parts(scope), self.partitions(device.as_ref()));
        match &mut device {
            Some(device) if disk::has(device, &partitions) => {
                let mut all = device.state().active.as_ref().map(|old| old.parts.clone()).unwrap_or_default();
                all.extend(self.write(path, device, &parts, record, running)?);
                let installed = self.installed(all);
                record.step(SWITCH, || device.switch(installed).map_err(|e| disk::failed(path, e)))
            }
            _ => {
                let state = device.as_ref().map(|device| device.state().clone()).unwrap_or_default();
                // Its lock is needed by the new one.
                drop(device);
                self.make(path, &state, &partitions, &parts, record, running)
            }
        }
    }

    /// Makes the device anew, with other partitions.
    fn make(
        &self,
        path: &Path,
        old: &FlashState,
        partitions: &[(String, u64)],
        parts: &BTreeSet<DevicePart>,
        record: &mut Record,
        running: &Running,
    ) -> Result<()> {
        let failed = |e| disk::failed(path, e);
        let app = old.active.as_ref().and_then(|active| active.parts.get(&DevicePart::App));
        let mut fresh = record.step("make the device", || {
            let mut fresh = Fresh::new(path, partitions)?;
            fresh.device.remember(old.security_version).map_err(failed)?;
            Ok(fresh)
        })?;
        let mut all = self.write(path, &mut fresh.device, parts, record, running)?;
        if let Some(app) = app.filter(|_| !parts.contains(&DevicePart::App)) {
            let what = "copy APP and read it back";
            running.building(what);
            let copied = record.step(what, || {
                // Its lock is the new device's by now.
                let file = carveout_host::files::open(path)?;
                let size = file.metadata().at(path)?.len();
                let mut device = Device::open(file, size).map_err(failed)?;
                let mut reader = device.read(DevicePart::App, Some(app.size)).map_err(failed)?;
                fresh
                    .device
                    .write(DevicePart::App, &mut reader, app.size, &app.sha256, &app.bundle)
                    .map_err(failed)
            })?;
            all.insert(DevicePart::App, Placed { content: app.content.clone(), ..copied });
        }
        record.step(SWITCH, || {
            fresh.device.switch(self.installed(all)).map_err(failed)?;
            fresh.publish()
        })
    }
}

/// A device, unless it is to be made.
fn opened(path: &Path) -> Result<Option<Device<File>>> {
    match bundle::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Ok(file) if disk::has_only_holes(path, &file)? => Ok(None),
        _ => disk::open(path).map(Some),
    }
}

/// Each device once.
pub fn paths(targets: &[&Path]) -> Result<Vec<PathBuf>> {
    if let Some(path) = disk::named_twice(targets) {
        return Err(VirtError::NamedTwice { path: path.into() }.into());
    }
    Ok(targets.iter().map(|path| (*path).to_owned()).collect())
}
