//! Keys in PKCS#11 tokens: used in there, never exported.
//!
//! A process of ours, this program once more (`helper`), loads the token's module, logs in once and makes signatures. In NVIDIA's place
//! `tegraopenssl.py` sends it digests, through a socket; a release's checksums go the same way. So NVIDIA's scripts know neither the PIN
//! nor the token; a token that needs the network works although they have none; and a wrong PIN is tried once, not with each of some
//! eighty signatures, after which a token would be locked.

// A static program has no dynamic loader.
#[cfg(not(target_feature = "crt-static"))]
mod helper;
mod order;

pub use order::Purpose;

use crate::errors::TokenError;
use crate::pkcs11::{PIN_VARIABLE, Uri};
use crate::token::order::{Failure, Order, Reply, SOCKET, Step};
use carveout_host::error::{At, Error, Result};
use carveout_host::packages::Need;
use carveout_host::process;
use carveout_host::process::{Running, Streams};
use carveout_host::tools::{Scratch, read_limited, scratch};
use rustix::process::Signal;
use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;
use xshell::{Shell, cmd};

/// Knows the PKCS#11 modules that a system has. NVIDIA's tools run on x86-64 alone.
const P11_KIT: &str = "/usr/lib/x86_64-linux-gnu/p11-kit-proxy.so";
/// What is needed if the URI names no module.
pub const NEEDS: [Need; 1] =
    [Need { program: P11_KIT, package: "p11-kit", why: "finds tokens (l4t.pkc_key or --sign in a token)" }];
/// The program that runs, even if its file has been replaced meanwhile.
pub const OURSELVES: &str = "/proc/self/exe";
/// The verb that makes a process of ours the helper. It is in no help: nobody else calls it.
const HELPER: &str = "pkcs11-helper";
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

/// If this process is to be the helper: what it does, to its end. For `main`, before all else.
pub fn helper() -> Option<ExitCode> {
    #[cfg(not(target_feature = "crt-static"))]
    if std::env::args_os().nth(1).is_some_and(|verb| verb == HELPER) {
        return Some(helper::run());
    }
    None
}

/// A token with a session, in which a key signs for as long as this lives.
pub struct Token {
    uri: Uri,
    purpose: Purpose,
    helper: Running,
    dir: Scratch,
    key_file: PathBuf,
    public: String,
    pads: bool,
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
    /// Logs in, finds the key, and has it sign something. `program` is what becomes the helper: [`OURSELVES`], but for tests. The token's
    /// own settings are taken from `sh`.
    ///
    /// # Errors
    /// No such token or key, a wrong or missing PIN, a key of another kind.
    pub fn open(sh: &Shell, program: &Path, uri: &Uri, pin: Option<&str>, purpose: Purpose) -> Result<Self> {
        if cfg!(target_feature = "crt-static") {
            return Err(TokenError::StaticProgram { setting: setting(purpose), uri: uri.text.clone() }.into());
        }
        let dir = scratch("token")?;
        // Who can reach the socket in it can sign.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).at(dir.path())?;
        sh.change_dir(dir.path());
        // The PIN is neither on the command line nor in the environment: both are seen by others, and by what a module starts.
        let streams = Streams { stdin: Stdio::piped(), stdout: Stdio::piped(), ..Streams::default() };
        let mut helper = process::start(cmd!(sh, "{program} {HELPER}"), streams)
            .map_err(|unstarted| unstarted.of("the token"))?;
        let (public, pads) = match ask(&mut helper, uri, pin, purpose) {
            Reply::Ready { public, pads } => (public, pads),
            Reply::Failed(failure) => return Err(explain(uri, purpose, failure)),
        };
        let key_file = dir.path().join("pkc-in-token.key");
        carveout_host::files::put(&key_file, format!("{MARK}\n{public}\n"))?;
        Ok(Self { uri: uri.clone(), purpose, helper, dir, key_file, public, pads })
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
        let path = self.dir.path().join(SOCKET);
        let talked = UnixStream::connect(path).and_then(|mut socket| {
            socket.write_all(message)?;
            socket.shutdown(Shutdown::Write)?;
            socket.read_to_end(&mut reply)
        });
        match (talked, reply.split_first()) {
            (Ok(_), Some((b'+', signature))) => Ok(signature.to_vec()),
            (Ok(_), Some((b'-', detail))) => {
                Err(self.explain(Failure::new(Step::Sign, String::from_utf8_lossy(detail))))
            }
            _ => Err(self.explain(Failure::new(Step::Died, ""))),
        }
    }

    /// Whether signatures come out different each time, as the token pads them with a random salt.
    pub fn is_random(&self) -> bool {
        self.pads
    }

    fn explain(&self, failure: Failure) -> Error {
        explain(&self.uri, self.purpose, failure)
    }

    /// Why a signature has failed, if one has.
    pub fn failure(&self) -> Option<Error> {
        let detail = fs::read_to_string(self.dir.path().join(FAILED)).ok()?;
        Some(self.explain(Failure::new(Step::Sign, detail)))
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        // The end of its stdin lets it close the session; but a module may hang.
        drop(self.helper.stdin().take());
        for _ in 0..PATIENCE {
            if !matches!(self.helper.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.helper.signal(Signal::KILL);
    }
}

/// Tells the helper which key is wanted, and waits for its answer.
fn ask(helper: &mut Running, uri: &Uri, pin: Option<&str>, purpose: Purpose) -> Reply {
    let order = Order {
        module: uri.module.clone().unwrap_or(P11_KIT.into()),
        wanted: uri.wanted.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        purpose,
        pin: pin.map(ToOwned::to_owned),
    };
    let talk = |helper: &mut Running| -> io::Result<Reply> {
        let order = serde_json::to_string(&order)?;
        let mut line = String::new();
        // Not taken out: the helper ends when its stdin does.
        helper.stdin().as_mut().map_or(Ok(()), |stdin| writeln!(stdin, "{order}"))?;
        helper.stdout().map_or(Ok(0), |stdout| BufReader::new(stdout).read_line(&mut line))?;
        Ok(serde_json::from_str(&line)?)
    };
    // A module that crashes takes the helper with it.
    talk(helper).unwrap_or_else(|_| Reply::Failed(Failure::new(Step::Died, "")))
}

/// What names the key.
fn setting(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Boards => "l4t.pkc_key",
        Purpose::Releases => "--sign",
    }
}

/// What a failure means, for people.
fn explain(uri: &Uri, purpose: Purpose, failure: Failure) -> Error {
    let (setting, text) = (setting(purpose), uri.text.clone());
    let Failure { step, detail, seen } = failure;
    match (step, purpose) {
        (Step::Module, _) => TokenError::NoModule { setting, uri: text, detail },
        (Step::NoToken, _) => TokenError::NoToken { setting, uri: text, seen },
        (Step::SeveralTokens, _) => TokenError::SeveralTokens { setting, uri: text, seen },
        (Step::NoPin, _) => TokenError::NoPin { setting, uri: text },
        (Step::WrongPin, _) => {
            let file = uri.pin_source.as_ref().map(|path| format!(", or the file {}", path.display()));
            let place = format!("{PIN_VARIABLE}{}", file.unwrap_or_default());
            TokenError::WrongPin { setting, uri: text, detail, place }
        }
        (Step::LockedPin, _) => TokenError::LockedPin { setting, uri: text, detail },
        (Step::NoKey, _) => TokenError::NoKey { setting, uri: text, seen },
        (Step::SeveralKeys, _) => TokenError::SeveralKeys { setting, uri: text },
        (Step::OtherKind, Purpose::Boards) => TokenError::NotForBoards { setting, uri: text, detail },
        (Step::OtherKind, Purpose::Releases) => TokenError::NotForReleases { setting, uri: text, detail },
        (Step::Sign, Purpose::Boards) => TokenError::BoardsNotSigned { setting, uri: text, detail },
        (Step::Sign, Purpose::Releases) => TokenError::ReleaseNotSigned { setting, uri: text, detail },
        (Step::Token, _) => TokenError::Failed { setting, uri: text, detail },
        (Step::Died, _) => TokenError::ModuleCrashed { setting, uri: text },
    }
    .into()
}
