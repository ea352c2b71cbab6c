use super::*;
use crate::trace::{MadeOf, Tracer};
use sha2::{Digest, Sha256};
use tegra_flash::BoardId;

const HEADER: usize = 0x1000;
const IMAGE: &[u8] = b"secure-os image, 32 bytes of it.";

/// Signed as without keys.
fn signed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut file = vec![0; HEADER];
    file[..4].copy_from_slice(b"NVDA");
    file[0xbb0..0xbb4].copy_from_slice(kind);
    file[0xbb4..0xbb8].copy_from_slice(&(content.len() as u32).to_le_bytes());
    file[0xbe0..0xc00].copy_from_slice(&Sha256::digest(content));
    [&file, content].concat()
}

fn bct(size: u64) -> Vec<u8> {
    let mut body = vec![7; 0xa00];
    body[0x918..0x920].copy_from_slice(&size.to_le_bytes());
    body[0x920..0x928].copy_from_slice(&(1_u64 << 20).to_le_bytes());
    signed(b"MBCT", &body)
}

fn blob_of(parts: &[&[u8]]) -> Vec<u8> {
    let mut file = [&b"blob"[..], &(parts.len() as u32).to_le_bytes()].concat();
    let mut offset = 8 + parts.len() * 16;
    for part in parts {
        for word in [32, offset as u32, 0, part.len() as u32] {
            file.extend(word.to_le_bytes());
        }
        offset += part.len();
    }
    [&file[..], &parts.concat()].concat()
}

/// A file of the flash folder: path, contents, partitions, what it was made of.
type File = (&'static str, Vec<u8>, &'static [&'static str], Option<MadeOf>);

/// The flash folder of a bundle with one module, which is as it should be.
fn flash() -> Vec<File> {
    let tos = signed(b"TOSB", IMAGE);
    let cboot = signed(b"CPBL", b"boot loader.....");
    vec![
        ("flash/common/blob.bin", blob_of(&[&signed(b"MB2B", b"of recovery only"), &tos]), &[], None),
        (
            "flash/common/cboot",
            cboot,
            &["cpu-bootloader"],
            Some(MadeOf::new("bsp:cboot", b"boot loader.....")),
        ),
        ("flash/common/mb1_bct", bct(32 << 20), &[], None),
        ("flash/common/mb1_cold_boot_bct", bct(32 << 20), &["MB1_BCT", "MB1_BCT_b"], None),
        (
            "flash/common/tos",
            tos,
            &["secure-os", "secure-os_b"],
            Some(MadeOf::new("secure-os/tos.img", IMAGE)),
        ),
        ("flash/common/flash.xml.bin", b"cpu-bootloader\0cboot\0secure-os\0tos\0".to_vec(), &[], None),
    ]
}

fn problems(fused: Fused, format: u32, files: &[File]) -> Vec<String> {
    let mut manifest = Manifest::from_text(&crate::tests::manifest_text()).unwrap();
    let id = BoardId { board: "2888".into(), fab: "400".into(), sku: "0004".into(), revision: "K.0".into() };
    manifest.format = format;
    manifest.device = Some(Device {
        modules: vec![ModuleEntry { name: "32gb".into(), id, fits: Vec::new(), update_specs: Vec::new() }],
        soc: Default::default(),
        recovery: None,
        fused,
        app_size: 8192,
        lacks: Vec::new(),
        stock_trusted_apps: Vec::new(),
        flash_package: FlashPackage::Modules,
        update_eks: false,
    });
    let entry = |path: &str, role, bytes: &[u8], partitions: &[&str], made_of: &Option<MadeOf>| FileEntry {
        path: path.into(),
        role,
        size: bytes.len() as u64,
        sha256: crate::sha256(bytes),
        partitions: partitions.iter().map(|name| (*name).into()).collect(),
        executable: false,
        made_of: made_of.clone(),
        identity: None,
    };
    let (mut contents, mut traced) = (Contents::new(), BTreeMap::new());
    manifest.files = vec![entry("secure-os/tos.img", Role::SecureOs, IMAGE, &[], &None)];
    for (path, bytes, partitions, made_of) in files {
        let mut tracer = Tracer::new(made_of.as_ref().map_or(0, |made_of| made_of.size));
        bytes.chunks(1000).for_each(|block| tracer.take(block));
        traced.insert((*path).to_owned(), tracer.finish());
        contents.insert((*path).to_owned(), bytes.clone());
        manifest.files.push(entry(path, Role::Flash, bytes, partitions, made_of));
    }
    check(&manifest, &contents, &traced).iter().map(ToString::to_string).collect()
}

/// What is found after a change of one file.
fn after(path: &str, change: impl FnOnce(&mut File)) -> Vec<String> {
    let mut files = flash();
    change(files.iter_mut().find(|(name, ..)| *name == path).unwrap());
    problems(Fused::No, 2, &files)
}

#[test]
fn a_flash_folder_that_is_made_of_what_was_checked_holds() {
    assert_eq!(problems(Fused::No, 2, &flash()), Vec::<String>::new());
    let untraced: Vec<File> = flash().into_iter().map(|(a, b, c, _)| (a, b, c, None)).collect();
    assert_eq!(problems(Fused::No, 1, &untraced), Vec::<String>::new(), "format 1 names nothing");
    assert_eq!(problems(Fused::No, 2, &untraced).len(), 4, "two files, two slots");
}

#[test]
fn whatever_is_exchanged_is_named() {
    let exchanged = after("flash/common/cboot", |file| file.1[HEADER] ^= 1);
    assert_eq!(exchanged.len(), 1);
    assert!(exchanged[0].starts_with("flash/common/cboot: what is behind its signature's header (CPBL)"));
    let other = after("flash/common/cboot", |file| file.1 = signed(b"CPBL", b"boot loader ...!"));
    assert_eq!(other, ["flash/common/cboot: is not made of bsp:cboot: the contents differ"]);
    let other = after("flash/common/tos", |file| file.3 = Some(MadeOf::new("bsp:tos.img", IMAGE)));
    assert_eq!(
        other,
        ["secure-os", "secure-os_b"]
            .map(|slot| format!("flash/common/tos: goes to {slot}, but is not made of secure-os/tos.img"))
    );
    let carve_out = after("flash/common/mb1_bct", |file| file.1 = bct(16 << 20));
    assert_eq!(carve_out.len(), 1);
    assert!(carve_out[0].contains("flash/common/mb1_bct: MB1 would read a carve-out of 0x1000000"));
    let gone = after("flash/common/mb1_bct", |file| file.1 = b"something else".to_vec());
    assert!(gone[0].contains("module 32gb has 1 MB1 BCTs, expected two"), "{gone:?}");
}

/// A table of another module would have a board get files that are not there.
#[test]
fn the_partitions_are_those_of_the_module() {
    const TABLE: &str = "flash/common/flash.xml.bin";
    let other = after(TABLE, |file| file.1 = b"cpu-bootloader\0cboot\0secure-os\0other\0".to_vec());
    assert_eq!(
        other,
        [
            "flash/common/flash.xml.bin: does not name tos, which partition secure-os of module 32gb gets: it is of another module or build"
        ]
    );
    assert!(
        after(TABLE, |file| file.1.clear())[0]
            .contains("does not name cboot, which partition cpu-bootloader")
    );
}

#[test]
fn the_recovery_loader_gets_the_same() {
    const BLOB: &str = "flash/common/blob.bin";
    let other = after(BLOB, |file| file.1 = blob_of(&[&signed(b"TOSB", b"another image...")]));
    assert_eq!(
        other,
        ["flash/common/blob.bin: its secure-os image (TOSB) is none of the files of module 32gb"]
    );
    let none = after(BLOB, |file| file.1 = blob_of(&[]));
    assert_eq!(none, ["flash/common/blob.bin: holds no secure-os image"]);
    let broken = after(BLOB, |file| file.1.truncate(100));
    assert!(broken[0].starts_with("flash/common/blob.bin: entry 0 lies at"), "{broken:?}");
}

/// What is encrypted is known by its lengths and by the digests of what is there.
#[test]
fn encrypted_contents_are_not_compared() {
    let mut files = flash();
    let encrypted =
        |content: &[u8], kind| signed(kind, &content.iter().map(|b| b ^ 0x55).collect::<Vec<_>>());
    files[4].1 = encrypted(IMAGE, b"TOSB");
    files[1].1 = encrypted(b"boot loader.....", b"CPBL");
    files[0].1 = blob_of(&[&files[4].1]);
    assert_eq!(problems(Fused::PkcSbk, 2, &files), Vec::<String>::new());
    files[1].1 = encrypted(b"a boot loader of another length.", b"CPBL");
    let problems = problems(Fused::PkcSbk, 2, &files);
    assert!(problems[0].contains("has 32 bytes behind its signature's header, expected 16"), "{problems:?}");
}
