//! `completions` and `manual`: what shells and `man` know of the command line, out of its one definition.

use crate::cli::ManualArgs;
use crate::errors::CommandError;
use crate::results::{Completions, Manual};
use carveout_host::dirs::Dirs;
use carveout_host::error::{At, Result};
use carveout_host::files::put_below;
use carveout_host::outcome::Outcome;
use carveout_host::packages;
use carveout_host::packages::Need;
use carveout_host::text::Text;
use carveout_host::tools::{run as run_tool, scratch, shell};
use carveout_host::ui::Ui;
use clap::Command;
use clap_complete::Shell;
use serde_json::json;
use stage_cache::EPOCH;
use std::fs;
use std::path::{Path, PathBuf};
use xshell::cmd;

/// The package's, the pages' and the completed command's name: cargo runs `cargo-xtask` for `cargo xtask`, and `man` likewise.
const NAME: &str = "cargo-xtask";
/// The command where carveout is installed: one word, which needs none of that.
const COMMAND: &str = "carveout";
const PACKAGE: &str = "carveout-manual";
const MAINTAINER: &str = "carveout developers <developers@carveout.example>";
const VERSION: &str = env!("CARGO_PKG_VERSION");
const NEEDS: [Need; 2] = [
    Need { program: "dpkg-deb", package: "dpkg", why: "packs the man pages" },
    Need { program: "gzip", package: "gzip", why: "packs the man pages" },
];
/// `cargo xtask` is two words, and bash completes by the first: it is passed on, and other words after `cargo` go where they went.
const BASH_CARGO: &str = r#"
_carveout_cargo_wrap() {
    local before
    before=$(complete -p cargo 2>/dev/null | sed -n 's/.* -F \([^ ]*\) .*/\1/p')
    [ "$before" = _carveout_cargo ] || _carveout_cargo_before=$before
    complete -F _carveout_cargo -o bashdefault -o default cargo
}
_carveout_cargo() {
    if [ "${COMP_WORDS[1]}" = xtask ] && [ "$COMP_CWORD" -gt 1 ]; then
        COMP_WORDS=("${COMP_WORDS[@]:1}")
        COMP_CWORD=$((COMP_CWORD - 1))
        _xtask xtask "$2" "$3"
        return
    fi
    if [ -z "$_carveout_cargo_before" ] && declare -F _completion_loader >/dev/null; then
        complete -r cargo
        _completion_loader cargo
        _carveout_cargo_wrap
    fi
    [ -z "$_carveout_cargo_before" ] || "$_carveout_cargo_before" "$@"
}
_carveout_cargo_wrap
"#;
/// fish, too, completes by the first word. zsh needs nothing: rustup's completions of cargo look for `_cargo-xtask`.
const FISH_CARGO: &str = r#"
complete -c cargo -n "__fish_seen_subcommand_from xtask" -f -a "(complete -C (commandline -cp | string replace -r '^\s*cargo\s+xtask' 'cargo-xtask'))"
"#;
const COPYRIGHT: &str = "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Files: *
Copyright: 2026 carveout developers
License: MIT or Apache-2.0
 At your choice. On Debian systems the Apache licence is in /usr/share/common-licenses/Apache-2.0.
";

fn script(shell: Shell, command: &Command) -> String {
    let mut script = Vec::new();
    if command.get_name() == COMMAND {
        clap_complete::generate(shell, &mut command.clone(), COMMAND, &mut script);
        return String::from_utf8_lossy(&script).into_owned();
    }
    // clap_complete's script for bash goes wrong with a name of two words or with a hyphen.
    let name = if shell == Shell::Bash { "xtask" } else { NAME };
    clap_complete::generate(shell, &mut command.clone().name(name).bin_name(name), name, &mut script);
    let script = String::from_utf8_lossy(&script).into_owned();
    match shell {
        Shell::Bash => script + BASH_CARGO,
        Shell::Fish => script + FISH_CARGO,
        _ => script,
    }
}

/// Writes what a package of the command `carveout` has beside it: its man pages below `man`, and its completions by shell. The command
/// line is that of carveout itself.
pub fn write_installed(command: &Command, folder: &Path) -> Result<()> {
    let man = folder.join("man");
    fs::create_dir_all(&man).at(&man)?;
    clap_mangen::generate_to(command.clone(), &man).at(&man)?;
    for page in fs::read_dir(&man).at(&man)? {
        let path = page.at(&man)?.path();
        // Texts of ours name the command as a clone has it.
        let text = fs::read_to_string(&path).at(&path)?.replace("cargo xtask", COMMAND);
        carveout_host::files::put(&path, text)?;
    }
    for (shell, name) in [(Shell::Bash, "bash"), (Shell::Zsh, "zsh"), (Shell::Fish, "fish")] {
        let text = script(shell, command).replace("cargo xtask", COMMAND);
        put_below(folder, format!("{COMMAND}.{name}"), text)?;
    }
    Ok(())
}

/// Prints a completion script.
pub fn completions(shell: Shell, command: &Command) -> Outcome {
    let script = script(shell, command);
    Outcome {
        json: json!(Completions { script: script.clone() }),
        line: Some(Text::ours(&script)),
        ..Outcome::default()
    }
}

/// Writes the man pages and the completions, and a Debian package of both.
pub fn run(args: &ManualArgs, command: &Command, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    dirs.root()?;
    let log = dirs.logs()?.join("manual.log");
    packages::ensure(&NEEDS, false, &log, ui)?;
    let out = args.output_dir.clone().unwrap_or_else(|| dirs.home().join("manual"));
    // Programs run in another folder.
    let out = std::path::absolute(&out).at(&out)?;
    fs::create_dir_all(&out).at(&out)?;
    let scratch = scratch("manual")?;
    // Not the scratch folder itself, which is nobody else's to read: its mode would be that of the package's root.
    let tree = scratch.path().join("package");
    let pages = write(&tree, command, &log)?;
    let deb = pack(&tree, &out, &log)?;
    let sh = shell(&tree)?;
    // What lies there under these names is replaced, never written through.
    run_tool("copying the man pages", cmd!(sh, "cp --recursive --remove-destination usr/share {out}"), &log)?;
    let first = out.join("share/man/man1/cargo-xtask.1.gz");
    ui.note(&format!("{pages} man pages; to read the first: man {}", first.display()));
    let path = deb.display().to_string();
    Ok(Outcome {
        json: json!(Manual { package: path.clone(), pages }),
        line: Some(path.into()),
        ..Outcome::default()
    })
}

/// All files of the package; the number of pages.
fn write(tree: &Path, command: &Command, log: &Path) -> Result<usize> {
    let man = tree.join("usr/share/man/man1");
    fs::create_dir_all(&man).at(&man)?;
    clap_mangen::generate_to(command.clone().name(NAME).bin_name("cargo xtask"), &man).at(&man)?;
    for (shell, path) in [
        (Shell::Bash, "usr/share/carveout/cargo-xtask.bash"),
        (Shell::Zsh, "usr/share/zsh/vendor-completions/_cargo-xtask"),
        (Shell::Fish, "usr/share/fish/vendor_conf.d/cargo-xtask.fish"),
    ] {
        put_below(tree, path, script(shell, command))?;
    }
    // bash-completion looks for completions by the name of the command, which is cargo's: this folder is read at the start.
    put_below(
        tree,
        "etc/bash_completion.d/cargo-xtask",
        "[ ! -r /usr/share/carveout/cargo-xtask.bash ] || . /usr/share/carveout/cargo-xtask.bash\n",
    )?;
    let doc = format!("usr/share/doc/{PACKAGE}");
    put_below(tree, format!("{doc}/copyright"), COPYRIGHT)?;
    put_below(tree, format!("{doc}/changelog"), changelog())?;
    let sh = shell(tree)?;
    let pages = sh.read_dir(&man).map_err(|e| CommandError::ManPagesUnreadable { source: e.into() })?;
    let count = pages.len();
    run_tool("packing the man pages", cmd!(sh, "gzip -9n {pages...} {doc}/changelog"), log)?;
    Ok(count)
}

fn changelog() -> String {
    format!(
        "{PACKAGE} ({VERSION}) unstable; urgency=medium\n\n  * See CHANGELOG.md of carveout.\n\n -- {MAINTAINER}  Wed, 01 Jan 2025 00:00:00 +0000\n"
    )
}

/// The same files give the same package.
fn pack(tree: &Path, out: &Path, log: &Path) -> Result<PathBuf> {
    let control = format!(
        "Package: {PACKAGE}\nVersion: {VERSION}\nArchitecture: all\nMaintainer: {MAINTAINER}\nSection: doc\nPriority: optional\n\
         Description: man pages and shell completions of carveout\n Those of `cargo xtask`, for bash, zsh and fish.\n"
    );
    put_below(tree, "DEBIAN/control", &control)?;
    put_below(tree, "DEBIAN/conffiles", "/etc/bash_completion.d/cargo-xtask\n")?;
    let deb = out.join(format!("{PACKAGE}_{VERSION}_all.deb"));
    let sh = shell(tree)?;
    let made = tree.with_extension("deb");
    let cmd = cmd!(sh, "dpkg-deb --root-owner-group -Zxz --build . {made}")
        .env("SOURCE_DATE_EPOCH", EPOCH.to_string());
    run_tool("packing the man pages", cmd, log)?;
    carveout_host::files::copy(&made, &deb, carveout_host::files::OUTPUT)?;
    Ok(deb)
}
