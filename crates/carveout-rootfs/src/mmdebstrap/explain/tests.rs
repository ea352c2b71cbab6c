use super::*;
use carveout_host::error::Exit;
use carveout_product::RootfsKind;

fn rootfs() -> Rootfs {
    Rootfs {
        kind: RootfsKind::Debian,
        suite: "bookwrm".into(),
        packages: Vec::new(),
        tarball: None,
        size: 1 << 30,
        lock: None,
        mirrors: vec![Mirror { url: "file:///srv/old/".into(), suites: vec!["a".into()], key: None }],
    }
}

/// What is said of a run with this output.
fn told(output: &str) -> Error {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    fs::write(&log, format!("$ earlier\nE: of another run\n$ mmdebstrap x\n{output}")).unwrap();
    let error = with_first_error(Error::check("mmdebstrap failed (exit status: 25)\n  | last"), &log);
    assert!(error.message.starts_with("mmdebstrap failed (exit status: 25)\n  | "), "{error}");
    assert!(!error.message.contains("of another run") && !error.message.contains("$ mmdebstrap"), "{error}");
    if error.remedy.is_some() {
        return error;
    }
    let packages = || ["systemd", "systemd-sysv", "udev"].map(str::to_owned).to_vec();
    explain(error, &rootfs(), Path::new("p.yaml"), &["bookworm".into()], packages)
}

#[test]
fn the_first_error_is_shown_with_what_leads_to_it() {
    let noise: String = (0..40).map(|n| format!("Get:{n} http://h x [1 kB]\n")).collect();
    let after: String = (0..40).map(|n| format!("I: cleaning {n}\nE: follows {n}\n")).collect();
    let error = told(&format!(
        "{noise}I: installing\nSetting up x (1) ...\nx: cannot open /proc\ndpkg: error processing package x (--configure):\n \
         installed x package post-installation script subprocess returned error exit status 1\n{after}"
    ));
    assert_eq!((error.exit, error.remedy.clone()), (Exit::Check, None), "nothing is guessed");
    let lines: Vec<&str> = error.message.lines().collect();
    assert_eq!(
        lines[1..5],
        [
            "  | Setting up x (1) ...",
            "  | x: cannot open /proc",
            "  | dpkg: error processing package x (--configure):",
            "  |  installed x package post-installation script subprocess returned error exit status 1"
        ]
    );
    assert!(!error.message.contains("follows 30"), "{error}");
}

#[test]
fn a_log_without_an_error_leaves_the_error_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let log = dir.path().join("log");
    fs::write(&log, b"$ x\nkilled \xff\n").unwrap();
    assert_eq!(with_first_error(Error::check("a\nb"), &log), Error::check("a\nb"));
    assert_eq!(with_first_error(Error::check("a"), &dir.path().join("none")), Error::check("a"));
}

#[test]
fn the_network_is_blamed_in_apts_words_alone() {
    for (output, help) in [
        ("E: Failed to fetch http://h/x  Temporary failure resolving 'h'\n", "check the network and DNS"),
        (
            "E: Failed to fetch http://h/x  Could not connect to h:80 (1.2.3.4)\n",
            "check the network, and apt's proxy",
        ),
        (
            "E: Failed to fetch http://h/x  Connection timed out [IP: 1.2.3.4 80]\n",
            "check the network, and apt's proxy",
        ),
        ("E: Release file for http://h/x is not valid yet (invalid for another 2h)\n", "set the clock"),
        (
            "E: Release file for http://h/x is expired (invalid since 2d)\n",
            "the archive is no longer updated",
        ),
        ("E: Failed to fetch http://h/x  Hash Sum mismatch\n", "run the command again; if it stays"),
        ("tar: ./usr/x: Cannot write: No space left on device\n", "free some space in "),
    ] {
        let error = told(output);
        assert_eq!(error.exit, Exit::Environment, "{error}");
        assert!(error.remedy.as_ref().unwrap().contains(help), "{error}");
    }
    let error =
        told("E: some index files failed to download\nE: Failed to fetch x  500 Internal Server Error\n");
    assert_eq!((error.exit, error.remedy), (Exit::Check, None));
}

#[test]
fn what_the_config_names_wrongly_is_told_with_the_nearest_name() {
    for (output, help) in [
        (
            "E: Unable to locate package systemd-sysw\n",
            "correct rootfs.packages in p.yaml: Debian bookwrm has no package `systemd-sysw`. Did you mean `systemd-sysv`?",
        ),
        (
            "Package eudev is not available\nE: Package 'eudev' has no installation candidate\n",
            "has no package `eudev`. Did you mean `udev`?",
        ),
        (
            "E: The repository 'http://h/debian bookwrm Release' does not have a Release file.\n",
            "correct rootfs.suite in p.yaml: the archive has no suite bookwrm. Did you mean `bookworm`?",
        ),
        (
            "E: The repository 'copy:/srv/old a Release' does not have a Release file.\n",
            "correct rootfs.mirror in p.yaml: file:///srv/old/ has not all of a",
        ),
        (
            "W: GPG error: copy:/srv/old a InRelease: NO_PUBKEY 12\nE: The repository 'copy:/srv/old a InRelease' is not signed.\n",
            "file:///srv/old/ is not signed with Debian's keys: correct rootfs.mirror",
        ),
        (
            "The following packages have unmet dependencies:\n x : Depends: y\nE: Unable to correct problems\n",
            "does not have what the lines above say",
        ),
    ] {
        let error = told(output);
        assert_eq!(error.exit, Exit::Usage, "{error}");
        assert!(error.remedy.as_ref().unwrap().contains(help), "{error}");
    }
    let error = told("E: The repository 'http://h bookworm InRelease' is not signed.\n");
    assert_eq!(error.exit, Exit::Environment);
    assert!(error.remedy.unwrap().contains("debian-archive-keyring"));
}

#[test]
fn nvidias_packages_are_explained_elsewhere() {
    let error = told(
        "The following packages have unmet dependencies:\n nvidia-l4t-weston : Depends: libffi6\nE: Unable to correct problems\n",
    );
    assert_eq!((error.exit, error.remedy), (Exit::Check, None));
}
