//! The whole device on the desk: Linux boots from a root filesystem, and its client apps talk to the trusted apps.

use super::debug::Debugging;
use super::request::EmulateRequest;
use super::secure::{Secure, Verifying};
use super::target::EmulationTarget;
use crate::Workshop;
use crate::errors::LinuxError;
use crate::linux::boot::BootStage;
use crate::linux::commands::{self, Ended, Output, Shown};
use crate::linux::disk::{self, GuestDisk};
use crate::linux::guest::{Guest, GuestEnd, GuestSetup, Until};
use crate::linux::input::Input;
use crate::linux::kernel::{self, Kernel, KernelPackage};
use crate::linux::relay::Relay;
use crate::linux::snapshot::{self, Snapshot};
use crate::linux::{LinuxBoot, LinuxRequest, RUNNING, initramfs};
use crate::qemu::{self, Qemu};
use carveout_host::dirs::Dirs;
use carveout_host::error::Result;
use carveout_host::packages;
use carveout_host::packages::Need;
use carveout_host::tools::scratch;
use carveout_host::ui::{self, Ui};
use desk_guest::link::kind;
use serde_json::Value;
use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// What is waited for takes no longer, unless it is said.
const WAIT: Duration = Duration::from_secs(300);
/// What runs where no command is named: root's login shell.
const SHELL: &str =
    "sh=$(getent passwd root 2>/dev/null | cut -d: -f7); [ -x \"$sh\" ] || sh=/bin/sh; exec \"$sh\" -l";

/// How it all ended.
pub struct LinuxEnd {
    /// What is known of the boot.
    pub boot: LinuxBoot,
    /// What the trusted apps have used.
    pub stats: Value,
    /// What the command printed, if it was not shown.
    pub output: Option<Value>,
}

/// Where a device comes from.
pub enum DeviceSource<'a> {
    /// What the request names.
    Named,
    /// What was built and is no bundle yet.
    Built {
        /// Its trusted apps.
        target: &'a EmulationTarget,
        /// Its root filesystem's image.
        image: &'a Path,
        /// Whether that is a sparse image.
        sparse: bool,
    },
}

/// What the guest needs of the host.
pub fn needs(request: &LinuxRequest) -> Vec<Need> {
    let mut needs = kernel::NEEDS.to_vec();
    if std::env::var_os(qemu::VARIABLE).is_none() {
        needs.push(Need { why: "boots Linux from the bundle's root filesystem", ..qemu::NEED });
    }
    if request.snapshot {
        needs.push(snapshot::NEED);
    }
    needs
}

/// How one start of the guest ended.
enum Session {
    /// What was asked for has been done, with this exit code.
    Done(i32),
    /// The guest wants to start again.
    Reboot,
}

fn bundles(dirs: &Dirs) -> Option<PathBuf> {
    dirs.workspace().map(|root| root.join("target/bundles"))
}

/// All that stays the same when the guest starts again.
struct Desk<'scope, 'a> {
    args: &'a EmulateRequest,
    source: &'a DeviceSource<'a>,
    request: &'a LinuxRequest,
    workshop: &'a dyn Workshop,
    dirs: &'a Dirs,
    ui: &'a Ui,
    secure: Verifying<'scope, 'a>,
    qemu: Qemu,
    kernel: Kernel,
    initramfs: Vec<u8>,
    input: Input,
}

/// Boots Linux, does what is asked for in it, and ends it.
pub fn run(
    args: &EmulateRequest,
    source: &DeviceSource,
    request: &LinuxRequest,
    workshop: &dyn Workshop,
    dirs: &Dirs,
    ui: &Ui,
) -> Result<LinuxEnd> {
    let log = dirs.logs()?.join("host.log");
    packages::ensure(&needs(request), false, &log, ui)?;
    let kernel = match &request.kernel {
        Some(path) => Kernel::given(path)?,
        None => Kernel::get(false, dirs, ui)?,
    };
    let KernelPackage { package, version, sha256 } = &kernel.package;
    ui.note(&format!("kernel: {package} {version}, sha256 {sha256}"));
    let qemu = Qemu::get(false, &log, ui)?;
    // A bundle is verified as a whole before anything of it runs. Meanwhile what it needs is made, and the guest boots as far as it can
    // without it.
    thread::scope(|scope| {
        let secure = scope.spawn(|| match source {
            DeviceSource::Named if disk::is_device(&args.target) => Ok(None),
            DeviceSource::Named => {
                let bundles = bundles(dirs);
                let target = EmulationTarget::open(&args.target, args.key.as_ref(), bundles.as_deref(), ui)?;
                Secure::new(Cow::Owned(target), args, workshop, dirs, ui).map(Some)
            }
            DeviceSource::Built { target, .. } => {
                Secure::new(Cow::Borrowed(*target), args, workshop, dirs, ui).map(Some)
            }
        });
        let secure = Verifying::new(secure);
        let initramfs = workshop
            .guest_agent()
            .and_then(|agent| initramfs::make(&agent, &kernel.modules(!request.forwards.is_empty())?));
        // What is wrong with the bundle is told first.
        let initramfs = initramfs.or_else(|error| secure.get().and(Err(error)))?;
        let input = Input::of(io::stdin());
        let desk = Desk { args, source, request, workshop, dirs, ui, secure, qemu, kernel, initramfs, input };
        desk.work()
    })
}

impl Desk<'_, '_> {
    /// Starts the device until it has done what was asked for.
    fn work(&self) -> Result<LinuxEnd> {
        let (mut reboots, mut faults) = (0, Vec::new());
        loop {
            let mut end = None;
            match self.start(reboots, &mut end, &mut faults)? {
                Session::Done(code) => {
                    let mut end =
                        end.ok_or_else(|| LinuxError::AgentLost { source: io::ErrorKind::Other.into() })?;
                    (end.boot.exit_code, end.boot.faults) = (Some(code), faults);
                    return Ok(end);
                }
                Session::Reboot => {
                    reboots += 1;
                    self.ui.note("the guest starts again");
                }
            }
        }
    }

    /// Starts the device, both its worlds, and does what is asked for.
    fn start(&self, reboots: u32, end: &mut Option<LinuxEnd>, faults: &mut Vec<String>) -> Result<Session> {
        let Self { args, request, workshop, dirs, ui, .. } = self;
        let scratch = scratch("linux")?;
        let dir = scratch.path();
        let socket = args.listen.clone().unwrap_or_else(|| dir.join("trusty"));
        let console = dirs.logs()?.join(format!("linux-{}.log", std::process::id()));
        let booting = self.disk(dir).and_then(|mut disk| {
            let opened = match &mut disk.device {
                Some(device) => {
                    let (key, bundles) = (args.key.as_ref(), bundles(dirs));
                    let target = EmulationTarget::of_device(&disk.path, device, key, bundles.as_deref(), ui)?;
                    Some(Secure::new(Cow::Owned(target), args, *workshop, dirs, ui)?)
                }
                None => None,
            };
            let (guest, from_snapshot) = self.boot(&disk, &socket, &console, dir)?;
            Ok((disk, opened, guest, from_snapshot))
        });
        // Whatever became of that: what is wrong with the bundle is told first.
        let verified = self.secure.get()?;
        let (_disk, opened, mut guest, from_snapshot) = booting?;
        let secure = opened.as_ref().or(verified);
        let secure = secure.ok_or_else(|| LinuxError::OnlyAnImage { target: args.target.clone() })?;
        let debugging = Debugging::new(&secure.target, *workshop, dirs, dir);
        let backend = secure.prepared.start(args, &secure.target, &socket, &debugging, dirs, ui)?;
        match from_snapshot {
            true => Snapshot::resume(&mut guest)?,
            false => guest.tell(kind::GO, 0, &[]),
        }
        let boot = LinuxBoot::new(self.kernel.package.clone(), console);
        let mut boot = LinuxBoot { from_snapshot, reboots, ..boot };
        let mut output = None;
        let session = self.session(&mut guest, &mut boot, reboots > 0, &mut output);
        let session = match session {
            Ok(session) => {
                if request.persist && matches!(session, Session::Done(_)) && !guest.has_ended() {
                    guest.power_off()?;
                } else {
                    drop(guest);
                }
                session
            }
            Err(error) => {
                // What stopped Trusty is why, if it has.
                drop(guest);
                let stats = backend.stop();
                return Err(match stats.ok().and_then(|stats| debugging.fault(&stats, ui)) {
                    Some(stopped) => stopped,
                    None => error,
                });
            }
        };
        let stats = backend.stop()?;
        match debugging.fault(&stats, ui) {
            // The device has noticed, and starts both worlds again.
            Some(error) if matches!(session, Session::Reboot) => {
                faults.extend(error.message.lines().next().map(str::to_owned));
            }
            Some(error) => return Err(error),
            None => {}
        }
        *end = Some(LinuxEnd { boot, stats, output });
        Ok(session)
    }

    /// What the guest boots from.
    fn disk(&self, scratch: &Path) -> Result<GuestDisk> {
        match self.source {
            DeviceSource::Named => GuestDisk::open(&self.args.target, self.request.persist, scratch),
            DeviceSource::Built { image, sparse, .. } => GuestDisk::of_image(image, *sparse, scratch),
        }
    }

    /// Starts the machine, which waits before it reads its disk: from a snapshot, if one is wanted, which is made where there is none.
    fn boot(&self, disk: &GuestDisk, socket: &Path, console: &Path, dir: &Path) -> Result<(Guest, bool)> {
        let initramfs = dir.join("initramfs");
        carveout_host::files::put(&initramfs, &self.initramfs)?;
        let setup = GuestSetup {
            qemu: &self.qemu,
            kernel: &self.kernel,
            initramfs: &initramfs,
            disk,
            request: self.request,
            snapshot: None,
            overlay: None,
            console,
        };
        let start = |setup: &GuestSetup, name: &str| -> Result<(Guest, Relay)> {
            let dir = dir.join(name);
            std::fs::create_dir(&dir).map_err(|source| LinuxError::AgentLost { source })?;
            let (guest, tipc) = Guest::start(setup, &dir)?;
            let relay =
                Relay::start(tipc, socket.into()).map_err(|source| LinuxError::AgentLost { source })?;
            Ok((guest, relay))
        };
        let folder = if self.request.snapshot {
            Snapshot::folder(disk, &self.qemu, &self.kernel, &self.initramfs, self.request, self.dirs)
        } else {
            None
        };
        let Some(folder) = folder else {
            if self.request.snapshot {
                self.ui.note("--snapshot: a virt device may change, so it boots");
            }
            let (guest, _) = start(&setup, "g")?;
            return Ok((guest, false));
        };
        let snapshot = match Snapshot::find(&folder) {
            Some(snapshot) => snapshot,
            None => {
                self.ui.note("--snapshot: the system boots once, and is saved when it runs");
                let log = self.dirs.logs()?.join("snapshot.log");
                let overlay = Snapshot::overlay(disk, dir, &log)?;
                // What is saved is a system that was verified.
                self.secure.get()?;
                let (mut guest, relay) = start(&GuestSetup { overlay: Some(&overlay), ..setup }, "g")?;
                guest.tell(kind::GO, 0, &[]);
                guest.ready()?;
                let mut boot = LinuxBoot::new(self.kernel.package.clone(), console.to_owned());
                boot.wait_for(RUNNING, &mut guest, Until::after(self.request.timeout.unwrap_or(WAIT)))?;
                if relay.open() > 0 {
                    self.ui.note(
                        "--snapshot: a program of the guest has Trusty's device open: nothing is saved",
                    );
                    return Ok((guest, false));
                }
                Snapshot::save(&folder, &overlay, guest)?
            }
        };
        let saved = snapshot.disk();
        let setup = GuestSetup { snapshot: Some(&saved), ..setup };
        let (mut guest, _) = start(&setup, "s")?;
        snapshot.load(&mut guest)?;
        Ok((guest, true))
    }

    fn session(
        &self,
        guest: &mut Guest,
        boot: &mut LinuxBoot,
        again: bool,
        output: &mut Option<Value>,
    ) -> Result<Session> {
        let request = self.request;
        let until = request.timeout.map(Until::after);
        let waiting = until.unwrap_or_else(|| Until::after(WAIT));
        if !boot.from_snapshot {
            let stages = guest.ready()?.into_iter();
            boot.stages = stages.map(|(stage, milliseconds)| BootStage { stage, milliseconds }).collect();
        }
        if !again {
            commands::copy_in(guest, request, waiting)?;
        }
        // After a start of its own the system is waited for: what it does then is what was asked for.
        let unit = request.wait_for.as_deref().or(again.then_some(RUNNING));
        if let Some(unit) = unit {
            boot.wait_for(unit, guest, waiting)?;
            if unit == RUNNING && (self.args.keep_output || self.ui.is_verbose()) {
                boot.ask_units(guest, waiting)?;
            }
        }
        let command = &self.args.client_args;
        if again && !command.is_empty() {
            commands::copy_out(guest, request, waiting)?;
            return Ok(Session::Done(0));
        }
        let ended =
            if command.is_empty() { self.shell(guest, until)? } else { self.command(guest, until, output)? };
        match ended {
            Ended::Exited(code) => {
                commands::copy_out(guest, request, waiting)?;
                Ok(Session::Done(code))
            }
            Ended::Machine(GuestEnd::Reboot) => Ok(Session::Reboot),
            Ended::Machine(GuestEnd::Off) if request.copy_out.is_empty() => Ok(Session::Done(0)),
            Ended::Machine(end) => Err(guest.ended("before the command had ended", &end)),
        }
    }

    fn command(&self, guest: &mut Guest, until: Option<Until>, kept: &mut Option<Value>) -> Result<Ended> {
        let shown = Box::new(Shown::new()?);
        let mut output =
            if self.args.keep_output { Output::Captured(Vec::new(), shown) } else { Output::Shown(shown) };
        let ended = commands::run(guest, &self.args.client_args, &self.input, &mut output, until)?;
        if let Output::Captured(text, _) = output {
            let text = String::from_utf8_lossy(&text).into_owned();
            *kept = Some(serde_json::from_str(&text).unwrap_or(Value::String(text)));
        }
        Ok(ended)
    }

    fn shell(&self, guest: &mut Guest, until: Option<Until>) -> Result<Ended> {
        let words = ["/bin/sh", "-c", SHELL].map(str::to_owned);
        let mut output = match ui::terminal() {
            Some(_) => Output::Terminal,
            None => Output::Shown(Box::new(Shown::new()?)),
        };
        commands::run(guest, &words, &self.input, &mut output, until)
    }
}
