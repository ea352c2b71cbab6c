//! What people see while something runs: bars on a terminal, plain lines elsewhere, nothing when quiet.

use crate::error::Error;
use crate::size::human;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};
use std::path::Path;
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
        let bars = (verbosity > Verbosity::Quiet && std::io::stderr().is_terminal()).then(MultiProgress::new);
        Self { verbosity, bars, rows: Mutex::default(), told: Mutex::default() }
    }

    /// Whether only results and errors are shown.
    pub fn is_quiet(&self) -> bool {
        self.verbosity == Verbosity::Quiet
    }

    /// Shows a line. A terminal obeys no character of it, wherever it comes from.
    pub fn note(&self, line: &str) {
        self.show(Verbosity::Normal, &plain(line));
    }

    /// Shows what a program says, behind its name.
    pub fn quote(&self, name: &str, text: &str) {
        self.note(&text.lines().map(|line| format!("[{name}] {line}")).collect::<Vec<_>>().join("\n"));
    }

    /// Shows a failure when it happens, while others still work: it is not told at length again.
    pub fn tell(&self, error: &Error) {
        if self.is_quiet() {
            return;
        }
        let label = console::style("error:").red().bold().for_stderr();
        let text = plain(&error.to_string());
        let line = format!(
            "{label} {text}\n  what is built besides goes on, and stays for the next run; Ctrl-C ends it"
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
        self.show(Verbosity::Verbose, &plain(line));
    }

    fn show(&self, from: Verbosity, line: &str) {
        match &self.bars {
            _ if self.verbosity < from => {}
            Some(bars) => drop(bars.println(line)),
            None => drop(writeln!(std::io::stderr(), "{line}")),
        }
    }

    /// Starts to show a stage.
    pub fn start(&self, name: &str) -> Running<'_> {
        let bar = self.bars.as_ref().map(|bars| {
            let style = ProgressStyle::with_template("{spinner} {prefix:24} {elapsed:>5} {msg}");
            let bar = bars.add(ProgressBar::new_spinner());
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            bar.set_prefix(name.to_owned());
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
            self.note(table(&rows).trim_end());
        }
    }
}

impl Running<'_> {
    /// Tells that the stage is really built, not reused.
    pub fn building(&self, why: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(plain(why)),
            None => self.ui.note(&format!("[{}] {why}", self.name)),
        }
    }

    /// Tells how far it is. Where there is no bar, now and then.
    pub fn step(&self, what: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(plain(what)),
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

/// Text without the characters that a terminal obeys, but for ends of lines and tabs.
pub fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && !['\n', '\t'].contains(&c) { '\u{fffd}' } else { c }).collect()
}

fn table(rows: &[Row]) -> String {
    let mut out = format!("{:<26} {:<7} {:>8} {:>11}\n", "stage", "", "time", "size");
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
    fn no_text_of_others_moves_the_cursor() {
        assert_eq!(plain("warning: \x1b[2J\n\ta\r\u{9b}"), "warning: \u{fffd}[2J\n\ta\u{fffd}\u{fffd}");
    }

    #[test]
    fn the_table_is_aligned() {
        let row = |stage: &str, reused, seconds, size| Row { stage: stage.into(), reused, seconds, size };
        let shown = table(&[row("ta echo-srv", false, 12.34, 20480), row("rootfs", true, 0.0, 1 << 30)]);
        assert_eq!(
            shown,
            "stage                                  time        size\n\
             ta echo-srv                built     12.3 s      20 KiB\n\
             rootfs                     reused     0.0 s       1 GiB\n"
        );
    }
}
