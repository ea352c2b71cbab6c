//! What minisign's own program accepts, we accept; what it refuses, we refuse. Its exit code is the yardstick, for files that people have
//! and for hundreds of damaged ones.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bundle::{MAX_COMMENT, PublicKey, SignatureError};
use std::fs;
use std::process::{Command, Output};
use tempfile::TempDir;

const DATA: &[u8] = b"0123  manifest.json\n";
/// Signatures and keys that are made up for a run.
const MUTATIONS: usize = 200;

struct Desk(TempDir);

impl Desk {
    /// None where a program is missing.
    fn new(programs: &[&str]) -> Option<Self> {
        for program in programs {
            if Command::new(program).arg("-h").output().is_err() {
                println!("skipped: {program} is not there");
                return None;
            }
        }
        let desk = Self(tempfile::tempdir().unwrap());
        desk.write("SHA256SUMS", DATA);
        Some(desk)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        Command::new(program).args(arguments).current_dir(self.0.path()).output().unwrap()
    }

    fn must(&self, program: &str, arguments: &[&str]) {
        let output = self.run(program, arguments);
        let last = arguments.last().map_or("", |text| &text[..text.len().min(80)]);
        assert!(output.status.success(), "{program} … {last}: {}", String::from_utf8_lossy(&output.stderr));
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.0.path().join(name), bytes).unwrap();
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.0.path().join(name)).unwrap()
    }

    /// A signature of minisign's.
    fn signed(&self, options: &[&str]) -> Vec<u8> {
        let all = [&["-S", "-s", "key", "-m", "SHA256SUMS", "-x", "signature"][..], options].concat();
        self.must("minisign", &all);
        self.read("signature")
    }

    /// Whether minisign and we accept a signature by a key; the word of both.
    fn verdicts(&self, key: &[u8], signature: &[u8]) -> (bool, String, Result<String, SignatureError>) {
        self.write("given.pub", key);
        self.write("given", signature);
        let said = self.run("minisign", &["-V", "-p", "given.pub", "-m", "SHA256SUMS", "-x", "given"]);
        let text = String::from_utf8_lossy(&[said.stdout, said.stderr].concat()).into_owned();
        let ours = PublicKey::parse_file(key).and_then(|key| key.verify(DATA, signature));
        (said.status.success(), text, ours)
    }

    fn agree(&self, what: &str, key: &[u8], signature: &[u8]) -> Result<String, SignatureError> {
        let (good, said, ours) = self.verdicts(key, signature);
        let given =
            format!("{:.200}\n{:.900}", key.escape_ascii().to_string(), signature.escape_ascii().to_string());
        assert_eq!(good, ours.is_ok(), "{what}: minisign says {said:?}, we say {ours:?}, of\n{given}");
        ours
    }
}

fn keyed() -> Option<(Desk, Vec<u8>)> {
    let desk = Desk::new(&["minisign"])?;
    desk.must("minisign", &["-G", "-W", "-p", "key.pub", "-s", "key"]);
    let public = desk.read("key.pub");
    Some((desk, public))
}

fn crlf(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().flat_map(|byte| if *byte == b'\n' { vec![b'\r', b'\n'] } else { vec![*byte] }).collect()
}

fn replaced(bytes: &[u8], old: &str, new: &str) -> Vec<u8> {
    let text = bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
    assert!(text.contains(old), "{text}");
    text.replacen(old, new, 1).chars().map(|c| u8::try_from(c).unwrap()).collect()
}

#[test]
fn what_people_sign_with_minisign_is_accepted() {
    let Some((desk, public)) = keyed() else { return };
    // Its writer has a smaller buffer than its reader.
    let long = "x".repeat(4070);
    let cases: [(&str, &[&str]); 8] = [
        ("the defaults", &[]),
        ("a trusted comment", &["-t", "Größe geprüft — ok"]),
        ("an untrusted comment", &["-c", "from us"]),
        ("legacy", &["-l"]),
        ("legacy with comments", &["-l", "-t", "a\tb", "-c", "c\td"]),
        ("a long trusted comment", &["-t", &long]),
        ("what a terminal would obey", &["-t", "\u{1b}[2J\u{202e}gone\\"]),
        ("no text at all", &["-t", " ", "-c", " "]),
    ];
    for (what, options) in cases {
        let signature = desk.signed(options);
        let comment = desk.agree(what, &public, &signature).unwrap();
        assert!(!comment.contains(char::is_control), "{what}: {comment:?}");
        if let Some(at) = options.iter().position(|option| *option == "-t") {
            let given = options[at + 1].escape_debug().to_string();
            assert_eq!(comment, given, "{what}");
        } else {
            let tabs = if what == "legacy" { 1 } else { 2 };
            let expected = if what == "legacy" { "file:SHA256SUMS" } else { "\\tfile:SHA256SUMS\\thashed" };
            assert!(comment.starts_with("timestamp:") && comment.ends_with(expected), "{what}: {comment}");
            assert_eq!(comment.matches("\\t").count(), tabs, "{what}: {comment}");
        }
        // Through Windows; without its last line's end; with something behind.
        let no_end = signature.strip_suffix(b"\n").unwrap();
        let behind = [&signature, &b"\n\ngarbage\0"[..]].concat();
        for changed in [&crlf(&signature)[..], no_end, &behind] {
            desk.agree(what, &crlf(&public), changed).unwrap();
        }
    }
    // An untrusted comment that is too long to be read again is a warning to who signs, and an error to who verifies.
    for length in [1003, 1004, 1005] {
        let signature = desk.signed(&["-c", &"c".repeat(length)]);
        let accepted = desk.agree("a long untrusted comment", &public, &signature).is_ok();
        assert_eq!(accepted, length <= 1003, "{length}");
    }
    // The longest trusted comment that its reader takes, and one byte more, by its own key.
    let secret = bundle::secret_key(&desk.read("key")).unwrap();
    let key = ed25519_dalek::SigningKey::from_bytes(secret[62..94].try_into().unwrap());
    let raw = |data: &[u8]| Ok::<_, ()>(ed25519_dalek::Signer::sign(&key, data).to_bytes());
    let trusted = PublicKey::parse_file(&public).unwrap();
    for length in [MAX_COMMENT, MAX_COMMENT + 1] {
        let signature = bundle::sign(&trusted, DATA, &"x".repeat(length), raw).unwrap();
        let accepted = desk.agree("the longest trusted comment", &public, signature.as_bytes()).is_ok();
        assert_eq!(accepted, length == MAX_COMMENT);
    }
    // Latin-1 is no UTF-8.
    let latin = replaced(&desk.signed(&["-t", "plain"]), "plain", "pl\u{e4}in");
    assert_eq!(desk.agree("a changed comment", &public, &latin), Err(SignatureError::WrongComment));
}

#[test]
fn what_minisign_refuses_is_refused_with_its_reason() {
    let Some((desk, public)) = keyed() else { return };
    desk.must("minisign", &["-G", "-W", "-p", "other.pub", "-s", "other"]);
    let signature = desk.signed(&["-t", "name=a"]);
    let line = |bytes: &[u8], number: usize| bytes.split(|b| *b == b'\n').nth(number).unwrap().to_vec();
    let two_lines = [line(&signature, 0), line(&signature, 1), vec![]].join(&b'\n');
    let cases: [(&str, Vec<u8>, Vec<u8>, &str); 11] = [
        ("another key", desk.read("other.pub"), signature.clone(), "signed by key"),
        (
            "a changed comment",
            public.clone(),
            replaced(&signature, "name=a", "name=b"),
            "the comment has been changed",
        ),
        ("signify's form", public.clone(), two_lines, "line 3, the trusted comment, is missing"),
        (
            "no trusted comment",
            public.clone(),
            replaced(&signature, "trusted comment: name", "comment: name"),
            "line 3 does not begin",
        ),
        ("a comment in front", public.clone(), [b"\n", &signature[..]].concat(), "line 1 does not begin"),
        (
            "a byte order mark",
            public.clone(),
            [b"\xef\xbb\xbf", &signature[..]].concat(),
            "line 1 does not begin",
        ),
        ("nothing", public.clone(), Vec::new(), "it is empty"),
        (
            "a space behind",
            public.clone(),
            [signature.strip_suffix(b"\n").unwrap(), b" \n"].concat(),
            "line 4 is no base64",
        ),
        ("an unknown algorithm", public.clone(), replaced(&signature, "\nRU", "\nRX"), "unknown algorithm"),
        ("the key alone in a file", line(&public, 1), signature.clone(), "the key in line 1"),
        ("a secret key", desk.read("key"), signature.clone(), "it is a secret key"),
    ];
    for (what, key, signature, why) in cases {
        let error = desk.agree(what, &key, &signature).unwrap_err().to_string();
        assert!(error.contains(why), "{what}: {error}");
    }
    // Signed for other contents.
    desk.write("SHA256SUMS", b"others\n");
    assert!(
        !desk
            .run("minisign", &["-V", "-p", "key.pub", "-m", "SHA256SUMS", "-x", "signature"])
            .status
            .success()
    );
    let key = PublicKey::parse_file(&public).unwrap();
    assert_eq!(key.verify(b"others\n", &signature), Err(SignatureError::Wrong));
}

#[test]
fn a_key_is_given_as_text_as_minisign_takes_it() {
    let Some((desk, public)) = keyed() else { return };
    let text = String::from_utf8(public).unwrap().lines().nth(1).unwrap().to_owned();
    let signature = desk.signed(&[]);
    let changed = [
        text.clone(),
        format!("{text}\n"),
        format!("{text}\r"),
        format!(" {text}"),
        text.to_lowercase(),
        text[1..].into(),
        format!("{text}AAAA"),
        format!("{}=", &text[..55]),
        String::new(),
    ];
    for (index, text) in changed.iter().enumerate() {
        let arguments = ["-V", "-q", "-P", text, "-m", "SHA256SUMS", "-x", "signature"];
        let theirs = desk.run("minisign", &arguments).status.success();
        let ours = PublicKey::parse_text(text).and_then(|key| key.verify(DATA, &signature));
        assert_eq!(theirs, ours.is_ok(), "{text:?}: {ours:?}");
        assert_eq!(theirs, index == 0, "{text:?}");
    }
}

/// signify's keys have the same form; its signatures have no trusted comment.
#[test]
fn of_signify_the_keys_are_taken_and_the_signatures_refused() {
    let Some(desk) = Desk::new(&["minisign", "signify-openbsd"]) else { return };
    desk.must("signify-openbsd", &["-G", "-n", "-p", "s.pub", "-s", "s.sec"]);
    desk.must("signify-openbsd", &["-S", "-s", "s.sec", "-m", "SHA256SUMS", "-x", "s.sig"]);
    let (key, signature) = (desk.read("s.pub"), desk.read("s.sig"));
    PublicKey::parse_file(&key).unwrap();
    let error = desk.agree("signify", &key, &signature).unwrap_err().to_string();
    assert!(error.contains("`minisign -S` makes one that has it"), "{error}");
    desk.agree("signify's secret key", &desk.read("s.sec"), &signature).unwrap_err();
    assert_eq!(bundle::secret_key(&desk.read("s.sec")), None);
}

/// Numbers that are the same each time (xorshift64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most.max(1) as u64) as usize
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }
}

fn mutated(bytes: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    let (at, line) = (numbers.below(bytes.len()), numbers.below(lines.len()));
    let special = numbers.of(b"\n\r\0 \t=A+:/\xc3\x1b");
    let spaces = numbers.of(&["\n", "\r\n", "\0", " ", "\t", "\r", "", "x", "=", "\rx", "\0x"]);
    match numbers.below(12) {
        0 => [&bytes[..at], &[special], &bytes[at + 1..]].concat(),
        1 => [&bytes[..at], &[special], &bytes[at..]].concat(),
        2 => [&bytes[..at], &bytes[at + 1..]].concat(),
        3 => bytes[..at].to_vec(),
        4 => [bytes, spaces.as_bytes(), &bytes[at..]].concat(),
        5 => {
            lines.insert(line, spaces.as_bytes().to_vec());
            lines.concat()
        }
        6 => {
            lines.swap(line, 0);
            lines.concat()
        }
        7 => {
            lines.remove(line);
            lines.concat()
        }
        8 => {
            let again = lines[line].clone();
            lines.insert(line, again);
            lines.concat()
        }
        // Another end of a line.
        9 => {
            let text = lines[line].strip_suffix(b"\n").unwrap_or(&lines[line]).to_vec();
            lines[line] = [&text[..], spaces.as_bytes(), b"\n"].concat();
            lines.concat()
        }
        // The last character of base64 text has bits that no byte needs.
        10 => {
            let end = lines[line].iter().rposition(|b| !b"=\r\n".contains(b)).unwrap_or(0);
            lines[line][end] =
                numbers.of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
            lines.concat()
        }
        _ => {
            let more = numbers.of(&[1, 900, 1023, 1024, 8170, 8191, 8192, 20_000]);
            let end = lines[line].len() - 1;
            lines[line].splice(end..end, std::iter::repeat_n(b'x', more));
            lines.concat()
        }
    }
}

#[test]
fn damaged_files_get_the_verdict_that_minisign_gives() {
    let Some((desk, public)) = keyed() else { return };
    let signatures = [desk.signed(&["-t", "name=a"]), desk.signed(&["-l"]), crlf(&desk.signed(&[]))];
    let (mut numbers, mut accepted) = (Numbers(0x5eed_0005), [0; 2]);
    for index in 0..MUTATIONS {
        let signature = &signatures[index % signatures.len()];
        let damaged = mutated(signature, &mut numbers);
        accepted[0] += usize::from(desk.agree("a damaged signature", &public, &damaged).is_ok());
        let damaged = mutated(&public, &mut numbers);
        accepted[1] += usize::from(desk.agree("a damaged key", &damaged, signature).is_ok());
    }
    // Both verdicts are there.
    for accepted in accepted {
        assert!((MUTATIONS / 20..MUTATIONS).contains(&accepted), "{accepted} of {MUTATIONS} accepted");
    }
}
