//! Keys in PKCS#11 tokens: used in there, never exported.
//!
//! A helper of ours (`agent.py`) logs in once and makes signatures. In NVIDIA's place `tegraopenssl.py` sends it digests,
//! through a socket; a release's checksums go the same way. So NVIDIA's scripts know neither the PIN nor the token; a token that needs the network works although they
//! have none; and a wrong PIN is tried once, not with each of some eighty signatures, after which a token would be locked.

use crate::errors::TokenError;
use crate::pkcs11::{PIN_VARIABLE, Uri};
use carveout_host::error::{At, Error, Result};
use carveout_host::packages::Need;
use carveout_host::process;
use carveout_host::process::{Running, Streams};
use carveout_host::tools::{Scratch, read_limited, scratch};
use rustix::process::Signal;
use serde::Deserialize;
use serde_json::json;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use xshell::{Shell, cmd};

/// Knows the PKCS#11 modules that a system has. NVIDIA's tools run on x86-64 alone.
const P11_KIT: &str = "/usr/lib/x86_64-linux-gnu/p11-kit-proxy.so";
/// What is needed if the URI names no module.
pub const NEEDS: [Need; 1] =
    [Need { program: P11_KIT, package: "p11-kit", why: "finds tokens (l4t.pkc_key or --sign in a token)" }];
const AGENT: &str = include_str!("token/agent.py");
/// What signs with it in the place of `tegraopenssl`, a program of NVIDIA's.
pub const STAND_IN: &str = include_str!("token/tegraopenssl.py");
/// The first line of a file that stands for a key; `tegraopenssl.py` looks for it.
const MARK: &str = "carveout: a key in a PKCS#11 token";
/// Written by `tegraopenssl.py` when it has got no signature.
const FAILED: &str = "failed";
/// Bytes of a file with a PIN, at most.
const MAX_PIN: u64 = 4096;
/// How long the helper may take to end, in hundredths of a second.
const PATIENCE: u32 = 200;

/// What a key signs, which tells its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// What fused boards boot: an RSA key.
    Boards,
    /// Releases: an Ed25519 key.
    Releases,
}

impl Purpose {
    /// For the agent.
    fn kind(self) -> &'static str {
        match self {
            Self::Boards => "rsa",
            Self::Releases => "ed25519",
        }
    }

    /// What names the key.
    fn setting(self) -> &'static str {
        match self {
            Self::Boards => "l4t.pkc_key",
            Self::Releases => "--sign",
        }
    }
}

/// A token with a session, in which a key signs for as long as this lives.
pub struct Token {
    uri: Uri,
    purpose: Purpose,
    agent: Running,
    dir: Scratch,
    key_file: PathBuf,
    public: String,
    pads: bool,
}

/// What the agent says of the key, or of what failed.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Reply {
    public: String,
    pads: bool,
    failed: String,
    detail: String,
    seen: Vec<String>,
}

/// The PIN that the environment or the URI's file has.
pub fn pin(uri: &Uri) -> Result<Option<String>> {
    match (std::env::var(PIN_VARIABLE), &uri.pin_source) {
        (Ok(pin), _) if !pin.is_empty() => Ok(Some(pin)),
        (Err(std::env::VarError::NotUnicode(_)), _) => Err(TokenError::PinVariableNotUtf8.into()),
        (_, None) => Ok(None),
        (_, Some(path)) => {
            let bytes = read_limited(path, MAX_PIN).map_err(|error| {
                error.remedy(format!("put the PIN, and nothing else, into {PIN_VARIABLE} or the file"))
            })?;
            let text =
                String::from_utf8(bytes).map_err(|_| TokenError::PinFileNotUtf8 { path: path.clone() })?;
            Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()).filter(|pin| !pin.is_empty()))
        }
    }
}

impl Token {
    /// Logs in, finds the key, and has it sign something. The token's own settings are taken from `sh`.
    ///
    /// # Errors
    /// No such token or key, a wrong or missing PIN, a key of another kind.
    pub fn open(sh: &Shell, uri: &Uri, pin: Option<&str>, purpose: Purpose) -> Result<Self> {
        let dir = scratch("token")?;
        // Who can reach the socket in it can sign.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).at(dir.path())?;
        let script = dir.path().join("agent.py");
        carveout_host::files::put(&script, AGENT)?;
        sh.change_dir(dir.path());
        // The PIN is neither on the command line nor in the environment: both are seen by others, and by what a module starts.
        let streams = Streams { stdin: Stdio::piped(), stdout: Stdio::piped(), ..Streams::default() };
        let agent = process::start(cmd!(sh, "python3 -I {script}"), streams)
            .map_err(|unstarted| unstarted.of("the token"))?;
        let key_file = dir.path().join("pkc-in-token.key");
        let public = String::new();
        let mut token = Self { uri: uri.clone(), purpose, agent, dir, key_file, public, pads: false };
        let reply = token.ask(pin);
        if !reply.failed.is_empty() || reply.public.is_empty() {
            return Err(token.explain(&reply));
        }
        (token.public, token.pads) = (reply.public, reply.pads);
        let text = format!("{MARK}\n{}\n", token.public);
        carveout_host::files::put(&token.key_file, text)?;
        Ok(token)
    }

    fn ask(&mut self, pin: Option<&str>) -> Reply {
        let hex = |value: &Vec<u8>| value.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let wanted: serde_json::Map<_, _> =
            self.uri.wanted.iter().map(|(name, value)| ((*name).to_owned(), hex(value).into())).collect();
        let module = self.uri.module.clone().unwrap_or(P11_KIT.into());
        let kind = self.purpose.kind();
        let order = json!({ "module": module, "wanted": wanted, "kind": kind, "pin": pin });
        let mut line = String::new();
        let mut talk = |agent: &mut Running| {
            // Not taken out: the agent ends when its stdin does.
            agent.stdin().as_mut().map_or(Ok(()), |stdin| writeln!(stdin, "{order}"))?;
            agent.stdout().map_or(Ok(0), |stdout| BufReader::new(stdout).read_line(&mut line))
        };
        let talked = talk(&mut self.agent);
        match (talked, serde_json::from_str(&line)) {
            (Ok(_), Ok(reply)) => reply,
            // A module that crashes takes the agent with it.
            _ => Reply { failed: "died".into(), ..Reply::default() },
        }
    }

    /// Stands for the key with NVIDIA's tools.
    pub fn key_file(&self) -> &Path {
        &self.key_file
    }

    /// The public key in hexadecimal: an RSA key's modulus, an Ed25519 key's 32 bytes.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// SHA-256 of the public key.
    pub fn digest(&self) -> String {
        bundle::sha256(self.public.as_bytes())
    }

    /// Has the key sign: of an Ed25519 key a message, of an RSA key a SHA-256 digest.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let mut reply = Vec::new();
        let path = self.dir.path().join("socket");
        let talked = UnixStream::connect(path).and_then(|mut socket| {
            socket.write_all(message)?;
            socket.shutdown(Shutdown::Write)?;
            socket.read_to_end(&mut reply)
        });
        match (talked, reply.split_first()) {
            (Ok(_), Some((b'+', signature))) => Ok(signature.to_vec()),
            (Ok(_), Some((b'-', detail))) => {
                let detail = String::from_utf8_lossy(detail).into_owned();
                Err(self.explain(&Reply { failed: "sign".into(), detail, ..Reply::default() }))
            }
            _ => Err(self.explain(&Reply { failed: "died".into(), ..Reply::default() })),
        }
    }

    /// Whether signatures come out different each time, as the token pads them with a random salt.
    pub fn is_random(&self) -> bool {
        self.pads
    }

    fn explain(&self, reply: &Reply) -> Error {
        explain(&self.uri, self.purpose, reply)
    }

    /// Why a signature has failed, if one has.
    pub fn failure(&self) -> Option<Error> {
        let detail = fs::read_to_string(self.dir.path().join(FAILED)).ok()?;
        Some(self.explain(&Reply { failed: "sign".into(), detail, ..Reply::default() }))
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        // The end of its stdin lets it close the session; but a module may hang.
        drop(self.agent.stdin().take());
        for _ in 0..PATIENCE {
            if !matches!(self.agent.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.agent.signal(Signal::KILL);
    }
}

/// What the agent means, for people.
fn explain(uri: &Uri, purpose: Purpose, reply: &Reply) -> Error {
    let (setting, text) = (purpose.setting(), uri.text.clone());
    let (detail, seen) = (reply.detail.clone(), reply.seen.clone());
    match (reply.failed.as_str(), purpose) {
        ("module", _) => TokenError::NoModule { setting, uri: text, detail },
        ("no-token", _) => TokenError::NoToken { setting, uri: text, seen },
        ("many-tokens", _) => TokenError::SeveralTokens { setting, uri: text, seen },
        ("no-pin", _) => TokenError::NoPin { setting, uri: text },
        ("wrong-pin", _) => {
            let file = uri.pin_source.as_ref().map(|path| format!(", or the file {}", path.display()));
            let place = format!("{PIN_VARIABLE}{}", file.unwrap_or_default());
            TokenError::WrongPin { setting, uri: text, detail, place }
        }
        ("locked-pin", _) => TokenError::LockedPin { setting, uri: text, detail },
        ("no-key", _) => TokenError::NoKey { setting, uri: text, seen },
        ("many-keys", _) => TokenError::SeveralKeys { setting, uri: text },
        ("other-kind", Purpose::Boards) => TokenError::NotForBoards { setting, uri: text, detail },
        ("other-kind", Purpose::Releases) => TokenError::NotForReleases { setting, uri: text, detail },
        ("sign", Purpose::Boards) => TokenError::BoardsNotSigned { setting, uri: text, detail },
        ("sign", Purpose::Releases) => TokenError::ReleaseNotSigned { setting, uri: text, detail },
        ("died", _) => TokenError::ModuleCrashed { setting, uri: text },
        _ => TokenError::Failed { setting, uri: text, detail },
    }
    .into()
}
