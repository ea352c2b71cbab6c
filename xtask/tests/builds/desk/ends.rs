//! How trusted apps end, and what is said of it: the same on both backends.

use super::{Emulate, receive};
use crate::builds::util::root;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};
use tipc::{Channel, Error, Transport};

/// Where examples/unchecked-srv is asked to end.
pub const PORT: &str = "com.carveout.srv.unchecked-srv.end";
/// Its source.
const SOURCE: &str = "examples/unchecked-srv/src/ends.rs";

/// `FILE:LINE` of the only line of the source that has a text.
pub fn place(text: &str) -> String {
    let source = fs::read_to_string(root().join(SOURCE)).unwrap();
    let lines: Vec<usize> =
        (1..).zip(source.lines()).filter(|(_, l)| l.contains(text)).map(|(n, _)| n).collect();
    let [line] = lines[..] else { panic!("{text}: {lines:?}") };
    format!("{SOURCE}:{line}")
}

/// What is asked for, how the report begins, where in the source it happens, and what else is told.
fn ends() -> [(&'static str, &'static str, String, &'static [&'static str]); 4] {
    [
        (
            "vec 50000",
            "out of memory: 50000 bytes asked; the largest free block of its heap of 16 KiB has ",
            place("Vec::with_capacity(bytes)"),
            &["heap  16 KiB by manifest (min_heap), ", "min_heap = ", "min_heap: "],
        ),
        (
            "clone",
            "out of memory: 10000 bytes asked; the largest free block of its heap of 16 KiB has ",
            place("bytes: Vec<u8>,"),
            &[
                "in unchecked_srv::ends::clone",
                "10000 bytes in use, ",
                "needs a heap of at least 20 KiB",
                "min_heap = 20480",
            ],
        ),
        (
            "panic",
            "panicked at examples/unchecked-srv/src/ends.rs:",
            place("assert!(length == 0"),
            &["a message of 5 bytes was not expected", "examples/unchecked-srv/src/main.rs:"],
        ),
        (
            "handled",
            "panicked at examples/unchecked-srv/src/ends.rs:",
            place("assert!(length == 0"),
            &["a message of 1 bytes was not expected"],
        ),
    ]
}

/// A bundle with unchecked-srv under its own heap of 16 KiB.
pub fn check(bundle: &Path, backend: &str) {
    for (what, reason, place, more) in ends() {
        let (run, mut client) = ask(bundle, backend, what);
        assert!(matches!(receive(&mut client), Err(Error::Closed)), "{what}");
        let sentence = format!("trusted app unchecked-srv has ended: {reason}");
        let late = refused(&run);
        assert!(late.contains(&sentence), "{what}: {late}");
        run.signal("-INT");
        let ended = run.wait();
        assert_eq!(ended.code, Some(0), "{what}: {}", ended.stderr);
        let told = ended.json["result"]["stats"]["trusted_apps"][0]["ended"].as_str().unwrap();
        assert!(told.starts_with(&sentence), "{what}: {told}");
        for expected in
            [&sentence, &format!("  place {place}"), "  from  0x"].into_iter().chain(more.iter().copied())
        {
            assert!(ended.stderr.contains(expected), "{what}: {expected} in {}", ended.stderr);
        }
        let blamed = ended.stderr.contains("out of memory");
        assert_eq!(blamed, reason.starts_with("out of memory"), "{what}: {}", ended.stderr);
        chain_is_code(&ended.stderr);
    }
    null_write(bundle, backend);
}

/// A null write is told with the place in the source, too, and with who called.
fn null_write(bundle: &Path, backend: &str) {
    let (run, mut client) = ask(bundle, backend, "null");
    assert!(matches!(receive(&mut client), Err(Error::Stopped)));
    let ended = run.wait();
    assert_eq!(ended.code, Some(1));
    let message = ended.json["errors"][0]["message"].as_str().unwrap().to_owned() + &ended.stderr;
    let place = place("nothing.write_volatile(1)");
    for expected in [
        "unchecked-srv faults: null + 0 written",
        &format!("  place {place} in "),
        "unchecked_srv::ends::null",
    ] {
        assert!(message.contains(expected), "{expected} in {message}");
    }
    chain_is_code(&message);
}

/// Each address of a chain has a name, and so lies in a function; the last one is where the app has started.
fn chain_is_code(report: &str) {
    let froms: Vec<&str> = report.lines().filter(|line| line.starts_with("  from  0x")).collect();
    assert!(!froms.is_empty() && froms.iter().all(|line| line.contains(" + 0x")), "{report}");
    assert!(froms.last().unwrap().contains("(_start + "), "{report}");
}

/// Starts it, and asks the app for something.
pub fn ask(bundle: &Path, backend: &str, what: &str) -> (Emulate, Channel) {
    let run = Emulate::start(tempfile::tempdir().unwrap(), bundle, &["--backend", backend]);
    let mut client = run.connect(PORT);
    client.send(what.as_bytes()).unwrap();
    (run, client)
}

/// What a client that comes afterwards is told.
fn refused(run: &Emulate) -> String {
    let start = Instant::now();
    loop {
        match Channel::connect(&run.socket, PORT) {
            Err(error @ Error::Ended { .. }) => return error.to_string(),
            // The app closes its channels first, and then its port.
            Ok(_) if start.elapsed() < Duration::from_secs(10) => {}
            other => panic!("{:?}", other.err()),
        }
    }
}

/// An image without a bundle, on a kernel that runs no trusted apps: what stands on the console is told, and no more.
#[test]
fn an_end_is_read_from_the_console() {
    let run = Emulate::test_kernel("16MiB");
    let mut console = run.connect("test.console");
    let lines = [
        "some-srv: out of memory: 50000 bytes asked, align 1; heap 16384, in use 96, largest free 16288; min_heap 53248 would do",
        "some-srv: ended: trusted app c5a1a9e2-5d5f-4f0e-9a52-0f1ec4e0c003, called from 0x9a04.",
    ];
    for line in lines {
        console.send(line.as_bytes()).unwrap();
        receive(&mut console).unwrap();
    }
    let refused = Channel::connect(&run.socket, "test.no-such-port").unwrap_err().to_string();
    let sentence = "trusted app some-srv has ended: out of memory: 50000 bytes asked; the largest free block of its heap of \
                    16 KiB has 16288";
    let expected =
        format!("cannot connect to test.no-such-port: perhaps it was a port of this one: {sentence}");
    assert_eq!(refused, expected);
    // A port that answers is not gone.
    run.connect("test.echo");
    run.signal("-INT");
    let ended = run.wait();
    for expected in [sentence, "    min_heap = 53248", "    min_heap: 52KiB"] {
        assert!(ended.stderr.contains(expected), "{}", ended.stderr);
    }
    assert!(!ended.stderr.contains("  from  "), "addresses of what nobody has: {}", ended.stderr);
}
