//! Commands of the host: each with pipes or a terminal, its input, its output and its end.

use crate::host::{Host, Input, Known, lock, pump};
use crate::{files, terminal};
use desk_guest::link::{Frame, Run, kind};
use rustix::time::{ClockId, Timespec, clock_settime};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

/// Exit code of a command that could not be started, as shells have it.
pub const NOT_STARTED: u8 = 127;
/// What each command has of an environment.
const ENVIRONMENT: [(&str, &str); 3] = [
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("HOME", "/root"),
    ("USER", "root"),
];
/// Does what comes, all of it at once, until the host has gone.
pub fn serve(mut port: File, host: &Host) -> io::Result<()> {
    loop {
        let Frame { kind, channel, data } = match Frame::read(&mut port) {
            // The host has closed its end.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            read => read?,
        };
        match kind {
            kind::RUN | kind::PUT | kind::GET => start(host, kind, channel, data),
            kind::INPUT => {
                if let Some(known) = lock(&host.commands).get(&channel) {
                    // A command that has ended takes no more.
                    let _ = known.input.send(data);
                }
            }
            kind::SIZE => {
                if let [r0, r1, c0, c1] = data[..]
                    && let Some(file) =
                        lock(&host.commands).get(&channel).and_then(|known| known.terminal.as_ref())
                {
                    let _ =
                        terminal::resize(file, u16::from_le_bytes([r0, r1]), u16::from_le_bytes([c0, c1]));
                }
            }
            kind::TIME => {
                if let Some(now) = data.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)) {
                    let (seconds, rest) = (now / 1_000_000_000, now % 1_000_000_000);
                    let time = Timespec { tv_sec: seconds.cast_signed(), tv_nsec: rest.cast_signed() };
                    let _ = clock_settime(ClockId::Realtime, time);
                }
            }
            kind::POWER_OFF => drop(thread::spawn(power_off)),
            _ => {}
        }
    }
}

/// systemd may not be there yet.
fn power_off() {
    while !Command::new("systemctl")
        .args(["poweroff", "--no-block"])
        .envs(ENVIRONMENT)
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
    {
        thread::sleep(Duration::from_millis(200));
    }
}

fn start(host: &Host, kind: u8, channel: u32, data: Vec<u8>) {
    let (sender, receiver) = mpsc::channel();
    lock(&host.commands).insert(channel, Known { input: sender, terminal: None });
    let host = host.clone();
    thread::spawn(move || {
        let input = Input::new(receiver);
        let ended = match kind {
            kind::PUT => files::put(&host, channel, &data, &input).map(|()| 0),
            kind::GET => files::get(&host, channel, &data).map(|()| 0),
            _ => run(&host, channel, &data, input),
        };
        let code = ended.unwrap_or_else(|error| {
            // If the host has gone, nobody is left to tell.
            let _ = host.tell(kind::ERRORS, channel, format!("{error}\n").as_bytes());
            i32::from(NOT_STARTED)
        });
        lock(&host.commands).remove(&channel);
        let _ = host.tell(kind::EXIT, channel, &code.to_le_bytes());
    });
}

fn run(host: &Host, channel: u32, data: &[u8], input: Input) -> io::Result<i32> {
    let run = Run::parse(data).ok_or(io::ErrorKind::InvalidInput)?;
    let (program, arguments) = run.words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let on_terminal = match run.terminal {
        Some((rows, columns)) => Some(terminal::new(rows, columns)?),
        None => None,
    };
    let mut command = match &on_terminal {
        Some((_, path)) => {
            let mut command = Command::new("/proc/self/exe");
            command.args([terminal::WORD, path, program]);
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            command
        }
        None => {
            let mut command = Command::new(program);
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            command
        }
    };
    let home = if std::path::Path::new("/root").is_dir() { "/root" } else { "/" };
    command.args(arguments).env_clear().envs(ENVIRONMENT).envs(run.environment).current_dir(home);
    let child =
        command.spawn().map_err(|error| io::Error::new(error.kind(), format!("{program}: {error}")))?;
    let status = match on_terminal {
        Some((terminal, _)) => with_terminal(host, channel, child, terminal, input)?,
        None => with_pipes(host, channel, child, input)?,
    };
    Ok(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default()))
}

fn feed(host: &Host, channel: u32, mut to: impl Write + Send + 'static, input: Input) {
    let host = host.clone();
    thread::spawn(move || -> io::Result<()> {
        while let Some(piece) = input.next(&host, channel)? {
            if to.write_all(&piece).is_err() {
                // It does not want more. What still comes is taken, so that the host does not wait for ever.
                while input.next(&host, channel)?.is_some() {}
            }
        }
        Ok(())
    });
}

fn with_pipes(host: &Host, channel: u32, mut child: Child, input: Input) -> io::Result<ExitStatus> {
    if let Some(stdin) = child.stdin.take() {
        feed(host, channel, stdin, input);
    }
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    let other = host.clone();
    let errors = thread::spawn(move || errors.map(|from| pump(&other, channel, kind::ERRORS, from)));
    output.map(|from| pump(host, channel, kind::OUTPUT, from)).transpose()?;
    let _ = errors.join();
    child.wait()
}

fn with_terminal(
    host: &Host,
    channel: u32,
    mut child: Child,
    terminal: File,
    input: Input,
) -> io::Result<ExitStatus> {
    feed(host, channel, terminal.try_clone()?, input);
    let output = File::from(OwnedFd::from(terminal.try_clone()?));
    if let Some(known) = lock(&host.commands).get_mut(&channel) {
        known.terminal = Some(terminal);
    }
    let other = host.clone();
    // Ends with EIO when nobody has the terminal open any more.
    let pumped = thread::spawn(move || pump(&other, channel, kind::OUTPUT, output));
    let status = child.wait()?;
    let _ = pumped.join();
    Ok(status)
}
