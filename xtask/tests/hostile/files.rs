//! Who can write where we read and write: planted links, FIFOs, full disks, two at once. As root, and as anybody.

mod clone;
mod full;

use crate::report::small;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use tegra_flash::filesystem::test_image;
use tempfile::TempDir;
use virt_device::{Device, DevicePart, Installed};

/// What a planted link leads to.
const VICTIM: &str = "dear to somebody";
/// How long a refusal may take. It takes no time; an attack waited for ever.
const LIMIT: Duration = Duration::from_secs(10);
const APP: usize = 2 << 20;

struct Desk {
    dir: TempDir,
    bundle: String,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let bundle = dir.path().join(small::write(dir.path(), "1.0.0", 32 << 20)).display().to_string();
        fs::write(dir.path().join("victim"), VICTIM).unwrap();
        Self { dir, bundle }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(arguments).env("XDG_STATE_HOME", self.path("state")).stdin(Stdio::null());
        command.current_dir(env!("CARGO_MANIFEST_DIR"));
        command
    }

    fn run(&self, arguments: &[&str]) -> (Option<i32>, String) {
        said(&within(self.command(arguments), arguments))
    }

    fn good(&self, arguments: &[&str]) -> String {
        let (code, said) = self.run(arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {said}");
        said
    }

    /// What is left of our folders beside targets.
    fn left(&self, folder: &str) -> Vec<String> {
        let names = fs::read_dir(self.path(folder)).unwrap().flatten();
        let names = names.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with(".carveout-") && name != ".carveout.lock").collect()
    }

    /// A virt device with a root filesystem that holds secrets, as they do.
    fn device(&self, name: &str) -> String {
        let app = test_image::image(1 << 20, 1);
        let partitions: Vec<(String, u64)> = [("APP", APP), ("APP_b", APP), ("UDA", 1 << 20)]
            .map(|(name, size)| (name.into(), size as u64))
            .into();
        let size = virt_device::needed(&partitions).unwrap();
        let file = fs::File::options().read(true).write(true).create_new(true).open(self.path(name)).unwrap();
        file.set_len(size).unwrap();
        let mut device = Device::create(file, size, &partitions).unwrap();
        let sha256 = bundle::sha256(&app);
        let placed =
            device.write(DevicePart::App, &mut &app[..], app.len() as u64, &sha256, "first").unwrap();
        for security_version in [0, 1] {
            let parts = BTreeMap::from([(DevicePart::App, placed.clone())]);
            let bundle = format!("b-{security_version}");
            let digest = sha256.clone();
            device
                .switch(Installed { bundle, board: "virt".into(), digest, security_version, parts })
                .unwrap();
        }
        format!("virt:{}", self.text(name))
    }
}

fn said(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Ends a program that waits for ever, and fails.
fn within(mut command: Command, what: &[&str]) -> Output {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn().unwrap();
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > LIMIT {
            child.kill().unwrap();
            panic!("{what:?}: hangs");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    child.wait_with_output().unwrap()
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().mode() & 0o777
}

fn fifo(path: &Path) {
    let mode = rustix::fs::Mode::from_raw_mode(0o600);
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

#[test]
fn no_planted_link_is_written_through() {
    let desk = Desk::new();
    desk.good(&["key", "new", "--no-password", &desk.text("k")]);
    let device = desk.device("d.img");
    let name = Path::new(&desk.bundle).file_name().unwrap().to_str().unwrap().to_owned();
    let (key, one) = (desk.text("k"), desk.text("o/one.img"));
    fs::create_dir(desk.path("o")).unwrap();
    let at = |name: &str| desk.text(&format!("o/{name}"));
    let to = format!("virt:{one}");
    let sums = at("SHA256SUMS");
    let attacks: [(&str, Vec<&str>); 9] = [
        ("o/one.img", vec!["flash", &desk.bundle, "--to", &to]),
        ("o/.one.img.carveout-new", vec!["flash", &desk.bundle, "--to", &to]),
        ("o/app.img", vec!["backup", &device, "--output"]),
        ("o/page.html", vec!["report", &desk.bundle, "-o"]),
        ("o/SHA256SUMS.minisig", vec!["key", "sign", "--sign", &key, "--comment", "c", &sums]),
        ("o/new", vec!["key", "new", "--no-password"]),
        ("o/other.pub", vec!["key", "new", "--no-password"]),
        ("o/carveout-manual_0.1.0_all.deb", vec!["manual", "-o"]),
        ("o/share/man/man1/cargo-xtask.1.gz", vec!["manual", "-o"]),
    ];
    for victim in ["victim", "none"] {
        for (link, arguments) in &attacks {
            fs::remove_dir_all(desk.path("o")).unwrap();
            fs::create_dir_all(desk.path("o/share/man/man1")).unwrap();
            fs::write(&sums, "x").unwrap();
            let link = desk.path(link);
            symlink(desk.path(victim), &link).unwrap();
            let last = match arguments.last().copied().unwrap() {
                "-o" if arguments[0] == "manual" => Some(desk.text("o")),
                "--output" | "-o" => Some(link.display().to_string()),
                "--no-password" => Some(link.display().to_string().trim_end_matches(".pub").to_owned()),
                _ => None,
            };
            let arguments: Vec<&str> = arguments.iter().copied().chain(last.as_deref()).collect();
            let (code, said) = desk.run(&arguments);
            assert_eq!(fs::read_to_string(desk.path("victim")).unwrap(), VICTIM, "{arguments:?}");
            assert!(!desk.path("none").exists(), "{arguments:?}: made what a link leads to");
            // Refused, or what is written has nothing to do with the link.
            assert!(code == Some(0) || code == Some(2), "{arguments:?}: {said}");
            let told = ["is a symbolic link", "exists already", "no virt device"];
            assert!(code == Some(0) || told.iter().any(|words| said.contains(words)), "{said}");
            assert_eq!(desk.left("o"), Vec::<String>::new(), "{arguments:?}");
        }
    }
    assert!(desk.path(&name).exists());
}

#[test]
fn a_link_or_fifo_at_the_name_of_a_lock_or_record_is_refused() {
    let desk = Desk::new();
    let device = desk.device("d.img");
    let records = desk.path("state/carveout/flash-records");
    fs::create_dir_all(&records).unwrap();
    symlink(desk.path("victim"), records.join("records.jsonl")).unwrap();
    let (code, said) = desk.run(&["backup", &device, "--output", &desk.text("a.img")]);
    assert!(code == Some(2) && said.contains("is a symbolic link"), "{said}");
    fs::remove_file(records.join("records.jsonl")).unwrap();
    fifo(&records.join("records.jsonl"));
    let (code, said) = desk.run(&["backup", &device, "--output", &desk.text("b.img")]);
    assert!(code == Some(2) && said.contains("is a FIFO"), "{said}");
    assert_eq!(fs::read_to_string(desk.path("victim")).unwrap(), VICTIM);
}

#[test]
fn what_is_no_file_is_refused_by_its_name_wherever_one_is_read() {
    let desk = Desk::new();
    desk.good(&["key", "new", "--no-password", &desk.text("k")]);
    let device = desk.device("d.img");
    fs::write(desk.path("config.yaml"), "name: x\n").unwrap();
    fs::create_dir(desk.path("folder")).unwrap();
    fifo(&desk.path("fifo"));
    let _socket = UnixListener::bind(desk.path("socket")).unwrap();
    let kinds = [
        (desk.text("fifo"), "FIFO"),
        (desk.text("socket"), "socket"),
        (desk.text("folder"), "folder"),
        ("/dev/zero".into(), "character device"),
    ];
    let mut tried = 0;
    for (path, what) in &kinds {
        let virt = format!("virt:{path}");
        let attacks: [&[&str]; 17] = [
            &["verify", path],
            &["verify", &desk.bundle, "--key", path],
            &["inspect", path],
            &["inspect", &virt],
            &["diff", path, &desk.bundle],
            &["diff", &desk.bundle, path],
            &["report", path],
            &["flash", path, "--to", &virt],
            &["flash", &desk.bundle, "--to", &virt],
            &["flash", &desk.bundle, "--key", path, "--to", &device],
            &["restore", &device, path],
            &["backup", &virt, "--output", &desk.text("x")],
            &["rollback", &virt],
            &["emulate", path],
            &["plan", "-c", path],
            &["key", "public", path],
            &["key", "sign", "--sign", &desk.text("k"), path],
        ];
        for arguments in attacks {
            let (code, said) = desk.run(arguments);
            assert!(code == Some(2), "{arguments:?}: {code:?} {said}");
            let told = [what, "no bundle", "neither a file", "not a file", "not an image"];
            assert!(told.iter().any(|word| said.contains(word)), "{arguments:?}: {said}");
            tried += 1;
        }
    }
    assert_eq!(tried, 17 * kinds.len());
}

/// A bundle's folder may hold anything.
#[test]
fn a_fifo_in_a_bundle_is_refused() {
    for name in ["manifest.json", "SHA256SUMS", "SHA256SUMS.minisig", "trusted-apps/a.elf", "more"] {
        let desk = Desk::new();
        let path = Path::new(&desk.bundle).join(name);
        let _ = fs::remove_file(&path);
        fifo(&path);
        for verb in ["verify", "inspect"] {
            let (code, said) = desk.run(&[verb, &desk.bundle]);
            assert!(matches!(code, Some(1 | 2)), "{verb} {name}: {code:?} {said}");
        }
    }
}

/// Inputs that a config names.
#[test]
fn what_a_config_names_must_be_a_file() {
    let desk = Desk::new();
    fifo(&desk.path("fifo"));
    let rootfs = "rootfs: { kind: tarball, size: 256MiB, tarball: fifo }\ntrusted_apps: [echo-srv]";
    for more in [
        "trusted_apps: [{ elf: fifo }]",
        "changelog: fifo\ntrusted_apps: [echo-srv]",
        "l4t: { pkc_key: fifo }\ntrusted_apps: [echo-srv]",
        rootfs,
    ] {
        let board = if more.starts_with("l4t") { "jetson-agx-xavier" } else { "virt" };
        let text = format!("name: x\nversion: 1.0.0\nboard: {board}\ntzdram: {{ size: 32MiB }}\n{more}\n");
        fs::write(desk.path("c.yaml"), text).unwrap();
        // A plan needs no root filesystem.
        let verb = if more == rootfs { "rootfs" } else { "plan" };
        let (code, said) = desk.run(&[verb, "-c", &desk.text("c.yaml")]);
        assert!(
            code == Some(2) && (said.contains("is a FIFO") || said.contains("fifo is no file")),
            "{more}: {code:?} {said}"
        );
    }
}

/// A key may come through a pipe that the caller has opened.
#[test]
fn a_key_through_a_pipe_of_the_callers_still_works() {
    let desk = Desk::new();
    desk.good(&["key", "new", "--no-password", &desk.text("k")]);
    let line = format!(
        "XDG_STATE_HOME={0}/state {1} key public <(cat {0}/k)",
        desk.dir.path().display(),
        env!("CARGO_BIN_EXE_xtask")
    );
    let output = Command::new("bash").args(["-c", &line]).output().unwrap();
    assert!(output.status.success(), "{}", said(&output).1);
}

#[test]
fn backups_and_keys_are_their_owners_alone() {
    let desk = Desk::new();
    let device = desk.device("d.img");
    desk.good(&["backup", &device, "--output", &desk.text("sparse.img")]);
    desk.good(&["backup", &device, "--raw", "--output", &desk.text("raw.img")]);
    desk.good(&["key", "new", "--no-password", &desk.text("k")]);
    for (name, expected) in [("sparse.img", 0o600), ("raw.img", 0o600), ("k", 0o600), ("k.pub", 0o644)] {
        assert_eq!(mode(&desk.path(name)), expected, "{name}");
    }
    let quiet = desk.good(&["key", "public", &desk.text("k")]);
    assert!(!quiet.contains("warning"), "{quiet}");
    for open in [0o640, 0o604, 0o644, 0o620] {
        fs::set_permissions(desk.path("k"), PermissionsExt::from_mode(open)).unwrap();
        let said = desk.good(&["key", "public", &desk.text("k")]);
        assert!(said.contains(&format!("has mode {open:04o}")) && said.contains("chmod 600"), "{said}");
    }
}
