//! The BitBake layer under what PyPI has for it: Yocto's linter, and BitBake's own parser. No OE-Core is needed.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::builds::team::{here, workspace};
use crate::builds::util::is_full;
use carveout_host::dirs::Dirs;
use carveout_host::tools::shell;
use carveout_yocto::pip;
use carveout_yocto::pip::Package;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    carveout_host::dirs::Dirs::find().root().unwrap().to_owned()
}

const OELINT: Package = Package {
    name: "oelint-adv",
    version: "9.11.2",
    others: &[
        "anytree==2.13.0",
        "argcomplete==3.7.2",
        "colorama==0.4.6",
        "deprecated==1.3.1",
        "oelint-data==1.5.26",
        "oelint-parser==8.13.2",
        "regex==2026.9.29",
        "urllib3==2.8.0",
        "wrapt==2.5.2",
    ],
};
/// Has BitBake's library.
const BITBAKE: Package = Package { name: "bitbake-setup", version: "2.19.0", others: &[] };

/// Runs Python in a folder with a package of PyPI. Returns whether it succeeded, and what it said.
fn run(package: &Package, dir: &Path, arguments: &[&str]) -> (bool, String) {
    let root = root();
    let log = Dirs::of(&root).logs().unwrap().join(format!("{}.log", package.name));
    let folder =
        pip::helper(&Dirs::of(&root).home().join("tools"), package, &log).unwrap_or_else(|e| panic!("{e}"));
    let sh = shell(dir).unwrap();
    let mut command = Command::from(pip::python(&sh, &folder).args(arguments));
    // Where there is one, the folder's settings are taken, not the user's.
    let output = command.env("OELINT_CONFIG", dir.join(".oelint.cfg")).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

fn lint(dir: &Path, files: &[PathBuf]) -> (bool, String) {
    let files = files.iter().map(|file| file.to_str().unwrap());
    run(&OELINT, dir, &["-m", "oelint_adv"].into_iter().chain(files).collect::<Vec<_>>())
}

fn layer() -> PathBuf {
    root().join("layers/meta-carveout")
}

/// The files of the layer that BitBake reads, and the generated recipes.
fn files() -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![layer(), root().join("recipes")], Vec::new());
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let extension = path.extension().and_then(|e| e.to_str());
            if path.is_dir() {
                folders.push(path);
            } else if matches!(extension, Some("bb" | "bbappend" | "bbclass" | "conf" | "inc")) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

#[test]
fn the_linter_finds_nothing() {
    assert!(files().len() >= 13);
    assert_eq!(lint(&layer(), &files()), (true, String::new()));
}

/// With the layer's own settings.
#[test]
fn the_linter_finds_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    for name in [".oelint.cfg", "oelint.json"] {
        fs::copy(layer().join(name), dir.path().join(name)).unwrap();
    }
    let recipe = dir.path().join("bad_1.0.bb");
    fs::write(&recipe, "LICENSE = \"MIT\"\nCARVEOUT_TZDRAM_SIZES = \"1\"\ndo_install() {\n\ttrue\n}\n")
        .unwrap();
    let (good, said) = lint(dir.path(), &[recipe]);
    assert!(!good);
    for expected in [
        "bad_1.0.bb:1:error:oelint.var.mandatoryvar.SUMMARY:",
        "bad_1.0.bb:2:warning:oelint.vars.mispell:'CARVEOUT_TZDRAM_SIZES' is unknown, maybe you meant 'CARVEOUT_TZDRAM_SIZE'",
        "bad_1.0.bb:3:warning:oelint.tabs.notabs:",
    ] {
        assert!(said.contains(expected), "{expected} in {said}");
    }
}

/// A rule that would find nothing need not be off.
#[test]
fn the_rules_that_are_off_would_find_something() {
    let dir = tempfile::tempdir().unwrap();
    fs::copy(layer().join("oelint.json"), dir.path().join("oelint.json")).unwrap();
    let settings = fs::read_to_string(layer().join(".oelint.cfg")).unwrap();
    let (settings, off) = settings.split_once("suppress =\n").unwrap();
    let off: Vec<&str> = off.lines().map(str::trim).filter(|line| line.starts_with("oelint.")).collect();
    // What this one would find is not ours to say.
    let (network, off): (Vec<&str>, Vec<&str>) =
        off.into_iter().partition(|rule| rule.ends_with("homepageping"));
    let settings = format!("{settings}suppress = {}\n", network.concat());
    fs::write(dir.path().join(".oelint.cfg"), settings).unwrap();
    let (good, said) = lint(dir.path(), &files());
    assert!(!good && off.len() > 2, "{said}");
    for rule in off {
        assert!(said.contains(&format!(":{rule}:")), "{rule} in {said}");
    }
}

/// A team's own workspace, outside of this one: its recipes, by BitBake's parser.
#[test]
fn bitbake_parses_a_teams_workspace() {
    if !is_full() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let team = workspace(dir.path(), "door-lock");
    here(&team, &["recipes"]).ok();
    assert_eq!(here(&team, &["recipes", "--check"]).ok(), "ok");
    let mut found: Vec<_> =
        fs::read_dir(team.join("recipes")).unwrap().map(|e| e.unwrap().file_name()).collect();
    found.sort();
    assert_eq!(found, ["door-lock-app_0.1.0.bb", "door-lock-srv_0.1.0.bb"]);
    let script = root().join("xtask/tests/parse_team.py");
    let places = [&script, &root(), &team].map(|path| path.to_str().unwrap().to_owned());
    let (good, said) = run(&BITBAKE, &root(), &places.each_ref().map(String::as_str));
    assert!(good, "{said}");
    assert!(said.contains("Ran 5 tests"), "{said}");
}

#[test]
fn bitbake_parses_it() {
    let script = root().join("xtask/tests/parse_layer.py");
    let (good, said) = run(&BITBAKE, &root(), &[script.to_str().unwrap(), root().to_str().unwrap()]);
    assert!(good, "{said}");
    assert!(said.contains("Ran 34 tests"), "{said}");
}
