//! The client app that runs against the emulator: the very one of the .deb through qemu-user, or one for this host.

use super::target::Target;
use crate::error::{At, Error, Exit, Result, nearest};
use crate::host::{self, Need};
use crate::interrupt;
use crate::process::{self, Streams};
use crate::tools::{emulator, find, read_limited, run as run_tool, shell};
use crate::ui::{self, Ui};
use crate::verbs::build;
use bundle::package_name;
use serde_json::Value;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
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
/// Largest package of a client app, in bytes.
const MAX_DEB: u64 = 256 << 20;
/// Machine number of AArch64 in an ELF header.
const EM_AARCH64: [u8; 2] = [183, 0];

/// A program that is ready to run.
pub struct Client {
    program: PathBuf,
    through_qemu: bool,
    /// Whether it came with what is run, from whoever made that.
    of_bundle: bool,
}

/// How it ended.
pub struct Ended {
    name: String,
    code: Option<i32>,
    /// What it printed, if it was not shown.
    pub output: Option<Value>,
}

impl Client {
    /// Gets a program, of whatever is meant.
    pub fn prepare(which: Option<&str>, target: &Target, dir: &Path, root: &Path, ui: &Ui) -> Result<Self> {
        let choice = Choice::of(which, target)?;
        let of_bundle = matches!(choice, Choice::Deb(..));
        let program = match choice {
            Choice::Deb(name, bytes) => unpack(&name, &bytes, dir, root, ui)?,
            Choice::File(path) => {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                unpack(&name, &read_limited(&path, MAX_DEB)?, dir, root, ui)?
            }
            Choice::Host(name) => emulator::host_program(root, &name, &[], ui)?,
            Choice::Workspace(name) => {
                let path = build::client_app(name.as_deref(), ui)?;
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                ui.note(&format!("client app {name}, of this workspace"));
                unpack(&name, &crate::files::read(&path)?, dir, root, ui)?
            }
            Choice::Program(path) => path,
        };
        if !program.is_file() {
            return Err(Error::usage(format!("{}: no program", program.display())).remedy(
                "--client takes the name of a client app, host, or the path of a program or a .deb",
            ));
        }
        let mut head = vec![0; 20];
        let read =
            bundle::open(&program).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut head));
        read.map_err(|e| Error::usage(format!("{}: no program: {e}", program.display())))?;
        let foreign = head.ends_with(&EM_AARCH64) && std::env::consts::ARCH != "aarch64";
        if foreign {
            ensure(root, ui)?;
        }
        Ok(Self { program, through_qemu: foreign, of_bundle })
    }

    /// Runs it to its end. Its output is shown, or captured for JSON.
    pub fn run(&self, socket: &Path, arguments: &[String], capture: bool) -> Result<Ended> {
        let sh = process::shell(Path::new("."))?;
        let command = if self.through_qemu {
            let libc = Path::new(LIBC).is_dir().then_some(["-L", LIBC]);
            let qemu = find(QEMU).unwrap_or_else(|| QEMU.into());
            sh.cmd(qemu).args(libc.into_iter().flatten()).arg(&self.program)
        } else {
            sh.cmd(&self.program)
        };
        let command = command.args(arguments).env(DEVICE_VARIABLE, socket);
        // What comes with a bundle may be anyone's: a terminal gets no command of it. A file or a pipe gets the very bytes.
        let shown = self.of_bundle && !capture && ui::is_for_a_terminal();
        let piped = |wanted| if wanted { Stdio::piped() } else { Stdio::inherit() };
        let streams =
            Streams { stdout: piped(capture || shown), stderr: piped(self.of_bundle), ..Streams::ours() };
        let name = self.program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let failed = |e: std::io::Error| {
            Error::usage(format!("cannot run {name}: {e}"))
                .remedy("--client takes an executable program of this host, or of aarch64 Linux")
        };
        let mut running =
            process::start_in_front(command, streams).map_err(|unstarted| failed(unstarted.error))?;
        let output = std::thread::scope(|scope| {
            running.stderr().map(|errors| scope.spawn(|| ui::pass_on(errors)));
            shown.then(|| running.stdout()).flatten().map(|out| scope.spawn(|| ui::pass_on_result(out)));
            running.finish()
        });
        let output = output.map_err(failed)?;
        interrupt::check()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Ended { name, code: output.status.code(), output: capture.then_some(value) })
    }
}

/// What `--client` means.
#[derive(Debug, PartialEq, Eq)]
enum Choice {
    /// A package of the bundle: the name of its file, its bytes.
    Deb(String, Vec<u8>),
    /// A Debian package.
    File(PathBuf),
    /// A package of the workspace, built for this host.
    Host(String),
    /// One built for the board: the default product's first where none is named.
    Workspace(Option<String>),
    /// A program.
    Program(PathBuf),
}

impl Choice {
    fn of(which: Option<&str>, target: &Target) -> Result<Self> {
        let first = target.debs.first();
        let names: Vec<&str> = target.debs.iter().map(|(file, _)| package_name(file)).collect();
        let none = || {
            Error::usage("there is no client app in it").remedy(
                "name one with --client: a client app of the workspace, or the path of a program or a .deb; or leave out what follows \
                 --, and the trusted apps wait for clients",
            )
        };
        match (which, first) {
            (None | Some("deb"), Some((file, bytes))) => return Ok(Self::Deb(file.clone(), bytes.clone())),
            // Its client apps are in its root filesystem; the workspace's own are what such a device was made of.
            (None, None) if target.device => return Ok(Self::Workspace(None)),
            (Some("host"), Some((file, _))) => return Ok(Self::Host(package_name(file).to_owned())),
            (Some("host"), None) if target.device => {
                return build::first_client_app().map(Self::Host);
            }
            (None | Some("deb" | "host"), None) => return Err(none()),
            _ => {}
        }
        let which = which.unwrap_or_default();
        if let Some(name) = which.strip_prefix("host:") {
            return Ok(Self::Host(name.to_owned()));
        }
        let named = target.debs.iter().find(|(file, _)| package_name(file) == which);
        if let Some((file, bytes)) = named {
            return Ok(Self::Deb(file.clone(), bytes.clone()));
        }
        // A name without a slash would be looked for on the PATH.
        let path = std::path::absolute(which).unwrap_or_else(|_| which.into());
        if path.exists() || which.contains('/') {
            let deb = path.extension().is_some_and(|e| e == "deb");
            return Ok(if deb { Self::File(path) } else { Self::Program(path) });
        }
        if names.is_empty() {
            return Ok(Self::Workspace(Some(which.to_owned())));
        }
        let near = nearest(which, names.iter().copied());
        let near = near.map(|name| format!(" Did you mean `{name}`?")).unwrap_or_default();
        Err(Error::usage(format!("no client app `{which}`: the bundle has {}.{near}", names.join(", ")))
            .remedy("--client takes one of these names, host, host:NAME, or the path of a program or a .deb"))
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
            let text = output.as_str().map_or_else(|| format!("{output:#}"), str::to_owned);
            error.message += &text.lines().map(|line| format!("\n  | {line}")).collect::<String>();
        }
        Some(error)
    }
}

/// What client apps need of the host, as far as that is known beforehand.
pub fn needs(which: Option<&str>) -> &'static [Need] {
    let of_host =
        which.is_some_and(|which| which == "host" || which.starts_with("host:") || which.contains('/'));
    if of_host { &[] } else { &NEEDS }
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
    crate::files::put(&file, deb)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    fn target(debs: &[&str], device: bool) -> Target {
        let debs = debs.iter().map(|name| ((*name).to_owned(), name.as_bytes().to_vec())).collect();
        let (image, apps, symbols) = (Vec::new(), Vec::new(), std::collections::BTreeMap::new());
        Target { image, apps, debs, device, tzdram: None, memory: None, kernel: None, symbols }
    }

    #[test]
    fn a_client_app_is_chosen_by_order_name_or_path() {
        let bundle = target(&["second-app_1.0_arm64.deb", "a-app_1.0_arm64.deb"], false);
        let deb = |name: &str| Choice::Deb(name.into(), name.as_bytes().to_vec());
        for which in [None, Some("deb"), Some("second-app")] {
            assert_eq!(Choice::of(which, &bundle).unwrap(), deb("second-app_1.0_arm64.deb"), "{which:?}");
        }
        assert_eq!(Choice::of(Some("a-app"), &bundle).unwrap(), deb("a-app_1.0_arm64.deb"));
        assert_eq!(Choice::of(Some("host"), &bundle).unwrap(), Choice::Host("second-app".into()));
        assert_eq!(Choice::of(Some("host:a-app"), &bundle).unwrap(), Choice::Host("a-app".into()));
        assert_eq!(Choice::of(Some("/x/y.deb"), &bundle).unwrap(), Choice::File("/x/y.deb".into()));
        assert_eq!(Choice::of(Some("/x/y"), &bundle).unwrap(), Choice::Program("/x/y".into()));
        let error = Choice::of(Some("a-ap"), &bundle).unwrap_err().message;
        assert_eq!(error, "no client app `a-ap`: the bundle has second-app, a-app. Did you mean `a-app`?");
    }

    #[test]
    fn a_device_without_its_bundle_gets_the_workspaces_client_app() {
        let device = target(&[], true);
        assert_eq!(Choice::of(None, &device).unwrap(), Choice::Workspace(None));
        assert_eq!(Choice::of(Some("my-app"), &device).unwrap(), Choice::Workspace(Some("my-app".into())));
        assert_eq!(Choice::of(Some("host"), &device).unwrap(), Choice::Host("echo-srv-app".into()));
        let image = target(&[], false);
        assert!(Choice::of(None, &image).unwrap_err().message.contains("there is no client app in it"));
        assert_eq!(Choice::of(Some("my-app"), &image).unwrap(), Choice::Workspace(Some("my-app".into())));
    }
}
