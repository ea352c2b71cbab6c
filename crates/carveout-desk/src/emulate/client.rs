//! The client app that runs against the emulator: that of a package through qemu-user, contained, or one for this host.

use super::contained::Contained;
use super::qemu_user::{LIBC, QEMU, ensure};
use super::request::EmulateRequest;
use super::target::EmulationTarget;
use crate::Workshop;
use crate::errors::ClientError;
use bundle::package_name;
use carveout_host::dirs::Dirs;
use carveout_host::error::{Error, Result, nearest};
use carveout_host::interrupt;
use carveout_host::packages::Need;
use carveout_host::process;
use carveout_host::process::Streams;
use carveout_host::tools::{bwrap, find, read_limited};
use carveout_host::ui;
use carveout_host::ui::Ui;
use rustix::process::Signal;
use serde_json::Value;
use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use xshell::Cmd;

/// Environment variable that names the emulator's socket to client apps: see the crate tipc.
pub const DEVICE_VARIABLE: &str = "TIPC_DEVICE";
const NEEDS: [Need; 2] = [
    Need { program: QEMU, package: "qemu-user-static", why: "runs client apps of the board on this host" },
    Need { program: "dpkg-deb", package: "dpkg", why: "unpacks client apps' packages" },
];
/// Largest package of a client app, in bytes.
const MAX_DEB: u64 = 256 << 20;
/// Bytes that a client app may print where they are captured.
const MAX_OUTPUT: u64 = 64 << 20;
/// Machine number of AArch64 in an ELF header.
const EM_AARCH64: [u8; 2] = [183, 0];
/// Shells, and what contains client apps, add the signal's number to this.
const BY_SIGNAL: i32 = 128;

/// A program that is ready to run.
pub enum Client {
    /// One that the user names, or has this workspace build for this host: as if he ran it himself.
    Own {
        /// The program.
        program: PathBuf,
        /// Whether it is of aarch64, and this host is not.
        through_qemu: bool,
    },
    /// One of a package.
    Contained(Box<Contained>),
}

/// How it ended.
pub struct ClientEnd {
    name: String,
    code: Option<i32>,
    /// What it printed, if it was not shown.
    pub output: Option<Value>,
}

impl Client {
    /// Gets a program, of whatever is meant.
    pub fn prepare(
        args: &EmulateRequest,
        target: &EmulationTarget,
        workshop: &dyn Workshop,
        dir: &Path,
        dirs: &Dirs,
        ui: &Ui,
    ) -> Result<Self> {
        let name_of = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (name, deb) = match Choice::of(args.client.as_deref(), target, workshop)? {
            Choice::Deb(name, bytes) => (name, bytes),
            Choice::File(path) => (name_of(&path), read_limited(&path, MAX_DEB)?),
            Choice::Workspace(name) => {
                let path = workshop.client_app(name.as_deref())?;
                let name = name_of(&path);
                ui.note(&format!("client app {name}, of this workspace"));
                (name, carveout_host::files::read(&path)?)
            }
            Choice::Host(name) => return Self::own(workshop.client_for_host(&name)?, dirs, ui),
            Choice::Program(path) => return Self::own(path, dirs, ui),
        };
        ensure(&all_needs(), dirs, ui)?;
        Contained::new(&name, &deb, args, dir, dirs, ui).map(|contained| Self::Contained(Box::new(contained)))
    }

    fn own(program: PathBuf, dirs: &Dirs, ui: &Ui) -> Result<Self> {
        if !program.is_file() {
            return Err(ClientError::NoProgram { path: program }.into());
        }
        let mut head = vec![0; 20];
        let read = bundle::open(&program).and_then(|mut file| file.read_exact(&mut head));
        read.map_err(|source| ClientError::UnreadableProgram { path: program.clone(), source })?;
        let through_qemu = head.ends_with(&EM_AARCH64) && std::env::consts::ARCH != "aarch64";
        if through_qemu {
            ensure(&NEEDS, dirs, ui)?;
        }
        Ok(Self::Own { program, through_qemu })
    }

    /// Runs it to its end. Its output is shown, or captured for JSON.
    pub fn run(self, socket: &Path, arguments: &[String], capture: bool, ui: &Ui) -> Result<ClientEnd> {
        let sh = process::shell(Path::new("."))?;
        match self {
            Self::Own { program, through_qemu } => {
                let command = if through_qemu {
                    let libc = Path::new(LIBC).is_dir().then_some(["-L", LIBC]);
                    let qemu = find(QEMU).unwrap_or_else(|| QEMU.into());
                    sh.cmd(qemu).args(libc.into_iter().flatten()).arg(&program)
                } else {
                    sh.cmd(&program)
                };
                let command = command.args(arguments).env(DEVICE_VARIABLE, socket);
                let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
                end_of(command, name, capture, false)
            }
            Self::Contained(contained) => {
                let (mut sandbox, program, name) = (contained.sandbox, contained.program, contained.name);
                let device = Path::new(super::contained::DEVICE);
                sandbox.give(socket, device)?;
                sandbox.set(DEVICE_VARIABLE, device);
                // The very command, but for what it runs: qemu says its version.
                let qemu = program.first().cloned().unwrap_or_default();
                if let Some(lacks) = sandbox.ensure_works(&[qemu, "--version".into()])? {
                    ui.note(lacks);
                }
                let words = [program, arguments.iter().map(Into::into).collect()].concat();
                let ended = end_of(sandbox.command(&sh, &words)?, name, capture, true)?;
                contained.written.into_iter().try_for_each(super::contained::Written::keep)?;
                Ok(ended)
            }
        }
    }
}

fn end_of(cmd: Cmd, name: String, capture: bool, of_package: bool) -> Result<ClientEnd> {
    // What comes with a bundle may be anyone's: a terminal gets no command of it. A file or a pipe gets the very bytes.
    let shown = of_package && !capture && ui::is_for_a_terminal();
    let piped = |wanted| if wanted { Stdio::piped() } else { Stdio::inherit() };
    let streams = Streams { stdout: piped(capture || shown), stderr: piped(of_package), ..Streams::ours() };
    let failed = |source| ClientError::CannotRun { name: name.clone(), source };
    let mut running = process::start_in_front(cmd, streams).map_err(|unstarted| failed(unstarted.error))?;
    let (stdout, stderr) = (running.stdout(), running.stderr());
    let mut bytes = Vec::new();
    let status = std::thread::scope(|scope| {
        stderr.map(|errors| scope.spawn(|| ui::pass_on(errors)));
        match stdout {
            Some(output) if capture => {
                output.take(MAX_OUTPUT + 1).read_to_end(&mut bytes)?;
                if bytes.len() as u64 > MAX_OUTPUT {
                    running.signal(Signal::KILL);
                }
            }
            Some(output) => ui::pass_on_result(output),
            None => {}
        }
        running.wait()
    });
    let status = status.map_err(failed)?;
    // A key press reaches the client app and us at once: its end may be seen before our own signal is.
    // What wraps it says so by its exit code.
    let by_key =
        [status.signal(), status.code().map(|code| code - BY_SIGNAL)].contains(&Some(Signal::INT.as_raw()));
    if interrupt::is_set() || by_key {
        return Err(Error::interrupted());
    }
    if bytes.len() as u64 > MAX_OUTPUT {
        return Err(ClientError::TooMuchOutput { name, limit: MAX_OUTPUT }.into());
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let value = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Ok(ClientEnd { name, code: status.code(), output: capture.then_some(value) })
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
    fn of(which: Option<&str>, target: &EmulationTarget, workshop: &dyn Workshop) -> Result<Self> {
        let first = target.debs.first();
        let names: Vec<&str> = target.debs.iter().map(|(file, _)| package_name(file)).collect();
        match (which, first) {
            (None | Some("deb"), Some((file, bytes))) => return Ok(Self::Deb(file.clone(), bytes.clone())),
            // Its client apps are in its root filesystem; the workspace's own are what such a device was made of.
            (None, None) if target.device => return Ok(Self::Workspace(None)),
            (Some("host"), Some((file, _))) => return Ok(Self::Host(package_name(file).to_owned())),
            (Some("host"), None) if target.device => {
                return workshop.first_client_app().map(Self::Host);
            }
            (None | Some("deb" | "host"), None) => return Err(ClientError::NoClientApp.into()),
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
        let nearest = nearest(which, names.iter().copied()).map(str::to_owned);
        let known = names.into_iter().map(str::to_owned).collect();
        Err(ClientError::UnknownClientApp { name: which.to_owned(), known, nearest }.into())
    }
}

impl ClientEnd {
    /// The error of a client app that did not end well, with its own exit code where that is one of ours.
    pub fn error(&self) -> Option<Error> {
        let name = self.name.clone();
        let error = Error::from(match self.code {
            Some(0) => return None,
            Some(exit_code @ 2) => ClientError::WrongUsage { name, exit_code },
            Some(exit_code @ 3) => ClientError::EnvironmentLacks { name, exit_code },
            Some(exit_code) if exit_code > BY_SIGNAL => {
                ClientError::SignalExitCode { name, exit_code, signal: exit_code - BY_SIGNAL }
            }
            Some(exit_code) => ClientError::Failed { name, exit_code },
            None => ClientError::EndedBySignal { name },
        });
        Some(match self.output.as_ref().filter(|output| *output != "") {
            Some(output) => error.with_lines(format_args!("{output:#}")),
            None => error,
        })
    }
}

/// What client apps need of the host, as far as that is known beforehand.
pub fn needs(which: Option<&str>) -> Vec<Need> {
    let of_host =
        which.is_some_and(|which| which == "host" || which.starts_with("host:") || which.contains('/'));
    if of_host { Vec::new() } else { all_needs() }
}

fn all_needs() -> Vec<Need> {
    NEEDS.into_iter().chain(bwrap::NEEDS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use carveout_host::error::Exit;

    /// A workshop whose first client app has a name.
    struct Desk;

    impl Workshop for Desk {
        fn firmware(&self) -> Result<PathBuf> {
            Err(Error::usage("no firmware"))
        }

        fn emulator_needs(&self) -> Vec<Need> {
            Vec::new()
        }

        fn emulator(&self) -> Result<PathBuf> {
            Err(Error::usage("no emulator"))
        }

        fn guest_agent(&self) -> Result<PathBuf> {
            Err(Error::usage("no agent"))
        }

        fn client_for_host(&self, _: &str) -> Result<PathBuf> {
            Err(Error::usage("no client app"))
        }

        fn sources(&self) -> Result<Vec<(PathBuf, &'static str)>> {
            Ok(Vec::new())
        }

        fn client_app(&self, _: Option<&str>) -> Result<PathBuf> {
            Err(Error::usage("no client app"))
        }

        fn first_client_app(&self) -> Result<String> {
            Ok("echo-srv-app".into())
        }
    }

    fn target(debs: &[&str], device: bool) -> EmulationTarget {
        let debs = debs.iter().map(|name| ((*name).to_owned(), name.as_bytes().to_vec())).collect();
        EmulationTarget { debs, device, ..EmulationTarget::default() }
    }

    #[test]
    fn a_client_app_is_chosen_by_order_name_or_path() {
        let bundle = target(&["second-app_1.0_arm64.deb", "a-app_1.0_arm64.deb"], false);
        let deb = |name: &str| Choice::Deb(name.into(), name.as_bytes().to_vec());
        for which in [None, Some("deb"), Some("second-app")] {
            assert_eq!(
                Choice::of(which, &bundle, &Desk).unwrap(),
                deb("second-app_1.0_arm64.deb"),
                "{which:?}"
            );
        }
        assert_eq!(Choice::of(Some("a-app"), &bundle, &Desk).unwrap(), deb("a-app_1.0_arm64.deb"));
        assert_eq!(Choice::of(Some("host"), &bundle, &Desk).unwrap(), Choice::Host("second-app".into()));
        assert_eq!(Choice::of(Some("host:a-app"), &bundle, &Desk).unwrap(), Choice::Host("a-app".into()));
        assert_eq!(Choice::of(Some("/x/y.deb"), &bundle, &Desk).unwrap(), Choice::File("/x/y.deb".into()));
        assert_eq!(Choice::of(Some("/x/y"), &bundle, &Desk).unwrap(), Choice::Program("/x/y".into()));
        let error = Choice::of(Some("a-ap"), &bundle, &Desk).unwrap_err().message;
        assert_eq!(error, "no client app `a-ap`: the bundle has second-app, a-app. Did you mean `a-app`?");
    }

    #[test]
    fn a_device_without_its_bundle_gets_the_workspaces_client_app() {
        let device = target(&[], true);
        assert_eq!(Choice::of(None, &device, &Desk).unwrap(), Choice::Workspace(None));
        assert_eq!(
            Choice::of(Some("my-app"), &device, &Desk).unwrap(),
            Choice::Workspace(Some("my-app".into()))
        );
        assert_eq!(Choice::of(Some("host"), &device, &Desk).unwrap(), Choice::Host("echo-srv-app".into()));
        let image = target(&[], false);
        let error = Choice::of(None, &image, &Desk).unwrap_err();
        assert_eq!(error.code, ClientError::NoClientApp.code());
        assert_eq!(
            Choice::of(Some("my-app"), &image, &Desk).unwrap(),
            Choice::Workspace(Some("my-app".into()))
        );
    }

    #[test]
    fn a_client_app_that_fails_gives_its_kind_of_failure() {
        let error = |code, output| ClientEnd { name: "a-app".into(), code, output }.error();
        assert_eq!(error(Some(0), None), None);
        for (code, expected, exit, message) in [
            (Some(1), "desk::client::failed", Exit::Check, "a-app ended with exit code 1"),
            (Some(2), "desk::client::wrong-usage", Exit::Usage, "a-app ended with exit code 2"),
            (Some(3), "desk::client::environment-lacks", Exit::Environment, "a-app ended with exit code 3"),
            (
                Some(139),
                "desk::client::signal-exit-code",
                Exit::Check,
                "a-app ended with exit code 139 (signal 11)",
            ),
            (None, "desk::client::ended-by-signal", Exit::Check, "a-app was ended by a signal"),
        ] {
            let error = error(code, None).unwrap();
            assert_eq!((error.code, error.exit, error.message.as_str()), (expected, exit, message));
        }
        let error = error(Some(1), Some("why".into())).unwrap();
        assert_eq!(error.message, "a-app ended with exit code 1\n\"why\"");
    }
}
