//! A device that runs, reached by ssh: what carveout-update says there, or where it is not, the root filesystem.

use super::told::DeviceStatus;
use crate::errors::FlashError;
use bundle::Identity;
use carveout_host::error::{At, Error, Result};
use carveout_host::process::{self, Streams};
use serde::Deserialize;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

/// Bytes of an answer that are read.
const MOST: u64 = 1 << 20;
/// A device answers within this.
const PATIENCE: Duration = Duration::from_secs(60);
/// What runs there: without root the disk cannot be read.
const SCRIPT: &str = "u=/usr/sbin/carveout-update i=/usr/lib/carveout/bundle.json; \
    if [ ! -x $u ]; then if [ -r $i ]; then cat $i; else echo null; fi; \
    elif [ \"$(id -u)\" = 0 ]; then $u status --json; else sudo -n $u status --json; fi";

/// Whatever it has answered.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Answer {
    /// carveout-update, which is there.
    Update(Box<Told>),
    /// The root filesystem.
    Identity(Identity),
    /// Nothing.
    Nothing(()),
}

#[derive(Debug, Deserialize)]
struct Told {
    ok: bool,
    result: Option<Status>,
    error: Option<Refusal>,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    message: String,
}

#[derive(Debug, Deserialize)]
struct Status {
    board: Option<String>,
    runs: Option<String>,
    rootfs: Option<Identity>,
    trial: Option<Trial>,
    gone_back_from: Option<String>,
    security_version: Option<u32>,
    /// Of a Jetson: those of both slots, and the slot that runs.
    tzdram: Option<[Option<u64>; 2]>,
    slot: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Trial {
    installed: Tried,
}

#[derive(Debug, Deserialize)]
struct Tried {
    bundle: String,
}

/// Asks it.
pub fn status(device: &str, host: &str) -> Result<DeviceStatus> {
    let host = host_name(host)?;
    let sh = process::shell(Path::new("/"))?;
    let options = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "--"];
    let command = sh.cmd("ssh").args(options).arg(host).arg(SCRIPT);
    let (stdout, stderr) = (Stdio::piped(), Stdio::piped());
    let streams = Streams { stdout, stderr, ..Streams::default() };
    let mut running = process::start(command, streams).map_err(|unstarted| unstarted.of("status"))?;
    let limit = running.limit(PATIENCE);
    let (out, errors) = (running.stdout(), running.stderr());
    // Both, so that neither stops it.
    let said = std::thread::spawn(move || read(errors));
    let answer = read(out).at(Path::new("ssh"))?;
    let said = said.join().unwrap_or_else(|_| Ok(String::new())).at(Path::new("ssh"))?;
    let status = running.wait().at(Path::new("ssh"))?;
    if limit.is_over() {
        return Err(FlashError::HostSilent { host: host.into(), seconds: PATIENCE.as_secs() }.into());
    }
    match parse(device, &answer) {
        Some(told) => told,
        None => {
            let last = said.trim().lines().next_back().unwrap_or("it said nothing").to_owned();
            let exit_code = status.code();
            Err(FlashError::NotToldByHost { host: host.into(), exit_code, last }.into())
        }
    }
}

/// An error if a name cannot be that of a host.
fn host_name(host: &str) -> Result<&str, Error> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.@:[]%".contains(c);
    let is_name = !host.is_empty() && !host.starts_with('-') && host.chars().all(plain);
    if is_name { Ok(host) } else { Err(FlashError::NoHost { host: host.into() }.into()) }
}
fn read(from: Option<impl Read>) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    from.map_or(Ok(0), |from| from.take(MOST).read_to_end(&mut bytes))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// What the answer says; none if it is none.
fn parse(device: &str, answer: &str) -> Option<Result<DeviceStatus>> {
    let told = match serde_json::from_str(answer).ok()? {
        Answer::Nothing(()) => return Some(Err(FlashError::NothingThere { device: device.into() }.into())),
        Answer::Identity(identity) => return Some(Ok(DeviceStatus::of_identity(device, identity))),
        Answer::Update(told) => told,
    };
    let status = match (told.ok, told.result, told.error) {
        (true, Some(status), _) => status,
        (_, _, Some(error)) => {
            let (device, message) = (device.into(), error.message);
            return Some(Err(FlashError::Refused { device, message }.into()));
        }
        _ => return None,
    };
    let slot = usize::from(status.slot.as_deref() == Some("B"));
    Some(Ok(DeviceStatus {
        device: device.into(),
        board: status.board,
        runs: status.runs,
        rootfs: status.rootfs.map(|identity| identity.bundle),
        tried: status.trial.map(|trial| trial.installed.bundle),
        gone_back_from: status.gone_back_from,
        tzdram: status.tzdram.and_then(|sizes| sizes.get(slot).copied().flatten()),
        security_version: status.security_version,
        ..DeviceStatus::default()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(answer: &str) -> DeviceStatus {
        parse("ssh:a", answer).unwrap().unwrap()
    }

    #[test]
    fn what_a_device_says_is_understood() {
        let identity = r#"{"format":1,"bundle":"p-1-b-tzdram32M","name":"p","version":"1","board":"b","security_version":3}"#;
        let of_root = told(identity);
        assert_eq!(
            (of_root.rootfs.as_deref(), of_root.runs, of_root.security_version),
            (Some("p-1-b-tzdram32M"), None, Some(3))
        );
        let jetson = told(&format!(
            r#"{{"ok":true,"result":{{"runs":"p-2","slot":"B","tzdram":[1,2],"rootfs":{identity},"trial":{{"installed":{{"bundle":"p-2"}},"phase":"armed"}}}}}}"#
        ));
        assert_eq!(
            (jetson.tzdram, jetson.tried.as_deref(), jetson.rootfs.as_deref()),
            (Some(2), Some("p-2"), Some("p-1-b-tzdram32M"))
        );
        let refused =
            parse("ssh:a", r#"{"ok":false,"error":{"code":"x","message":"no\u001b disk","help":""}}"#)
                .unwrap()
                .unwrap_err();
        assert!(refused.to_string().contains("no disk") || refused.to_string().contains("disk"), "{refused}");
        assert!(parse("ssh:a", "null").unwrap().unwrap_err().to_string().contains("neither"));
        assert!(parse("ssh:a", "Welcome!").is_none() && parse("ssh:a", "").is_none());
    }

    #[test]
    fn a_name_that_ssh_would_take_for_something_else_is_refused() {
        for host in ["", "-oProxyCommand=x", "a b", "a;b", "$(x)"] {
            assert!(host_name(host).is_err(), "{host}");
        }
        for host in ["board", "root@10.0.0.2", "[fe80::1%eth0]", "user@board.example"] {
            assert_eq!(host_name(host).unwrap(), host);
        }
    }
}
