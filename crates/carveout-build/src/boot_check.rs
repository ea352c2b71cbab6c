//! Boots what was built, before it gets its name: every port that Linux may use must answer.

use crate::apps::Apps;
use crate::errors::DeskBootError;
use crate::stages::{kernel, secure_os, trusted_apps};
use crate::workshop::Sources;
use bundle::DeskBoot;
use carveout_desk::console::Console;
use carveout_desk::device_keys::{DeviceKeys, KeysRequest};
use carveout_desk::qemu;
use carveout_desk::qemu::Qemu;
use carveout_desk::symbols::{KnownApp, Symbols};
use carveout_desk::{BootImage, Desk, PACKAGE, Setup, Workshop, fault};
use carveout_host::error::{At, Error, Result};
use carveout_host::packages;
use carveout_product::Build;
use stage_cache::{Key, Output, Work};
use std::fs;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};
use tipc::server::{Backend, Incoming};
use trusty_abi::Error as Code;

/// A port answers within this time, or never.
const ANSWER: Duration = Duration::from_secs(20);
/// How long is listened for a fault when all ports have answered.
const SETTLE: Duration = Duration::from_millis(100);

/// Boots the image of an L4T board, unless QEMU is not there and may not be installed.
pub fn run(build: &Build, apps: &Apps, image: &Output) -> Result<DeskBoot> {
    let logs = build.dirs().logs()?;
    // An ordinary user's machine may be without it; a build as root installs it, as it does all else.
    let may_install = packages::is_root() && !build.offline;
    let qemu = match Qemu::installed() {
        Ok(None) if may_install => Qemu::get(false, &logs.join("host.log"), build.ui)?,
        Ok(Some(qemu)) => qemu,
        other => {
            let why = other.err().map_or("QEMU is not there".into(), |error| error.message);
            let how = packages::install_command(&[qemu::NEED.package]);
            build.ui.note(&format!("the secure-os image was not booted: {why}; to boot it, run: {how}"));
            return Ok(DeskBoot::Skipped);
        }
    };
    let ports = ports(apps);
    let key = Key::of(crate::code(file!()))
        .with("qemu", &qemu.version)
        .with("secure-os", &image.content)
        .with("tzdram", build.product.tzdram.size())
        .with("ports", ports.join(" "));
    let key = build.workspace.source_key(PACKAGE, key)?;
    build.cache.stage("desk boot", key, |work| {
        let path = image.dir.join(secure_os::IMAGE);
        let bytes = fs::read(&path).at(&path)?;
        let setup = Setup {
            qemu,
            firmware: Sources::new(&build.dirs(), build.offline, build.ui).firmware()?,
            image: BootImage::new(secure_os::IMAGE, &bytes, build.product.tzdram)?,
            keys: DeviceKeys::new(&KeysRequest::default(), build.ui)?,
        };
        boot(&setup, apps, image, &ports, work)?;
        let path = work.out.join("ports");
        carveout_host::files::put(&path, ports.join("\n"))
    })?;
    Ok(DeskBoot::Answered)
}

/// Ports that Linux may connect to, of trusted apps that declare them.
fn ports(apps: &Apps) -> Vec<String> {
    let declarations = apps.built.iter().filter_map(|app| app.declaration.as_ref());
    let ports = declarations.flat_map(|declaration| &declaration.start_ports);
    ports.filter(|port| port.flags.allow_ns_connect).map(|port| port.name.clone()).collect()
}

fn boot(setup: &Setup, apps: &Apps, image: &Output, ports: &[String], work: &Work) -> Result<()> {
    let mut symbols = Symbols { apps: Vec::new(), kernel: fs::read(image.dir.join(kernel::SYMBOLS)).ok() };
    for app in &apps.built {
        let debug = fs::read(apps.symbols.dir.join(trusted_apps::symbols_name(&app.name))).ok();
        let ports = app.declaration.iter().flat_map(|declared| &declared.start_ports);
        symbols.apps.push(KnownApp {
            name: app.name.clone(),
            uuid: app.elf.manifest.uuid,
            elf: app.bytes.clone(),
            debug,
            ports: ports.map(|port| port.name.clone()).collect(),
        });
    }
    let dir = carveout_host::tools::scratch("desk")?;
    let mut desk = Desk::start(setup, dir.path(), Console::create(work.log, false)?)?;
    desk.know(symbols.clone());
    let never = AtomicBool::new(false);
    desk.wait_ready(&never);
    let result = ports.iter().try_for_each(|port| answers(&mut desk, port));
    let settled = Instant::now() + SETTLE;
    while desk.fate().is_none() && result.is_ok() && Instant::now() < settled {
        if !desk.pump() {
            desk.wait(&[]);
        }
    }
    if desk.fate().is_some() {
        return Err(DeskBootError::Stopped { report: fault::report(&desk, &symbols) }.into());
    }
    let ended = desk.ends().next().map(|(_, why)| DeskBootError::AppEnded { why: why.into() });
    result.and(ended.map_or(Ok(()), Err)).map_err(|error| {
        let error = Error::from(error);
        Error { message: fault::with_console(&error.message, &desk), ..error }
    })
}

/// Connects to a port and leaves it. A port that closes the connection has answered, too.
fn answers(desk: &mut Desk, port: &str) -> Result<(), DeskBootError> {
    let refused = |code: Code| DeskBootError::Refused { port: port.into(), reason: code.to_string() };
    // Of an app that has ended no port answers.
    let gone = |desk: &Desk| {
        let why = desk.ended(port.as_bytes())?.to_string();
        Some(DeskBootError::Gone { port: port.into(), why })
    };
    let channel = desk.connect(port.as_bytes()).map_err(refused)?;
    let start = Instant::now();
    while desk.fate().is_none() {
        desk.pump();
        match desk.next(channel) {
            Some(Incoming::Accepted | Incoming::Closed(Code::ChannelClosed)) => {
                desk.close(channel);
                return Ok(());
            }
            Some(Incoming::Closed(code)) => return Err(gone(desk).unwrap_or_else(|| refused(code))),
            _ => {}
        }
        if let Some(gone) = gone(desk) {
            return Err(gone);
        }
        if start.elapsed() > ANSWER {
            return Err(DeskBootError::Silent { port: port.into(), seconds: ANSWER.as_secs() });
        }
        desk.wait(&[]);
    }
    Ok(())
}
