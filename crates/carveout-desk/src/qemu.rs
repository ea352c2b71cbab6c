//! QEMU's machine: the version that is there, and a process of it.

use crate::errors::MachineError;
use carveout_host::error::{Error, Exit, Result};
use carveout_host::packages;
use carveout_host::packages::Need;
use carveout_host::process;
use carveout_host::process::{Running, Streams};
use carveout_host::tools::{capture, find, shell};
use carveout_host::ui::Ui;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use xshell::cmd;

/// The program.
pub const NEED: Need = Need {
    program: "qemu-system-aarch64",
    package: "qemu-system-arm",
    why: "boots the secure-os image of a bundle on this host",
};
/// Environment variable that names another program.
pub const VARIABLE: &str = "CARVEOUT_QEMU";
/// Oldest version that this is tried with: secure stage 2 and the secure timer work.
const OLDEST: (u32, u32) = (7, 2);

/// A QEMU that will do.
#[derive(Clone, Debug)]
pub struct Qemu {
    program: PathBuf,
    /// Its version, such as 7.2.22.
    pub version: String,
}

/// Sockets that the machine's serial ports and its console for frames connect to.
pub struct Sockets<'a> {
    /// Frames.
    pub link: &'a Path,
    /// Serial port 0: Trusty.
    pub console: &'a Path,
    /// Serial port 1: the monitor.
    pub monitor: &'a Path,
}

impl Qemu {
    /// The one to use, installed if need be and allowed.
    pub fn get(offline: bool, log: &Path, ui: &Ui) -> Result<Self> {
        if std::env::var_os(VARIABLE).is_none() {
            packages::ensure(&[NEED], offline, log, ui)?;
        }
        Self::installed()?.ok_or_else(|| {
            MachineError::NoQemu { install: packages::install_command(&[NEED.package]) }.into()
        })
    }

    /// The one that is there.
    pub fn installed() -> Result<Option<Self>> {
        let given = std::env::var_os(VARIABLE).filter(|given| !given.is_empty()).map(PathBuf::from);
        let Some(program) = given.clone().or_else(|| find(NEED.program)) else { return Ok(None) };
        let sh = shell(Path::new("/"))?;
        let text =
            capture(&program.display().to_string(), cmd!(sh, "{program} --version")).map_err(|error| {
                match given {
                    Some(_) => Error { exit: Exit::Usage, ..error }
                        .remedy(format!("{VARIABLE} names a qemu-system-aarch64")),
                    None => error,
                }
            })?;
        let Some(version) = version(&text) else {
            return Err(MachineError::NoQemuVersion { path: program, output: text }.into());
        };
        let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
        let this = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if this < OLDEST {
            let (major, minor) = OLDEST;
            return Err(MachineError::QemuTooOld { version, oldest: format!("{major}.{minor}") }.into());
        }
        Ok(Some(Self { program, version }))
    }

    /// Starts a machine of these arguments. What QEMU itself says goes to a file.
    pub fn spawn(&self, arguments: Vec<OsString>, said: File) -> Result<Running> {
        let sh = process::shell(Path::new("."))?;
        let errors = said.try_clone().map_err(|source| MachineError::QemuLog { source })?;
        let streams = Streams { stdout: said.into(), stderr: errors.into(), ..Streams::default() };
        let command = process::foreign(sh.cmd(&self.program)).args(arguments);
        process::start(command, streams).map_err(|unstarted| unstarted.of("QEMU"))
    }

    /// Starts the machine with so many bytes of DRAM. What QEMU itself says goes to a file.
    pub fn start(&self, flash: &Path, dram: u64, sockets: &Sockets, said: File) -> Result<Running> {
        let socket = |id: &str, path: &Path| format!("socket,id={id},path={}", escape(path));
        let memory = format!("{}M", dram >> 20);
        let mut words: Vec<OsString> = Vec::new();
        let mut add = |more: &[&str]| words.extend(more.iter().map(OsString::from));
        add(&["-M", "virt,secure=on,virtualization=on,gic-version=2", "-cpu", "max", "-smp", "1"]);
        add(&["-m", &memory, "-accel", "tcg"]);
        add(&["-nodefaults", "-nic", "none", "-display", "none", "-monitor", "none"]);
        add(&["-chardev", &socket("console", sockets.console), "-serial", "chardev:console"]);
        add(&["-chardev", &socket("monitor", sockets.monitor), "-serial", "chardev:monitor"]);
        add(&["-chardev", &socket("link", sockets.link)]);
        // The layout of virtio 1.x, which the agent knows.
        add(&["-global", "virtio-mmio.force-legacy=false", "-device", "virtio-serial-device"]);
        add(&["-device", "virtconsole,chardev=link"]);
        words.extend(["-bios".into(), flash.into()]);
        self.spawn(words, said)
    }
}

/// A path in QEMU's options, where commas are doubled.
pub fn escape(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

/// The version in `QEMU emulator version 7.2.22 (Debian …)`.
fn version(text: &str) -> Option<String> {
    let mut words = text.split_whitespace().skip_while(|word| *word != "version");
    let version = words.nth(1)?;
    version.starts_with(|c: char| c.is_ascii_digit()).then(|| version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read() {
        let debian = "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright";
        assert_eq!(version(debian).as_deref(), Some("7.2.22"));
        assert_eq!(version("QEMU emulator version 11.1.3\n").as_deref(), Some("11.1.3"));
        assert_eq!(version("hello"), None);
        assert_eq!(version("a version"), None);
    }
}
