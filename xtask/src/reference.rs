//! `reference`: the pages of docs/reference, made of the code itself.

use carveout_host::dirs::Dirs;
use carveout_host::error::{At, Entry, Exit, Result};
use carveout_host::files;
use carveout_host::outcome::Outcome;
use carveout_host::ui::Ui;
use clap::Command;
use serde_json::json;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

/// Where the pages lie.
const FOLDER: &str = "docs/reference";
/// How wide the help of a verb is printed.
const WIDTH: usize = 100;

/// All failures that have a code.
pub fn all() -> Vec<&'static Entry> {
    let catalogs = [
        carveout_host::errors::CATALOGS,
        stage_cache::errors::CATALOGS,
        carveout_keys::errors::CATALOGS,
        carveout_product::errors::CATALOGS,
        carveout_vendor::errors::CATALOGS,
        carveout_rootfs::errors::CATALOGS,
        carveout_field::errors::CATALOGS,
        carveout_desk::errors::CATALOGS,
        carveout_report::errors::CATALOGS,
        carveout_build::errors::CATALOGS,
        carveout_yocto::errors::CATALOGS,
        carveout::errors::CATALOGS,
    ];
    catalogs.into_iter().flatten().copied().flatten().collect()
}

/// The same by their codes.
pub fn entries() -> BTreeMap<&'static str, &'static Entry> {
    all().into_iter().map(|entry| (entry.code, entry)).collect()
}

/// The pages that are not those which the code makes now: names and texts.
pub fn stale(root: &Path, command: &Command) -> Vec<(&'static str, String)> {
    let mut pages = vec![("errors.md", errors()), ("commands.md", commands(command))];
    pages.retain(|(name, text)| {
        !fs::read_to_string(root.join(FOLDER).join(name)).is_ok_and(|there| there == *text)
    });
    pages
}

/// Writes the pages, or tells which are stale.
pub fn run(check: bool, command: &Command, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    let root = dirs.root()?;
    let stale = stale(root, command);
    if !check && !stale.is_empty() {
        let folder = root.join(FOLDER);
        fs::create_dir_all(&folder).at(&folder)?;
        for (name, text) in &stale {
            files::write(&folder.join(name), text, files::OUTPUT)?;
        }
    }
    for (name, text) in stale.iter().filter(|_| check) {
        let old = fs::read_to_string(root.join(FOLDER).join(name)).unwrap_or_default();
        let difference = carveout_host::text::difference(&old, text);
        ui.note(&format!("{FOLDER}/{name} is stale; cargo xtask reference writes it:\n{difference}"));
    }
    let stale: Vec<&str> = stale.iter().map(|(name, _)| *name).collect();
    let line = if stale.is_empty() { "ok".to_owned() } else { format!("{FOLDER}: {}", stale.join(", ")) };
    Ok(Outcome {
        line: Some(line.into()),
        json: json!({ "stale": stale }),
        failed: check && !stale.is_empty(),
    })
}

/// A template as it is shown: with what is put in.
fn shown(template: &str) -> String {
    let text = template.split_whitespace().collect::<Vec<_>>().join(" ");
    text.replace("{{", "{").replace("}}", "}").replace('|', "\\|")
}

fn errors() -> String {
    let entries = entries();
    let mut text = format!(
        "# Errors\n\n<!-- Made by cargo xtask reference. -->\n\n\
         carveout has {} kinds of failure. Each has a code that never changes: scripts compare the code, never the words. With `--json` the\n\
         code is `errors[].code`, and the values that stand in braces below are in `errors[].facts`.\n\n\
         | exit code | `kind` | meaning |\n|---|---|---|\n",
        entries.len()
    );
    let meaning = [
        (Exit::Check, "a check failed"),
        (Exit::Usage, "wrong usage or config"),
        (Exit::Environment, "the environment lacks something"),
        (Exit::Interrupted, "interrupted by a signal; the same command continues"),
    ];
    for (exit, meaning) in meaning {
        let _ = writeln!(text, "| {} | `{}` | {meaning} |", exit as u8, exit.kind());
    }
    let mut group = "";
    for (code, entry) in entries {
        let of = code.rsplit_once("::").map_or(code, |(group, _)| group);
        if of != group {
            group = of;
            let _ = write!(
                text,
                "\n## {group}\n\n| code | exit | when | message, and what helps |\n|---|---|---|---|\n"
            );
        }
        let help = entry.help.map(|help| format!("<br>help: {}", shown(help))).unwrap_or_default();
        let name = code.rsplit("::").next().unwrap_or_default();
        let _ = writeln!(
            text,
            "| `{name}` | {} | {} | {}{help} |",
            entry.exit as u8,
            shown(entry.about),
            shown(entry.message)
        );
    }
    text
}

fn commands(command: &Command) -> String {
    let mut text = String::from(
        "# Commands\n\n<!-- Made by cargo xtask reference. -->\n\nIn a workspace a command is `cargo xtask COMMAND`; where carveout is installed, `carveout COMMAND`.\n",
    );
    let mut command = command.clone().term_width(WIDTH);
    command.build();
    describe(&command, 2, &mut text);
    text
}

fn describe(command: &Command, level: usize, text: &mut String) {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        let name = below
            .get_display_name()
            .unwrap_or(below.get_name())
            .replacen("cargo xtask-", "", 1)
            .replace('-', " ");
        let help = below.clone().term_width(WIDTH).render_long_help().to_string();
        let lines: Vec<String> = help
            .lines()
            .map(|line| if line.is_empty() { String::new() } else { format!("    {line}") })
            .collect();
        let _ = write!(text, "\n{} {name}\n\n{}\n", "#".repeat(level), lines.join("\n").trim_end());
        describe(below, level + 1, text);
    }
}
