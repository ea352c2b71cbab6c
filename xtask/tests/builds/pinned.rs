//! Root filesystems that a `packages.lock` pins to versions which Debian's archive has no more.

use crate::builds::util::{Ran, desk, root, run, xtask};
use std::fs;
use std::path::{Path, PathBuf};

/// An archive with an old version of one package of the default product, signed with a key of its own (make.sh there).
const ARCHIVE: &str = "xtask/tests/builds/old-archive";
const DEB: &str = "pool/logsave_1.47.0-1_arm64.deb";

/// The default product with the old version in its lock.
struct Product {
    dir: tempfile::TempDir,
    lock: String,
}

impl Product {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let lock = fs::read_to_string(desk().join("rootfs/packages.lock")).unwrap();
        let sum = run("sha256sum", [root().join(ARCHIVE).join(DEB)]).ok();
        let old = format!("logsave\t1.47.0-1\tarm64\t{}", &sum[..64]);
        let line = |line: &str| if line.starts_with("logsave\t") { old.clone() } else { line.to_owned() };
        let lock: String = lock.lines().map(|text| line(text) + "\n").collect();
        assert!(lock.contains(&old), "the default product has logsave");
        fs::write(dir.path().join("pinned.lock"), &lock).unwrap();
        Self { dir, lock }
    }

    fn rootfs(&self, packages: &str, more: &str) -> Ran {
        let text = fs::read_to_string(root().join("configs/desk.yaml")).unwrap();
        let (before, _) = text.split_once("\nrootfs:").unwrap();
        let rootfs = format!(
            "rootfs: {{ kind: debian, suite: bookworm, packages: [{packages}], size: 1GiB, lock: pinned.lock{more} }}"
        );
        let config = self.dir.path().join("product.yaml");
        fs::write(&config, format!("{before}\n{rootfs}\n")).unwrap();
        xtask(["rootfs".as_ref(), "-c".as_ref(), config.as_os_str()])
    }
}

fn mirror(more: &str) -> String {
    format!(", mirror: {{ url: 'file://{}'{more} }}", root().join(ARCHIVE).display())
}

/// It ends before anything is built: with other packages no base is there that could be taken.
#[test]
fn versions_that_no_archive_has_are_named_before_the_build() {
    let product = Product::new();
    let error = product.rootfs("udev", "").fails(1);
    assert!(
        error.contains("pinned.lock as pinned (1):\n  logsave: 1.47.0-1 is pinned, the archives have "),
        "{error}"
    );
    assert!(
        error.contains("name an archive that has them as rootfs.mirror in ")
            && error.contains("product.yaml"),
        "{error}"
    );
    assert!(error.contains("`mirror: https://HOST/archive/debian/20250101T000000Z/`"), "{error}");
}

#[test]
fn pinned_versions_come_from_the_mirror() {
    let product = Product::new();
    // Whoever changes what is fetched must have the key.
    let error = product.rootfs("systemd-sysv, udev", &mirror("")).fails(2);
    assert!(error.contains("is not signed with Debian's keys: correct rootfs.mirror"), "{error}");
    assert!(error.contains("NO_PUBKEY"), "apt's own words are shown: {error}");

    let key = format!(", key: '{}'", root().join(ARCHIVE).join("key.asc").display());
    let stage = PathBuf::from(product.rootfs("systemd-sysv, udev", &mirror(&key)).ok());
    assert_eq!(fs::read_to_string(stage.join("packages.lock")).unwrap(), product.lock);
    let debugfs = |request: &str| {
        let image: &Path = &stage.join("system.img");
        run("debugfs", ["-R", request, image.to_str().unwrap()]).ok()
    };
    assert_eq!(debugfs("cat /usr/share/doc/logsave/carveout"), "the old version");
    assert!(debugfs("cat /var/lib/dpkg/status").contains("Package: logsave\nStatus: install ok installed\n"));
    for (folder, name) in
        [("preferences.d", "01carveout"), ("sources.list.d", "0000"), ("trusted.gpg.d", "mirror-0")]
    {
        let names = debugfs(&format!("ls /etc/apt/{folder}"));
        assert!(!names.contains(name), "nothing of it stays: {names}");
    }
    assert_eq!(debugfs("stat /etc/apt/sources.list"), "", "it is not there");
    let again = product.rootfs("systemd-sysv, udev", &mirror(&key));
    assert!(again.stderr().contains("rootfs base                reused"), "{}", again.stderr());
}
