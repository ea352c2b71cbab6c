//! What is in the default bundle, seen with other people's tools.

use crate::builds::util::{Ran, desk, files, manifest, run, small, xtask};
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn the_checksums_hold() {
    let sums = Ran::new(Command::new("sha256sum").args(["--quiet", "-c", "SHA256SUMS"]).current_dir(desk()));
    assert_eq!(sums.ok(), "");
    let listed = fs::read_to_string(desk().join("SHA256SUMS")).unwrap().lines().count();
    assert_eq!(listed, files(desk()).len() + 1, "all files and the manifest");
    for path in [desk().to_path_buf(), desk().with_file_name(archive_name(desk()))] {
        assert_eq!(xtask(["verify".as_ref(), path.as_os_str()]).ok(), "ok");
    }
}

fn archive_name(bundle: &Path) -> String {
    format!("{}.tar.zst", bundle.file_name().unwrap().to_str().unwrap())
}

#[test]
fn tar_and_zstd_unpack_the_archive() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = small(dir.path(), &[]);
    let out = dir.path().join("out");
    fs::create_dir(&out).unwrap();
    let archive = dir.path().join(archive_name(&bundle));
    let arguments = ["--zstd", "-xf", archive.to_str().unwrap(), "-C", out.to_str().unwrap()];
    run("tar", arguments).ok();
    run("diff", ["-r", bundle.to_str().unwrap(), out.join(bundle.file_name().unwrap()).to_str().unwrap()])
        .ok();
}

#[test]
fn a_flipped_byte_of_any_file_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = small(dir.path(), &[]);
    let flip = |bundle: &Path, file: &str, at: u64| {
        use std::os::unix::fs::FileExt;
        let open = fs::OpenOptions::new().read(true).write(true).open(bundle.join(file)).unwrap();
        let mut byte = [0];
        open.read_exact_at(&mut byte, at).unwrap();
        open.write_all_at(&[byte[0] ^ 0x40], at).unwrap();
    };
    let named = |bundle: &Path, file: &str, at: u64| {
        flip(bundle, file, at);
        let error = xtask(["verify".as_ref(), bundle.as_os_str()]).fails(1);
        assert!(error.contains(&format!("\n  {file}: ")), "{file} at {at}: {error}");
        flip(bundle, file, at);
    };
    let all = files(&bundle).into_iter().chain(["manifest.json".into(), "SHA256SUMS".into()]);
    for file in all {
        let length = fs::metadata(bundle.join(&file)).unwrap().len();
        for at in [0, length / 3, length / 2, length - 1] {
            named(&bundle, &file, at);
        }
    }
    assert_eq!(xtask(["verify".as_ref(), bundle.as_os_str()]).ok(), "ok");
    let copy = dir.path().join("with-rootfs");
    run("cp", ["-a", "--sparse=always", desk().to_str().unwrap(), copy.to_str().unwrap()]).ok();
    named(&copy, "rootfs/system.img", 487_654_321);
}

#[test]
fn readelf_agrees_with_the_manifest() {
    for app in manifest(desk())["trusted_apps"].as_array().unwrap() {
        let elf = desk().join(app["file"].as_str().unwrap());
        let elf = elf.to_str().unwrap();
        let head = run("readelf", ["-hW", elf]).ok();
        for expected in
            ["ELF32", "EXEC (Executable file)", "Machine:                           ARM", "soft-float ABI"]
        {
            assert!(head.contains(expected), "{expected} in {head}");
        }
        let dump = run("readelf", ["-x", ".trusty_app.manifest", elf]).ok();
        let rows = dump.lines().filter(|line| line.trim_start().starts_with("0x"));
        let words = rows
            .flat_map(|row| row.split_whitespace().skip(1).take(4).map(str::to_owned).collect::<Vec<_>>());
        let words: Vec<String> = words.collect();
        let swapped = |word: &str| u32::from_str_radix(word, 16).unwrap().swap_bytes();
        let uuid = app["uuid"].as_str().unwrap();
        assert_eq!(format!("{:08x}", swapped(&words[0])), uuid[..8]);
        // min_stack, then min_heap; `small-echo-srv` has the config's, not its own.
        assert_eq!([swapped(&words[4]), swapped(&words[6])], [1, 2]);
        assert_eq!(u64::from(swapped(&words[5])), app["stack"].as_u64().unwrap());
        assert_eq!(u64::from(swapped(&words[7])), app["heap"].as_u64().unwrap());
        let notice = run("readelf", ["-lW", elf]).ok();
        assert_eq!(notice.matches("  LOAD ").count(), 2, "{notice}");
    }
    let heap = |index: usize| manifest(desk())["trusted_apps"][index]["heap"].as_u64().unwrap();
    assert_eq!([heap(0), heap(1)], [262_144, 131_072]);
}

#[test]
fn the_package_agrees_with_the_manifest_and_lintian_is_content() {
    let dir = tempfile::tempdir().unwrap();
    let path = files(desk()).into_iter().find(|f| f.ends_with(".deb")).unwrap();
    assert_eq!(path, "client-apps/echo-srv-app_0.1.0-1_arm64.deb");
    let deb = desk().join(path);
    let deb = deb.to_str().unwrap();
    let info = run("dpkg-deb", ["-I", deb]).ok();
    for expected in
        ["Package: echo-srv-app", "Version: 0.1.0-1", "Architecture: arm64", "Maintainer: carveout"]
    {
        assert!(info.contains(expected), "{expected} in {info}");
    }
    let lintian = run("lintian", ["--allow-root", "--fail-on", "error", deb]).ok();
    assert!(!lintian.lines().any(|line| line.starts_with("E: ")), "{lintian}");
    run("dpkg-deb", ["-x", deb, dir.path().to_str().unwrap()]).ok();
    let program = dir.path().join("usr/bin/echo-srv-app");
    let program = program.to_str().unwrap();
    let elf = run("readelf", ["-hlW", program]).ok();
    assert!(elf.contains("AArch64") && !elf.contains("INTERP"), "{elf}");
    assert_eq!(run("qemu-aarch64-static", [program, "--version"]).ok(), "echo-srv-app 0.1.0");
    let error = run("qemu-aarch64-static", [program, "--device", "/nonexistent"]).fails(3);
    assert!(error.starts_with("error: /nonexistent: No such file or directory"), "{error}");
}

/// Runs one debugfs command on the root filesystem's image.
fn debugfs(command: &str) -> String {
    let image = desk().join("rootfs/system.img");
    let ran = Ran::new(Command::new("/usr/sbin/debugfs").args(["-R", command]).arg(image));
    format!("{}\n{}", ran.stdout(), ran.stderr())
}

#[test]
fn the_root_filesystem_is_whole_and_safe_to_boot_first() {
    let image = desk().join("rootfs/system.img");
    assert_eq!(fs::metadata(&image).unwrap().len(), 512 << 20);
    run("/usr/sbin/fsck.ext4", ["-fn", image.to_str().unwrap()]).ok();
    assert!(debugfs("stat /etc/machine-id").contains("Size: 0"), "empty, so that the first boot makes one");
    for absent in
        ["/etc/resolv.conf", "/etc/ssh/ssh_host_rsa_key", "/var/lib/dbus/machine-id", "/etc/apt/sources.list"]
    {
        assert!(debugfs(&format!("stat {absent}")).contains("File not found"), "{absent}");
    }
    for empty in ["/var/lib/apt/lists/partial", "/var/cache/apt/archives", "/etc/apt/sources.list.d"] {
        let names = debugfs(&format!("ls -p {empty}"));
        let files = names.lines().filter(|l| l.starts_with('/') && !l.contains("/./") && !l.contains("/../"));
        let files: Vec<&str> = files.filter(|l| !l.contains("/partial/") && !l.contains("/lock/")).collect();
        assert_eq!(files, Vec::<&str>::new(), "{empty}");
    }
    assert!(debugfs("cat /etc/hostname").starts_with("carveout\n"));
    assert!(debugfs("stat /usr/bin/echo-srv-app").contains("Type: regular"));
    assert!(debugfs("stat /sbin/init").contains("Type: symlink"), "systemd-sysv of the config is installed");
    let lock = fs::read_to_string(desk().join("rootfs/packages.lock")).unwrap();
    let status = debugfs("cat /var/lib/dpkg/status");
    assert_eq!(lock.lines().count(), status.matches("\nStatus: install ok installed").count());
    for line in lock.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        assert!(fields.len() == 4 && fields[3].len() == 64, "{line}");
    }
    let deb = files(desk()).into_iter().find(|f| f.ends_with(".deb")).unwrap();
    let sum = run("sha256sum", [desk().join(deb)]).ok();
    assert!(lock.contains(&format!("echo-srv-app\t0.1.0-1\tarm64\t{}\n", &sum[..64])), "{lock}");
}

#[test]
fn a_larger_carve_out_changes_the_boot_config_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let (old, new) = (small(dir.path(), &[]), small(dir.path(), &["--tzdram", "64MiB"]));
    assert_eq!(old.file_name().unwrap(), "desk-0.1.0-virt-tzdram32M");
    assert_eq!(new.file_name().unwrap(), "desk-0.1.0-virt-tzdram64M");
    assert_eq!(files(&old), files(&new));
    for file in files(&old) {
        let [before, after] = [&old, &new].map(|bundle| fs::read(bundle.join(&file)).unwrap());
        if !file.starts_with("boot-config/") {
            assert!(before == after, "{file}");
            continue;
        }
        let before = String::from_utf8(before).unwrap();
        assert!(before.contains("carveout.tzdram.size = 0x02000000;"), "{before}");
        let expected =
            before.replace("carveout.tzdram.size = 0x02000000;", "carveout.tzdram.size = 0x04000000;");
        assert_eq!(String::from_utf8(after).unwrap(), expected);
    }
    let digests = |bundle: &Path| manifest(bundle)["flash"].clone();
    assert_ne!(digests(&old)["full"], digests(&new)["full"]);
    assert_eq!(digests(&old)["secure-os"], digests(&new)["secure-os"]);
}

#[test]
fn inspect_explains_each_kind() {
    let says = |path: &str, expected: &[&str]| {
        let text = xtask(["inspect".as_ref(), desk().join(path).as_os_str()]).ok();
        for words in expected {
            assert!(text.contains(words), "{words} in {text}");
        }
    };
    says("", &["bundle desk-0.1.0-virt-tzdram32M", "carve-out        32 MiB", "com.carveout.srv.echo-srv"]);
    says("../desk-0.1.0-virt-tzdram32M.tar.zst", &["bundle desk-0.1.0-virt-tzdram32M"]);
    says("secure-os/tos.img", &["secure-os image (NVTOSP)", "c5a1a9e2-5d5f-4f0e-9a52-0f1ec4e0c001"]);
    says("trusted-apps/small-echo-srv.elf", &["passes all rules of the loader", "128 KiB"]);
    says(
        "boot-config/tegra194-mb1-bct-misc-l4t.cfg",
        &["carveout.tzdram.size        0x02000000 = 32 MiB (line 3)"],
    );
    says("layout/flash_virt.xml", &["secure-os_b", "2621440", "536870912 rootfs/system.img"]);
    let json =
        xtask(["--json".as_ref(), "inspect".as_ref(), desk().join("secure-os/tos.img").as_os_str()]).result();
    assert_eq!(json["trusted_apps"].as_array().unwrap().len(), 2);
}
