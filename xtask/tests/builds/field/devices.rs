//! Virt devices: killed, saved, and what is refused.

use super::{active, bundles, open};
use crate::builds::util::{Ran, desk, run};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tegra_flash::filesystem::test_image::image as image_of;
use virt_device::{Device, DevicePart};

/// At least 200 power cuts (kill -9) at random moments of flashes and restores: the device has one of both bundles, whole.
#[test]
fn a_killed_flash_leaves_a_bootable_device() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("device.img");
    let target = format!("virt:{}", path.display());
    let [one, other] = bundles();
    // With room for a root filesystem, so that there is something to write for a while.
    let mut partitions: Vec<(String, u64)> =
        ["MB1_BCT", "MB1_BCT_b"].map(|name| (name.to_owned(), 65536)).into();
    partitions.extend(["secure-os", "secure-os_b"].map(|name| (name.to_owned(), 2_621_440)));
    partitions.extend(["APP", "APP_b"].map(|name| (name.to_owned(), 32 << 20)));
    partitions.push(("UDA".into(), 8 << 20));
    let size = virt_device::needed(&partitions).unwrap();
    let file = fs::OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    file.set_len(size).unwrap();
    drop(Device::create(file, size, &partitions).unwrap());
    let images = ["a", "b"].map(|name| {
        let image = dir.path().join(name);
        fs::write(&image, image_of(24 << 20, name.as_bytes()[0])).unwrap();
        image.display().to_string()
    });
    let command = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(arguments).env("XDG_STATE_HOME", dir.path()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    };
    let flash = |bundle: &Path| command(&["flash", bundle.to_str().unwrap(), "--to", &target]);
    let restore = |image: &str| command(&["restore", &target, image]);
    assert!(flash(&one.0).status().unwrap().success());
    let timed = |mut command: Command| {
        let start = Instant::now();
        assert!(command.status().unwrap().success());
        start.elapsed()
    };
    let (flashing, restoring) = (timed(flash(&one.0)), timed(restore(&images[0])));
    let (mut kills, mut survived, mut luck) = (0, 0, 0x2545_f491_4f6c_dd1d_u64);
    let mut seen = std::collections::BTreeMap::<String, u32>::new();
    while kills < 200 {
        luck = luck.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let (mut command, whole) = match kills % 4 {
            0 => (flash(&one.0), flashing),
            1 => (flash(&other.0), flashing),
            even => (restore(&images[even % 2]), restoring),
        };
        let after = whole.mul_f64(1.1 * (luck >> 33) as f64 / f64::from(1_u32 << 31));
        let mut child = command.spawn().unwrap();
        std::thread::sleep(after.max(Duration::from_millis(1)));
        let ended = child.try_wait().unwrap().is_some();
        let _ = child.kill();
        let _ = child.wait();
        kills += usize::from(!ended);
        survived += u32::from(ended);
        let bundle = active(&path);
        assert!([&one.1, &other.1].contains(&&bundle), "{bundle}");
        *seen.entry(bundle).or_default() += 1;
        assert!(survived < 2000, "flashes end before they can be killed");
    }
    println!("{kills} kills, {survived} runs ended before: {seen:?}");
    // The next run completes.
    assert!(flash(&other.0).status().unwrap().success());
    assert!(restore(&images[1]).status().unwrap().success());
    assert_eq!(active(&path), other.1);
    let mut app = Vec::new();
    open(&path).read(DevicePart::App, Some(24 << 20)).unwrap().read_to_end(&mut app).unwrap();
    assert!(app == image_of(24 << 20, b'b'));
}

#[test]
fn a_root_filesystem_is_kept_saved_and_brought_back() {
    let dir = tempfile::tempdir().unwrap();
    let (path, own) = (dir.path().join("d.img"), dir.path().join("own.raw"));
    let target = format!("virt:{}", path.display());
    let xtask = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        Ran::new(command.args(arguments).env("XDG_STATE_HOME", dir.path()))
    };
    let [bundle, other] = bundles();
    let bundle = bundle.0.to_str().unwrap();
    xtask(&["flash", bundle, "--to", &target]).ok();
    fs::write(&own, image_of(1 << 20, 7)).unwrap();
    let restore = ["restore", &target, own.to_str().unwrap()];
    assert!(xtask(&restore).fails(2).contains("has no partition APP"));
    assert!(xtask(&["backup", &target, "-o", "x"]).fails(1).contains("has no root filesystem"));
    // A device that has one.
    let mut device = open(&path);
    let mut partitions: Vec<(String, u64)> =
        device.partitions().iter().map(|(name, space)| (name.clone(), space.size)).collect();
    partitions.extend(["APP", "APP_b"].map(|name| (name.to_owned(), 4 << 20)));
    let size = virt_device::needed(&partitions).unwrap();
    fs::remove_file(&path).unwrap();
    let file = fs::OpenOptions::new().read(true).write(true).create_new(true).open(&path).unwrap();
    file.set_len(size).unwrap();
    device = Device::create(file, size, &partitions).unwrap();
    drop(device);
    xtask(&["flash", bundle, "--to", &target]).ok();
    assert_eq!(xtask(&restore).ok(), "ok");
    // A full flash of a bundle that has none does not touch it.
    xtask(&["flash", other.0.to_str().unwrap(), "--to", &target]).ok();
    for more in [&["--raw"][..], &[]] {
        let out = dir.path().join(format!("saved{}", more.len()));
        xtask(&[&["backup", &target, "-o", out.to_str().unwrap()], more].concat()).ok();
        let saved = fs::read(&out).unwrap();
        assert_eq!(saved == fs::read(&own).unwrap(), !more.is_empty());
        assert_eq!(xtask(&["restore", &target, out.to_str().unwrap()]).ok(), "ok");
    }
    let mut app = Vec::new();
    open(&path).read(DevicePart::App, Some(1 << 20)).unwrap().read_to_end(&mut app).unwrap();
    assert!(app == image_of(1 << 20, 7));
}

#[test]
fn what_must_not_be_flashed_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let xtask = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        Ran::new(command.args(arguments).env("XDG_STATE_HOME", dir.path()))
    };
    let bundle = bundles()[0].0.to_str().unwrap();
    let device = format!("virt:{}", path("d.img"));
    let flash = |to: &str, more: &[&str]| xtask(&[&["flash", bundle, "--to", to], more].concat());
    xtask(&["key", "new", &path("key"), "--no-password"]).ok();
    let unsigned = flash(&device, &["--key", &path("key.pub")]).fails(1);
    assert!(
        unsigned.contains("not signed, expected key") && !Path::new(&path("d.img")).exists(),
        "{unsigned}"
    );
    assert!(flash(&device, &["--key", "nonsense"]).fails(2).contains("no public key of minisign"));
    assert!(flash(&device, &["--scope", "secure-os"]).fails(1).contains("has no bundle yet"));
    assert!(flash(&device, &["--scope", "app"]).fails(1).contains("has no bundle yet"));
    assert!(flash("virt:/etc/passwd", &[]).fails(2).contains("no virt device"));
    assert!(flash("usb:1", &[]).fails(2).contains("unknown device"));
    assert!(
        xtask(&["flash", bundle, "--to", &device, "--to", "usb"])
            .fails(2)
            .contains("devices of several kinds")
    );
    assert!(xtask(&["flash", bundle, "--to", &device, "--to", &device]).fails(2).contains("is named twice"));
    assert!(
        xtask(&["flash", "--channel", &path(""), "--to", &device])
            .fails(2)
            .contains("there is no index.json")
    );
    let remote = xtask(&["flash", "--channel", "https://example.invalid/x", "--to", &device]).fails(2);
    assert!(remote.contains("trusted by its signature alone"), "{remote}");
    let plain =
        ["flash", "--channel", "http://example.invalid/x", "--key", &path("key.pub"), "--to", &device];
    assert!(xtask(&plain).fails(2).contains("neither HTTPS nor a folder"));
    // A disk that is too small is not made larger.
    File::create(path("small.img")).unwrap().set_len(1 << 20).unwrap();
    let small = flash(&format!("virt:{}", path("small.img")), &[]).fails(2);
    assert!(
        small.contains("has 1048576 bytes, the layout needs") && small.contains("truncate -s"),
        "{small}"
    );
    // In use.
    flash(&device, &[]).ok();
    let lock = File::open(path("d.img")).unwrap();
    lock.lock().unwrap();
    assert!(flash(&device, &[]).fails(1).contains("in use: another carveout"));
    assert!(xtask(&["rollback", &device]).fails(1).contains("in use"));
    drop(lock);
    assert!(xtask(&["rollback", &device]).fails(1).contains("there is no bundle to go back to"));
    assert!(xtask(&["rollback", "usb"]).fails(2).contains("unknown device"));
    // Behind what the device has had.
    let file = fs::OpenOptions::new().read(true).write(true).open(path("d.img")).unwrap();
    let size = file.metadata().unwrap().len();
    Device::open(file, size).unwrap().remember(5).unwrap();
    let old = flash(&device, &[]).fails(1);
    assert!(old.contains("has had security version 5") && old.contains("--allow-downgrade"), "{old}");
    flash(&device, &["--allow-downgrade"]).ok();
    assert_eq!(open(Path::new(&path("d.img"))).state().security_version, 5, "that is not forgotten");
    // A damaged slot under what would be gone back to.
    let space = open(Path::new(&path("d.img"))).partitions()["secure-os"];
    let file = fs::OpenOptions::new().write(true).open(path("d.img")).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, b"damaged", space.start + 4096).unwrap();
    let damaged = xtask(&["rollback", &device, "--allow-downgrade"]).fails(1);
    assert!(damaged.contains("partition secure-os does not hold what was written to it"), "{damaged}");
    // A disk that gets full.
    let mount = dir.path().join("mount");
    fs::create_dir(&mount).unwrap();
    let options = ["-t", "tmpfs", "-o", "size=100k", "tmpfs", mount.to_str().unwrap()];
    if Command::new("mount").args(options).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    {
        let full = flash(&format!("virt:{}", mount.join("d.img").display()), &[]).fails(3);
        run("umount", [&mount]).ok();
        assert!(full.contains("No space left on device"), "{full}");
    } else {
        println!("skipped: only root can mount a small disk to fill");
    }
}

/// A bundle with a root filesystem of 1 GiB, in and out of its archive.
#[test]
fn memory_does_not_grow_with_the_bundle() {
    const LARGEST: u64 = 256 << 10;
    const MEASURE: &str = "import resource, subprocess, sys; \
        subprocess.run(sys.argv[1:], check=True, stdout=sys.stderr); \
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let dir = tempfile::tempdir().unwrap();
    let device = format!("virt:{}", dir.path().join("device.img").display());
    let folder = desk().to_str().unwrap();
    let archive = format!("{folder}.tar.zst");
    for arguments in [
        &["verify", folder][..],
        &["verify", &archive],
        &["flash", &archive, "--to", &device],
        &["flash", folder, "--to", &device],
        &["report", folder, "-o", dir.path().join("page.html").to_str().unwrap()],
    ] {
        let mut command = Command::new("python3");
        command.args(["-c", MEASURE, env!("CARGO_BIN_EXE_xtask")]).args(arguments);
        command.env("XDG_STATE_HOME", dir.path().join("state"));
        let kibibytes: u64 = Ran::new(&mut command).ok().parse().unwrap();
        assert!((1 << 10..LARGEST).contains(&kibibytes), "{arguments:?}: {kibibytes} KiB");
    }
}
