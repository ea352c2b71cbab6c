//! What people see while something runs: bars on a terminal, plain lines elsewhere, nothing when quiet.
//!
//! Whatever carveout writes to stdout and stderr it writes here, and nothing of others gets through that a terminal would obey
//! ([`crate::text`]). Colours are ours, and added behind that.

mod terminal;

pub use terminal::{terminal, type_out};

use crate::error::Error;
use crate::size::human;
use crate::text::{Lines, Shown, Text, block, seen_json};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal, Read, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, OnceLock, mpsc};
use std::time::{Duration, Instant};

/// How often a growing file is looked at, and how often that is told where there is no bar.
const WATCH: Duration = Duration::from_millis(500);
const SAY: Duration = Duration::from_secs(20);
/// Bytes of a line that is waited for.
const MAX_LINE: usize = 64 << 10;

/// How much is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors and results.
    Quiet,
    /// Stages, too.
    Normal,
    /// The reasons for what is done, too.
    Verbose,
}

/// One finished stage.
#[derive(Clone, Debug, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Stage"))]
pub struct Row {
    /// Its name.
    pub stage: String,
    /// Whether an earlier result was taken.
    pub reused: bool,
    /// How long it took.
    pub seconds: f64,
    /// Bytes of its result.
    pub size: u64,
}

/// Progress on stderr.
pub struct Ui {
    verbosity: Verbosity,
    bars: Option<MultiProgress>,
    rows: Mutex<Vec<Row>>,
    /// Messages of failures that were shown when they happened.
    told: Mutex<Vec<String>>,
}

/// A stage that is running.
pub struct Running<'a> {
    ui: &'a Ui,
    name: String,
    bar: Option<ProgressBar>,
    start: Instant,
    /// When it was told last how far it is.
    said: Mutex<Instant>,
}

impl Ui {
    /// Bars if stderr is a terminal.
    pub fn new(verbosity: Verbosity) -> Self {
        let bars = (verbosity > Verbosity::Quiet && io::stderr().is_terminal()).then(MultiProgress::new);
        Self { verbosity, bars, rows: Mutex::default(), told: Mutex::default() }
    }

    /// Whether only results and errors are shown.
    pub fn is_quiet(&self) -> bool {
        self.verbosity == Verbosity::Quiet
    }

    /// Whether details are shown.
    pub fn is_verbose(&self) -> bool {
        self.verbosity == Verbosity::Verbose
    }

    /// Shows a line, or a [`block`].
    pub fn note(&self, line: &str) {
        self.show(Verbosity::Normal, &block(line));
    }

    /// Shows lines.
    pub fn text(&self, text: &Text) {
        self.show(Verbosity::Normal, text.as_str().trim_end());
    }

    /// Shows what a program says, behind its name.
    pub fn quote(&self, name: &str, text: &str) {
        self.text(&Text::lines(text.lines().map(|line| format!("[{name}] {}", line.replace('\t', "    ")))));
    }

    /// Shows a failure when it happens, while others still work: it is not told at length again.
    pub fn tell(&self, error: &Error) {
        if self.is_quiet() {
            return;
        }
        let line = format!(
            "{} {error}\n  what is built besides goes on, and stays for the next run; Ctrl-C ends it",
            label()
        );
        self.show(Verbosity::Normal, &line);
        if let Ok(mut told) = self.told.lock() {
            told.extend(error.each().map(|error| error.message.clone()));
        }
    }

    /// What is left to say at the end: of failures that were shown already their first lines.
    pub fn untold(&self, error: &Error) -> Error {
        let told = self.told.lock().map(|told| told.clone()).unwrap_or_default();
        let short = |error: &Error| {
            let mut error = error.clone();
            if told.contains(&error.message) && error.message.contains('\n') {
                let first = error.message.lines().next().unwrap_or_default();
                error.message = format!("{first} (shown above)");
            }
            error
        };
        Error::all(error.each().map(short)).unwrap_or_else(|| error.clone())
    }

    /// Shows a line if details are wanted.
    pub fn detail(&self, line: &str) {
        self.show(Verbosity::Verbose, &block(line));
    }

    fn show(&self, from: Verbosity, line: &str) {
        match &self.bars {
            _ if self.verbosity < from => {}
            Some(bars) => drop(bars.println(spoken(line.to_owned()))),
            None => say(format_args!("{line}\n")),
        }
    }

    /// Starts to show a stage.
    pub fn start(&self, name: &str) -> Running<'_> {
        let bar = self.bars.as_ref().map(|bars| {
            let style = ProgressStyle::with_template("{spinner} {prefix:24} {elapsed:>5} {msg}");
            let bar = bars.add(ProgressBar::new_spinner());
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.set_prefix(Shown(name).to_string());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        let start = Instant::now();
        Running { ui: self, name: name.into(), bar, start, said: Mutex::new(start) }
    }

    /// All finished stages, in the order in which they ended.
    pub fn rows(&self) -> Vec<Row> {
        self.rows.lock().map(|rows| rows.clone()).unwrap_or_default()
    }

    /// The table of all finished stages.
    pub fn table(&self) {
        let rows = self.rows();
        if !rows.is_empty() {
            self.text(&table(&rows));
        }
    }
}

impl Running<'_> {
    /// Tells that the stage is really built, not reused.
    pub fn building(&self, why: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(Shown(why).to_string()),
            None => self.ui.note(&format!("[{}] {why}", self.name)),
        }
    }

    /// Tells how far it is. Where there is no bar, now and then.
    pub fn step(&self, what: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(Shown(what).to_string()),
            None => {
                let Ok(mut said) = self.said.lock() else { return };
                if said.elapsed() > SAY {
                    *said = Instant::now();
                    self.ui.note(&format!("[{}] {what}", self.name));
                }
            }
        }
    }

    /// Runs something that fills a file, and shows how large the file is.
    pub fn watch<T>(&self, file: &Path, run: impl FnOnce() -> T) -> T {
        let (done, ended) = mpsc::channel::<()>();
        std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut said = Instant::now();
                while ended.recv_timeout(WATCH) == Err(mpsc::RecvTimeoutError::Timeout) {
                    let size = human(std::fs::metadata(file).map_or(0, |m| m.len()));
                    match &self.bar {
                        Some(bar) => bar.set_message(size),
                        None if said.elapsed() > SAY => {
                            said = Instant::now();
                            self.ui.note(&format!("[{}] {size}", self.name));
                        }
                        None => {}
                    }
                }
            });
            let result = run();
            drop(done);
            result
        })
    }

    /// What is no stage is done.
    pub fn done(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.ui.note(&format!("[{}] done in {:.1} s", self.name, self.start.elapsed().as_secs_f64()));
    }

    /// The stage is done.
    pub fn finish(self, reused: bool, size: u64) {
        let seconds = self.start.elapsed().as_secs_f64();
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        let how = if reused { "reused" } else { "built" };
        if !reused || self.ui.verbosity == Verbosity::Verbose {
            self.ui.note(&format!("[{}] {how} in {seconds:.1} s", self.name));
        }
        if let Ok(mut rows) = self.ui.rows.lock() {
            rows.push(Row { stage: self.name, reused, seconds, size });
        }
    }

    /// The stage has failed.
    pub fn fail(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        self.ui.note(&format!("[{}] failed after {:.1} s", self.name, self.start.elapsed().as_secs_f64()));
    }
}

/// Whether the result is for a terminal.
pub fn is_for_a_terminal() -> bool {
    io::stdout().is_terminal()
}

/// Prints the result on stdout. A reader who has gone away is no failure.
pub fn print(text: &str) -> ExitCode {
    match writeln!(io::stdout(), "{}", spoken(Lines(text.trim_end()).to_string())) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            line(&format!("error: stdout: {error}"));
            ExitCode::from(crate::error::Exit::Environment as u8)
        }
        _ => ExitCode::SUCCESS,
    }
}

/// Prints the result for machines.
pub fn print_json(value: &serde_json::Value) -> ExitCode {
    print(&seen_json(&format!("{value:#}")))
}

/// Shows a failure.
pub fn fail(error: &Error) {
    say(format_args!("{} {}\n", label(), Lines(error)));
}

/// Shows what clap says of a command line, in its lines.
pub fn refuse(text: &str) {
    say(format_args!("{} {}\n", label(), Lines(text.trim_start_matches("error: "))));
}

/// Shows a line on stderr, whoever else writes there. Whoever reads may have gone.
pub fn line(text: &str) {
    say(format_args!("{}\n", Lines(Shown(text))));
}

/// Asks whoever sits at the terminal for a secret, which is not shown. None where nobody does.
pub fn ask(prompt: &str) -> io::Result<Option<String>> {
    let terminal = console::Term::stderr();
    if !terminal.is_term() {
        return Ok(None);
    }
    terminal.write_str(&Shown(prompt).to_string())?;
    terminal.read_secure_line().map(Some)
}

/// The terminal as it was, and the last line of a process that ends at once.
pub fn leave(error: &Error) {
    let terminal = console::Term::stderr();
    if terminal.is_term() {
        let _ = terminal.show_cursor();
    }
    say(format_args!("\nerror: {}\n", Lines(error)));
}

/// How our own texts call the command.
const COMMAND: &str = "cargo xtask";
/// How it is called here.
static CALLED: OnceLock<&str> = OnceLock::new();

/// Says how the command is called, once: what is shown names it so.
pub fn called(name: &'static str) {
    let _ = CALLED.set(name);
}

/// A text of ours with the command as it is called here.
pub fn spoken(text: String) -> String {
    match CALLED.get() {
        Some(name) if *name != COMMAND => text.replace(COMMAND, name),
        _ => text,
    }
}

/// Writes to stderr at once: others may write there, too.
fn say(text: std::fmt::Arguments) {
    let _ = io::stderr().write_all(spoken(text.to_string()).as_bytes());
}

/// Shows what a program of others writes to its stderr, as it comes, until it ends.
pub fn pass_on(from: impl Read) {
    pass(from, io::stderr(), io::stderr().is_terminal());
}

/// The same of its stdout.
pub fn pass_on_result(from: impl Read) {
    pass(from, io::stdout(), io::stdout().is_terminal());
}

/// The same of a command of the user's own: its very bytes, where stdout is no terminal.
pub fn pass_on_output(mut from: impl Read) {
    if io::stdout().is_terminal() {
        pass_on_result(from);
    } else {
        let _ = io::copy(&mut from, &mut io::stdout());
    }
}

/// At a terminal, what is not a whole line yet is shown as well: it may be a question. Elsewhere others write to the same place.
fn pass(mut from: impl Read, mut to: impl io::Write, at_once: bool) {
    let mut rest = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let length = match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(0) | Err(_) => break,
            Ok(length) => length,
        };
        rest.extend_from_slice(buffer.get(..length).unwrap_or_default());
        // A character that is cut waits for its end.
        let character = rest.utf8_chunks().last().map_or(0, |last| match last.invalid() {
            bytes if rest.ends_with(bytes) && starts_character(bytes) => bytes.len(),
            _ => 0,
        });
        let line = rest.iter().rev().take_while(|byte| **byte != b'\n').count();
        let cut = if at_once || line > MAX_LINE { character } else { line };
        let later = rest.split_off(rest.len() - cut);
        let text = String::from_utf8_lossy(&rest).replace("\r\n", "\n");
        rest = later;
        let text = Lines(text).to_string();
        if to.write_all(text.as_bytes()).and_then(|()| to.flush()).is_err() {
            break;
        }
    }
    let _ = to.write_all(Lines(String::from_utf8_lossy(&rest)).to_string().as_bytes());
}

/// Whether bytes may become a character of UTF-8.
fn starts_character(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

/// How a failure begins.
fn label() -> impl std::fmt::Display {
    console::style("error:").red().bold().for_stderr()
}

fn table(rows: &[Row]) -> Text {
    let mut out = Text::new();
    let _ = writeln!(out, "{:<26} {:<7} {:>8} {:>11}", "stage", "", "time", "size");
    for row in rows {
        let how = if row.reused { "reused" } else { "built" };
        let time = format!("{:.1} s", row.seconds);
        let _ = writeln!(out, "{:<26} {how:<7} {time:>8} {:>11}", row.stage, human(row.size));
    }
    out
}

#[cfg(test)]
mod tests;
