//! What a hostile author would make, and how a bundle tells who has made it.

use super::{archive, problems, written};
use crate::*;
use std::fs;

/// What a hostile author would make: files without end, and what no bundle has.
#[test]
fn reading_ends_at_what_no_archive_holds() {
    let (_dir, folder, manifest) = written();
    let path = folder.with_extension("tar.zst");
    let plain = zstd::decode_all(&archive(&folder, &manifest)[..]).unwrap();
    let name = |at: usize| String::from_utf8_lossy(&plain[at..at + 100]).trim_end_matches('\0').to_owned();
    let starts: Vec<usize> =
        (0..plain.len()).step_by(512).filter(|at| name(*at).starts_with("desk-1-")).collect();
    let changed = |at: usize, change: &dyn Fn(&mut tar::Header)| {
        let mut tar = plain.clone();
        let mut header = tar::Header::from_byte_slice(&tar[at..at + 512]).clone();
        change(&mut header);
        header.set_cksum();
        tar[at..at + 512].copy_from_slice(header.as_bytes());
        fs::write(&path, zstd::encode_all(&tar[..], 1).unwrap()).unwrap();
        problems(&path)
    };
    let image = *starts.iter().find(|at| name(**at).ends_with("rootfs/system.img")).unwrap();
    let more = changed(image, &|header| header.set_size(1 << 40));
    assert_eq!(more, ["rootfs/system.img: has more than the 8192 bytes that it should have"]);
    let other = changed(image, &|header| header.set_path("desk-1-virt-tzdram32M/other").unwrap());
    assert_eq!(other, ["other: does not belong to the bundle"]);
    let late =
        changed(starts[0], &|header| header.set_path("desk-1-virt-tzdram32M/SHA256SUMS.minisig").unwrap());
    assert!(late.contains(&"boot-config/misc.cfg: comes before a valid manifest".to_owned()), "{late:?}");
    let parts: Vec<_> = fs::read_dir(&folder).unwrap().collect();
    assert!(!parts.is_empty());
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(folder.join("rootfs/system.img"), fs::Permissions::from_mode(0o4644)).unwrap();
    let error = verify(&Source::open(&folder).unwrap()).unwrap_err().to_string();
    assert!(error.starts_with("rootfs/system.img: is setuid"), "{error}");
}

#[test]
fn manifests_that_cannot_be_are_refused() {
    let (_dir, _, manifest) = written();
    let refused = |change: &dyn Fn(&mut Manifest)| {
        let mut other = manifest.clone();
        change(&mut other);
        other.files.sort_by(|a, b| a.path.cmp(&b.path));
        Manifest::from_text(&other.to_text().unwrap()).unwrap_err().to_string()
    };
    let case = refused(&|m| m.files[0].path = "Rootfs/System.img".into());
    assert_eq!(case, "`rootfs/system.img` and another file differ in case alone");
    let own = refused(&|m| m.files[0].path = "sha256sums".into());
    assert_eq!(own, "`sha256sums` and another file differ in case alone");
    assert_eq!(refused(&|m| m.files[0].size = u64::MAX), "its files have more than 64 GiB");
    assert_eq!(refused(&|m| m.files[0].size = (64 << 30) + 1), "its files have more than 64 GiB");
}

#[test]
fn a_signed_bundle_tells_who_has_made_it() {
    let (_dir, folder, manifest) = written();
    let pair = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let key = PublicKey::parse_text(&pair.pk.to_base64()).unwrap();
    let sums = manifest.sums().unwrap();
    assert_eq!(sums, fs::read_to_string(folder.join(SUMS)).unwrap());
    let signature =
        minisign::sign(None, &pair.sk, sums.as_bytes(), Some("comment"), None).unwrap().into_string();
    let path = folder.with_extension("tar.zst");
    let source = Source::open(&folder).unwrap();
    write_signed(&source, &manifest, &signature, 1, &Frames::default(), &path).unwrap();
    let first = fs::read(&path).unwrap();
    // An archive is signed as well as a folder; a signature that is there is replaced.
    let again = folder.with_extension("again");
    write_signed(&Source::open(&path).unwrap(), &manifest, &signature, 1, &Frames::default(), &again)
        .unwrap();
    assert_eq!(fs::read(&again).unwrap(), first);
    let verified = verify(&Source::open(&path).unwrap()).unwrap();
    assert_eq!(verified.problems, []);
    let signed = verified.signed.unwrap();
    assert_eq!(signed.check(&key).unwrap(), "comment");
    assert_eq!(signed.claim().unwrap().key, key.id());
    // The signature covers the checksums, which cover all else.
    fs::write(folder.join(SIGNATURE), signature).unwrap();
    fs::write(folder.join(SUMS), sums.replace('0', "1")).unwrap();
    let verified = verify(&Source::open(&folder).unwrap()).unwrap();
    assert!(!verified.problems.is_empty());
    assert_eq!(verified.signed.unwrap().check(&key), Err(SignatureError::Wrong));
}
