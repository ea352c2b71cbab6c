//! Client apps that go with an update, by dpkg itself, in a folder that stands for the device.

use super::board::{Board, SPEC, payload};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// So often it is killed while dpkg works, each time a little later.
const KILLS: u32 = 10;

/// A package with a program that says its version, and a setting.
fn deb(dir: &Path, name: &str, version: u32, depends: &str) -> (String, Vec<u8>) {
    let tree = dir.join(format!("{name}-{version}"));
    for (path, text) in [
        (
            "DEBIAN/control",
            format!(
                "Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: a\nDescription: b\n more\n{depends}"
            ),
        ),
        ("DEBIAN/conffiles", format!("/etc/{name}\n")),
        (&format!("usr/bin/{name}"), version.to_string()),
        (&format!("usr/share/{name}/{version}"), "x".repeat(100_000)),
        (&format!("etc/{name}"), format!("of {version}\n")),
    ] {
        fs::create_dir_all(tree.join(path).parent().unwrap()).unwrap();
        fs::write(tree.join(path), text).unwrap();
    }
    let file = format!("{name}_{version}_all.deb");
    let out = dir.join(&file);
    let made = Command::new("dpkg-deb").arg("--build").args([&tree, &out]).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    (file, fs::read(out).unwrap())
}

/// A board on which version 1 of an app is installed, whose setting somebody has changed.
fn board(debs: &Path) -> Board {
    let board = Board::new();
    for folder in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "var/lib/dpkg/triggers"] {
        fs::create_dir_all(board.path(folder)).unwrap();
    }
    board.put("var/lib/dpkg/status", "");
    let (file, _) = deb(debs, "greeter", 1, "");
    let root = format!("--root={}", board.dir.path().display());
    let installed = Command::new("dpkg").args([&root, "--install"]).arg(debs.join(file)).output().unwrap();
    assert!(installed.status.success(), "{installed:?}");
    board.put("etc/greeter", "of the user\n");
    board
}

impl Board {
    /// Versions of both apps, as files and as dpkg know them; all of one version.
    fn apps(&self) -> [Option<u32>; 2] {
        let root = format!("--root={}", self.dir.path().display());
        let audit = Command::new("dpkg").args([&root, "--audit"]).output().unwrap();
        assert_eq!(String::from_utf8_lossy(&audit.stdout), "");
        ["greeter", "extra"].map(|name| {
            let says = fs::read_to_string(self.path(&format!("usr/bin/{name}"))).ok();
            let mut query = Command::new("dpkg-query");
            query.arg(format!("--admindir={}", self.path("var/lib/dpkg").display()));
            let known = query.args(["-W", "-f=${db:Status-Status} ${Version}", name]).output().unwrap();
            let known = String::from_utf8_lossy(&known.stdout).into_owned();
            let known = known.strip_prefix("installed ").map(str::to_owned);
            assert_eq!(known, says, "{name}");
            let version = says.map(|says| says.parse().unwrap());
            let shared = fs::read_dir(self.path(&format!("usr/share/{name}"))).into_iter().flatten().count();
            assert_eq!(shared, usize::from(version.is_some()), "{name}: files of one version");
            version
        })
    }
}

#[test]
fn client_apps_come_and_go_with_the_update() {
    let debs = tempfile::tempdir().unwrap();
    let board = board(debs.path());
    let apps = [deb(debs.path(), "greeter", 2, ""), deb(debs.path(), "extra", 1, "")];
    let update = board.update_with(2, 0, &payload(2, &[SPEC], &[]), &apps);
    let old = [Some(1), None];
    let done = board.ok(&["install", &update, "--apps"]);
    assert_eq!(done["apps"], json!(["extra", "greeter"]));
    assert_eq!(board.apps(), old, "with the next boot");
    // The check sees the new ones. It fails, and with slot A the old ones are there again, with the user's setting.
    board.start(1, 2);
    let check = |version: u32| {
        format!("checks: [[grep, -qx, \"{version}\", {}]]\n", board.path("usr/bin/greeter").display())
    };
    board.put("etc/carveout/update.yaml", &check(3));
    assert_eq!(board.fails(&["confirm"], 1).0, "check-failed");
    assert_eq!(board.apps(), [Some(2), Some(1)]);
    board.start(0, 3);
    board.ok(&["confirm"]);
    assert_eq!((board.apps(), board.boots()), (old, (0, 1)));
    assert_eq!(fs::read_to_string(board.path("etc/greeter")).unwrap(), "of the user\n");
    assert!(!board.path("etc/extra").exists() && !board.path("var/apps").exists());
    // Given up before it was tried, and then without apps: none of them.
    board.ok(&["install", &update, "--apps"]);
    board.ok(&["rollback"]);
    board.put("etc/carveout/update.yaml", &check(1));
    assert_eq!(board.ok(&["install", &update])["apps"], json!([]));
    board.start(1, 4);
    board.ok(&["confirm"]);
    assert_eq!((board.apps(), board.boots()), (old, (1, 2)));
    // And it stays.
    let apps = [deb(debs.path(), "greeter", 3, ""), deb(debs.path(), "extra", 1, "")];
    let update = board.update_with(3, 0, &payload(3, &[SPEC], &[]), &apps);
    board.put("etc/carveout/update.yaml", &check(3));
    board.ok(&["install", &update, "--apps"]);
    board.start(0, 5);
    assert_eq!(board.ok(&["confirm"])["confirmed"], "desk-3-jetson-agx-xavier-tzdram32M");
    board.start(0, 6);
    assert_eq!(board.ok(&["confirm"])["confirmed"], Value::Null);
    assert_eq!((board.apps(), board.boots()), ([Some(3), Some(1)], (0, 3)));
}

#[test]
fn what_dpkg_does_not_take_leaves_all_as_it_was() {
    let debs = tempfile::tempdir().unwrap();
    let board = board(debs.path());
    let update = |version: u8, more: &str| {
        let app = deb(debs.path(), "greeter", version.into(), more);
        board.update_with(version, 0, &payload(version, &[SPEC], &[]), &[app])
    };
    // Before anything is written, as far as dpkg can tell by then.
    let other = update(2, "Conflicts: greeter-needs\nPre-Depends: not-there\n");
    let (code, message) = board.fails(&["install", &other, "--apps"], 3);
    assert!(code == "engine" && message.contains("dpkg --no-act"), "{message}");
    let none = board.update(4, 0, &payload(4, &[SPEC], &[]));
    assert_eq!(board.fails(&["install", &none, "--apps"], 1).0, "no-apps");
    assert_eq!((board.boots(), board.apps()), ((0, 1), [Some(1), None]));
    // What is missing for it is told by the boot that tries it.
    board.ok(&["install", &update(3, "Depends: not-there\n"), "--apps"]);
    board.start(1, 2);
    let (code, message) = board.fails(&["confirm"], 3);
    assert!(code == "engine" && message.contains("--install"), "{message}");
    board.start(0, 3);
    board.ok(&["confirm"]);
    assert_eq!((board.boots(), board.apps()), ((0, 1), [Some(1), None]));
}

/// dpkg's list does not have what it was unpacking when the power went. That goes with the update; what another package has stays.
#[test]
fn what_a_cut_has_left_goes_too() {
    let debs = tempfile::tempdir().unwrap();
    let board = board(debs.path());
    let apps = [deb(debs.path(), "greeter", 2, ""), deb(debs.path(), "extra", 1, "")];
    board.ok(&["install", &board.update_with(2, 0, &payload(2, &[SPEC], &[]), &apps), "--apps"]);
    board.start(1, 2);
    let record = fs::read_to_string(board.path("var/apps/apps.json")).unwrap();
    board.put("var/apps/apps.json", &record.replacen("\"waiting\"", "\"begun\"", 1));
    for left in ["usr/share/greeter/2", "usr/share/greeter/1.dpkg-tmp", "usr/bin/extra", "etc/extra.dpkg-new"]
    {
        board.put(left, "half");
    }
    // Another package's, by another path.
    fs::create_dir_all(board.path("usr/share/extra")).unwrap();
    board.put("usr/share/extra/1", "of another");
    std::os::unix::fs::symlink("usr/share", board.path("share")).unwrap();
    board.put("var/lib/dpkg/info/other.list", "/share/extra/1\n");
    let status = fs::read_to_string(board.path("var/lib/dpkg/status")).unwrap();
    let other = "Package: other\nStatus: install ok installed\nVersion: 1\nArchitecture: all\nMaintainer: a\nDescription: b\n";
    board.put("var/lib/dpkg/status", &format!("{}\n\n{other}", status.trim_end()));
    board.start(0, 3);
    board.ok(&["confirm"]);
    let names = |folder: &str| {
        let mut names: Vec<_> = fs::read_dir(board.path(folder))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    };
    assert_eq!(names("usr/share/greeter"), ["1"]);
    assert_eq!(names("usr/share/extra"), ["1"]);
    assert_eq!(
        (names("usr/bin"), fs::read_to_string(board.path("usr/bin/greeter")).unwrap()),
        (vec!["greeter".into()], "1".into())
    );
    assert!(!board.path("etc/extra.dpkg-new").exists() && board.path("etc/greeter").exists());
}

/// All that works is killed at once, as a power cut does, while dpkg installs; then the device is what it was before, or what is new.
#[test]
fn power_may_go_while_dpkg_works() {
    let debs = tempfile::tempdir().unwrap();
    let apps = [deb(debs.path(), "greeter", 2, ""), deb(debs.path(), "extra", 1, "")];
    let (mut old, mut new) = (0, 0);
    let tried = || {
        let board = board(debs.path());
        let update = board.update_with(2, 0, &payload(2, &[SPEC], &[]), &apps);
        board.ok(&["install", &update, "--apps"]);
        board.start(1, 2);
        board
    };
    let whole = tried();
    let start = Instant::now();
    whole.ok(&["confirm"]);
    let takes = start.elapsed();
    // A busy host may let the first ones end too early.
    for kill in (1..=KILLS).cycle().take(3 * KILLS as usize) {
        if old > 0 && old + new >= KILLS {
            break;
        }
        let board = tried();
        let mut command = board.command(&["confirm"]);
        let mut child = command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        sleep(takes * kill / KILLS);
        let group = rustix::process::Pid::from_raw(child.id().try_into().unwrap()).unwrap();
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        child.wait().unwrap();
        // Those that it had started may take a moment longer.
        while rustix::process::test_kill_process_group(group).is_ok() {
            sleep(Duration::from_millis(5));
        }
        // A slot that nobody has left may be tried again.
        let (slot, _) = board.boots();
        board.start(slot, 3);
        board.ok(&["confirm"]);
        let (_, version) = board.boots();
        let expected = if version == 1 { [Some(1), None] } else { [Some(2), Some(1)] };
        assert_eq!(board.apps(), expected, "killed after {kill} of {KILLS}");
        (old, new) = (old + u32::from(version == 1), new + u32::from(version == 2));
    }
    assert!(old > 0 && old + new >= KILLS, "{old} old, {new} new");
}
