//! Every command of every guide, as it is written: run in a clone, in order, or named in a table with the reason why not.

mod tables;

use crate::builds::field::clone_to;
use crate::builds::util::{Ran, desk, root, run};
use crate::report::small::test_program;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tables::{BEFORE, ELSEWHERE, EXCEPTIONS, FAIL, GUIDES, NAMES, PROGRAMS};

/// A line's indentation in a block of Markdown.
const INDENT: &str = "    ";

/// A value that a shell keeps: `B=…`.
fn is_assignment(line: &str) -> bool {
    let name = line.split('=').next().unwrap_or_default();
    name.len() < line.len() && !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
}

fn begins_a_command(line: &str) -> bool {
    is_assignment(line) || line.split(' ').next().is_some_and(|word| PROGRAMS.contains(&word))
}

/// The commands of a guide: of each block that begins with one. Lines that end in a backslash go on.
fn commands(guide: &str, text: &str) -> Vec<String> {
    let mut blocks: Vec<Vec<&str>> = vec![Vec::new()];
    for line in text.lines() {
        match line.strip_prefix(INDENT).map(str::trim) {
            Some(line) if !line.is_empty() => blocks.last_mut().unwrap().push(line),
            _ => blocks.push(Vec::new()),
        }
    }
    let mut commands: Vec<String> = Vec::new();
    for block in blocks.iter().filter(|block| block.first().is_some_and(|line| begins_a_command(line))) {
        let mut goes_on = false;
        for line in block {
            let (text, more) = line.strip_suffix('\\').map_or((*line, false), |text| (text.trim_end(), true));
            match commands.last_mut() {
                Some(command) if goes_on => *command = format!("{command} {text}"),
                _ => {
                    assert!(
                        begins_a_command(line),
                        "{guide}: `{line}` begins with no program that the test knows"
                    );
                    commands.push(text.to_owned());
                }
            }
            goes_on = more;
        }
    }
    commands
}

fn exception(guide: &str, command: &str) -> Option<&'static str> {
    let found = EXCEPTIONS.iter().find(|(of, begin, _)| *of == guide && command.starts_with(begin));
    found.map(|(_, _, reason)| *reason)
}

/// A command of ours without what a shell makes of it, as clap gets it.
fn words(command: &str) -> Option<Vec<&str>> {
    let command = command.split(" # ").next().unwrap_or_default();
    let rest = command.strip_prefix("sudo -E ").unwrap_or(command);
    let rest = rest.strip_prefix("cargo xtask ").or_else(|| rest.strip_prefix("./carveout "))?;
    Some(["cargo xtask"].into_iter().chain(rest.split_whitespace()).collect())
}

fn parses(guide: &str, command: &str) {
    if let Some(words) = words(command) {
        let parsed = carveout::command::<xtask::Xtask>("cargo xtask").try_get_matches_from(words);
        assert!(parsed.is_ok(), "{guide}: {command}\n{}", parsed.unwrap_err());
    }
}

/// A reader's clone, with the results of stages that are there already.
struct Reader {
    dir: tempfile::TempDir,
    values: Vec<String>,
}

impl Reader {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let reader = Self { dir, values: Vec::new() };
        let clone = reader.clone();
        clone_to(&clone);
        // Its bundles are its own: what it adds to its clone makes them others than those of the tests beside it.
        let from = root().join("target/toolchains");
        fs::create_dir_all(&from).unwrap();
        std::os::unix::fs::symlink(from, clone.join("target/toolchains")).unwrap();
        // xtask itself serves the clone: cargo would build it again for another folder.
        let bin = reader.dir.path().join("bin");
        fs::create_dir(&bin).unwrap();
        let cargo = format!(
            "#!/bin/sh\nif [ \"$1\" = xtask ]; then shift; exec env CARGO_MANIFEST_DIR={}/xtask {} \"$@\"; fi\nexec {} \"$@\"\n",
            clone.display(),
            env!("CARGO_BIN_EXE_xtask"),
            // As a reader calls it: rustup's tells rustc which toolchain it is for, whatever a crate's own rust-toolchain says.
            carveout_host::tools::find("cargo").unwrap().display(),
        );
        fs::write(bin.join("cargo"), cargo).unwrap();
        run("chmod", ["+x".as_ref(), bin.join("cargo").as_os_str()]).ok();
        // Of a release, in place of one that is compiled for minutes.
        test_program(&reader.dir.path().join("carveout"));
        reader
    }

    fn clone(&self) -> PathBuf {
        self.dir.path().join("clone")
    }

    /// Runs a line as a shell does, behind all values that were set.
    fn shell(&self, line: &str, folder: &str) -> Ran {
        let home = self.dir.path().join("home");
        fs::create_dir_all(&home).unwrap();
        let own = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let mut command = Command::new("bash");
        command.arg("-c").arg(format!("set -euo pipefail\n{}\n{line}", self.values.join("\n")));
        command.current_dir(self.clone().join(folder)).env("HOME", &home).env("EDITOR", "true");
        for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            command.env(name, std::env::var_os(name).map_or_else(|| own.join(folder), PathBuf::from));
        }
        let path = std::env::var_os("PATH").unwrap();
        let path = [self.dir.path().join("bin")].into_iter().chain(std::env::split_paths(&path));
        command.env("PATH", std::env::join_paths(path).unwrap());
        command.env("CARVEOUT_SIGN_PASSWORD", "a password").env_remove("XDG_STATE_HOME");
        Ran::new(&mut command)
    }

    fn follow(&mut self, guide: &str, command: &str) {
        if is_assignment(command) {
            return self.values.push(command.to_owned());
        }
        for (_, before) in BEFORE.iter().filter(|(begin, _)| command.starts_with(begin)) {
            self.shell(before, ".").ok();
        }
        let folder = ELSEWHERE.iter().find(|(begin, _)| command.starts_with(begin)).map_or(".", |(_, f)| f);
        let mut line = command.to_owned();
        for (of, name, own) in NAMES {
            if of == guide {
                line = line.replace(name, own);
            }
        }
        let ran = self.shell(&line, folder);
        match FAIL.iter().find(|(begin, _)| command.starts_with(begin)) {
            Some((_, code)) => drop(ran.fails(*code)),
            None => drop(ran.ok()),
        }
    }
}

fn read(guide: &str) -> String {
    fs::read_to_string(root().join(guide)).unwrap()
}

/// A product config that a guide shows, as its first block that begins with `name:`.
fn config(text: &str) -> String {
    let lines = text.lines().skip_while(|line| !line.starts_with("    name: "));
    lines.map_while(|line| line.strip_prefix(INDENT)).map(|line| format!("{line}\n")).collect()
}

#[test]
fn every_command_of_every_guide_works_as_it_is_written() {
    desk();
    let mut reader = Reader::new();
    let carve_out = "docs/the-carve-out.md";
    for guide in GUIDES {
        reader.values.clear();
        if guide == carve_out {
            fs::write(reader.clone().join("forum.yaml"), config(&read(guide))).unwrap();
        }
        for command in commands(guide, &read(guide)) {
            parses(guide, &command);
            match exception(guide, &command) {
                Some(reason) => println!("{guide}: not run, as it {reason}: {command}"),
                None => {
                    let start = std::time::Instant::now();
                    reader.follow(guide, &command);
                    println!("{guide}: {:.1} s: {command}", start.elapsed().as_secs_f64());
                }
            }
        }
    }
}

#[test]
fn every_guide_is_followed_and_no_exception_is_a_dead_one() {
    let docs = fs::read_dir(root().join("docs")).unwrap().flatten();
    let docs = docs.map(|entry| format!("docs/{}", entry.file_name().to_str().unwrap()));
    for guide in docs.filter(|name| Path::new(name).extension().is_some_and(|e| e == "md")) {
        assert!(GUIDES.contains(&guide.as_str()), "{guide}");
    }
    let all: Vec<(&str, String)> = GUIDES
        .iter()
        .flat_map(|guide| commands(guide, &read(guide)).into_iter().map(move |c| (*guide, c)))
        .collect();
    assert!(all.len() > 60, "{all:?}");
    for (guide, begin, reason) in EXCEPTIONS {
        let used = all.iter().any(|(of, command)| *of == guide && command.starts_with(begin));
        assert!(used, "{guide}: no command begins with `{begin}`, of which the test says that it {reason}");
    }
    for (guide, name, _) in NAMES {
        assert!(read(guide).contains(name), "{guide}: {name}");
    }
    for begin in FAIL.iter().map(|(b, _)| b).chain(BEFORE.iter().chain(&ELSEWHERE).map(|(b, _)| b)) {
        assert!(all.iter().any(|(_, command)| command.starts_with(begin)), "{begin}");
    }
}

#[test]
fn a_command_is_told_from_output() {
    let text = "Text\n\n    cargo xtask image \\\n        --offline   # quick\n    B=x\n\n    error: no\n      help: yes\n\n1. x\n\n       sed s/a/b/\n";
    assert_eq!(commands("x", text), ["cargo xtask image --offline   # quick", "B=x", "sed s/a/b/"]);
    assert!(is_assignment("B=target/x") && !is_assignment("uuid=1") && !is_assignment("B"));
    assert_eq!(
        words("sudo -E cargo xtask flash B --to usb # x").unwrap(),
        ["cargo xtask", "flash", "B", "--to", "usb"]
    );
    assert_eq!(words("./carveout verify B").unwrap(), ["cargo xtask", "verify", "B"]);
    assert_eq!(words("sed s/a/b/"), None);
}
