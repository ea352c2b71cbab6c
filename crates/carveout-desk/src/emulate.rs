//! `emulate`: runs the trusted apps of a bundle or a virt device on the desk, and a client app against them.

mod backend;
mod client;
mod contained;
pub mod debug;
pub mod device;
mod faults;
mod ipc_unittest;
mod package;
pub mod profile;
mod qemu_user;
mod request;
mod secure;
mod stores;
mod target;

pub use request::{Debugged, EmulateRequest, Engine};
pub use target::{EmulationTarget, tzdram};

use crate::Workshop;
use crate::errors::EmulateError;
use crate::linux::LinuxRequest;
use crate::results::Emulated;
use carveout_host::dirs::Dirs;
use carveout_host::error::{Error, Result};
use carveout_host::outcome::Outcome;
use carveout_host::packages;
use carveout_host::tools::scratch;
use carveout_host::ui::Ui;
use client::Client;
use debug::Debugging;
use device::DeviceSource;
use faults::fault;
use serde_json::{Value, json};
use std::path::Path;
use trusty_image::stock::HWKEY_AGENT;

/// Bytes of a Unix socket's path (`sun_path` less its NUL).
const MAX_SOCKET: usize = 107;

/// Runs the trusted apps of what is named, and a client app against them.
pub fn run(args: &EmulateRequest, workshop: &dyn Workshop, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    if let Some(request) = &args.linux {
        return on_linux(args, request, workshop, dirs, ui);
    }
    let bundles = dirs.workspace().map(|root| root.join("target/bundles"));
    let target = EmulationTarget::open(&args.target, args.key.as_ref(), bundles.as_deref(), ui)?;
    on(&target, args, workshop, dirs, ui)
}

/// Runs these trusted apps, and a client app against them.
pub fn on(
    target: &EmulationTarget,
    args: &EmulateRequest,
    workshop: &dyn Workshop,
    dirs: &Dirs,
    ui: &Ui,
) -> Result<Outcome> {
    let dir = scratch("emulate")?;
    let socket = args.listen.clone().unwrap_or_else(|| dir.path().join("trusty"));
    if socket.as_os_str().len() > MAX_SOCKET {
        return Err(EmulateError::SocketPathTooLong { path: socket, limit: MAX_SOCKET }.into());
    }
    if socket.exists() {
        return Err(EmulateError::SocketExists { path: socket }.into());
    }
    backend::check(args, target)?;
    // All at once: neither the backend nor the client app comes later with a package of its own.
    let mut needs = backend::needs(args, target, workshop);
    if !args.wait {
        needs.extend(client::needs(args.client.as_deref()));
    }
    packages::ensure(&needs, false, &dirs.logs()?.join("host.log"), ui)?;
    // What is refused is refused before the backend is built.
    let client =
        if args.wait { None } else { Some(Client::prepare(args, target, workshop, dir.path(), dirs, ui)?) };
    let prepared = backend::prepare(args, target, workshop, dirs, ui)?;
    // What runs a client app or a test of its own is interrupted as any other command is.
    if client.is_none() && !args.ipc_unittest {
        prepared.pass_signals_on();
    }
    let debugging = Debugging::new(target, workshop, dirs, dir.path());
    let backend = prepared.start(args, target, &socket, &debugging, dirs, ui)?;
    if args.ipc_unittest {
        let verdict = ipc_unittest::run(backend.socket());
        let stats = backend.stop()?;
        return match fault(&stats, ui) {
            Some(error) => Err(error),
            None => verdict?.outcome(stats),
        };
    }
    stores::keep(&debugging.apps, backend.socket(), dirs, ui);
    let (ended, stats) = match client {
        Some(client) => {
            let ended = client.run(backend.socket(), &args.client_args, args.keep_output, ui);
            (Some(ended?), backend.stop()?)
        }
        None => {
            say_where(&socket, ui);
            (None, backend.wait()?)
        }
    };
    finish(args, ended, &stats, &debugging, ui)
}

/// Boots Linux and runs a command, or a shell, there.
fn on_linux(
    args: &EmulateRequest,
    request: &LinuxRequest,
    workshop: &dyn Workshop,
    dirs: &Dirs,
    ui: &Ui,
) -> Result<Outcome> {
    let end = device::run(args, &DeviceSource::Named, request, workshop, dirs, ui)?;
    let code = end.boot.exit_code.unwrap_or_default();
    end.boot.table().lines().for_each(|line| ui.detail(line));
    let json = json!(Emulated { stats: end.stats, client: end.output, profile: None, linux: Some(end.boot) });
    // Of a command that a signal has ended 128 and its number, as shells have it.
    let exit_code = u8::try_from(code).unwrap_or(1);
    Ok(Outcome { json, failed: code != 0, exit_code: Some(exit_code), ..Outcome::default() })
}

fn say_where(socket: &Path, ui: &Ui) {
    ui.note(&format!("trusted apps are ready at {}; Ctrl-C ends them", socket.display()));
    ui.note(&format!("client apps reach them by {}={}", client::DEVICE_VARIABLE, socket.display()));
}

/// How trusted apps have ended, those that have.
fn ends(stats: &Value) -> impl Iterator<Item = &str> {
    let apps = stats.get("trusted_apps").and_then(Value::as_array).into_iter().flatten();
    apps.filter_map(|app| app.get("ended")?.as_str())
}

/// A client app's failure, and which trusted apps have ended meanwhile: most often that is why.
fn with_ends(error: Error, stats: &Value) -> Error {
    ends(stats).fold(error, |error, ended| error.with_lines(format_args!("  {ended}")))
}

/// A trusted app has ended by itself, if one has: a device would serve on without it. NVIDIA's kernel is asked for another reason: some of
/// NVIDIA's own end there, as they find no devices.
fn without_app(stats: &Value) -> Option<Error> {
    if stats.get("backend").is_some() {
        return None;
    }
    ends(stats).next().map(|ended| EmulateError::TrustedAppEnded { report: ended.into() }.into())
}

/// NVIDIA's agent has ended, if it has.
fn without_agent(stats: &Value) -> Option<Error> {
    let mut apps = stats.get("trusted_apps").and_then(Value::as_array)?.iter();
    apps.find(|app| app.get("name").is_some_and(|name| name == HWKEY_AGENT))?;
    let console = stats.get("console").and_then(Value::as_str).unwrap_or_default();
    Some(EmulateError::AgentEnded { console: console.into() }.into())
}

fn finish(
    args: &EmulateRequest,
    ended: Option<client::ClientEnd>,
    stats: &Value,
    debugging: &Debugging,
    ui: &Ui,
) -> Result<Outcome> {
    let failed = || Some(with_ends(ended.as_ref()?.error()?, stats));
    // Who only waits has seen the end on the console.
    let lost = || ended.as_ref().and_then(|_| without_app(stats));
    // Whoever names keys asks whether they are the right ones.
    let refused = || args.keys.as_ref().and_then(|_| without_agent(stats));
    if let Some(error) = debugging.fault(stats, ui).or_else(refused).or_else(failed).or_else(lost) {
        if args.profile {
            ui.text(&profile::table(stats));
        }
        return Err(error);
    }
    let line = args.profile.then(|| profile::table(stats));
    let json = json!(Emulated {
        stats: stats.clone(),
        client: ended.and_then(|ended| ended.output),
        profile: args.profile.then(|| profile::rows(stats)),
        linux: None,
    });
    Ok(Outcome { line, json, ..Outcome::default() })
}
