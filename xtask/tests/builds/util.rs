//! A test reads like a shell session: `xtask(["verify", …]).fails(1)`.

use serde_json::Value;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Longer than any run.
const A_DAY: Duration = Duration::from_secs(86_400);

/// The workspace.
pub fn root() -> PathBuf {
    carveout_host::dirs::Dirs::find().root().unwrap().to_owned()
}

/// Whether what takes minutes is to run; says so if it is not.
pub fn is_full() -> bool {
    let full = std::env::var_os(xtask::FULL).is_some();
    if !full {
        println!("skipped: it takes minutes, and runs with `cargo xtask test --full`");
    }
    full
}

/// What a command printed and how it ended.
pub struct Ran {
    shown: String,
    arguments: Vec<String>,
    output: Output,
}

impl Ran {
    pub fn new(command: &mut Command) -> Self {
        let shown = format!("{command:?}");
        let arguments = command.get_args().map(|word| word.to_string_lossy().into_owned()).collect();
        let output = command.output().unwrap_or_else(|e| panic!("{shown}: {e}"));
        Self { shown, arguments, output }
    }

    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).trim_end().to_owned()
    }

    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// It must have succeeded; its stdout.
    pub fn ok(self) -> String {
        assert!(self.output.status.success(), "{}\n{}\n{}", self.shown, self.stdout(), self.stderr());
        self.stdout()
    }

    /// What `--json` prints, as the schema has it.
    pub fn json(&self) -> Value {
        let document: Value =
            serde_json::from_str(&self.stdout()).unwrap_or_else(|e| panic!("{}: {e}", self.shown));
        let ended_well = self.output.status.success();
        assert_eq!(
            (&document["schema"], &document["ok"]),
            (&Value::from(1), &Value::from(ended_well)),
            "{document}"
        );
        assert_eq!(crate::schema::faults(&self.arguments, &document), Vec::<String>::new(), "{document}");
        document
    }

    /// It must have succeeded; the result in what `--json` prints.
    pub fn result(self) -> Value {
        assert!(self.output.status.success(), "{}\n{}\n{}", self.shown, self.stdout(), self.stderr());
        self.json()["result"].clone()
    }

    /// It must have failed; the first failure in what `--json` prints.
    pub fn failure(self) -> Value {
        assert!(!self.output.status.success(), "{}\n{}", self.shown, self.stdout());
        self.json()["errors"][0].clone()
    }

    /// It must have ended with this exit code; its stderr.
    pub fn fails(self, code: i32) -> String {
        assert_eq!(
            self.output.status.code(),
            Some(code),
            "{}\n{}\n{}",
            self.shown,
            self.stdout(),
            self.stderr()
        );
        self.stderr()
    }
}

/// Our own program on this workspace.
pub fn xtask<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    Ran::new(command.args(arguments).current_dir(root()))
}

/// Any other program.
pub fn run<S: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = S>) -> Ran {
    Ran::new(Command::new(program).args(arguments).env("LC_ALL", "C"))
}

/// A run of all tests, each of which is a process: nextest's name of it, or, without nextest, this process.
fn this_run() -> &'static str {
    static RUN: OnceLock<String> = OnceLock::new();
    RUN.get_or_init(|| {
        let now = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        std::env::var("NEXTEST_RUN_ID").unwrap_or_else(|_| format!("{}-{}", std::process::id(), now()))
    })
}

/// What tests share: made in a folder of its own by the first that needs it, once in a run. Returns what the making returned.
pub fn once(name: &str, make: impl FnOnce(&Path) -> String) -> String {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("shared");
    let folder = home.join(this_run()).join(name);
    fs::create_dir_all(&folder).unwrap();
    let lock = File::create(folder.join(".lock")).unwrap();
    lock.lock().unwrap();
    let made = folder.join(".made");
    fs::read_to_string(&made).unwrap_or_else(|_| {
        let old =
            |path: &Path| path.metadata().unwrap().modified().unwrap().elapsed().is_ok_and(|age| age > A_DAY);
        for path in fs::read_dir(&home).unwrap().flatten().map(|entry| entry.path()).filter(|path| old(path))
        {
            let _ = fs::remove_dir_all(path);
        }
        let text = make(&folder);
        fs::write(&made, &text).unwrap();
        text
    })
}

/// The default product's bundle.
pub fn desk() -> &'static Path {
    static DESK: OnceLock<PathBuf> = OnceLock::new();
    DESK.get_or_init(|| once("desk", |_| xtask(["image"]).ok().lines().last().unwrap().to_owned()).into())
}

/// A bundle without root filesystem in a folder of the test's own, which may damage it; its archive is beside it.
pub fn small(dir: &Path, more: &[&str]) -> PathBuf {
    let made = once(&format!("small{}", more.concat()), |folder| {
        let out = folder.to_str().unwrap();
        xtask(["image", "--without", "rootfs", "-o", out].into_iter().chain(more.iter().copied())).ok()
    });
    let archive = format!("{made}.tar.zst");
    fs::create_dir_all(dir).unwrap();
    run("cp", ["-a", &made, &archive, dir.to_str().unwrap()]).ok();
    dir.join(Path::new(&made).file_name().unwrap())
}

/// What cargo has compiled for this host here, for builds of apps: macros and build scripts. A workspace elsewhere takes it over, as it
/// does compilers.
pub fn take_host_parts(workspace: &Path) {
    take(workspace, |kind| format!("{kind}/{kind}"));
}

/// All that cargo has compiled here for apps: what is not of this workspace is the same elsewhere.
pub fn take_compiled(workspace: &Path) {
    take(workspace, str::to_owned);
}

fn take(workspace: &Path, part: impl Fn(&str) -> String) {
    for (verb, kind) in [("trusted-apps", "ta"), ("client-apps", "client")] {
        xtask([verb]).ok();
        let place = format!("target/carveout/cargo/{}", part(kind));
        let (from, to) = (root().join(&place), workspace.join(&place));
        // cargo's own lock: nothing is written meanwhile. Where results of stages are of an older run, nothing is there.
        let lock = root().join(format!("target/carveout/cargo/{kind}/{kind}/.cargo-lock"));
        let Ok(lock) = File::open(lock) else { continue };
        lock.lock().unwrap();
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        run("cp", ["-a", from.to_str().unwrap(), to.to_str().unwrap()]).ok();
    }
}

/// Our kernel for tests, of the firmware that `emulate` boots.
pub fn test_kernel() -> Vec<u8> {
    use carveout_build::workshop::Sources;
    use carveout_desk::Workshop;
    static KERNEL: OnceLock<Vec<u8>> = OnceLock::new();
    let build = || {
        let ui = carveout_host::ui::Ui::new(carveout_host::ui::Verbosity::Quiet);
        let dirs = carveout_host::dirs::Dirs::find();
        let folder = Sources::new(&dirs, false, &ui).firmware().unwrap();
        std::fs::read(folder.join(carveout_desk::TEST_KERNEL)).unwrap()
    };
    KERNEL.get_or_init(build).clone()
}

/// A bundle's manifest.
pub fn manifest(bundle: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(bundle.join("manifest.json")).unwrap()).unwrap()
}

/// Paths of all files of a bundle, by its manifest.
pub fn files(bundle: &Path) -> Vec<String> {
    let manifest = manifest(bundle);
    let files = manifest["files"].as_array().unwrap();
    files.iter().map(|f| f["path"].as_str().unwrap().to_owned()).collect()
}
