//! Root filesystems that are given as tarballs, and their sparse images, seen with other people's tools.

use crate::builds::util::{Ran, desk, manifest, root, run, xtask};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A product on the virt board whose root filesystem is `x.tar`, in any compression, beside its config.
struct Product {
    dir: tempfile::TempDir,
    config: PathBuf,
}

impl Product {
    fn new(client_apps: &str, rootfs: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("product.yaml");
        let text = format!(
            "name: given\nversion: 0.1.0\nboard: virt\ntzdram: {{ size: 32MiB }}\ntrusted_apps: [echo-srv]\n\
             client_apps: [{client_apps}]\nrootfs: {{ {rootfs} }}\n"
        );
        fs::write(&config, text).unwrap();
        Self { dir, config }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Packs what a shell script makes in an empty folder, in which `$1` is the tarball's path.
    fn pack(&self, script: &str) {
        let folder = self.path("files");
        fs::create_dir_all(&folder).unwrap();
        let script = format!("set -eu; cd \"$2\"; {script}");
        let arguments = ["-c", &script, "sh"].map(PathBuf::from);
        run("sh", arguments.into_iter().chain([self.path("x.tar"), folder])).ok();
    }

    fn verb(&self, verb: &str, more: &[&str]) -> Ran {
        let config = self.config.to_str().unwrap();
        xtask([verb, "-c", config].iter().chain(more))
    }
}

fn sha256(path: &Path) -> String {
    run("sha256sum", [path]).ok().split(' ').next().unwrap().to_owned()
}

/// What debugfs of e2fsprogs says of an image.
fn debugfs(image: &Path, request: &str) -> String {
    run("debugfs", ["-R", request, image.to_str().unwrap()]).ok()
}

#[test]
fn a_tarball_without_dpkg_is_taken_as_it_is() {
    let product = Product::new("", "kind: tarball, tarball: x.tar, size: 256MiB");
    // Compressed, without its directories, with what a chmod or chown would lose, and with a time to come.
    product.pack(
        "mkdir -p etc usr/bin dev; echo mine > etc/hostname; echo r > etc/resolv.conf; echo x > dev/something
         printf x > usr/bin/su; chmod 4750 usr/bin/su; ln -s usr/bin bin; touch -d 2020-02-02T02:02:02Z etc/hostname
         touch -d 2036-01-01 etc/resolv.conf
         tar --owner=12 --group=34 -czf \"$1\" etc/hostname etc/resolv.conf usr/bin/su dev/something bin",
    );
    let out = product.path("out");
    let bundle = PathBuf::from(product.verb("image", &["-o", out.to_str().unwrap()]).ok());
    assert_eq!(xtask(["verify".as_ref(), bundle.as_os_str()]).ok(), "ok");
    assert_eq!(fs::read_to_string(bundle.join("rootfs/packages.lock")).unwrap(), "", "no dpkg, no packages");
    let image = bundle.join("rootfs/system.img");
    assert_eq!(debugfs(&image, "cat /etc/hostname"), "mine");
    assert_eq!(debugfs(&image, "cat /etc/resolv.conf"), "r");
    let su = debugfs(&image, "stat /usr/bin/su");
    assert!(su.contains("Mode:  04750") && su.contains("User:    12   Group:    34"), "{su}");
    let time = |path: &str| {
        let stat = debugfs(&image, &format!("stat {path}"));
        let line = stat.lines().find(|line| line.trim_start().starts_with("mtime:")).unwrap().to_owned();
        line.rsplit(" -- ").next().unwrap().to_owned()
    };
    assert!(time("/etc/hostname").ends_with(" 2020"), "older times are kept: {}", time("/etc/hostname"));
    for path in ["/etc/resolv.conf", "/etc", "/usr/bin"] {
        assert!(time(path).contains("Jan  1 ") && time(path).ends_with(" 2025"), "{path}: {}", time(path));
    }
    let nodes = debugfs(&image, "ls -l /dev");
    assert!(nodes.contains("console") && nodes.contains("null") && !nodes.contains("something"), "{nodes}");
    run("fsck.ext4", ["-fn", image.to_str().unwrap()]).ok();

    // Built again it is the same; unchanged it is not built; with another byte in the tarball it is.
    let stage = PathBuf::from(product.verb("rootfs", &["-q"]).ok());
    let before = sha256(&stage.join("system.img"));
    fs::remove_dir_all(&stage).unwrap();
    let again = product.verb("rootfs", &[]);
    assert!(again.stderr().contains("rootfs tarball             reused"), "{}", again.stderr());
    assert_eq!(sha256(&PathBuf::from(again.ok()).join("system.img")), before);
    assert!(product.verb("rootfs", &["-v"]).stderr().contains("[rootfs] reused"));
    product.pack("echo other > etc/hostname; tar -czf \"$1\" etc usr bin");
    let other = PathBuf::from(product.verb("rootfs", &["-q"]).ok());
    assert_eq!(debugfs(&other.join("system.img"), "cat /etc/hostname"), "other");
}

/// The base of the desk bundle is a root filesystem as good as any: it has apt's sources and lists, too.
#[test]
fn client_apps_are_installed_in_a_tarball_and_nothing_else_changes() {
    let lock = fs::read_to_string(desk().join("rootfs/packages.lock")).unwrap();
    let stages = fs::read_dir(root().join("target/carveout/stages/rootfs-base")).unwrap().flatten();
    // Another test makes one with pinned packages of a mirror.
    let plain = |stage: &PathBuf| {
        let record = fs::read_to_string(stage.join(".stage.json"));
        record.is_ok_and(|record| !record.contains("\"mirror 0\""))
    };
    let stages = stages.map(|entry| entry.path()).filter(plain);
    let bases = stages.map(|stage| stage.join("base.tar")).filter(|path| path.exists());
    let base = bases.max_by_key(|path| fs::metadata(path).unwrap().modified().unwrap()).unwrap();
    let product = Product::new("echo-srv-app", "kind: tarball, tarball: x.tar, size: 1GiB");
    std::os::unix::fs::symlink(&base, product.path("x.tar")).unwrap();
    let stage = PathBuf::from(product.verb("rootfs", &["-q"]).ok());
    // Its checksums are those of the archive's lists in it: the very ones of the desk bundle.
    assert_eq!(fs::read_to_string(stage.join("packages.lock")).unwrap(), lock);
    let image = stage.join("system.img");
    let (before, after) = (product.path("before"), product.path("after"));
    fs::create_dir_all(&after).unwrap();
    fs::create_dir_all(&before).unwrap();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    run("tar", ["-C", &text(&before), "-xf", &text(&base)]).ok();
    debugfs(&image, &format!("rdump / {}", text(&after)));
    let mut command = Command::new("diff");
    command.args(["-rq", "--no-dereference", &text(&before), &text(&after)]);
    let differs = Ran::new(&mut command).stdout();
    for line in differs.lines() {
        let ours = line.contains("echo-srv-app") || line.contains("/var/lib/dpkg/status ");
        let made = line.ends_with("after/dev: console") || line.ends_with("after/dev: null");
        let made = made || line.ends_with("after/usr/lib: carveout");
        assert!(ours || made || line.ends_with(": lost+found") || line.ends_with(": dev"), "{differs}");
    }
    assert!(differs.contains("usr/bin: echo-srv-app"), "{differs}");
    run("fsck.ext4", ["-fn", image.to_str().unwrap()]).ok();
}

#[test]
fn tarballs_that_will_not_do_are_refused() {
    let product = Product::new("echo-srv-app", "kind: tarball, tarball: x.tar, size: 256MiB");
    let fails = || product.verb("rootfs", &[]).fails(2);
    assert!(fails().contains("x.tar: No such file"), "{}", fails());
    product.pack("mkdir -p etc usr/bin; echo > etc/issue; tar -cf \"$1\" .");
    let error = fails();
    assert!(error.contains("x.tar: has no dpkg, which installs the client apps: echo-srv-app"), "{error}");
    assert!(error.contains("help: add dpkg to the tarball, or take client_apps out of"), "{error}");
    product.pack("mkdir -p rootfs/etc rootfs/usr; echo > rootfs/etc/issue; tar -cf \"$1\" rootfs");
    let error = fails();
    assert!(
        error.contains("is no root filesystem") && error.contains("its first members are: rootfs/"),
        "{error}"
    );
    assert!(error.contains("help: pack it from inside: tar -C ROOTFS"), "{error}");
    // Of a damaged tarball nothing is used, whatever could still be read.
    product.pack(
        "head -c 300000 /dev/urandom > usr/noise; tar -czf ../x.tgz .; head -c 200000 ../x.tgz > \"$1\"",
    );
    let error = fails();
    assert!(
        error.contains("x.tar: gzip cannot unpack it") && error.contains("help: the file may be cut short"),
        "{error}"
    );
    let sample = Product::new("", "kind: l4t-sample, tarball: x.tar, size: 256MiB");
    assert!(sample.verb("rootfs", &[]).fails(2).contains("l4t-sample needs NVIDIA's BSP"));
}

#[test]
fn a_tarball_is_pinned_by_its_packages() {
    let product = Product::new("", "kind: tarball, tarball: x.tar, size: 256MiB, lock: pinned");
    product.pack(
        "mkdir -p etc usr/bin var/lib/dpkg; echo > etc/issue
         printf 'Package: a\\nStatus: install ok installed\\nVersion: 1\\nArchitecture: all\\n\\n\
         Package: b\\nStatus: deinstall ok config-files\\nVersion: 1\\nArchitecture: all\\n' > var/lib/dpkg/status
         tar -cf \"$1\" .",
    );
    fs::write(product.path("pinned"), "a\t1\tall\t-\n").unwrap();
    product.verb("rootfs", &["-q"]).ok();
    fs::write(product.path("pinned"), "a\t2\tall\t-\n").unwrap();
    let error = product.verb("rootfs", &[]).fails(1);
    assert!(error.contains("(1 differs):\n  a: 2 is pinned, 1 is installed\n"), "{error}");
    assert!(
        error.contains("help: rootfs.tarball in ") && error.contains("decides what is installed"),
        "{error}"
    );
}

/// systemd starts a console's login when udev has told it of the device; without udev it waits 90 seconds, and fails. Booted by
/// hand in QEMU, five times, this image was `running` each time (docs/root-filesystem.md).
#[test]
fn the_default_root_filesystem_has_all_that_a_clean_boot_needs() {
    let image = desk().join("rootfs/system.img");
    let seen = |request: &str| debugfs(&image, request);
    let lock = fs::read_to_string(desk().join("rootfs/packages.lock")).unwrap();
    for package in ["systemd", "systemd-sysv", "udev"] {
        assert!(lock.lines().any(|line| line.split('\t').next() == Some(package)), "{package}");
    }
    assert!(seen("stat /usr/lib/systemd/systemd-udevd").contains("bin/udevadm"));
    let wanted = seen("ls /usr/lib/systemd/system/sysinit.target.wants");
    for unit in
        ["systemd-udevd.service", "systemd-udev-trigger.service", "systemd-tmpfiles-setup-dev.service"]
    {
        assert!(wanted.contains(unit), "{unit}: {wanted}");
    }
    // The console's device, for which its login waits.
    let rules = seen("cat /usr/lib/udev/rules.d/99-systemd.rules");
    assert!(rules.contains("SUBSYSTEM==\"tty\"") && rules.contains("TAG+=\"systemd\""), "{rules}");
    assert!(seen("cat /usr/lib/systemd/system/serial-getty@.service").contains("BindsTo=dev-%i.device"));
    assert!(
        seen("stat /usr/lib/systemd/system-generators/systemd-getty-generator").contains("Type: regular")
    );
    // A kernel may mount the root read-only: this line makes it writable.
    assert_eq!(seen("cat /etc/fstab"), "/dev/root\t/\text4\tdefaults\t0 1");
    assert!(seen("stat /etc/fstab").contains("Mode:  0644"));
    assert_eq!(seen("cat /etc/hostname"), "carveout");
    // Empty: with "uninitialized" or none at all, systemd-firstboot might ask on the console.
    assert!(seen("stat /etc/machine-id").contains("Size: 0"));
    no_unit_is_missing(&image);
}

/// Each unit that is enabled is there.
fn no_unit_is_missing(image: &Path) {
    let dir = tempfile::tempdir().unwrap();
    debugfs(image, &format!("rdump /etc/systemd/system {}", dir.path().display()));
    let links = run("find", [dir.path().to_str().unwrap(), "-type", "l", "-printf", "%l\n"]).ok();
    let units: Vec<&str> = links.lines().filter(|target| target.starts_with('/')).collect();
    assert!(units.iter().any(|unit| unit.ends_with("getty@.service")), "{links}");
    for unit in units.iter().filter(|unit| **unit != "/dev/null") {
        assert!(
            debugfs(image, &format!("stat {unit}")).contains("Type: "),
            "{unit} is enabled, and not there"
        );
    }
}

/// What a Jetson bundle's image is made of: the same ext4 image, in Android's form.
#[test]
fn aosp_unpacks_the_sparse_image() {
    let dir = tempfile::tempdir().unwrap();
    let (raw, sparse, again) =
        (desk().join("rootfs/system.img"), dir.path().join("sparse"), dir.path().join("again"));
    carveout_rootfs::sparse::from_ext4(&raw, &sparse).unwrap();
    let size = |path: &Path| fs::metadata(path).unwrap().len();
    assert!(size(&sparse) < size(&raw) / 2, "{} of {}", size(&sparse), size(&raw));
    run("simg2img", [&sparse, &again]).ok();
    run("cmp", [&raw, &again]).ok();
    // Zeros that the filesystem reads are written; those that it does not use are left out.
    let kinds = chunk_kinds(&fs::read(&sparse).unwrap());
    for kind in [0xcac1u16, 0xcac2, 0xcac3] {
        assert!(kinds.contains(&kind), "{kind:x}");
    }
    let app = &manifest(desk())["plan"]["partitions"][0];
    assert_eq!((app["name"].as_str(), app["used"].as_u64()), (Some("APP"), Some(size(&raw))));
}

/// Types of all chunks of a sparse image.
fn chunk_kinds(image: &[u8]) -> Vec<u16> {
    let word = |at: usize| u32::from_le_bytes(image[at..at + 4].try_into().unwrap());
    let (mut at, mut kinds) = (28, Vec::new());
    while at < image.len() {
        kinds.push(word(at) as u16);
        at += word(at + 8) as usize;
    }
    assert_eq!(kinds.len(), word(20) as usize);
    kinds
}
