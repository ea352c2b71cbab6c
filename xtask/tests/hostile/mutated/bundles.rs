//! Bundles: what `verify` says ok of has the payload that was signed.

use super::mutator::{Random, Tally, mutate};
use crate::hostile::kit::{self, Tar, bundle_of, pack};
use bundle::{Claim, Manifest, PublicKey, Source};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

type Payload = BTreeMap<String, Vec<u8>>;

/// All files of a bundle.
fn payload(path: &Path) -> Option<Payload> {
    let mut files = Payload::new();
    let read = Source::open(path).ok()?.for_each(&mut |path, reader| {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        files.insert(path.to_owned(), bytes);
        Ok(())
    });
    read.ok().map(|_| files)
}

/// Whether `verify` says ok. Then nothing of it may have changed, and all else must read the same.
fn is_ok(path: &Path, expected: &Payload) -> bool {
    let Ok(source) = Source::open(path) else { return false };
    let _ = carveout_report::inspect::run(path);
    let _ = bundle::extract(&source, |_| true);
    let Ok(verified) = bundle::verify(&source) else { return false };
    let ok = verified.problems.is_empty() && verified.manifest.is_some();
    assert!(!ok || payload(path).as_ref() == Some(expected), "{}: ok, and not what it was", path.display());
    ok
}

/// Archives: changed as they are packed, and unpacked, changed and packed again.
pub fn archives(tally: &Tally) {
    let dir = tempfile::tempdir().unwrap();
    let folder = bundle_of(dir.path());
    let expected = payload(&folder).unwrap();
    let archive =
        fs::read(folder.with_file_name(format!("{}.tar.zst", folder.file_name().unwrap().display())))
            .unwrap();
    let path = dir.path().join("changed.tar.zst");
    fs::write(&path, &archive).unwrap();
    assert!(is_ok(&path, &expected));
    let check = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        is_ok(&path, &expected)
    };
    tally.run("archive", &[&archive], 200, check);
    let tar = zstd::decode_all(&archive[..]).unwrap();
    let headers: Vec<usize> =
        (0..tar.len()).step_by(512).filter(|at| tar[*at..].starts_with(b"desk-1-")).collect();
    tally.run("tar", &[&tar], 150, |bytes| check(&pack(bytes)));
    // Headers with a checksum that fits.
    for number in 0..150 {
        let mut random = Random::of("tar header", number);
        let at = headers[random.below(headers.len())];
        let mut changed = tar.clone();
        let mut block = mutate(&tar[at..at + 512], &tar[..4096], &mut random);
        block.resize(512, 0);
        let mut header = tar::Header::from_byte_slice(&block).clone();
        header.set_cksum();
        changed[at..at + 512].copy_from_slice(header.as_bytes());
        tally.one("tar header", number as usize, &pack(&changed), check);
    }
}

/// Folders: each byte that the checksums cover.
pub fn folders(tally: &Tally) {
    let dir = tempfile::tempdir().unwrap();
    let folder = bundle_of(dir.path());
    let expected = payload(&folder).unwrap();
    for (name, bytes) in &expected {
        let path = folder.join(name);
        tally.run(&format!("folder {name}"), &[&bytes], 40, |changed| {
            fs::write(&path, changed).unwrap();
            let ok = is_ok(&folder, &expected);
            assert_eq!(ok, changed == bytes, "{name}");
            ok
        });
        fs::write(&path, bytes).unwrap();
    }
    assert!(is_ok(&folder, &expected));
    // One bit in each of many places of each file.
    for (name, bytes) in expected.iter().filter(|(_, bytes)| !bytes.is_empty()) {
        let path = folder.join(name);
        for number in 0..20 {
            let mut changed = bytes.clone();
            let mut random = Random::of(name, number);
            changed[random.below(bytes.len())] ^= 1 << random.below(8);
            tally.one("one bit of a folder", number as usize, &changed, |changed| {
                fs::write(&path, changed).unwrap();
                assert!(!is_ok(&folder, &expected), "{name}, try {number}");
                false
            });
        }
        fs::write(&path, bytes).unwrap();
    }
}

/// Keys and signatures, of this and of any other text.
pub fn signatures(tally: &Tally) {
    let pair = minisign::KeyPair::generate_unencrypted_keypair().unwrap();
    let key = PublicKey::parse_text(&pair.pk.to_base64()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let folder = bundle_of(dir.path());
    let sums = fs::read(folder.join("SHA256SUMS")).unwrap();
    let signature =
        minisign::sign(None, &pair.sk, &sums[..], Some("name=a"), None).unwrap().into_string().into_bytes();
    assert_eq!(key.verify(&sums, &signature).unwrap(), "name=a");
    tally.run("signature", &[&signature], 150, |bytes| {
        let _ = Claim::parse(bytes);
        key.verify(&sums, bytes).is_ok_and(|comment| {
            assert_eq!(comment, "name=a");
            true
        })
    });
    tally.run("signed checksums", &[&sums], 100, |bytes| {
        let ok = key.verify(bytes, &signature).is_ok();
        assert_eq!(ok, bytes == sums);
        ok
    });
    tally.run("public key", &[key.to_text().into_bytes()], 100, |bytes| {
        let Ok(other) = PublicKey::parse_file(bytes) else { return false };
        assert_eq!(other.verify(&sums, &signature).is_ok(), other == key);
        true
    });
}

/// The same through the binary: it ends with an exit code of ours.
pub fn command_line(tally: &Tally) {
    let dir = tempfile::tempdir().unwrap();
    let folder = bundle_of(dir.path());
    let manifest = Manifest::from_text(&fs::read_to_string(folder.join("manifest.json")).unwrap()).unwrap();
    let tar = Tar::of(&folder, &manifest).0;
    let (archive, page) = (dir.path().join("a.tar.zst"), dir.path().join("page.html"));
    let (device, state) = (format!("virt:{}", dir.path().join("d.img").display()), dir.path().join("d.img"));
    let config = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../configs/desk.yaml")).unwrap();
    let expect = |args: &[&str]| {
        let output = kit::run(args);
        let said = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code();
        assert!(matches!(code, Some(0..=3)) && !said.contains("panicked"), "{args:?}: {code:?}: {said}");
        code == Some(0)
    };
    let (path, good, yaml) = (archive.to_str().unwrap(), folder.to_str().unwrap(), dir.path().join("p.yaml"));
    let verbs: [&[&str]; 5] = [
        &["verify", path],
        &["inspect", path],
        &["diff", path, good],
        &["report", path, "-o", page.to_str().unwrap()],
        &["flash", path, "--to", &device],
    ];
    for (number, args) in verbs.iter().cycle().take(30).enumerate() {
        let changed = mutate(&tar, &tar, &mut Random::of("binary", number as u64));
        tally.one(&format!("xtask {}", args[0]), number, &pack(&changed), |bytes| {
            fs::write(&archive, bytes).unwrap();
            expect(args)
        });
    }
    tally.run("xtask plan", &[config], 10, |bytes| {
        // Of one that is taken, what it names would be built.
        fs::write(&yaml, [bytes, b"\nno field: 1\n"].concat()).unwrap();
        expect(&["plan", "-c", yaml.to_str().unwrap()])
    });
    tally.run("xtask rollback", &[[&[0; 512][..], b"EFI PART", &[0; 512]].concat()], 6, |bytes| {
        fs::write(&state, bytes).unwrap();
        expect(&["rollback", &device])
    });
}
