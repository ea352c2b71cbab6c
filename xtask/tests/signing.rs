//! Signatures, with minisign itself on the other side, and SoftHSM as a token.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use carveout_host::tools::find;
use carveout_keys::pkcs11::PIN_VARIABLE;
use carveout_keys::{KEY_VARIABLE, PASSWORD_VARIABLE, public_key};
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const MODULES: [&str; 2] =
    ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"];
const PIN: &str = "7391-of-a-test";
const PASSWORD: &str = "a password of a test";

struct Desk {
    dir: TempDir,
}

impl Desk {
    /// None where a program is missing.
    fn new(programs: &[&str]) -> Option<Self> {
        if let Some(missing) = programs.iter().find(|name| find(name).is_none()) {
            println!("skipped: {missing} is not there");
            return None;
        }
        let desk = Self { dir: tempfile::tempdir().unwrap() };
        fs::write(desk.path("SHA256SUMS"), "00  manifest.json\n").unwrap();
        Some(desk)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn minisign(&self, arguments: &[&str]) -> Output {
        Command::new("minisign").args(arguments).current_dir(self.dir.path()).output().unwrap()
    }

    /// The same with what is typed.
    fn minisign_told(&self, arguments: &[&str], typed: &str) -> Output {
        let mut command = Command::new("minisign");
        command.args(arguments).current_dir(self.dir.path());
        let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = pipes.spawn().unwrap();
        write!(running.stdin.take().unwrap(), "{typed}").unwrap();
        running.wait_with_output().unwrap()
    }

    /// Our own program, in an environment of this test.
    fn xtask(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(arguments).envs(environment.iter().copied()).stdin(Stdio::null());
        command.env("SOFTHSM2_CONF", self.path("softhsm2.conf")).output().unwrap()
    }

    fn key(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Signs a file as `release` does.
fn sign(key: &str, file: &Path, comment: &str) -> String {
    let ui = carveout_host::ui::Ui::new(carveout_host::ui::Verbosity::Quiet);
    let signer = carveout_keys::Signer::open(Some(key), true, file.parent().unwrap(), &ui).unwrap();
    signer.sign(&fs::read(file).unwrap(), comment).unwrap()
}

#[test]
fn minisign_accepts_our_signatures_and_we_accept_its() {
    let Some(desk) = Desk::new(&["minisign"]) else { return };
    // Its key and ours.
    succeeded(&desk.minisign(&["-G", "-W", "-p", "its.pub", "-s", "its"]));
    succeeded(&desk.xtask(&["key", "new", &desk.key("ours"), "--no-password"], &[]));
    let sums = desk.path("SHA256SUMS");
    for name in ["its", "ours"] {
        let public = format!("{name}.pub");
        let comment = "name=desk version=1 board=virt security_version=0";
        fs::write(desk.path("SHA256SUMS.minisig"), sign(&desk.key(name), &sums, comment)).unwrap();
        let said = succeeded(&desk.minisign(&["-V", "-p", &public, "-m", "SHA256SUMS"]));
        assert!(said.contains("Signature and comment signature verified"), "{said}");
        assert!(said.contains(&format!("Trusted comment: {comment}")), "{said}");
        succeeded(&desk.minisign(&[
            "-S",
            "-s",
            name,
            "-m",
            "SHA256SUMS",
            "-t",
            "from minisign",
            "-x",
            "other",
        ]));
        let key = public_key(&desk.key(&public)).unwrap();
        let data = fs::read(&sums).unwrap();
        let signature = fs::read_to_string(desk.path("other")).unwrap();
        assert_eq!(key.verify(&data, signature.as_bytes()).unwrap(), "from minisign");
        assert!(key.verify(b"changed", signature.as_bytes()).is_err());
        // What we say of a key is what it says.
        let said = succeeded(&desk.xtask(&["key", "public", &desk.key(name)], &[]));
        assert_eq!(said.lines().nth(1), fs::read_to_string(desk.path(&public)).unwrap().lines().nth(1));
    }
    fs::write(&sums, "changed").unwrap();
    assert!(!desk.minisign(&["-V", "-p", "ours.pub", "-m", "SHA256SUMS"]).status.success());
}

#[test]
fn passwords_and_keys_come_from_the_environment_and_are_not_shown() {
    let Some(desk) = Desk::new(&["minisign"]) else { return };
    let made =
        desk.minisign_told(&["-G", "-p", "sealed.pub", "-s", "sealed"], &format!("{PASSWORD}\n{PASSWORD}\n"));
    succeeded(&made);
    let public = fs::read_to_string(desk.path("sealed.pub")).unwrap();
    let secret = fs::read_to_string(desk.path("sealed")).unwrap();
    let line = |output: &Output| text(&output.stdout).lines().nth(1).map(str::to_owned);
    let expected = public.lines().nth(1).map(str::to_owned);
    let sealed = desk.key("sealed");
    let good = [(PASSWORD_VARIABLE, PASSWORD)];
    assert_eq!(line(&desk.xtask(&["key", "public", &sealed], &good)), expected);
    let from_environment = [(PASSWORD_VARIABLE, PASSWORD), (KEY_VARIABLE, secret.as_str())];
    assert_eq!(line(&desk.xtask(&["key", "public"], &from_environment)), expected);
    let failures = [
        (vec![sealed.as_str()], vec![], "nobody is here to type it"),
        (vec![sealed.as_str()], vec![(PASSWORD_VARIABLE, "")], "nobody is here to type it"),
        (vec![sealed.as_str()], vec![(PASSWORD_VARIABLE, "wrong")], "Wrong password"),
        (vec![], vec![(PASSWORD_VARIABLE, PASSWORD)], "no key to sign with"),
        (vec![], vec![(KEY_VARIABLE, "nonsense")], "expected is a secret key of minisign's"),
    ];
    for (key, environment, expected) in failures {
        let failed = desk.xtask(&[&["key", "public"][..], &key].concat(), &environment);
        let said = text(&failed.stderr) + &text(&failed.stdout);
        assert_eq!(failed.status.code(), Some(2), "{said}");
        assert!(said.contains(expected) && !said.contains(PASSWORD), "{said}");
        assert!(!said.contains(secret.lines().nth(1).unwrap()), "{said}");
    }
}

/// Keys with a password go both ways, too; the password is typed to minisign.
#[test]
fn minisign_signs_with_our_keys_and_keeps_to_their_passwords() {
    let Some(desk) = Desk::new(&["minisign"]) else { return };
    let good = [(PASSWORD_VARIABLE, PASSWORD)];
    succeeded(&desk.xtask(&["key", "new", &desk.key("sealed")], &good));
    let sign = |password: &str| {
        desk.minisign_told(&["-S", "-s", "sealed", "-m", "SHA256SUMS"], &format!("{password}\n"))
    };
    assert!(!sign("wrong").status.success());
    succeeded(&sign(PASSWORD));
    let key = public_key(&desk.key("sealed.pub")).unwrap();
    let signature = fs::read(desk.path("SHA256SUMS.minisig")).unwrap();
    let comment = key.verify(&fs::read(desk.path("SHA256SUMS")).unwrap(), &signature).unwrap();
    assert!(comment.contains("\\tfile:SHA256SUMS"), "{comment}");
    // Files that went through Windows are the same keys; what is no secret key is called what it is.
    let crlf = |name: &str| fs::read_to_string(desk.path(name)).unwrap().replace('\n', "\r\n");
    fs::write(desk.path("crlf"), crlf("sealed")).unwrap();
    let said = succeeded(&desk.xtask(&["key", "public", &desk.key("crlf")], &good));
    assert_eq!(said, fs::read_to_string(desk.path("sealed.pub")).unwrap());
    let failed = desk.xtask(&["key", "public", &desk.key("sealed.pub")], &good);
    let said = text(&failed.stderr);
    assert!(
        failed.status.code() == Some(2) && said.contains("it is a public key, the secret one signs"),
        "{said}"
    );
}

#[test]
fn trusted_comments_may_be_what_minisign_reads_and_no_more() {
    let Some(desk) = Desk::new(&["minisign"]) else { return };
    succeeded(&desk.xtask(&["key", "new", &desk.key("ours"), "--no-password"], &[]));
    let (sums, ours) = (desk.key("SHA256SUMS"), desk.key("ours"));
    let sign =
        |comment: &str| desk.xtask(&["key", "sign", &sums, "--sign", &ours, "--comment", comment], &[]);
    let longest = "x".repeat(bundle::MAX_COMMENT);
    for comment in ["tabs\tand Größe", &longest] {
        succeeded(&sign(comment));
        let said = succeeded(&desk.minisign(&["-V", "-p", "ours.pub", "-m", "SHA256SUMS"]));
        assert!(said.contains(&format!("Trusted comment: {comment}")), "{said}");
    }
    for (comment, why) in [
        ("two\nlines", "more than one line"),
        (&format!("{longest}x"), "it has 8174 bytes, minisign takes 8173"),
    ] {
        let failed = sign(comment);
        let said = text(&failed.stderr);
        assert!(failed.status.code() == Some(2) && said.contains(why), "{said}");
    }
}

#[test]
fn a_key_in_a_token_signs_what_minisign_accepts() {
    let Some(desk) = Desk::new(&["minisign", "softhsm2-util", "openssl"]) else { return };
    let Some(module) = MODULES.into_iter().find(|module| Path::new(module).exists()) else {
        println!("skipped: libsofthsm2.so is not there");
        return;
    };
    fs::create_dir(desk.path("tokens")).unwrap();
    let settings = format!("directories.tokendir = {}\n", desk.path("tokens").display());
    fs::write(desk.path("softhsm2.conf"), settings).unwrap();
    let softhsm = |arguments: &[&str]| {
        let mut command = Command::new("softhsm2-util");
        command.args(arguments).env("SOFTHSM2_CONF", desk.path("softhsm2.conf"));
        succeeded(&command.output().unwrap())
    };
    softhsm(&["--init-token", "--free", "--label", "Releases", "--so-pin", "0000", "--pin", PIN]);
    let pem = desk.key("key.pem");
    let made =
        Command::new("openssl").args(["genpkey", "-algorithm", "ED25519", "-out", &pem]).output().unwrap();
    succeeded(&made);
    softhsm(&["--import", &pem, "--token", "Releases", "--label", "release", "--id", "01", "--pin", PIN]);
    let uri = format!("pkcs11:token=Releases;object=release?module-path={module}");
    let environment = [(PIN_VARIABLE, PIN)];
    let public = succeeded(&desk.xtask(&["key", "public", &uri], &environment));
    fs::write(desk.path("token.pub"), &public).unwrap();
    let wrong = desk.xtask(&["key", "public", &uri], &[(PIN_VARIABLE, "1")]);
    let said = text(&wrong.stderr);
    assert_eq!(wrong.status.code(), Some(3), "{said}");
    assert!(said.contains("the token refuses the PIN") && said.contains("--sign pkcs11:"), "{said}");
    let sums = desk.key("SHA256SUMS");
    let signed =
        desk.xtask(&["key", "sign", &sums, "--sign", &uri, "--comment", "from a token"], &environment);
    assert_eq!(succeeded(&signed).trim(), format!("{sums}.minisig"));
    let said = succeeded(&desk.minisign(&["-V", "-p", "token.pub", "-m", "SHA256SUMS"]));
    assert!(said.contains("Trusted comment: from a token"), "{said}");
}
