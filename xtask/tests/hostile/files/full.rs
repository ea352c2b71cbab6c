//! Disks that are full, runs that are killed, and several at once.

use super::{Desk, said, within};
use crate::report::small;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tegra_flash::filesystem::test_image;
use tempfile::TempDir;

/// What a killed run has left beside its target goes with the next one.
#[test]
fn a_killed_flash_leaves_nothing_for_long() {
    let desk = Desk::new();
    fs::create_dir(desk.path("o")).unwrap();
    let to = format!("virt:{}", desk.text("o/one.img"));
    for wait in (0..12).map(|at| at * 15) {
        let mut child: Child = desk
            .command(&["flash", &desk.bundle, "--to", &to])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(wait));
        let _ = child.kill();
        child.wait().unwrap();
    }
    let _ = fs::remove_file(desk.path("o/one.img"));
    desk.good(&["flash", &desk.bundle, "--to", &to]);
    assert_eq!(fs::read_dir(desk.path("o")).unwrap().count(), 1, "the device alone");
}

/// A filesystem of a few MiB; none where it cannot be mounted.
struct Small {
    dir: TempDir,
}

impl Small {
    fn new(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "carveout-test"])
            .arg(dir.path())
            .output();
        let mounted = mount.is_ok_and(|output| output.status.success());
        if !mounted {
            println!("skipped: no tmpfs can be mounted here");
        }
        mounted.then_some(Self { dir })
    }

    fn text(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn fill(&self) {
        let mut file = fs::File::create(self.dir.path().join("ballast")).unwrap();
        while std::io::Write::write_all(&mut file, &[1; 4096]).is_ok() {}
    }

    fn names(&self) -> Vec<String> {
        let names = fs::read_dir(self.dir.path()).unwrap().flatten();
        names
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|name| name != "ballast")
            .collect()
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.dir.path()).status();
    }
}

#[test]
fn a_full_disk_is_called_one_and_nothing_is_left_on_it() {
    let desk = Desk::new();
    let device = desk.device("d.img");
    desk.good(&["key", "new", "--no-password", &desk.text("k")]);
    let mut failed = 0;
    for size in ["12k", "24k", "40k", "64k", "4m"] {
        let Some(disk) = Small::new(size) else { return };
        let full = size == "4m";
        if full {
            disk.fill();
        }
        let to = format!("virt:{}", disk.text("one.img"));
        let attacks: [&[&str]; 5] = [
            &["flash", &desk.bundle, "--to", &to],
            &["backup", &device, "--raw", "--output", &disk.text("a")],
            &["backup", &device, "--output", &disk.text("b")],
            &["key", "new", "--no-password", &disk.text("new")],
            &["report", &desk.bundle, "-o", &disk.text("page.html")],
        ];
        for arguments in attacks {
            let (code, said) = desk.run(arguments);
            if code != Some(0) || full {
                assert_eq!(code, Some(3), "{size} {arguments:?}: {said}");
                assert!(!said.contains("no virt device"), "{said}");
                assert_eq!(disk.names(), Vec::<String>::new(), "{size} {arguments:?}");
                failed += 1;
            }
            disk.names().iter().for_each(|name| drop(fs::remove_file(disk.text(name))));
        }
    }
    assert!(failed >= 12, "{failed} of 25 disks were full");
}

#[test]
fn what_is_done_is_told_though_its_record_cannot_be_written() {
    let desk = Desk::new();
    let device = desk.device("d.img");
    let one = format!("virt:{}", desk.text("one.img"));
    let Some(disk) = Small::new("64k") else { return };
    fs::create_dir_all(disk.dir.path().join("carveout/flash-records")).unwrap();
    let records = disk.dir.path().join("carveout/flash-records/records.jsonl");
    fs::write(&records, "{}\n").unwrap();
    disk.fill();
    let app = desk.path("app.raw");
    fs::write(&app, test_image::image(1 << 20, 2)).unwrap();
    let attacks: [(&[&str], &str); 4] = [
        (&["flash", &desk.bundle, "--to", &one], "the switch to desk-1.0.0-virt-tzdram32M was made"),
        (&["restore", &device, &app.display().to_string()], "the switch to b-1 was made"),
        (&["rollback", &device, "--allow-downgrade"], "the switch to b-"),
        (&["backup", &device, "--output", &desk.text("b")], "the backup is done"),
    ];
    for (arguments, told) in attacks {
        let mut command = desk.command(arguments);
        command.env("XDG_STATE_HOME", disk.dir.path());
        // The last page of the records has room for some lines.
        fs::write(&records, "x".repeat(4095) + "\n").unwrap();
        let (code, said) = said(&within(command, arguments));
        assert_eq!(code, Some(3), "{arguments:?}: {said}");
        assert!(said.contains(told) && said.contains("do not repeat it"), "{arguments:?}: {said}");
        assert_eq!(fs::metadata(&records).unwrap().len(), 4096, "no half record is left");
    }
    assert!(desk.path("one.img").exists() && desk.path("b").exists());
}

/// Those of two clones do not wait for each other by the locks of their workspaces.
#[test]
fn two_that_share_an_output_folder_do_not_remove_each_others_work() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    fs::create_dir(&out).unwrap();
    let held = carveout_host::files::beside(&out, ".carveout-bundle-").unwrap();
    fs::write(held.path().join("file"), "work").unwrap();
    std::thread::scope(|scope| {
        for at in 0..6 {
            let (dir, out) = (dir.path(), &out);
            scope.spawn(move || publish(dir, out, at));
        }
    });
    assert_eq!(fs::read_to_string(held.path().join("file")).unwrap(), "work");
    let whole = fs::read_dir(&out)
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().ends_with(".tar.zst"));
    for entry in whole.collect::<Vec<_>>() {
        let mut verify = Command::new(env!("CARGO_BIN_EXE_xtask"));
        let output = verify.arg("verify").arg(entry.path()).output().unwrap();
        assert!(output.status.success(), "{}", said(&output).1);
    }
}

/// Publishes a bundle a few times, as `image`, `assemble` and `yocto` do.
fn publish(dir: &Path, out: &Path, at: usize) {
    use carveout_build::stages::bundle::publish;
    let own = dir.join(format!("clone-{at}"));
    fs::create_dir(&own).unwrap();
    let name = small::write(&own, "1.0.0", 32 << 20);
    let ui = carveout_host::ui::Ui::new(carveout_host::ui::Verbosity::Quiet);
    for _ in 0..5 {
        let _lock = carveout_host::files::lock_folder(out, &ui).unwrap();
        let fill = |new: &Path| {
            carveout_vendor::copy::tree(&own.join(&name), new, &|_| true)?;
            let text = fs::read_to_string(new.join(bundle::MANIFEST)).unwrap();
            Ok(bundle::Manifest::from_text(&text).unwrap())
        };
        publish::publish(&out.join(&name), None, fill).unwrap();
    }
}
