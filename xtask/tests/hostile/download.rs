//! Servers and channels that want our disk, our time, our passwords, or that we take something old or other.

mod server;

use crate::report::small;
use serde_json::{Value, json};
use server::{Answer, Server};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// What takes longer has hung.
const HUNG: Duration = Duration::from_secs(45);
const MIB: u64 = 1 << 20;

/// A channel of a server, with a user who takes from it.
struct Channel {
    dir: TempDir,
    server: Server,
}

struct Ended {
    code: Option<i32>,
    said: String,
}

impl Ended {
    #[track_caller]
    fn is(&self, code: i32, words: &str) {
        assert!(self.code == Some(code) && self.said.contains(words), "{:?}: {}", self.code, self.said);
    }
}

fn program(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.current_dir(dir).env("XDG_STATE_HOME", dir.join("state")).env("HOME", dir);
    command.env("CARVEOUT_DOWNLOAD_TIMEOUT", "2").stdin(Stdio::null());
    command
}

impl Channel {
    fn new() -> Self {
        let channel = Self { dir: tempfile::tempdir().unwrap(), server: Server::new() };
        channel.xtask(&["key", "new", "key", "--no-password"]).is(0, "");
        channel
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn xtask(&self, arguments: &[&str]) -> Ended {
        self.watched(arguments, || {})
    }

    /// Runs our program, and looks around meanwhile.
    fn watched(&self, arguments: &[&str], mut look: impl FnMut()) -> Ended {
        let log = tempfile::NamedTempFile::new().unwrap();
        let mut command = program(self.dir.path());
        command.args(arguments).stdout(log.reopen().unwrap()).stderr(log.as_file().try_clone().unwrap());
        let mut child = command.spawn().unwrap();
        let start = Instant::now();
        let code = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break status.code();
            }
            if start.elapsed() > HUNG {
                let pid = rustix::process::Pid::from_child(&child);
                rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
                child.wait().unwrap();
                break None;
            }
            look();
            sleep(Duration::from_millis(20));
        };
        Ended { code, said: fs::read_to_string(log.path()).unwrap() }
    }

    fn flash(&self, place: &str, more: &[&str]) -> Ended {
        let flash = ["flash", "--channel", place, "--key", "key.pub", "--to", "virt:device.img", "--dry-run"];
        self.xtask(&[&flash, more].concat())
    }

    /// A bundle, and what an honest index says of it.
    fn bundle(&self, version: &str) -> (Vec<u8>, Value) {
        let place = self.path(&format!("made-{version}"));
        fs::create_dir_all(&place).unwrap();
        let name = small::write(&place, version, 32 << 20);
        let archive = fs::read(place.join(format!("{name}.tar.zst"))).unwrap();
        let entry = json!({
            "bundle": name, "name": "desk", "version": version, "board": "virt", "security_version": 0,
            "archive": format!("{name}/{name}.tar.zst"), "size": archive.len(), "sha256": bundle::sha256(&archive),
        });
        (archive, entry)
    }

    /// The index and its signature, which has the index behind it, as files.
    fn sign(&self, entries: &[&Value]) -> [(String, Vec<u8>); 2] {
        let index = json!({ "format": 1, "channels": { "stable": entries } }).to_string();
        fs::write(self.path("index.json"), &index).unwrap();
        let _ = fs::remove_file(self.path("index.json.minisig"));
        self.xtask(&["key", "sign", "index.json", "--sign", "key"]).is(0, "");
        let mut signature = fs::read(self.path("index.json.minisig")).unwrap();
        signature.extend_from_slice(index.as_bytes());
        [("index.json".into(), index.into_bytes()), ("index.json.minisig".into(), signature)]
    }

    fn publish(&self, entries: &[&Value]) {
        for (name, content) in self.sign(entries) {
            self.server.put(&name, Answer::File(content));
        }
    }

    /// Where the archive of an entry lies when it has come.
    fn cached(&self, entry: &Value) -> PathBuf {
        let text = |key: &str| entry[key].as_str().unwrap().to_owned();
        let name = format!("{}-{}.tar.zst", &text("sha256")[..16], text("bundle"));
        self.path("state/carveout/releases").join(name)
    }
}

fn part(file: &Path) -> PathBuf {
    file.with_extension("zst.part")
}

fn archive_of(entry: &Value) -> &str {
    entry["archive"].as_str().unwrap()
}

#[test]
fn no_server_fills_the_disk() {
    let channel = Channel::new();
    channel.server.put("index.json.minisig", Answer::Endless);
    channel.flash(&channel.server.url(), &[]).is(1, "sends more than the 4210688 bytes");
    // An index of its own, as releases had it before.
    channel.server.put("index.json.minisig", Answer::File(b"a signature".to_vec()));
    channel.server.put("index.json", Answer::Endless);
    channel.flash(&channel.server.url(), &[]).is(1, "sends more than the 4194304 bytes");
    let sent = channel.server.sent();
    assert!(sent < 64 * MIB, "{sent} bytes of both");
    let (_, entry) = channel.bundle("1");
    channel.publish(&[&entry]);
    channel.server.put(archive_of(&entry), Answer::Endless);
    channel.flash(&channel.server.url(), &[]).is(1, &format!("more than the {} bytes", entry["size"]));
    let sent = channel.server.sent() - sent;
    assert!(sent < 64 * MIB, "{sent} bytes of an archive");
    let file = channel.cached(&entry);
    assert!(!file.exists() && !part(&file).exists());
}

#[test]
fn no_server_keeps_us_waiting() {
    let index = |answer| {
        let channel = Channel::new();
        channel.server.put("index.json.minisig", answer);
        channel.flash(&channel.server.url(), &[]).is(3, "CARVEOUT_DOWNLOAD_TIMEOUT");
        channel.server.asked().len()
    };
    let archive = |answer| {
        let channel = Channel::new();
        let (_, entry) = channel.bundle("1");
        channel.publish(&[&entry]);
        channel.server.put(archive_of(&entry), answer);
        channel.flash(&channel.server.url(), &[]).is(3, "CARVEOUT_DOWNLOAD_TIMEOUT");
    };
    std::thread::scope(|threads| {
        for answer in [Answer::Silence, Answer::Slow] {
            let other = answer.clone();
            threads.spawn(|| assert_eq!(index(other), 3, "it is tried three times"));
            threads.spawn(|| archive(answer));
        }
        // What is slow without end, or endless where curl does not count.
        threads.spawn(|| assert_eq!(index(Answer::Trickle), 1));
        threads.spawn(|| index(Answer::EndlessRedirect));
        threads.spawn(|| archive(Answer::EndlessRedirect));
    });
}

#[test]
fn a_part_that_cannot_be_continued_is_dropped() {
    let channel = Channel::new();
    let (archive, entry) = channel.bundle("1");
    channel.publish(&[&entry]);
    let (file, half) = (channel.cached(&entry), archive.len() / 2);
    let longer = [&archive[..], b"more"].concat();
    let other = vec![b'x'; half];
    let same = vec![b'x'; archive.len()];
    let (ranges, none) = (Answer::File(archive.clone()), Answer::NoRanges(archive.clone()));
    for (what, left, answer) in [
        ("half", &archive[..half], &ranges),
        ("whole", &archive[..], &ranges),
        ("whole, no ranges", &archive[..], &none),
        ("too long", &longer[..], &ranges),
        ("too long, no ranges", &longer[..], &none),
        ("half, no ranges", &archive[..half], &none),
        ("of another file", &other[..], &ranges),
        ("of another file, as long", &same[..], &ranges),
    ] {
        let _ = fs::remove_file(&file);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(part(&file), left).unwrap();
        channel.server.put(archive_of(&entry), answer.clone());
        let ended = channel.flash(&channel.server.url(), &[]);
        let come = fs::read(&file).unwrap_or_default();
        assert!(come == archive && !part(&file).exists(), "{what}: {}", ended.said);
    }
}

#[test]
fn the_host_decides_what_must_be_https() {
    let channel = Channel::new();
    for place in [
        "http://localhost:x@evil.invalid/releases",
        "http://127.0.0.1:80@evil.invalid",
        "http://[::1]:@evil.invalid",
        "http://localhost:\\@evil.invalid/",
    ] {
        let ended = channel.flash(place, &[]);
        assert_eq!(ended.code, Some(2), "{place}: {}", ended.said);
    }
    // Nor does a proxy stand between us and this machine, who would get what is meant for it alone.
    let proxy = Server::new();
    let mut command = program(channel.dir.path());
    let place = channel.server.url().replace("://", "://me:word@");
    command.args(["flash", "--channel", &place, "--key", "key.pub", "--to", "virt:device.img"]);
    let output = command.env("http_proxy", proxy.url()).env("NO_PROXY", "x").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert_eq!((proxy.asked().len(), channel.server.asked().len()), (0, 1));
    // Nor does a redirect lead away from it.
    channel.server.put("index.json.minisig", Answer::Redirect(format!("{}/secret", channel.server.url())));
    channel.flash(&channel.server.url(), &[]).is(3, "redirects to something else than HTTPS");
    assert_eq!(channel.server.asked().len(), 1);
}

#[test]
fn an_address_is_one_address() {
    let channel = Channel::new();
    let (_, mut entry) = channel.bundle("1");
    let name = "desk-1-virt-tzdram[1-99]";
    (entry["bundle"], entry["archive"]) = (name.into(), format!("{name}/{name}.tar.zst").into());
    channel.publish(&[&entry]);
    channel.flash(&channel.server.url(), &[]).is(1, "an entry is none");
    assert_eq!(channel.server.asked().len(), 1);
    for glob in ["[1-99]", "{a,b,c}"] {
        channel.flash(&format!("{}/{glob}", channel.server.url()), &[]).is(2, "is no URL");
    }
    assert_eq!(channel.server.asked(), Vec::<String>::new());
}

#[test]
fn passwords_and_tokens_are_told_to_the_server_alone() {
    let channel = Channel::new();
    let (_, entry) = channel.bundle("1");
    channel.publish(&[&entry]);
    channel.server.put(archive_of(&entry), Answer::Slow);
    let url = format!("http://me-word:pass-word@127.0.0.1:{}/?sig=token-word", channel.server.port);
    let secrets = ["me-word", "pass-word", "token-word"];
    let flash = ["flash", "--channel", &url, "--key", "key.pub", "--to", "virt:device.img", "-v"];
    let (mut seen, mut curls) = (Vec::new(), 0);
    let ended = channel.watched(&flash, || {
        for process in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(arguments) = fs::read(process.path().join("cmdline")) else { continue };
            let arguments = String::from_utf8_lossy(&arguments).replace('\0', " ");
            curls += usize::from(arguments.starts_with("curl "));
            if arguments.starts_with("curl ") && secrets.iter().any(|secret| arguments.contains(secret)) {
                seen.push(arguments);
            }
        }
    });
    ended.is(3, &format!("http://…@127.0.0.1:{}/{}?…", channel.server.port, archive_of(&entry)));
    assert!(curls > 0, "no curl was seen");
    assert_eq!(seen, Vec::<String>::new());
    let asked = channel.server.asked();
    let told = |head: &String| {
        head.contains("?sig=token-word") && head.contains("Authorization: Basic bWUtd29yZDpwYXNzLXdvcmQ=")
    };
    assert!(asked.len() >= 3 && asked.iter().all(told), "{asked:?}");
    let mut texts = vec![ended.said];
    let mut folders = vec![channel.path("state")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            texts.push(entry.path().display().to_string());
            if entry.path().is_dir() {
                folders.push(entry.path());
                continue;
            }
            let mut bytes = Vec::new();
            fs::File::open(entry.path()).unwrap().read_to_end(&mut bytes).unwrap();
            texts.push(String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    for secret in secrets {
        assert_eq!(texts.iter().find(|text| text.contains(secret)), None, "{secret}");
    }
    // What is no address is not shown whole either.
    let bad = channel.flash("https://me-word:pass-word@host/{x}?sig=token-word", &[]);
    bad.is(2, "is no URL");
    assert!(!secrets.iter().any(|secret| bad.said.contains(secret)), "{}", bad.said);
}

#[test]
fn an_index_says_what_the_bundle_is() {
    let (old, new) = ("desk-1-virt-tzdram32M", "desk-9-virt-tzdram32M");
    let renamed = |entry: &mut Value, from: &str, to: &str| {
        *entry = serde_json::from_str(&entry.to_string().replace(from, to)).unwrap();
    };
    type Change<'a> = Box<dyn Fn(&mut Value) + 'a>;
    let changes: [(&str, Change); 6] = [
        (
            "bundle desk-9-virt",
            Box::new(|e| {
                renamed(e, old, new);
                e["version"] = "9".into();
            }),
        ),
        (
            "bundle desk2-1-virt",
            Box::new(|e| {
                renamed(e, old, "desk2-1-virt-tzdram32M");
                e["name"] = "desk2".into();
            }),
        ),
        ("security_version 7", Box::new(|e| e["security_version"] = 7.into())),
        ("an entry is none", Box::new(|e| e["version"] = "9".into())),
        ("bytes", Box::new(|e| e["size"] = (e["size"].as_u64().unwrap() + 1).into())),
        ("", Box::new(|e| e["sha256"] = "0".repeat(64).into())),
    ];
    for (words, change) in &changes {
        let channel = Channel::new();
        let (archive, mut entry) = channel.bundle("1");
        change(&mut entry);
        channel.publish(&[&entry]);
        channel.server.put(archive_of(&entry), Answer::File(archive.clone()));
        let ended = channel.flash(&channel.server.url(), &[]);
        ended.is(1, words);
        assert!(!ended.said.contains("not signed"), "it was taken: {}", ended.said);
        // The same of a folder.
        let folder = channel.path("folder");
        fs::create_dir_all(folder.join(archive_of(&entry)).parent().unwrap()).unwrap();
        fs::write(folder.join(archive_of(&entry)), &archive).unwrap();
        for (name, content) in channel.sign(&[&entry]) {
            fs::write(folder.join(name), content).unwrap();
        }
        let ended = channel.flash(folder.to_str().unwrap(), &[]);
        ended.is(1, words);
        assert!(!ended.said.contains("not signed"), "it was taken: {}", ended.said);
    }
}

#[test]
fn an_older_index_is_refused() {
    let channel = Channel::new();
    let [(first, one), (second, two)] = ["1.9.0", "1.10.0"].map(|version| channel.bundle(version));
    channel.server.put(archive_of(&one), Answer::File(first));
    channel.server.put(archive_of(&two), Answer::File(second));
    let url = channel.server.url();
    channel.publish(&[&one]);
    channel.flash(&url, &[]);
    assert!(channel.cached(&one).exists());
    channel.publish(&[&two, &one]);
    channel.flash(&url, &[]);
    assert!(channel.cached(&two).exists());
    channel.publish(&[&one]);
    channel.server.asked();
    for _ in 0..2 {
        let refused = channel.flash(&url, &[]);
        refused.is(1, "1.10.0 (security version 0) has been seen there");
        refused.is(1, "--allow-downgrade");
        // On purpose, for once.
        fs::remove_file(channel.cached(&one)).unwrap();
        channel.flash(&url, &["--allow-downgrade"]);
        assert!(channel.cached(&one).exists());
    }
    // A user, a port or a token more is the same channel.
    let other = format!("http://me:x@127.0.0.1:{}/?a=b", channel.server.port);
    channel.flash(&other, &[]).is(1, "has been seen there");
    // A record that is damaged is no leave to go back.
    for record in fs::read_dir(channel.path("state/carveout/channels")).unwrap().flatten() {
        fs::write(record.path(), "{").unwrap();
    }
    channel.flash(&url, &[]).is(1, "is unknown");
}
