//! curl: downloads that resume, checked by sha256.

use super::{run, shell};
use crate::error::{At, Error, Result};
use crate::host::{self, Need};
use crate::ui::Ui;
use std::fs;
use std::path::{Path, PathBuf};
use xshell::cmd;

/// For downloads.
pub const NEEDS: [Need; 2] = [
    Need { program: "curl", package: "curl", why: "downloads NVIDIA's BSP and sources" },
    Need {
        program: "/etc/ssl/certs/ca-certificates.crt",
        package: "ca-certificates",
        why: "checks the server's identity",
    },
];

/// Fetches a file, or does nothing if it is there already. A part that an interrupted run has left is continued.
pub fn fetch(url: &str, sha256: &str, file: &Path, ui: &Ui) -> Result<()> {
    if file.exists() {
        return check(url, sha256, file);
    }
    let name = |extension: &str| {
        let mut name = file.as_os_str().to_owned();
        name.push(extension);
        PathBuf::from(name)
    };
    let (part, log) = (name(".part"), name(".log"));
    // A run that was interrupted at the very end has left all of it: a server has no range behind that.
    if bundle::hash_file(&part).is_ok_and(|found| found.sha256 == sha256) {
        return fs::rename(&part, file).at(file);
    }
    host::ensure(&NEEDS, false, &log, ui)?;
    let _ = fs::remove_file(&log);
    let running = ui.start("download");
    running.building(&format!("fetching {url}"));
    let sh = shell(Path::new("/"))?;
    let retry = ["--retry", "5", "--connect-timeout", "30"];
    let cmd = cmd!(
        sh,
        "curl --fail --location --no-progress-meter {retry...} --continue-at - --output {part} {url}"
    );
    let result = running.watch(&part, || run("downloading", cmd, &log));
    let done = result.map_err(|error| {
        unreachable(url, &error, "check the network and run the command again: it goes on where it stopped")
    });
    if let Err(error) = done {
        running.fail();
        return Err(error);
    }
    let size = fs::metadata(&part).at(&part)?.len();
    if let Err(error) = check(url, sha256, &part) {
        running.fail();
        return Err(error);
    }
    fs::rename(&part, file).at(file)?;
    running.finish(false, size);
    Ok(())
}

/// A small text, as it is now: `most` bytes at most.
pub fn text(url: &str, most: u64, logs: &Path, ui: &Ui) -> Result<Vec<u8>> {
    let log = logs.join("curl.log");
    host::ensure(&NEEDS, false, &log, ui)?;
    let _ = fs::remove_file(&log);
    let scratch = super::scratch("curl")?;
    let file = scratch.path().join("text");
    let (sh, limit) = (shell(Path::new("/"))?, most.to_string());
    let retry = ["--retry", "3", "--connect-timeout", "30", "--max-filesize", &limit];
    let cmd = cmd!(sh, "curl --fail --location --no-progress-meter {retry...} --output {file} {url}");
    run("downloading", cmd, &log)
        .map_err(|error| unreachable(url, &error, "check the address and the network"))?;
    super::read_limited(&file, most)
}

/// What curl could not fetch. A host whose clock is wrong believes no certificate.
fn unreachable(url: &str, error: &Error, remedy: &str) -> Error {
    let remedy = if error.message.contains("SSL certificate problem") {
        "see whether this host's clock is right (date), and whether it knows who signed the server's certificate"
    } else {
        remedy
    };
    Error::environment(format!("{url}: {}", error.message)).remedy(remedy)
}

/// A file with another sum is removed: continuing it would never mend it.
fn check(url: &str, sha256: &str, file: &Path) -> Result<()> {
    let found = bundle::hash_file(file).at(file)?;
    if found.sha256 == sha256 {
        return Ok(());
    }
    fs::remove_file(file).at(file)?;
    let message =
        format!("{url}: what came has sha256 {} ({} bytes), expected {sha256}", found.sha256, found.size);
    Err(Error::check(message).remedy("run the command again: the file has been removed"))
}

#[cfg(test)]
mod tests {
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
                let range = head
                    .iter()
                    .find_map(|line| line.strip_prefix("Range: bytes="))
                    .unwrap_or("0-")
                    .to_owned();
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
        if !crate::host::is_met(&NEEDS[0]) {
            eprintln!("skipped: curl is not there");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let (file, ui) = (dir.path().join("file.tbz2"), Ui::new(Verbosity::Quiet));
        let sum = bundle::sha256(BODY);
        fs::write(dir.path().join("file.tbz2.part"), &BODY[..10]).unwrap();
        let (url, server) = serve(1);
        fetch(&url, &sum, &file, &ui).unwrap();
        assert_eq!(fs::read(&file).unwrap(), BODY);
        assert_eq!(server.join().unwrap(), ["10-"]);
        fetch(&url, &sum, &file, &ui).unwrap();
        fs::write(&file, "damaged").unwrap();
        assert_eq!(fetch(&url, &sum, &file, &ui).unwrap_err().exit, Exit::Check);
        assert!(!file.exists(), "a damaged file is not kept");
        fs::write(dir.path().join("file.tbz2.part"), BODY).unwrap();
        fetch("http://127.0.0.1:1/file.tbz2", &sum, &file, &ui).unwrap();
        fs::remove_file(&file).unwrap();
        let (url, server) = serve(1);
        let error = fetch(&url, "00", &file, &ui).unwrap_err();
        assert!(
            error.message.ends_with("expected 00") && !dir.path().join("file.tbz2.part").exists(),
            "{error}"
        );
        server.join().unwrap();
        let error = fetch("http://127.0.0.1:1/x", "00", &file, &ui).unwrap_err();
        assert_eq!(error.exit, Exit::Environment);
    }

    #[test]
    fn a_wrong_clock_is_thought_of() {
        let remedy = |said: &str| unreachable("https://x", &Error::check(said), "check the network").remedy;
        let said = "curl: (60) SSL certificate problem: certificate is not yet valid";
        assert!(remedy(said).unwrap().contains("clock is right"));
        assert_eq!(remedy("curl: (6) Could not resolve host: x").unwrap(), "check the network");
    }
}
