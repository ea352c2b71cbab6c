//! One transfer: curl, and us behind it.

use super::url::{LOOPBACK, Url};
use crate::error::{Error, Result};
use crate::errors::DownloadError;
use crate::interrupt;
use crate::process;
use crate::process::Streams;
use crate::tools::shell;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::Signal;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};
use xshell::cmd;

/// Bytes a second that every line has.
const SLOWEST: &str = "1000";
/// How many time limits we wait for something to come. curl's own limits do not see what is endless and no content: headers, what stands
/// behind chunks, the text of a redirect.
const SILENCES: u32 = 2;
/// Bytes of curl's messages that are read.
const MAX_SAID: u64 = 64 << 10;
/// curl's exit code for what takes too long.
const TIMED_OUT: i32 = 28;

/// How a transfer has ended.
#[derive(Debug, Default)]
pub struct Ended {
    /// curl's exit code; nothing if we or a signal ended it.
    pub code: Option<i32>,
    /// HTTP's, of the last answer.
    pub status: u32,
    pub said: String,
}

impl Ended {
    /// 33: the answer is no range, or another one.
    pub fn lacks_range(&self) -> bool {
        self.code == Some(33) || self.status == 416
    }

    /// Whether it may be otherwise in a second, by EXIT CODES of curl(1): no answer of the name server, HTTP/2, a transfer that is cut
    /// off, time-outs, TLS, an empty answer, sending and receiving.
    pub fn may_pass(&self) -> bool {
        match self.code {
            Some(5 | 6 | 16 | 18 | TIMED_OUT | 35 | 52 | 55 | 56 | 92) => true,
            Some(22) => matches!(self.status, 408 | 429 | 500 | 502 | 503 | 504),
            _ => false,
        }
    }

    /// curl's first message.
    pub fn first(&self) -> &str {
        let lines = || self.said.lines().map(str::trim).filter(|line| !line.is_empty());
        lines().find(|line| line.starts_with("curl: ")).or_else(|| lines().next()).unwrap_or("curl was ended")
    }

    /// What could not be fetched; `other` is what is said if curl's exit code does not tell why.
    pub fn error(&self, url: &Url, other: impl Fn(String, String) -> DownloadError) -> Error {
        let (url, said) = (url.to_string(), self.first().to_owned());
        match self.code {
            // A host whose clock is wrong believes no certificate.
            Some(60) => DownloadError::UnknownCertificate { url, said },
            Some(TIMED_OUT) => DownloadError::TimedOut { url, said },
            Some(1) => DownloadError::RedirectNotHttps { url, said },
            Some(22) if matches!(self.status, 401 | 403) => DownloadError::AccessDenied { url, said },
            _ => other(url, said),
        }
        .into()
    }
}

/// One transfer, with a limit of time for silence and slowness, and perhaps one for all of it. `take` gets what comes; false from it ends the
/// transfer.
pub fn get(
    url: &Url,
    from: u64,
    limit: Duration,
    until: Option<Instant>,
    take: &mut dyn FnMut(&[u8]) -> Result<bool>,
) -> Result<Ended> {
    let timeout = limit.as_secs().to_string();
    let protocols = if url.is_https() { "=https" } else { "=http,https" };
    let from = from.to_string();
    let fixed = ["--fail", "--globoff", "--netrc-optional", "--no-progress-meter", "--show-error"];
    let redirects = ["--location", "--max-redirs", "5", "--proto", protocols, "--proto-redir", "=https"];
    let time = ["--connect-timeout", &timeout, "--speed-time", &timeout, "--speed-limit", SLOWEST];
    let range: &[&str] = if from == "0" { &[] } else { &["--continue-at", &from] };
    // A proxy would be between us and this machine itself.
    let hosts = LOOPBACK.join(",");
    let direct: &[&str] = if url.is_loopback() { &["--noproxy", &hosts] } else { &[] };
    // The address, which may have secrets, comes on stdin: ps shows arguments to everyone.
    let pipes = ["--no-buffer", "--write-out", "%{stderr}\n%{http_code}", "--output", "-", "--config", "-"];
    let sh = shell(Path::new("/"))?;
    let cmd = cmd!(sh, "curl {fixed...} {redirects...} {time...} {range...} {direct...} {pipes...}");
    let failed = |source| DownloadError::CurlNotRead { url: url.to_string(), source };
    let streams = Streams { stdin: Stdio::piped(), stdout: Stdio::piped(), stderr: Stdio::piped() };
    let mut running = process::start(cmd, streams).map_err(|unstarted| unstarted.of("downloading"))?;
    let (input, output, errors) = (running.stdin().take(), running.stdout(), running.stderr());
    let (Some(mut input), Some(mut output), Some(errors)) = (input, output, errors) else {
        return Err(DownloadError::NoPipes { url: url.to_string() }.into());
    };
    // No character of an address needs to be escaped in quotes. A curl that has ended already says so by its code.
    let _ = input.write_all(format!("url = \"{}\"\n", url.whole()).as_bytes());
    drop(input);
    let (said, taken) = thread::scope(|threads| {
        let said = threads.spawn(|| {
            let (mut said, mut errors) = (Vec::new(), errors);
            let _ = errors.by_ref().take(MAX_SAID).read_to_end(&mut said);
            let _ = std::io::copy(&mut errors, &mut std::io::sink());
            said
        });
        let taken = loop {
            match read(&mut output, limit * SILENCES, until) {
                Ok(Come::End) => break Ok(None),
                Ok(Come::Late(what)) => break Ok(Some(what)),
                Ok(Come::Bytes(bytes)) => match take(&bytes) {
                    Ok(true) => {}
                    Ok(false) => {
                        running.signal(Signal::KILL);
                        break Ok(None);
                    }
                    Err(error) => break Err(error),
                },
                Err(error) => break Err(failed(error).into()),
            }
        };
        if !matches!(taken, Ok(None)) {
            running.signal(Signal::KILL);
        }
        (said.join().unwrap_or_default(), taken)
    });
    let ended = running.wait().map_err(failed)?;
    interrupt::check()?;
    if let Some(said) = taken? {
        return Ok(Ended { code: Some(TIMED_OUT), status: 0, said });
    }
    let said = url.hide(&String::from_utf8_lossy(&said));
    let (said, status) = said.trim_end().rsplit_once('\n').unwrap_or((&said, ""));
    Ok(Ended { code: ended.code(), status: status.parse().unwrap_or_default(), said: said.to_owned() })
}

/// What comes next.
enum Come {
    Bytes(Vec<u8>),
    End,
    /// Nothing in time.
    Late(String),
}

fn read(output: &mut (impl Read + AsFd), silence: Duration, until: Option<Instant>) -> std::io::Result<Come> {
    let start = Instant::now();
    loop {
        let left = until.map(|until| until.saturating_duration_since(start));
        let wait = left.map_or(silence, |left| left.min(silence)).saturating_sub(start.elapsed());
        let span = Timespec::try_from(wait).map_err(|_| ErrorKind::InvalidInput)?;
        match poll(&mut [PollFd::new(output, PollFlags::IN)], Some(&span)) {
            Ok(0) if wait.is_zero() && left.is_some_and(|left| left < silence) => {
                return Ok(Come::Late("not complete in time".into()));
            }
            Ok(0) if wait.is_zero() => {
                return Ok(Come::Late(format!("nothing has come for {} seconds", silence.as_secs())));
            }
            Ok(0) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
            Ok(_) => {
                let mut buffer = vec![0; 64 << 10];
                match output.read(&mut buffer) {
                    Ok(0) => return Ok(Come::End),
                    Ok(count) => {
                        buffer.truncate(count);
                        return Ok(Come::Bytes(buffer));
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }
}
