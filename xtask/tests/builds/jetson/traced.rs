//! What was checked is what ships: whatever is exchanged on the way, by NVIDIA's tools or by hand, is found and named.

use super::Machine;
use super::build::assert_same;
use super::device::{bundle, product};
use super::standin::TOS_LINK;
use crate::builds::util::{Ran, run, xtask};
use bundle::{MANIFEST, Manifest, SUMS};
use sha2::{Digest, Sha256};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// flash.sh signs what TOSFILE names: in a tree that was copied without links, a file of its own.
#[test]
fn the_image_goes_where_the_boards_file_points() {
    let machine = Machine::new();
    let link = machine.bsp.dir.join(TOS_LINK);
    fs::remove_file(&link).unwrap();
    fs::write(&link, "tos-trusty_t194.img").unwrap();
    let before = machine.trees();
    let built = machine.image(&["-c", &product(&machine)]).ok();
    assert_same(Path::new(&built), bundle());
    assert_eq!(machine.trees(), before);
}

#[test]
fn a_board_file_that_names_no_image_is_refused() {
    let machine = Machine::new();
    machine.bsp.put("jetson-agx-xavier-devkit.conf", "TOSFILE=/etc/passwd\n");
    machine.refuses(2, &[], &["jetson-agx-xavier-devkit.conf", "TOSFILE is `/etc/passwd`"]);
}

#[test]
fn what_nvidias_tools_signed_is_the_file_that_was_checked() {
    let cboot =
        ["cboot_t194_sigheader.bin.encrypt for partition cpu-bootloader", "cboot_t194.bin of the BSP"];
    let blob = [
        "blob.bin, which NVIDIA's tools made: its secure-os image (TOSB)",
        "none of the files that were checked",
    ];
    for (how, words) in [("signs another", cboot), ("sends another", blob)] {
        let machine = Machine::new();
        machine.bsp.misbehave(how);
        machine.refuses(1, &["-c", &machine.product("echo-srv", "accept_license: true")], &words);
    }
}

/// A copy of the bundle, in which someone exchanges files and makes all checksums fit again.
pub struct Copy {
    _dir: TempDir,
    pub folder: PathBuf,
}

impl Copy {
    fn new() -> Self {
        Self::of(bundle())
    }

    pub fn of(bundle: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(bundle.file_name().unwrap());
        run("cp", ["-a".as_ref(), bundle.as_os_str(), folder.as_os_str()]).ok();
        Self { _dir: dir, folder }
    }

    fn edit(&self, path: &str, edit: impl FnOnce(&mut Vec<u8>)) {
        let full = self.folder.join(path);
        let mut bytes = fs::read(&full).unwrap();
        edit(&mut bytes);
        fs::write(&full, &bytes).unwrap();
        self.manifest(|manifest| {
            let file = manifest.files.iter_mut().find(|file| file.path == path).unwrap();
            (file.size, file.sha256) = (bytes.len() as u64, bundle::sha256(&bytes));
        });
    }

    pub fn manifest(&self, edit: impl FnOnce(&mut Manifest)) {
        let path = self.folder.join(MANIFEST);
        let mut manifest = Manifest::from_text(&fs::read_to_string(&path).unwrap()).unwrap();
        edit(&mut manifest);
        manifest.flash = Manifest::flash_digests(&manifest.files);
        fs::write(&path, manifest.to_text().unwrap()).unwrap();
        fs::write(self.folder.join(SUMS), manifest.sums().unwrap()).unwrap();
    }

    fn refused(&self, words: &[&str]) {
        let error = xtask(["verify".as_ref(), self.folder.as_os_str()]).fails(1);
        for word in words {
            assert!(error.contains(word), "{word} in {error}");
        }
    }
}

const SIGNED: &str = "flash/common/tos-trusty_t194_sigheader.img.encrypt";

/// Makes a header's digest fit its content, as signing without keys does.
fn resign(bytes: &mut [u8]) {
    let digest = Sha256::digest(&bytes[0x1000..]);
    bytes[0xbe0..0xc00].copy_from_slice(&digest);
}

#[test]
fn a_payload_that_was_exchanged_by_hand_is_named() {
    let copy = Copy::new();
    copy.edit(SIGNED, |bytes| bytes[0x1100] ^= 1);
    copy.refused(&[SIGNED, "has another digest than the header says: it has been exchanged"]);
    copy.edit(SIGNED, |bytes| resign(bytes));
    copy.refused(&[SIGNED, "is not made of secure-os/tos.img: the contents differ"]);
    // Neither does it help to say that it is made of something else.
    let bytes = fs::read(copy.folder.join(SIGNED)).unwrap();
    copy.manifest(|manifest| {
        let file = manifest.files.iter_mut().find(|file| file.path == SIGNED).unwrap();
        file.made_of = Some(bundle::MadeOf::new("bsp:bootloader/other.img", &bytes));
    });
    copy.refused(&[SIGNED, "goes to secure-os, but is not made of secure-os/tos.img"]);
    copy.manifest(|manifest| {
        manifest.files.iter_mut().find(|file| file.path == SIGNED).unwrap().made_of = None;
    });
    copy.refused(&[SIGNED, "is signed (TOSB), but manifest.json does not say what it was made of"]);
}

#[test]
fn other_parts_and_what_is_sent_to_the_board_are_compared_too() {
    const CBOOT: &str = "flash/common/cboot_t194_sigheader.bin.encrypt";
    const RECOVERY: &str = "flash/common/mb1_bct_MB1_sigheader.bct.encrypt";
    const BLOB: &str = "flash/32gb/blob.bin";
    let copy = Copy::new();
    copy.edit(CBOOT, |bytes| {
        bytes[0x1001] ^= 1;
        resign(bytes);
    });
    copy.refused(&[CBOOT, "is not made of bsp:bootloader/cboot_t194.bin"]);
    let copy = Copy::new();
    copy.edit(RECOVERY, |bytes| {
        bytes[0x1918..0x1920].copy_from_slice(&(16u64 << 20).to_le_bytes());
        resign(bytes);
    });
    copy.refused(&[
        RECOVERY,
        "MB1 would read a carve-out of 0x1000000 aligned to 0x100000, the manifest says 0x2000000",
    ]);
    let copy = Copy::new();
    let blob = fs::read(copy.folder.join(BLOB)).unwrap();
    let signed = fs::read(copy.folder.join(SIGNED)).unwrap();
    let at = blob.windows(signed.len()).position(|window| window == signed).unwrap();
    copy.edit(BLOB, |bytes| bytes[at + 0x1100] ^= 1);
    copy.refused(&[BLOB, "its secure-os image (TOSB) is none of the files of module 32gb"]);
}

/// With the table of another module a board would be written files that are not its own.
#[test]
fn tables_of_two_modules_are_not_exchanged() {
    const TABLES: [&str; 2] = ["flash/32gb/flash.xml.bin", "flash/64gb/flash.xml.bin"];
    let copy = Copy::new();
    let [mine, other] = TABLES.map(|path| fs::read(copy.folder.join(path)).unwrap());
    copy.edit(TABLES[0], |bytes| *bytes = other);
    copy.edit(TABLES[1], |bytes| *bytes = mine);
    copy.refused(&[TABLES[0], TABLES[1], "which partition bpmp-fw-dtb of module 32gb gets"]);
}

/// As all guides say: `sudo NAME/flash/flash.sh`.
#[test]
fn programs_of_a_bundle_can_be_run() {
    let copy = Copy::new();
    let script = copy.folder.join("flash/flash.sh");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&script), 0o755);
    assert_eq!(mode(&copy.folder.join("flash/common/tegrarcm_v2")), 0o755);
    assert_eq!(mode(&copy.folder.join(SIGNED)), 0o644);
    let mut command = std::process::Command::new(&script);
    let usage = Ran::new(command.arg("--help").env("CARVEOUT", env!("CARGO_BIN_EXE_xtask"))).ok();
    assert!(usage.contains("Usage: ") && usage.contains("--carve-out-unseen"), "{usage}");
    let archive = format!("{}.tar.zst", bundle().display());
    let list = run("tar", ["--zstd", "-tvf", &archive]).ok();
    let line = list.lines().find(|line| line.ends_with("/flash/flash.sh")).unwrap();
    assert!(line.starts_with("-rwxr-xr-x"), "{line}");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o644)).unwrap();
    copy.refused(&["flash/flash.sh: has mode 0644, expected 0755: run chmod 0755 on it"]);
}
