//! The virtual machine: QEMU with Debian's kernel, and the way to the agent in it.

use super::console;
use super::disk::GuestDisk;
use super::kernel::Kernel;
use super::qmp::Qmp;
use super::request::LinuxRequest;
use crate::errors::{LinuxError, MachineError};
use crate::machine::{accept, listen};
use crate::qemu::{Qemu, escape};
use carveout_host::error::{At, Error, Result};
use carveout_host::interrupt;
use carveout_host::process::Running;
use desk_guest::link::{self, Frame, kind};
use std::ffi::OsString;
use std::io::BufReader;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// The agent is there within this time, or never: it takes a second on an idle host.
const BOOT: Duration = Duration::from_secs(180);
/// An orderly end takes no longer.
const POWER_OFF: Duration = Duration::from_secs(120);
/// How often is looked whether we are to end.
const LOOK: Duration = Duration::from_millis(200);
/// QEMU's sockets close a moment before it can be waited for.
const LAST_WORDS: Duration = Duration::from_secs(20);
/// Always. No login on the console: the shell has a terminal of its own. No self-test of ciphers and no second page table for user
/// space, which only cost time here.
const LINE: &str =
    "console=ttyAMA0 quiet panic=-1 systemd.mask=serial-getty@ttyAMA0.service cryptomgr.notests kpti=off";

/// What a machine is made of.
pub struct GuestSetup<'a> {
    /// QEMU.
    pub qemu: &'a Qemu,
    /// The kernel.
    pub kernel: &'a Kernel,
    /// The initramfs.
    pub initramfs: &'a Path,
    /// The disk.
    pub disk: &'a GuestDisk,
    /// How large, and with what.
    pub request: &'a LinuxRequest,
    /// The disk of a snapshot that it starts from.
    pub snapshot: Option<&'a Path>,
    /// Where changes of the disk go, instead of a file that nobody sees.
    pub overlay: Option<&'a Path>,
    /// The log of its console.
    pub console: &'a Path,
}

/// How a machine has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GuestEnd {
    /// The guest wants to start again.
    Reboot,
    /// The guest has powered off.
    Off,
    /// QEMU has gone; its words.
    Gone(String),
}

/// What a machine does next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// It says something.
    Frame(Frame),
    /// Nothing, for now.
    Nothing,
    /// It has ended.
    Ended(GuestEnd),
}

/// A machine that runs. It ends when this is dropped.
pub struct Guest {
    qemu: Running,
    /// QEMU's control connection.
    pub qmp: Qmp,
    commands: UnixStream,
    frames: Receiver<Frame>,
    /// When it was started.
    pub start: Instant,
    console: PathBuf,
    said: PathBuf,
    last: u32,
}

impl Guest {
    /// Starts it, with its sockets in a folder. Returns also the port for trusted apps.
    pub fn start(setup: &GuestSetup, dir: &Path) -> Result<(Self, UnixStream)> {
        let start = Instant::now();
        let paths = ["guest-tipc", "guest-commands", "guest-qmp"].map(|name| dir.join(name));
        let listeners = listen(&paths)?;
        let said = dir.join("guest-qemu.log");
        let log = carveout_host::files::make(&said)?;
        carveout_host::files::put(setup.console, "")?;
        let mut qemu = setup.qemu.spawn(arguments(setup, &paths), log)?;
        let connected: Result<Vec<UnixStream>> =
            listeners.iter().map(|listener| accept(listener, &mut qemu, start)).collect();
        let mut streams = connected.map_err(|error| with_words(error, &said))?.into_iter();
        let mut next = || -> Result<UnixStream> {
            let stream = streams.next().ok_or(MachineError::QemuNotConnected)?;
            stream.set_nonblocking(false).map_err(|source| MachineError::QemuSocket { source })?;
            Ok(stream)
        };
        let (tipc, commands, qmp) = (next()?, next()?, next()?);
        let (sender, frames) = mpsc::channel();
        let mut from =
            BufReader::new(commands.try_clone().map_err(|source| LinuxError::AgentLost { source })?);
        thread::spawn(move || while Frame::read(&mut from).is_ok_and(|frame| sender.send(frame).is_ok()) {});
        let qmp = Qmp::new(qmp).map_err(|error| with_words(error, &said))?;
        let console = setup.console.to_owned();
        Ok((Self { qemu, qmp, commands, frames, start, console, said, last: 0 }, tipc))
    }

    /// A number for a command.
    pub fn channel(&mut self) -> u32 {
        self.last += 1;
        self.last
    }

    /// The way to the agent, for another thread.
    pub fn commands(&self) -> Result<UnixStream> {
        self.commands.try_clone().map_err(|source| LinuxError::AgentLost { source }.into())
    }

    /// Tells the agent something. Whether it still listens is seen by [`Self::next`].
    pub fn tell(&mut self, kind: u8, channel: u32, data: &[u8]) {
        let _ = link::send(&mut self.commands, kind, channel, data);
    }

    /// What happens next, within a moment.
    ///
    /// # Errors
    /// The time is over, or we are to end.
    pub fn next(&mut self, until: Option<Until>, during: &str) -> Result<Next> {
        let next = match self.frames.recv_timeout(LOOK) {
            Ok(frame) => return Ok(Next::Frame(frame)),
            Err(RecvTimeoutError::Disconnected) => Next::Ended(self.end()),
            Err(RecvTimeoutError::Timeout) => Next::Nothing,
        };
        interrupt::check()?;
        match until.filter(Until::is_over) {
            Some(until) if next == Next::Nothing => {
                let (during, console) = (during.into(), console::tail(&self.console));
                Err(LinuxError::TimedOut { during, seconds: until.seconds, console }.into())
            }
            _ => Ok(next),
        }
    }

    /// Waits for the agent. What was reached when, in milliseconds since the machine was started.
    pub fn ready(&mut self) -> Result<Vec<(String, u64)>> {
        let until = Until::after(BOOT);
        loop {
            let frame = match self.next(Some(until), "before it was ready")? {
                Next::Frame(frame) => frame,
                Next::Nothing => {
                    // QEMU looks whether the guest reads what we have sent when something else happens, which may be never.
                    let _ = self.qmp.run("query-status", &serde_json::json!({}));
                    continue;
                }
                Next::Ended(end) => return Err(self.ended("before it was ready", &end)),
            };
            if frame.kind == kind::READY {
                let stages = link::stages(&frame.data);
                let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
                // The guest's clock starts with its kernel, some time after QEMU.
                let last = stages.iter().map(|stage| stage.1).max().unwrap_or_default();
                let offset = now.saturating_sub(last);
                return Ok(stages.into_iter().map(|(name, time)| (name, time + offset)).collect());
            }
        }
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        matches!(self.qemu.try_wait(), Ok(Some(_)))
    }

    /// How it has ended, once its sockets are closed.
    pub fn end(&mut self) -> GuestEnd {
        let until = Instant::now() + LAST_WORDS;
        let mut status = None;
        while status.is_none() && Instant::now() < until {
            status = self.qemu.try_wait().ok().flatten();
            thread::sleep(Duration::from_millis(2));
        }
        match self.qmp.last_words(LAST_WORDS).as_deref() {
            Some("guest-reset") => GuestEnd::Reboot,
            Some("guest-shutdown") => GuestEnd::Off,
            _ => {
                let said = std::fs::read_to_string(&self.said).unwrap_or_default();
                let status = status.map_or("it does not end".into(), |status| status.to_string());
                let said = said.lines().map(|line| format!("\n  | {line}")).collect::<String>();
                GuestEnd::Gone(format!("QEMU has ended ({status}){said}"))
            }
        }
    }

    /// The error of a machine that has ended too early.
    pub fn ended(&self, during: &str, end: &GuestEnd) -> Error {
        let how = match end {
            GuestEnd::Reboot => "it wanted to start again".to_owned(),
            GuestEnd::Off => "it has powered off".to_owned(),
            GuestEnd::Gone(how) => how.clone(),
        };
        LinuxError::Ended { during: during.into(), how, console: console::tail(&self.console) }.into()
    }

    /// Powers off in an orderly way, and waits for that.
    pub fn power_off(mut self) -> Result<()> {
        self.tell(kind::POWER_OFF, 0, &[]);
        let until = Until::after(POWER_OFF);
        loop {
            match self.frames.recv_timeout(LOOK) {
                Err(RecvTimeoutError::Disconnected) => break,
                _ => interrupt::check()?,
            }
            if until.is_over() {
                let (during, console) = ("to power off".into(), console::tail(&self.console));
                return Err(LinuxError::TimedOut { during, seconds: until.seconds, console }.into());
            }
        }
        match self.end() {
            GuestEnd::Gone(how) => Err(self.ended("before it was off", &GuestEnd::Gone(how))),
            _ => Ok(()),
        }
    }

    /// Ends QEMU at once and waits for that.
    pub fn kill(mut self) -> Result<()> {
        let _ = self.qmp.run("quit", &serde_json::json!({}));
        let status = self.qemu.wait();
        status.map(drop).at(&self.said)
    }
}

/// A time limit.
#[derive(Clone, Copy, Debug)]
pub struct Until {
    at: Instant,
    seconds: u64,
}

impl Until {
    /// From now on.
    pub fn after(time: Duration) -> Self {
        Self { at: Instant::now() + time, seconds: time.as_secs() }
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        Instant::now() > self.at
    }
}

fn with_words(error: Error, said: &Path) -> Error {
    let words = std::fs::read_to_string(said).unwrap_or_default();
    words.lines().fold(error, |error, line| error.with_lines(format_args!("  | {line}")))
}

fn arguments(setup: &GuestSetup, [tipc, commands, qmp]: &[PathBuf; 3]) -> Vec<OsString> {
    let request = setup.request;
    let mut words: Vec<OsString> = Vec::new();
    let mut add = |more: &[&str]| words.extend(more.iter().map(OsString::from));
    // One CPU: with two, TCG is several times slower on a host of two. virtio-mmio: without PCI there is less to look for.
    add(&["-machine", "virt", "-accel", "tcg", "-cpu", "cortex-a76", "-nodefaults", "-no-user-config"]);
    add(&["-no-reboot", "-display", "none", "-smp", &request.cpus.to_string()]);
    add(&["-m", &format!("{}M", request.memory)]);
    let network = !request.forwards.is_empty();
    let line = format!(
        "{LINE} carveout.root={}{}",
        setup.disk.root,
        if network { " carveout.network systemd.wants=systemd-networkd.service" } else { "" }
    );
    add(&["-kernel", &setup.kernel.image().display().to_string(), "-append", &line]);
    add(&["-initrd", &setup.initramfs.display().to_string()]);
    let socket = |id: &str, path: &Path| format!("socket,id={id},path={}", escape(path));
    add(&[
        "-chardev",
        &format!("file,id=console,path={}", escape(setup.console)),
        "-serial",
        "chardev:console",
    ]);
    add(&["-chardev", &socket("qmp", qmp), "-mon", "chardev=qmp,mode=control"]);
    // A full disk of this host is an error in the guest; QEMU's own way is to stop the machine.
    let raw = escape(&setup.disk.path);
    let drive = match (setup.snapshot, setup.overlay) {
        (Some(snapshot), _) => format!(
            "format=qcow2,file={},backing.driver=raw,backing.file.filename={raw},snapshot=on",
            escape(snapshot)
        ),
        (None, Some(overlay)) => {
            format!("format=qcow2,file={},backing.driver=raw,backing.file.filename={raw}", escape(overlay))
        }
        (None, None) if request.persist => format!("format=raw,file={raw}"),
        (None, None) => format!("format=raw,file={raw},snapshot=on"),
    };
    let cache = if request.persist { "writeback" } else { "unsafe" };
    add(&["-drive", &format!("if=none,id=disk,{drive},cache={cache},werror=report,rerror=report")]);
    add(&["-device", "virtio-blk-device,drive=disk", "-device", "virtio-serial-device"]);
    for (id, path, name) in [("tipc", tipc, link::TIPC), ("commands", commands, link::COMMANDS)] {
        add(&["-chardev", &socket(id, path), "-device", &format!("virtserialport,chardev={id},name={name}")]);
    }
    if network {
        let forwards = request.forwards.iter();
        let forwards: String =
            forwards.map(|(host, guest)| format!(",hostfwd=tcp:127.0.0.1:{host}-:{guest}")).collect();
        add(&["-netdev", &format!("user,id=network{forwards}")]);
        add(&["-device", "virtio-net-device,netdev=network"]);
    } else {
        add(&["-nic", "none"]);
    }
    if setup.snapshot.is_some() {
        add(&["-incoming", "defer"]);
    }
    words
}
