//! Bundles whose client apps are not what they seem: `emulate` starts nothing of them.

use crate::report::small;
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What an attacker's program would leave.
const MARK: &str = "/tmp/carveout-was-here";

/// A package with what `fill` puts into its folder; `fill` gets usr/bin.
fn deb(fill: impl FnOnce(&Path)) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    let bin = root.join("usr/bin");
    fs::create_dir_all(&bin).unwrap();
    fs::create_dir(root.join("DEBIAN")).unwrap();
    let control =
        "Package: bad\nVersion: 1\nArchitecture: arm64\nMaintainer: x <x@example.com>\nDescription: x\n";
    fs::write(root.join("DEBIAN/control"), control).unwrap();
    for folder in ["", "usr", "usr/bin", "DEBIAN"] {
        fs::set_permissions(root.join(folder), fs::Permissions::from_mode(0o755)).unwrap();
    }
    fill(&bin);
    let out = dir.path().join("out.deb");
    let built = Command::new("dpkg-deb").args(["--build", "-Zgzip"]).args([&root, &out]).output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    fs::read(out).unwrap()
}

fn program(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn script() -> Vec<u8> {
    format!("#!/bin/sh\ntouch {MARK}\n").into_bytes()
}

/// A 64-bit little-endian ELF header of a program, with an interpreter if one is named.
fn elf(machine: u16, interpreter: Option<&str>) -> Vec<u8> {
    let mut bytes = vec![0; 64];
    bytes[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    bytes[16..18].copy_from_slice(&2u16.to_le_bytes());
    bytes[18..20].copy_from_slice(&machine.to_le_bytes());
    bytes[20..24].copy_from_slice(&1u32.to_le_bytes());
    for (at, value) in [(52, 64u16), (54, 56), (56, u16::from(interpreter.is_some()))] {
        bytes[at..at + 2].copy_from_slice(&value.to_le_bytes());
    }
    bytes[32..40].copy_from_slice(&64u64.to_le_bytes());
    if let Some(path) = interpreter {
        let mut header = vec![0; 56];
        header[..4].copy_from_slice(&3u32.to_le_bytes());
        let length = path.len() as u64 + 1;
        for (at, value) in [(8, 120), (32, length), (40, length)] {
            header[at..at + 8].copy_from_slice(&u64::to_le_bytes(value));
        }
        bytes.extend(header);
        bytes.extend(path.as_bytes());
        bytes.push(0);
    }
    bytes
}

fn emulate(target: &Path, options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("emulate").arg(target).args(options).args(["--", "x"]);
    command.current_dir(carveout_host::dirs::Dirs::find().root().unwrap()).output().unwrap()
}

/// It must be refused with exit code 1 for this reason, as a bundle's and as a user's own package; nothing has run.
#[track_caller]
fn refused(deb: &[u8], reason: &str) {
    let _ = fs::remove_file(MARK);
    let dir = tempfile::tempdir().unwrap();
    let name = small::with_client_apps(dir.path(), "1", 32 << 20, &[("bad_1_arm64.deb", deb)], |_| ());
    let path = dir.path().join("own.deb");
    fs::write(&path, deb).unwrap();
    let archive = dir.path().join(format!("{name}.tar.zst"));
    for (target, options) in [
        (dir.path().join(&name), vec![]),
        (archive.clone(), vec![]),
        (archive, vec!["--client", path.to_str().unwrap()]),
    ] {
        let ran = emulate(&target, &options);
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(1), "{said}");
        assert!(said.contains(reason), "{reason}: {said}");
        assert!(said.contains("not signed: this says that the bundle is whole"), "{said}");
        assert!(!Path::new(MARK).exists(), "it has run");
    }
}

#[test]
fn nothing_but_an_aarch64_program_runs() {
    refused(&deb(|bin| program(&bin.join("a"), &script())), "usr/bin/a is a script");
    refused(&deb(|bin| program(&bin.join("a"), b"MZ, no ELF file at all")), "usr/bin/a is no ELF file");
    refused(
        &deb(|bin| program(&bin.join("a"), &fs::read("/bin/true").unwrap())),
        "not a program for aarch64 Linux",
    );
    refused(&deb(|bin| program(&bin.join("a"), &elf(62, None))), "not a program for aarch64 Linux");
    refused(&deb(|bin| program(&bin.join("a"), b"\x7fELF\x02\x01\x01")), "not a program for aarch64 Linux");
    let mut cut = elf(183, Some("/lib/x"));
    cut.truncate(100);
    refused(&deb(|bin| program(&bin.join("a"), &cut)), "is a damaged ELF file");
    let elsewhere = elf(183, Some("/tmp/evil"));
    refused(&deb(|bin| program(&bin.join("a"), &elsewhere)), "the package does not hold it");
    let up = elf(183, Some("/../../../../../../../bin/true"));
    refused(&deb(|bin| program(&bin.join("a"), &up)), "names no interpreter's path");
}

#[test]
fn a_link_is_no_program_and_leads_nowhere() {
    refused(&deb(|bin| symlink("/bin/sh", bin.join("a")).unwrap()), "no regular file there is executable");
    let whole = deb(|bin| {
        fs::remove_dir(bin).unwrap();
        symlink("/bin", bin).unwrap();
    });
    refused(&whole, "usr/bin is no folder");
    // Its interpreter is of the package, and leads out of it.
    let interpreter = deb(|bin| {
        program(&bin.join("a"), &elf(183, Some("/lib/mine")));
        fs::create_dir(bin.join("../../lib")).unwrap();
        symlink("/bin/true", bin.join("../../lib/mine")).unwrap();
    });
    refused(&interpreter, "the package does not hold it");
    let script_inside = deb(|bin| {
        program(&bin.join("a"), &elf(183, Some("/lib/mine")));
        fs::create_dir(bin.join("../../lib")).unwrap();
        program(&bin.join("../../lib/mine"), &script());
    });
    refused(&script_inside, "the interpreter /lib/mine of usr/bin/a is a script");
}

#[test]
fn special_files_are_refused() {
    let mode = |mode| {
        deb(move |bin| {
            program(&bin.join("a"), &elf(183, None));
            fs::set_permissions(bin.join("a"), fs::Permissions::from_mode(mode)).unwrap();
        })
    };
    refused(&mode(0o4755), "usr/bin/a is setuid, setgid or sticky");
    refused(&mode(0o2755), "usr/bin/a is setuid, setgid or sticky");
    refused(&mode(0o700), "usr/bin/a has mode 0700");
    let fifo = deb(|bin| {
        assert!(Command::new("mkfifo").arg(bin.join("a")).status().unwrap().success());
        assert!(fs::metadata(bin.join("a")).unwrap().file_type().is_fifo());
    });
    refused(&fifo, "usr/bin/a is neither a file, a folder nor a link");
}

/// Archives that dpkg-deb would never write: paths that lead out, a file behind a link, more than the disk holds.
#[test]
fn a_package_stays_in_its_folder() {
    let out = tempfile::tempdir().unwrap();
    let victim = out.path().join("victim");
    let header = |kind: tar::EntryType, path: &str, link: Option<&Path>, size: u64| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(0o755);
        header.set_size(size);
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        if let Some(link) = link {
            header.set_link_name_literal(link.as_os_str().as_encoded_bytes()).unwrap();
        }
        header.set_cksum();
        header
    };
    let hand_made = |members: &[(tar::Header, &[u8])], zeros: u64| {
        let mut tar = Vec::new();
        for (header, bytes) in members {
            tar.extend(header.as_bytes());
            tar.extend(*bytes);
            tar.resize(tar.len().next_multiple_of(512), 0);
        }
        with_data(out.path(), &tar, zeros)
    };
    use tar::EntryType::{Link, Regular, Symlink};
    let up = format!("../../../../../../../../{}/victim", out.path().strip_prefix("/").unwrap().display());
    refused(&hand_made(&[(header(Regular, &up, None, 1), b"x")], 0), "leads out of the package");
    let through = [
        (header(Symlink, "usr", Some(out.path()), 0), &b""[..]),
        (header(Regular, "usr/victim", None, 1), b"x"),
    ];
    refused(&hand_made(&through, 0), "is no package of a client app");
    let shadow = [(header(Link, "usr/a", Some(Path::new("/etc/shadow")), 0), &b""[..])];
    refused(&hand_made(&shadow, 0), "is no package of a client app");
    assert!(!victim.exists());
    // 600 MiB of zeros are 600 kB.
    let size = 600 << 20;
    refused(
        &hand_made(&[(header(Regular, "usr/big", None, size), b"")], size),
        "is no package of a client app",
    );
    refused(b"no package", "dpkg-deb cannot unpack it");
}

/// A package with this as its data.tar.
fn with_data(dir: &Path, tar: &[u8], zeros: u64) -> Vec<u8> {
    let folder = dir.join("ar");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("debian-binary"), "2.0\n").unwrap();
    let empty = deb(|bin| program(&bin.join("a"), b""));
    fs::write(folder.join("empty.deb"), empty).unwrap();
    fs::write(folder.join("head"), tar).unwrap();
    let script = format!(
        "set -eu; ar p empty.deb control.tar.gz > control.tar.gz
         {{ cat head; head -c {zeros} /dev/zero; head -c 1024 /dev/zero; }} | gzip > data.tar.gz
         rm -f out.deb; ar rc out.deb debian-binary control.tar.gz data.tar.gz"
    );
    let ran = Command::new("sh").args(["-c", &script]).current_dir(&folder).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    fs::read(folder.join("out.deb")).unwrap()
}

/// What `verify` refuses does not run, whatever of it is whole; and a key that is asked for must have signed it.
#[test]
fn a_bundle_is_verified_before_anything_of_it_runs() {
    let _ = fs::remove_file(MARK);
    let dir = tempfile::tempdir().unwrap();
    let package = deb(|bin| program(&bin.join("a"), &elf(183, None)));
    let name = small::with_client_apps(dir.path(), "1", 32 << 20, &[("bad_1_arm64.deb", &package)], |_| ());
    let (folder, archive) = (dir.path().join(&name), dir.path().join(format!("{name}.tar.zst")));
    let says = |target: &PathBuf, options: &[&str], code: i32, reason: &str| {
        let ran = emulate(target, options);
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert_eq!(ran.status.code(), Some(code), "{said}");
        assert!(said.contains(reason), "{reason}: {said}");
    };
    let key = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    says(&archive, &["--key", key], 1, "not signed, expected key");
    says(&folder.join("secure-os/tos.img"), &["--key", key], 2, "only a bundle is signed");
    // An archive with something behind it, and a folder with a file that is not listed.
    let mut bytes = fs::read(&archive).unwrap();
    bytes.extend(b"more");
    fs::write(&archive, bytes).unwrap();
    says(&archive, &[], 1, "holds bytes that are no zstd frame");
    fs::write(folder.join("more"), "x").unwrap();
    says(&folder, &[], 1, "more: does not belong to the bundle");
}
