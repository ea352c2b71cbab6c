//! The whole story of releases and devices.

use super::{active, clone_to, commit, open, product_repository, served};
use crate::browser::driver::{Browser, VIEWS, complaints, sources};
use crate::builds::util::{Ran, desk, root};
use crate::report::small::test_program;
use serde_json::Value;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A file has become larger than allowed (signal(7)).
const SIGXFSZ: i32 = 25;

/// A workspace whose work tree is clean, and a technician's home.
struct Field {
    dir: TempDir,
    workspace: PathBuf,
}

impl Field {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let workspace = dir.path().join("workspace");
        clone_to(&workspace);
        let field = Self { dir, workspace };
        let product = field.dir.path().join("product");
        product_repository(&product);
        // A trusted app of someone else's, finished.
        fs::copy(desk().join("trusted-apps/small-echo-srv.elf"), product.join("small-echo-srv.elf")).unwrap();
        field.xtask(&["key", "new", &field.path("key"), "--no-password"]).ok();
        test_program(field.path("carveout").as_ref());
        field
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn virt(&self, name: &str) -> String {
        format!("virt:{}", self.path(name))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command
            .args(arguments)
            .current_dir(&self.workspace)
            .env("CARGO_MANIFEST_DIR", self.workspace.join("xtask"));
        command.env("XDG_STATE_HOME", self.dir.path().join("state"));
        // On a CI, releases say so.
        for name in ["GITHUB_SERVER_URL", "CI_PROJECT_URL"] {
            command.env_remove(name);
        }
        command
    }

    fn xtask(&self, arguments: &[&str]) -> Ran {
        Ran::new(&mut self.command(arguments))
    }

    /// A release of a product; its directory.
    fn release(&self, version: &str, app: &str, tzdram: &str, more: &[&str]) -> PathBuf {
        let config = self.path("product/product.yaml");
        let text = format!(
            "name: field\nversion: {version}\nsecurity_version: 1\nboard: virt\ntzdram: {{ size: {tzdram} }}\n\
             trusted_apps: [{app}, {{ elf: small-echo-srv.elf }}]\nclient_apps: [echo-srv-app]\nchangelog: NEWS.md\n"
        );
        fs::write(&config, text).unwrap();
        let product = self.dir.path().join("product");
        fs::write(product.join("NEWS.md"), format!("# News\n\n## {version}\n\n- news of {version}\n"))
            .unwrap();
        commit(&product);
        let [key, out, program] = ["key", "releases", "carveout"].map(|name| self.path(name));
        let arguments = ["release", "-c", &config, "--sign", &key, "-o", &out, "--program", &program];
        PathBuf::from(self.xtask(&[&arguments[..], more].concat()).ok())
    }

    /// What a device serves: a client app against it.
    fn serves(&self, device: &str) -> String {
        let client = carveout_host::dirs::Dirs::of(&root()).home().join("cargo/run/debug/echo-srv-app");
        let arguments = ["emulate", device, "--client", client.to_str().unwrap(), "--", "--count", "20480"];
        let said = self.xtask(&arguments).ok();
        assert!(said.contains("came back intact"), "{said}");
        active(Path::new(device.strip_prefix("virt:").unwrap()))
    }
}

/// The page of a release; with `test --full` in a browser: no complaint, and what it shows is kept beside the logs.
fn looks_well(release: &Path) {
    let page = fs::read_to_string(release.join("report.html")).unwrap();
    for text in ["field-1.2.0-virt-tzdram64M", "64 MiB", "sbom.cdx.json", "Security version"] {
        assert!(page.contains(text), "{text}");
    }
    // Chromium takes a minute to install.
    if std::env::var_os(xtask::FULL).is_none() {
        return;
    }
    let browser = Browser::new();
    assert_eq!(complaints(&browser.look(&page)), Vec::<String>::new());
    for (name, _) in VIEWS {
        let shot = browser.path(&format!("{name}.png"));
        let golden = sources().join(format!("golden/{name}.png"));
        assert!(
            browser.difference(&golden, &shot, &browser.path("difference.png")) > 0.0,
            "a page of its own"
        );
        fs::copy(
            shot,
            carveout_host::dirs::Dirs::of(&root()).logs().unwrap().join(format!("story-report-{name}.png")),
        )
        .unwrap();
    }
}

/// The whole story: releases, devices, a power cut, a larger carve-out, and back.
#[test]
fn releases_reach_devices_survive_a_cut_and_are_gone_back_from() {
    let field = Field::new();
    // The program that runs against devices is built once, by its use.
    crate::builds::util::xtask([
        "emulate",
        crate::builds::util::desk().to_str().unwrap(),
        "--client",
        "host",
        "--",
        "--count",
        "1",
    ])
    .ok();
    let releases = field.path("releases");
    let key = field.path("key.pub");
    let first = field.release("1.0.0", "echo-srv", "32MiB", &[]);
    let name = |version: &str, tzdram: u32| format!("field-{version}-virt-tzdram{tzdram}M");
    assert!(first.ends_with(name("1.0.0", 32)));
    let archive = |release: &Path| {
        release
            .join(format!("{}.tar.zst", release.file_name().unwrap().to_str().unwrap()))
            .display()
            .to_string()
    };
    super::attestations::are_valid(&first, &field.workspace, &field.dir.path().join("product"));
    // Everybody can check a release, with common tools too.
    assert_eq!(field.xtask(&["verify", &archive(&first), "--key", &key]).ok(), "ok");
    let program = fs::metadata(first.join("carveout")).unwrap();
    assert_eq!(program.permissions().mode() & 0o777, 0o755);
    let sums =
        Command::new("sha256sum").args(["-c", "--quiet", "SHA256SUMS"]).current_dir(&first).output().unwrap();
    assert!(sums.status.success(), "{sums:?}");
    let devices = [field.virt("one.img"), field.virt("two.img")];
    let flash = ["flash", "--channel", &releases, "--key", &key, "--to", &devices[0], "--to", &devices[1]];
    let told = field.xtask(&flash).ok();
    assert_eq!(told.lines().count(), 2, "{told}");
    assert_eq!(field.serves(&devices[0]), name("1.0.0", 32));
    assert_eq!(field.serves(&devices[1]), name("1.0.0", 32));

    // One trusted app changes: secure-os is enough.
    let second = field.release("1.1.0", "{ package: echo-srv, min_heap: 512KiB }", "32MiB", &[]);
    let diff = field.xtask(&["diff", &archive(&first), &archive(&second)]);
    assert_eq!(diff.ok(), "secure-os");
    let notes = fs::read_to_string(second.join("RELEASE_NOTES.md")).unwrap();
    assert!(
        notes.contains("To flash: `secure-os`") && notes.contains("trusted_apps.echo-srv.heap"),
        "{notes}"
    );
    let flash =
        "./carveout flash field-1.1.0-virt-tzdram32M.tar.zst --to virt:FILE --scope auto --key PUBLIC_KEY\n";
    assert!(notes.contains(flash) && !notes.contains("cargo xtask"), "{notes}");
    assert!(notes.contains("## Changes\n\n- news of 1.1.0\n\n## Since 1.0.0"), "{notes}");
    let auto = ["flash", "--channel", &releases, "--key", &key, "--scope", "auto", "--to", &devices[0]];
    assert_eq!(field.xtask(&[&auto[..], &["--dry-run"]].concat()).ok(), "secure-os");
    // The system ends it in the midst of the image that it writes.
    let image = field.dir.path().join("one.img");
    let blocks = (open(&image).partitions()["secure-os_b"].start >> 10) + 4;
    let ulimit = format!("ulimit -f {blocks}; exec \"$@\"");
    let mut command = Command::new("bash");
    command
        .args(["-c", &ulimit, "bash", env!("CARGO_BIN_EXE_xtask")])
        .args(auto)
        .current_dir(&field.workspace);
    command.env("XDG_STATE_HOME", field.dir.path().join("state"));
    let killed = command.output().unwrap();
    assert_eq!(killed.status.signal(), Some(SIGXFSZ), "{killed:?}");
    let mut begun = [0; 6];
    let start = open(&image).partitions()["secure-os_b"].start;
    std::os::unix::fs::FileExt::read_exact_at(&File::open(&image).unwrap(), &mut begun, start).unwrap();
    assert_eq!(&begun, b"NVTOSP", "it had begun");
    assert_eq!(field.serves(&devices[0]), name("1.0.0", 32));
    field.xtask(&auto).ok();
    assert_eq!(field.serves(&devices[0]), name("1.1.0", 32));
    assert_eq!(field.serves(&devices[1]), name("1.0.0", 32));

    // The same from a server.
    let (_server, url) = served(Path::new(&releases));
    let from_server = ["flash", "--channel", &url, "--key", &key, "--scope", "auto", "--to", &devices[1]];
    field.xtask(&from_server).ok();
    assert_eq!(field.serves(&devices[1]), name("1.1.0", 32));
    let others = field.path("others");
    field.xtask(&["key", "new", &others, "--no-password"]).ok();
    let strange = ["flash", "--channel", &url, "--key", &format!("{others}.pub"), "--to", &devices[1]];
    let strange = field.xtask(&strange).fails(1);
    assert!(
        strange.contains("signed by key") && strange.contains("see whether --key is theirs"),
        "{strange}"
    );

    // Another carve-out: nothing less than everything.
    let third = field.release("1.2.0", "{ package: echo-srv, min_heap: 512KiB }", "64MiB", &["--keep", "2"]);
    assert!(!first.exists() && second.exists(), "two releases are kept");
    assert_eq!(field.xtask(&["diff", &archive(&second), &archive(&third)]).ok(), "full");
    let small = ["flash", &archive(&third), "--to", &devices[0], "--scope", "secure-os"];
    let refused = field.xtask(&small).fails(1);
    assert!(
        refused.contains("has another boot config than the bundle, whose carve-out is 64 MiB"),
        "{refused}"
    );
    assert_eq!(field.xtask(&[&auto[..], &["--dry-run"]].concat()).ok(), "full");
    field.xtask(&auto).ok();
    assert_eq!(field.serves(&devices[0]), name("1.2.0", 64));
    assert_eq!(field.xtask(&["rollback", &devices[0]]).ok(), name("1.1.0", 32));
    assert_eq!(field.serves(&devices[0]), name("1.1.0", 32));

    looks_well(&third);

    // Every flash has left a record.
    let records =
        fs::read_to_string(field.dir.path().join("state/carveout/flash-records/records.jsonl")).unwrap();
    let records: Vec<Value> = records.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let done: Vec<&str> =
        records.iter().filter(|r| r["result"] == "ok").map(|r| r["action"].as_str().unwrap()).collect();
    assert_eq!(done, ["flash", "flash", "flash", "flash", "flash", "rollback"]);
    // A released version stays what it is: the same again is no failure, another commit is told before anything is built.
    let product = field.path("product/product.yaml");
    let again = ["release", "-c", &product, "--sign", &field.path("key"), "-o", &releases];
    let before = fs::read(Path::new(&releases).join("index.json")).unwrap();
    assert_eq!(field.xtask(&again).ok(), third.display().to_string());
    assert_eq!(fs::read(Path::new(&releases).join("index.json")).unwrap(), before);
    super::commit(&field.workspace);
    let error = field.xtask(&again).fails(2);
    assert!(error.contains("is released already, and a release never changes"), "{error}");
    assert!(!error.contains("trusted app"), "{error}");
    fs::write(field.workspace.join("README.md"), "changed").unwrap();
    let dirty = field.xtask(&again).fails(1);
    assert!(
        dirty.contains("has changes that are in no commit") && dirty.contains("\n  README.md\n"),
        "{dirty}"
    );
}
