//! NVIDIA's own trusted apps on the desk's security engine, and their answers beside those of NVIDIA's Python tools.

use super::real::{image, product};
use super::{Emulate, receive};
use crate::builds::util::run;
use crate::builds::vault::no_stores;
use carveout_desk::device_keys::{ECID, TEST_KEYS};
use carveout_host::dirs::Dirs;
use carveout_host::tools::shell;
use carveout_yocto::pip;
use carveout_yocto::pip::Package;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tegra_flash::ekb::luks::{Of, passphrase};
use tegra_flash::ekb::{Ekb, Key, Root, SAMPLE_VECTOR};
use tipc::Transport;

/// What NVIDIA's tools import.
const CRYPTOGRAPHY: Package = Package {
    name: "cryptography",
    version: "50.0.2",
    others: &["cffi==2.1.1", "pycparser==3.12", "pycryptodome==4.4.0"],
};
const KEK2: &str = "00112233445566778899aabbccddeeff";
const KEYS: [&str; 2] = ["101112131415161718191a1b1c1d1e1f", "202122232425262728292a2b2c2d2e2f"];
const CONTEXT: &str = "the second disk";
/// Commands of luks-srv.
const UNIQUE: u32 = 1;
const GENERIC: u32 = 2;

/// NVIDIA's tools, in a folder with key files.
struct Tools {
    dir: tempfile::TempDir,
    python: PathBuf,
    samples: PathBuf,
}

impl Tools {
    fn new() -> Self {
        let log = Dirs::find().logs().unwrap().join("cryptography.log");
        let python = pip::helper(&Dirs::find().home().join("tools"), &CRYPTOGRAPHY, &log).unwrap();
        let sources = std::env::var_os("CARVEOUT_L4T_SOURCES").unwrap();
        let samples = ["-name", "gen_ekb.py", "-print", "-quit"].map(Into::into);
        let gen_ekb = PathBuf::from(run("find", [sources].into_iter().chain(samples)).ok());
        let samples = gen_ekb.ancestors().nth(5).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let vector = SAMPLE_VECTOR.iter().map(|byte| format!("{byte:02x}")).collect();
        for (name, text) in
            [("kek2", KEK2.to_owned()), ("fv", vector), ("key1", KEYS[0].into()), ("key2", KEYS[1].into())]
        {
            fs::write(dir.path().join(name), text).unwrap();
        }
        Self { dir, python, samples: samples.into() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn run(&self, script: &str, arguments: &[&str]) -> String {
        let sh = shell(self.dir.path()).unwrap();
        let script = self.samples.join(script);
        let output =
            Command::from(pip::python(&sh, &self.python).arg(script).args(arguments)).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The EKB that `gen_ekb.py` makes.
    fn gen_ekb(&self) -> PathBuf {
        let [kek2, vector, key1, key2, out] =
            ["kek2", "fv", "key1", "key2", "eks.img"].map(|name| self.path(name));
        let words = [
            ("-kek2_key", &kek2),
            ("-fv", &vector),
            ("-in_sym_key", &key1),
            ("-in_sym_key2", &key2),
            ("-out", &out),
        ];
        let words: Vec<&str> =
            words.iter().flat_map(|(option, path)| [option, path.to_str().unwrap()]).collect();
        self.run("hwkey-agent/CA_sample/tool/gen_ekb/gen_ekb.py", &words);
        out
    }

    fn gen_luks_passphrase(&self, more: &[&str]) -> String {
        let key = self.path("key2");
        let words = [&["-c", CONTEXT, "-k", key.to_str().unwrap()], more].concat();
        self.run("luks-srv/CA_sample/tool/gen_luks_passphrase/gen_luks_passphrase.py", &words)
    }
}

/// What luks-srv answers.
fn ask(desk: &Emulate, command: u32) -> String {
    let mut channel = desk.connect("luks-srv.srv.passphrase-gen");
    let mut message = [&command.to_le_bytes()[..], CONTEXT.as_bytes()].concat();
    message.resize(60, 0);
    channel.send(&message).unwrap();
    hex(&receive(&mut channel).unwrap()[44..60])
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn start(bundle: &Path, more: &[&str]) -> Emulate {
    Emulate::start(tempfile::tempdir().unwrap(), bundle, more)
}

#[test]
fn nvidias_key_services_answer_as_its_tools_do() {
    let dir = tempfile::tempdir().unwrap();
    let Some(config) = product(dir.path(), "16MiB", "echo-srv") else { return };
    let bundle = PathBuf::from(image(&config, &dir.path().join("out"), &[]).ok());
    // The desk's own EKB.
    let desk = start(&bundle, &[]);
    for (command, of) in [(GENERIC, Of::Generic), (UNIQUE, Of::Device(ECID))] {
        let expected = passphrase(&Key::new(TEST_KEYS[1]), of, CONTEXT).unwrap();
        assert_eq!(ask(&desk, command), hex(expected.bytes()), "{of:?}");
    }
    desk.stop();
    // One that NVIDIA's tool has made, on a fused device.
    let tools = Tools::new();
    let ekb = tools.gen_ekb();
    let kek2 = tools.path("kek2");
    let keys = [
        "--ekb",
        ekb.to_str().unwrap(),
        "--kek2",
        kek2.to_str().unwrap(),
        "--ecid",
        "0xabcdef012345678900000040",
    ];
    let desk = start(&bundle, &keys);
    assert_eq!(ask(&desk, GENERIC), tools.gen_luks_passphrase(&["-g"]));
    assert_eq!(ask(&desk, UNIQUE), tools.gen_luks_passphrase(&["-u", "-e", "0xabcdef012345678900000040"]));
    desk.stop();
    // Of the lowest bits of a chip's number the agent takes only whether they are zero.
    let desk = start(&bundle, &["--ecid", "0xabcdef01234567890000006f"]);
    let expected =
        passphrase(&Key::new(TEST_KEYS[1]), Of::Device(0xabcdef01234567890000006f), CONTEXT).unwrap();
    assert_eq!(ask(&desk, UNIQUE), hex(expected.bytes()));
    desk.stop();
    // Ours is the same, byte for byte, given its IV.
    let bytes = fs::read(&ekb).unwrap();
    let root = Root::new(&Key::parse(KEK2.as_bytes()).unwrap(), &SAMPLE_VECTOR);
    let keys = KEYS.map(|key| Key::parse(key.as_bytes()).unwrap());
    assert_eq!(Ekb::seal(&root, &keys, bytes[32..48].first_chunk().copied()).unwrap(), bytes);
    // Another KEK2: the agent refuses the EKB, and says so.
    let desk = start(&bundle, &["--ekb", ekb.to_str().unwrap()]);
    assert!(desk.said().contains("EKB_CMAC verification is not match"), "{}", desk.said());
    let failure = desk.fails();
    assert!(failure.contains("hwkey-agent has ended: no trusted app gets a key"), "{failure}");
}

/// One request to examples/vault-srv: what, name, content.
fn vault(desk: &Emulate, what: u8, name: &str, content: &[u8]) -> Vec<u8> {
    let mut channel = desk.connect("com.carveout.srv.vault-srv");
    channel.send(&[&[what, name.len() as u8], name.as_bytes(), content].concat()).unwrap();
    receive(&mut channel).unwrap()
}

/// A trusted app of ours with a key of NVIDIA's agent, on NVIDIA's kernel.
#[test]
fn a_sealed_value_survives_a_restart_and_is_refused_on_another_ekb() {
    let dir = tempfile::tempdir().unwrap();
    let Some(config) = product(dir.path(), "16MiB", "vault-srv") else { return };
    let bundle = PathBuf::from(image(&config, &dir.path().join("out"), &[]).ok());
    let (_, _alone) = no_stores();
    let desk = start(&bundle, &[]);
    // What it keeps itself, by the daemon's own code.
    for (what, content) in [(5, &b""[..]), (6, b"4711")] {
        assert_eq!(vault(&desk, what, "pin", content), [0], "{}", desk.said());
    }
    let sealed = vault(&desk, 1, "counter", b"41");
    assert_eq!(sealed[0], 0, "{}", desk.said());
    assert!(!sealed.windows(2).any(|two| two == b"41"), "it is not in clear");
    desk.stop();
    let desk = start(&bundle, &[]);
    assert_eq!(vault(&desk, 2, "counter", &sealed[1..]), b"\x0041");
    assert_eq!(vault(&desk, 2, "another", &sealed[1..]), [3]);
    assert_eq!(vault(&desk, 7, "pin", b""), b"\x004711");
    desk.stop();
    // Another chip, and another EKB.
    let blob = Ekb::seal(&Root::sample(), &[Key::new([1; 16]), Key::new([2; 16])], None).unwrap();
    let ekb = dir.path().join("eks.img");
    fs::write(&ekb, &blob).unwrap();
    for other in [["--ecid", "0x1000000"], ["--ekb", ekb.to_str().unwrap()]] {
        let desk = start(&bundle, &other);
        assert_eq!(vault(&desk, 2, "counter", &sealed[1..]), [3], "{other:?}");
        assert_eq!(vault(&desk, 7, "pin", b""), [9], "{other:?}");
        desk.stop();
    }
    // The agent has ended: its key does not come, and the vault says so.
    fs::write(&ekb, [&blob[..20], &[blob[20] ^ 1], &blob[21..]].concat()).unwrap();
    let desk = start(&bundle, &["--ekb", ekb.to_str().unwrap()]);
    assert_eq!(vault(&desk, 1, "counter", b"41"), [2]);
    assert!(desk.said().contains("hwkey-agent gives no key: "), "{}", desk.said());
    let failure = desk.fails();
    assert!(failure.contains("hwkey-agent has ended: no trusted app gets a key"), "{failure}");
}
