//! Man pages and completions, and the package of both.

use crate::builds::util::{Ran, run, xtask};
use std::fs;
use std::process::Command;

/// Completes a command line in bash, as its completion does: behind the words, with what is typed of the last.
const COMPLETE: &str = r#"
_cargo() { COMPREPLY=(cargo-has-been-asked); }
complete -F _cargo cargo
source "$1"; source "$1"
COMP_WORDS=("${@:2}"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
function=$(complete -p cargo | sed -n 's/.* -F \([^ ]*\) .*/\1/p')
"$function" cargo "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
echo "${COMPREPLY[@]}"
"#;

#[test]
fn pages_and_completions_are_packed_and_work() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_str().unwrap();
    let deb = xtask(["manual", "-o", folder]).ok();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let again = Ran::new(command.args(["manual", "-o", "again"]).current_dir(dir.path())).ok();
    assert_eq!(fs::read(&deb).unwrap(), fs::read(again).unwrap(), "the same package each time");
    let lintian = run("lintian", ["--allow-root", "--fail-on", "error", &deb]).ok();
    assert!(!lintian.lines().any(|line| line.starts_with("E: ")), "{lintian}");

    // Each verb that --help names has its page, which tells its options.
    let help = xtask(["--help"]).ok();
    let verbs =
        help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let verbs: Vec<&str> = verbs
        .filter(|line| !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    assert!(verbs.len() > 20, "{verbs:?}");
    for verb in verbs {
        let page = format!("{folder}/share/man/man1/cargo-xtask-{verb}.1.gz");
        let text = run("zcat", [&page]).ok();
        let name = format!("cargo\\-xtask\\-{}", verb.replace('-', "\\-"));
        assert!(text.contains(&name), "{name} in {text}");
    }
    let flash = run("zcat", [&format!("{folder}/share/man/man1/cargo-xtask-flash.1.gz")]).ok();
    assert!(flash.contains("allow\\-downgrade"), "{flash}");

    run("dpkg-deb", ["-x", &deb, &format!("{folder}/unpacked")]).ok();
    let script = format!("{folder}/unpacked/usr/share/carveout/cargo-xtask.bash");
    for (words, expected) in [
        (&["cargo", "xtask", "fla"][..], "flash"),
        (&["cargo", "xtask", "flash", "--sc"], "--scope"),
        (&["cargo", "xtask", "flash", "--scope", "s"], "secure-os"),
        (&["cargo", "xtask", "trusted-apps", "--tz"], "--tzdram"),
        (&["cargo", "bu"], "cargo-has-been-asked"),
    ] {
        let arguments = [&["-c", COMPLETE, "bash", &script], words].concat();
        assert_eq!(run("bash", arguments).ok(), expected, "{words:?}");
    }
}
