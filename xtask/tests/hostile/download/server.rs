//! A server that answers each path as a test wants it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::Duration;

/// Bytes after which something endless ends: this test shall not fill a disk either.
const ENOUGH: u64 = 256 << 20;

#[derive(Clone)]
pub enum Answer {
    /// A file, of which ranges can be had.
    File(Vec<u8>),
    /// A file, of which they cannot.
    NoRanges(Vec<u8>),
    /// Chunks without end.
    Endless,
    /// Nothing.
    Silence,
    /// A byte each second.
    Slow,
    /// Some thousand bytes each second, without end.
    Trickle,
    /// Elsewhere, says an answer whose own text has no end.
    EndlessRedirect,
    /// Elsewhere.
    Redirect(String),
}

#[derive(Default)]
struct State {
    answers: BTreeMap<String, Answer>,
    /// Heads of requests.
    asked: Vec<String>,
    sent: u64,
}

#[derive(Clone)]
pub struct Server {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self { port: listener.local_addr().unwrap().port(), state: Arc::default() };
        let of = server.clone();
        spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = of.clone();
                // Whoever hangs up has had enough.
                spawn(move || drop(server.answer(stream)));
            }
        });
        server
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn put(&self, path: &str, answer: Answer) {
        self.state.lock().unwrap().answers.insert(format!("/{path}"), answer);
    }

    /// Heads of the requests since the last call.
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }

    /// Bytes that were sent without end.
    pub fn sent(&self) -> u64 {
        self.state.lock().unwrap().sent
    }

    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let lines = BufReader::new(stream.try_clone()?).lines().map_while(Result::ok);
        let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
        let target = head.first().and_then(|line| line.split(' ').nth(1)).unwrap_or_default().to_owned();
        let range = head.iter().find_map(|line| line.strip_prefix("Range: bytes=")?.strip_suffix('-'));
        let from = range.and_then(|from| from.parse::<usize>().ok());
        let answer = {
            let mut state = self.state.lock().unwrap();
            state.asked.push(head.join("\n"));
            state.answers.get(target.split('?').next().unwrap_or_default()).cloned()
        };
        let mut head = |line: &str, more: &str| {
            stream.write_all(format!("HTTP/1.1 {line}\r\nConnection: close\r\n{more}\r\n").as_bytes())
        };
        match answer {
            None => head("404 Not Found", "Content-Length: 0\r\n"),
            Some(Answer::Redirect(to)) => {
                head("302 Found", &format!("Location: {to}\r\nContent-Length: 0\r\n"))
            }
            Some(Answer::File(file)) => match from {
                Some(from) if from >= file.len() => {
                    let range = format!("Content-Range: bytes */{}\r\nContent-Length: 0\r\n", file.len());
                    head("416 Range Not Satisfiable", &range)
                }
                Some(from) => {
                    let (rest, last) = (&file[from..], file.len() - 1);
                    let range = format!("Content-Range: bytes {from}-{last}/{}\r\n", file.len());
                    head("206 Partial Content", &format!("Content-Length: {}\r\n{range}", rest.len()))?;
                    stream.write_all(rest)
                }
                None => {
                    head("200 OK", &format!("Content-Length: {}\r\n", file.len()))?;
                    stream.write_all(&file)
                }
            },
            Some(Answer::NoRanges(file)) => {
                head("200 OK", &format!("Content-Length: {}\r\n", file.len()))?;
                stream.write_all(&file)
            }
            Some(Answer::Endless) => {
                head("200 OK", "Transfer-Encoding: chunked\r\n")?;
                let chunk = [format!("{:x}\r\n", 1 << 20).into_bytes(), vec![b' '; 1 << 20], b"\r\n".into()];
                let chunk = chunk.concat();
                for _ in 0..ENOUGH >> 20 {
                    stream.write_all(&chunk)?;
                    self.state.lock().unwrap().sent += 1 << 20;
                }
                Ok(())
            }
            Some(Answer::Silence) => {
                sleep(Duration::from_secs(120));
                Ok(())
            }
            Some(Answer::Trickle) => {
                head("200 OK", "Transfer-Encoding: chunked\r\n")?;
                trickle(&mut stream)
            }
            Some(Answer::EndlessRedirect) => {
                // A connection that stays: curl reads to the end.
                let head = "HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:1/\r\nTransfer-Encoding: chunked\r\n\r\n";
                stream.write_all(head.as_bytes())?;
                trickle(&mut stream)
            }
            Some(Answer::Slow) => {
                head("200 OK", "Content-Length: 1000000\r\n")?;
                for _ in 0..120 {
                    stream.write_all(b"x")?;
                    sleep(Duration::from_secs(1));
                }
                Ok(())
            }
        }
    }
}

fn trickle(stream: &mut TcpStream) -> std::io::Result<()> {
    for _ in 0..1200 {
        stream.write_all(format!("200\r\n{:512}\r\n", "").as_bytes())?;
        sleep(Duration::from_millis(100));
    }
    Ok(())
}
