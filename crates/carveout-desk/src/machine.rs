//! The machine: QEMU with the firmware and a kernel, from start to end.

use super::console::Console;
use super::device_keys::DeviceKeys;
use super::ends::Ends;
use super::firmware;
use super::image::BootImage;
use super::link::{Link, TrustyState};
use super::symbols::Symbols;
use super::workshop::Workshop;
use crate::errors::MachineError;
use crate::qemu::{Qemu, Sockets};
use carveout_host::dirs::Dirs;
use carveout_host::error::{At, Result};
use carveout_host::process::Running;
use carveout_host::ui::Ui;
use rustix::event::{PollFd, PollFlags, Timespec};
use std::io::{ErrorKind, Read};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tipc::server::{Backend, Incoming};

/// QEMU connects within this time, or never.
const CONNECT: Duration = Duration::from_secs(20);
/// Trusty is up within this time, or never: it takes a fraction of a second on an idle host.
pub const BOOT: Duration = Duration::from_secs(60);
/// How long the console is listened to when Trusty has stopped.
const LAST_WORDS: Duration = Duration::from_millis(300);
/// Longest wait between looks at the stop flag.
const NAP: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };
/// How lines of the monitor begin.
const FATAL: &str = "fatal: ";
/// See [`FATAL`].
const DEVICE: &str = "device: ";
/// See [`FATAL`].
const PANIC: &str = "panic: ";
/// See [`FATAL`].
const FRAMES: &str = "frames: ";

/// All that a machine is made of.
pub struct Setup {
    /// QEMU.
    pub qemu: Qemu,
    /// The folder of the firmware's programs.
    pub firmware: PathBuf,
    /// What is booted.
    pub image: BootImage,
    /// On what device.
    pub keys: DeviceKeys,
}

impl Setup {
    /// For an image: QEMU, installed if need be, and the firmware, up to date.
    pub fn get(
        image: BootImage,
        keys: DeviceKeys,
        workshop: &dyn Workshop,
        dirs: &Dirs,
        offline: bool,
        ui: &Ui,
    ) -> Result<Self> {
        let qemu = Qemu::get(offline, &dirs.logs()?.join("host.log"), ui)?;
        Ok(Self { qemu, firmware: workshop.firmware()?, image, keys })
    }
}

/// Why a machine has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Trusty has stopped; in the agent's words.
    Stopped(String),
    /// The monitor has: what Trusty did, or a fault of our own.
    Fatal(String),
    /// QEMU has gone.
    Gone(String),
}

/// A serial port's stream.
struct Serial(Option<UnixStream>);

impl Serial {
    /// What has come, if anything.
    fn received(&mut self) -> Option<Vec<u8>> {
        let mut buffer = [0; 16 << 10];
        let stream = self.0.as_mut()?;
        match stream.read(&mut buffer) {
            Ok(length) if length > 0 => Some(buffer.get(..length)?.to_vec()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => None,
            _ => {
                self.0 = None;
                None
            }
        }
    }
}

/// A machine that runs. It ends when this is dropped.
pub struct Desk {
    child: Running,
    link: Link,
    serial: [Serial; 2],
    /// Where Trusty's lines are.
    pub console: Console,
    /// The monitor's lines, the last one perhaps not whole.
    monitor: String,
    said: PathBuf,
    fate: Option<Fate>,
    ends: Ends,
    /// From start until Trusty was up.
    pub boot_time: Option<Duration>,
    start: Instant,
}

impl Desk {
    /// Starts QEMU on an image, with all files in a scratch folder `dir`. Trusty is up some time later.
    pub fn start(setup: &Setup, dir: &Path, console: Console) -> Result<Self> {
        let Setup { qemu, firmware: programs, image, keys } = setup;
        let start = Instant::now();
        let flash = dir.join("flash.bin");
        let program = |name| firmware::program(programs, name);
        image.write(&program(firmware::MONITOR)?, &program(firmware::AGENT)?, keys, &flash)?;
        let paths = ["link", "console", "monitor"].map(|name| dir.join(name));
        let listeners = listen(&paths)?;
        let [link, console_path, monitor] = &paths;
        let sockets = Sockets { link, console: console_path, monitor };
        let said = dir.join("qemu.log");
        let log = carveout_host::files::make(&said)?;
        let mut child = qemu.start(&flash, image.dram(), &sockets, log)?;
        let connected =
            listeners.iter().map(|listener| accept(listener, &mut child, start)).collect::<Result<Vec<_>>>();
        let mut streams = match connected {
            Ok(streams) => streams.into_iter(),
            Err(error) => {
                drop(child);
                let words = std::fs::read_to_string(&said).unwrap_or_default();
                return Err(words
                    .lines()
                    .fold(error, |error, line| error.with_lines(format_args!("  | {line}"))));
            }
        };
        let mut next = || streams.next().ok_or(MachineError::QemuNotConnected);
        let link = Link::new(next()?).at(link)?;
        let serial = [Serial(Some(next()?)), Serial(Some(next()?))];
        Ok(Self {
            child,
            link,
            serial,
            console,
            monitor: String::new(),
            said,
            fate: None,
            ends: Ends::default(),
            boot_time: None,
            start,
        })
    }

    /// With what explains a trusted app that ends.
    pub fn know(&mut self, symbols: Symbols) {
        self.ends = Ends::knowing(symbols);
    }

    /// Names of trusted apps that have ended and said why.
    pub fn ends(&self) -> impl Iterator<Item = (&str, &str)> {
        self.ends.told()
    }

    /// Waits until Trusty is up. False if it was told to stop before; what ends it first is its fate.
    pub fn wait_ready(&mut self, stop: &AtomicBool) -> bool {
        while self.boot_time.is_none() && self.fate.is_none() {
            if stop.load(Ordering::Relaxed) {
                return false;
            }
            if !self.pump() {
                self.wait(&[]);
            }
            if self.start.elapsed() > BOOT && self.boot_time.is_none() && self.fate.is_none() {
                let seconds = BOOT.as_secs();
                self.fate = Some(Fate::Stopped(format!("has not come up within {seconds} s")));
                self.drain();
            }
        }
        true
    }

    /// Waits until something may have happened, here or with `others`.
    pub fn wait(&self, others: &[PollFd]) {
        let (link, flags) = self.link.poll();
        let mut fds = vec![PollFd::new(link, flags)];
        fds.extend(self.serial.iter().flat_map(|serial| &serial.0).map(|s| PollFd::new(s, PollFlags::IN)));
        fds.extend(others.iter().cloned());
        // Interrupted or not: the caller looks at everything again.
        let _ = rustix::event::poll(&mut fds, Some(&NAP));
    }

    /// Takes in what has come, and sends what can be sent. Whether anything has passed.
    pub fn pump(&mut self) -> bool {
        let mut passed = self.link.receive() | self.link.flush();
        if let Some(bytes) = self.serial[0].received() {
            self.console.take(&bytes);
            self.listen();
            passed = true;
        }
        if let Some(bytes) = self.serial[1].received() {
            self.monitor.push_str(&String::from_utf8_lossy(&bytes));
            passed = true;
        }
        if self.fate.is_some() {
            return passed;
        }
        let fatal = self.monitor_lines(FATAL).next();
        let fate = match (&self.link.state, fatal) {
            (_, Some(fatal)) => Some(Fate::Fatal(fatal)),
            (TrustyState::Starting, None) => None,
            (TrustyState::Ready, None) => {
                self.boot_time.get_or_insert_with(|| self.start.elapsed());
                None
            }
            (TrustyState::Dead(why), None) => Some(Fate::Stopped(why.clone())),
            (TrustyState::Gone(why), None) => Some(Fate::Gone(why.clone())),
        };
        if fate.is_some() {
            self.fate = fate;
            self.drain();
        }
        passed
    }

    /// Looks for trusted apps that have ended in what the console has said.
    fn listen(&mut self) {
        for line in self.console.take_new() {
            if let Some(report) = self.ends.line(&line) {
                // Of ours, and no line of the console.
                report.lines().for_each(|line| self.console.line(line));
            }
        }
        self.console.take_new();
    }

    /// Listens to the console's last words.
    fn drain(&mut self) {
        let until = Instant::now() + LAST_WORDS;
        let mut quiet = false;
        while Instant::now() < until && !quiet {
            self.wait(&[]);
            quiet = !self.pump();
        }
        self.console.end_line();
        if let Some(Fate::Gone(why)) = &mut self.fate {
            // Its sockets close a moment before it can be waited for.
            let until = Instant::now() + LAST_WORDS;
            let mut status = None;
            while status.is_none() && Instant::now() < until {
                status = self.child.try_wait().ok().flatten().map(|status| format!(" ({status})"));
                std::thread::sleep(Duration::from_millis(1));
            }
            let said = std::fs::read_to_string(&self.said).unwrap_or_default();
            *why = [why.as_str(), &status.unwrap_or_default(), "\n", said.trim_end()]
                .concat()
                .trim_end()
                .to_owned();
        }
    }

    fn monitor_lines(&self, head: &'static str) -> impl Iterator<Item = String> {
        // The last line may not be whole yet.
        let whole = self.monitor.rfind('\n').and_then(|end| self.monitor.get(..end)).unwrap_or_default();
        whole.lines().filter_map(move |line| line.strip_prefix(head)).map(str::to_owned)
    }

    /// Why it has ended, if it has.
    pub fn fate(&self) -> Option<&Fate> {
        self.fate.as_ref()
    }

    /// What the monitor knows of a panic: numbers, and code in hexadecimal.
    pub fn panic(&self) -> Option<String> {
        self.monitor_lines(PANIC).next()
    }

    /// What may be frames on the stack of the trusted app that runs then: address, next frame and return address each.
    pub fn frames(&self) -> Vec<String> {
        self.monitor_lines(FRAMES).collect()
    }

    /// Messages that did not arrive whole.
    pub fn lost(&self) -> u64 {
        self.link.lost
    }

    /// Accesses to devices of Tegra194 that are not there, each page once.
    pub fn devices(&self) -> Vec<String> {
        self.monitor_lines(DEVICE).collect()
    }
}

impl Backend for Desk {
    fn accepts(&self) -> bool {
        self.link.has_room()
    }

    fn connect(&mut self, port: &[u8]) -> Result<u32, trusty_abi::Error> {
        self.link.connect(port)
    }

    fn ended(&self, port: &[u8]) -> Option<String> {
        self.ends.of_port(port)
    }

    fn say(&mut self, text: &str) {
        self.console.line(text);
    }

    fn close(&mut self, channel: u32) {
        self.link.close(channel);
    }

    fn send(&mut self, channel: u32, message: &[u8]) -> Result<usize, trusty_abi::Error> {
        self.link.send(channel, message)
    }

    fn next(&mut self, channel: u32) -> Option<Incoming> {
        self.link.next(channel)
    }
}

/// Sockets that a QEMU will connect to.
pub fn listen(paths: &[PathBuf]) -> Result<Vec<UnixListener>> {
    let one = |path: &PathBuf| {
        let listener = UnixListener::bind(path).and_then(|listener| {
            listener.set_nonblocking(true)?;
            Ok(listener)
        });
        listener.map_err(|source| MachineError::NoQemuSocket { path: path.clone(), source }.into())
    };
    paths.iter().map(one).collect()
}

/// The connection of a QEMU that starts.
pub fn accept(listener: &UnixListener, child: &mut Running, start: Instant) -> Result<UnixStream> {
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(true).map_err(|source| MachineError::QemuSocket { source })?;
                return Ok(stream);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(source) => return Err(MachineError::QemuSocket { source }.into()),
        }
        let ended = child.try_wait().map_err(|source| MachineError::QemuStatusUnknown { source })?;
        if let Some(status) = ended {
            return Err(MachineError::QemuEnded { status: status.to_string() }.into());
        }
        if start.elapsed() > CONNECT {
            return Err(MachineError::QemuTimedOut { seconds: CONNECT.as_secs() }.into());
        }
        let mut fds = [PollFd::new(listener, PollFlags::IN)];
        let _ = rustix::event::poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 20_000_000 }));
    }
}
