//! Bad input and a bad environment end in a clear error with the right exit code, and lose nothing.

use crate::builds::util::{Ran, desk, root, run, small, xtask};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The default config with one replacement, in a file of its own.
fn config(dir: &Path, from: &str, to: &str) -> PathBuf {
    let text = fs::read_to_string(root().join("configs/desk.yaml")).unwrap();
    assert!(text.contains(from));
    let path = dir.join("product.yaml");
    fs::write(&path, text.replacen(from, to, 1)).unwrap();
    path
}

fn image(config: &Path, out: &Path) -> Ran {
    let arguments =
        ["image", "-c", config.to_str().unwrap(), "-o", out.to_str().unwrap(), "--without", "rootfs"];
    xtask(arguments)
}

#[test]
fn wrong_configs_end_with_2() {
    let dir = tempfile::tempdir().unwrap();
    for (from, to, expected) in [
        ("board: virt", "borad: virt", "unknown field `borad`"),
        ("size: 32MiB", "size: 0x2000001", "is not a multiple of its alignment"),
        ("- echo-srv", "- eco-srv", "Did you mean `echo-srv`?"),
        ("echo-srv-app", "echo", "unknown package `echo`"),
    ] {
        let error = image(&config(dir.path(), from, to), dir.path()).fails(2);
        assert!(error.contains(expected), "{error}");
    }
    let error = xtask(["image", "-c", "none.yaml"]).fails(2);
    assert!(
        error.contains("none.yaml: No such file or directory") && error.contains("configs/desk.yaml"),
        "{error}"
    );
    assert!(xtask(["image", "--tzdram", "64"]).fails(2).contains("`64` has no unit"));
    assert!(xtask(["image", "--tzdram", "107MiB"]).fails(2).contains("allowed are 1MiB to 106MiB"));
    assert!(xtask(["imgae"]).fails(2).contains("image"));
    let entries: Vec<_> = fs::read_dir(dir.path()).unwrap().collect();
    assert_eq!(entries.len(), 1, "no bundle has been written: {entries:?}");
}

#[test]
fn a_carve_out_that_is_too_small_ends_with_1_and_the_last_bundle_stays() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = small(dir.path(), &[]);
    let config = config(dir.path(), "- echo-srv", "- { package: echo-srv, min_heap: 512KiB }");
    let (config, out) = (config.to_str().unwrap(), dir.path().to_str().unwrap());
    let error = xtask(["image", "--without", "rootfs", "--tzdram", "1MiB", "-c", config, "-o", out]).fails(1);
    assert!(error.contains("tzdram-full: ") && error.contains("the carve-out has 1048576"), "{error}");
    assert!(error.contains("help: set tzdram.size to 2MiB or more"), "{error}");
    assert_eq!(xtask(["verify".as_ref(), bundle.as_os_str()]).ok(), "ok");
}

/// The forum's failure: more will be allocated than the heap has, and a larger carve-out changes nothing.
#[test]
fn a_heap_below_the_demand_ends_with_1_whatever_the_carve_out() {
    let dir = tempfile::tempdir().unwrap();
    let config = config(dir.path(), "- echo-srv", "- { package: echo-srv, min_heap: 16KiB }");
    for size in ["16MiB", "64MiB"] {
        let arguments = ["image", "--without", "rootfs", "--tzdram", size, "-c", config.to_str().unwrap()];
        let error = xtask(arguments).fails(1);
        assert!(
            error.contains("will allocate 256000 bytes (heap_demand), but its heap has 16384 bytes"),
            "{error}"
        );
        assert!(error.contains("help: set min_heap of echo-srv to 252KiB or more"), "{error}");
    }
}

#[test]
fn elf_files_that_break_a_rule_end_with_1() {
    let dir = tempfile::tempdir().unwrap();
    let good = fs::read(desk().join("trusted-apps/echo-srv.elf")).unwrap();
    let elf = dir.path().join("prebuilt.elf");
    let config = config(dir.path(), "- echo-srv", "- { elf: prebuilt.elf, min_heap: 300KiB }");
    fs::write(&elf, &good).unwrap();
    let bundle = PathBuf::from(image(&config, dir.path()).ok());
    let manifest = crate::builds::util::manifest(&bundle);
    assert_eq!(manifest["trusted_apps"][0]["name"], "prebuilt");
    assert_eq!(manifest["trusted_apps"][0]["heap"], 300 << 10, "finished ELF files are patched, too");
    let mut longer = good.clone();
    longer.extend([0; 4]);
    for (bytes, expected) in [(&longer[..], "ta-file-end"), (&good[..5000], "ta-elf"), (&b""[..], "ta-elf")] {
        fs::write(&elf, bytes).unwrap();
        let error = image(&config, dir.path()).fails(1);
        assert!(
            error.contains(expected) && error.contains("the kernel's loader would not take it"),
            "{error}"
        );
    }
    let (uuid, config_two) = (dir.path().join("other.elf"), dir.path().join("two.yaml"));
    fs::write(&elf, &good).unwrap();
    fs::write(&uuid, &good).unwrap();
    let text = fs::read_to_string(&config)
        .unwrap()
        .replace("{ package: small-echo-srv, min_heap: 128KiB }", "{ elf: other.elf }");
    fs::write(&config_two, text).unwrap();
    let error = image(&config_two, dir.path()).fails(1);
    assert!(error.contains("same-uuid: other has the same UUID as prebuilt"), "{error}");
}

#[test]
fn what_is_no_bundle_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    assert!(xtask(["verify".as_ref(), dir.path().as_os_str()]).fails(2).contains("no bundle"));
    fs::write(path("x"), "hello").unwrap();
    xtask(["verify".as_ref(), path("x").as_os_str()]).fails(1);
    assert!(xtask(["inspect".as_ref(), path("x").as_os_str()]).fails(2).contains("not recognised"));
    for verb in ["inspect", "verify"] {
        assert!(xtask([verb.as_ref(), path("none").as_os_str()]).fails(2).contains("No such file"));
    }
    assert!(xtask(["inspect", "/dev/zero"]).fails(2).contains("not a regular file"));
    let archive = fs::read_dir(small(dir.path(), &[]).parent().unwrap()).unwrap().flatten();
    let archive = archive.map(|e| e.path()).find(|p| p.extension().is_some_and(|e| e == "zst")).unwrap();
    let bytes = fs::read(&archive).unwrap();
    fs::write(path("cut.tar.zst"), &bytes[..bytes.len() / 2]).unwrap();
    let error = xtask(["verify".as_ref(), path("cut.tar.zst").as_os_str()]).fails(1);
    assert!(error.contains("the archive is damaged or truncated"), "{error}");
}

#[test]
fn a_full_disk_ends_with_3_and_leaves_nothing_half() {
    let dir = tempfile::tempdir().unwrap();
    let mount = dir.path().join("disk");
    fs::create_dir(&mount).unwrap();
    let mounted = run("mount", ["-t", "tmpfs", "-o", "size=200k", "tmpfs", mount.to_str().unwrap()]);
    if !mounted.stderr().is_empty() {
        eprintln!("skipped: cannot mount a small disk here: {}", mounted.stderr());
        return;
    }
    let ran = image(&root().join("configs/desk.yaml"), &mount);
    // The lock of the folder stays: who removed it would let two others in.
    let left = fs::read_dir(&mount).unwrap().flatten().map(|e| e.path());
    let left: Vec<_> = left.filter(|path| !path.ends_with(".carveout.lock")).collect();
    run("umount", [&mount]).ok();
    let error = ran.fails(3);
    assert!(error.contains("No space left on device") && error.contains("help: free some space"), "{error}");
    assert_eq!(left, Vec::<PathBuf>::new());
}

/// A root filesystem on a host that has no network.
fn without_network(config: &Path) -> Option<Ran> {
    let program = env!("CARGO_BIN_EXE_xtask");
    let mut command = Command::new("unshare");
    command.args(["--net", program, "rootfs", "-c"]).arg(config).current_dir(root());
    let ran = Ran::new(&mut command);
    if ran.stderr().contains("unshare failed") {
        eprintln!("skipped: cannot take the network away here: {}", ran.stderr());
        return None;
    }
    Some(ran)
}

#[test]
fn no_network_ends_with_3() {
    let dir = tempfile::tempdir().unwrap();
    // A suite that has not been built, so that the network is needed; sid is in no host's lists by accident.
    let config = config(dir.path(), "suite: bookworm", "suite: sid");
    let Some(ran) = without_network(&config) else { return };
    let error = ran.fails(3);
    assert!(error.contains("help: check the network"), "{error}");
    let error = xtask(["rootfs".as_ref(), "--offline".as_ref(), "-c".as_ref(), config.as_os_str()]).fails(3);
    assert!(error.contains("--offline forbids to fetch it"), "{error}");
    assert_eq!(xtask(["verify".as_ref(), desk().as_os_str()]).ok(), "ok");
}

/// A list that is right is taken: `pinned` shows it.
#[test]
fn a_pinned_package_list_is_enforced() {
    let dir = tempfile::tempdir().unwrap();
    let lock = fs::read_to_string(desk().join("rootfs/packages.lock")).unwrap();
    let config = config(dir.path(), "size: 512MiB", "size: 512MiB, lock: pinned.lock");
    let pinned = dir.path().join("pinned.lock");
    fs::write(&pinned, lock.replacen("\tarm64\t", "\tarm64\t0", 1)).unwrap();
    let offline = ["rootfs".as_ref(), "--offline".as_ref(), "-c".as_ref(), config.as_os_str()];
    let error = xtask(offline).fails(1);
    assert!(error.contains("(1 differs):\n  a"), "{error}");
    assert!(error.contains("… is pinned, with ") && error.contains("rootfs.packages in "), "{error}");
    // The archive may have other packages now; where it cannot be asked, what was there stays.
    if let Some(ran) = without_network(&config) {
        let error = ran.fails(3);
        assert!(
            error.contains("the archive is asked anew") && error.contains("check the network"),
            "{error}"
        );
    }
}

#[test]
fn machines_get_json() {
    let failure = xtask(["--json", "image", "--tzdram", "5MB"]).failure();
    assert!(failure["message"].as_str().unwrap().contains("`5MB` is no size"));
    let failure = xtask(["--json", "image", "-c", "none.yaml"]).failure();
    assert_eq!((&failure["exit"], &failure["kind"]), (&2.into(), &"wrong-usage".into()));
    assert!(failure["remedy"].as_str().unwrap().contains("-c FILE"));
    let value = xtask(["--json", "image"]).result();
    assert!(value["bundle"].as_str().unwrap().ends_with("desk-0.1.0-virt-tzdram32M"));
}

#[test]
fn machines_get_the_facts_of_a_failure() {
    let failure = |arguments: &[&str]| xtask(["--json"].iter().chain(arguments)).failure();
    let dir = tempfile::tempdir().unwrap();
    let bundle = small(dir.path(), &[]);
    let name = "trusted-apps/echo-srv.elf";
    fs::write(bundle.join(name), "x").unwrap();
    let value = failure(&["verify", bundle.to_str().unwrap()]);
    assert_eq!((&value["kind"], &value["code"]), (&"check-failed".into(), &"field::bundle::problems".into()));
    let problems = value["facts"]["problems"].as_array().unwrap();
    assert!(problems.iter().any(|p| p["file"] == name && p["what"].is_string()), "{problems:?}");
    let config = config(dir.path(), "- echo-srv", "- { package: echo-srv, min_heap: 16KiB }");
    let value = failure(&["image", "--without", "rootfs", "-c", config.to_str().unwrap()]);
    assert_eq!(value["facts"]["findings"][0]["code"], "heap-demand");
    assert_eq!(value["facts"]["findings"][0]["trusted_app"], "echo-srv");
}

/// In a clone: a warning of the compiler is shown, and an error is told when it happens, with what else fails.
#[test]
fn what_the_compiler_says_of_a_trusted_app_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let clone = dir.path().join("clone");
    crate::builds::field::clone_to(&clone);
    let source = clone.join("apps/small-echo-srv/src/main.rs");
    let text = fs::read_to_string(&source).unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        Ran::new(command.args(arguments).current_dir(&clone).env_remove("CARGO_MANIFEST_DIR"))
    };
    // Another name each time: what is built already is not compiled again, and not warned of.
    let name = format!("never_called_{}", std::process::id());
    fs::write(&source, format!("{text}\nfn {name}() {{}}\n")).unwrap();
    let ran = run(&["trusted-apps"]);
    let said = ran.stderr();
    assert!(said.contains(&format!("[small-echo-srv] warning: function `{name}` is never used")), "{said}");
    assert!(said.contains("--> apps/small-echo-srv/src/main.rs:"), "{said}");
    ran.ok();
    let wrong = "fn first() -> u32 {{ \"x\" }}\nfn second() -> u32 {{ \"y\" }}\n"
        .replace("{{", "{")
        .replace("}}", "}");
    fs::write(&source, format!("{text}\n{wrong}")).unwrap();
    let config = clone.join("configs/other.yaml");
    let product = fs::read_to_string(clone.join("configs/desk.yaml")).unwrap();
    fs::write(&config, product.replace("suite: bookworm", "suite: sid")).unwrap();
    let ran = run(&["--json", "image", "--offline", "-c", "configs/other.yaml"]);
    let value = ran.json();
    let errors = value["errors"].as_array().unwrap();
    let message = |index: usize| errors[index]["message"].as_str().unwrap();
    assert!(
        message(0).starts_with("building small-echo-srv failed (exit status: 101)\n  | error[E0308]"),
        "{value}"
    );
    assert!(message(0).contains("fn first()") && message(0).contains("fn second()"), "{value}");
    assert!(message(1).contains("--offline forbids to fetch it"), "{value}");
    assert_eq!((&errors[0]["exit"], &errors[1]["exit"]), (&1.into(), &3.into()));
    let error = run(&["image", "--offline", "-c", "configs/other.yaml"]).fails(1);
    assert_eq!(error.matches("error[E0308]").count(), 2, "told at length once: {error}");
    assert!(error.contains("error: the root filesystem's base is not there"), "{error}");
}
