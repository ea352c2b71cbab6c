//! What NVIDIA's tools have signed, against what was checked: the secure-os image is the bundle's, MB1 will read the carve-out of the
//! manifest, every other part is the file that the manifest names, and what the recovery loader gets is the same once more.

use crate::device::{Device, FlashPackage, Fused, ModuleEntry, tos_image};
use crate::file_entry::{FileEntry, Role};
use crate::flash::written_to;
use crate::format::MANIFEST;
use crate::manifest::Manifest;
use crate::problem::Problem;
use crate::trace::Traced;
use std::collections::{BTreeMap, BTreeSet};
use tegra_bct::mb1;
use tegra_bct::signed::Signed;
use tegra_flash::{Layout, blob, slots};

type Contents = BTreeMap<String, Vec<u8>>;

/// The first format that names what signed files are made of.
const TRACED: u32 = 2;
/// Bytes of the largest boot config: its partition has no more.
const BCT: u64 = 65536;
/// What the recovery loader gets.
const BLOB: &str = "blob.bin";
/// By which partitions are written, of boards without keys and with: NVIDIA's form of a layout with the names of signed files.
const TABLES: [&str; 2] = ["flash.xml.bin", "secureflash.xml.bin"];
/// Kinds of signed files that no file of the BSP or the bundle is the content of: boot configs, made of many cfgs.
const MADE_ANEW: [&[u8; 4]; 2] = [MB1_BCT, b"MEMB"];
const MB1_BCT: &[u8; 4] = b"MBCT";
const SECURE_OS: &[u8; 4] = b"TOSB";
/// Boot parts of the recovery loader alone, which are written to no partition.
const RECOVERY: [&[u8; 4]; 2] = [b"CPBL", b"MB2B"];

/// Whether a file's contents are kept for these checks.
pub(crate) fn is_checked(file: &FileEntry) -> bool {
    file.role == Role::Flash && (file.size <= BCT || file.path.ends_with(&format!("/{BLOB}")))
}

/// All problems of signed files.
pub(crate) fn check(
    manifest: &Manifest,
    contents: &Contents,
    traced: &BTreeMap<String, Traced>,
) -> Vec<Problem> {
    let Some(device) = &manifest.device else { return Vec::new() };
    match device.flash_package {
        FlashPackage::Modules => Check { manifest, device, contents, traced, problems: Vec::new() }.all(),
        FlashPackage::Tegraflash => signed_later(manifest, device, contents),
        FlashPackage::None => Vec::new(),
    }
}

/// meta-tegra's package signs while it flashes: the file that its layout names for secure-os.
fn signed_later(manifest: &Manifest, device: &Device, contents: &Contents) -> Vec<Problem> {
    let expected = tos_image(device.soc);
    let layouts = manifest.files.iter().filter(|file| file.role == Role::Layout);
    let mut problems = Vec::new();
    for (path, content) in layouts.filter_map(|f| Some((&f.path, contents.get(&f.path)?))) {
        let Ok(layout) = Layout::parse(&String::from_utf8_lossy(content)) else { continue };
        let slots = layout.partitions().filter(|p| slots::SECURE_OS.contains(&p.name.as_str()));
        for slot in slots.filter(|slot| slot.file.as_deref() != Some(expected)) {
            let file = slot.file.as_deref().unwrap_or("no file").escape_debug();
            let what =
                format!("partition {} gets {file}, expected {expected}, the bundle's image", slot.name);
            problems.push(Problem::new(path, what));
        }
    }
    problems
}

struct Check<'a> {
    manifest: &'a Manifest,
    device: &'a Device,
    contents: &'a Contents,
    traced: &'a BTreeMap<String, Traced>,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn all(mut self) -> Vec<Problem> {
        for (file, traced) in self.manifest.files.iter().filter_map(|f| Some((f, self.traced.get(&f.path)?)))
        {
            let what = self.made_of(file, traced);
            self.problems.extend(what.map(|what| Problem::new(&file.path, what)));
        }
        self.carve_outs();
        for module in &self.device.modules {
            if self.manifest.format >= TRACED {
                self.secure_os(module);
            }
            self.tables(module);
            self.blob(module);
        }
        self.problems
    }

    fn encrypted(&self) -> bool {
        self.device.fused == Fused::PkcSbk
    }

    /// What is wrong with what a file is made of.
    fn made_of(&self, file: &FileEntry, traced: &Traced) -> Option<String> {
        if let Some((kind, false)) = traced.signed {
            let kind = kind.escape_ascii();
            return Some(format!(
                "what is behind its signature's header ({kind}) has another digest than the header says: it has been exchanged"
            ));
        }
        if let Some(made_of) = &file.made_of {
            return traced.problem(made_of, self.encrypted());
        }
        let new = |kind| MADE_ANEW.iter().any(|known| **known == kind);
        let (kind, _) = traced.signed.filter(|(kind, _)| !new(*kind))?;
        let missing = self.manifest.format >= TRACED && !file.partitions.is_empty();
        missing.then(|| {
            format!("is signed ({}), but {MANIFEST} does not say what it was made of", kind.escape_ascii())
        })
    }

    /// Both slots of secure-os get the image that the bundle has, and that was checked.
    fn secure_os(&mut self, module: &ModuleEntry) {
        let images = self.manifest.files.iter().filter(|file| file.role == Role::SecureOs);
        let files = self.manifest.flash_files(&module.name);
        let slots = slots::SECURE_OS.map(|slot| (slot, written_to(&files, slot)));
        for image in images {
            for (slot, file) in slots {
                let Some((_, file)) = file else { continue };
                let same = file.made_of.as_ref().is_some_and(|of| {
                    (&of.file, of.size, &of.sha256) == (&image.path, image.size, &image.sha256)
                });
                if !same {
                    let what = format!("goes to {slot}, but is not made of {}", image.path);
                    self.problems.push(Problem::new(&file.path, what));
                }
            }
        }
    }

    /// What NVIDIA's tools write the partitions by names the module's own files, not those of another.
    fn tables(&mut self, module: &ModuleEntry) {
        let files = self.manifest.flash_files(&module.name);
        let written: Vec<(&str, &str)> = files
            .iter()
            .filter(|(_, file)| file.made_of.is_some())
            .flat_map(|(name, file)| file.partitions.iter().map(|partition| (partition.as_str(), *name)))
            .collect();
        for table in TABLES {
            let found = files.get(table).and_then(|file| Some((&file.path, self.contents.get(&file.path)?)));
            let Some((path, bytes)) = found else { continue };
            let named: BTreeSet<&[u8]> = bytes.split(|byte| !byte.is_ascii_graphic()).collect();
            if let Some((partition, file)) = written.iter().find(|(_, file)| !named.contains(file.as_bytes()))
            {
                let what = format!(
                    "does not name {file}, which partition {partition} of module {} gets: it is of another module or build",
                    module.name
                );
                self.problems.push(Problem::new(path, what));
            }
        }
    }

    /// What MB1 will read: of the cold boot, and while flashing. What is encrypted cannot be read: its proof was made when it was
    /// built.
    fn carve_outs(&mut self) {
        if self.encrypted() {
            return;
        }
        let expected = self.manifest.tzdram;
        let mut bcts = BTreeSet::new();
        for file in self.manifest.files.iter().filter(|file| is_checked(file)) {
            let Some(bct) = self.contents.get(&file.path) else { continue };
            let is_bct = Signed::parse(bct).is_some_and(|signed| &signed.kind == MB1_BCT)
                || file.partitions.iter().any(|name| name == slots::MB1_BCT[0]);
            if !is_bct {
                continue;
            }
            bcts.insert(file.path.as_str());
            let what = match mb1::read(bct) {
                Ok(found) if found == expected => continue,
                Ok(found) => format!(
                    "MB1 would read a carve-out of 0x{:x} aligned to 0x{:x}, the manifest says 0x{:x} and 0x{:x}",
                    found.size,
                    found.alignment,
                    expected.size(),
                    expected.alignment()
                ),
                Err(error) => error.to_string(),
            };
            self.problems.push(Problem::new(&file.path, what));
        }
        for module in self.device.modules.iter().filter(|_| self.manifest.format >= TRACED) {
            let files = self.manifest.flash_files(&module.name);
            let found = files.values().filter(|file| bcts.contains(file.path.as_str())).count();
            if found < 2 {
                let what = format!(
                    "device: module {} has {found} MB1 BCTs, expected two: of the cold boot, and while flashing",
                    module.name
                );
                self.problems.push(Problem::new(MANIFEST, what));
            }
        }
    }

    /// What the recovery loader gets must be what the partitions get.
    fn blob(&mut self, module: &ModuleEntry) {
        let files = self.manifest.flash_files(&module.name);
        let Some((path, bytes)) = files.get(BLOB).and_then(|f| Some((&f.path, self.contents.get(&f.path)?)))
        else {
            return;
        };
        let parts = match blob::parts(bytes) {
            Ok(parts) => parts,
            Err(error) => return self.problems.push(Problem::new(path, error.to_string())),
        };
        let mut has_secure_os = false;
        for part in parts {
            let Some(signed) = Signed::parse(part.bytes) else { continue };
            has_secure_os |= &signed.kind == SECURE_OS;
            // Of t186 no header names a part.
            let unnamed = signed.kind == [0; 4] && blob::RECOVERY_KINDS.contains(&part.kind);
            if unnamed || RECOVERY.contains(&&signed.kind) {
                continue;
            }
            let sha256 = crate::sha256(part.bytes);
            if !files.values().any(|file| file.sha256 == sha256) {
                let what = format!("its {} is none of the files of module {}", signed.name(), module.name);
                self.problems.push(Problem::new(path, what));
            }
        }
        if !has_secure_os && !self.encrypted() && self.manifest.format >= TRACED {
            self.problems.push(Problem::new(path, "holds no secure-os image"));
        }
    }
}

#[cfg(test)]
mod tests;
