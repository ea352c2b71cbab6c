//! Update archives: what of a bundle a running device needs.

use super::{archive, written};
use crate::*;
use std::fs;
use std::path::{Path, PathBuf};

/// A signature as minisign writes it, by nobody: who has signed is checked elsewhere.
const SIGNED: &str = "untrusted comment: x\n";

fn update() -> (tempfile::TempDir, PathBuf, Manifest) {
    let (dir, folder, manifest) = written();
    fs::write(folder.join(SIGNATURE), SIGNED).unwrap();
    let out = dir.path().join(manifest.update_name());
    write_update(&Source::open(&folder).unwrap(), &manifest, 1, &out).unwrap();
    (dir, out, manifest)
}

fn read(path: &Path) -> Result<UpdateArchive, String> {
    UpdateArchive::read(&Source::open(path).unwrap()).map_err(|error| error.to_string())
}

/// The archive's files, and writing them again in another way.
fn changed(path: &Path, change: impl Fn(&str, Vec<u8>) -> Option<Vec<u8>>) -> Result<UpdateArchive, String> {
    let mut tar = tar::Builder::new(zstd::Encoder::new(Vec::new(), 1).unwrap());
    let mut old = tar::Archive::new(zstd::Decoder::new(fs::File::open(path).unwrap()).unwrap());
    for entry in old.entries().unwrap() {
        let mut entry = entry.unwrap();
        let (mut header, name) = (entry.header().clone(), entry.path().unwrap().display().to_string());
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut bytes).unwrap();
        let inner = name.split_once('/').unwrap().1.to_owned();
        if let Some(bytes) = change(&inner, bytes) {
            header.set_size(bytes.len() as u64);
            header.set_cksum();
            tar.append(&header, &bytes[..]).unwrap();
        }
    }
    let other = path.with_file_name("changed-update.tar.zst");
    fs::write(&other, tar.into_inner().unwrap().finish().unwrap()).unwrap();
    read(&other)
}

#[test]
fn it_has_what_goes_to_boot_slots_and_can_be_verified() {
    let (_dir, path, manifest) = update();
    assert!(path.ends_with("desk-1-virt-tzdram32M-update.tar.zst"));
    let update = read(&path).unwrap();
    assert_eq!(update.manifest, manifest);
    assert_eq!(Vec::from_iter(&update.files), ["boot-config/misc.cfg", "secure-os/tos.img"]);
    assert_eq!(update.of_role(Role::SecureOs).count(), 1);
    assert_eq!(update.of_role(Role::Rootfs).count(), 0);
    assert!(update.signed.is_some());
    assert!(fs::metadata(&path).unwrap().len() < 20_000);
}

/// Folder and archive of the bundle itself are updates, too, and have all of it.
#[test]
fn a_bundle_is_an_update_with_all_its_files() {
    let (_dir, folder, manifest) = written();
    archive(&folder, &manifest);
    for path in [folder.clone(), folder.with_extension("tar.zst")] {
        let update = read(&path).unwrap();
        assert_eq!(update.files.len(), manifest.files.len());
        assert_eq!(update.of_role(Role::Rootfs).count(), 1);
        assert!(update.signed.is_none());
    }
}

#[test]
fn what_is_missing_or_changed_is_named() {
    let (_dir, path, _) = update();
    let keep = |_: &str, bytes: Vec<u8>| Some(bytes);
    assert!(changed(&path, keep).is_ok());
    for (name, expected) in [
        ("secure-os/tos.img", "secure-os/tos.img: is missing"),
        ("boot-config/misc.cfg", "boot-config/misc.cfg: is missing"),
        (SUMS, "SHA256SUMS: is missing"),
    ] {
        let error = changed(&path, |at, bytes| (at != name).then_some(bytes)).unwrap_err();
        assert!(error.starts_with(expected), "{name}: {error}");
        let flip = |at: &str, mut bytes: Vec<u8>| {
            if at == name {
                bytes[10] ^= 1;
            }
            Some(bytes)
        };
        let error = changed(&path, flip).unwrap_err();
        assert!(error.starts_with(expected), "{name}: {error}");
    }
    let error = changed(&path, |at, bytes| (at != MANIFEST).then_some(bytes)).unwrap_err();
    assert!(error.contains(MANIFEST), "{error}");
    // Cut off anywhere it is refused.
    let whole = fs::read(&path).unwrap();
    for end in (0..whole.len()).step_by(97) {
        let cut = path.with_file_name("cut.tar.zst");
        fs::write(&cut, &whole[..end]).unwrap();
        assert!(read(&cut).is_err(), "{end}");
    }
}
