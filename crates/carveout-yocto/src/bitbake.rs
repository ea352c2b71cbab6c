//! Runs BitBake in a build folder, with its progress in our bars and what it complains of in our errors.

mod complaint;

use super::user::LOCALE;
use crate::build_folder::Setup;
use crate::errors::BitBakeError;
use carveout_host::error::{At, Error, Result};
use carveout_host::interrupt;
use carveout_host::packages::Need;
use carveout_host::process;
use carveout_host::process::Streams;
use carveout_host::tools::shell;
use carveout_host::ui::{Running, Ui};
use complaint::{LOG_DATA, behind_progress, excerpt, meaning, plain};
use rustix::process::Signal;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What BitBake and OE-Core's sanity check want of any host.
pub const NEEDS: [Need; 10] = [
    need("chrpath", "chrpath", "OE-Core's tasks"),
    need("cpio", "cpio", "OE-Core's tasks"),
    need("diffstat", "diffstat", "OE-Core's tasks"),
    need("file", "file", "OE-Core's tasks"),
    need("g++", "build-essential", "OE-Core's native recipes"),
    need("gawk", "gawk", "OE-Core's tasks"),
    need("git", "git", "OE-Core's tasks"),
    need("rpcgen", "rpcsvc-proto", "OE-Core's native recipes"),
    need("wget", "wget", "downloads of recipes"),
    need("zstd", "zstd", "packs shared state"),
];

/// A Debian package.
pub const fn need(program: &'static str, package: &'static str, why: &'static str) -> Need {
    Need { program, package, why }
}

/// BitBake of a build folder.
pub struct BitBake<'a> {
    /// The build folder.
    pub setup: &'a Setup,
}

/// What a run has said.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Summary {
    /// Tasks that it went through.
    pub attempted: u64,
    /// Of them, those that were done already.
    pub reused: u64,
    /// Those that it ran, as `recipe:task`, without those that do nothing.
    pub ran: Vec<String>,
    /// Those whose results it took from shared state, likewise.
    pub restored: Vec<String>,
    /// Its warnings.
    pub warnings: Vec<String>,
    /// Its errors, each with the lines that belong to it.
    pub errors: Vec<String>,
    /// Whether the last line was of an error.
    #[serde(skip)]
    complains: bool,
}

impl BitBake<'_> {
    /// Runs BitBake with these arguments. `name`: what people see of it.
    pub fn run(&self, name: &str, args: &[&str], log: &Path, ui: &Ui) -> Result<Summary> {
        let sh = shell(&self.setup.build)?;
        let command = self.setup.user.command(&sh, "bash").args(self.words(args));
        let mut file = carveout_host::files::log(log)?;
        writeln!(file, "$ bitbake {}", args.join(" ")).at(log)?;
        let errors = file.try_clone().at(log)?;
        let running = ui.start(name);
        running.building("bitbake is starting");
        let streams = Streams { stdout: Stdio::piped(), stderr: errors.into(), ..Streams::default() };
        let mut child =
            process::start(command, streams).map_err(|unstarted| unstarted.of("starting BitBake"))?;
        // BitBake ends its tasks in order when it gets a Ctrl-C, and at once when it gets another: it is waited for.
        let interrupted = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&interrupted);
        let signal = child.signaller();
        interrupt::instead(move || {
            flag.store(true, Ordering::Relaxed);
            signal(Signal::INT)
        });
        let mut summary = Summary::default();
        let lines = child.stdout().map(BufReader::new);
        for line in lines.into_iter().flat_map(|reader| reader.split(b'\n')).map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            writeln!(file, "{line}").at(log)?;
            // Now, not when the tasks that run beside it have ended.
            if summary.read(&line, &running) == Heard::FirstError {
                ui.note(&format!("error: {}", plain(summary.errors.first().map_or("", String::as_str))));
            }
        }
        let status = child.wait().at(log)?;
        interrupt::as_usual();
        if status.success() && summary.errors.is_empty() {
            running.done();
            return Ok(summary);
        }
        running.fail();
        if interrupted.load(Ordering::Relaxed) {
            return Err(Error::interrupted());
        }
        Err(summary.failure(&format!("bitbake {} failed ({status})", args.join(" ")), log))
    }

    /// An interactive shell in which BitBake runs.
    pub fn shell(&self) -> Result<()> {
        let sh = shell(&self.setup.build)?;
        let script = format!("{}; exec bash --norc -i", self.environment());
        let command = self.setup.user.command(&sh, "bash").args(["-c", &script]);
        let mut shell = process::start_in_front(command, Streams::ours())
            .map_err(|unstarted| unstarted.of("a shell for BitBake"))?;
        // How the user leaves it is the user's affair.
        shell.wait().map(|_| ()).map_err(|source| BitBakeError::ShellLost { source }.into())
    }

    /// Arguments of bash that run BitBake: its own script sets up the environment.
    fn words(&self, args: &[&str]) -> Vec<String> {
        let script = format!("{} > /dev/null && exec bitbake \"$@\" 2>&1", self.environment());
        let mut words = vec!["-c".to_owned(), script, "bitbake".to_owned()];
        words.extend(args.iter().map(|arg| (*arg).to_owned()));
        words
    }

    fn environment(&self) -> String {
        let quoted = |path: &Path| format!("'{}'", path.display().to_string().replace('\'', "'\\''"));
        format!(
            "export LC_ALL={LOCALE} LANG={LOCALE} HOME=\"$(getent passwd \"$(id -u)\" | cut -d: -f6)\"; cd {} && \
             . ./oe-init-build-env {} {}",
            quoted(&self.setup.layers.oe_core),
            quoted(&self.setup.build),
            quoted(&self.setup.layers.bitbake),
        )
    }
}

/// What a line was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    /// The first line of the first error.
    FirstError,
    /// Anything else.
    Other,
}

impl Summary {
    fn read(&mut self, line: &str, running: &Running) -> Heard {
        let line = behind_progress(line);
        if let Some(text) = line.strip_prefix("ERROR: ") {
            self.errors.push(text.trim().into());
            self.complains = true;
            return if self.errors.len() == 1 { Heard::FirstError } else { Heard::Other };
        }
        if let Some(text) = line.strip_prefix("WARNING: ") {
            self.warnings.push(text.into());
        } else if !["NOTE: ", "Summary: ", "Parsing", "Initialising"]
            .iter()
            .any(|head| line.starts_with(head))
        {
            // The rest of a complaint of several lines.
            if let Some(last) = self.errors.last_mut().filter(|_| self.complains && !line.trim().is_empty()) {
                *last = format!("{last}\n{}", line.trim_end());
            }
            return Heard::Other;
        }
        self.complains = false;
        if let Some(rest) = line.strip_prefix("NOTE: Tasks Summary: Attempted ") {
            let mut numbers = rest.split(' ').filter_map(|word| word.parse().ok());
            self.attempted = numbers.next().unwrap_or_default();
            self.reused = numbers.next().unwrap_or_default();
            return Heard::Other;
        }
        let Some(started) = started(line) else { return Heard::Other };
        running.step(&format!("{}: {}", started.numbers, started.task));
        match started.kind {
            "setscene task" => self.restored.push(started.task),
            "task" => self.ran.push(started.task),
            _ => {}
        }
        Heard::Other
    }

    /// The error of a run that failed: BitBake's first, with what mends it. What comes behind it follows from it.
    fn failure(&self, what: &str, log: &Path) -> Error {
        let first = self.errors.first().map_or("", String::as_str);
        let mut lines = excerpt(first);
        // The task's own output stands in an entry of its own.
        let output = self.errors.iter().skip(1).find(|error| error.contains(LOG_DATA));
        lines.extend(output.map(|error| excerpt(error)).unwrap_or_default());
        let others = self.errors.len().saturating_sub(1);
        if others > 0 && output.is_none() {
            lines.push(format!("({others} more in the log)"));
        }
        let shown: Vec<String> = lines.iter().map(|line| format!("  | {}\n", plain(line))).collect();
        let message = format!("{what}\n{}  full log: {}", shown.concat(), log.display());
        meaning(first, output.map_or("", String::as_str))(message.into()).into()
    }
}

/// A task that BitBake starts.
struct Started<'a> {
    /// `task`, `setscene task` or `noexec task`.
    kind: &'a str,
    /// The how manieth of how many.
    numbers: &'a str,
    /// `recipe:task`.
    task: String,
}

fn started(line: &str) -> Option<Started<'_>> {
    let rest = line.strip_prefix("NOTE: Running ")?;
    let (head, task) = rest.split_once(" (")?;
    let (kind, numbers) = head.split_at(head.find(|c: char| c.is_ascii_digit())?);
    let (recipe, task) = task.trim_end_matches(')').rsplit('/').next()?.rsplit_once(':')?;
    let recipe = recipe.split('_').next().unwrap_or(recipe).trim_end_matches(".bb");
    Some(Started { kind: kind.trim_end(), numbers, task: format!("{recipe}:{task}") })
}

#[cfg(test)]
mod tests {
    use super::*;
    use carveout_host::error::Exit;
    use carveout_host::ui::Verbosity;

    #[test]
    fn what_bitbake_says_is_understood() {
        let ui = Ui::new(Verbosity::Quiet);
        let running = ui.start("x");
        let mut summary = Summary::default();
        for line in [
            "WARNING: Host distribution has not been validated",
            "NOTE: Running task 12 of 3313 (/x/meta/recipes-core/a/a_1.0.bb:do_fetch)",
            "NOTE: Tasks Summary: Attempted 3313 tasks of which 40 didn't need to be rerun and all succeeded.",
            "ERROR: Nothing PROVIDES 'no-srv'",
            "    and more of it",
            "NOTE: something else",
            "of another line",
        ] {
            summary.read(line, &running);
        }
        assert_eq!((summary.attempted, summary.reused), (3313, 40));
        assert_eq!(
            (summary.ran.as_slice(), summary.restored.len()),
            (["a:do_fetch".to_owned()].as_slice(), 0)
        );
        assert_eq!((summary.warnings.len(), summary.errors.len()), (1, 1));
        let error = summary.failure("bitbake no-srv failed", Path::new("/log"));
        assert_eq!(error.exit, Exit::Usage);
        assert!(
            error.message.contains("  | Nothing PROVIDES 'no-srv'\n  |     and more of it\n  full log: /log"),
            "{error}"
        );
        let full = Summary { errors: vec!["a: write: No space left on device".into()], ..Summary::default() };
        assert_eq!(full.failure("", Path::new("/log")).exit, Exit::Environment);
    }

    fn failed(lines: &[&str]) -> Error {
        let ui = Ui::new(Verbosity::Quiet);
        let running = ui.start("x");
        let mut summary = Summary::default();
        let heard: Vec<Heard> = lines.iter().map(|line| summary.read(line, &running)).collect();
        assert_eq!(heard.iter().filter(|heard| **heard == Heard::FirstError).count(), 1);
        summary.failure("bitbake a failed", Path::new("/log"))
    }

    /// As BitBake 2.0's knotty writes them.
    #[test]
    fn the_first_error_is_shown_and_what_follows_from_it_is_not() {
        let distro = failed(&[
            "ERROR:  OE-core's config sanity checker detected a potential misconfiguration.",
            "    Either fix the cause of this error or at your own risk disable the checker (see sanity.conf).",
            "    Following is the list of potential problems / advisories:",
            "",
            "    DISTRO 'acme' not found. Please set a valid DISTRO in your local.conf",
            "ERROR: a-1.0 do_fetch: Fetcher failure for URL: 'https://example.invalid'",
        ]);
        assert_eq!((distro.exit, &distro.remedy), (Exit::Check, &None));
        assert!(distro.message.contains("  |     DISTRO 'acme' not found"), "{distro}");
        assert!(distro.message.contains("  | (1 more in the log)\n  full log: /log"), "{distro}");
        let parse = failed(&[
            "Loading cache...done.",
            "Parsing recipes...ERROR: ParseError at /x/acme-image.bb:1: Could not include required file y.bb",
            "ERROR: Parsing halted due to errors, see error messages above",
            "",
            "Summary: There were 2 ERROR messages, returning a non-zero exit code.",
        ]);
        assert!(
            parse.message.contains("\n  | ParseError at /x/acme-image.bb:1: Could not include"),
            "{parse}"
        );
        let compile = failed(&[
            "ERROR: echo-srv-0.1.0-r0 do_compile: Execution of '/x/run.do_compile.7' failed with exit code 101",
            "ERROR: Logfile of failure stored in: /x/log.do_compile.7",
            "Log data follows:",
            "| DEBUG: Executing shell function do_compile",
            "|    Compiling a v0.1.0",
            "|    Compiling echo-srv v0.1.0",
            "| error[E0425]: cannot find value `x` in this scope",
            "|   --> src/main.rs:3:5",
            "| error: could not compile `echo-srv`",
            "| WARNING: exit code 101 from a shell command.",
            "ERROR: Task (/x/echo-srv_0.1.0.bb:do_compile) failed with exit code '1'",
        ]);
        let shown: Vec<&str> = compile.message.lines().collect();
        assert_eq!(
            shown[1],
            "  | echo-srv-0.1.0-r0 do_compile: Execution of '/x/run.do_compile.7' failed with exit code 101"
        );
        assert_eq!(shown[2], "  | Logfile of failure stored in: /x/log.do_compile.7");
        assert_eq!(shown[3], "  | |    Compiling a v0.1.0");
        assert_eq!(shown[5], "  | | error[E0425]: cannot find value `x` in this scope");
        assert_eq!((compile.exit, &compile.remedy), (Exit::Check, &None));
    }

    #[test]
    fn a_download_that_failed_is_told_without_a_guess() {
        let error = failed(&[
            "ERROR: tegra-binaries-32.7.6-r0 do_fetch: Bitbake Fetcher Error: FetchError('Unable to fetch URL from any source.', 'https://example.invalid/x.tbz2')",
        ]);
        assert_eq!(error.exit, Exit::Environment);
        let text = error.to_string();
        assert!(
            text.contains("https://example.invalid/x.tbz2") && !text.contains("check the network"),
            "{text}"
        );
        let offline = failed(&[
            "ERROR: a do_fetch: Fetcher failure: Network access disabled through BB_NO_NETWORK (or set indirectly)",
        ]);
        assert_eq!(offline.remedy.as_deref(), Some("run the command once without --offline"));
        // Nothing in a log commands a terminal.
        assert!(failed(&["ERROR: a\u{1b}[2Jb"]).message.contains("a\\u{1b}[2Jb"));
    }

    #[test]
    fn tasks_are_told_apart() {
        let shown = |line: &str| started(line).map(|s| format!("{}, {}, {}", s.kind, s.numbers, s.task));
        for (line, expected) in [
            ("NOTE: Running task 12 of 99 (/x/a_1.0.bb:do_fetch)", "task, 12 of 99, a:do_fetch"),
            ("NOTE: Running noexec task 1 of 2 (/x/a.bb:do_build)", "noexec task, 1 of 2, a:do_build"),
            (
                "NOTE: Running setscene task 3 of 4 (virtual:native:/x/b-c_2.bb:do_x_setscene)",
                "setscene task, 3 of 4, b-c:do_x_setscene",
            ),
        ] {
            assert_eq!(shown(line).as_deref(), Some(expected));
        }
        assert_eq!(shown("NOTE: recipe a: task do_x: Started"), None);
    }
}
