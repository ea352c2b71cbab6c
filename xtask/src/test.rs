//! `test`: all checks, the same at home and in CI.

use crate::TestArgs;
use carveout_build::workshop::EMULATOR_NEEDS;
use carveout_host::dirs::Dirs;
use carveout_host::error::{Error, Result};
use carveout_host::interrupt;
use carveout_host::outcome::Outcome;
use carveout_host::packages;
use carveout_host::packages::Need;
use carveout_host::text::Text;
use carveout_host::tools::{capture, cargo, pip, run as run_tool, shell};
use carveout_host::ui::Ui;
use serde_json::json;
use std::fs;
use std::path::Path;
use std::time::Instant;
use xshell::{Shell, cmd};

const CARGO_DENY: (&str, &str) = ("cargo-deny", "0.20.2");
/// For the tests alone.
const NEEDS: [Need; 9] = [
    Need { program: "git", package: "git", why: "copies the work tree, for builds elsewhere" },
    Need { program: "zstd", package: "zstd", why: "unpacks a bundle's archive, beside our own reader" },
    Need { program: "lintian", package: "lintian", why: "checks the client apps' packages" },
    Need { program: "shellcheck", package: "shellcheck", why: "checks our shell scripts" },
    Need { program: "readelf", package: "binutils", why: "reads the trusted apps, beside our own reader" },
    pip::NEED,
    Need { program: "minisign", package: "minisign", why: "signs and verifies, beside our own code" },
    Need { program: "softhsm2-util", package: "softhsm2", why: "is a token that signs" },
    Need {
        program: "simg2img",
        package: "android-sdk-libsparse-utils",
        why: "reads sparse images, beside our own reader",
    },
];

/// Passed and failed tests.
#[derive(Clone, Copy, Default)]
struct Totals {
    passed: u64,
    failed: u64,
}

/// Runs them all, also behind a failure, and prints the totals.
pub fn run(args: &TestArgs, ui: &Ui) -> Result<Outcome> {
    let dirs = Dirs::find();
    let root = dirs.root()?;
    let logs = dirs.logs()?;
    let needs = [&NEEDS[..], &EMULATOR_NEEDS].concat();
    packages::ensure(&needs, false, &logs.join("host.log"), ui)?;
    let sh = shell(root)?;
    sh.set_var("CARGO_TERM_COLOR", "never");
    let mut totals = Totals::default();
    let mut failures = Vec::new();
    for (name, check) in checks(args.quick) {
        let log = logs.join(format!("test-{name}.log"));
        let _ = fs::remove_file(&log);
        let start = Instant::now();
        let result = check(&sh, root, &log);
        interrupt::check()?;
        let counted = count(&fs::read_to_string(&log).unwrap_or_default());
        // A check that is no test runner counts as one.
        let own =
            if counted.passed + counted.failed == 0 { Totals { passed: 1, failed: 0 } } else { counted };
        let seconds = start.elapsed().as_secs_f64();
        match result {
            Ok(()) => {
                totals.passed += own.passed;
                ui.note(&format!("[{name}] {} passed in {seconds:.0} s", own.passed));
            }
            Err(error) => {
                totals.passed += counted.passed;
                totals.failed += counted.failed.max(1);
                ui.note(&format!("[{name}] failed in {seconds:.0} s"));
                ui.text(&Text::ours(&error.to_string()));
                failures.push(name);
            }
        }
    }
    let line = format!("{} passed, {} failed", totals.passed, totals.failed);
    if failures.is_empty() {
        return Ok(Outcome {
            line: Some(line.into()),
            json: json!({ "passed": totals.passed, "failed": 0 }),
            ..Outcome::default()
        });
    }
    ui.note(&line);
    Err(Error::check(format!("failed: {}", failures.join(", ")))
        .fact("passed", totals.passed)
        .fact("failed", totals.failed)
        .fact("checks", failures))
}

type Check = fn(&Shell, &Path, &Path) -> Result<()>;

fn checks(quick: bool) -> Vec<(&'static str, Check)> {
    let mut checks: Vec<(&str, Check)> = vec![
        ("format", |sh, _, log| run_tool("cargo fmt", cmd!(sh, "cargo fmt --all --check"), log)),
        ("lints", |sh, _, log| {
            let cmd =
                cmd!(sh, "cargo clippy --workspace --all-targets --all-features --locked -- --deny warnings");
            run_tool("cargo clippy", cmd, log)?;
            // Those that `cargo test` leaves out are none of "all targets".
            let rest = ["--package", "xtask", "--test", "builds", "--test", "browser", "--test", "layer"];
            let cmd = cmd!(sh, "cargo clippy --locked {rest...} -- --deny warnings");
            run_tool("cargo clippy", cmd, log)
        }),
        ("shell", |sh, _, log| {
            let scripts = capture("git", cmd!(sh, "git ls-files crates/*.sh .ci/run ci/pipeline"))?;
            let scripts: Vec<&str> = scripts.lines().collect();
            run_tool("shellcheck", cmd!(sh, "shellcheck --shell=bash {scripts...}"), log)
        }),
        ("docs", |sh, _, log| {
            let cmd =
                cmd!(sh, "cargo doc --workspace --no-deps --locked").env("RUSTDOCFLAGS", "--deny warnings");
            run_tool("cargo doc", cmd, log)
        }),
        ("unit", |sh, _, log| run_tool("cargo test", cmd!(sh, "cargo test --workspace --locked"), log)),
        ("layer", |sh, _, log| {
            run_tool("checks of the layer", cmd!(sh, "cargo test --locked --package xtask --test layer"), log)
        }),
        ("browser", |sh, _, log| {
            let options = ["--package", "xtask", "--test", "browser"];
            // One browser at a time: each takes all cores.
            let cmd = cmd!(sh, "cargo test --locked {options...} -- --test-threads=1");
            run_tool("the report page in a browser", cmd, log)
        }),
    ];
    if !quick {
        checks.push(("licences", |sh, root, log| {
            let (name, version) = CARGO_DENY;
            let deny = cargo::helper(&Dirs::of(root).tools(), name, version, false, log)?;
            run_tool("cargo deny", cmd!(sh, "{deny} check licenses bans sources"), log)
        }));
        checks.push(("builds", |sh, _, log| {
            let options = ["--package", "xtask", "--test", "builds"];
            // One after the other: each uses all cores, and they share a build.
            let cmd = cmd!(sh, "cargo test --locked {options...} -- --test-threads=1 --nocapture");
            run_tool("whole builds", cmd, log)
        }));
    }
    checks
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
    fn results_are_added_up() {
        let log = "x\ntest result: ok. 26 passed; 0 failed; 0 ignored;\ntest result: FAILED. 3 passed; 2 failed; 0 ignored\n";
        let totals = count(log);
        assert_eq!((totals.passed, totals.failed), (29, 2));
    }
}
