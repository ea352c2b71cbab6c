//! Updates of a virt device's image, as the device itself does them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod download;
#[path = "../../../../xtask/tests/report/small.rs"]
#[allow(dead_code)]
mod small;

use bundle::{SIGNATURE, SUMS, Source};
use minisign::KeyPair;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Cursor;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use virt_device::{Device, DevicePart, Installed, needed};

/// A device's disk, keys, settings and journal.
struct Desk {
    dir: tempfile::TempDir,
    key: KeyPair,
}

impl Desk {
    /// With the bundle 1 of 32 MiB.
    fn new() -> Self {
        let desk =
            Self { dir: tempfile::tempdir().unwrap(), key: KeyPair::generate_unencrypted_keypair().unwrap() };
        fs::create_dir_all(desk.path("etc/keys.d")).unwrap();
        desk.trust(&desk.key);
        let first = desk.bundle("1", 32 << 20, 1);
        let partitions: Vec<(String, u64)> = [("MB1_BCT", 65_536), ("secure-os", 262_144)]
            .into_iter()
            .flat_map(|(name, size)| [(name.to_owned(), size), (format!("{name}_b"), size)])
            .chain([("UDA".to_owned(), 262_144)])
            .collect();
        let size = needed(&partitions).unwrap();
        let file = File::options().read(true).write(true).create_new(true).open(desk.disk()).unwrap();
        file.set_len(size).unwrap();
        let mut device = Device::create(file, size, &partitions).unwrap();
        let manifest = manifest(&first);
        let mut parts = BTreeMap::new();
        for (part, path) in
            [(DevicePart::BootConfig, "boot-config/misc.cfg"), (DevicePart::SecureOs, "secure-os/tos.img")]
        {
            let bytes = fs::read(first.join(path)).unwrap();
            let sha256 = bundle::sha256(&bytes);
            let name = manifest.bundle_name();
            let placed = device.write(part, &mut &bytes[..], bytes.len() as u64, &sha256, &name).unwrap();
            parts.insert(part, placed);
        }
        let digest = bundle::hash_file(&first.join("manifest.json")).unwrap().sha256;
        let (bundle, board) = (manifest.bundle_name(), "virt".into());
        device.switch(Installed { bundle, board, digest, security_version: 1, parts }).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn disk(&self) -> PathBuf {
        self.path("disk.img")
    }

    fn trust(&self, key: &KeyPair) {
        let text = key.pk.to_box().unwrap().to_string();
        fs::write(self.path("etc/keys.d/maker.pub"), text).unwrap();
    }

    /// A signed bundle's folder.
    fn bundle(&self, version: &str, tzdram: u64, security_version: u32) -> PathBuf {
        let name =
            small::write_with(self.dir.path(), version, tzdram, |m| m.security_version = security_version);
        let folder = self.path(&name);
        let sums = fs::read(folder.join(SUMS)).unwrap();
        let signature =
            minisign::sign(Some(&self.key.pk), &self.key.sk, Cursor::new(sums), None, None).unwrap();
        fs::write(folder.join(SIGNATURE), signature.to_string()).unwrap();
        folder
    }

    /// Its update archive.
    fn update(&self, version: &str, tzdram: u64, security_version: u32) -> PathBuf {
        let folder = self.bundle(version, tzdram, security_version);
        let manifest = manifest(&folder);
        let out = self.path(&manifest.update_name());
        bundle::write_update(&Source::open(&folder).unwrap(), &manifest, 1, &out).unwrap();
        out
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_carveout-update"));
        command.args(arguments).arg("--json").arg("--disk").arg(self.disk());
        command.arg("--config").arg(self.path("etc")).arg("--state").arg(self.path("var"));
        command
    }

    /// It must succeed; its result.
    fn ok(&self, arguments: &[&str]) -> Value {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        json(&output)["result"].clone()
    }

    /// It must fail with this exit code; the error's code and message.
    fn fails(&self, arguments: &[&str], exit: i32) -> (String, String) {
        let output = self.command(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(exit), "{arguments:?}: {output:?}");
        let error = json(&output)["error"].clone();
        assert!(!error["help"].as_str().unwrap().is_empty());
        let text = |key: &str| error[key].as_str().unwrap().to_owned();
        (text("code"), text("message"))
    }

    fn device(&self) -> Device<File> {
        let file = File::options().read(true).write(true).open(self.disk()).unwrap();
        let size = file.metadata().unwrap().len();
        Device::open(file, size).unwrap()
    }

    /// Starts the device again; the bundle that it has then, each part compared.
    fn boots(&self) -> String {
        let mut device = self.device();
        device.boot().unwrap();
        let current = device.state().current().unwrap().clone();
        current.parts.iter().for_each(|(part, placed)| device.verify(*part, placed).unwrap());
        current.bundle
    }
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
}

fn manifest(folder: &Path) -> bundle::Manifest {
    bundle::extract(&Source::open(folder).unwrap(), |_| false).unwrap().0
}

const FIRST: &str = "desk-1-virt-tzdram32M";
const SECOND: &str = "desk-2-virt-tzdram64M";
/// So often it is killed, the last times when it should have ended long ago.
const KILLS: u32 = 160;
/// And so often it must have been killed before it ended.
const KILLED: usize = 100;

#[test]
fn an_update_is_tried_once_and_stays_if_it_is_confirmed() {
    let desk = Desk::new();
    let update = desk.update("2", 64 << 20, 2);
    let update = update.to_str().unwrap();
    let done = desk.ok(&["install", update]);
    assert_eq!(done["written"], serde_json::json!(["MB1_BCT_b", "secure-os_b"]));
    assert_eq!(desk.ok(&["status"])["runs"], FIRST, "it runs with the next boot");
    assert_eq!(desk.ok(&["confirm"])["confirmed"], Value::Null);
    assert_eq!(desk.boots(), SECOND);
    assert_eq!(desk.boots(), FIRST, "nobody has confirmed it");
    assert_eq!(desk.ok(&["status"])["gone_back_from"], SECOND);
    desk.ok(&["install", update]);
    assert_eq!(desk.boots(), SECOND);
    let (code, message) = desk.fails(&["install", update], 3);
    assert_eq!(code, "unconfirmed", "{message}");
    assert_eq!(desk.ok(&["confirm"])["confirmed"], SECOND);
    assert_eq!((desk.boots(), desk.boots()), (SECOND.to_owned(), SECOND.to_owned()));
    assert_eq!(desk.ok(&["install", update])["written"], serde_json::json!([]), "it runs already");
    let status = desk.ok(&["status"]);
    assert_eq!((&status["previous"]["bundle"], &status["security_version"]), (&FIRST.into(), &2.into()));
    desk.ok(&["rollback"]);
    assert_eq!(desk.boots(), FIRST);
    let journal = fs::read_to_string(desk.path("var/update.jsonl")).unwrap();
    let events: Vec<Value> = journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let events: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["install", "armed", "install", "armed", "confirmed", "rolled back"]);
}

#[test]
fn checks_decide_whether_an_update_stays() {
    let desk = Desk::new();
    let update = desk.update("2", 64 << 20, 1);
    let settings = |text: &str| fs::write(desk.path("etc/update.yaml"), text).unwrap();
    settings("checks:\n  - [\"true\"]\n  - [sh, -c, 'exit 3']\ntimeout: 20\n");
    desk.ok(&["install", update.to_str().unwrap()]);
    assert_eq!(desk.boots(), SECOND);
    let (code, message) = desk.fails(&["confirm"], 1);
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("check-failed", "the check `sh -c exit 3` did not pass: exit status: 3")
    );
    settings("checks: 7\n");
    assert_eq!(desk.fails(&["confirm"], 2).0, "wrong-settings");
    settings("");
    desk.ok(&["rollback"]);
    assert_eq!(desk.boots(), FIRST);
    desk.ok(&["install", update.to_str().unwrap()]);
    assert_eq!(desk.boots(), SECOND);
    settings("checks: [[\"true\"]]\n");
    desk.ok(&["confirm"]);
    assert_eq!(desk.boots(), SECOND);
}

#[test]
fn what_is_not_for_this_device_is_refused_and_nothing_is_written() {
    let desk = Desk::new();
    let before = fs::read(desk.disk()).unwrap();
    let update = desk.update("2", 64 << 20, 1);
    let name = update.to_str().unwrap();
    // Another key, none, and files in its place.
    let other = KeyPair::generate_unencrypted_keypair().unwrap();
    desk.trust(&other);
    let (code, message) = desk.fails(&["install", name], 1);
    assert!(code == "other-key" && message.contains("is signed by none of the 1 keys in "), "{message}");
    assert_eq!(
        desk.fails(&["install", name, "--unsigned"], 1).0,
        "other-key",
        "it is signed, by somebody else"
    );
    fs::write(desk.path("etc/keys.d/maker.pub"), "no key").unwrap();
    assert_eq!(desk.fails(&["install", name], 2).0, "wrong-key");
    fs::remove_file(desk.path("etc/keys.d/maker.pub")).unwrap();
    assert_eq!(desk.fails(&["install", name], 1).0, "other-key");
    desk.trust(&desk.key);
    let folder = desk.bundle("3", 64 << 20, 1);
    fs::remove_file(folder.join(SIGNATURE)).unwrap();
    assert_eq!(desk.fails(&["install", folder.to_str().unwrap()], 1).0, "unsigned");
    // Older, and damaged: another byte, cut off, no archive.
    let old = desk.update("0", 64 << 20, 0);
    let (code, message) = desk.fails(&["install", old.to_str().unwrap()], 1);
    assert_eq!(code, "downgrade");
    assert!(message.ends_with("has security version 0, and the device has had 1"), "{message}");
    let whole = fs::read(&update).unwrap();
    let damaged = desk.path("damaged-update.tar.zst");
    for (at, end) in [(whole.len() / 2, whole.len()), (0, whole.len() - 100), (3, 200)] {
        let mut bytes = whole[..end].to_vec();
        bytes[at] ^= 0x40;
        fs::write(&damaged, bytes).unwrap();
        assert_eq!(desk.fails(&["install", damaged.to_str().unwrap()], 1).0, "no-update");
    }
    assert_eq!(desk.fails(&["install", "/no/such-update.tar.zst"], 1).0, "no-update");
    assert!(fs::read(desk.disk()).unwrap() == before);
    assert_eq!(desk.boots(), FIRST);
    // A disk that is none.
    let mut command = Command::new(env!("CARGO_BIN_EXE_carveout-update"));
    command.arg("status").arg("--json").arg("--disk").arg(&update);
    let output = command.output().unwrap();
    assert_eq!((output.status.code(), json(&output)["error"]["code"].as_str()), (Some(3), Some("device")));
}

/// A folder of releases: of its signed index the newest release of the product, on the device's board.
#[test]
fn the_newest_release_of_a_channel_is_taken() {
    let desk = Desk::new();
    desk.update("2", 64 << 20, 1);
    let folder = desk.path("releases");
    fs::create_dir_all(folder.join(SECOND)).unwrap();
    let archive = format!("{SECOND}-update.tar.zst");
    fs::rename(desk.path(&archive), folder.join(SECOND).join(&archive)).unwrap();
    let entry = |bundle: &str, name: &str, board: &str| serde_json::json!({ "bundle": bundle, "name": name, "board": board, "version": "2", "size": 1 });
    let publish = |entries: Vec<Value>, key: &KeyPair| {
        let index = serde_json::json!({ "format": 1, "channels": { "stable": entries } }).to_string();
        let signature = minisign::sign(Some(&key.pk), &key.sk, Cursor::new(&index), None, None).unwrap();
        fs::write(folder.join("index.json.minisig"), format!("{}{index}", signature.into_string())).unwrap();
    };
    let releases = folder.to_str().unwrap();
    let install = ["install", "--releases", releases, "--product", "desk"];
    let (code, message) = desk.fails(&install, 2);
    assert!(code == "io" && message.contains("index.json.minisig"), "{message}");
    let entries = || {
        let others = [entry("x", "other", "virt"), entry("y", "desk", "another")];
        others.into_iter().chain([entry(SECOND, "desk", "virt"), entry(FIRST, "desk", "virt")]).collect()
    };
    publish(entries(), &KeyPair::generate_unencrypted_keypair().unwrap());
    let (code, message) = desk.fails(&install, 1);
    assert!(
        code == "no-release" && message.ends_with("is signed by none of the 1 keys of this device"),
        "{message}"
    );
    publish(vec![entry("../../etc", "desk", "virt")], &desk.key);
    assert!(desk.fails(&install, 1).1.ends_with("names a release as no release is called"));
    publish(vec![entry(SECOND, "desk", "another")], &desk.key);
    assert!(desk.fails(&install, 1).1.ends_with("stable has no release of desk for the board virt"));
    publish(entries(), &desk.key);
    let beta = [&install[..], &["--channel", "beta"]].concat();
    assert!(desk.fails(&beta, 1).1.ends_with("has no channel beta"));
    assert_eq!(desk.ok(&install)["bundle"], SECOND);
    assert_eq!(desk.boots(), SECOND);
    // Neither a file nor a folder, or both.
    for wrong in [&["install"][..], &["install", "x", "--releases", releases, "--product", "desk"]] {
        assert_eq!(desk.command(wrong).output().unwrap().status.code(), Some(2), "{wrong:?}");
    }
}

/// Two at once, and an older one that is taken all the same.
#[test]
fn only_one_works_on_a_device_and_a_downgrade_must_be_wanted() {
    let desk = Desk::new();
    let old = desk.update("0", 64 << 20, 0);
    fs::create_dir_all(desk.path("var")).unwrap();
    let held = File::options().append(true).create(true).open(desk.path("var/update.jsonl")).unwrap();
    held.lock().unwrap();
    assert_eq!(desk.fails(&["install", old.to_str().unwrap(), "--allow-downgrade"], 3).0, "busy");
    drop(held);
    fs::write(desk.path("no-folder"), "").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_carveout-update"));
    command.args(["install", "x", "--json", "--state"]).arg(desk.path("no-folder"));
    let output = command.output().unwrap();
    let message = json(&output)["error"]["message"].as_str().unwrap().to_owned();
    assert!(output.status.code() == Some(2) && message.contains("no-folder: File exists"), "{message}");
    desk.ok(&["install", old.to_str().unwrap(), "--allow-downgrade"]);
    assert_eq!(desk.boots(), "desk-0-virt-tzdram64M");
    desk.ok(&["confirm"]);
    assert_eq!(desk.ok(&["status"])["security_version"], 1, "what it has had is not forgotten");
}

/// Killed after ever more of the time that it takes: the device boots one bundle whole, and takes the update afterwards.
#[test]
fn a_killed_update_leaves_a_device_that_boots() {
    let desk = Desk::new();
    let update = desk.update("2", 64 << 20, 1);
    let whole = fs::read(desk.disk()).unwrap();
    let (mut killed, mut old, mut new) = (0, 0, 0);
    let start = std::time::Instant::now();
    desk.ok(&["install", update.to_str().unwrap()]);
    let mut takes = start.elapsed();
    // A host may be busier at the first one than later: then some end before their time.
    for after in (0..KILLS).cycle().take(3 * KILLS as usize) {
        if killed >= KILLED && old > 0 && new > 0 {
            break;
        }
        fs::write(desk.disk(), &whole).unwrap();
        let start = std::time::Instant::now();
        let mut child = desk.command(&["install", update.to_str().unwrap()]);
        let mut child = child.stdout(std::process::Stdio::null()).spawn().unwrap();
        let until = takes * after / 100;
        let ended = loop {
            let now = start.elapsed();
            match child.try_wait().unwrap() {
                Some(status) => break status,
                None if now >= until => {
                    let _ = child.kill();
                    break child.wait().unwrap();
                }
                None => std::thread::sleep((until - now).min(takes / 100)),
            }
        };
        match ended.signal() {
            Some(_) => killed += 1,
            None => takes = takes.min(start.elapsed()),
        }
        match desk.boots().as_str() {
            FIRST => old += 1,
            SECOND => new += 1,
            other => panic!("{other}"),
        }
    }
    assert!(killed >= KILLED && old > 0 && new > 0, "{killed} killed, {old} old, {new} new");
    fs::write(desk.disk(), &whole).unwrap();
    desk.ok(&["install", update.to_str().unwrap()]);
    assert_eq!(desk.boots(), SECOND);
}
