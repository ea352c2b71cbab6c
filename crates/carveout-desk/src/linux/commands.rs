//! Commands in the guest, as the host sees them.

use super::guest::{Guest, GuestEnd, Next, Until};
use super::input::Input;
use super::request::LinuxRequest;
use crate::errors::LinuxError;
use carveout_host::error::{At, Result};
use carveout_host::files::{NewFile, OUTPUT};
use carveout_host::ui;
use desk_guest::link::{BATCH, Run, kind};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use std::fs::File;
use std::io::{self, PipeWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread::JoinHandle;

/// Bytes that a command may print where they are captured.
const MAX_OUTPUT: u64 = 64 << 20;

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this exit code.
    Exited(i32),
    /// With its machine.
    Machine(GuestEnd),
}

/// Where what a command prints goes.
pub enum Output {
    /// To our stdout and stderr. At a terminal nothing in it commands that.
    Shown(Box<Shown>),
    /// To our terminal, which is the command's.
    Terminal,
    /// Nowhere but here: stdout and stderr.
    Kept(Vec<u8>, Vec<u8>),
    /// Stdout is kept, for machines; stderr is shown.
    Captured(Vec<u8>, Box<Shown>),
    /// To a file.
    File(File, Vec<u8>),
}

/// What shows output.
pub struct Shown {
    pipes: [Option<PipeWriter>; 2],
    threads: Vec<JoinHandle<()>>,
}

impl Shown {
    /// Ready to show.
    pub fn new() -> Result<Self> {
        let failed = |source| LinuxError::Terminal { source };
        let (out, to_out) = io::pipe().map_err(failed)?;
        let (errors, to_errors) = io::pipe().map_err(failed)?;
        let threads = vec![
            std::thread::spawn(move || ui::pass_on_output(out)),
            std::thread::spawn(move || ui::pass_on(errors)),
        ];
        Ok(Self { pipes: [Some(to_out), Some(to_errors)], threads })
    }

    fn write(&mut self, which: usize, data: &[u8]) {
        if let Some(Some(pipe)) = self.pipes.get_mut(which) {
            // Nobody may read what we print: the command goes on.
            let _ = pipe.write_all(data);
        }
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        self.pipes = [None, None];
        self.threads.drain(..).for_each(|thread| drop(thread.join()));
    }
}

impl Output {
    fn take(&mut self, of: u8, data: &[u8]) -> io::Result<()> {
        let errors = of == kind::ERRORS;
        match self {
            Self::Shown(shown) => shown.write(usize::from(errors), data),
            Self::Terminal => ui::type_out(data)?,
            Self::Captured(_, shown) if errors => shown.write(1, data),
            Self::Kept(_, kept) | Self::File(_, kept) if errors => kept.extend_from_slice(data),
            Self::Kept(kept, _) | Self::Captured(kept, _) => kept.extend_from_slice(data),
            Self::File(file, _) => file.write_all(data)?,
        }
        Ok(())
    }

    fn is_too_long(&self) -> bool {
        matches!(self, Self::Kept(kept, _) | Self::Captured(kept, _) if kept.len() as u64 > MAX_OUTPUT)
    }
}

/// Our terminal, with nothing done to what is typed, until this is dropped.
struct Raw(Termios);

impl Raw {
    fn new() -> Result<Self> {
        let failed = |source: rustix::io::Errno| LinuxError::Terminal { source: source.into() };
        let before = tcgetattr(io::stdin()).map_err(failed)?;
        let mut raw = before.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw).map_err(failed)?;
        Ok(Self(before))
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        let _ = tcsetattr(io::stdin(), OptionalActions::Drain, &self.0);
    }
}

/// Runs a command to its end.
pub fn run(
    guest: &mut Guest,
    words: &[String],
    input: &Input,
    output: &mut Output,
    until: Option<Until>,
) -> Result<Ended> {
    let terminal = matches!(output, Output::Terminal);
    let mut shown = ui::terminal();
    let variable = |name: &str| Some((name.to_owned(), std::env::var(name).ok()?));
    let environment = if terminal { variable("TERM").into_iter().collect() } else { Vec::new() };
    let run = Run { terminal: if terminal { shown } else { None }, environment, words: words.to_vec() };
    let raw = if terminal { Some(Raw::new()?) } else { None };
    let channel = guest.channel();
    guest.tell(kind::RUN, channel, &run.to_bytes());
    let feed = input.feed(guest.commands()?, channel);
    let name = words.first().map_or("the command", String::as_str);
    let during = format!("while {name} ran");
    loop {
        match guest.next(until, &during)? {
            Next::Frame(frame) if frame.channel == channel => match frame.kind {
                kind::OUTPUT | kind::ERRORS => {
                    output.take(frame.kind, &frame.data).map_err(|source| LinuxError::Terminal { source })?;
                    if output.is_too_long() {
                        return Err(
                            LinuxError::TooMuchOutput { command: name.into(), limit: MAX_OUTPUT }.into()
                        );
                    }
                }
                kind::CREDIT => feed.credit(BATCH),
                kind::EXIT => return Ok(Ended::Exited(frame.number())),
                _ => {}
            },
            Next::Frame(_) | Next::Nothing => {}
            Next::Ended(end) => {
                drop(raw);
                return Ok(Ended::Machine(end));
            }
        }
        let now = ui::terminal();
        if let Some((rows, columns)) = now.filter(|_| terminal && now != shown) {
            shown = now;
            guest.tell(kind::SIZE, channel, &[rows, columns].map(u16::to_le_bytes).concat());
        }
    }
}

/// Runs a command and keeps what it prints on stdout.
pub fn ask(guest: &mut Guest, words: &[&str], until: Until) -> Result<(i32, String)> {
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let mut output = Output::Kept(Vec::new(), Vec::new());
    match run(guest, &words, &Input::none(), &mut output, Some(until))? {
        Ended::Exited(code) => {
            let Output::Kept(text, _) = output else { return Ok((code, String::new())) };
            Ok((code, String::from_utf8_lossy(&text).into_owned()))
        }
        Ended::Machine(end) => Err(guest.ended(&format!("while {} ran", words.join(" ")), &end)),
    }
}

/// Copies files into the guest.
pub fn copy_in(guest: &mut Guest, request: &LinuxRequest, until: Until) -> Result<()> {
    for (from, to) in &request.copy_in {
        let unreadable = |source| LinuxError::CannotRead { path: from.clone(), source };
        let file = bundle::open(from).map_err(unreadable)?;
        let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
        let data = [&mode.to_le_bytes()[..], to.as_bytes()].concat();
        let mut output = Output::Kept(Vec::new(), Vec::new());
        let code = transfer(guest, kind::PUT, &data, &Input::of(file), &mut output, until)?;
        if let (true, Output::Kept(_, why)) = (code != 0, output) {
            let why = String::from_utf8_lossy(&why).trim().to_owned();
            return Err(LinuxError::NotCopiedIn { path: to.clone(), why }.into());
        }
    }
    Ok(())
}

/// Copies files out of the guest. Each appears when it is whole.
pub fn copy_out(guest: &mut Guest, request: &LinuxRequest, until: Until) -> Result<()> {
    for (from, to) in &request.copy_out {
        let new = NewFile::create(Path::new(to), OUTPUT)?;
        let file = new.file().try_clone().at(to)?;
        let mut output = Output::File(file, Vec::new());
        let code = transfer(guest, kind::GET, from.as_bytes(), &Input::none(), &mut output, until)?;
        if let (true, Output::File(_, why)) = (code != 0, output) {
            let why = String::from_utf8_lossy(&why).trim().to_owned();
            return Err(LinuxError::NotCopiedOut { path: from.clone(), why }.into());
        }
        new.publish()?;
    }
    Ok(())
}

fn transfer(
    guest: &mut Guest,
    what: u8,
    data: &[u8],
    input: &Input,
    output: &mut Output,
    until: Until,
) -> Result<i32> {
    let channel = guest.channel();
    guest.tell(what, channel, data);
    let feed = input.feed(guest.commands()?, channel);
    loop {
        match guest.next(Some(until), "while a file was copied")? {
            Next::Frame(frame) if frame.channel == channel => match frame.kind {
                kind::OUTPUT | kind::ERRORS => {
                    output.take(frame.kind, &frame.data).map_err(|source| LinuxError::Terminal { source })?;
                }
                kind::CREDIT => feed.credit(BATCH),
                kind::EXIT => return Ok(frame.number()),
                _ => {}
            },
            Next::Frame(_) | Next::Nothing => {}
            Next::Ended(end) => return Err(guest.ended("while a file was copied", &end)),
        }
    }
}
