//! A server of our own, and what curl says.

use super::*;
use crate::error::Exit;
use crate::ui::Verbosity;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;

const BODY: &[u8] = b"what NVIDIA's server would send";

/// Answers `requests` requests, with ranges. Returns the address and what was asked for.
fn serve(requests: usize) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/file.tbz2", listener.local_addr().unwrap());
    let thread = std::thread::spawn(move || {
        let mut ranges = Vec::new();
        for _ in 0..requests {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let range =
                head.iter().find_map(|line| line.strip_prefix("Range: bytes=")).unwrap_or("0-").to_owned();
            let start: usize = range.trim_end_matches('-').parse().unwrap();
            let (status, rest) = match start {
                0 => ("200 OK", BODY),
                start => ("206 Partial Content", &BODY[start..]),
            };
            let length = rest.len();
            let last = BODY.len() - 1;
            let header = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nContent-Range: bytes {start}-{last}/{}\r\nConnection: close\r\n\r\n",
                BODY.len()
            );
            stream.write_all(header.as_bytes()).unwrap();
            stream.write_all(rest).unwrap();
            ranges.push(range);
        }
        ranges
    });
    (url, thread)
}

#[test]
fn downloads_resume_and_are_checked() {
    if !crate::packages::is_met(&NEEDS[0]) {
        eprintln!("skipped: curl is not there");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (file, ui) = (dir.path().join("file.tbz2"), Ui::new(Verbosity::Quiet));
    let fetch = |url: &str, sum: &str| {
        let size = Size::AtMost(BODY.len() as u64 + 1);
        super::fetch(&Url::parse(url).unwrap(), sum, size, &file, &ui)
    };
    let part = dir.path().join("file.tbz2.part");
    let sum = bundle::sha256(BODY);
    fs::write(&part, &BODY[..10]).unwrap();
    let (url, server) = serve(1);
    fetch(&url, &sum).unwrap();
    assert_eq!(fs::read(&file).unwrap(), BODY);
    assert_eq!(server.join().unwrap(), ["10-"]);
    fetch(&url, &sum).unwrap();
    fs::write(&file, "damaged").unwrap();
    assert_eq!(fetch(&url, &sum).unwrap_err().exit, Exit::Check);
    assert!(!file.exists(), "a damaged file is not kept");
    fs::write(&part, BODY).unwrap();
    fetch("http://127.0.0.1:1/file.tbz2", &sum).unwrap();
    fs::remove_file(&file).unwrap();
    let (url, server) = serve(1);
    let error = fetch(&url, "00").unwrap_err();
    assert!(error.code == "host::download::wrong-checksum" && !part.exists(), "{error}");
    server.join().unwrap();
    // A part of another file is dropped in the same run.
    fs::write(&part, "something else").unwrap();
    let (url, server) = serve(2);
    fetch(&url, &sum).unwrap();
    assert_eq!(server.join().unwrap(), ["14-", "0-"]);
    fs::remove_file(&file).unwrap();
    let error = fetch("http://127.0.0.1:1/x", "00").unwrap_err();
    assert_eq!(error.exit, Exit::Environment);
    // What is no file of ours is neither followed nor waited for.
    fs::remove_file(&part).unwrap();
    std::os::unix::fs::symlink(dir.path().join("elsewhere"), &part).unwrap();
    assert_eq!(fetch(&url, &sum).unwrap_err().code, "host::download::part-not-a-file");
    assert!(!dir.path().join("elsewhere").exists());
    fs::remove_file(&part).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &part, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    assert_eq!(fetch(&url, &sum).unwrap_err().code, "host::download::part-not-a-file");
}

#[test]
fn a_wrong_clock_is_thought_of() {
    let url = Url::parse("https://x").unwrap();
    let remedy = |code, said: &str| {
        let ended = Ended { code: Some(code), said: said.into(), ..Ended::default() };
        ended.error(&url, |url, said| DownloadError::TextNotFetched { url, said }).remedy.unwrap()
    };
    assert!(remedy(60, "curl: (60) SSL certificate problem: certificate is not yet valid").contains("clock"));
    assert_eq!(remedy(6, "curl: (6) Could not resolve host: x"), "check the address and the network");
    assert!(remedy(28, "curl: (28) Operation too slow.").contains(TIMEOUT_VARIABLE));
}

#[test]
fn time_limits_are_numbers_of_seconds() {
    assert_eq!(seconds(None), Ok(30));
    assert_eq!(seconds(Some("")), Ok(30));
    assert_eq!(seconds(Some("300")), Ok(300));
    for bad in ["0", "-1", "x", "3601", "99999999999"] {
        assert_eq!(seconds(Some(bad)).unwrap_err().code, "host::download::wrong-timeout", "{bad}");
    }
}
