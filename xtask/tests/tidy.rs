//! House rules that a program can see.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// Lines of a source file, at most.
const MAX_LINES: usize = 400;

/// The crates that this is about begin so: what builds, explains and touches devices, not the formats below it, nor firmware.
const ROOMS: [&str; 3] = ["crates/carveout", "crates/stage-cache/", "xtask/src/"];

pub fn root() -> PathBuf {
    carveout_host::dirs::Dirs::find().root().unwrap().to_owned()
}

fn is_of_rooms(name: &str) -> bool {
    // What runs on a device has none of a host's folders and secrets.
    let of_device = name.starts_with("crates/carveout-update/");
    ROOMS.iter().any(|room| name.starts_with(room)) && name.contains("/src/") && !of_device
}

/// Text files that git tracks, or would.
pub fn files() -> Vec<(String, String)> {
    let root = root();
    let arguments = ["-c", "safe.directory=*", "ls-files", "-z", "-co", "--exclude-standard"];
    let listed = Command::new("git").args(arguments).current_dir(&root).output().unwrap();
    assert!(listed.status.success(), "this test needs git and a clone");
    let names = String::from_utf8(listed.stdout).unwrap();
    let names = names.split('\0').filter(|name| !name.is_empty()).map(str::to_owned);
    let read = |name: String| Some((name.clone(), fs::read_to_string(root.join(name)).ok()?));
    names.filter_map(read).collect()
}

pub fn lines_with<'a>(files: &'a [(String, String)], words: &'a [String]) -> Vec<String> {
    let mut found = Vec::new();
    for (name, text) in files {
        for (number, line) in text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word.as_str())) {
                found.push(format!("{name}:{}: {line}", number + 1));
            }
        }
    }
    found
}

/// Put together here, so that this file does not contain them.
pub fn words(pairs: &[[&str; 2]]) -> Vec<String> {
    pairs.iter().map(|pair| pair.concat()).collect()
}

#[test]
fn source_files_are_short() {
    let long = files().into_iter().filter(|(name, _)| name.ends_with(".rs") || name.ends_with(".sh"));
    let long = long.map(|(name, text)| (name, text.lines().count())).filter(|(_, lines)| *lines > MAX_LINES);
    assert_eq!(long.collect::<Vec<_>>(), []);
}

#[test]
fn nothing_is_left_to_do() {
    let words = words(&[
        ["TO", "DO"],
        ["FIX", "ME"],
        ["XX", "X"],
        ["todo", "!("],
        ["unimplemented", "!("],
        ["#[ign", "ore"],
    ]);
    let sources: Vec<_> = files()
        .into_iter()
        .filter(|(name, _)| !name.starts_with("LICENSE") && !name.starts_with("fuzz/corpus/"))
        .collect();
    assert_eq!(lines_with(&sources, &words), Vec::<String>::new());
}

/// Unit tests are behind the code, or in files of their own.
pub fn without_tests(files: Vec<(String, String)>) -> Vec<(String, String)> {
    let files =
        files.into_iter().filter(|(name, _)| !name.ends_with("tests.rs") && !name.contains("/tests/"));
    files.map(|(name, text)| (name, without_module_of_tests(&text))).collect()
}

/// A file that only names its tests' file goes on behind that.
fn without_module_of_tests(text: &str) -> String {
    let mut parts = text.split("#[cfg(test)]\nmod ");
    let mut code = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let Some((_, rest)) = part.split_once(";\n").filter(|(name, _)| !name.contains(char::is_whitespace))
        else {
            break;
        };
        code.push_str(rest);
    }
    code
}

#[test]
fn code_goes_on_behind_the_name_of_a_file_of_tests() {
    let text = "a\n#[cfg(test)]\nmod tests;\nb\n#[cfg(test)]\nmod tests {\n    c;\n}\n";
    assert_eq!(without_module_of_tests(text), "a\nb\n");
}

/// crates/carveout-host/src/process.rs strips our secrets from a program's environment, and ends the program with us. xshell's commands are how programs
/// are written; only their own ways to run go around it.
#[test]
fn one_place_starts_programs() {
    let around = [
        ["process::Com", "mand"],
        ["Command::", "new"],
        ["Command::", "from"],
        ["Command", "Ext"],
        ["MetadataCom", "mand"],
        [".quiet", "()"],
        [".ignore_st", "atus()"],
        [".ru", "n()"],
        [".rea", "d()"],
        [".read_std", "err()"],
        [".outp", "ut()"],
        [".spa", "wn()"],
    ];
    let mut sources = files();
    sources.retain(|(name, _)| {
        is_of_rooms(name)
            && name.ends_with(".rs")
            && name != "crates/carveout-host/src/process.rs"
            && !name.starts_with("crates/carveout-host/src/process/")
    });
    let mut sources = without_tests(sources);
    let found = lines_with(&sources, &words(&around));
    assert_eq!(found, Vec::<String>::new(), "start programs by carveout_host::process");
    // `use std::process::{self, Command}` and the like.
    sources.retain(|(_, text)| {
        text.split("use std::process::").skip(1).any(|rest| {
            rest.split(';').next().is_some_and(|names| names.contains("Command") || names.contains("Child"))
        })
    });
    let names: Vec<_> = sources.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, Vec::<String>::new(), "start programs by carveout_host::process");
}

#[test]
fn no_registry_and_no_machine_is_named() {
    let hosts = [
        ["deb.deb", "ian.org"],
        ["security.deb", "ian.org"],
        ["pypi", ".org"],
        ["registry.npm", "js.org"],
        ["index.crates", ".io"],
        ["static.crates", ".io"],
        ["files.python", "hosted.org"],
    ];
    let mut words = words(&hosts);
    words.extend([format!("/{}/.", "root"), format!("/{}/main", "work")]);
    let sources: Vec<_> = files().into_iter().filter(|(name, _)| name != "Cargo.lock").collect();
    assert_eq!(lines_with(&sources, &words), Vec::<String>::new());
}

/// What prints by other means than `carveout_host::ui` and the emulator's `say`, and why. Everything else goes through them.
const OWN_LINES: [(&str, &str); 15] = [
    ("crates/carveout-host/src/ui", "is it"),
    ("crates/carveout-host/src/process.rs", "gives a program our terminal if its caller says so"),
    ("crates/carveout-keys/src/token/helper.rs", "what its parent reads; a module's own lines go nowhere"),
    ("crates/carveout-desk/src/emulator.rs", "the emulator, which escapes itself"),
    (
        "crates/carveout-desk/src/emulate/client.rs",
        "a client app that its user names; that of a bundle is piped",
    ),
    ("crates/trusty-emulator/src/say.rs", "is it, of the emulator"),
    ("apps/echo-srv-app/src/", "a client app of the board: what others say is escaped by the crate tipc"),
    ("examples/vault-app/src/", "likewise; what it opens goes to whoever asked for it, as it is"),
    ("crates/carveout-stored/src/", "likewise: a program of the board"),
    ("crates/carveout-update/src/", "a program of the board, which escapes itself"),
    ("crates/trusty-ta/src/lib.rs", "one line of ours, of a trusted app that is built for the host"),
    ("crates/desk-guest/src/", "the console of the guest, and what a program there prints for a test"),
    ("crates/desk-firmware/src/bin/", "one line of ours, of firmware that is built for the host"),
    ("crates/stage-code/src/lib.rs", "what cargo reads of a build script"),
    ("crates/trusty-ta-build/src/lib.rs", "what cargo reads of a build script"),
];

/// Text that is printed by the way commands the terminal of whoever looks at another's bundle.
#[test]
fn lines_are_printed_in_one_place() {
    let ways = words(&[
        ["print", "!("],
        ["println", "!("],
        ["dbg", "!("],
        ["::std", "out"],
        ["::std", "err"],
        ["(std", "out()"],
        ["(std", "err()"],
        [" std", "out()"],
        [" std", "err()"],
        ["console::", "Term"],
        ["console::", "style"],
        ["indica", "tif::"],
        ["/dev/", "tty"],
        ["/dev/std", "err"],
        ["/dev/std", "out"],
        ["Stdio::in", "herit"],
    ]);
    let is_source = |name: &str| {
        let build_script = name.ends_with("/build.rs");
        name.ends_with(".rs") && name.contains("/src/") && !build_script && !name.starts_with("fuzz/")
    };
    let mut sources: Vec<(String, String)> =
        files().into_iter().filter(|(name, _)| is_source(name)).collect();
    assert!(sources.len() > 200);
    for (name, text) in &mut sources {
        // Tests say why they are skipped.
        let tests = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
        text.truncate(if name.ends_with("tests.rs") || name.contains("/tests/") { 0 } else { tests });
    }
    for (place, why) in OWN_LINES {
        assert!(!why.is_empty());
        let own = sources.iter().filter(|(name, _)| name.starts_with(place));
        let own: Vec<_> = own.map(|(name, text)| (name.clone(), text.clone())).collect();
        assert_ne!(lines_with(&own, &ways), Vec::<String>::new(), "{place} needs no exception");
        sources.retain(|(name, _)| !name.starts_with(place));
    }
    assert_eq!(lines_with(&sources, &ways), Vec::<String>::new(), "use carveout_host::ui");
}

/// Where files are written by other means than `carveout_host::files`, and why. Everything else goes through it.
const OWN_FOLDERS: [(&str, &str); 10] = [
    ("crates/carveout-host/src/files", "is it"),
    (
        "crates/carveout-build/src/stages/",
        "results: new folders of the cache that are locked and renamed when they are whole",
    ),
    (
        "crates/carveout-host/src/tools/",
        "what programs get: in a stage's work folder, a scratch folder or the tools' own cache",
    ),
    ("crates/carveout-rootfs/src/", "what the stage of the root filesystem fills"),
    ("crates/carveout-yocto/src/host_toolchain.rs", "BitBake's trees: in a new folder that is renamed"),
    ("crates/carveout-vendor/src/", "what stages fill, and copies that NVIDIA's tools work in"),
    ("crates/carveout-field/src/device/package.rs", "unpacks into a scratch folder"),
    (
        "crates/carveout-build/src/assemble/bundle.rs",
        "unpacks into a scratch folder, where nothing is replaced",
    ),
    ("crates/carveout-build/src/release.rs", "fills a new folder beside the releases, which is renamed"),
    ("crates/carveout-host/src/packages.rs", "files of the kernel, below /proc"),
];

/// A file that is made or emptied by its name follows a link, with the rights of whoever runs us.
#[test]
fn files_are_written_in_one_place() {
    let ways = words(&[
        ["File::cre", "ate"],
        ["fs::wri", "te("],
        ["fs::co", "py("],
        [".create", "(true)"],
        [".create_new", "(true)"],
        [".truncate", "(true)"],
        [".append", "(true)"],
    ]);
    let mut sources: Vec<(String, String)> =
        files().into_iter().filter(|(name, _)| is_of_rooms(name)).collect();
    for (place, why) in OWN_FOLDERS {
        assert!(!why.is_empty());
        let own = sources.iter().filter(|(name, _)| name.starts_with(place));
        let own: Vec<_> = own.map(|(name, text)| (name.clone(), text.clone())).collect();
        assert_ne!(lines_with(&own, &ways), Vec::<String>::new(), "{place} needs no exception");
        sources.retain(|(name, _)| !name.starts_with(place));
    }
    for (name, text) in &mut sources {
        // Tests write into folders of their own.
        let tests = text.find("#[cfg(test)]\nmod tests {").unwrap_or(text.len());
        text.truncate(if name.ends_with("tests.rs") { 0 } else { tests });
        *text = text.replace("NewFile::create", "");
    }
    assert_eq!(lines_with(&sources, &ways), Vec::<String>::new(), "use carveout_host::files");
}

/// Limits, time-outs and secrets of downloads are looked after in one place: tools/curl.rs.
#[test]
fn nothing_else_downloads() {
    let programs = words(&[
        ["\"cu", "rl"],
        ["\"wg", "et"],
        ["\"ari", "a2c"],
        ["url", "lib.request"],
        ["http", ".client"],
    ]);
    let own = |name: &str| name.starts_with("xtask/src/") || name.starts_with("crates/");
    let sources: Vec<_> = files()
        .into_iter()
        .filter(|(name, _)| own(name) && !name.starts_with("crates/carveout-host/src/tools/curl"))
        // Codes of failures are words, too.
        .filter(|(name, _)| name != "crates/carveout-host/src/errors/download.rs")
        // What BitBake needs, which fetches for itself.
        .map(|(name, text)| {
            let (needed, none) = (["need(\"wg", "et\", \"wg", "et\", "].concat(), String::new());
            if name == "crates/carveout-yocto/src/bitbake.rs" {
                (name, text.replace(&needed, &none))
            } else {
                (name, text)
            }
        })
        .collect();
    assert!(sources.len() > 100);
    assert_eq!(lines_with(&sources, &programs), Vec::<String>::new());
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap();
    for client in ["attohttpc", "curl", "hyper", "isahc", "minreq", "reqwest", "ureq"] {
        assert!(!lock.contains(&format!("name = \"{client}\"\n")), "{client}");
    }
}

/// cargo-bitbake reads no later version.
#[test]
fn the_lock_file_stays_at_version_3() {
    let files = files();
    let (_, lock) = files.iter().find(|(name, _)| name == "Cargo.lock").unwrap();
    assert!(lock.contains("\nversion = 3\n"), "write `version = 3` back into Cargo.lock");
}

fn is_package(name: &str) -> bool {
    name.ends_with("/Cargo.toml") && !name.starts_with("fuzz/") && !name.contains("/templates/")
}

#[test]
fn packages_say_what_they_are() {
    // fuzz/ is a workspace of its own, and templates become packages of others.
    let manifests = files().into_iter().filter(|(name, _)| is_package(name));
    for (name, text) in manifests {
        for line in [
            "description = \"",
            // The emulator's engine is GPL-2.0, and so is the emulator.
            if name.contains("trusty-emulator") {
                "license = \"GPL-2.0-only\""
            } else {
                "license.workspace = true"
            },
            "publish.workspace = true",
            "[lints]\nworkspace = true",
        ] {
            assert!(text.contains(line), "{name}: {line}");
        }
    }
}

/// A guide to errors that nobody sees would be worse than none.
#[test]
fn the_errors_that_a_guide_explains_are_ours() {
    let files = files();
    let guide = &files.iter().find(|(name, _)| name == "docs/when-a-flash-fails.md").unwrap().1;
    let sources: String = files
        .iter()
        .filter(|(name, _)| name.starts_with("xtask/src/") || name.starts_with("crates/"))
        .map(|(_, text)| text.replace("\\\n", " "))
        .collect();
    let sources = sources.split_whitespace().collect::<Vec<_>>().join(" ");
    let cells =
        guide.lines().filter(|line| line.starts_with("| `")).filter_map(|line| line.split('|').nth(1));
    let quoted: Vec<&str> = cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(quoted.len() > 20, "{quoted:?}");
    for text in quoted {
        // What is put in is left out here.
        for part in text.trim_end_matches(" N").split('…').map(str::trim).filter(|part| !part.is_empty()) {
            assert!(sources.contains(part), "`{part}` of `{text}` is in no error of ours");
        }
    }
}

/// Whoever follows a guide and then releases has a clean work tree.
#[test]
fn what_the_guides_make_is_no_change_of_the_work_tree() {
    let guides =
        files().into_iter().filter(|(name, _)| name.starts_with("docs/") || name.ends_with("README.md"));
    let mut made = vec!["desk-0.1.0-virt-tzdram32M.report.html".to_owned()];
    for (_, text) in guides {
        for line in text.lines().filter(|line| line.contains("cargo xtask ")) {
            let words: Vec<&str> = line.split([' ', '`']).collect();
            made.extend(words.iter().filter_map(|word| word.strip_prefix("virt:")).map(str::to_owned));
            for three in words.windows(3) {
                match *three {
                    [_, "-o" | "--output", name] => made.push(name.into()),
                    ["key", "new", name] => made.extend([name.into(), format!("{name}.pub")]),
                    _ => {}
                }
            }
        }
    }
    // Capitals stand for names of the reader's own.
    made.retain(|name| {
        name.contains('.') && !name.contains('/') && !name.contains(char::is_uppercase)
            || name.contains(".report.")
    });
    for name in ["device.img", "one.img", "app.img", "release.key"] {
        assert!(made.iter().any(|made| made == name), "{name} in {made:?}");
    }
    let check = |name: &String| {
        let arguments = ["-c", "safe.directory=*", "check-ignore", "--quiet", "--no-index", name];
        Command::new("git").args(arguments).current_dir(root()).status().unwrap().success()
    };
    made.retain(|name| !check(name));
    assert_eq!(made, Vec::<String>::new(), "add them to .gitignore");
}
