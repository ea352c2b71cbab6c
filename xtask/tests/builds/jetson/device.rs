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

use super::Machine;
use super::standin::put;
use crate::util::{Ran, root};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use tempfile::TempDir;

/// What a module's EEPROM says: board, fab, SKU, revision.
pub const XAVIER_32GB: &str = "2888 400 0004 K.0";

/// A bundle of the default product for all modules, made once: with a kernel, without root filesystem.
pub fn bundle() -> &'static Path {
    static BUNDLE: OnceLock<PathBuf> = OnceLock::new();
    BUNDLE.get_or_init(|| {
        let out = Path::new(env!("CARGO_TARGET_TMPDIR")).join("jetson");
        PathBuf::from(Machine::new().image_into(&out, &[]).ok())
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
        self.plug_other(instance, ["0955", "7019"]);
        let at = |name: &str| self.dir.path().join(name).join(instance);
        let board = Board { home: at("state"), usb: at("usb") };
        board.note("eeprom", eeprom);
        board.note("state", "rom");
        board
    }

    /// Connects any device, by the identities of its vendor and product.
    pub fn plug_other(&self, instance: &str, [vendor, product]: [&str; 2]) {
        let (bus, port) = instance.split_once('-').unwrap();
        let files = [("idVendor", vendor), ("idProduct", product), ("busnum", bus), ("devpath", port)];
        for (name, text) in files {
            put(&self.dir.path().join("usb").join(instance).join(name), format!("{text}\n"));
        }
    }

    /// Calls that name no board: of tegraparser_v2 and chkbdinfo. They have a script, too.
    pub fn host(&self) -> Board {
        Board { home: self.dir.path().join("state/host"), usb: self.dir.path().join("usb/host") }
    }

    /// Lets a program see this bus; what a person keeps (records of flashes) is kept in its folder.
    pub fn connect<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        let path = |name: &str| self.dir.path().join(name);
        command.env("CARVEOUT_USB_DEVICES", path("usb")).env("STANDIN_STATE", path("state"));
        command.env("XDG_STATE_HOME", path("home")).env("CARVEOUT_FLASH_WAIT", "0")
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

    /// A bundle's own script at this bus, which needs neither workspace nor BSP.
    pub fn flash_sh(&self, bundle: &Path, arguments: &[&str]) -> Ran {
        let mut command = Command::new("bash");
        Ran::new(self.connect(command.arg(bundle.join("flash/flash.sh")).args(arguments)))
    }
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

    fn note(&self, suffix: &str, text: &str) {
        put(&self.file(suffix), text);
    }

    /// What goes wrong from now on, lines of `MATCH ACTION`: in each call that contains MATCH, one of `fail` (exit code 8),
    /// `lie` (says that it failed, and ends with 0), `silent` (ends with 0 and does nothing), `vanish` (the board leaves the
    /// bus), `corrupt` (flips a bit of what is written or read), `hang`. The first line that fits counts.
    pub fn script(&self, lines: &[&str]) {
        self.note("script", &lines.join("\n"));
    }

    /// What the boot ROM says of the chip from now on (`BR_CID`).
    pub fn chip(&self, cid: &str) {
        self.note("cid", cid);
    }

    /// Brings it into recovery mode, as its buttons do: on the bus again, what was flashed stays.
    pub fn reset(&self) {
        let (bus, port) = self.usb.file_name().unwrap().to_str().unwrap().split_once('-').unwrap();
        for (name, text) in [("idVendor", "0955"), ("idProduct", "7019"), ("busnum", bus), ("devpath", port)]
        {
            put(&self.usb.join(name), format!("{text}\n"));
        }
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

    /// What a partition holds; nothing if it was never written.
    pub fn partition(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.home.join(name)).ok()
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
    let board = bus.plug("1-2.3", XAVIER_32GB);
    assert_eq!(bus.xtask(["verify".as_ref(), bundle().as_os_str()]).ok(), "ok");
    let said = bus.flash_sh(bundle(), &["--scope", "secure-os"]).ok();
    assert!(said.contains("it is P2888-0004 fab 400: module 32gb\n"), "{said}");
    assert!(said.ends_with("done: secure-os"), "{said}");
    let image = fs::read(bundle().join("flash/common/tos-trusty_t194_sigheader.img.encrypt")).unwrap();
    for slot in ["secure-os", "secure-os_b"] {
        let written = board.partition(slot).unwrap();
        assert_eq!(written.len(), 2_621_440, "a partition is as long as the layout says");
        assert!(written.starts_with(&image) && written[image.len()..].iter().all(|byte| *byte == 0));
    }
    assert_eq!(board.partition("MB1_BCT"), None, "no other partition is touched");
    assert_eq!((board.state().as_str(), board.is_there()), ("linux", false));
    let calls = board.calls();
    assert_eq!(calls[0], "tegrarcm_v2 --chip 0x19 0 --rcm rcm_list_signed.xml");
    assert!(calls.contains(&"tegrarcm_v2 --oem platformdetails eeprom cvm cvm.bin".into()), "{calls:#?}");
    assert_eq!(calls.last().unwrap(), "tegradevflash_v2 --reboot coldboot");
    assert_eq!(bus.host().calls()[0], "chkbdinfo -i cvm.bin".replace("cvm", "id/cvm"));
}

#[test]
fn a_script_of_failures_is_followed() {
    for (line, words) in [
        ("--write secure-os_b fail", "tegradevflash_v2 --write secure-os_b"),
        ("--write secure-os_b lie", "failed (exit code 0): Error: FAILED"),
        ("--write secure-os_b silent", "secure-os_b reads back other than it was written"),
        ("--read secure-os corrupt", "secure-os reads back other than it was written"),
        ("--boot recovery vanish", "tegrarcm_v2 --boot recovery failed (exit code 8)"),
        ("--oem silent", "the board is P- fab , which this bundle is not for"),
    ] {
        let bus = Bus::new();
        let board = bus.plug("1-2", XAVIER_32GB);
        board.script(&[line]);
        let error = bus.flash_sh(bundle(), &["--scope", "secure-os"]).fails(1);
        assert!(error.contains(words), "{line}: {error}");
        assert_eq!(board.is_there(), !line.ends_with("vanish"));
    }
}

#[test]
fn the_packages_own_script_writes_all_partitions() {
    let bus = Bus::new();
    let board = bus.plug("1-2", XAVIER_32GB);
    let package = tempfile::tempdir().unwrap();
    for folder in ["common", "32gb"] {
        let from = bundle().join("flash").join(folder);
        crate::util::run("cp", ["-r", &format!("{}/.", from.display()), package.path().to_str().unwrap()])
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
    assert!(board.partition("APP").unwrap().starts_with(b"root filesystem\0"));
    assert_eq!(board.partition("UDA"), None, "all partitions are made anew");
}
