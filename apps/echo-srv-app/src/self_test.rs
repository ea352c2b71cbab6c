//! `--self-test`: whether the memory of the echo trusted apps is what it should be, after flashing.

mod verdict;

use crate::cli::{self, Args, ECHO_SRV};
use crate::echo::{Echo, EchoError};
use crate::report::{self, Progress};
use crate::{EXIT_ENVIRONMENT, EXIT_FAILED};
use echo_service::VALUE;
use serde_json::{Value, json};
use std::io::{ErrorKind, Write};
use std::process::ExitCode;
use tipc::{BulkError, Channel, Error, Transport};
use verdict::{Outcome, Row, Subject};

/// How many values are sent, one size after the other.
const COUNTS: [u32; 4] = [1000, 2048, 20_480, 64_000];
/// How many values must come back intact after a refusal: they fit into one message.
const COUNT_AFTER_REFUSAL: u32 = 100;
/// Trusty has no such port (LK's `ERR_NOT_FOUND`, include/err.h), in the emulator's words.
const NOT_FOUND: i32 = -2;

/// Tries all trusted apps, one connection after the other, and prints what has come of it.
pub fn run(args: &Args) -> Result<ExitCode, EchoError> {
    let rows = try_all(args)?;
    let wrong = verdict::wrong(&rows);
    let exit = match wrong.is_empty() {
        true => 0,
        false if rows.iter().any(|row| row.outcome.is_reached()) => EXIT_FAILED,
        false => EXIT_ENVIRONMENT,
    };
    let text = if args.json {
        format!("{:#}", machine_readable(&rows, &wrong, exit))
    } else if exit == 0 {
        format!("{}all outcomes are right", table(&rows))
    } else {
        table(&rows).trim_end().to_owned()
    };
    let told = report::tell(&text);
    if !args.json {
        wrong.iter().for_each(|line| drop(writeln!(std::io::stderr(), "error: {line}")));
    }
    Ok(if exit == 0 { told } else { ExitCode::from(exit) })
}

/// The trusted apps to try, and what is right for each.
fn subjects(args: &Args) -> Vec<Subject> {
    let strict = |name: &str| Subject { name: name.into(), may_refuse: false, may_be_missing: false };
    match &args.ta {
        Some(name) => vec![strict(name)],
        // The second has a smaller heap, by design.
        None => vec![
            strict(ECHO_SRV),
            Subject { may_refuse: true, may_be_missing: true, ..strict("small-echo-srv") },
        ],
    }
}

fn try_all(args: &Args) -> Result<Vec<Row>, EchoError> {
    let mut rows: Vec<Row> = Vec::new();
    for subject in subjects(args) {
        match Channel::connect_timeout(&args.device, &cli::port(&subject.name), args.timeout()) {
            Ok(channel) => rows.extend(try_one(args, &subject, channel)),
            // Without a device there is nothing to tell; if it vanishes between two trusted apps, there is.
            Err(error @ (Error::Open { .. } | Error::Port(_))) if rows.is_empty() => {
                return Err(EchoError::Connect(error));
            }
            Err(error) => rows.push(Row {
                subject,
                count: None,
                after_refusal: false,
                outcome: if is_not_found(&error) {
                    Outcome::NotThere
                } else {
                    Outcome::Unreachable(error.to_string())
                },
            }),
        }
    }
    Ok(rows)
}

/// Whether there is no such port. The driver's word for it is ENOTCONN (`dn_wait_for_reply`, trusty-ipc.c).
fn is_not_found(error: &Error) -> bool {
    match error {
        Error::Refused { error, .. } => error.code() == NOT_FOUND,
        Error::Connect { error, .. } => std::io::Error::from(*error).kind() == ErrorKind::NotConnected,
        _ => false,
    }
}

/// Sends all sizes to a trusted app, and a small one after each refusal of one that may refuse.
fn try_one(args: &Args, subject: &Subject, transport: impl Transport) -> Vec<Row> {
    let mut echo = Echo::new(cli::port(&subject.name), transport, None);
    let mut rows: Vec<Row> = Vec::new();
    let mut attempt = |count: u32, after_refusal: bool| {
        let outcome = match rows.last().map(|row| &row.outcome) {
            Some(Outcome::Silent(_) | Outcome::NotTried) => Outcome::NotTried,
            _ => {
                let progress = Progress::new(args, u64::from(count) * VALUE as u64);
                progress.begin(format!("{}, {count} values", subject.name));
                // Another seed for each size, so that nothing old is taken for what was sent.
                let done = echo.hold(count, rows.len() as u32, &progress);
                progress.finish();
                done.map_or_else(outcome, |_| Outcome::Intact)
            }
        };
        let refused = matches!(outcome, Outcome::Refused { .. });
        rows.push(Row { subject: subject.clone(), count: Some(count), after_refusal, outcome });
        refused
    };
    for count in COUNTS {
        if attempt(count, false) && subject.may_refuse {
            attempt(COUNT_AFTER_REFUSAL, true);
        }
    }
    rows
}

fn outcome(error: EchoError) -> Outcome {
    match error {
        EchoError::Refused { asked, available, .. } => Outcome::Refused { needs: asked, holds: available },
        EchoError::Transfer { error: BulkError::Transport(error), .. } => Outcome::Silent(error.to_string()),
        // The sink says what is wrong, and the row which trusted app it is.
        EchoError::Transfer { error: BulkError::Io { error, .. }, .. } => Outcome::Failed(error.to_string()),
        EchoError::Transfer { error, .. } => Outcome::Failed(error.to_string()),
        EchoError::Length { sent, received, .. } => {
            Outcome::Failed(format!("{sent} bytes were sent, {received} came back"))
        }
        error => Outcome::Failed(error.to_string()),
    }
}

/// A table for people, each line with its end.
fn table(rows: &[Row]) -> String {
    let number = |number: Option<u32>| number.map_or("-".to_owned(), |number| number.to_string());
    let width = rows.iter().map(|row| row.subject.name.len()).max().unwrap_or_default().max(11);
    let mut text = format!("{:width$}  {:>6}  {:>7}  result\n", "trusted app", "count", "bytes");
    for row in rows {
        let (name, count, bytes) = (&row.subject.name, number(row.count), number(row.bytes()));
        let when = if row.after_refusal { ", after the refusal" } else { "" };
        text.push_str(&format!("{name:width$}  {count:>6}  {bytes:>7}  {}{when}\n", row.outcome));
    }
    text
}

fn machine_readable(rows: &[Row], wrong: &[String], exit: u8) -> Value {
    let rows = rows.iter().map(|row| {
        let (mut needs, mut holds, mut error) = (None, None, None);
        match &row.outcome {
            Outcome::Refused { needs: asked, holds: available } => {
                (needs, holds) = (Some(asked), Some(available));
            }
            Outcome::Failed(text) | Outcome::Silent(text) | Outcome::Unreachable(text) => error = Some(text),
            Outcome::Intact | Outcome::NotTried | Outcome::NotThere => {}
        }
        json!({
            "trusted_app": row.subject.name,
            "port": cli::port(&row.subject.name),
            "count": row.count,
            "bytes": row.bytes(),
            "after_refusal": row.after_refusal,
            "result": row.outcome.kind(),
            "needs": needs,
            "holds": holds,
            "error": error,
        })
    });
    let mut value = json!({ "rows": rows.collect::<Vec<_>>() });
    if let (false, Some(object)) = (wrong.is_empty(), value.as_object_mut()) {
        object.insert("error".into(), report::error_value(&wrong.join("\n"), exit));
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loopback::Loopback;
    use clap::Parser;
    use clap::error::ErrorKind as Usage;

    fn args(line: &str) -> Args {
        Args::parse_from(format!("echo-srv-app -q --self-test {line}").trim_end().split(' '))
    }

    fn small() -> Subject {
        subjects(&args("")).remove(1)
    }

    fn results(rows: &[Row]) -> Vec<(u32, String)> {
        rows.iter().map(|row| (row.count.unwrap(), row.outcome.to_string())).collect()
    }

    #[test]
    fn it_goes_with_no_option_of_what_is_sent() {
        for option in ["--count 1000", "--file f", "--output f", "--rounds 1"] {
            let line = format!("echo-srv-app --self-test {option}");
            let error = Args::try_parse_from(line.split(' ')).unwrap_err();
            assert_eq!((error.kind(), error.exit_code()), (Usage::ArgumentConflict, 2), "{option}");
        }
        let names = |line: &str| subjects(&args(line)).into_iter().map(|s| s.name).collect::<Vec<_>>();
        assert_eq!(names(""), ["echo-srv", "small-echo-srv"]);
        assert_eq!(names("--ta small-echo-srv"), ["small-echo-srv"]);
        assert_eq!(Args::parse_from(["echo-srv-app"]).port(), "com.carveout.srv.echo-srv");
    }

    #[test]
    fn each_size_is_tried_and_a_small_one_after_each_refusal() {
        let rows = try_one(&args(""), &subjects(&args(""))[0], Loopback::new(64_000));
        let intact = |count| (count, "intact".to_owned());
        assert_eq!(results(&rows), COUNTS.map(intact));
        assert!(verdict::wrong(&rows).is_empty());
        let rows = try_one(&args(""), &small(), Loopback::new(2048));
        let refused = |bytes: u32| format!("refused: needs {bytes} bytes, may hold 8192");
        let expected = [
            intact(1000),
            intact(2048),
            (20_480, refused(81_920)),
            intact(100),
            (64_000, refused(256_000)),
            intact(100),
        ];
        assert_eq!(results(&rows), expected);
        assert!(verdict::wrong(&rows).is_empty());
    }

    #[test]
    fn after_a_hang_up_nothing_more_is_tried_and_after_damage_the_rest_is() {
        let rows = try_one(&args(""), &small(), Loopback { messages: 20, ..Loopback::new(64_000) });
        assert_eq!(rows.last().unwrap().outcome, Outcome::NotTried);
        assert_eq!(rows.iter().filter(|row| matches!(row.outcome, Outcome::Silent(_))).count(), 1);
        let rows = try_one(&args(""), &small(), Loopback { flip: Some(14), ..Loopback::new(64_000) });
        assert!(rows.iter().all(|row| matches!(row.outcome, Outcome::Failed(_))), "{rows:?}");
        assert_eq!(rows.len(), COUNTS.len());
    }

    #[test]
    fn people_and_machines_are_told_the_same() {
        let mut rows = try_one(&args(""), &small(), Loopback::new(20_480));
        let missing = Subject { name: "a-longer-name-srv".into(), ..small() };
        let outcome = Outcome::NotThere;
        rows.push(Row { subject: missing, count: None, after_refusal: false, outcome });
        let expected = "\
trusted app         count    bytes  result
small-echo-srv       1000     4000  intact
small-echo-srv       2048     8192  intact
small-echo-srv      20480    81920  intact
small-echo-srv      64000   256000  refused: needs 256000 bytes, may hold 81920
small-echo-srv        100      400  intact, after the refusal
a-longer-name-srv       -        -  not there
";
        assert_eq!(table(&rows), expected);
        let value = machine_readable(&rows, &["it is wrong".into()], 1);
        let row = &value["rows"][3];
        assert_eq!(
            (&row["result"], &row["needs"], &row["holds"]),
            (&json!("refused"), &json!(256_000), &json!(81_920))
        );
        assert_eq!(value["rows"][5]["result"], "not there");
        assert_eq!(value["error"], json!({ "message": "it is wrong", "exit": 1 }));
        assert_eq!(machine_readable(&rows, &[], 0).get("error"), None);
    }

    #[test]
    fn without_a_device_there_is_nothing_to_try() {
        let error = run(&args("--device /nonexistent")).unwrap_err();
        assert!(error.to_string().starts_with("/nonexistent: No such file"), "{error}");
        assert_eq!(error.exit(), EXIT_ENVIRONMENT);
    }
}
