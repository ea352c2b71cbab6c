//! What ends a trusted app, or all of Trusty: each in a run of its own.

use super::run::{Run, receive};
use super::{PEER, SRV};
use std::path::Path;
use std::time::Duration;
use tipc::{Error, Transport};

/// What each does, and the cause that a report must name.
const FAULTS: [(&str, &str); 7] = [
    ("fault-null", "null + 0 written: a pointer that was never set"),
    ("fault-text", "0x8000 written: it lies in read-only text (_start + 0x0)"),
    ("fault-stack", "the stack is full: "),
    ("fault-undefined", "no instruction that a trusted app may execute"),
    ("fault-run-stack", "jumped to: heap and stack cannot be executed"),
    ("fault-run-heap", "jumped to: heap and stack cannot be executed"),
    ("fault-run-data", "jumped to: it lies in data"),
];
/// On the real kernel alone.
const UNALIGNED: (&str, &str) =
    ("fault-unaligned", "accessed, unaligned, by an instruction for several words");
/// The kernel's own, with the reports of both backends.
const PANICS: [(&str, [&str; 2]); 2] = [
    (
        "panic-port",
        [
            "conformance-srv panics the kernel: a client waited for a port that does not let it connect",
            "Trusty's kernel panics (chan_shutdown_locked + ",
        ],
    ),
    (
        "panic-queue",
        [
            "conformance-srv panics the kernel: a message was asked of a channel that still waits for its port",
            "Trusty's kernel faults at 0x",
        ],
    ),
];

pub fn check(bundle: &Path, backend: &str) {
    let run = Run::start(bundle, backend);
    exit(&run);
    run.stop();
    // The model's processor lets it pass.
    let unaligned = (backend == "qemu").then_some(UNALIGNED);
    for (how, cause) in FAULTS.into_iter().chain(unaligned) {
        let log = end(bundle, backend, how);
        let error = |line: &str| {
            line.starts_with("error: ") && line.contains("conformance-srv faults: ") && line.contains(cause)
        };
        assert!(log.lines().any(error), "{how}: {log}");
    }
    for (how, causes) in PANICS {
        let log = end(bundle, backend, how);
        assert!(log.contains(causes[usize::from(backend == "qemu")]), "{how}: {log}");
    }
}

/// Lets a trusted app stop Trusty; all clients are told. What is printed then.
fn end(bundle: &Path, backend: &str, how: &str) -> String {
    let run = Run::start(bundle, backend);
    let mut client = run.connect(SRV).unwrap();
    let mut other = run.connect(PEER).unwrap();
    client.send(how.as_bytes()).unwrap();
    for channel in [&mut client, &mut other] {
        let end = receive(channel);
        assert!(matches!(end, Err(Error::Stopped)), "{how}: {end:?}");
    }
    run.fails()
}

/// The kernel keeps the handles of a trusted app that has ended: its clients and those that come hang, others are served.
fn exit(run: &Run) {
    let brief = Duration::from_millis(700);
    let (mut client, mut bystander) =
        (run.connect_within(SRV, brief).unwrap(), run.connect_within(SRV, brief).unwrap());
    client.send(b"exit").unwrap();
    for channel in [&mut client, &mut bystander] {
        let end = receive(channel);
        assert!(matches!(end, Err(Error::TimedOut(_))), "{end:?}");
    }
    let late = run.connect_within(SRV, brief);
    assert!(matches!(late, Err(Error::TimedOut(_))), "{late:?}");
    let mut peer = run.connect(PEER).unwrap();
    peer.send(b"others are served").unwrap();
    assert_eq!(receive(&mut peer).unwrap(), b"others are served");
}
