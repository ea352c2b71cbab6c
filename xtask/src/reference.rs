//! `reference`: the pages of docs/reference, made of the code itself.

mod result;
pub mod schemas;
mod tables;

use carveout_host::dirs::Dirs;
use carveout_host::error::{At, Entry, Exit, Result};
use carveout_host::files;
use carveout_host::outcome::Outcome;
use carveout_host::ui::Ui;
use clap::Command;
use result::Pages;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use tables::{Kind, Tables};

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
    let json = schemas::documents();
    let product = schemas::read::<carveout_product::ProductFile>();
    let mut pages = vec![
        ("errors.md", errors()),
        ("commands.md", commands(command)),
        ("json.md", documents(&json, command)),
        ("json.schema.json", text_of(&json)),
        ("config.md", config(&product)),
        ("config.schema.json", text_of(&product)),
        ("manifest.md", manifest()),
    ];
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
        failed: check && !stale.is_empty(),
        json: json!(Pages { stale }),
        ..Outcome::default()
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

fn text_of(schema: &Value) -> String {
    format!("{schema:#}\n")
}

fn documents(schema: &Value, command: &Command) -> String {
    let tables = Tables::new(schema, Kind::Printed);
    let mut text = String::from(
        "# What `--json` prints\n\n<!-- Made by cargo xtask reference. -->\n\n\
         With `--json` a command prints one document on stdout, of success and of failure. [json.schema.json](json.schema.json) is its JSON\n\
         Schema (draft 2020-12): the whole schema takes the document of every command, and `#/$defs/VERB` the `result` of one. A field may\n\
         be added at any time; `schema` rises when one goes or gets another meaning.\n\n## The document\n\n",
    );
    let of = |name: &str| Tables::new(&schema["$defs"][name], Kind::Printed).root();
    let document = of("Document");
    let document = document.lines().map(|line| match line.starts_with("| `result` |") {
        true => "| `result` | below | What the command has to say; null if it could not do it. |",
        false => line,
    });
    for line in document {
        let _ = writeln!(text, "{line}");
    }
    text.push_str("\n## Results\n\n| command | result |\n|---|---|\n");
    for verb in schemas::verbs() {
        let name = verb_name(command, verb);
        let _ = writeln!(text, "| `{name}` | {} |", tables.type_of(&schema["$defs"][verb]));
    }
    text.push_str("\n## Types\n\nSizes are bytes, and digests are SHA-256 in hexadecimal digits, where nothing else is said.\n");
    let is_type = |name: &str| name != "Document" && schemas::verbs().all(|verb| verb != name);
    text + &tables.types(3, is_type)
}

/// How a verb is typed: of two words if it has verbs below.
fn verb_name(command: &Command, verb: &str) -> String {
    match verb.split_once('-') {
        Some((first, second)) if command.find_subcommand(verb).is_none() => format!("{first} {second}"),
        _ => verb.to_owned(),
    }
}

fn config(product: &Value) -> String {
    let section = |heading: &str, schema: &Value| {
        let tables = Tables::new(schema, Kind::Written);
        format!("\n## {heading}\n\n{}{}", tables.root(), tables.types(3, |_| true))
    };
    let board = schemas::read::<carveout_product::BoardFile>();
    let declaration = schemas::read::<trusty_ta_build::Declaration>();
    String::from(
        "# Configs\n\n<!-- Made by cargo xtask reference. -->\n\n\
         Every key of the files that people write. [product.md](../product.md) shows them in use. A key that is not here is refused.\n\
         [config.schema.json](config.schema.json) is the JSON Schema of a product config: editors check and complete with it.\n",
    ) + &section("A product config", product)
        + &section("A board", &board)
        + &section("What a trusted app declares", &declaration)
}

fn manifest() -> String {
    let schema = schemas::written::<bundle::Manifest>();
    let tables = Tables::new(&schema, Kind::Printed);
    format!(
        "# The manifest of a bundle\n\n<!-- Made by cargo xtask reference. -->\n\n\
         Every field of `manifest.json`. Sizes are bytes, and digests are SHA-256 in hexadecimal digits, where nothing else is said.\n\n{}{}",
        tables.root(),
        tables.types(2, |_| true)
    )
}
