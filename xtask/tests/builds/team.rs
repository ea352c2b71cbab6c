//! A workspace of a team's own, outside the clone: made, tested, built twice, run.

use crate::builds::util::{Ran, manifest, root, run, xtask};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Our program, called in another workspace.
fn here(workspace: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    Ran::new(command.args(arguments).current_dir(workspace).env_remove("CARGO_MANIFEST_DIR"))
}

/// A new workspace. The emulator and the toolchains are those that are there already.
fn workspace(dir: &Path, name: &str) -> PathBuf {
    let folder = dir.join(name);
    let made = xtask([
        "new".as_ref(),
        folder.as_os_str(),
        "--name".as_ref(),
        "door-lock".as_ref(),
        "--carveout".as_ref(),
        root().as_os_str(),
    ])
    .ok();
    assert_eq!(made, folder.display().to_string());
    fs::create_dir_all(folder.join("target/carveout/cargo")).unwrap();
    for shared in ["target/toolchains", "target/carveout/cargo/host", "target/carveout/tools"] {
        let from = root().join(shared);
        fs::create_dir_all(&from).unwrap();
        std::os::unix::fs::symlink(from, folder.join(shared)).unwrap();
    }
    folder
}

#[test]
fn two_places_give_one_bundle_and_a_trusted_app_has_its_bytes_in_and_out_of_the_tree() {
    let dir = tempfile::tempdir().unwrap();
    let first = workspace(dir.path(), "one");
    // One of ours moves out.
    for app in ["small-echo-srv", "echo-service"] {
        let (from, to) = (root().join("apps").join(app), first.join("apps"));
        run("cp", ["-r".as_ref(), from.as_os_str(), to.as_os_str()]).ok();
    }
    let path = first.join("Cargo.toml");
    let text = fs::read_to_string(&path).unwrap();
    let bulk = root().join("crates/tipc-bulk");
    let more = format!(
        "[workspace.dependencies]\necho-service = {{ path = \"apps/echo-service\" }}\ntipc-bulk = {{ path = {bulk:?} }}\n\
         proptest = {{ version = \"1.12\", default-features = false, features = [\"std\"] }}\n"
    );
    let text = text
        .replace("[workspace.dependencies]\n", &more)
        .replace("publish = false\n", "publish = false\nlicense = \"MIT\"\n");
    fs::write(&path, text + "\n[workspace.lints.rust]\nunused = \"warn\"\n").unwrap();
    let config = first.join("configs/desk.yaml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(
        &config,
        text.replace(
            "  - door-lock-srv\n",
            "  - door-lock-srv\n  - { package: small-echo-srv, min_heap: 128KiB }\n",
        ),
    )
    .unwrap();
    Ran::new(Command::new("cargo").args(["metadata", "--format-version", "1"]).current_dir(&first)).ok();
    let second = dir.path().join("an other/place");
    fs::create_dir_all(second.parent().unwrap()).unwrap();
    let built = |workspace: &Path| PathBuf::from(here(workspace, &["image", "--without", "rootfs"]).ok());
    let one = built(&first);
    run("cp", ["-a".as_ref(), first.as_os_str(), second.as_os_str()]).ok();
    for made in [
        "target/bundles",
        "target/carveout/stages",
        "target/carveout/cargo/ta",
        "target/carveout/cargo/client",
    ] {
        fs::remove_dir_all(second.join(made)).unwrap();
    }
    let two = built(&second);
    assert!(
        one.starts_with(&first) && two.starts_with(&second),
        "bundles land in the workspace's own target"
    );
    let archive = |bundle: &Path| fs::read(format!("{}.tar.zst", bundle.display())).unwrap();
    assert!(archive(&one) == archive(&two), "{} and {} differ", one.display(), two.display());
    let ours = PathBuf::from(xtask(["trusted-apps"]).ok()).join("small-echo-srv.elf");
    assert!(fs::read(ours).unwrap() == fs::read(one.join("trusted-apps/small-echo-srv.elf")).unwrap());
    assert_eq!(manifest(&one)["client_apps"], Value::from(vec!["door-lock-app"]));
    here(&first, &["verify", one.to_str().unwrap()]).ok();
}

#[test]
fn it_runs_and_grows() {
    let dir = tempfile::tempdir().unwrap();
    let folder = workspace(dir.path(), "door-lock");
    assert_eq!(here(&folder, &["run", "--", "hello", "there"]).ok(), "HELLO\nTHERE");
    // What was edited runs, and nothing else is built.
    let service = folder.join("apps/door-lock-service/src/lib.rs");
    let text = fs::read_to_string(&service).unwrap();
    fs::write(&service, text.replace("make_ascii_uppercase", "make_ascii_lowercase")).unwrap();
    let value = here(&folder, &["run", "--json", "--", "HELLO"]).result();
    assert_eq!(value["client"], "hello\n", "{value}");
    assert!(here(&folder, &["new", "--ta", "door-lock-srv"]).fails(2).contains("exists already"));
    here(&folder, &["new", "--ta", "second-srv"]).ok();
    here(&folder, &["new", "--app", "second-app"]).ok();
    let config = folder.join("configs/desk.yaml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(
        &config,
        text.replace("  - door-lock-srv\n", "  - door-lock-srv\n  - second-srv\n")
            .replace("[door-lock-app]", "[second-app]"),
    )
    .unwrap();
    let port = "com.example.second-app";
    let main = folder.join("apps/second-app/src/main.rs");
    let text = fs::read_to_string(&main).unwrap();
    assert!(text.contains(port));
    fs::write(&main, text.replace(port, "com.example.second-srv")).unwrap();
    assert_eq!(here(&folder, &["run", "--", "as it is"]).ok(), "as it is");
    let full = here(&folder, &["new", "."]).fails(2);
    assert!(full.contains("is not empty"), "{full}");
}

/// The host's tests of what `new` writes, and its xtask, which needs nothing but carveout.
#[test]
fn its_tests_pass_and_its_xtask_compiles() {
    let dir = tempfile::tempdir().unwrap();
    let folder = workspace(dir.path(), "door-lock");
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new("cargo");
        // What is the same crate was compiled for the tests already.
        command.args(arguments).current_dir(&folder).env("CARGO_TARGET_DIR", root().join("target"));
        Ran::new(&mut command)
    };
    let tested = cargo(&["test", "--locked", "--package", "door-lock-service"]).ok();
    assert!(tested.contains("a_message_comes_back_in_capitals ... ok"), "{tested}");
    cargo(&["check", "--locked", "--package", "xtask", "--package", "door-lock-app"]).ok();
}
