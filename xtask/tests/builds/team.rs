//! A workspace of a team's own, outside the clone: made, tested, built twice, run.

use crate::builds::util::{Ran, is_full, manifest, root, run, take_compiled, take_host_parts, xtask};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

/// Our program, called in another workspace.
pub fn here(workspace: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    Ran::new(command.args(arguments).current_dir(workspace).env_remove("CARGO_MANIFEST_DIR"))
}

/// A new workspace. The emulator and the toolchains are those that are there already.
pub fn workspace(dir: &Path, name: &str) -> PathBuf {
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

/// A Debian package of one file, `<folder>/<name>.deb`.
pub fn package(folder: &Path, name: &str, version: &str, architecture: &str) -> PathBuf {
    let (tree, deb) = (folder.join("tree"), folder.join(format!("{name}.deb")));
    fs::create_dir_all(tree.join("DEBIAN")).unwrap();
    fs::create_dir_all(tree.join("usr/share/acme")).unwrap();
    fs::write(tree.join("usr/share/acme/data"), "1\n").unwrap();
    let control = format!(
        "Package: {name}\nVersion: {version}\nArchitecture: {architecture}\nMaintainer: A <a@acme.example>\nDescription: a\n"
    );
    fs::write(tree.join("DEBIAN/control"), control).unwrap();
    run("dpkg-deb", ["--root-owner-group".as_ref(), "--build".as_ref(), tree.as_os_str(), deb.as_os_str()])
        .ok();
    fs::remove_dir_all(&tree).unwrap();
    deb
}

#[test]
fn two_places_give_one_bundle_and_a_trusted_app_has_its_bytes_in_and_out_of_the_tree() {
    if !is_full() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let first = workspace(dir.path(), "one");
    take_compiled(&first);
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
    // A package from elsewhere goes along.
    let deb = package(&first.join("vendor"), "acme-tool", "2:1.4+b1", "all");
    let text = fs::read_to_string(&config).unwrap();
    let with = "[door-lock-app, { deb: ../vendor/acme-tool.deb }]";
    fs::write(&config, text.replace("[door-lock-app]", with)).unwrap();
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
    take_host_parts(&second);
    let two = built(&second);
    assert!(
        one.starts_with(&first) && two.starts_with(&second),
        "bundles land in the workspace's own target"
    );
    let archive = |bundle: &Path| fs::read(format!("{}.tar.zst", bundle.display())).unwrap();
    assert!(archive(&one) == archive(&two), "{} and {} differ", one.display(), two.display());
    let ours = PathBuf::from(xtask(["trusted-apps"]).ok()).join("small-echo-srv.elf");
    assert!(fs::read(ours).unwrap() == fs::read(one.join("trusted-apps/small-echo-srv.elf")).unwrap());
    let manifest = manifest(&one);
    assert_eq!(manifest["client_apps"], Value::from(vec!["door-lock-app", "acme-tool"]));
    let shipped = "client-apps/acme-tool_1.4+b1_all.deb";
    assert!(fs::read(one.join(shipped)).unwrap() == fs::read(&deb).unwrap());
    let files = manifest["files"].as_array().unwrap();
    let entry = files.iter().find(|file| file["path"] == shipped).unwrap();
    let given = manifest["inputs"]["given"].as_array().unwrap();
    let given = given.iter().find(|given| given["name"] == "client_apps.acme-tool").unwrap();
    assert!(entry["sha256"].is_string() && given["sha256"] == entry["sha256"], "{given}");
    let sbom = fs::read_to_string(one.join("sbom.cdx.json")).unwrap();
    assert!(sbom.contains("\"acme-tool\"") && sbom.contains("2:1.4+b1"), "{sbom}");
    here(&first, &["verify", one.to_str().unwrap()]).ok();
}

#[test]
fn it_runs_and_grows() {
    let dir = tempfile::tempdir().unwrap();
    let folder = workspace(dir.path(), "door-lock");
    take_compiled(&folder);
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

/// What `run --watch` prints, line by line, until it is ended.
struct Watch {
    child: Child,
    lines: Receiver<String>,
}

impl Watch {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(["run", "--watch", "--", "Hello"]).current_dir(folder).env_remove("CARGO_MANIFEST_DIR");
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, lines) = channel();
        let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let pass = |reader: Box<dyn Read + Send>, sender: Sender<String>| {
            thread::spawn(move || {
                BufReader::new(reader).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
            })
        };
        pass(Box::new(out), sender.clone());
        pass(Box::new(err), sender);
        Self { child, lines }
    }

    /// Waits for a line with these words, and then until it watches again; what was printed.
    fn says(&self, expected: &str) -> Vec<String> {
        let mut said = Vec::new();
        for words in [expected, "runs again when a source changes"] {
            while !said.iter().any(|line: &String| line.contains(words)) {
                match self.lines.recv_timeout(Duration::from_secs(300)) {
                    Ok(line) => said.push(line),
                    Err(error) => panic!("{error}: no `{words}` in {said:#?}"),
                }
            }
        }
        said
    }
}

/// A test that fails leaves nothing that runs.
impl Drop for Watch {
    fn drop(&mut self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let _ = self.child.wait();
    }
}

/// Processes that work in a folder or have its name in their command line, but ourselves.
fn processes_of(folder: &Path) -> Vec<String> {
    let is_of = |process: &Path| {
        let at = fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
        let words = fs::read(process.join("cmdline")).unwrap_or_default();
        at || String::from_utf8_lossy(&words).contains(folder.to_str().unwrap())
    };
    let all = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    all.filter(|path| is_of(path)).map(|path| path.display().to_string()).collect()
}

#[test]
fn what_is_saved_runs_until_ctrl_c() {
    let dir = tempfile::tempdir().unwrap();
    let folder = workspace(dir.path(), "door-lock");
    take_compiled(&folder);
    here(&folder, &["new", "--ta", "second-srv"]).ok();
    let edit = |path: &str, from: &str, to: &str| {
        let path = folder.join(path);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{from} in {text}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
    };
    edit("configs/desk.yaml", "  - door-lock-srv\n", "  - second-srv\n");
    edit("apps/door-lock-app/src/main.rs", "com.example.door-lock", "com.example.second-srv");
    let mut watch = Watch::start(&folder);
    watch.says("Hello");
    // The app's own file.
    let (main, send) = ("apps/second-srv/src/main.rs", "        handle.send(");
    edit(main, send, &format!("        buffer.make_ascii_uppercase();\n{send}"));
    watch.says("HELLO");
    edit(main, "uppercase();", "lowercase()");
    let said = watch.says("error: ");
    assert!(said.iter().any(|line| line.contains("expected `;`")), "{said:#?}");
    edit(main, "lowercase()", "lowercase();");
    watch.says("hello");
    let id = Pid::from_child(&watch.child);
    kill_process(id, Signal::INT).unwrap();
    assert_eq!(watch.child.wait().unwrap().code(), Some(130));
    let left = (0..100).map(|_| (thread::sleep(Duration::from_millis(50)), processes_of(&folder)).1);
    let last = left.take_while(|left| !left.is_empty()).last().unwrap_or_default();
    assert!(processes_of(&folder).is_empty(), "{last:?}");
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
