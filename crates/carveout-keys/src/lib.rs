//! Keys that say who has made a release: minisign's, in a file, in the environment or in a PKCS#11 token.

pub mod ekb;
pub mod errors;
pub mod pkcs11;
pub mod secret;
pub mod token;
use crate::errors::{KeyFileError, SignError, VerifyError};
use crate::pkcs11::{Uri, is_uri, without_pin};
use crate::token::{Purpose, Token};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};
use bundle::{Claim, KeyId, MAX_COMMENT, MAX_SIGNATURE, Manifest, PublicKey, RAW, Signed};
use carveout_host::error::{At, Result};
use carveout_host::files;
use carveout_host::files::{NewFile, OUTPUT, SECRET};
use carveout_host::packages;
use carveout_host::tools::shell;
use carveout_host::ui;
use carveout_host::ui::Ui;
use ed25519_dalek::{Signer as _, SigningKey};
use minisign::SecretKeyBox;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;

/// The environment variable with the text of a secret key's file.
pub const KEY_VARIABLE: &str = "CARVEOUT_SIGN_KEY";
/// The one with the key's password.
pub const PASSWORD_VARIABLE: &str = "CARVEOUT_SIGN_PASSWORD";
/// Bytes before the key's identifier in minisign's secret key: algorithms, salt, limits.
const HEAD: usize = 2 + 2 + 2 + 32 + 8 + 8;
const KEY_ID: usize = 8;
const SEED: usize = 32;
/// How such a key begins.
const ALGORITHM: &[u8] = b"Ed";
/// How a secret key begins that a password seals: Ed25519, scrypt, BLAKE2b.
const WITH_PASSWORD: &[u8; 6] = b"EdScB2";
/// The same of one that none seals.
const WITHOUT_PASSWORD: &[u8; 6] = b"Ed\0\0B2";

type Blake2b256 = Blake2b<U32>;

/// What signs.
pub struct Signer {
    public: PublicKey,
    key: Key,
}

enum Key {
    File(Box<SigningKey>),
    Token(Box<Token>),
}

/// Whether a bundle's maker is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authenticity {
    /// It has no signature.
    Unsigned,
    /// It has one, and no key was given to check it with.
    NotChecked(Claim),
    /// The owner of a trusted key has made it.
    Verified {
        /// Which key.
        key: KeyId,
        /// The trusted comment.
        comment: String,
    },
}

impl Authenticity {
    /// In words.
    pub fn text(&self) -> String {
        match self {
            Self::Unsigned => "not signed: this says that the bundle is whole, not who made it".into(),
            Self::NotChecked(claim) => format!(
                "authenticity was not checked: it says that key {} has signed it; --key PUB checks that",
                claim.key
            ),
            Self::Verified { key, comment } => format!("signed by key {key}: {comment}"),
        }
    }

    /// Of a bundle, by the key that is trusted, if there is one.
    pub fn of(path: &Path, signed: Option<&Signed>, key: Option<&PublicKey>) -> Result<Self> {
        let wrong =
            |e: bundle::SignatureError| VerifyError::WrongSignature { path: path.into(), source: e.into() };
        match (signed, key) {
            (None, None) => Ok(Self::Unsigned),
            (None, Some(key)) => {
                Err(VerifyError::NotSigned { path: path.into(), key: key.id().to_string() }.into())
            }
            (Some(signed), None) => Ok(Self::NotChecked(signed.claim().map_err(wrong)?)),
            (Some(signed), Some(key)) => {
                let comment = signed.check(key).map_err(wrong)?;
                Ok(Self::Verified { key: key.id(), comment })
            }
        }
    }
}

/// The trusted comment of a bundle's signature.
pub fn comment(manifest: &Manifest) -> String {
    format!(
        "name={} version={} board={} security_version={}",
        manifest.name, manifest.version, manifest.board, manifest.security_version
    )
}

/// Refuses a trusted comment that minisign could not verify.
pub fn ensure_comment(comment: &str) -> Result<()> {
    if comment.contains(['\r', '\n', '\0']) {
        return Err(SignError::CommentHasLines.into());
    }
    match comment.len() {
        length if length > MAX_COMMENT => Err(SignError::CommentTooLong { length, most: MAX_COMMENT }.into()),
        _ => Ok(()),
    }
}

/// A public key: minisign's `.pub` file, or what is in its second line.
pub fn public_key(given: &str) -> Result<PublicKey> {
    let path = Path::new(given);
    let parsed =
        if path.exists() { PublicKey::parse_file(&read_head(path)?) } else { PublicKey::parse_text(given) };
    parsed.map_err(|e| {
        let (given, source) = (secret::shown(given), e.into());
        if path.exists() {
            VerifyError::WrongKeyFile { given, source }
        } else {
            VerifyError::WrongKey { given, source }
        }
        .into()
    })
}

/// As much of a key's file as matters. It may be a pipe that the caller has opened: `--key <(command)`.
fn read_head(path: &Path) -> Result<Vec<u8>> {
    let file = if ["/dev/fd", "/dev/stdin", "/proc/self/fd"].iter().any(|dir| path.starts_with(dir)) {
        fs::File::open(path).at(path)?
    } else {
        files::open(path)?
    };
    let mut bytes = Vec::new();
    file.take(MAX_SIGNATURE).read_to_end(&mut bytes).at(path)?;
    Ok(bytes)
}

impl Signer {
    /// The key that `--sign` names, or that the environment holds.
    pub fn open(given: Option<&str>, offline: bool, logs: &Path, ui: &Ui) -> Result<Self> {
        match (given, std::env::var(KEY_VARIABLE)) {
            (Some(uri), _) if is_uri(uri) => Self::token(uri, offline, logs, ui),
            (Some(text), _) if secret::is_text(text) => Err(secret::given_as_text("--sign")),
            (Some(path), _) if without_pin(path) != path => {
                Err(SignError::PinGiven { given: without_pin(path) }.into())
            }
            (Some(path), _) => {
                let path = Path::new(path);
                files::warn_of_readers(path, ui);
                Self::file(&read_head(path)?, &path.display().to_string())
            }
            // A variable may have got blank lines around the file's text.
            (None, Ok(text)) if !text.trim().is_empty() => Self::file(text.trim().as_bytes(), KEY_VARIABLE),
            (None, _) => Err(SignError::NoKey.into()),
        }
    }

    fn token(uri: &str, offline: bool, logs: &Path, ui: &Ui) -> Result<Self> {
        let parsed =
            Uri::parse(uri).map_err(|reason| SignError::WrongUri { uri: without_pin(uri), reason })?;
        if parsed.module.is_none() {
            packages::ensure(&token::NEEDS, offline, &logs.join("host.log"), ui)?;
        }
        let pin = token::pin(&parsed)?;
        let token = Token::open(
            &shell(logs)?,
            Path::new(token::OURSELVES),
            &parsed,
            pin.as_deref(),
            Purpose::Releases,
        )?;
        let mut bytes = [0; 32];
        hex::decode_to_slice(token.public(), &mut bytes)
            .map_err(|_| SignError::WrongPublicKey { uri: without_pin(uri) })?;
        let public = PublicKey::from_raw(bytes);
        Ok(Self { public, key: Key::Token(Box::new(token)) })
    }

    fn file(file: &[u8], place: &str) -> Result<Self> {
        let place = place.to_owned();
        let Some(bytes) = bundle::secret_key(file) else {
            return Err(match PublicKey::parse_file(file) {
                Ok(_) => KeyFileError::PublicKey { place },
                Err(_) => KeyFileError::NotAKey { place },
            }
            .into());
        };
        let kind = bytes.first_chunk::<6>().copied().unwrap_or_default();
        let bytes = match &kind {
            WITHOUT_PASSWORD => bytes.to_vec(),
            WITH_PASSWORD => {
                let text = format!("untrusted comment: \n{}\n", STANDARD.encode(bytes));
                let sealed = match SecretKeyBox::from_string(&text) {
                    Ok(sealed) => sealed,
                    Err(e) => return Err(KeyFileError::Unreadable { place, source: e.into() }.into()),
                };
                let password = password(&format!("password of {place}: "))?;
                match sealed.into_secret_key(Some(password)) {
                    Ok(key) => key.to_bytes(),
                    // minisign's library knows no other cause.
                    Err(e) => return Err(KeyFileError::WrongPassword { place, source: e.into() }.into()),
                }
            }
            _ => return Err(KeyFileError::UnknownAlgorithm { place }.into()),
        };
        Self::of(&bytes).ok_or_else(|| KeyFileError::Changed { place }.into())
    }

    /// Of the bytes of minisign's secret key.
    fn of(bytes: &[u8]) -> Option<Self> {
        let (id, keys) = bytes.get(HEAD..)?.split_first_chunk::<KEY_ID>()?;
        let (seed, keys) = keys.split_first_chunk::<SEED>()?;
        let (public, checksum) = keys.split_first_chunk::<SEED>()?;
        let key = SigningKey::from_bytes(seed);
        let sum = Blake2b256::new()
            .chain_update(ALGORITHM)
            .chain_update(id)
            .chain_update(seed)
            .chain_update(public);
        // minisign 0.11 leaves the checksum of a key without a password out.
        if checksum.iter().any(|byte| *byte != 0) && *checksum != *sum.finalize() {
            return None;
        }
        if key.verifying_key().as_bytes() != public || !bytes.starts_with(ALGORITHM) {
            return None;
        }
        let public = PublicKey::parse_text(&STANDARD.encode([ALGORITHM, id, public].concat())).ok()?;
        Some(Self { public, key: Key::File(Box::new(key)) })
    }

    /// Its public key.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// A signature of `data` in minisign's format.
    pub fn sign(&self, data: &[u8], comment: &str) -> Result<String> {
        let raw = |message: &[u8]| -> Result<[u8; RAW]> {
            match &self.key {
                Key::File(key) => Ok(key.sign(message).to_bytes()),
                Key::Token(token) => token
                    .sign(message)?
                    .try_into()
                    .map_err(|bytes: Vec<u8>| SignError::WrongLength { length: bytes.len() }.into()),
            }
        };
        let text = bundle::sign(&self.public, data, comment, raw)?;
        // A token may have signed with another key than it tells.
        self.public
            .verify(data, text.as_bytes())
            .map_err(|e| SignError::WrongSignature { source: e.into() })?;
        Ok(text)
    }
}

/// From the environment, or from whoever sits at the terminal.
fn password(prompt: &str) -> Result<String> {
    if let Some(password) = std::env::var(PASSWORD_VARIABLE).ok().filter(|password| !password.is_empty()) {
        return Ok(password);
    }
    let asked = ui::ask(prompt).map_err(|source| SignError::NoTerminal { prompt: prompt.into(), source })?;
    asked.ok_or_else(|| SignError::NoPassword { prompt: prompt.into() }.into())
}

/// Makes a key: a secret file, and a public one beside it. The public key.
pub fn generate(path: &Path, with_password: bool) -> Result<PublicKey> {
    let public_path = public_path(path);
    // Before anybody types a password.
    if let Some(there) = [path, &public_path].into_iter().find(|path| path.symlink_metadata().is_ok()) {
        return Err(files::exists(there)
            .remedy("name another file: a key that is lost or overwritten cannot be made again"));
    }
    let (mut secret_file, mut public_file) =
        (NewFile::create(path, SECRET)?, NewFile::create(&public_path, OUTPUT)?);
    let failed = |e: minisign::PError| KeyFileError::NotMade { path: path.into(), source: e.into() };
    let pair = if with_password {
        let password = password("password for the new key: ")?;
        if password.is_empty() {
            return Err(KeyFileError::EmptyPassword { path: path.into() }.into());
        }
        // With a slip of the finger in it nobody could use the key. From the environment it comes the same.
        if self::password("the same again: ")? != password {
            return Err(KeyFileError::PasswordsDiffer { path: path.into() }.into());
        }
        minisign::KeyPair::generate_encrypted_keypair(Some(password))
    } else {
        minisign::KeyPair::generate_unencrypted_keypair()
    }
    .map_err(failed)?;
    let public = PublicKey::parse_text(&pair.pk.to_base64())
        .map_err(|e| KeyFileError::WrongNewKey { source: e.into() })?;
    let secret = pair.sk.to_box(Some("minisign secret key of carveout")).map_err(failed)?.into_string();
    // Both are whole before either has its name.
    secret_file.write_all(secret.as_bytes()).at(path)?;
    public_file.write_all(public.to_text().as_bytes()).at(&public_path)?;
    public_file.publish_new()?;
    secret_file.publish_new().inspect_err(|_| drop(fs::remove_file(&public_path)))?;
    Ok(public)
}

/// Where the public key of a new secret one is written.
pub fn public_path(path: &Path) -> std::path::PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer() -> (tempfile::TempDir, Signer) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let public = generate(&path, false).unwrap();
        let ui = Ui::new(carveout_host::ui::Verbosity::Quiet);
        let signer = Signer::open(path.to_str(), true, dir.path(), &ui).unwrap();
        assert_eq!(signer.public().id(), public.id());
        assert_eq!(public_key(public_path(&path).to_str().unwrap()).unwrap().id(), public.id());
        (dir, signer)
    }

    #[test]
    fn a_new_key_signs_and_is_private() {
        use std::os::unix::fs::PermissionsExt;
        let (dir, signer) = signer();
        let path = dir.path().join("key");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = signer.sign(b"data", "comment").unwrap();
        assert_eq!(signer.public().verify(b"data", text.as_bytes()).unwrap(), "comment");
        assert_eq!(signer.sign(b"data", "comment").unwrap(), text, "the same each time");
        let error = generate(&path, false).unwrap_err();
        assert_eq!(error.code, "host::file::exists-already", "{error}");
    }

    #[test]
    fn damaged_keys_are_refused() {
        let (dir, _) = signer();
        let text = fs::read_to_string(dir.path().join("key")).unwrap();
        let start = text.find('\n').unwrap() + 1;
        for at in start..text.len() - 1 {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let damaged = String::from_utf8(bytes).unwrap();
            // Bits of the salt and of the limits of a key without a password are nobody's.
            if let Ok(signer) = Signer::file(damaged.as_bytes(), "key") {
                let same = Signer::file(text.as_bytes(), "key").unwrap();
                assert_eq!(signer.public().to_text(), same.public().to_text(), "byte {at}");
            }
        }
        for text in ["", "untrusted comment: x", "a\nb", "\n\n\n", &text[..text.len() / 2]] {
            assert!(Signer::file(text.as_bytes(), "key").is_err(), "{text:?}");
        }
    }

    #[test]
    fn public_keys_are_files_or_text() {
        let (_dir, signer) = signer();
        let text = signer.public().to_text();
        let line = text.lines().nth(1).unwrap();
        assert_eq!(public_key(line).unwrap().id(), signer.public().id());
        let error = public_key("nowhere.pub").unwrap_err();
        assert_eq!(error.code, "keys::verify::wrong-key", "{error}");
    }
}
