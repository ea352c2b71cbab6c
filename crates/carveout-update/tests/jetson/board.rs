//! A folder that stands for a device, and `engine.py` for NVIDIA's programs.

use super::small;
use bundle::{Role, SIGNATURE, SUMS, Source};
use minisign::KeyPair;
use serde_json::Value;
use std::fs::{self, Permissions};
use std::io::Cursor;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use tegra_flash::boot_areas::BootAreas;
use tegra_flash::payload::{Payload, PayloadEntry};
use tegra_flash::slot_metadata::SlotMetadata;
use tegra_flash::update::PAYLOAD_VERSION;

pub const SPEC: &str = "2888-400-0004--1-2-jetson-agx-xavier-devkit-mmcblk0p1";
/// What NVIDIA's script writes of such a module on the device.
pub const TNSPEC: &str = "2888-400-0004-K.0-1-2-jetson-agx-xavier-devkit-mmcblk0p1";
pub const COMPATIBLE_SPEC: &str = "2888-400-0004--1-2-jetson-agx-xavier-devkit-";
pub const OTHER: &str = "2888-400-0001-E.0-1-2-jetson-agx-xavier-devkit-mmcblk0p1";
/// Partitions, whether they are of a module, and whether they are in the boot areas.
pub const PARTS: [(&str, bool, bool); 6] = [
    ("mb2", false, true),
    ("secure-os", false, false),
    ("bpmp-fw", false, false),
    ("bootloader-dtb", true, false),
    ("BCT", true, true),
    ("MB1_BCT", true, true),
];
/// Bytes of each part.
pub const LENGTH: usize = 4096;
/// Bytes of each boot area.
pub const AREA: usize = 64 << 10;
const SECTOR: usize = 512;
const BOARD: &str = "jetson-agx-xavier";

/// What a part of a bundle's version is.
fn content(version: u8, partition: &str) -> Vec<u8> {
    partition.bytes().chain(std::iter::repeat(version)).take(LENGTH).collect()
}

/// What `version` has for these modules; a part that begins so has this carve-out.
pub fn payload(version: u8, specs: &[&str], more: &[&str]) -> Vec<u8> {
    let contents: Vec<_> = PARTS.iter().map(|(name, ..)| content(version, name)).collect();
    let entry = |partition: &str, spec: &str, data| PayloadEntry {
        partition: partition.into(),
        version: 0x3272,
        operation: 0,
        spec: spec.into(),
        data,
    };
    let mut entries = Vec::new();
    for ((name, own, _), data) in PARTS.iter().zip(&contents) {
        match own {
            true => entries.extend(specs.iter().map(|spec| entry(name, spec, data.as_slice()))),
            false => entries.push(entry(name, "", data)),
        }
    }
    entries.extend(more.iter().map(|name| entry(name, "", &contents[0])));
    Payload { version: PAYLOAD_VERSION, entries }.to_bytes().unwrap()
}

pub struct Board {
    pub dir: tempfile::TempDir,
    pub key: KeyPair,
}

impl Board {
    /// Slot A and B hold version 1, and A/B redundancy is off.
    pub fn new() -> Self {
        let board =
            Self { dir: tempfile::tempdir().unwrap(), key: KeyPair::generate_unencrypted_keypair().unwrap() };
        for folder in [
            "etc/carveout/keys.d",
            "dev/disk/by-partlabel",
            "proc/sys/kernel/random",
            "usr/sbin",
            "sys/module/tegra_fuse/parameters",
        ] {
            fs::create_dir_all(board.path(folder)).unwrap();
        }
        board.put("sys/module/tegra_fuse/parameters/tegra_prod_mode", "1\n");
        let config = format!(
            "TNSPEC {TNSPEC}\nCOMPATIBLE_SPEC {COMPATIBLE_SPEC}\nTEGRA_CHIPID 0x19\n\
             TEGRA_OTA_BOOT_DEVICE /dev/mmcblk0boot0\nTEGRA_OTA_GPT_DEVICE /dev/mmcblk0boot1\n"
        );
        board.put("etc/nv_boot_control.conf", &config);
        board.put("etc/carveout/keys.d/maker.pub", &board.key.pk.to_box().unwrap().to_string());
        for program in ["nv_update_engine", "nvbootctrl"] {
            board.put(&format!("usr/sbin/{program}"), include_str!("engine.py"));
            fs::set_permissions(board.path(&format!("usr/sbin/{program}")), Permissions::from_mode(0o755))
                .unwrap();
        }
        let names = PARTS.map(|(name, ..)| name).join(" ");
        board.put("usr/sbin/names", &names);
        board.put("usr/sbin/length", &LENGTH.to_string());
        // One slot alone, as a board has it that was flashed.
        let mut metadata = vec![0x00, 0x4e, 0x42, 0x43, 5, 0, 1, 0, 15, b'_', b'a', 7, 1, 0, 0, 0, 0, 0];
        let sum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&metadata);
        metadata.extend(sum.to_le_bytes());
        let mut areas = vec![0; 2 * AREA];
        let mut table = Vec::new();
        let mut add = |name: &str, first: usize, sectors: usize, data: &[u8]| {
            let mut entry = vec![7; 32];
            entry.extend([first as u64, (first + sectors - 1) as u64].map(u64::to_le_bytes).concat());
            entry.extend([0; 8]);
            entry.extend(name.encode_utf16().flat_map(u16::to_le_bytes));
            entry.resize(128, 0);
            table.extend(entry);
            areas[first * SECTOR..first * SECTOR + data.len()].copy_from_slice(data);
        };
        add("BCT", 0, 64, &content(1, "BCT"));
        add("SMD", 64, 1, &metadata);
        add("SMD_b", 65, 1, &metadata);
        let mut first = 66;
        for (name, _, in_areas) in PARTS {
            for own in [name.to_owned(), format!("{name}_b")] {
                if name == "BCT" {
                    continue;
                }
                let data = content(1, name);
                if in_areas {
                    add(&own, first, LENGTH / SECTOR, &data);
                    first += LENGTH / SECTOR;
                } else {
                    fs::write(board.path("dev/disk/by-partlabel").join(own), data).unwrap();
                }
            }
        }
        areas[16 << 10..][..LENGTH].copy_from_slice(&content(1, "BCT"));
        table.resize(128 * 128, 0);
        let checksum = |bytes: &[u8]| crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(bytes);
        let mut head = [0; SECTOR];
        head[..8].copy_from_slice(b"EFI PART");
        for (at, value) in [(12, 92), (80, 128), (84, 128), (88, checksum(&table))] {
            head[at..at + 4].copy_from_slice(&u32::to_le_bytes(value));
        }
        let sum = checksum(&head[..92]);
        head[16..20].copy_from_slice(&sum.to_le_bytes());
        let end = areas.len();
        areas[end - SECTOR..].copy_from_slice(&head);
        areas[end - SECTOR - table.len()..end - SECTOR].copy_from_slice(&table);
        fs::write(board.path("dev/mmcblk0boot0"), &areas[..AREA]).unwrap();
        fs::write(board.path("dev/mmcblk0boot1"), &areas[AREA..]).unwrap();
        board.start(0, 1);
        board
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub fn put(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// It runs from this slot, for the nth time.
    pub fn start(&self, slot: usize, boot: u32) {
        let suffix = if slot == 0 { "" } else { "_b" };
        self.put("proc/cmdline", &format!("root=/dev/mmcblk0p1 boot.slot_suffix={suffix} quiet\n"));
        self.put("proc/sys/kernel/random/boot_id", &format!("boot-{boot}\n"));
    }

    /// What the board's own boot loaders would start: the slot and its version. Every part of it must be whole.
    pub fn boots(&self) -> (usize, u8) {
        let bytes =
            ["dev/mmcblk0boot0", "dev/mmcblk0boot1"].map(|path| fs::read(self.path(path)).unwrap()).concat();
        let areas = BootAreas::parse(bytes).unwrap();
        let metadata =
            [0, 1].into_iter().find_map(|slot| SlotMetadata::parse(areas.partition("SMD", slot)?).ok());
        let slot = metadata.expect("a whole copy").active().expect("a slot that boots");
        let held = |name: &str| match areas.partition(name, slot) {
            Some(bytes) => bytes[..LENGTH].to_vec(),
            None => {
                let own = tegra_flash::boot_areas::in_slot(name, slot);
                fs::read(self.path("dev/disk/by-partlabel").join(own)).unwrap()
            }
        };
        let version = held("secure-os")[LENGTH - 1];
        for (name, ..) in PARTS {
            assert!(
                held(name) == content(version, name),
                "slot {slot} boots, and its {name} is not of {version}"
            );
        }
        (slot, version)
    }

    /// A signed update archive with this payload.
    pub fn update(&self, version: u8, security_version: u32, payload: &[u8]) -> String {
        self.update_with(version, security_version, payload, &[])
    }

    /// The same with client apps: names of their packages' files, and these.
    pub fn update_with(
        &self,
        version: u8,
        security_version: u32,
        payload: &[u8],
        debs: &[(String, Vec<u8>)],
    ) -> String {
        let name = version.to_string();
        let paths: Vec<String> = debs.iter().map(|(file, _)| format!("client-apps/{file}")).collect();
        let apps =
            paths.iter().zip(debs).map(|(path, (_, bytes))| (Role::ClientApp, path.as_str(), &bytes[..]));
        let mut files = vec![(Role::Update, bundle::UPDATE_PAYLOAD, payload)];
        files.extend(apps);
        let folder = small::with_files(self.dir.path(), &name, 32 << 20, &files, |manifest| {
            manifest.security_version = security_version;
            manifest.client_apps =
                debs.iter().map(|(file, _)| bundle::package_name(file).to_owned()).collect();
            manifest.board = BOARD.into();
        });
        let folder = self.path(&folder);
        let sums = fs::read(folder.join(SUMS)).unwrap();
        let signature =
            minisign::sign(Some(&self.key.pk), &self.key.sk, Cursor::new(sums), None, None).unwrap();
        fs::write(folder.join(SIGNATURE), signature.to_string()).unwrap();
        let source = Source::open(&folder).unwrap();
        let manifest = bundle::extract(&source, |_| false).unwrap().0;
        let out = self.path(&manifest.update_name());
        bundle::write_update(&source, &manifest, 1, &out).unwrap();
        fs::remove_dir_all(folder).unwrap();
        out.display().to_string()
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_carveout-update"));
        command.args(arguments).arg("--json").arg("--sysroot").arg(self.dir.path());
        command.arg("--config").arg(self.path("etc/carveout")).arg("--state").arg(self.path("var"));
        command
    }

    pub fn ok(&self, arguments: &[&str]) -> Value {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        json(&output)["result"].clone()
    }

    pub fn fails(&self, arguments: &[&str], exit: i32) -> (String, String) {
        let output = self.command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {output:?}");
        let error = json(&output)["error"].clone();
        assert!(!error["help"].as_str().unwrap().is_empty());
        let text = |key: &str| error[key].as_str().unwrap().to_owned();
        (text("code"), text("message"))
    }
}

pub fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}
