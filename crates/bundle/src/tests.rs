mod formats;
mod hostile;
mod update;

use crate::*;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use tegra_flash::Layout;
use trusty_image::test_elf::TestElf;
use trusty_image::{AppMemory, Budget, Container, TosType, Tzdram};

const LAYOUT: &str = "<partition_layout><device type='sdmmc_user' sector_size='512' num_sectors='9999'>\
    <partition name='MB1_BCT' type='x'><size> 65536 </size></partition>\
    <partition name='secure-os' type='tos'><size> 2621440 </size></partition>\
    <partition name='APP' type='data'><size> 8192 </size></partition></device></partition_layout>";
const CFG: &str = "carveout.tzdram.size = 0x02000000;\ncarveout.tzdram.alignment = 0x00100000;\n";

/// A small bundle, its parts changed by `change` before it is written.
struct Sample {
    parts: BTreeMap<&'static str, Vec<u8>>,
    tzdram: u64,
    heap: u32,
    demand: Option<u32>,
}

impl Sample {
    fn new() -> Self {
        let elf = TestElf::good().build();
        let image = Container::pack(&[], &elf, TosType::Trusty).unwrap();
        let parts = BTreeMap::from([
            ("boot-config/misc.cfg", CFG.as_bytes().to_vec()),
            ("layout/layout.xml", LAYOUT.as_bytes().to_vec()),
            ("rootfs/system.img", tegra_flash::filesystem::test_image::image(8192, 7)),
            ("secure-os/tos.img", image),
            ("trusted-apps/a.elf", elf),
            // With the bundle's name in front it has more than 100 characters, as NVIDIA's file names have.
            (
                "flash/common/kernel_tegra194-p2888-0001-p2822-0000-and-more_sigheader.dtb.encrypt.signed.x",
                vec![1; 99],
            ),
        ]);
        Self { parts, tzdram: 32 << 20, heap: 0x8000, demand: None }
    }

    fn write(&self, folder: &Path) -> Manifest {
        let sources = tempfile::tempdir().unwrap();
        let from = sources.path().join("part");
        fs::create_dir(folder).unwrap();
        let mut writer = Writer::new(folder);
        for (path, bytes) in &self.parts {
            let (role, partitions): (Role, &[&str]) = match path.split('/').next().unwrap() {
                "boot-config" => (Role::BootConfig, &["MB1_BCT"]),
                "layout" => (Role::Layout, &[]),
                "rootfs" => (Role::Rootfs, &["APP"]),
                "secure-os" => (Role::SecureOs, &["secure-os"]),
                "flash" => (Role::Flash, &[]),
                _ if path.ends_with(".debug") => (Role::TrustedAppSymbols, &[]),
                _ => (Role::TrustedApp, &[]),
            };
            fs::write(&from, bytes).unwrap();
            writer.add(role, path, &from, partitions).unwrap();
        }
        let elf = TestElf::good().build();
        let app = trusty_image::inspect(&elf).unwrap();
        let layout = Layout::parse(LAYOUT).unwrap();
        let (partitions, _) = writer.partition_plan("layout/layout.xml", &layout, None);
        let apps = vec![AppMemory::new("a", &app, elf.len() as u64)];
        let memory = Budget::new(self.tzdram, false, Vec::new(), apps);
        let inputs = Inputs {
            config: sha256(b""),
            git_revision: None,
            toolchains: BTreeMap::from([("rustc".into(), "1".into())]),
            bsp: None,
            package_lock: None,
            given: Vec::new(),
        };
        let entry = AppEntry {
            name: "a".into(),
            file: "trusted-apps/a.elf".into(),
            uuid: app.manifest.uuid,
            heap: self.heap,
            stack: 0x4000,
            heap_demand: self.demand,
            ports: Vec::new(),
        };
        let manifest = Manifest {
            format: FORMAT,
            name: "desk".into(),
            version: "1".into(),
            security_version: 0,
            board: "virt".into(),
            tzdram: Tzdram::of_size(self.tzdram).unwrap(),
            inputs,
            trusted_apps: vec![entry],
            plan: Budgets { memory, partitions },
            files: Vec::new(),
            device: None,
            desk_boot: None,
            linux_boot: None,
            client_apps: Vec::new(),
            flash: BTreeMap::new(),
            digest: String::new(),
        };
        writer.finish(manifest).unwrap()
    }

    fn problems(&self) -> Vec<String> {
        let dir = tempfile::tempdir().unwrap();
        self.write(&dir.path().join("b"));
        problems(&dir.path().join("b"))
    }
}

pub(crate) fn problems(path: &Path) -> Vec<String> {
    let verified = verify(&Source::open(path).unwrap()).unwrap();
    verified.problems.iter().map(ToString::to_string).collect()
}

pub(crate) fn written() -> (tempfile::TempDir, PathBuf, Manifest) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("desk");
    let manifest = Sample::new().write(&folder);
    (dir, folder, manifest)
}

fn archive(folder: &Path, manifest: &Manifest) -> Vec<u8> {
    let path = folder.with_extension("tar.zst");
    write_archive(folder, &manifest.bundle_name(), manifest, 1, &Frames::default(), &path).unwrap();
    fs::read(path).unwrap()
}

/// The manifest of the small bundle.
pub(crate) fn manifest_text() -> String {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("bundle");
    Sample::new().write(&folder);
    fs::read_to_string(folder.join(MANIFEST)).unwrap()
}

#[test]
fn a_good_bundle_holds_as_folder_and_archive() {
    let (_dir, folder, manifest) = written();
    assert_eq!(problems(&folder), Vec::<String>::new());
    archive(&folder, &manifest);
    assert_eq!(problems(&folder.with_extension("tar.zst")), Vec::<String>::new());
    assert_eq!(manifest.bundle_name(), "desk-1-virt-tzdram32M");
}

/// Symbols are those of the trusted app, whatever heap the product gives it; others would name wrong lines.
#[test]
fn symbols_are_of_the_trusted_app_itself() {
    let with = |path: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut sample = Sample::new();
        let mut symbols = sample.parts["trusted-apps/a.elf"].clone();
        change(&mut symbols);
        sample.parts.insert(Box::leak(path.to_owned().into_boxed_str()), symbols);
        sample.problems()
    };
    let path = "trusted-apps/a.debug";
    assert_eq!(with(path, &|_| {}), Vec::<String>::new());
    let heap = trusty_image::test_elf::MANIFEST_AT as usize + 28;
    assert_eq!(with(path, &|symbols| symbols[heap] ^= 0x10), Vec::<String>::new());
    let other = "is not what the trusted app was stripped of: its lines are of other code";
    for change in [&(|symbols: &mut Vec<u8>| symbols[0x1004] ^= 1) as &dyn Fn(&mut Vec<u8>), &Vec::clear] {
        assert_eq!(with(path, change), [format!("{path}: {other}")]);
    }
    let of_none = ["trusted-apps/b.debug: names the lines of no trusted app of the bundle"];
    assert_eq!(with("trusted-apps/b.debug", &|_| {}), of_none);
}

#[test]
fn single_files_can_be_had_and_are_checked() {
    let (_dir, folder, manifest) = written();
    archive(&folder, &manifest);
    let get = |path: &Path| {
        let wanted = |file: &FileEntry| file.role == Role::SecureOs;
        extract(&Source::open(path).unwrap(), wanted).map(|(manifest, files)| (manifest.name, files))
    };
    for path in [&folder, &folder.with_extension("tar.zst")] {
        let (name, files) = get(path).unwrap();
        assert_eq!((name.as_str(), files.len(), files[0].0.role), ("desk", 1, Role::SecureOs));
        assert!(files[0].1.starts_with(b"NVTOSP"));
    }
    let mut whole = fs::read(folder.join("secure-os/tos.img")).unwrap();
    whole[9000] ^= 1;
    fs::write(folder.join("secure-os/tos.img"), &whole).unwrap();
    assert!(get(&folder).unwrap_err().to_string().starts_with("secure-os/tos.img: is missing, or not"));
    let truncated = folder.with_extension("tar.zst");
    fs::write(&truncated, &fs::read(&truncated).unwrap()[..900]).unwrap();
    assert!(get(&truncated).is_err());
    fs::write(folder.join(MANIFEST), "{}").unwrap();
    assert!(matches!(get(&folder), Err(ExtractError::Manifest(_))));
}

#[test]
fn the_same_parts_give_the_same_archive() {
    let (_one, folder, manifest) = written();
    let (_two, other, _) = written();
    assert_eq!(archive(&folder, &manifest), archive(&other, &manifest));
}

/// Flipping any byte of manifest or checksums, or some byte of any other file, names that file and no other.
#[test]
fn a_flipped_byte_names_its_file() {
    let (_dir, folder, manifest) = written();
    for file in manifest.files.iter().map(|f| f.path.as_str()).chain([MANIFEST, SUMS]) {
        let path = folder.join(file);
        let good = fs::read(&path).unwrap();
        let step = if file == MANIFEST || file == SUMS { 1 } else { good.len() / 7 };
        for at in (0..good.len()).step_by(step) {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            fs::write(&path, &bad).unwrap();
            let found = problems(&folder);
            assert!(!found.is_empty(), "{file} at {at}");
            assert!(found.iter().all(|p| p.starts_with(&format!("{file}: "))), "{file} at {at}: {found:?}");
        }
        fs::write(&path, good).unwrap();
    }
}

#[test]
fn a_flipped_byte_of_the_archive_is_found() {
    let (_dir, folder, manifest) = written();
    let good = archive(&folder, &manifest);
    let path = folder.with_extension("tar.zst");
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        fs::write(&path, &bad).unwrap();
        let found = verify(&Source::open(&path).unwrap());
        // zstd leaves bits of a frame's header unused that change nothing of what is read.
        let harmless =
            zstd::decode_all(&bad[..]).is_ok_and(|text| text == zstd::decode_all(&good[..]).unwrap());
        assert!(harmless || found.is_err() || !found.unwrap().problems.is_empty(), "byte {at}");
    }
    for length in (0..good.len()).step_by(11) {
        fs::write(&path, &good[..length]).unwrap();
        let found = verify(&Source::open(&path).unwrap());
        assert!(found.is_err() || !found.unwrap().problems.is_empty(), "cut at {length}");
    }
}

/// An archive holds the bundle and nothing else, each file as the writer writes it.
#[test]
fn an_archive_with_more_in_it_is_refused() {
    let (_dir, folder, manifest) = written();
    let good = archive(&folder, &manifest);
    let path = folder.with_extension("tar.zst");
    let plain = zstd::decode_all(&good[..]).unwrap();
    let refused = |tar: &[u8], behind: &[u8]| {
        fs::write(&path, [zstd::encode_all(tar, 1).unwrap(), behind.to_vec()].concat()).unwrap();
        match verify(&Source::open(&path).unwrap()) {
            Err(error) => error.to_string(),
            Ok(verified) => verified.problems.first().map(ToString::to_string).unwrap_or_default(),
        }
    };
    assert_eq!(refused(&plain, b""), "");
    let frame = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
    let ends = |said: String, with: &str| assert!(said.ends_with(with), "{said}");
    ends(refused(&plain, &frame(b"more")), "more than zeros behind the last file");
    ends(refused(&[&plain[..], b"hidden"].concat(), b""), "more than zeros behind the last file");
    assert_eq!(refused(&plain, &frame(&[0; 512])), "");
    ends(refused(&plain, &frame(b"")), "holds a zstd frame without contents");
    ends(refused(&plain, b"x"), "holds bytes that are no zstd frame");
    // A frame that unpacking skips.
    ends(refused(&plain, b"\x50\x2a\x4d\x18\x04\0\0\0more"), "holds bytes that are no zstd frame");
    let changed = |change: fn(&mut tar::Header)| {
        let mut tar = plain.clone();
        let mut header = tar::Header::from_byte_slice(&tar[..512]).clone();
        change(&mut header);
        header.set_cksum();
        tar[..512].copy_from_slice(header.as_bytes());
        refused(&tar, b"")
    };
    assert!(changed(|h| h.set_mode(0o4755)).contains("another mode or owner"));
    assert!(changed(|h| h.set_uid(1000)).contains("another mode or owner"));
    assert!(changed(|h| h.set_entry_type(tar::EntryType::Symlink)).contains("no regular file"));
    assert!(
        changed(|h| h.set_path("other/manifest.json").unwrap()).contains("lies outside the bundle's folder")
    );
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in [(MANIFEST, 2), (MANIFEST, 2)] {
        let mut header = tar::Header::new_gnu();
        header.set_mode(0o644);
        header.set_uid(0);
        header.set_gid(0);
        header.set_size(bytes);
        tar.append_data(&mut header, format!("desk-1-virt-tzdram32M/{name}"), &b"{}"[..]).unwrap();
    }
    fs::write(&path, zstd::encode_all(&tar.into_inner().unwrap()[..], 1).unwrap()).unwrap();
    assert!(problems(&path).contains(&"manifest.json: exists twice".to_owned()));
}

#[test]
fn an_archive_under_another_name_is_refused() {
    let (_dir, folder, manifest) = written();
    let path = folder.with_extension("tar.zst");
    write_archive(&folder, "other", &manifest, 1, &Frames::default(), &path).unwrap();
    assert_eq!(
        problems(&path),
        ["manifest.json: the archive's folder is called other, expected desk-1-virt-tzdram32M"]
    );
}

#[test]
fn missing_and_extra_files_are_named() {
    let (_dir, folder, _) = written();
    fs::remove_file(folder.join("rootfs/system.img")).unwrap();
    fs::write(folder.join("extra"), "").unwrap();
    assert_eq!(problems(&folder), ["extra: does not belong to the bundle", "rootfs/system.img: is missing"]);
    fs::remove_file(folder.join(SUMS)).unwrap();
    assert!(problems(&folder).contains(&"SHA256SUMS: is missing".to_owned()));
    std::os::unix::fs::symlink("extra", folder.join("link")).unwrap();
    let error = verify(&Source::open(&folder).unwrap()).unwrap_err().to_string();
    assert!(error.starts_with("link: neither a file nor a folder"), "{error}");
}

/// Checksums hold, yet what the files say does not fit together.
#[test]
fn inconsistent_parts_are_named() {
    let mut sample = Sample::new();
    assert_eq!(sample.problems(), Vec::<String>::new());
    let text = CFG.replace("0x02000000", "0x01000000");
    sample.parts.insert("boot-config/misc.cfg", text.into_bytes());
    let expected = "boot-config/misc.cfg: carveout.tzdram.size is 0x1000000, the manifest says 0x2000000";
    assert_eq!(sample.problems(), [expected]);

    let mut sample = Sample::new();
    sample.parts.insert("boot-config/misc.cfg", b"carveout.tzdram.size = 32M;".to_vec());
    assert!(sample.problems()[0].starts_with("boot-config/misc.cfg: line 1: `32M` is no value"));

    let mut sample = Sample::new();
    let mut other = TestElf::good();
    other.manifest[0] = 1;
    let image = Container::pack(&[], &other.build(), TosType::Trusty).unwrap();
    sample.parts.insert("secure-os/tos.img", image);
    assert_eq!(sample.problems(), ["secure-os/tos.img: its 1 trusted apps are not those of the bundle: a"]);

    let mut sample = Sample::new();
    sample.parts.get_mut("trusted-apps/a.elf").unwrap().extend([0; 4]);
    assert!(sample.problems()[0].starts_with("trusted-apps/a.elf: ta-file-end: "));

    let mut sample = Sample::new();
    sample.heap = 0x9000;
    assert!(sample.problems()[0].contains("heap 32768, stack 16384; the bundle's manifest says"));

    let mut sample = Sample::new();
    sample.demand = Some(0x8001);
    assert_eq!(sample.problems(), ["trusted-apps/a.elf: will allocate 32769 bytes, its heap has 32768"]);

    let mut sample = Sample::new();
    let layout =
        LAYOUT.replace("<size> 8192 </size>", "<size> 8192 </size><filename> rootfs/other.img </filename>");
    sample.parts.insert("layout/layout.xml", layout.into_bytes());
    assert_eq!(
        sample.problems(),
        ["layout/layout.xml: partition APP gets rootfs/other.img, not rootfs/system.img"]
    );

    let mut sample = Sample::new();
    sample.parts.get_mut("rootfs/system.img").unwrap().push(0);
    assert_eq!(sample.problems(), ["rootfs/system.img: takes 8193 bytes, the partition APP has 8192"]);
    for (bytes, expected) in [
        (vec![7; 8192], "nothing that is known, no ext4 filesystem"),
        (vec![0; 8192], "all zeros at its beginning, no ext4 filesystem"),
        (b"\x1f\x8b\x08".to_vec(), "a gzip archive, no ext4 filesystem"),
        (
            tegra_flash::filesystem::test_image::image(8192, 0)[..4096].to_vec(),
            "it is shorter than its superblock says: 4096 bytes of 8192",
        ),
    ] {
        sample.parts.insert("rootfs/system.img", bytes);
        assert_eq!(sample.problems(), [format!("rootfs/system.img: {expected}")]);
    }

    let mut sample = Sample::new();
    sample.parts.remove("secure-os/tos.img");
    assert!(sample.problems().contains(&"manifest.json: lists no secure-os image".to_owned()));
}

#[test]
fn what_is_no_bundle_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let error = Source::open(dir.path()).unwrap_err().to_string();
    assert!(error.ends_with("expected a bundle's folder or its .tar.zst"), "{error}");
    assert!(Source::open(&dir.path().join("none")).is_err());
}
