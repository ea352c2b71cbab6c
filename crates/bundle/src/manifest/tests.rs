use super::*;

#[test]
fn paths_stay_inside() {
    for good in ["a", "a/b.c", "rootfs/system.img"] {
        assert!(is_inside(good), "{good}");
    }
    for bad in ["", "/a", "../a", "a/../b", "a//b", "a/", "./a", "a\\b", "a b", "a\n"] {
        assert!(!is_inside(bad), "{bad}");
    }
}

#[test]
fn a_carve_out_that_does_not_boot_is_refused() {
    let figures =
        |size: u64| serde_json::from_value::<Tzdram>(serde_json::json!({ "size": size, "alignment": MIB }));
    let good = figures(32 * MIB).unwrap();
    assert_eq!(serde_json::to_string(&good).unwrap(), "{\"size\":33554432,\"alignment\":1048576}");
    let error = figures(107 * MIB).unwrap_err().to_string();
    assert!(error.starts_with("a carve-out of 0x6b00000 bytes does not boot"), "{error}");
}

#[test]
fn scopes_have_digests_of_their_own() {
    let file = |path: &str, role, sha: &str, partitions: &[&str]| FileEntry {
        path: path.into(),
        role,
        size: 1,
        sha256: sha.into(),
        partitions: partitions.iter().map(|p| (*p).into()).collect(),
        executable: false,
        made_of: None,
        identity: None,
    };
    let files = |tos: &str, cfg: &str, layout: &str| {
        Manifest::flash_digests(&[
            file("boot-config/a.cfg", Role::BootConfig, cfg, &["MB1_BCT", "MB1_BCT_b"]),
            file("layout/a.xml", Role::Layout, layout, &[]),
            file("rootfs/system.img", Role::Rootfs, "3", &["APP"]),
            file("secure-os/tos.img", Role::SecureOs, tos, &["secure-os", "secure-os_b"]),
        ])
    };
    let changed = |new: &BTreeMap<Scope, String>| {
        let old = files("1", "2", "4");
        old.iter().filter(|(scope, digest)| new[scope] != **digest).map(|(s, _)| *s).collect::<Vec<_>>()
    };
    assert_eq!(changed(&files("1", "2", "4")), []);
    assert_eq!(changed(&files("9", "2", "4")), [Scope::SecureOs, Scope::Full]);
    assert_eq!(changed(&files("1", "9", "4")), [Scope::Full]);
    assert_eq!(changed(&files("1", "2", "9")), [Scope::Full]);
}
