//! The two ways to run trusted apps, behind one socket.

use super::debug::Debugging;
use super::request::{EmulateRequest, Engine};
use super::target::EmulationTarget;
use crate::console::Console;
use crate::device_keys::DeviceKeys;
use crate::emulator::Emulator;
use crate::errors::EmulateError;
use crate::qemu;
use crate::run::{Running, STOP};
use crate::symbols::Symbols;
use crate::{BootImage, Desk, Setup, Workshop, has_kernel};
use carveout_host::dirs::Dirs;
use carveout_host::error::Result;
use carveout_host::interrupt;
use carveout_host::packages::Need;
use carveout_host::process;
use carveout_host::ui::Ui;
use rustix::process::Signal;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use trusty_image::Tzdram;

/// What is needed to start.
pub enum Prepared {
    /// The emulator's program.
    Unicorn(PathBuf),
    /// What QEMU's machine is made of.
    Qemu(Box<Setup>),
}

/// What runs.
pub enum Backend {
    /// The emulator.
    Unicorn(Emulator),
    /// QEMU.
    Qemu(Running),
}

fn is_qemu(args: &EmulateRequest, target: &EmulationTarget) -> bool {
    match args.engine {
        Some(engine) => engine == Engine::Qemu,
        None => has_kernel(&target.image) && !args.profile && args.gdb.is_none(),
    }
}

/// What the backend needs of the host.
pub fn needs(args: &EmulateRequest, target: &EmulationTarget, workshop: &dyn Workshop) -> Vec<Need> {
    match is_qemu(args, target) {
        true if std::env::var_os(qemu::VARIABLE).is_some() => Vec::new(),
        true => vec![qemu::NEED],
        false => workshop.emulator_needs(),
    }
}

/// Refuses what the backend cannot do.
pub fn check(args: &EmulateRequest, target: &EmulationTarget) -> Result<()> {
    let refused = match is_qemu(args, target) {
        true if args.profile => Some(EmulateError::ProfileNeedsUnicorn),
        true if args.gdb.is_some() => Some(EmulateError::GdbNeedsUnicorn),
        false if args.tzdram.is_some() => Some(EmulateError::TzdramNeedsQemu),
        false if args.keys.is_some() => Some(EmulateError::KeysNeedQemu),
        _ => None,
    };
    refused.map_or(Ok(()), |error| Err(error.into()))
}

/// Chooses a backend and gets what it needs.
pub fn prepare(
    args: &EmulateRequest,
    target: &EmulationTarget,
    workshop: &dyn Workshop,
    dirs: &Dirs,
    ui: &Ui,
) -> Result<Prepared> {
    if !is_qemu(args, target) {
        return workshop.emulator().map(Prepared::Unicorn);
    }
    let tzdram = args.tzdram.or(target.tzdram).unwrap_or(Tzdram::STOCK);
    let image = BootImage::new(&args.target, &target.image, tzdram)?;
    let keys = DeviceKeys::new(&args.keys.clone().unwrap_or_default(), ui)?;
    Setup::get(image, keys, workshop, dirs, false, ui).map(|setup| Prepared::Qemu(Box::new(setup)))
}

impl Prepared {
    /// Lets signals end what runs, and by that the command: what has been used is then still told.
    pub fn pass_signals_on(&self) {
        match self {
            Self::Unicorn(_) => interrupt::instead(|| process::signal_all(Signal::TERM)),
            Self::Qemu(_) => interrupt::instead(|| {
                STOP.store(true, Ordering::Relaxed);
                true
            }),
        }
    }

    /// Starts it; it serves clients from then on.
    pub fn start(
        &self,
        args: &EmulateRequest,
        target: &EmulationTarget,
        socket: &Path,
        debugging: &Debugging,
        dirs: &Dirs,
        ui: &Ui,
    ) -> Result<Backend> {
        match self {
            Self::Unicorn(program) => {
                let dir = &debugging.dir;
                let image = dir.join("tos.img");
                carveout_host::files::put(&image, &target.image)?;
                let mut known = target.options(dir)?;
                known.extend(debugging.options());
                known.extend(target.memory.map(|memory| format!("--kernel-memory={memory}")));
                let attach = args.gdb.as_ref().map(|wanted| debugging.attach(wanted)).transpose()?;
                known.extend(attach.iter().map(|attach| attach.option.clone()));
                let awaits = || attach.iter().flat_map(|attach| &attach.how).for_each(|line| ui.note(line));
                Emulator::start(program, &image, &known, socket, dir, ui.is_quiet(), &awaits)
                    .map(Backend::Unicorn)
            }
            Self::Qemu(setup) => {
                let log = Console::path_in(&dirs.logs()?);
                let mut desk = Desk::start(setup, &debugging.dir, Console::create(&log, !ui.is_quiet())?)?;
                let symbols = Symbols { apps: debugging.apps.clone(), kernel: target.kernel.clone() };
                desk.know(symbols.clone());
                Running::start(desk, symbols, &setup.qemu.version, socket).map(Backend::Qemu)
            }
        }
    }
}

impl Backend {
    /// Where it listens.
    pub fn socket(&self) -> &Path {
        match self {
            Self::Unicorn(emulator) => &emulator.socket,
            Self::Qemu(running) => &running.socket,
        }
    }

    /// Waits for its end, which a fault or Ctrl-C brings.
    pub fn wait(self) -> Result<Value> {
        match self {
            Self::Unicorn(emulator) => emulator.wait(),
            Self::Qemu(running) => running.wait(),
        }
    }

    /// Ends it.
    pub fn stop(self) -> Result<Value> {
        match self {
            Self::Unicorn(emulator) => emulator.stop(),
            Self::Qemu(running) => running.stop(),
        }
    }
}
