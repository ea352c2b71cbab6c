//! Updates that are downloaded, from a server that may be anybody's.

use super::{Desk, FIRST, SECOND, json};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Cursor, Write};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

/// What a server answers, and how many bytes it says that this has.
type Files = BTreeMap<String, (Vec<u8>, usize)>;

/// A server.
#[derive(Clone, Default)]
struct Server(Arc<Mutex<Files>>);

impl Server {
    /// Its URL.
    fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let files = self.0.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let files = files.clone();
                thread::spawn(move || {
                    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
                    let asked = lines.next().unwrap_or_default();
                    let name = asked.split(' ').nth(1).unwrap_or_default().trim_start_matches('/').to_owned();
                    lines.take_while(|line| !line.is_empty()).for_each(drop);
                    let found = files.lock().unwrap().get(&name).cloned();
                    let (status, (bytes, length)) =
                        found.map_or(("404 Not Found", Default::default()), |found| ("200 OK", found));
                    let head =
                        format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
                    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&bytes));
                });
            }
        });
        url
    }

    fn put(&self, name: &str, bytes: &[u8], length: usize) {
        self.0.lock().unwrap().insert(name.into(), (bytes.into(), length));
    }
}

#[test]
fn updates_come_from_a_server() {
    if !Path::new("/usr/lib/apt/apt-helper").exists() {
        eprintln!("skipped: there is no apt-helper, which downloads");
        return;
    }
    let (desk, server) = (Desk::new(), Server::default());
    let url = server.start();
    let update = fs::read(desk.update("2", 64 << 20, 1)).unwrap();
    let before = fs::read(desk.disk()).unwrap();
    // A proxy of the host is for others.
    let run = |words: &[&str]| desk.command(words).env("no_proxy", "127.0.0.1").output().unwrap();
    let fails = |words: &[&str], exit: i32| {
        let output = run(words);
        assert_eq!(output.status.code(), Some(exit), "{words:?}: {output:?}");
        let error = json(&output)["error"].clone();
        (error["code"].as_str().unwrap().to_owned(), error["message"].as_str().unwrap().to_owned())
    };
    let file = format!("{url}/u.tar.zst");
    let (code, message) = fails(&["install", &file], 3);
    assert!(code == "download" && message.contains(&file) && message.contains("404"), "{message}");
    // It breaks off, it is longer than any disk, it is another one.
    server.put("u.tar.zst", &update[..update.len() / 2], update.len());
    assert_eq!(fails(&["install", &file], 3).0, "download");
    let mut other = update.clone();
    other[update.len() / 2] ^= 1;
    server.put("u.tar.zst", &other, other.len());
    let (code, message) = fails(&["install", &file], 1);
    assert!(code == "no-update" && message.starts_with(&file), "{message}");
    assert!(fs::read(desk.disk()).unwrap() == before && desk.boots() == FIRST);
    server.put("u.tar.zst", &update, update.len());
    let output = run(&["install", &file]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(desk.boots(), SECOND);
    desk.ok(&["rollback"]);
    assert!(!desk.path("var/download").exists());

    // A channel: of an index that is signed the newest release.
    let entry =
        serde_json::json!({ "bundle": SECOND, "name": "desk", "board": "virt", "version": "2", "size": 1 });
    let index = serde_json::json!({ "format": 1, "channels": { "stable": [entry] } }).to_string();
    let signature =
        minisign::sign(Some(&desk.key.pk), &desk.key.sk, Cursor::new(&index), None, None).unwrap();
    let signed = format!("{}{index}", signature.into_string());
    let channel = ["install", "--releases", &url, "--product", "desk"];
    let changed = signed.replace("virt", "virt ");
    server.put("index.json.minisig", changed.as_bytes(), changed.len());
    assert_eq!(fails(&channel, 1).0, "no-release");
    // As long as a disk: it is cut off.
    server.put("index.json.minisig", &vec![b'x'; 8 << 20], 8 << 20);
    assert_eq!(fails(&channel, 3).0, "download");
    server.put("index.json.minisig", signed.as_bytes(), signed.len());
    assert_eq!(fails(&channel, 3).0, "download", "the archive is not there");
    server.put(&format!("{SECOND}/{SECOND}-update.tar.zst"), &update, update.len());
    let output = run(&channel);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(json(&output)["result"]["bundle"], Value::from(SECOND));
    assert_eq!(desk.boots(), SECOND);
}
