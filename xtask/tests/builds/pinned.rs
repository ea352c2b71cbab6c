//! Root filesystems that a `packages.lock` pins to versions which Debian's archive has no more.

use crate::builds::elsewhere::{Elsewhere, bases_of};
use crate::builds::entries::{differences, entries};
use crate::builds::util::{Ran, desk, is_full, root, run, xtask};
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufReader;
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
        xtask(["rootfs", "-c", &self.config(packages, more)])
    }

    fn config(&self, packages: &str, more: &str) -> String {
        let text = fs::read_to_string(root().join("configs/desk.yaml")).unwrap();
        let (before, _) = text.split_once("\nrootfs:").unwrap();
        let rootfs = format!(
            "rootfs: {{ kind: debian, suite: bookworm, packages: [{packages}], size: 512MiB, lock: pinned.lock{more} }}"
        );
        let config = self.dir.path().join("product.yaml");
        fs::write(&config, format!("{before}\n{rootfs}\n")).unwrap();
        config.display().to_string()
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

/// What is not the same in the base with the old version of logsave, but for the archive's own lists.
const PINNED: [&str; 12] = [
    "./etc/apt/preferences.d/01carveout",
    "./etc/apt/sources.list.d/0000sources.list",
    "./usr/sbin/logsave",
    "./usr/share/doc/logsave/carveout",
    "./usr/share/doc/logsave/changelog.Debian.arm64.gz",
    "./usr/share/doc/logsave/changelog.Debian.gz",
    "./usr/share/doc/logsave/copyright",
    "./usr/share/man/man8/logsave.8.gz",
    "./var/lib/dpkg/info/logsave.list",
    "./var/lib/dpkg/info/logsave.md5sums",
    STATUS[0],
    STATUS[1],
];
const STATUS: [&str; 2] = ["./var/lib/dpkg/status", "./var/lib/dpkg/status-old"];

/// The base of the default product, and one that was built elsewhere with the old version: all but that is the same.
fn bases_are_the_same(ours: &Path, theirs: &Path) {
    let [ours, theirs] = [ours, theirs].map(|rootfs| bases_of(rootfs)[0].join("base.tar"));
    let read = |base: &Path| entries(BufReader::new(File::open(base).unwrap()));
    let found = differences(&read(&ours), &read(&theirs));
    let place = root().join(ARCHIVE).display().to_string().replace('/', "_");
    let lists = ["InRelease", "main_binary-arm64_Packages"]
        .map(|name| format!("./var/lib/apt/lists/{place}_dists_bookworm_{name}"));
    let expected: BTreeSet<&str> = PINNED.into_iter().chain(lists.iter().map(String::as_str)).collect();
    assert_eq!(found.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected, "{found:#?}");
    for file in STATUS {
        let [ours, theirs] = [&ours, &theirs].map(|base| {
            let text = run("tar", ["-xOf".as_ref(), base.as_os_str(), file.as_ref()]).ok();
            let others = text.split("\n\n").filter(|stanza| !stanza.starts_with("Package: logsave\n"));
            others.map(str::to_owned).collect::<Vec<_>>()
        });
        assert!(ours.len() > 50 && ours == theirs, "{file}: what it says of other packages differs");
    }
}

/// Elsewhere, so that the base is built twice under different conditions: all but what is pinned is the same in the default product's.
#[test]
fn pinned_versions_come_from_the_mirror_and_a_base_is_the_same_elsewhere() {
    if !is_full() {
        return;
    }
    let product = Product::new();
    // Whoever changes what is fetched must have the key.
    let error = product.rootfs("systemd-sysv, udev", &mirror("")).fails(2);
    assert!(error.contains("is not signed with Debian's keys: correct rootfs.mirror"), "{error}");
    assert!(error.contains("NO_PUBKEY"), "apt's own words are shown: {error}");

    let key = format!(", key: '{}'", root().join(ARCHIVE).join("key.asc").display());
    let elsewhere = Elsewhere::new(product.dir.path());
    ["client-app-echo-srv-app", "client-apps"].iter().for_each(|name| elsewhere.share_stage(name));
    let config = product.config("systemd-sysv, udev", &mirror(&key));
    let build = || elsewhere.xtask(&["rootfs", "-c", &config]);
    // It is made of what is pinned: `errors` shows that another list is refused.
    let stage = PathBuf::from(build().ok());
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
    let again = build();
    assert!(again.stderr().contains("rootfs base                reused"), "{}", again.stderr());
    bases_are_the_same(xtask(["rootfs"]).ok().as_ref(), &stage);
}
