//! Text that would command a terminal, hide, turn around or forge a line, wherever it may come from. The answer: it is shown escaped,
//! within the line that tells of it.

mod secrets;

use crate::report::small;
use bundle::Manifest;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;
use tempfile::TempDir;
use trusty_abi::text::is_unseen;
use virt_device::{Device, DevicePart, Installed};

/// A window title, a cleared screen, red by C1, a line of our own, and what turns a line around.
const HOSTILE: &str = "\x1b]0;x\x07\x1b[2J\u{9b}31m\r\nok: verified\u{202e}";
/// The same for those who would take what follows for a line of the message.
const INDENTED: &str = "\x1b]8;;http://x\x1b\\\x1b]52;c;eA==\x07\n  help: verified\u{2066}\u{200b}\u{7f}";

struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), bytes).unwrap();
        self.path(name).display().to_string()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(arguments).env("XDG_STATE_HOME", self.path("state"));
        command
    }

    /// Runs a verb for people and for machines, and looks at all that it prints.
    fn run(&self, arguments: &[&str]) -> String {
        let text = clean(&self.command(arguments).output().unwrap(), arguments);
        let output = self.command(&[arguments, &["--json"]].concat()).output().unwrap();
        clean(&output, arguments);
        let document: Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{arguments:?}: {e}"));
        let words: Vec<String> = arguments.iter().map(|word| (*word).to_owned()).collect();
        assert_eq!(crate::schema::faults(&words, &document), Vec::<String>::new(), "{arguments:?}");
        text
    }
}

/// Both streams, without anything that a terminal would obey, and without a line that a value has begun.
fn clean(output: &Output, what: &[&str]) -> String {
    let mut all = String::new();
    for stream in [&output.stdout, &output.stderr] {
        let text = std::str::from_utf8(stream).unwrap_or_else(|e| panic!("{what:?}: {e}"));
        let raw: String = text.chars().filter(|c| is_unseen(*c) && !"\n\t".contains(*c)).collect();
        assert_eq!(raw, "", "{what:?}: {text}");
        let forged = |line: &&str| {
            let line = line.trim_start();
            line.starts_with("ok: verified") || line.starts_with("help: verified")
        };
        assert_eq!(text.lines().find(forged), None, "{what:?}: {text}");
        all.push_str(text);
    }
    assert!(!all.contains("panicked at"), "{what:?}: {all}");
    all
}

/// Each way to put a hostile text into one of the strings of a value.
fn hostile(value: &Value) -> Vec<Value> {
    fn strings(value: &Value, at: &str, found: &mut Vec<String>) {
        match value {
            Value::String(_) => found.push(at.to_owned()),
            Value::Array(values) => {
                values.iter().enumerate().for_each(|(i, v)| strings(v, &format!("{at}/{i}"), found));
            }
            Value::Object(values) => values.iter().for_each(|(k, v)| {
                strings(v, &format!("{at}/{}", k.replace('~', "~0").replace('/', "~1")), found);
            }),
            _ => {}
        }
    }
    let mut found = Vec::new();
    strings(value, "", &mut found);
    let one = |at: &String| {
        [HOSTILE, INDENTED].map(|text| {
            let mut value = value.clone();
            *value.pointer_mut(at).unwrap() = text.into();
            value
        })
    };
    found.iter().flat_map(one).collect()
}

#[test]
fn no_field_of_a_manifest_reaches_the_terminal() {
    let place = Place::new();
    let good = place.path(&small::write(place.0.path(), "1.0.0", 32 << 20)).display().to_string();
    let bad = place.path(&small::write(place.0.path(), "1.0.1", 32 << 20));
    let path = bad.join("manifest.json");
    let mut value: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    value["inputs"]["git_revision"] = "abc".into();
    value["inputs"]["bsp"] = "32.7.2".into();
    value["inputs"]["toolchains"] = json!({ "rustc": "1", HOSTILE: "2" });
    value["inputs"]["given"] = json!([{ "name": "a", "file": "a.elf", "supplier": "x" }]);
    value["trusted_apps"][0]["ports"] =
        json!([{ "name": "port", "allow_ta_connect": true, "allow_ns_connect": true }]);
    let (mut read, mut tried) = (0, 0);
    let manifest: Manifest = serde_json::from_value(value.clone()).unwrap();
    Manifest::from_text(&manifest.to_text().unwrap()).unwrap();
    for value in hostile(&value) {
        // A field of another type than text is refused by the reader, in words of its own.
        let text = match serde_json::from_value::<Manifest>(value.clone()) {
            Ok(manifest) => manifest.to_text().unwrap(),
            Err(_) => format!("{value:#}"),
        };
        read += usize::from(Manifest::from_text(&text).is_ok());
        tried += 1;
        fs::write(&path, text).unwrap();
        let bad = bad.display().to_string();
        place.run(&["inspect", &bad]);
        place.run(&["verify", &bad]);
        if tried % 8 == 0 {
            place.run(&["diff", &good, &bad]);
            place.run(&["report", &bad, "-o", &place.path("page.html").display().to_string()]);
            place.run(&["flash", &bad, "--to", &format!("virt:{}", place.path("d.img").display())]);
        }
    }
    assert!(read > 10 && tried > 50, "{read} of {tried} are manifests");
}

#[test]
fn no_text_in_a_file_reaches_the_terminal() {
    let place = Place::new();
    let xml = "&#x9b;31m&#10;ok: verified&#x202e;&#13;&#x7f;";
    let layout = |name: &str, kind: &str, size: &str, file: &str| {
        format!(
            "<partition_layout><device type='{kind}' sector_size='512' num_sectors='9999'><partition name='{name}' type='{kind}'>\
             <size> {size} </size><filename> {file} </filename></partition></device></partition_layout>"
        )
    };
    let raw = HOSTILE.replace("\r\n", "\r");
    let cfg = |key: &str, value: &str| {
        format!(
            "carveout.tzdram.size = 0x02000000;\ncarveout.tzdram.alignment = 0x00100000;\n{key} = {value};\n{key} = 1;\n"
        )
    };
    let yaml = r#""\e]0;x\a\e[2J\x9b31m\r\nok: verified\u202e""#;
    let toml = r#""\u001b]0;x\u0007\u009b31m\r\nok: verified\u202e""#;
    let app = |uuid: &str, port: &str| {
        format!(
            "[package]\nname = 'x'\n[package.metadata.trusty]\nuuid = {uuid}\nmin_heap = 4096\nmin_stack = 4096\n\
             start_ports = [{{ name = {port}, flags = {{ allow_ns_connect = true, allow_ta_connect = true }} }}]\n"
        )
    };
    let files = [
        layout(xml, "sdmmc_user", "65536", "a"),
        layout("a", xml, "65536", "a"),
        layout("a", "sdmmc_user", xml, "a"),
        layout("a", "sdmmc_user", "65536", xml),
        layout("a", "sdmmc_user", "65536", "a").replace("</device>", xml),
        cfg(&format!("key{raw}"), "2"),
        cfg("key", &raw),
        cfg("carveout.tzdram.size", &raw),
        app("'c5a1a9e2-5d5f-4f0e-9a52-0f1ec4e0c001'", toml),
        app(toml, "'com.x'"),
        format!("#!/bin/{raw}\n"),
        format!("-----BEGIN X{raw}Y-----\n"),
        format!("untrusted comment: {raw}\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n"),
        format!("{{\"format\": 1, \"x\": {raw:?}"),
        raw.clone(),
    ];
    for (number, text) in files.iter().enumerate() {
        let file = place.file(&format!("file-{number}"), text);
        place.run(&["inspect", &file]);
        place.run(&["verify", &file]);
        place.run(&["emulate", &file, "--backend", "unicorn"]);
    }
    // A config as YAML writes control characters, in each place.
    for text in [
        format!("name: {yaml}\nversion: 1.0.0\nboard: virt\n"),
        format!("name: a\nversion: {yaml}\nboard: virt\n"),
        format!("name: a\nversion: 1.0.0\nboard: {yaml}\n"),
        format!("{yaml}: 1\n"),
        format!("name: a\nversion: 1.0.0\nboard: virt\ntrusted_apps: [{yaml}]\n"),
        format!("name: a\nversion: 1.0.0\nboard: virt\nclient_apps: [{yaml}]\ntzdram: {{ size: {yaml} }}\n"),
        format!("name: a\nversion: 1.0.0\nboard: virt\nl4t: {{ pkc_key: {yaml} }}\n"),
        raw,
    ] {
        let file = place.file("product.yaml", &text);
        let told = place.run(&["plan", "--offline", "-c", &file]);
        assert!(told.starts_with("error: "), "{told}");
    }
}

#[test]
fn no_device_and_no_channel_reaches_the_terminal() {
    let place = Place::new();
    let size = 1 << 20;
    let partitions: Vec<(String, u64)> =
        ["APP", "APP_b", "UDA", "a\u{9b}31m\u{202e}\nok: verified"].map(|name| (name.into(), size)).into();
    let whole = virt_device::needed(&partitions).unwrap();
    let name = place.path("d.img");
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(&name).unwrap();
    file.set_len(whole).unwrap();
    let mut device = Device::create(file, whole, &partitions).unwrap();
    for _ in 0..2 {
        let sha256 = bundle::sha256(b"app");
        let placed = device.write(DevicePart::App, &mut &b"app"[..], 3, &sha256, HOSTILE).unwrap();
        let installed = Installed {
            bundle: HOSTILE.into(),
            board: INDENTED.into(),
            digest: HOSTILE.into(),
            security_version: 0,
            parts: BTreeMap::from([(DevicePart::App, placed)]),
        };
        device.switch(installed).unwrap();
    }
    drop(device);
    let virt = format!("virt:{}", name.display());
    let bundle = place.path(&small::write(place.0.path(), "1.0.0", 32 << 20)).display().to_string();
    let inspected = place.run(&["inspect", &virt]);
    assert!(inspected.contains("active       \\u{1b}]0;x\\u{7}"), "{inspected}");
    place.run(&["inspect", &name.display().to_string()]);
    place.run(&["flash", &bundle, "--to", &virt, "--dry-run"]);
    place.run(&["flash", &bundle, "--to", &virt]);
    place.run(&["backup", &virt, "-o", &place.path("app.img").display().to_string()]);
    place.run(&["emulate", &virt, "--backend", "unicorn"]);
    place.run(&["rollback", &virt]);
    let entry = json!({ "bundle": "a", "archive": "a/a.tar.zst", "name": "a", "version": "1", "board": "virt",
        "security_version": 0, "size": 1, "sha256": "0".repeat(64) });
    let mut indexes: Vec<Value> = hostile(&json!({ "format": 1, "channels": { "stable": [entry] } }));
    indexes.push(json!({ "format": 1, "channels": { HOSTILE: [] } }));
    indexes.push(json!({ "format": 1, HOSTILE: [] }));
    let to = format!("virt:{}", place.path("other.img").display());
    for index in indexes {
        fs::create_dir_all(place.path("channel")).unwrap();
        place.file("channel/index.json", index.to_string());
        for channel in ["channel", "channel#stable", "channel#\x1b[2J\nok: verified"] {
            place.run(&["flash", "--channel", &place.path(channel).display().to_string(), "--to", &to]);
        }
    }
}

/// What a technician looks at later.
#[test]
fn no_record_commands_the_terminal() {
    use carveout_field::device::record::{RECORDS, Record, security_version};
    let place = Place::new();
    let mut record = Record::begin(place.0.path(), "flash", "1-2", HOSTILE, INDENTED);
    (record.chip, record.security_version) = (Some(HOSTILE.into()), 3);
    record.step(INDENTED, || Ok(())).unwrap();
    record.end(place.0.path(), Ok(())).unwrap();
    let text = fs::read_to_string(place.path(RECORDS)).unwrap();
    assert!(!text.chars().any(|c| is_unseen(c) && c != '\n') && text.contains("\\u009b"), "{text}");
    assert_eq!(text.lines().count(), 1);
    assert_eq!(security_version(place.0.path(), HOSTILE).unwrap(), 3, "machines read the very same");
}

#[test]
fn no_name_and_no_argument_reaches_the_terminal() {
    let place = Place::new();
    let bundle = place.path(&small::write(place.0.path(), "1.0.0", 32 << 20)).display().to_string();
    let sealed = place.path("sealed").display().to_string();
    let made = place.command(&["key", "new", &sealed]).env("CARVEOUT_SIGN_PASSWORD", "x").output().unwrap();
    assert!(made.status.success(), "{made:?}");
    for text in [HOSTILE, INDENTED] {
        let name = text.replace('/', "|");
        let key = place.file(&format!("key{name}"), fs::read(&sealed).unwrap());
        // On a terminal that asks for a password, there are our own colours.
        let quoted = format!("'{}' key public '{key}'", env!("CARGO_BIN_EXE_xtask"));
        let mut script = Command::new("script");
        let typed = place.file("typed", "\n");
        script.args(["-qec", &quoted, "/dev/null"]).env("XDG_STATE_HOME", place.path("state"));
        let output = script.stdin(fs::File::open(typed).unwrap()).output().unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.contains("password of ") && told.contains("\\u{1b}]"), "{told}");
        assert!(!["\x1b]", "\u{9b}", "\u{202e}", "\u{2066}"].iter().any(|raw| told.contains(raw)), "{told}");
        let missing = place.path(&format!("no{name}")).display().to_string();
        let there = place.file(&name, "text");
        let virt = format!("virt:{there}");
        let option = format!("--{text}");
        let value = format!("--backend={text}");
        for file in [&there, &missing] {
            place.run(&["inspect", file]);
            place.run(&["verify", file]);
            place.run(&["verify", &bundle, "--key", file]);
            place.run(&["diff", file, &bundle]);
            place.run(&["report", file]);
            place.run(&["emulate", file, "--backend", "unicorn"]);
            place.run(&["flash", file, "--to", &virt]);
            place.run(&["flash", &bundle, "--to", file]);
            place.run(&["key", "public", file]);
            place.run(&["plan", "--offline", "-c", file]);
        }
        place.run(&["flash", &bundle, "--to", &virt]);
        place.run(&["rollback", &virt]);
        place.run(&["rollback", text]);
        place.run(&["backup", &virt, "-o", &missing]);
        place.run(&["restore", &virt, "--app", &missing]);
        for arguments in
            [vec![text], vec!["verify", &bundle, text], vec!["verify", &option], vec!["emulate", "x", &value]]
        {
            let told = place.run(&arguments);
            assert!(told.contains("\\u{1b}]"), "{told}");
        }
        // What the environment says, too.
        for variable in ["XDG_STATE_HOME", "TMPDIR", "CARVEOUT_SIGN_KEY", "CARVEOUT_QEMU", "PATH"] {
            for arguments in [
                &["flash", &bundle, "--to", &format!("virt:{}", place.path(variable).display())][..],
                &["emulate", &bundle, "--backend", "unicorn"],
                &["key", "public"],
            ] {
                if variable != "PATH" || arguments[0] != "emulate" {
                    // Some of them are made.
                    let folder = place.path(&format!("there/{text}"));
                    let output = place.command(arguments).env(variable, folder).output().unwrap();
                    clean(&output, &[variable, arguments[0]]);
                }
            }
        }
    }
}

#[test]
fn no_tool_reaches_the_terminal() {
    let place = Place::new();
    for text in [HOSTILE, INDENTED] {
        let script = format!("#!/bin/sh\ncat <<'EOF'\nerror: {text}\n\nEOF\nexit 7\n");
        place.file("tool", script);
        fs::set_permissions(place.path("tool"), fs::Permissions::from_mode(0o755)).unwrap();
        let tools = carveout_field::device::tool::Tools {
            dir: place.0.path().into(),
            instance: "1-1".into(),
            log: place.path("log"),
        };
        let error = tools.run("tool", &["x"], Duration::from_secs(20)).unwrap_err();
        shown_clean(&error);
        let sh = carveout_host::tools::shell(place.0.path()).unwrap();
        let tool = place.path("tool");
        let error =
            carveout_host::tools::run("tool", xshell::cmd!(sh, "{tool}"), &place.path("log")).unwrap_err();
        shown_clean(&error);
        assert!(error.to_string().contains("\\u{1b}]"), "{error}");
    }
}

fn shown_clean(error: &carveout_host::error::Error) {
    let text = error.to_string();
    assert!(!text.chars().any(|c| is_unseen(c) && !"\n\t".contains(c)), "{text}");
    assert!(
        !text.lines().any(|line| line.starts_with("ok: verified") || line.starts_with("  help: verified")),
        "{text}"
    );
}
