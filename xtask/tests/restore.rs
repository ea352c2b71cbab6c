//! What is given as a root filesystem is looked at before a device is touched; what a backup has read, before it is one.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tegra_flash::filesystem::test_image;
use tegra_flash::sparse;
use tempfile::TempDir;
use virt_device::{Device, DevicePart, Installed};

/// Bytes of the partition APP.
const APP: usize = 2 << 20;

/// A virt device with a root filesystem of 1 MiB.
struct Desk {
    dir: TempDir,
}

impl Desk {
    fn new(app: &[u8]) -> Self {
        let desk = Self { dir: tempfile::tempdir().unwrap() };
        let partitions: Vec<(String, u64)> = [("APP", APP), ("APP_b", APP), ("UDA", 1 << 20)]
            .map(|(name, size)| (name.into(), size as u64))
            .into();
        let size = virt_device::needed(&partitions).unwrap();
        let file =
            OpenOptions::new().read(true).write(true).create_new(true).open(desk.path("d.img")).unwrap();
        file.set_len(size).unwrap();
        let mut device = Device::create(file, size, &partitions).unwrap();
        let sha256 = bundle::sha256(app);
        let placed =
            device.write(DevicePart::App, &mut &app[..], app.len() as u64, &sha256, "first").unwrap();
        let installed = Installed {
            bundle: "first".into(),
            board: "virt".into(),
            digest: sha256,
            security_version: 0,
            parts: BTreeMap::from([(DevicePart::App, placed)]),
        };
        device.switch(installed).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, name: &str, bytes: &[u8]) -> String {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name).display().to_string()
    }

    fn run(&self, verb: &str, more: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args([verb, &format!("virt:{}", self.path("d.img").display())]).args(more);
        command.env("XDG_STATE_HOME", self.path("state")).output().unwrap()
    }

    fn good(&self, verb: &str, more: &[&str]) -> String {
        let output = self.run(verb, more);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{more:?}: {said}");
        said
    }

    /// A refusal: nothing was written.
    fn refused(&self, verb: &str, more: &[&str], code: i32) -> String {
        let before = bundle::sha256(&fs::read(self.path("d.img")).unwrap());
        let output = self.run(verb, more);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{more:?}: {said}");
        assert_eq!(bundle::sha256(&fs::read(self.path("d.img")).unwrap()), before, "{more:?}");
        said
    }

    /// What is active.
    fn active(&self) -> Vec<u8> {
        let file = fs::File::open(self.path("d.img")).unwrap();
        let size = file.metadata().unwrap().len();
        let mut device = Device::open(file, size).unwrap();
        let length = device.state().active.as_ref().unwrap().parts[&DevicePart::App].size;
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut device.read(DevicePart::App, Some(length)).unwrap(), &mut bytes)
            .unwrap();
        bytes
    }
}

fn sparse_of(raw: &[u8]) -> Vec<u8> {
    let mut image = Cursor::new(Vec::new());
    sparse::encode(&mut &raw[..], raw.len() as u64, &mut image, sparse::BLOCK_SIZE).unwrap();
    image.into_inner()
}

#[test]
fn what_is_no_ext4_filesystem_is_refused_by_its_name() {
    let first = test_image::image(1 << 20, 1);
    let desk = Desk::new(&first);
    let sound = test_image::image(1 << 20, 2);
    let disk = fs::read(desk.path("d.img")).unwrap();
    let sparse = sparse_of(&sound);
    let mut tar = vec![b'x'; 512];
    tar[257..262].copy_from_slice(b"ustar");
    for (name, bytes, why, remedy) in [
        (
            "random",
            vec![0xa5; 1 << 20],
            "nothing that is known, no ext4 filesystem",
            "--raw-anyway writes the file as it is",
        ),
        (
            "disk",
            disk,
            "a whole disk with a GPT, no ext4 filesystem",
            "the root filesystem's partition alone",
        ),
        ("gzip", b"\x1f\x8b\x08".to_vec(), "a gzip archive", "unpack it first"),
        (
            "bundle.tar.zst",
            b"\x28\xb5\x2f\xfd..".to_vec(),
            "a zstd archive, as a bundle's .tar.zst is",
            "unpack it first",
        ),
        ("tar", tar, "a tar archive", "mke2fs -t ext4"),
        ("empty", Vec::new(), "an empty file", "what backup has made"),
        ("zeros", vec![0; 1 << 20], "all zeros at its beginning", "what backup has made"),
        (
            "cut",
            sound[..1 << 19].to_vec(),
            "shorter than its superblock says: 524288 bytes of 1048576",
            "copy it again",
        ),
        (
            "cut.sparse",
            sparse[..sparse.len() - 1].to_vec(),
            "a damaged Android sparse image: offset 0x",
            "copy it again",
        ),
        (
            "sparse of noise",
            sparse_of(&[0xa5; 1 << 16]),
            "in the sparse image: nothing that is known",
            "--raw-anyway",
        ),
        (
            "large",
            test_image::image(APP + 4096, 1),
            "holds 2101248 bytes, the partition APP of this bundle 2097152",
            "resize2fs",
        ),
        ("large.sparse", sparse_of(&test_image::image(APP + 4096, 1)), "holds 2101248 bytes", "resize2fs"),
        (
            "long tail",
            [&sound[..], &vec![0; APP]].concat(),
            "holds 3145728 bytes",
            "its filesystem fits: truncate -s 1048576",
        ),
    ] {
        let file = desk.file(name, &bytes);
        let said = desk.refused("restore", &[&file], 2);
        assert!(
            said.contains(&format!("{name}: ")) && said.contains(why) && said.contains(remedy),
            "{name}: {said}"
        );
    }
    let folder = desk.dir.path().display().to_string();
    assert!(desk.refused("restore", &[&folder], 2).contains("a folder, not an image"));
    assert!(desk.refused("restore", &["/dev/zero"], 2).contains("a device or pipe, not a file"));
    assert!(desk.refused("restore", &["/dev/zero", "--raw-anyway"], 2).contains("dd if=DEVICE of=FILE"));
    assert!(desk.refused("restore", &["nowhere"], 2).contains("nowhere: No such file"));
    let large = desk.path("large").display().to_string();
    assert!(desk.refused("restore", &[&large, "--raw-anyway"], 2).contains("holds 2101248 bytes"));
    assert!(desk.active() == first);
    // Sound ones, raw and sparse; and what somebody wants all the same.
    for (name, bytes) in [("sound", &sound), ("sound.sparse", &sparse)] {
        let file = desk.file(name, bytes);
        let said = desk.good("restore", &[&file]);
        assert!(said.contains("ext4, 256 blocks of 4096 bytes"), "{said}");
        assert!(desk.active() == sound, "{name}");
    }
    let random = desk.path("random").display().to_string();
    assert!(desk.good("restore", &[&random, "--raw-anyway"]).contains("it is written all the same"));
    assert!(desk.active() == vec![0xa5; 1 << 20]);
}

#[test]
fn a_backup_that_is_no_root_filesystem_is_none() {
    let desk = Desk::new(&[0xa5; 1 << 20]);
    let out = desk.path("out").display().to_string();
    for more in [&["-o", &out][..], &["-o", &out, "--raw"]] {
        let said = desk.refused("backup", more, 1);
        assert!(said.contains("what was read of APP is no root filesystem: nothing that is known"), "{said}");
        assert!(!Path::new(&out).exists(), "{more:?}");
    }
    desk.good("backup", &["-o", &out, "--raw", "--raw-anyway"]);
    assert!(fs::read(&out).unwrap() == vec![0xa5; 1 << 20]);
    // Of a sound one both forms come back.
    let sound = test_image::image(1 << 20, 3);
    let desk = Desk::new(&sound);
    let (raw, sparse) = (desk.path("raw").display().to_string(), desk.path("sparse").display().to_string());
    desk.good("backup", &["-o", &raw, "--raw"]);
    desk.good("backup", &["-o", &sparse]);
    assert!(fs::read(&raw).unwrap() == sound);
    desk.good("restore", &[&sparse]);
    assert!(desk.active() == sound);
}
