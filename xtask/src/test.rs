//! `test`: all checks, the same at home and in CI.

mod args;
mod junit;

pub use args::TestArgs;

use carveout_build::workshop::EMULATOR_NEEDS;
use carveout_host::dirs::Dirs;
use carveout_host::error::{Error, Result};
use carveout_host::interrupt;
use carveout_host::outcome::Outcome;
use carveout_host::packages::{self, Need};
use carveout_host::text::Text;
use carveout_host::tools::{capture, cargo, find, run as run_tool, shell};
use carveout_host::ui::Ui;
use carveout_yocto::pip;
use junit::Ran;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;
use std::fs;
use std::num::NonZero;
use std::path::Path;
use std::time::Instant;
use xshell::{Shell, cmd};

const CARGO_DENY: (&str, &str) = ("cargo-deny", "0.20.2");
/// Taken where it is installed.
const CARGO_NEXTEST: (&str, &str) = ("cargo-nextest", "0.9.143");
/// The variable by which tests know that `--full` was given: what takes long and repeats much of another test runs only then.
pub const FULL: &str = "CARVEOUT_TEST_FULL";
/// So many tests run besides one on each core.
const WAITING: usize = 2;
/// So many of the slowest tests are told.
const SLOWEST: usize = 10;
/// So many lines of a failure are shown, of its beginning and of its end.
const SHOWN: (usize, usize) = (6, 20);
/// So many characters of a line of it.
const WIDEST: usize = 400;
/// For the tests alone.
const NEEDS: [Need; 10] = [
    Need { program: "git", package: "git", why: "copies the work tree, for builds elsewhere" },
    Need { program: "zstd", package: "zstd", why: "unpacks a bundle's archive, beside our own reader" },
    Need { program: "lintian", package: "lintian", why: "checks the client apps' packages" },
    Need { program: "shellcheck", package: "shellcheck", why: "checks our shell scripts" },
    Need { program: "readelf", package: "binutils", why: "reads the trusted apps, beside our own reader" },
    pip::NEED,
    Need { program: "minisign", package: "minisign", why: "signs and verifies, beside our own code" },
    Need { program: "softhsm2-util", package: "softhsm2", why: "is a token that signs" },
    Need { program: "gdb-multiarch", package: "gdb-multiarch", why: "debugs trusted apps on the emulator" },
    Need {
        program: "simg2img",
        package: "android-sdk-libsparse-utils",
        why: "reads sparse images, beside our own reader",
    },
];

/// Of `test`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Tested {
    /// How many tests have passed.
    pub passed: u64,
    /// How many have failed.
    pub failed: u64,
    /// How many were skipped.
    pub skipped: u64,
    /// The checks that have failed.
    pub checks: Vec<&'static str>,
}

/// Tests by their outcome.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Totals {
    passed: u64,
    failed: u64,
    skipped: u64,
}

impl Totals {
    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    fn line(self) -> String {
        format!("{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

/// Runs them all, also behind a failure, and prints the totals.
pub fn run(args: &TestArgs, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    let root = dirs.root()?;
    let logs = dirs.logs()?;
    packages::ensure(&[&NEEDS[..], &EMULATOR_NEEDS].concat(), false, &logs.join("host.log"), ui)?;
    let sh = shell(root)?;
    sh.set_var("CARGO_TERM_COLOR", "never");
    let mut totals = Totals::default();
    let mut failures = Vec::new();
    for (name, check) in checks(args) {
        let log = logs.join(format!("test-{name}.log"));
        let _ = fs::remove_file(&log);
        let start = Instant::now();
        let result = check(&Checked { sh: &sh, dirs, log: &log, args, ui });
        interrupt::check()?;
        let seconds = start.elapsed().as_secs_f64();
        let (counted, error) = match result {
            Ok(counted) => (counted, None),
            Err(error) => (Totals { failed: 1, ..Totals::default() }, Some(error)),
        };
        totals.add(counted);
        ui.note(&format!("[{name}] {} in {seconds:.0} s", counted.line()));
        if let Some(error) = error {
            ui.text(&Text::ours(&error.to_string()));
        }
        if counted.failed > 0 {
            failures.push(name);
        }
    }
    let line = totals.line();
    let Totals { passed, failed, skipped } = totals;
    let json = json!(Tested { passed, failed, skipped, checks: failures.clone() });
    if !failures.is_empty() {
        ui.note(&format!("failed: {}", failures.join(", ")));
    }
    Ok(Outcome { line: Some(line.into()), json, failed: !failures.is_empty(), ..Outcome::default() })
}

/// What a check works with.
struct Checked<'a> {
    sh: &'a Shell,
    dirs: &'a Dirs,
    log: &'a Path,
    args: &'a TestArgs,
    ui: &'a Ui,
}

type Check = fn(&Checked) -> Result<Totals>;

/// A check that is no test runner counts as one.
fn one(result: Result<()>) -> Result<Totals> {
    result.map(|()| Totals { passed: 1, ..Totals::default() })
}

fn checks(args: &TestArgs) -> Vec<(&'static str, Check)> {
    let mut checks: Vec<(&str, Check)> = vec![
        ("format", |c| one(run_tool("cargo fmt", cmd!(c.sh, "cargo fmt --all --check"), c.log))),
        ("shell", |c| {
            let sh = c.sh;
            let scripts = capture("git", cmd!(sh, "git ls-files crates/*.sh .ci/run ci/pipeline"))?;
            let scripts: Vec<&str> = scripts.lines().collect();
            one(run_tool("shellcheck", cmd!(sh, "shellcheck --shell=bash {scripts...}"), c.log))
        }),
        ("lints", |c| {
            let what = ["--workspace", "--lib", "--bins", "--examples", "--test", "*", "--all-features"];
            let sh = c.sh;
            one(run_tool(
                "cargo clippy",
                cmd!(sh, "cargo clippy {what...} --locked -- --deny warnings"),
                c.log,
            ))
        }),
        ("docs", |c| {
            let cmd = cmd!(c.sh, "cargo doc --workspace --no-deps --locked");
            one(run_tool("cargo doc", cmd.env("RUSTDOCFLAGS", "--deny warnings"), c.log))
        }),
        ("examples of the docs", |c| {
            run_tool("cargo test", cmd!(c.sh, "cargo test --doc --workspace --locked"), c.log)?;
            Ok(count(&fs::read_to_string(c.log).unwrap_or_default()))
        }),
    ];
    if args.full {
        checks.push(("licences", |c| {
            let (name, version) = CARGO_DENY;
            let (sh, deny) = (c.sh, cargo::helper(&c.dirs.tools(), name, version, false, c.log)?);
            one(run_tool("cargo deny", cmd!(sh, "{deny} check licenses bans sources"), c.log))
        }));
    }
    checks.push(("tests", tests));
    checks
}

/// All tests, by nextest; what failed, what was skipped and why, and the slowest.
fn tests(c: &Checked) -> Result<Totals> {
    let (name, version) = CARGO_NEXTEST;
    let sh = c.sh;
    let nextest = match find(name) {
        Some(there) => there,
        None => cargo::helper(&c.dirs.tools(), name, version, false, c.log)?,
    };
    let filter = if c.args.quick { "not test(/^(builds|browser|layer)::/)" } else { "all()" };
    let what = ["--workspace", "--locked", "--lib", "--bins", "--test", "*", "--no-tests", "fail"];
    // Some wait for what another one builds.
    let threads = std::thread::available_parallelism().map_or(2, NonZero::get) + WAITING;
    let threads = threads.to_string();
    let report = c.dirs.root()?.join("target/nextest/default/junit.xml");
    let _ = fs::remove_file(&report);
    let cmd = cmd!(sh, "{nextest} nextest run {what...} --test-threads {threads} --filterset {filter}");
    let cmd = cmd.envs(c.args.full.then_some((FULL, "1"))).env("NEXTEST_HIDE_PROGRESS_BAR", "1");
    let ended = run_tool("cargo nextest", cmd, c.log);
    let text = match (fs::read_to_string(&report), ended) {
        (Ok(text), _) => text,
        (Err(_), Err(error)) => return Err(error),
        (Err(error), Ok(())) => return Err(Error::io(&report, &error)),
    };
    let mut all = junit::read(&text).map_err(|e| Error::check(format!("{}: {e}", report.display())))?;
    let mut totals = Totals::default();
    for Ran { name, skipped, failed, .. } in &all {
        match (failed, skipped) {
            (Some(cause), _) => {
                totals.failed += 1;
                c.ui.note(&format!("failed: {name}"));
                shortened(cause).iter().for_each(|line| c.ui.text(&Text::ours(&format!("    {line}"))));
            }
            (None, Some(why)) => {
                totals.skipped += 1;
                c.ui.note(&format!("skipped: {name}: {why}"));
            }
            (None, None) => totals.passed += 1,
        }
    }
    all.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    for Ran { name, seconds, .. } in all.iter().take(SLOWEST) {
        c.ui.note(&format!("{seconds:6.1} s  {name}"));
    }
    if totals.failed > 0 {
        c.ui.note(&format!("full log: {}", c.log.display()));
    }
    Ok(totals)
}

/// What is shown of a failure's cause: its first lines, and its last ones, where a command that failed says why.
fn shortened(cause: &str) -> Vec<String> {
    let told = cause.lines().take_while(|line| line.trim() != "stack backtrace:");
    let lines: Vec<String> = told.map(|line| line.chars().take(WIDEST).collect()).collect();
    let (first, last) = SHOWN;
    if lines.len() <= first + last {
        return lines;
    }
    let left_out = format!("[{} lines are left out]", lines.len() - first - last);
    [&lines[..first], &[left_out], &lines[lines.len() - last..]].concat()
}

/// Adds up cargo's own "test result" lines.
fn count(log: &str) -> Totals {
    let mut totals = Totals::default();
    for line in log.lines().filter_map(|line| line.strip_prefix("test result: ")) {
        let number = |what: &str| {
            let before = line.split(what).next().filter(|b| b.len() < line.len())?;
            before.trim_end().rsplit(' ').next()?.parse::<u64>().ok()
        };
        totals.passed += number(" passed").unwrap_or(0);
        totals.failed += number(" failed").unwrap_or(0);
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_shortened_in_the_middle() {
        let cause = |lines: usize| (0..lines).map(|n| format!("{n}\n")).collect::<String>();
        assert_eq!(shortened(&cause(26)).len(), 26);
        let shown = shortened(&cause(100));
        assert_eq!(shown.len(), 27);
        assert_eq!(
            (&*shown[5], &*shown[6], &*shown[7], &*shown[26]),
            ("5", "[74 lines are left out]", "80", "99")
        );
        assert_eq!(shortened(&"ü".repeat(500))[0].chars().count(), WIDEST);
        assert_eq!(shortened("no such file\nstack backtrace:\n  0: main"), ["no such file"]);
    }

    #[test]
    fn results_are_added_up() {
        let log = "x\ntest result: ok. 26 passed; 0 failed; 0 ignored;\ntest result: FAILED. 3 passed; 2 failed; 0 ignored\n";
        assert_eq!(count(log), Totals { passed: 29, failed: 2, skipped: 0 });
        assert_eq!(count(log).line(), "29 passed, 2 failed, 0 skipped");
    }
}
