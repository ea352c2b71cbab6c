//! The update payload of a bundle: what it has is what a flash of the same bundle writes.

use crate::device::{Device, FlashPackage, UPDATE_PAYLOAD};
use crate::file_entry::{FileEntry, Role};
use crate::flash::{files_of, written_to};
use crate::format::MANIFEST;
use crate::hash::sha256;
use crate::manifest::Manifest;
use crate::problem::Problem;
use std::collections::BTreeMap;
use tegra_bct::{mb1, signed};
use tegra_flash::payload::{Payload, PayloadEntry};
use tegra_flash::slots::{MB1_BCT, SECURE_OS};
use tegra_flash::update::{EKS, update_parts as parts_of};
use trusty_image::Soc;

/// A part that a bundle's payload must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedPart<'a> {
    /// The partition, without a slot.
    pub partition: &'static str,
    /// When it is written.
    pub operation: u32,
    /// The TNSPEC of the module that it is for; empty: all.
    pub spec: &'a str,
    /// The file of the bundle that a flash writes there, and its SHA-256.
    pub file: (&'a str, &'a str),
}

/// Why a bundle's files make no payload.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UpdateError {
    /// A module has no file for a partition.
    #[error("module {module} has no file for {partition}")]
    NoFile {
        /// The module.
        module: String,
        /// The partition.
        partition: &'static str,
    },
    /// Modules get different files where a payload has one for all of them.
    #[error(
        "{partition} is not the same for the modules {first} and {second}, and a payload has one for all"
    )]
    Differs {
        /// The partition.
        partition: &'static str,
        /// A module.
        first: String,
        /// Another one.
        second: String,
    },
}

/// The parts of the payload of a device with these files, in NVIDIA's order: of all modules that have a spec. It has what a flash writes:
/// a partition that no module gets a file for has no part.
pub fn update_parts<'a>(
    files: &'a [FileEntry],
    device: &'a Device,
) -> Result<Vec<ExpectedPart<'a>>, UpdateError> {
    let mut modules: Vec<(&str, &str)> = device
        .modules
        .iter()
        .flat_map(|module| module.update_specs.iter().map(|spec| (spec.as_str(), module.name.as_str())))
        .collect();
    // As NVIDIA's script lists their folders.
    modules.sort_unstable();
    let of_modules: Vec<_> = modules.iter().map(|(_, module)| files_of(files, module)).collect();
    let mut parts = Vec::new();
    for part in parts_of(device.soc).iter().filter(|part| device.update_eks || part.partition != EKS) {
        let found = of_modules.iter().map(|files| written_to(files, part.partition));
        let found: Vec<_> = modules.iter().zip(found).collect();
        if found.iter().all(|(_, file)| file.is_none()) {
            continue;
        }
        let mut files = Vec::new();
        for ((spec, module), file) in found {
            let no_file = || UpdateError::NoFile { module: (*module).into(), partition: part.partition };
            let (_, file) = file.ok_or_else(no_file)?;
            files.push((*spec, *module, (file.path.as_str(), file.sha256.as_str())));
        }
        let expected =
            |spec, file| ExpectedPart { partition: part.partition, operation: part.operation, spec, file };
        if part.of_module {
            parts.extend(files.iter().map(|(spec, _, file)| expected(*spec, *file)));
            continue;
        }
        let Some((_, first, file)) = files.first() else { continue };
        if let Some((_, second, _)) = files.iter().find(|(_, _, other)| other.1 != file.1) {
            let (first, second) = ((*first).into(), (*second).into());
            return Err(UpdateError::Differs { partition: part.partition, first, second });
        }
        parts.push(expected("", *file));
    }
    Ok(parts)
}

/// All problems of the payload.
pub(crate) fn check(manifest: &Manifest, contents: &BTreeMap<String, Vec<u8>>) -> Vec<Problem> {
    let mut modules = manifest.device.iter().flat_map(|device| &device.modules);
    let wanted = modules.any(|module| !module.update_specs.is_empty());
    let mut files = manifest.files.iter().filter(|file| file.role == Role::Update);
    let (first, more) = (files.next(), files.next());
    let problem = |what: String| vec![Problem::new(UPDATE_PAYLOAD, what)];
    let (device, file) = match (&manifest.device, first) {
        (_, None) if wanted => {
            return vec![Problem::new(
                MANIFEST,
                format!("device: modules are named for updates, but there is no {UPDATE_PAYLOAD}"),
            )];
        }
        (_, None) => return Vec::new(),
        // meta-tegra's: its parts are signed for it alone, and are in no other file.
        (Some(device), Some(file))
            if device.flash_package == FlashPackage::Tegraflash
                && more.is_none()
                && file.path == UPDATE_PAYLOAD =>
        {
            let Some(content) = contents.get(&file.path) else { return Vec::new() };
            return match Payload::parse(content) {
                Ok(payload) => foreign(manifest, contents, &payload).map(problem).unwrap_or_default(),
                Err(error) => problem(error.to_string()),
            };
        }
        (Some(device), Some(file)) if wanted && more.is_none() && file.path == UPDATE_PAYLOAD => {
            (device, file)
        }
        (_, Some(file)) => {
            return vec![Problem::new(&file.path, "is an update payload that this bundle cannot have")];
        }
    };
    let Some(content) = contents.get(&file.path) else { return Vec::new() };
    let expected = match update_parts(&manifest.files, device) {
        Ok(expected) => expected,
        Err(error) => return problem(error.to_string()),
    };
    let payload = match Payload::parse(content) {
        Ok(payload) => payload,
        Err(error) => return problem(error.to_string()),
    };
    compare(&payload, &expected).map(problem).unwrap_or_default()
}

/// Whether an update of a device with meta-tegra's package may write a part: what belongs to its root filesystem it does not, and neither
/// the device's keys.
pub fn is_written(partition: &str) -> bool {
    partition != EKS && Soc::ALL.into_iter().flat_map(parts_of).any(|part| part.partition == partition)
}

/// What is wrong with a payload that meta-tegra has made: it must have the bundle's secure-os image and its carve-out.
fn foreign(manifest: &Manifest, contents: &BTreeMap<String, Vec<u8>>, payload: &Payload) -> Option<String> {
    let image = manifest.files.iter().find(|file| file.role == Role::SecureOs);
    let image = image.and_then(|file| contents.get(&file.path))?;
    let of = |name: &'static str| payload.entries.iter().filter(move |entry| entry.partition == name);
    for name in [SECURE_OS[0], MB1_BCT[0]] {
        if of(name).next().is_none() {
            return Some(format!("has no {name}"));
        }
    }
    if let Some(entry) = payload.entries.iter().find(|entry| !is_written(&entry.partition)) {
        return Some(format!("has {}, which no update writes", entry.partition));
    }
    let same = |entry: &PayloadEntry| {
        let behind = signed::payload(entry.data).strip_prefix(image.as_slice());
        behind.is_some_and(|behind| behind.len() < signed::ALIGNMENT)
    };
    if !of(SECURE_OS[0]).all(same) {
        return Some(format!("{} is another than the bundle's image", SECURE_OS[0]));
    }
    of(MB1_BCT[0]).find_map(|entry| match mb1::read(entry.data) {
        Ok(found) if found == manifest.tzdram => None,
        Ok(found) => Some(format!(
            "{} of {} asks for a carve-out of {} bytes, the manifest says {}",
            MB1_BCT[0],
            entry.spec,
            found.size,
            manifest.tzdram.size()
        )),
        Err(error) => Some(format!("{}: {error}", MB1_BCT[0])),
    })
}

/// The first part that is not as it should be.
fn compare(payload: &Payload, expected: &[ExpectedPart]) -> Option<String> {
    let shown = |partition: &str, spec: &str| match spec {
        "" => format!("{partition} of all modules"),
        spec => format!("{partition} of {spec}"),
    };
    let same = |entry: &PayloadEntry, part: &ExpectedPart| {
        (entry.partition.as_str(), entry.operation, entry.spec.as_str())
            == (part.partition, part.operation, part.spec)
    };
    for (index, part) in expected.iter().enumerate() {
        let name = shown(part.partition, part.spec);
        let Some(entry) = payload.entries.get(index) else {
            return Some(format!("ends before {name}"));
        };
        if !same(entry, part) {
            let found = shown(&entry.partition, &entry.spec);
            return Some(format!(
                "entry {index} is {found}, operation {}: expected is {name}, operation {}",
                entry.operation, part.operation
            ));
        }
        if sha256(entry.data) != part.file.1 {
            return Some(format!("{name} is another than {}, which a flash writes there", part.file.0));
        }
    }
    let more = payload.entries.get(expected.len())?;
    Some(format!("has {}, which no update of this bundle writes", shown(&more.partition, &more.spec)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{FlashPackage, Fused};
    use tegra_flash::update::PAYLOAD_VERSION;

    const SPECS: [&str; 2] = ["2888-400-0004--1-2-x", "2888-400-0001-E.0-1-2-x"];

    fn entry(path: &str, role: Role, content: &[u8], partitions: &[&str]) -> FileEntry {
        FileEntry {
            path: path.into(),
            role,
            size: content.len() as u64,
            sha256: sha256(content),
            partitions: partitions.iter().map(|name| (*name).into()).collect(),
            executable: false,
            made_of: None,
            identity: None,
        }
    }

    /// A bundle for two modules; the second of them has a boot config of its own.
    fn manifest() -> Manifest {
        let mut manifest = Manifest::from_text(&crate::tests::manifest_text()).unwrap();
        let module = |name: &str, sku: &str, spec: &str| {
            let id = serde_json::json!({ "board": "2888", "fab": "400", "sku": sku });
            let module = serde_json::json!({ "name": name, "id": id, "update_specs": [spec] });
            serde_json::from_value(module).unwrap()
        };
        manifest.device = Some(Device {
            modules: vec![module("32gb", "0004", SPECS[0]), module("16gb", "0001", SPECS[1])],
            soc: Default::default(),
            recovery: None,
            fused: Fused::No,
            app_size: 8192,
            lacks: Vec::new(),
            stock_trusted_apps: Vec::new(),
            flash_package: FlashPackage::Modules,
            update_eks: false,
        });
        manifest.files = vec![
            entry("flash/16gb/bct", Role::Flash, b"bct of 16", &["MB1_BCT", "MB1_BCT_b"]),
            entry("flash/32gb/bct", Role::Flash, b"bct of 32", &["MB1_BCT", "MB1_BCT_b"]),
            entry("flash/common/eks", Role::Flash, b"eks", &["eks"]),
            entry("flash/common/mts", Role::Flash, b"mts", &["mts-mce", "mts-mce_b"]),
            entry("flash/common/tos", Role::Flash, b"tos", &["secure-os", "secure-os_b"]),
        ];
        manifest
    }

    fn part<'a>(partition: &str, operation: u32, spec: &str, data: &'a [u8]) -> PayloadEntry<'a> {
        PayloadEntry { partition: partition.into(), version: 0x3272, operation, spec: spec.into(), data }
    }

    fn parts() -> Vec<PayloadEntry<'static>> {
        vec![
            part("secure-os", 0, "", b"tos"),
            part("mts-mce", 2, "", b"mts"),
            part("MB1_BCT", 0, SPECS[1], b"bct of 16"),
            part("MB1_BCT", 0, SPECS[0], b"bct of 32"),
        ]
    }

    fn problems(manifest: &mut Manifest, payload: &[u8]) -> Vec<String> {
        manifest.files.push(entry(UPDATE_PAYLOAD, Role::Update, payload, &[]));
        let contents = BTreeMap::from([(UPDATE_PAYLOAD.to_owned(), payload.to_vec())]);
        check(manifest, &contents).iter().map(ToString::to_string).collect()
    }

    fn of(entries: Vec<PayloadEntry>) -> Vec<String> {
        let payload = Payload { version: PAYLOAD_VERSION, entries }.to_bytes().unwrap();
        problems(&mut manifest(), &payload)
    }

    #[test]
    fn a_payload_has_what_a_flash_writes() {
        assert_eq!(of(parts()), Vec::<String>::new());
        let mut changed = parts();
        changed[2].data = b"bct of 3?";
        assert_eq!(
            of(changed),
            [format!(
                "{UPDATE_PAYLOAD}: MB1_BCT of {} is another than flash/16gb/bct, which a flash writes there",
                SPECS[1]
            )]
        );
        let mut always = parts();
        always[1].operation = 0;
        assert!(of(always)[0].ends_with(
            "entry 1 is mts-mce of all modules, operation 0: expected is mts-mce of all modules, operation 2"
        ));
        assert!(of(parts()[..3].to_vec())[0].ends_with(&format!("ends before MB1_BCT of {}", SPECS[0])));
        let more = [parts(), vec![part("eks", 0, "", b"eks")]].concat();
        assert!(of(more)[0].ends_with("has eks of all modules, which no update of this bundle writes"));
        assert!(problems(&mut manifest(), b"no payload")[0].contains("NVIDIA__BLOB__V2"));
        // Of a bundle that is to replace the keys of devices it must have it, in NVIDIA's order.
        let mut with = manifest();
        with.device.as_mut().unwrap().update_eks = true;
        let payload = |entries| Payload { version: PAYLOAD_VERSION, entries }.to_bytes().unwrap();
        assert!(problems(&mut with.clone(), &payload(parts()))[0].contains("expected is eks of all modules"));
        let mut more = parts();
        more.insert(1, part("eks", 0, "", b"eks"));
        assert_eq!(problems(&mut with, &payload(more)), Vec::<String>::new());
    }

    #[test]
    fn bundles_without_or_with_two_payloads_are_told() {
        let none = |manifest: &Manifest| check(manifest, &BTreeMap::new()).len();
        let mut without = manifest();
        assert_eq!(none(&without), 1);
        without
            .device
            .iter_mut()
            .flat_map(|device| &mut device.modules)
            .for_each(|module| module.update_specs.clear());
        assert_eq!(none(&without), 0);
        assert_eq!(
            problems(&mut without, b"x"),
            [format!("{UPDATE_PAYLOAD}: is an update payload that this bundle cannot have")]
        );
        let mut two = manifest();
        two.files.push(entry("update/other", Role::Update, b"x", &[]));
        assert_eq!(problems(&mut two, b"x").len(), 1);
        let mut virt = manifest();
        virt.device = None;
        assert_eq!(problems(&mut virt, b"x").len(), 1);
    }

    /// meta-tegra's payload is in no other file: it has the bundle's image and its carve-out, and nothing of the root filesystem.
    #[test]
    fn a_payload_of_meta_tegra_has_the_image_and_the_carve_out() {
        let mut bct = vec![0; 0x2000];
        let carve_out = |bct: &mut [u8], size: u64| {
            let tzdram = trusty_image::Tzdram::of_size(size).unwrap();
            for (range, value) in [(mb1::T194.size, tzdram.size()), (mb1::T194.alignment, tzdram.alignment())]
            {
                bct[range].copy_from_slice(&value.to_le_bytes());
            }
        };
        carve_out(&mut bct, manifest().tzdram.size());
        let of = |tos: &[u8], bct: &[u8], more: &[&str]| {
            let mut manifest = manifest();
            let device = manifest.device.as_mut().unwrap();
            (device.flash_package, device.modules) = (FlashPackage::Tegraflash, Vec::new());
            manifest.files = vec![
                entry("secure-os/tos.img", Role::SecureOs, b"tos", &["secure-os"]),
                entry(UPDATE_PAYLOAD, Role::Update, b"", &[]),
            ];
            let mut entries = vec![part("secure-os", 0, "", tos), part("MB1_BCT", 0, SPECS[0], bct)];
            entries.retain(|entry| !entry.data.is_empty());
            entries.extend(more.iter().map(|name| part(name, 0, "", b"x")));
            let payload = Payload { version: PAYLOAD_VERSION, entries }.to_bytes().unwrap();
            let contents = [("secure-os/tos.img", b"tos".to_vec()), (UPDATE_PAYLOAD, payload)];
            let contents = contents.into_iter().map(|(path, bytes)| (path.to_owned(), bytes)).collect();
            check(&manifest, &contents).iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        };
        assert_eq!(of(b"tos\x80\0\0", &bct, &["mb2"]), "");
        assert!(of(b"other", &bct, &[]).ends_with("secure-os is another than the bundle's image"));
        assert!(of(&[b"tos", &[0; 16][..]].concat(), &bct, &[]).contains("is another"));
        assert!(of(b"tos", &[], &[]).ends_with("has no MB1_BCT"));
        for partition in ["eks", "kernel", "APP"] {
            let told = of(b"tos", &bct, &[partition]);
            assert!(told.ends_with(&format!("has {partition}, which no update writes")), "{told}");
        }
        carve_out(&mut bct, manifest().tzdram.size() * 2);
        assert!(of(b"tos", &bct, &[]).contains("asks for a carve-out of"), "{}", of(b"tos", &bct, &[]));
    }

    #[test]
    fn modules_that_make_no_payload_are_named() {
        let mut other = manifest();
        other.files.push(entry("flash/16gb/tos", Role::Flash, b"another", &["secure-os"]));
        other.files.retain(|file| file.path != "flash/common/tos");
        let device = other.device.clone().unwrap();
        let error = update_parts(&other.files, &device).unwrap_err().to_string();
        assert_eq!(error, "module 32gb has no file for secure-os");
        other.files.push(entry("flash/32gb/tos", Role::Flash, b"one", &["secure-os"]));
        let error = update_parts(&other.files, &device).unwrap_err().to_string();
        assert_eq!(
            error,
            "secure-os is not the same for the modules 16gb and 32gb, and a payload has one for all"
        );
    }
}
