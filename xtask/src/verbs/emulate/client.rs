//! The client app that runs against the emulator: the very one of the .deb through qemu-user, or one for this host.

use super::target::Target;
use crate::error::{At, Error, Exit, Result};
use crate::host::{self, Need};
use crate::tools::{emulator, find, run as run_tool, shell};
use crate::ui::Ui;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use xshell::cmd;

/// Environment variable that names the emulator's socket to client apps: see the crate tipc.
pub const DEVICE_VARIABLE: &str = "TIPC_DEVICE";
/// Runs aarch64 programs.
const QEMU: &str = "qemu-aarch64-static";
/// Debian's C library of arm64, for client apps that are not static: those of BitBake.
const LIBC: &str = "/usr/aarch64-linux-gnu";
/// How qemu ends if a program's C library is not there.
const NO_LIBC: i32 = 255;
const NEEDS: [Need; 2] = [
    Need { program: QEMU, package: "qemu-user-static", why: "runs client apps of the board on this host" },
    Need { program: "dpkg-deb", package: "dpkg", why: "unpacks client apps' packages" },
];
/// Machine number of AArch64 in an ELF header.
const EM_AARCH64: [u8; 2] = [183, 0];

/// A program that is ready to run.
pub struct Client {
    program: PathBuf,
    through_qemu: bool,
}

/// How it ended.
pub struct Ended {
    name: String,
    code: Option<i32>,
    /// What it printed, if it was not shown.
    pub output: Option<Value>,
}

impl Client {
    /// Gets a program: `deb` out of the bundle's package, `host` built here, or a path.
    pub fn prepare(which: &str, target: &Target, dir: &Path, root: &Path, ui: &Ui) -> Result<Self> {
        let program = match (which, target.debs.first()) {
            ("deb", Some((name, deb))) => unpack(name, deb, dir, root, ui)?,
            ("host", Some((name, _))) => {
                // Debian calls a package's file NAME_VERSION_ARCHITECTURE.deb.
                let package = name.split('_').next().unwrap_or_default();
                emulator::host_program(root, package, &[], ui)?
            }
            ("deb" | "host", None) => {
                return Err(Error::usage("there is no client app in it").remedy(
                    "give --client the path of a program; or leave out what follows --, and the trusted apps wait for clients",
                ));
            }
            // A name without a slash would be looked for on the PATH.
            (path, _) => std::path::absolute(path).unwrap_or_else(|_| path.into()),
        };
        if !program.is_file() {
            return Err(Error::usage(format!("{}: no program", program.display()))
                .remedy("--client takes deb, host, or the path of a program"));
        }
        let mut head = vec![0; 20];
        let read =
            fs::File::open(&program).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut head));
        read.map_err(|e| Error::usage(format!("{}: no program: {e}", program.display())))?;
        let foreign = head.ends_with(&EM_AARCH64) && std::env::consts::ARCH != "aarch64";
        if foreign {
            ensure(root, ui)?;
        }
        Ok(Self { program, through_qemu: foreign })
    }

    /// Runs it to its end. Its output is shown, or captured for JSON.
    pub fn run(&self, socket: &Path, arguments: &[String], capture: bool) -> Result<Ended> {
        let mut command = if self.through_qemu {
            let mut command = Command::new(find(QEMU).unwrap_or_else(|| QEMU.into()));
            if Path::new(LIBC).is_dir() {
                command.args(["-L", LIBC]);
            }
            command.arg(&self.program);
            command
        } else {
            Command::new(&self.program)
        };
        command.args(arguments).env(DEVICE_VARIABLE, socket);
        if capture {
            command.stdout(Stdio::piped());
        }
        let name = self.program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let failed = |e| {
            Error::usage(format!("cannot run {name}: {e}"))
                .remedy("--client takes an executable program of this host, or of aarch64 Linux")
        };
        let output = command.spawn().and_then(std::process::Child::wait_with_output).map_err(failed)?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Ended { name, code: output.status.code(), output: capture.then_some(value) })
    }
}

impl Ended {
    /// The error of a client app that did not end well, with its own exit code where that is one of ours.
    pub fn error(&self) -> Option<Error> {
        let mut error = match self.code {
            Some(0) => return None,
            Some(NO_LIBC) if !Path::new(LIBC).is_dir() => {
                Error::environment(format!("{} ended with exit code {NO_LIBC}", self.name)).remedy(
                    "if it is linked with the board's C library, run: apt-get install libc6-arm64-cross libgcc-s1-arm64-cross",
                )
            }
            Some(code) => Error::check(format!("{} ended with exit code {code}", self.name)),
            None => Error::check(format!("{} was ended by a signal", self.name)),
        };
        error.exit = match self.code {
            Some(2) => Exit::Usage,
            Some(3) => Exit::Environment,
            _ => error.exit,
        };
        if let Some(output) = self.output.as_ref().filter(|output| *output != "") {
            error.message = format!("{}\n{output:#}", error.message);
        }
        Some(error)
    }
}

/// Installs or names what runs client apps of the board.
fn ensure(root: &Path, ui: &Ui) -> Result<()> {
    let log = crate::stages::home(root).join("logs/host.log");
    host::ensure(&NEEDS, false, &log, ui)
}

fn unpack(name: &str, deb: &[u8], dir: &Path, root: &Path, ui: &Ui) -> Result<PathBuf> {
    ensure(root, ui)?;
    let logs = crate::stages::logs(root)?;
    let (file, folder) = (dir.join("client.deb"), dir.join("client"));
    fs::write(&file, deb).at(&file)?;
    let sh = shell(dir)?;
    run_tool(
        &format!("unpacking {name}"),
        cmd!(sh, "dpkg-deb --extract {file} {folder}"),
        &logs.join("client.log"),
    )?;
    let bin = folder.join("usr/bin");
    let programs = fs::read_dir(&bin).at(&bin)?.flatten().map(|entry| entry.path());
    let executable =
        |path: &PathBuf| path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    let mut programs: Vec<PathBuf> = programs.filter(executable).collect();
    programs.sort();
    programs.into_iter().next().ok_or_else(|| Error::check(format!("{name}: has no program in usr/bin")))
}
