//! What people see while something runs: bars on a terminal, plain lines elsewhere, nothing when quiet.
//!
//! Whatever carveout writes to stdout and stderr it writes here, and nothing of others gets through that a terminal would obey
//! ([`crate::text`]). Colours are ours, and added behind that.

use crate::error::Error;
use crate::size::human;
use crate::text::{Lines, Shown, Text, block, seen_json};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal, Read, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

/// How often a growing file is looked at, and how often that is told where there is no bar.
const WATCH: Duration = Duration::from_millis(500);
const SAY: Duration = Duration::from_secs(20);

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
            Some(bars) => drop(bars.println(line)),
            None => drop(writeln!(io::stderr(), "{line}")),
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
    match writeln!(io::stdout(), "{}", Lines(text.trim_end())) {
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
    let _ = writeln!(io::stderr(), "{} {}", label(), Lines(error));
}

/// Shows what clap says of a command line, in its lines.
pub fn refuse(text: &str) {
    let _ = writeln!(io::stderr(), "{} {}", label(), Lines(text.trim_start_matches("error: ")));
}

/// Shows a line on stderr, whoever else writes there. Whoever reads may have gone.
pub fn line(text: &str) {
    let _ = writeln!(io::stderr(), "{}", Lines(Shown(text)));
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
    let _ = writeln!(io::stderr(), "\nerror: {}", Lines(error));
}

/// Shows what a program of others writes to its stderr, as it comes, until it ends.
pub fn pass_on(from: impl Read) {
    pass(from, io::stderr());
}

/// The same of its stdout.
pub fn pass_on_result(from: impl Read) {
    pass(from, io::stdout());
}

fn pass(mut from: impl Read, mut to: impl io::Write) {
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
        let cut = rest.utf8_chunks().last().map_or(0, |last| match last.invalid() {
            bytes if rest.ends_with(bytes) && starts_character(bytes) => bytes.len(),
            _ => 0,
        });
        let later = rest.split_off(rest.len() - cut);
        let text = String::from_utf8_lossy(&rest).replace("\r\n", "\n");
        rest = later;
        if write!(to, "{}", Lines(text)).and_then(|()| to.flush()).is_err() {
            break;
        }
    }
    let _ = write!(to, "{}", Lines(String::from_utf8_lossy(&rest)));
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
mod tests {
    use super::*;

    #[test]
    fn what_was_told_is_not_told_at_length_again() {
        let ui = Ui::new(Verbosity::Normal);
        let long = Error::check("building x failed\n  | error: y").remedy("mend y");
        let error = Error::all([long.clone(), Error::environment("no network")]).unwrap();
        assert_eq!(ui.untold(&error), error);
        ui.tell(&long);
        assert_eq!(
            ui.untold(&error).to_string(),
            "building x failed (shown above)\n  help: mend y\nerror: no network"
        );
        let quiet = Ui::new(Verbosity::Quiet);
        quiet.tell(&long);
        assert_eq!(quiet.untold(&error), error, "what was not shown is told");
    }

    #[test]
    fn what_a_program_writes_is_shown_as_it_comes() {
        struct Pieces(Vec<&'static [u8]>);
        impl Read for Pieces {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let piece = if self.0.is_empty() { &[] } else { self.0.remove(0) };
                buffer[..piece.len()].copy_from_slice(piece);
                Ok(piece.len())
            }
        }
        let mut shown = Vec::new();
        pass(Pieces(vec![b"50 \xe2\x82", b"\xac\r\n\x9b31m", b"\x1b[2J\xc2", b"\x9b\xe2"]), &mut shown);
        let shown = String::from_utf8(shown).unwrap();
        assert_eq!(shown, "50 €\n\u{fffd}31m\\u{1b}[2J\\u{9b}\u{fffd}");
    }

    #[test]
    fn the_table_is_aligned() {
        let row = |stage: &str, reused, seconds, size| Row { stage: stage.into(), reused, seconds, size };
        let shown = table(&[row("ta echo-srv", false, 12.34, 20480), row("rootfs", true, 0.0, 1 << 30)]);
        assert_eq!(
            shown.as_str(),
            "stage                                  time        size\n\
             ta echo-srv                built     12.3 s      20 KiB\n\
             rootfs                     reused     0.0 s       1 GiB\n"
        );
    }
}
