//! carveout-update with NVIDIA's own `nv_update_engine` and `nvbootctrl`, where a real BSP is: on a stand-in of a board, under qemu-user.

use super::{real_bundle, real_trees};
use crate::builds::util::{Ran, root, run, xtask};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tegra_flash::boot_areas::{BCT, BootAreas, in_slot};
use tegra_flash::payload::Payload;
use tegra_flash::slot_metadata::SlotMetadata;

/// A kind of board: where its boot parts lie, and what NVIDIA's nv-l4t-bootloader-config.sh of R32.7.2 makes of its name on a device.
struct Kind {
    board: &'static str,
    /// Where the bundle has what is the module's own.
    folder: &'static str,
    /// Its name in payloads.
    spec: &'static str,
    tnspec: &'static str,
    compatible_spec: &'static str,
    /// Its boot areas, one behind the other, and the bytes of each.
    areas: &'static [&'static str],
    size: usize,
    /// Their table, as NVIDIA's tegraparser names it.
    table: &'static str,
    /// The chip, and where a signed MB1 BCT has the carve-out's size.
    chip: &'static str,
    tzdram: usize,
}

const AGX: Kind = Kind {
    board: "jetson-agx-xavier",
    folder: "32gb",
    spec: "2888-400-0004--1-2-jetson-agx-xavier-devkit-mmcblk0p1",
    tnspec: "2888-400-0004-K.0-1-2-jetson-agx-xavier-devkit-mmcblk0p1",
    compatible_spec: "2888-400-0004--1-2-jetson-agx-xavier-devkit-",
    areas: &["mmcblk0boot0", "mmcblk0boot1"],
    size: 8 << 20,
    table: "gpt_secondary_0_3.bin",
    chip: "0x19",
    tzdram: 0x1918,
};
/// All boot parts are in one QSPI flash.
const NX: Kind = Kind {
    board: "jetson-xavier-nx-devkit-emmc",
    folder: "common",
    spec: "3668-301-0001--1-2-jetson-xavier-nx-devkit-emmc-mmcblk0p1",
    tnspec: "3668-301-0003-A.0-1-2-jetson-xavier-nx-devkit-emmc-mmcblk0p1",
    compatible_spec: "3668-301---1--jetson-xavier-nx-devkit-emmc-",
    areas: &["mtdblock0"],
    size: 32 << 20,
    table: "gpt_secondary_3_0.bin",
    chip: "0x19",
    tzdram: 0x1918,
};
/// Another SoC: other headers, and no memory BCT.
const TX2: Kind = Kind {
    board: "jetson-tx2",
    folder: "b01",
    spec: "3310-B01---1-0-jetson-tx2-devkit-mmcblk0p1",
    tnspec: "3310-C04-1000-F.0-1-0-jetson-tx2-devkit-mmcblk0p1",
    compatible_spec: "3310-B01---1--jetson-tx2-devkit-",
    areas: &["mmcblk0boot0", "mmcblk0boot1"],
    size: 8 << 20,
    table: "gpt_secondary_0_3.bin",
    chip: "0x18",
    tzdram: 0x190 + 0x104,
};
/// Bytes of a sector, and where BCT's copy for slot B begins.
const SECTOR: usize = 512;
const BCT_SLOT: usize = 16 << 10;
/// What a partition's file has at most.
const MOST: usize = 4 << 20;
/// So often it is killed, in an update and in the copy behind its confirmation.
const KILLS: u32 = 100;

type Parts = BTreeMap<String, Vec<u8>>;

/// The board, as a root filesystem for its programs.
struct Board {
    kind: &'static Kind,
    dir: tempfile::TempDir,
    old: Parts,
    new: Parts,
}

/// Names and sectors of a table as NVIDIA's tegraparser writes it.
fn partitions(table: &Path) -> Vec<(String, usize, usize)> {
    let bytes = fs::read(table).unwrap();
    let entries = bytes.chunks_exact(128).take(128).filter(|entry| entry[..16] != [0; 16]);
    let number = |entry: &[u8], at: usize| u64::from_le_bytes(entry[at..at + 8].try_into().unwrap()) as usize;
    let name = |entry: &[u8]| {
        let units = entry[56..].chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
        String::from_utf16(&units.take_while(|unit| *unit != 0).collect::<Vec<_>>()).unwrap()
    };
    entries.map(|entry| (name(entry), number(entry, 32), number(entry, 40) + 1)).collect()
}

impl Board {
    fn new(kind: &'static Kind, bsp: &Path, built: &Path) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let payload = fs::read(built.join(bundle::UPDATE_PAYLOAD)).unwrap();
        let payload = Payload::parse(&payload).unwrap();
        let mine = payload.entries.iter().filter(|entry| entry.spec.is_empty() || entry.spec == kind.spec);
        let new: Parts = mine.map(|entry| (entry.partition.clone(), entry.data.to_vec())).collect();
        let mut old = new.clone();
        let bct = &mut old.get_mut("MB1_BCT").unwrap()[kind.tzdram..][..8];
        bct.copy_from_slice(&(16_u64 << 20).to_le_bytes());
        *old.get_mut("secure-os").unwrap().last_mut().unwrap() ^= 1;
        let board = Self { kind, dir, old, new };
        // Debian's programs for arm64, and NVIDIA's.
        let bases = root().join("target/carveout/stages/rootfs-base");
        let folders = fs::read_dir(bases).unwrap().map(|entry| entry.unwrap().path().join("base.tar"));
        let base = folders.into_iter().find(|path| path.is_file()).unwrap();
        run("tar", ["-xf".as_ref(), base.as_os_str(), "-C".as_ref(), board.dir.path().as_os_str()]).ok();
        let debs = bsp.join("nv_tegra/l4t_deb_packages");
        let tools = fs::read_dir(debs).unwrap().map(|entry| entry.unwrap().path());
        let is_tools =
            |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with("nvidia-l4t-tools_");
        let tools = tools.into_iter().find(is_tools).unwrap();
        run("dpkg-deb", ["-x".as_ref(), tools.as_os_str(), board.dir.path().as_os_str()]).ok();
        let config = board.path("product.yaml");
        let text = fs::read_to_string(root().join("configs/desk.yaml")).unwrap();
        fs::write(&config, text.replace("[echo-srv-app]", "[carveout-update]").replace("self_test:", "# "))
            .unwrap();
        let packages = PathBuf::from(xtask(["client-apps".as_ref(), "-c".as_ref(), config.as_os_str()]).ok());
        let package = packages.join("carveout-update_0.1.0-1_arm64.deb");
        run("dpkg-deb", ["-x".as_ref(), package.as_os_str(), board.dir.path().as_os_str()]).ok();
        // It looks whether this is a board.
        board.put("opt/nvidia/l4t-bootloader-config/nv-l4t-bootloader-config.sh", "#!/bin/sh\nexit 0\n");
        run(
            "chmod",
            [
                "755".as_ref(),
                board.path("opt/nvidia/l4t-bootloader-config/nv-l4t-bootloader-config.sh").as_os_str(),
            ],
        )
        .ok();
        let (tnspec, compatible, chip) = (kind.tnspec, kind.compatible_spec, kind.chip);
        let [first, last] = [kind.areas.first(), kind.areas.last()].map(Option::unwrap);
        let conf = format!(
            "TNSPEC {tnspec}\nCOMPATIBLE_SPEC {compatible}\nTEGRA_CHIPID {chip}\nTEGRA_OTA_BOOT_DEVICE /dev/{first}\n\
             TEGRA_OTA_GPT_DEVICE /dev/{last}\n"
        );
        board.put("etc/nv_boot_control.conf", &conf);
        board.put("sys/module/tegra_fuse/parameters/tegra_prod_mode", "1\n");
        for area in kind.areas {
            board.put(&format!("sys/block/{area}/force_ro"), "0\n");
            board.put(&format!("sys/block/{area}/size"), &format!("{}\n", kind.size / SECTOR));
        }
        for folder in ["opt/ota_package", "dev/disk/by-partlabel"] {
            fs::create_dir_all(board.path(folder)).unwrap();
        }
        run(
            "mknod",
            [
                "-m".as_ref(),
                "666".as_ref(),
                board.path("dev/null").as_os_str(),
                "c".as_ref(),
                "1".as_ref(),
                "3".as_ref(),
            ],
        )
        .ok();
        // Tables as NVIDIA's own program makes them.
        let tables = board.path("tables");
        fs::create_dir_all(&tables).unwrap();
        fs::copy(built.join(format!("flash/{}/flash.xml.bin", kind.folder)), tables.join("flash.xml.bin"))
            .unwrap();
        let mut parser = Command::new(bsp.join("bootloader/tegraparser_v2"));
        Ran::new(parser.args(["--pt", "flash.xml.bin", "--generategpt"]).current_dir(&tables)).ok();
        let mut archive = built.as_os_str().to_owned();
        archive.push(".tar.zst");
        fs::copy(archive, board.path("root/update.tar.zst")).unwrap();
        fs::copy(built.join("flash/common/slot_metadata.bin"), board.path("tables/SMD")).unwrap();
        board
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    /// As it was flashed: both slots have what is old.
    fn flash(&self) {
        let (mut areas, metadata) =
            (vec![0; self.kind.areas.len() * self.kind.size], fs::read(self.path("tables/SMD")).unwrap());
        let table = fs::read(self.path("tables").join(self.kind.table)).unwrap();
        let end = areas.len();
        areas[end - table.len()..].copy_from_slice(&table);
        for (name, first, _) in partitions(&self.path("tables").join(self.kind.table)) {
            let plain = name.trim_end_matches("_b");
            let data = if plain == "SMD" { Some(&metadata) } else { self.old.get(plain) };
            let Some(data) = data else { continue };
            let mut put = |at: usize| areas[at..at + data.len()].copy_from_slice(data);
            put(first * SECTOR);
            if name == BCT {
                put(first * SECTOR + BCT_SLOT);
            }
        }
        for (name, bytes) in self.kind.areas.iter().zip(areas.chunks_exact(self.kind.size)) {
            fs::write(self.path("dev").join(name), bytes).unwrap();
        }
        let folder = self.path("dev/disk/by-partlabel");
        for (name, first, end) in partitions(&self.path("tables/gpt_secondary_1_3.bin")) {
            let size = (end - first) * SECTOR;
            if size <= 64 << 20 {
                let mut data = self.old.get(name.trim_end_matches("_b")).cloned().unwrap_or_default();
                data.resize(size.min(MOST), 0);
                fs::write(folder.join(name), data).unwrap();
            }
        }
        let _ = fs::remove_dir_all(self.path("var/lib/carveout"));
        self.start(0, 1);
    }

    fn start(&self, slot: usize, boot: u32) {
        let suffix = if slot == 0 { "" } else { "_b" };
        let line = format!("root=/dev/mmcblk0p1 boot.slot_suffix={suffix} boot.ratchetvalues=0.4.2\n");
        self.put("proc/cmdline", &line);
        self.put("proc/sys/kernel/random/boot_id", &format!("boot-{boot}\n"));
    }

    /// The slot that the board's boot loaders would take, and its carve-out; all of it is whole.
    fn boots(&self) -> (usize, u64) {
        let areas: Vec<_> =
            self.kind.areas.iter().map(|name| fs::read(self.path("dev").join(name)).unwrap()).collect();
        let areas = areas.concat();
        let areas = BootAreas::parse(areas).unwrap();
        let metadata =
            [0, 1].into_iter().find_map(|slot| SlotMetadata::parse(areas.partition("SMD", slot)?).ok());
        let slot = metadata.expect("a whole copy").active().expect("a slot that boots");
        let held = |parts: &Parts| {
            parts.iter().all(|(name, data)| match areas.partition(name, slot) {
                Some(bytes) => bytes.starts_with(data),
                None => fs::read(self.path("dev/disk/by-partlabel").join(in_slot(name, slot)))
                    .unwrap()
                    .starts_with(data),
            })
        };
        match (held(&self.old), held(&self.new)) {
            (true, false) => (slot, 16),
            (false, true) => (slot, 32),
            _ => panic!("slot {slot} boots, and is not whole"),
        }
    }

    fn update(&self, words: &[&str]) -> Command {
        let mut command = Command::new("unshare");
        command
            .args(["-rn", "chroot"])
            .arg(self.dir.path())
            .arg("/usr/sbin/carveout-update")
            .args(words)
            .arg("--json");
        command
    }

    /// Kills it, and all that it has started, after a while. Whether it was still there.
    fn killed(&self, words: &[&str], after: Duration) -> bool {
        let mut child =
            self.update(words).process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sleep(after);
        let early = child.try_wait().unwrap().is_none();
        let _ = Command::new("kill")
            .args(["-9", "--", &format!("-{}", child.id())])
            .stderr(Stdio::null())
            .status();
        child.wait().unwrap();
        early
    }

    fn said(&self, words: &[&str]) -> Value {
        let output = self.update(words).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    fn ran(&self, words: &[&str]) -> Value {
        let said = self.said(words);
        assert_eq!(said["ok"], true, "{words:?}: {said}");
        said["result"].clone()
    }
}

/// The update lies in the board's own root filesystem.
const INSTALL: [&str; 3] = ["install", "--unsigned", "/root/update.tar.zst"];

/// From 16 MiB to 32 MiB and back, and for good; on a board with a bundle that was built for it. How long the confirmation took.
fn updated(kind: &'static Kind, bsp: &Path) -> (Board, Duration) {
    crate::builds::util::desk();
    let dir = tempfile::tempdir().unwrap();
    let built = real_bundle(kind.board, dir.path(), &["--no-boot"]);
    let board = Board::new(kind, bsp, &built);

    // 16 MiB to 32 MiB through slot B, not confirmed, and once more.
    board.flash();
    assert_eq!(board.boots(), (0, 16));
    assert_eq!(board.ran(&INSTALL)["slot"], "B");
    assert_eq!(board.boots(), (1, 32));
    board.start(1, 2);
    assert_eq!(board.ran(&["status"])["tzdram"], serde_json::json!([16 << 20, 32 << 20]));
    board.put("etc/carveout/update.yaml", "checks: [[\"false\"]]\n");
    assert_eq!(board.said(&["confirm"])["error"]["code"], "check-failed");
    assert_eq!(board.boots(), (0, 16), "back");
    board.start(0, 3);
    board.ran(&["confirm"]);
    board.put("etc/carveout/update.yaml", "");
    board.ran(&INSTALL);
    board.start(1, 4);
    let begin = Instant::now();
    assert!(board.ran(&["confirm"])["confirmed"].is_string());
    let confirm_time = begin.elapsed();
    assert_eq!(board.boots(), (1, 32));
    assert_eq!(board.ran(&["status"])["tzdram"], serde_json::json!([32 << 20, 32 << 20]));
    (board, confirm_time)
}

/// The BSP, where it is and may be used.
fn bsp() -> Option<PathBuf> {
    let [bsp, _] = real_trees()?;
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: a stand-in of a board takes root");
        return None;
    }
    Some(bsp)
}

/// Boot parts in a QSPI flash, a name without SKU.
#[test]
fn nvidias_engine_updates_a_xavier_nx() {
    if let Some(bsp) = bsp() {
        updated(&NX, &bsp);
    }
}

#[test]
fn nvidias_engine_updates_a_tx2() {
    if let Some(bsp) = bsp() {
        updated(&TX2, &bsp);
    }
}

#[test]
fn nvidias_engine_writes_a_larger_carve_out() {
    let Some(bsp) = bsp() else { return };
    let (board, confirm_time) = updated(&AGX, &bsp);
    let install = INSTALL;

    // kill -9 of all of it, ever later.
    board.flash();
    let begin = Instant::now();
    board.ran(&install);
    let install_time = begin.elapsed();
    let (mut early, mut old, mut new) = (0, 0, 0);
    for at in 0..KILLS {
        board.flash();
        early += u32::from(board.killed(&install, install_time * at / KILLS));
        let (slot, size) = board.boots();
        (old, new) = (old + u32::from(size == 16), new + u32::from(size == 32));
        board.start(slot, 2);
        // The copy behind the confirmation is cut, too; then it goes on.
        board.ran(&["confirm"]);
        if size == 16 {
            board.ran(&install);
            board.start(board.boots().0, 3);
        }
        early += u32::from(board.killed(&["confirm"], confirm_time * at / KILLS));
        let slot = board.boots().0;
        board.start(slot, 4);
        board.ran(&["confirm"]);
        board.boots();
    }
    println!(
        "{early} of {} kills came before the end; {old} times the old bundle, {new} times the new one",
        2 * KILLS
    );
    assert!(early > KILLS && old > 0, "{early} early, {old} old, {new} new");
}
