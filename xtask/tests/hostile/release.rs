//! `release` is killed, signalled and starved at each of its steps, aimed at by what it does to the folder of releases.

mod bench;

use bench::{Aim, Bench, NEW, OLD, name, spread, text, tree, within};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

const KILL: Aim = Aim::Signal(9);
const NO_SPACE: i32 = 28;

/// What holds after each attack: the release is whole or absent, and the channel has the old one or the new one.
fn sound(bench: &Bench, out: &Path) -> Result<&'static str, String> {
    let there = bench.released(out, NEW)?;
    match (there, bench.client(out)?.as_str()) {
        (false, OLD) => Ok("no release yet, the channel as before"),
        (true, OLD) => Ok("release whole, the channel as before"),
        (true, NEW) => Ok("release whole, the channel has it"),
        other => Err(format!("{other:?}")),
    }
}

/// Kills a run at the calls of these numbers, and the next one at its call `again`. Each time the folder is sound, and the next run ends with the very same files.
fn kills(what: &str, more: &[&str], again: Option<usize>, choose: impl Fn(&[String]) -> Vec<usize>) -> usize {
    let bench = Bench::new();
    let calls = bench.calls(&bench.out("calls"), NEW, more);
    let expected = tree(&bench.path("calls"));
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    let mut failures = Vec::new();
    let numbers = choose(&calls);
    for at in &numbers {
        let out = bench.out("out");
        let killed = bench.aimed(&out, NEW, more, *at, KILL);
        assert_eq!(killed.status.code(), None, "{at}: {}", text(&killed));
        let mut outcome = sound(&bench, &out);
        if let Some(again) = again {
            // Killed, or it had less to do than that.
            bench.aimed(&out, NEW, more, again, KILL);
            outcome = outcome.and_then(|_| sound(&bench, &out));
        }
        let again = bench.command(&out, NEW, more).output().unwrap();
        let same = again.status.success() && tree(&out) == expected;
        match outcome {
            Ok(outcome) if same => *outcomes.entry(outcome).or_default() += 1,
            outcome => failures.push(format!(
                "{at}, {}: {outcome:?}, run again: {same} {}",
                calls[*at - 1],
                text(&again)
            )),
        }
        fs::remove_dir_all(&out).unwrap();
    }
    println!(
        "{what}: {} kills at {} calls: {outcomes:?}, not recovered {}",
        numbers.len(),
        calls.len(),
        failures.len()
    );
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), numbers.len(), failures.join("\n"));
    numbers.len()
}

/// The number of the call that gives the release its name.
fn named(calls: &[String]) -> usize {
    1 + calls.iter().position(|call| call.starts_with("rename ") && call.ends_with(&name(NEW))).unwrap()
}

#[test]
fn every_kill_of_a_release_is_recovered() {
    let releases = kills("release", &[], None, |calls| (1..=calls.len()).collect());
    // From shortly before the release has its name to the end, with an older one that goes.
    let with_keep = ["--keep", "1"];
    let ends = |calls: &[String]| (named(calls) - 8..=calls.len()).collect();
    let channels = kills("a channel's publishing", &with_keep, None, ends);
    assert!(releases + channels >= 60, "{releases} and {channels}");
}

#[test]
fn the_run_that_recovers_may_be_killed_too() {
    for again in [2, 5, 9] {
        let chosen = |calls: &[String]| (named(calls)..=calls.len()).step_by(3).collect();
        kills(&format!("twice, then at {again}"), &["--keep", "1"], Some(again), chosen);
    }
}

/// What the disk has when the power goes: all that a rename promises was synced before it, and each rename before the next.
#[test]
fn all_is_synced_before_it_gets_its_name() {
    let bench = Bench::new();
    let out = bench.out("calls");
    let calls = bench.calls(&out, NEW, &["--keep", "1"]);
    let end = named(&calls);
    let before = |end: usize, call: &str, path: &str| {
        calls[..end].iter().rposition(|said| said.starts_with(call) && said.ends_with(path))
    };
    let files = fs::read_dir(out.join(name(NEW))).unwrap().map(|entry| entry.unwrap().file_name());
    let mut count = 0;
    for file in files {
        let path = format!("/{}/{}", name(NEW), file.to_str().unwrap());
        let synced = before(end, "sync ", &path).unwrap_or_else(|| panic!("{path} is not synced"));
        assert!(before(end, "write ", &path).is_none_or(|written| written < synced), "{path}");
        count += 1;
    }
    assert!(count >= 5, "{count} files");
    for file in ["index.json.minisig", "index.json", ".carveout-gone"] {
        assert!(before(end, "sync ", &format!("/{file}")).is_some(), "{file}");
    }
    let folder = format!("sync {}", out.display());
    let renames: Vec<usize> = (end - 1..calls.len()).filter(|at| calls[*at].starts_with("rename ")).collect();
    assert_eq!(renames.len(), 5, "{renames:?} of {calls:?}");
    for at in renames.iter().take(4) {
        assert_eq!(calls[at + 1], folder, "behind {}", calls[*at]);
    }
}

#[test]
fn signals_leave_nothing_half() {
    let bench = Bench::new();
    let most = bench.calls(&bench.out("calls"), NEW, &[]).len();
    let expected = tree(&bench.path("calls"));
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    for (n, at) in spread(16, most).into_iter().enumerate() {
        let out = bench.out("out");
        let ended = bench.aimed(&out, NEW, &[], at, Aim::Signal(if n % 2 == 0 { 15 } else { 2 }));
        let code = ended.status.code().unwrap();
        let outcome = sound(&bench, &out).unwrap();
        // Who is told that it is done finds it done.
        assert!(
            code == 130 || code == 0 && outcome.ends_with("the channel has it"),
            "{at}: {}",
            text(&ended)
        );
        assert!(!text(&ended).contains("panicked"), "{}", text(&ended));
        bench.must(&out, NEW, &[]);
        assert_eq!(tree(&out), expected, "{at}");
        *outcomes.entry(format!("exit {code}, {outcome}")).or_default() += 1;
        fs::remove_dir_all(&out).unwrap();
    }
    println!("signals: {outcomes:?}");
}

/// A disk that is full from the nth change on, and the same of a filesystem that becomes read-only, and of one that is another's.
#[test]
fn full_and_read_only_disks_are_said_and_leave_the_channel_whole() {
    let bench = Bench::new();
    let calls = bench.calls(&bench.out("calls"), NEW, &[]);
    let expected = tree(&bench.path("calls"));
    let errors = [
        (NO_SPACE, "No space left", "free some space"),
        (30, "Read-only file system", "mount"),
        (13, "ermission denied", "run the command as the user"),
    ];
    let mut tries = 0;
    for (error, why, remedy) in errors {
        for at in spread(if error == NO_SPACE { 12 } else { 4 }, calls.len() - 8) {
            let out = bench.out("out");
            let failed = bench.aimed(&out, NEW, &[], at, Aim::Error(error));
            let said = text(&failed);
            assert_eq!(failed.status.code(), Some(3), "{error} at {at}, {}: {said}", calls[at - 1]);
            assert!(said.contains(why) && said.contains(remedy), "{said}");
            // The first is of the folder itself.
            assert!(at == 1 || said.contains("nothing was published: the channels of"), "{at}: {said}");
            sound(&bench, &out).unwrap();
            bench.must(&out, NEW, &[]);
            assert_eq!(tree(&out), expected);
            fs::remove_dir_all(&out).unwrap();
            tries += 1;
        }
    }
    println!("disks: {tries} tries, all said and recovered");
}

#[test]
fn a_release_again_is_the_same_or_refused() {
    let bench = Bench::new();
    let out = bench.out("out");
    bench.must(&out, NEW, &[]);
    let there = tree(&out);
    assert!(bench.must(&out, NEW, &[]).contains("is released already, the same: nothing was changed"));
    assert_eq!(tree(&out), there);
    let refused = |bundle: &Path, why: &str| {
        let output = bench.of(bundle, &out, &[]).output().unwrap();
        let said = text(&output);
        assert!(matches!(output.status.code(), Some(1 | 2)) && said.contains(why), "{said}");
    };
    bench.bundle("others", NEW, |manifest| manifest.security_version = 1);
    let other = bench.path("others").join(format!("{}.tar.zst", name(NEW)));
    refused(&other, "is released already, and a release never changes: that bundle has other contents");
    assert_eq!(tree(&out), there);
    // Its folder is gone, and the channel has it still.
    let folder = out.join(name(NEW));
    fs::rename(&folder, bench.path("aside")).unwrap();
    refused(&other, "a channel names another archive of this name");
    fs::create_dir(&folder).unwrap();
    let own = bench.path("bundles").join(format!("{}.tar.zst", name(NEW)));
    refused(&own, "is no whole release by key");
    fs::remove_dir(&folder).unwrap();
    // The same is made again, byte by byte; and goes into another channel.
    bench.must(&out, NEW, &[]);
    assert!(bench.released(&out, NEW).unwrap());
    assert!(bench.must(&out, OLD, &["--channel", "beta"]).contains("beta has it now"));
    assert_eq!(bench.client(&out).unwrap(), NEW);
}

/// A pair of files, as channels were written before, is read; the next release writes both anew, also a pair that does not fit.
#[test]
fn channels_of_before_are_read_and_mended() {
    let bench = Bench::new();
    let out = bench.out("out");
    let (index, signature) = (out.join("index.json"), out.join("index.json.minisig"));
    let signed = fs::read_to_string(&signature).unwrap();
    let bare: String = signed.lines().take(4).map(|line| format!("{line}\n")).collect();
    assert_eq!(signed, bare.clone() + &fs::read_to_string(&index).unwrap());
    fs::write(&signature, &bare).unwrap();
    assert_eq!(bench.client(&out).unwrap(), OLD);
    // A kill of before: the signature is of an index that is not there.
    let changed = fs::read_to_string(&index).unwrap().replace("\"size\"", " \"size\"");
    fs::write(&index, changed).unwrap();
    assert!(bench.client(&out).unwrap_err().contains("does not fit"));
    bench.must(&out, OLD, &[]);
    assert_eq!(bench.client(&out).unwrap(), OLD);
    assert_eq!(fs::read_to_string(&signature).unwrap(), signed);
    // A copy on a server may have the one file before the other.
    fs::write(&index, "{").unwrap();
    assert_eq!(bench.client(&out).unwrap(), OLD);
}

/// Who can write into the folder, and has no key, gets nothing signed.
#[test]
fn an_index_that_was_changed_is_not_signed_anew() {
    let bench = Bench::new();
    let out = bench.out("out");
    let signature = out.join("index.json.minisig");
    let signed = fs::read_to_string(&signature).unwrap();
    let changed = signed.replace("\"security_version\": 0", "\"security_version\": 9");
    assert_ne!(changed, signed);
    // In the form of before, the index is beside its signature.
    let bare: String = signed.lines().take(4).map(|line| format!("{line}\n")).collect();
    let index = &changed[bare.len()..];
    for (file, beside) in [(changed.as_str(), index), (bare.as_str(), index), ("no signature\n", index)] {
        fs::write(&signature, file).unwrap();
        fs::write(out.join("index.json"), beside).unwrap();
        for version in [OLD, NEW] {
            let ran = bench.command(&out, version, &[]).output().unwrap();
            let said = String::from_utf8_lossy(&ran.stderr).into_owned();
            assert_eq!(ran.status.code(), Some(1), "{said}");
            assert!(said.contains("if it was changed, bring it back from the server"), "{said}");
            assert_eq!(fs::read_to_string(&signature).unwrap(), file);
        }
    }
    fs::write(&signature, &signed).unwrap();
    bench.must(&out, NEW, &[]);
    assert_eq!(bench.client(&out).unwrap(), NEW);
}

#[test]
fn releases_at_once_lose_none() {
    let bench = Bench::new();
    for round in 0..4 {
        let out = bench.out(&format!("out{round}"));
        let versions = [NEW, "3.0.0", NEW];
        let start = |version| {
            let mut command = bench.command(&out, version, &[]);
            command.stderr(std::process::Stdio::null()).stdout(std::process::Stdio::null()).spawn().unwrap()
        };
        let running = versions.map(start);
        assert_eq!(running.map(|child| within(child, Duration::from_secs(120))), [Some(0); 3]);
        let index = fs::read_to_string(out.join("index.json")).unwrap();
        for version in [OLD, NEW, "3.0.0"] {
            assert!(bench.released(&out, version).unwrap());
            assert_eq!(index.matches(&format!("\"version\": \"{version}\"")).count(), 1, "{index}");
        }
        bench.client(&out).unwrap();
    }
}
