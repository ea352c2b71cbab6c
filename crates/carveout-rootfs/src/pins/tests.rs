use super::*;
use crate::errors::SHOWN;
use carveout_product::Mirror;
use std::fs;
use std::io::Cursor;

fn rootfs(kind: RootfsKind, mirrors: &[&str]) -> Rootfs {
    let mirror = |url: &&str| Mirror { url: (*url).into(), suites: vec!["bookworm".into()], key: None };
    Rootfs {
        kind,
        suite: "bookworm".into(),
        packages: Vec::new(),
        tarball: None,
        size: 1 << 30,
        lock: None,
        mirrors: mirrors.iter().map(mirror).collect(),
    }
}

/// What is said of a root filesystem with the packages `found`, where `pinned` are wanted.
fn refused(rootfs: &Rootfs, pinned: &str, found: &str) -> Refused {
    let dir = tempfile::tempdir().unwrap();
    let lock = dir.path().join("lock");
    fs::write(&lock, pinned).unwrap();
    let ours = BTreeSet::from(["app".to_owned()]);
    let mut refused = enforce(rootfs, &lock, found, &ours, Path::new("p.yaml")).unwrap_err();
    refused.error.message = refused.error.message.replace(&lock.display().to_string(), "LOCK");
    refused
}

#[test]
fn the_same_packages_are_taken_in_any_order() {
    let dir = tempfile::tempdir().unwrap();
    let lock = dir.path().join("lock");
    fs::write(&lock, "a\t1\tall\tx\nb\t1\tall\t-\n").unwrap();
    let debian = rootfs(RootfsKind::Debian, &[]);
    let found = "b\t1\tall\t-\na\t1\tall\tx\n";
    assert_eq!(enforce(&debian, &lock, found, &BTreeSet::new(), Path::new("p.yaml")), Ok(()));
}

#[test]
fn packages_that_moved_are_named_with_both_versions_and_the_way_back() {
    let debian = rootfs(RootfsKind::Debian, &[]);
    let pinned = "a\t1:2.0-1\tall\tx\nb\t1\tarm64\ty\nold\t1\tall\tz\n";
    let told = refused(&debian, pinned, "a\t1:2.0-2\tall\tx2\nb\t1\tarm64\ty\nnew\t3\tall\tz\n");
    assert!(told.of_archive);
    assert_eq!(
        told.error.message,
        "the root filesystem's packages are not those of LOCK (3 differ):\n  a: 1:2.0-1 is pinned, 1:2.0-2 is installed\n  \
         old: 1 is pinned, not installed\n  new: 3 is installed, not pinned"
    );
    let remedy = told.error.remedy.unwrap();
    assert!(remedy.contains("as rootfs.mirror in p.yaml"), "{remedy}");
    assert!(remedy.contains("`mirror: https://HOST/archive/debian/20250101T000000Z/`"), "{remedy}");
    let with = rootfs(RootfsKind::Debian, &["https://a/b"]);
    let remedy = refused(&with, pinned, "a\t1:2.0-2\tall\tx\n").error.remedy.unwrap();
    assert!(remedy.contains("suites: [bookworm-security]"), "{remedy}");
}

#[test]
fn packages_that_came_or_went_are_named() {
    let told =
        refused(&rootfs(RootfsKind::Debian, &[]), "a\t1\tall\tx\n", "a\t1\tall\tx\nudev\t252\tarm64\ty\n");
    assert!(
        told.error.message.ends_with("(1 differs):\n  udev: 252 is installed, not pinned"),
        "{}",
        told.error
    );
    let remedy = told.error.remedy.unwrap();
    assert!(remedy.starts_with("rootfs.packages in p.yaml") && !remedy.contains("mirror"), "{remedy}");
    let told = refused(&rootfs(RootfsKind::Tarball, &[]), "a\t1\tall\t-\n", "a\t2\tall\t-\n");
    assert!(told.error.message.ends_with("  a: 1 is pinned, 2 is installed"), "{}", told.error);
    let remedy = told.error.remedy.unwrap();
    assert!(remedy.starts_with("rootfs.tarball in p.yaml decides"), "{remedy}");
}

#[test]
fn our_own_packages_are_no_archives() {
    let told = refused(&rootfs(RootfsKind::Debian, &[]), "app\t1\tarm64\tx\n", "app\t1\tarm64\ty\n");
    assert!(!told.of_archive);
    assert!(
        told.error.message.ends_with("  app: 1 with sha256 x… is pinned, with y… is installed"),
        "{}",
        told.error
    );
    let remedy = told.error.remedy.unwrap();
    assert!(remedy.starts_with("this workspace's own packages have changed; "), "{remedy}");
}

#[test]
fn a_long_list_is_cut_short() {
    let pinned: String = (0..20).map(|n| format!("p{n}\t1\tall\tx\n")).collect();
    let told = refused(&rootfs(RootfsKind::Debian, &[]), &pinned, "");
    assert_eq!(told.error.message.lines().count(), 1 + SHOWN + 1);
    assert!(told.error.message.ends_with("\n  and 8 more"), "{}", told.error);
}

#[test]
fn a_package_of_two_architectures_is_compared_with_its_own() {
    let pins = |text| Pins::parse(text).unwrap();
    let pinned = pins("c\t1\tarm64\tx\nc\t1\tarmhf\ty\n");
    assert_eq!(
        Differences::of(&pinned, &pins("c\t1\tarm64\tx\nc\t2\tarmhf\tz\n")).lines(),
        ["c: 1 is pinned, 2 is installed"]
    );
    let changed = Differences::of(&pins("c\t1\tall\tx\n"), &pins("c\t1\tarm64\ty\n"));
    assert_eq!(changed.lines(), ["c: 1 for all is pinned, for arm64 is installed"]);
}

#[test]
fn lines_that_are_none_are_refused_with_their_number() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lock");
    for bad in
        ["a 1 all x", "a\t1\tall", "a\t1\tall\tx\ty", "*\t1\tall\tx", "a\t1\n", "a\t\tall\tx", "\u{1b}[2J"]
    {
        fs::write(&path, format!("good\t1\tall\tx\n{bad}\n")).unwrap();
        let error = Pins::read(&path).unwrap_err();
        assert!(error.message.contains("lock:2: `") && error.message.contains("by tabs"), "{error}");
        assert!(!error.message.contains('\u{1b}'), "{error:?}");
    }
    fs::write(&path, "").unwrap();
    assert_eq!(Pins::read(&path), Ok(Pins::default()));
}

#[test]
fn preferences_ask_for_the_pinned_versions() {
    let pins = Pins::parse("a\t1:2~b+c-3\tall\tx\nb\t4\tarm64\ty\n").unwrap();
    assert_eq!(
        pins.preferences(),
        "Package: a\nPin: version 1:2~b+c-3\nPin-Priority: 1001\n\nPackage: b\nPin: version 4\nPin-Priority: 1001\n\n"
    );
}

#[test]
fn what_archives_lack_is_known_beforehand() {
    let stanza = |name, version, sum| {
        format!("Package: {name}\nVersion: {version}\nArchitecture: all\nSHA256: {sum}\n\n")
    };
    let lists = [("a", 1, "x"), ("a", 2, "y"), ("b", 3, "z"), ("b", 2, "z")]
        .map(|(n, v, s)| stanza(n, v, s))
        .concat();
    let known = Known::read(Cursor::new(lists)).unwrap();
    let missing = |text: &str| Pins::parse(text).unwrap().missing(&known);
    assert_eq!(missing("a\t1\tall\tx\nours\t7\tarm64\tz\n"), Vec::<String>::new());
    assert_eq!(missing("b\t1\tall\tx\n"), ["b: 1 is pinned, the archives have 2 and 3"]);
    let told = missing("a\t1\tall\tother\n");
    assert_eq!(told, ["a: 1 has sha256 x… in the archives, other… is pinned"]);
    let pins = Pins::parse("b\t1\tall\tx\n").unwrap();
    let debian = rootfs(RootfsKind::Debian, &[]);
    let error = ensure_there(&debian, Path::new("l"), &pins, &known, Path::new("p.yaml")).unwrap_err();
    assert!(error.message.starts_with("no archive has a package of l as pinned (1):\n  b: 1"), "{error}");
    assert!(error.remedy.unwrap().contains("rootfs.mirror in p.yaml"));
}

#[test]
fn packages_that_no_archive_has_are_named_with_the_nearest_name() {
    let lists =
        "Package: systemd-sysv\nVersion: 1\n\nPackage: exim4\nProvides: mail-agent, x (= 1)\nVersion: 2\n\n";
    let known = Known::read(Cursor::new(lists)).unwrap();
    let debian = rootfs(RootfsKind::Debian, &[]);
    let ensure = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        ensure_known(&debian, &names, &known, Path::new("p.yaml"))
    };
    assert_eq!(ensure(&["systemd-sysv", "mail-agent", "x"]), Ok(()));
    let error = ensure(&["systemd-sysw", "mail-agent", "zzz"]).unwrap_err();
    assert_eq!(
        error.message,
        "Debian bookworm has no such package:\n  systemd-sysw: did you mean `systemd-sysv`?\n  zzz"
    );
    assert_eq!(error.remedy.unwrap(), "correct rootfs.packages in p.yaml");
}
