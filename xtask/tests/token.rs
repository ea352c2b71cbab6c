//! Keys in PKCS#11 tokens, with SoftHSM as the token. With CARVEOUT_L4T_BSP set to an L4T R32 BSP, what the stand-in for
//! NVIDIA's tegraopenssl leaves is compared with what that leaves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use carveout_host::error::Error;
use carveout_host::tools::{find, shell};
use carveout_keys::pkcs11::Uri;
use carveout_keys::token::{Purpose, Token, pin};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const PIN: &str = "7391-of-a-test";
/// Is signed.
const DATA: [u8; 1000] = [7; 1000];
const MODULES: [&str; 2] =
    ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"];

/// A token of SoftHSM in a folder of its own.
struct Hsm {
    dir: TempDir,
    module: &'static str,
}

impl Hsm {
    /// None where a program is missing.
    fn new() -> Option<Self> {
        Self::with("")
    }

    /// With more settings of SoftHSM.
    fn with(settings: &str) -> Option<Self> {
        let module = MODULES.into_iter().find(|module| Path::new(module).exists());
        let missing = ["softhsm2-util", "openssl", "python3"].into_iter().find(|name| find(name).is_none());
        let (None, Some(module)) = (missing, module) else {
            println!("skipped: {} is not there", missing.unwrap_or("libsofthsm2.so"));
            return None;
        };
        let hsm = Self { dir: tempfile::tempdir().unwrap(), module };
        let tokens = hsm.path("tokens");
        fs::create_dir(&tokens).unwrap();
        let text = format!("directories.tokendir = {}\n{settings}\n", tokens.display());
        fs::write(hsm.path("softhsm2.conf"), text).unwrap();
        hsm.init("Boot keys");
        Some(hsm)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn softhsm(&self, arguments: &[&str]) {
        let mut command = Command::new("softhsm2-util");
        command.args(arguments).args(["--pin", PIN]).env("SOFTHSM2_CONF", self.path("softhsm2.conf"));
        succeeded(&command.output().unwrap());
    }

    fn init(&self, label: &str) {
        self.softhsm(&["--init-token", "--free", "--label", label, "--so-pin", "0000"]);
    }

    /// Makes a key, and imports it as `label`.
    fn key(&self, label: &str, id: &str, algorithm: &[&str]) -> PathBuf {
        let path = self.path(&format!("{label}-{id}.pem"));
        openssl(&[&["genpkey", "-quiet", "-out", path.to_str().unwrap()], algorithm].concat());
        let import =
            ["--import", path.to_str().unwrap(), "--token", "Boot keys", "--label", label, "--id", id];
        self.softhsm(&import);
        path
    }

    fn rsa(&self, label: &str, id: &str, bits: u32) -> PathBuf {
        self.key(label, id, &["-algorithm", "RSA", "-pkeyopt", &format!("rsa_keygen_bits:{bits}")])
    }

    fn open(&self, uri: &str, pin: Option<&str>) -> Result<Token, Error> {
        self.open_for(uri, pin, Purpose::Boards)
    }

    fn open_for(&self, uri: &str, pin: Option<&str>, purpose: Purpose) -> Result<Token, Error> {
        self.open_by("", uri, pin, purpose)
    }

    /// `does`: what the module does besides, if it is [`Hsm::odd`].
    fn open_by(&self, does: &str, uri: &str, pin: Option<&str>, purpose: Purpose) -> Result<Token, Error> {
        let more = if uri.contains('?') { String::new() } else { format!("?module-path={}", self.module) };
        let sh = shell(self.dir.path()).unwrap();
        sh.set_var("SOFTHSM2_CONF", self.path("softhsm2.conf"));
        sh.set_var("REAL_MODULE", self.module);
        sh.set_var("MODULE_DOES", does);
        let program = Path::new(env!("CARGO_BIN_EXE_xtask"));
        Token::open(&sh, program, &Uri::parse(&format!("{uri}{more}")).unwrap(), pin, purpose)
    }

    /// What names a module with habits.
    fn odd(&self) -> String {
        let (source, module) = (self.path("module.c"), self.path("module.so"));
        fs::write(&source, include_str!("module.c")).unwrap();
        let output =
            Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&module, &source]).output().unwrap();
        succeeded(&output);
        format!("?module-path={}", module.display())
    }

    /// A folder with the stand-in, and a script in the place of NVIDIA's program.
    fn bootloader(&self) -> PathBuf {
        let folder = self.path("bootloader");
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir(&folder).unwrap();
        let real = folder.join("tegraopenssl");
        fs::write(&real, "#!/bin/sh\necho \"the real one: $*\"\n").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o755)).unwrap();
        carveout_vendor::l4t::replace(&folder.join("tegraopenssl"), carveout_keys::token::STAND_IN).unwrap();
        folder
    }
}

fn succeeded(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn openssl(arguments: &[&str]) -> String {
    succeeded(&Command::new("openssl").args(arguments).output().unwrap())
}

/// What NVIDIA's `do_rsa_pss` writes (tegrasign_v3_internal.py).
fn request(key: &Path, data: &[u8], size: usize, pkh: &str, mont: &str, out: &str) -> Vec<u8> {
    let name = |name: &str| if name.is_empty() { Vec::new() } else { format!("{name}\0").into_bytes() };
    let length = data.len().to_le_bytes()[..2].to_vec();
    let parts = [
        name(key.to_str().unwrap()),
        length,
        data.to_vec(),
        vec![b'0'; size],
        name(pkh),
        name(mont),
        name(out),
    ];
    let sizes = parts.iter().flat_map(|part| (part.len() as u32).to_le_bytes());
    sizes.chain(parts.iter().flatten().copied()).collect()
}

/// Everything that a program leaves of the calls that NVIDIA's scripts make; and two signatures of the same data.
fn calls(program: &Path, key: &Path, size: usize) -> (Vec<Vec<u8>>, [Vec<u8>; 2]) {
    let dir = tempfile::tempdir().unwrap();
    let read = |name: &str| fs::read(dir.path().join(name)).unwrap_or_default();
    let run = |arguments: &[&str]| {
        let output = Command::new(program).args(arguments).current_dir(dir.path()).output().unwrap();
        succeeded(&output).into_bytes()
    };
    let path = key.to_str().unwrap();
    let mut left = vec![run(&["--isPkcKey", path]), run(&["--isPkcKey", path, "pkh", "mont"])];
    left.extend([read("pkh"), read("mont")]);
    fs::write(dir.path().join("raw"), request(key, &DATA, size, "pkh2", "mont2", "sig")).unwrap();
    left.push(run(&["--rsa", "raw"]));
    left.extend([read("pkh2"), read("mont2")]);
    fs::write(dir.path().join("raw"), request(key, &DATA, size, "", "", "sig2")).unwrap();
    left.push(run(&["--rsa", "raw"]));
    let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    left.push(format!("{names:?}").into_bytes());
    (left, [read("sig"), read("sig2")])
}

/// What openssl says of a signature, little-endian, of our data.
fn verify(hsm: &Hsm, key: &Path, signature: &[u8]) -> String {
    let [public, sig, data] =
        ["pub.pem", "sig", "data"].map(|name| hsm.path(name).to_str().unwrap().to_owned());
    fs::write(&sig, signature.iter().rev().copied().collect::<Vec<_>>()).unwrap();
    fs::write(&data, DATA).unwrap();
    openssl(&["pkey", "-in", key.to_str().unwrap(), "-pubout", "-out", &public]);
    let pss = "dgst -sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32".split(' ');
    openssl(&pss.chain(["-verify", &public, "-signature", &sig, &data]).collect::<Vec<_>>())
}

#[test]
fn the_stand_in_leaves_what_nvidias_program_does() {
    let Some(hsm) = Hsm::new() else { return };
    for (bits, id) in [(2048_u32, "01"), (3072, "02")] {
        let size = bits as usize / 8;
        let key = hsm.rsa("pkc", id, bits);
        let token = hsm.open(&format!("pkcs11:token=Boot%20keys;object=pkc;id=%{id}"), Some(PIN)).unwrap();
        let program = hsm.bootloader().join("tegraopenssl");
        let (left, signatures) = calls(&program, token.key_file(), size);
        assert_eq!(left[0], format!("Key size is {size} bytes\n").into_bytes());
        assert_eq!((left[2].len(), left[3].len()), (size, if bits == 3072 { 2 * size } else { 0 }));
        let modulus = openssl(&["rsa", "-in", key.to_str().unwrap(), "-noout", "-modulus"]);
        let hex: String = left[2].iter().rev().map(|byte| format!("{byte:02X}")).collect();
        assert_eq!(modulus, format!("Modulus={hex}\n"));
        assert_eq!(verify(&hsm, &key, &signatures[0]), "Verified OK\n");
        assert!(!token.is_random() && signatures[0] == signatures[1]);
        match std::env::var("CARVEOUT_L4T_BSP") {
            Ok(bsp) => {
                let real = Path::new(&bsp).join("bootloader/tegraopenssl");
                assert!(calls(&real, &key, size) == (left, signatures), "{}", real.display());
            }
            Err(_) => {
                println!("skipped: CARVEOUT_L4T_BSP is not set: nothing is compared with NVIDIA's program")
            }
        }
        assert!(token.failure().is_none());
    }
}

#[test]
fn tokens_that_pad_by_themselves_sign_too() {
    let Some(hsm) = Hsm::with("slots.mechanisms = CKM_RSA_PKCS_PSS") else { return };
    let key = hsm.rsa("pkc", "01", 3072);
    let token = hsm.open("pkcs11:token=Boot%20keys;object=pkc", Some(PIN)).unwrap();
    let (_, signatures) = calls(&hsm.bootloader().join("tegraopenssl"), token.key_file(), 384);
    assert!(token.is_random() && signatures[0] != signatures[1]);
    for signature in signatures {
        assert_eq!(verify(&hsm, &key, &signature), "Verified OK\n");
    }
    let Some(hsm) = Hsm::with("slots.mechanisms = CKM_RSA_PKCS") else { return };
    hsm.rsa("pkc", "01", 2048);
    let error = hsm.open("pkcs11:token=Boot%20keys;object=pkc", Some(PIN)).err().unwrap();
    assert!(
        error.message.ends_with(": the token has not signed: C_SignInit: CKR_MECHANISM_INVALID"),
        "{error}"
    );
}

/// What a release is signed with.
#[test]
fn ed25519_keys_sign_messages() {
    let Some(hsm) = Hsm::new() else { return };
    let key = hsm.key("release", "01", &["-algorithm", "ED25519"]);
    let uri = "pkcs11:token=Boot%20keys;object=release";
    let token = hsm.open_for(uri, Some(PIN), Purpose::Releases).unwrap();
    let [public, sig, data] =
        ["pub.pem", "sig", "data"].map(|name| hsm.path(name).to_str().unwrap().to_owned());
    openssl(&["pkey", "-in", key.to_str().unwrap(), "-pubout", "-out", &public]);
    fs::write(&sig, token.sign(&DATA).unwrap()).unwrap();
    fs::write(&data, DATA).unwrap();
    let verify =
        ["pkeyutl", "-verify", "-pubin", "-inkey", &public, "-rawin", "-in", &data, "-sigfile", &sig];
    assert_eq!(openssl(&verify), "Signature Verified Successfully\n");
    let text = openssl(&["pkey", "-pubin", "-in", &public, "-noout", "-text"]);
    let hex: String = text.split("pub:").nth(1).unwrap().split_whitespace().collect();
    assert_eq!(hex.replace(':', ""), token.public());
    hsm.rsa("pkc", "02", 2048);
    let other =
        hsm.open_for("pkcs11:token=Boot%20keys;object=pkc", Some(PIN), Purpose::Releases).err().unwrap();
    assert!(other.message.starts_with("--sign pkcs11:"), "{other}");
    assert!(other.message.ends_with("the key does not suit releases: it is no Ed25519 key"), "{other}");
}

#[test]
fn modules_may_print_and_crash() {
    let Some(hsm) = Hsm::new() else { return };
    hsm.key("release", "01", &["-algorithm", "ED25519"]);
    let uri = format!("pkcs11:token=Boot%20keys;object=release{}", hsm.odd());
    let open = |does: &str| hsm.open_by(does, &uri, Some(PIN), Purpose::Releases);
    let token = open("print").unwrap();
    assert_eq!((token.public().len(), token.sign(&DATA).unwrap().len()), (64, 64));
    let error = open("crash").err().unwrap();
    assert_eq!(error.code, "keys::token::module-crashed", "{error}");
}

#[test]
fn keys_that_ask_for_the_pin_each_time_sign() {
    let Some(hsm) = Hsm::new() else { return };
    let key = hsm.rsa("pkc", "01", 2048);
    let uri = format!("pkcs11:token=Boot%20keys;object=pkc{}", hsm.odd());
    let token = hsm.open_by("ask", &uri, Some(PIN), Purpose::Boards).unwrap();
    let (_, signatures) = calls(&hsm.bootloader().join("tegraopenssl"), token.key_file(), 256);
    assert!(!token.is_random() && signatures[0] == signatures[1]);
    assert_eq!(verify(&hsm, &key, &signatures[0]), "Verified OK\n");
}

#[test]
fn all_other_calls_are_nvidias() {
    let Some(hsm) = Hsm::new() else { return };
    let key = hsm.rsa("pkc", "01", 2048);
    let token = hsm.open("pkcs11:token=Boot%20keys;id=%01", Some(PIN)).unwrap();
    let folder = hsm.bootloader();
    let run = |arguments: &[&str]| {
        let output =
            Command::new(folder.join("tegraopenssl")).args(arguments).current_dir(&folder).output().unwrap();
        (
            output.status.success(),
            String::from_utf8(output.stdout).unwrap(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let real = |arguments: &str| (true, format!("the real one: {arguments}\n"), String::new());
    assert_eq!(run(&[]), real(""));
    assert_eq!(run(&["--aesCbc", "raw"]), real("--aesCbc raw"));
    assert_eq!(run(&["--isPkcKey", key.to_str().unwrap()]), real(&format!("--isPkcKey {}", key.display())));
    fs::write(folder.join("raw"), request(&key, b"x", 256, "", "", "out")).unwrap();
    assert_eq!(run(&["--rsa", "raw"]), real("--rsa raw"));

    // Without anybody who signs, that is told, and nothing is left that could be taken for a signature.
    let lost = hsm.path("lost");
    fs::create_dir(&lost).unwrap();
    fs::copy(token.key_file(), lost.join("key")).unwrap();
    fs::write(folder.join("raw"), request(&lost.join("key"), &DATA, 256, "pkh", "mont", "out")).unwrap();
    let (success, _, error) = run(&["--rsa", "raw"]);
    assert!(
        !success && error.starts_with("Error: --rsa raw: the program that talks to the token has ended"),
        "{error}"
    );
    assert!(lost.join("failed").exists() && !folder.join("out").exists());
}

#[test]
fn what_is_wrong_is_told_without_the_pin() {
    let Some(hsm) = Hsm::new() else { return };
    hsm.init("Twin");
    hsm.init("Twin");
    hsm.rsa("pkc", "01", 2048);
    hsm.rsa("twice", "02", 2048);
    hsm.rsa("twice", "03", 2048);
    hsm.rsa("long", "04", 4096);
    hsm.key("curve", "05", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
    let fit = "the key does not suit boards: ";
    let cases = [
        ("pkcs11:token=Desk;object=pkc", Some(PIN), "no such token: there are Boot keys, Twin, Twin"),
        (
            "pkcs11:token=Twin;object=pkc",
            Some(PIN),
            "more than one token fits: there are Boot keys, Twin, Twin",
        ),
        ("pkcs11:token=Boot%20keys;object=pkc", None, "the token asks for a PIN, and none is given"),
        (
            "pkcs11:token=Boot%20keys;object=pkc",
            Some("7391"),
            "the token refuses the PIN (CKR_PIN_INCORRECT)",
        ),
        (
            "pkcs11:token=Boot%20keys;object=kpc",
            Some(PIN),
            "no such private key in the token: there are curve, long, pkc, twice, twice",
        ),
        ("pkcs11:token=Boot%20keys;object=twice", Some(PIN), "more than one private key fits"),
        ("pkcs11:token=Boot%20keys;object=curve", Some(PIN), &format!("{fit}it is no RSA key")),
        (
            "pkcs11:token=Boot%20keys;object=long",
            Some(PIN),
            &format!("{fit}it has 4096 bits and the public exponent 65537"),
        ),
        (
            "pkcs11:token=a;object=b?module-path=/no.so",
            Some(PIN),
            "the PKCS#11 module cannot be loaded: /no.so: cannot open shared object file: No such file or directory",
        ),
        (
            "pkcs11:token=a;object=b?module-path=/lib/x86_64-linux-gnu/libm.so.6",
            Some(PIN),
            "the PKCS#11 module cannot be loaded: /lib/x86_64-linux-gnu/libm.so.6: it has no C_GetFunctionList",
        ),
    ];
    for (uri, pin, expected) in cases {
        let error = hsm.open(uri, pin).err().unwrap();
        let shown = error.message.split(": ").skip(1).collect::<Vec<_>>().join(": ");
        assert_eq!(shown, expected, "{uri}");
        assert!(error.message.starts_with(&format!("l4t.pkc_key {uri}")), "{error}");
        assert!(error.remedy.is_some() && !error.to_string().contains("7391"), "{error}");
    }
}

#[test]
fn the_pin_is_nowhere_to_be_seen() {
    let Some(hsm) = Hsm::new() else { return };
    hsm.rsa("pkc", "01", 2048);
    let token = hsm.open("pkcs11:token=Boot%20keys;object=pkc", Some(PIN)).unwrap();
    let own: Vec<PathBuf> = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path()).collect();
    let files = own.iter().flat_map(|process| ["cmdline", "environ"].map(|name| process.join(name)));
    let key = token.key_file().parent().unwrap();
    let left = fs::read_dir(key).unwrap().map(|entry| entry.unwrap().path());
    for path in files.chain(left) {
        let bytes = fs::read(&path).unwrap_or_default();
        // softhsm2-util, which other tests start, takes it on its command line.
        if !bytes.starts_with(b"softhsm2-util") {
            assert!(!String::from_utf8_lossy(&bytes).contains(PIN), "{}", path.display());
        }
    }
    assert_eq!(fs::metadata(key).unwrap().permissions().mode() & 0o777, 0o700);
    drop(token);
}

#[test]
fn a_pin_is_read_from_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pin");
    let uri = Uri::parse(&format!("pkcs11:token=a;object=b?pin-source=file:{}", path.display())).unwrap();
    assert!(pin(&uri).unwrap_err().message.starts_with(&format!("{}: ", path.display())));
    fs::write(&path, "7391\r\n").unwrap();
    assert_eq!(pin(&uri).unwrap().as_deref(), Some("7391"));
    fs::write(&path, "\n").unwrap();
    assert_eq!(pin(&uri).unwrap(), None);
}
