//! Boards in recovery mode, on a USB bus that is a folder: what the device-side tools of the stand-in BSP talk to
//! (`standin/board.py`). Nothing waits, so that tests are quick.
//!
//! A test of flashing reads like a day at the bench:
//!
//! ```text
//! let bus = Bus::new();
//! let board = bus.plug("1-2", XAVIER_32GB);
//! board.script(&["--write secure-os_b fail"]);
//! bus.xtask(["flash", …]).fails(1);
//! assert!(board.calls().last().unwrap().starts_with("tegradevflash_v2 --write secure-os_b "));
//! ```

use super::standin::put;
use super::{BOARD, Machine};
use crate::builds::util::{Ran, root};
use serde_json::Value;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tempfile::TempDir;

/// What a module's EEPROM says: board, fab, SKU, revision.
pub const XAVIER_32GB: &str = "2888 400 0004 K.0";

/// A product for all modules, with a partition APP that is read and written quickly.
pub fn product(machine: &Machine) -> String {
    let text = format!(
        "name: bench\nversion: 1.0.0\nboard: {BOARD}\ntzdram: {{ size: 32MiB }}\n\
         trusted_apps: [echo-srv, {{ package: small-echo-srv, min_heap: 128KiB }}]\n\
         client_apps: [echo-srv-app]\nl4t: {{ app_size: 256MiB }}\n"
    );
    let path = machine.path("bench.yaml");
    put(&path, text);
    path.display().to_string()
}

/// Its bundle, made once: with a kernel, without root filesystem.
pub fn bundle() -> &'static Path {
    static BUNDLE: OnceLock<PathBuf> = OnceLock::new();
    BUNDLE.get_or_init(|| {
        let (machine, out) = (Machine::new(), Path::new(env!("CARGO_TARGET_TMPDIR")).join("jetson"));
        PathBuf::from(machine.image_into(&out, &["-c", &product(&machine)]).ok())
    })
}

/// A USB bus, and what its boards remember.
pub struct Bus {
    dir: TempDir,
}

impl Bus {
    /// An empty one.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        ["usb", "state"].iter().for_each(|name| fs::create_dir(dir.path().join(name)).unwrap());
        Self { dir }
    }

    /// Connects a board in recovery mode at `BUS-PORT`, such as `1-2.3`.
    pub fn plug(&self, instance: &str, eeprom: &str) -> Board {
        let at = |name: &str| self.dir.path().join(name).join(instance);
        let board = Board { home: at("state"), usb: at("usb") };
        board.note("eeprom", eeprom);
        board.reset();
        board
    }

    /// The same with a board of another kind, by its USB product.
    pub fn plug_kind(&self, instance: &str, eeprom: &str, product: &str) -> Board {
        let board = self.plug(instance, eeprom);
        if ["7c18", "7418", "7018"].contains(&product) {
            board.note("cid", "0x81801001641d200100000000000000001");
        }
        connected(&board.usb, ["0955", product]);
        board
    }

    /// The same with a board that has been flashed with the bundle's boot config.
    pub fn plug_flashed(&self, instance: &str, eeprom: &str) -> Board {
        let board = self.plug(instance, eeprom);
        let bct = bundle().join("flash/common/mb1_cold_boot_bct_MB1_sigheader.bct.encrypt");
        board.fill("MB1_BCT", &fs::read(bct).unwrap());
        board
    }

    /// Connects any device, by the identities of its vendor and product.
    pub fn plug_other(&self, instance: &str, identity: [&str; 2]) {
        connected(&self.dir.path().join("usb").join(instance), identity);
    }

    /// Calls that name no board: of tegraparser_v2 and chkbdinfo. They have a script, too.
    pub fn host(&self) -> Board {
        Board { home: self.dir.path().join("state/host"), usb: self.dir.path().join("usb/host") }
    }

    /// Lets a program see this bus; what a person keeps (records of flashes) is kept in its folder.
    pub fn connect<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let path = |name: &str| self.dir.path().join(name);
        command
            .env("TMPDIR", self.dir.path())
            .env("CARVEOUT_USB_DEVICES", path("usb"))
            .env("STANDIN_STATE", path("state"));
        command.env("XDG_STATE_HOME", self.home()).env("CARVEOUT_FLASH_WAIT", "0")
    }

    /// What a person keeps: records of flashes.
    pub fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// Our own program at this bus.
    pub fn xtask<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        Ran::new(self.connect(command.args(arguments).current_dir(root())))
    }

    /// A bundle's own script, which finds our program by its variable.
    pub fn flash_sh(&self, bundle: &Path) -> Command {
        let mut command = Command::new(bundle.join("flash/flash.sh"));
        self.connect(command.env("CARVEOUT", env!("CARGO_BIN_EXE_xtask")).current_dir(self.dir.path()));
        command
    }
}

/// A device's folder on the bus, as the kernel shows it.
fn connected(folder: &Path, [vendor, product]: [&str; 2]) {
    let (bus, port) = folder.file_name().unwrap().to_str().unwrap().split_once('-').unwrap();
    let files = [("idVendor", vendor), ("idProduct", product), ("busnum", bus), ("devpath", port)];
    files.iter().for_each(|(name, text)| put(&folder.join(name), format!("{text}\n")));
}

/// A board.
pub struct Board {
    home: PathBuf,
    usb: PathBuf,
}

impl Board {
    fn file(&self, suffix: &str) -> PathBuf {
        PathBuf::from(format!("{}.{suffix}", self.home.display()))
    }

    pub fn note(&self, suffix: &str, text: &str) {
        put(&self.file(suffix), text);
    }

    /// What goes wrong from now on, lines of `MATCH ACTION`: in each call that contains MATCH, one of `fail` (exit code 8),
    /// `lie` (says that it failed, and ends with 0), `silent` (ends with 0 and does nothing), `vanish` (the board leaves the
    /// bus), `corrupt` (flips a bit of what is written or read), `hang`, `grow` (the root filesystem of the bundle grows by a byte).
    /// The first line that fits counts.
    pub fn script(&self, lines: &[&str]) {
        self.note("script", &lines.join("\n"));
    }

    /// What the boot ROM says of the chip from now on (`BR_CID`).
    pub fn chip(&self, cid: &str) {
        self.note("cid", cid);
    }

    /// Brings it into recovery mode, as its buttons do: on the bus again, what was flashed stays.
    pub fn reset(&self) {
        connected(&self.usb, ["0955", "7019"]);
        self.note("state", "rom");
    }

    /// All calls so far, as `tool arguments…` without `--instance …`.
    pub fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.file("calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// What runs on it: `rom`, `mb1`, `mb2`, `cpubl`, `linux`, or `hung`.
    pub fn state(&self) -> String {
        fs::read_to_string(self.file("state")).unwrap().split(' ').next().unwrap().to_owned()
    }

    /// Whether it is on the bus, in recovery mode.
    pub fn is_there(&self) -> bool {
        self.usb.exists()
    }

    /// The file that keeps a partition; there is none of one that was never written.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.join(name)
    }

    /// What a small partition holds.
    pub fn partition(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.path(name)).ok()
    }

    /// Lets a partition hold something, as if it had been flashed.
    pub fn fill(&self, name: &str, bytes: &[u8]) {
        put(&self.home.join(name), bytes);
    }
}

/// The stand-ins must carry what the tests of flashing rest on: here with the simplest client of them.
#[test]
fn a_bundles_own_script_writes_both_slots_and_restarts_the_board() {
    let bus = Bus::new();
    let board = bus.plug_flashed("1-2.3", XAVIER_32GB);
    assert_eq!(bus.xtask(["verify".as_ref(), bundle().as_os_str()]).ok(), "ok");
    let said = Ran::new(bus.flash_sh(bundle()).args(["--scope", "secure-os"])).ok();
    assert!(
        said.starts_with("1-2.3: done in ") && said.ends_with(", P2888-0004 fab 400 revision K.0"),
        "{said}"
    );
    let image = fs::read(bundle().join("flash/common/tos-trusty_t194_sigheader.img.encrypt")).unwrap();
    for slot in ["secure-os", "secure-os_b"] {
        let written = board.partition(slot).unwrap();
        assert_eq!(written.len(), 2_621_440, "a partition is as long as the layout says");
        assert!(written.starts_with(&image) && written[image.len()..].iter().all(|byte| *byte == 0));
    }
    assert_eq!(board.partition("MB1_BCT_b"), None, "no other partition is touched");
    assert_eq!((board.state().as_str(), board.is_there()), ("linux", false));
    let calls = board.calls();
    assert_eq!(calls[0], "tegrarcm_v2 --chip 0x19 0 --rcm rcm_list_signed.xml");
    assert!(calls.contains(&"tegrarcm_v2 --oem platformdetails eeprom cvm cvm.bin".into()), "{calls:#?}");
    assert_eq!(calls.last().unwrap(), "tegradevflash_v2 --reboot coldboot");
    assert_eq!(bus.host().calls()[0], "chkbdinfo -i cvm.bin");
}

/// What no checksum covers would lie beside the tools, which run as root.
/// What a board has is read; nothing is written, and it is in recovery mode as before.
#[test]
fn a_board_tells_what_it_has_and_keeps_it() {
    let bus = Bus::new();
    let board = bus.plug_flashed("1-2", XAVIER_32GB);
    let bundle = bundle().to_str().unwrap();
    let status = || bus.xtask(["status", "--to", "usb", "--bundle", bundle, "--json"]).result();
    let said = status();
    assert_eq!(
        (&said["same_secure_os"], &said["tzdram"], &said["runs"]),
        (&false.into(), &(32 << 20).into(), &Value::Null)
    );
    bus.xtask(["flash", bundle, "--to", "usb", "--scope", "secure-os"]).ok();
    board.reset();
    let (before, calls) = (board.partition("secure-os"), board.calls().len());
    let said = status();
    assert_eq!((&said["same_secure_os"], &said["tzdram"]), (&true.into(), &(32 << 20).into()), "{said}");
    assert_eq!((said["device"].as_str(), said["board"].as_str()), (Some("1-2"), Some("jetson-agx-xavier")));
    assert!(bundle.ends_with(said["flashed_here"].as_str().unwrap()), "{said}");
    assert!(board.is_there() && board.partition("secure-os") == before);
    let writes = |call: &String| call.contains("--write") || call.contains("--create");
    assert!(board.calls().len() > calls && !board.calls()[calls..].iter().any(writes));
    let error = bus.xtask(["status", "--to", "usb"]).fails(2);
    assert!(error.contains("--to usb needs --bundle"), "{error}");
}

#[test]
fn nothing_of_a_folder_is_taken_that_nobody_has_checked() {
    let bus = Bus::new();
    let board = bus.plug_flashed("1-2", XAVIER_32GB);
    let dir = tempfile::tempdir().unwrap();
    crate::builds::util::run("cp", ["-r", bundle().to_str().unwrap(), dir.path().to_str().unwrap()]).ok();
    let copy = dir.path().join(bundle().file_name().unwrap());
    put(&copy.join("flash/32gb/of nobody.py"), "import os");
    let error = Ran::new(bus.flash_sh(&copy).args(["--scope", "secure-os"])).fails(1);
    assert!(error.contains("flash/32gb/of nobody.py: "), "{error}");
    assert_eq!(board.calls(), Vec::<String>::new());
}

#[test]
fn the_packages_own_script_writes_all_partitions() {
    let bus = Bus::new();
    let board = bus.plug("1-2", XAVIER_32GB);
    let package = tempfile::tempdir().unwrap();
    for folder in ["common", "32gb"] {
        let from = bundle().join("flash").join(folder);
        crate::builds::util::run(
            "cp",
            ["-r", &format!("{}/.", from.display()), package.path().to_str().unwrap()],
        )
        .ok();
    }
    put(&package.path().join("system.img"), "root filesystem");
    board.fill("UDA", b"somebody's");
    board.chip("0xa8021911");
    let script = "chmod +x tegra* && exec bash nvaflash.sh 1-2";
    let mut command = Command::new("sh");
    let command = bus.connect(command.args(["-c", script]).current_dir(package.path()));
    let said = Ran::new(command).ok();
    assert!(said.starts_with("BR_CID: 0xa8021911\n"), "{said}");
    assert!(said.ends_with("*** Rebooting the device succeeded."), "{said}");
    for name in ["BCT", "MB1_BCT", "MB1_BCT_b", "MEM_BCT_b", "mb2", "secure-os_b", "kernel", "bpmp-fw-dtb"] {
        assert!(board.partition(name).is_some_and(|bytes| bytes.iter().any(|byte| *byte != 0)), "{name}");
    }
    assert_eq!(fs::metadata(board.path("APP")).unwrap().len(), 256 << 20);
    assert_eq!(board.partition("UDA"), None, "all partitions are made anew");
}
