//! Who has made a bundle: a signature of `SHA256SUMS` in minisign's format.
//!
//! ```text
//! untrusted comment: <text>
//! base64("ED" ‖ key id, 8 bytes ‖ Ed25519 signature of BLAKE2b-512 of the file)
//! trusted comment: <text>
//! base64(Ed25519 signature of the signature above ‖ trusted comment)
//! ```
//!
//! The checksums cover every other file, so does the signature. Source of the format: minisign's manual, "Signature format".

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use blake2::{Blake2b512, Digest};
use std::fmt;
use std::io::Cursor;

/// Name of the signature in a bundle.
pub const SIGNATURE: &str = "SHA256SUMS.minisig";
/// Largest signature or key file that is read, in bytes; minisign's trusted comments have 8192 at most.
pub const MAX_SIGNATURE: u64 = 16 << 10;
/// Bytes of an Ed25519 signature.
pub const RAW: usize = 64;
/// Bytes that tell keys apart.
const KEY_ID: usize = 8;
/// Signs the hash of a file, not the file.
const PREHASHED: &[u8] = b"ED";
/// An Ed25519 public key in minisign's format.
const ALGORITHM: &[u8] = b"Ed";
const UNTRUSTED: &str = "untrusted comment: ";
const TRUSTED: &str = "trusted comment: ";

/// Why a signature or a key is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// No public key of minisign's.
    #[error("no public key of minisign: expected its .pub file, or the 56 characters in its second line")]
    PublicKey,
    /// No signature of minisign's.
    #[error("no signature in minisign's format: {0}")]
    Format(&'static str),
    /// Another key has signed.
    #[error("signed by key {signer}, not by {expected}")]
    OtherKey {
        /// What it says of its key.
        signer: KeyId,
        /// The key that is trusted.
        expected: KeyId,
    },
    /// The signature does not fit.
    #[error("the signature does not fit: what was signed, or the signature, has been changed")]
    Wrong,
}

/// What tells keys apart, as minisign shows it. Not secure by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyId([u8; KEY_ID]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{:016X}", u64::from_le_bytes(self.0))
    }
}

/// A public key.
#[derive(Clone)]
pub struct PublicKey(minisign::PublicKey);

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "PublicKey({})", self.id())
    }
}

impl PublicKey {
    /// Reads the text of a `.pub` file, or the key alone.
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let key = lines.find(|line| !line.starts_with(UNTRUSTED)).ok_or(SignatureError::PublicKey)?;
        let bytes = STANDARD.decode(key).map_err(|_| SignatureError::PublicKey)?;
        if lines.next().is_some() || bytes.len() != 42 || !bytes.starts_with(ALGORITHM) {
            return Err(SignatureError::PublicKey);
        }
        minisign::PublicKey::from_bytes(&bytes).map(Self).map_err(|_| SignatureError::PublicKey)
    }

    /// Of a key that is no file of minisign's: its identifier comes from the key, so that it is always the same.
    pub fn from_raw(key: [u8; 32]) -> Result<Self, SignatureError> {
        let id = Blake2b512::digest(key);
        let bytes = [ALGORITHM, id.get(..KEY_ID).unwrap_or_default(), &key].concat();
        minisign::PublicKey::from_bytes(&bytes).map(Self).map_err(|_| SignatureError::PublicKey)
    }

    /// Its identifier.
    pub fn id(&self) -> KeyId {
        KeyId(self.0.keynum().try_into().unwrap_or_default())
    }

    /// The text of its `.pub` file.
    pub fn to_text(&self) -> String {
        format!("{UNTRUSTED}minisign public key {}\n{}\n", self.id(), self.0.to_base64())
    }

    /// Checks who has signed `data`; the trusted comment.
    pub fn verify(&self, data: &[u8], signature: &str) -> Result<String, SignatureError> {
        let claim = Claim::parse(signature)?;
        if claim.key != self.id() {
            return Err(SignatureError::OtherKey { signer: claim.key, expected: self.id() });
        }
        let signature = minisign::SignatureBox::from_string(signature).map_err(|_| SignatureError::Wrong)?;
        minisign::verify(&self.0, &signature, Cursor::new(data), true, false, false)
            .map_err(|_| SignatureError::Wrong)?;
        Ok(claim.comment)
    }
}

/// What a signature says of itself. Nobody has checked it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which key has signed.
    pub key: KeyId,
    /// The comment that is signed, too.
    pub comment: String,
}

impl Claim {
    /// Reads a signature.
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        let lines: Vec<&str> = text.lines().collect();
        let [untrusted, signature, comment, global] = lines[..] else {
            return Err(SignatureError::Format("it has other than 4 lines"));
        };
        if !untrusted.starts_with(UNTRUSTED) {
            return Err(SignatureError::Format("line 1 is no untrusted comment"));
        }
        let decoded = |line: &str| STANDARD.decode(line.trim()).unwrap_or_default();
        let (bytes, global) = (decoded(signature), decoded(global));
        let key = bytes.get(PREHASHED.len()..PREHASHED.len() + KEY_ID).and_then(|id| id.try_into().ok());
        let (Some(key), true) = (key, bytes.len() == PREHASHED.len() + KEY_ID + RAW) else {
            return Err(SignatureError::Format("line 2 is no signature"));
        };
        if !bytes.starts_with(PREHASHED) {
            return Err(SignatureError::Format("line 2 signs the file itself, not its hash: sign it anew"));
        }
        let comment = comment.strip_prefix(TRUSTED).filter(|text| !text.contains(char::is_control));
        let comment = comment.ok_or(SignatureError::Format("line 3 is no trusted comment"))?;
        if global.len() != RAW {
            return Err(SignatureError::Format("line 4 is no signature"));
        }
        Ok(Self { key: KeyId(key), comment: comment.trim().into() })
    }
}

/// Signs `data`, with a comment that is signed, too. `raw` makes an Ed25519 signature with the key of `public`.
pub fn sign<E>(
    public: &PublicKey,
    data: &[u8],
    comment: &str,
    mut raw: impl FnMut(&[u8]) -> Result<[u8; RAW], E>,
) -> Result<String, E> {
    let signature = raw(&Blake2b512::digest(data))?;
    let global = raw(&[&signature[..], comment.as_bytes()].concat())?;
    let body = STANDARD.encode([PREHASHED, &public.id().0, &signature].concat());
    let global = STANDARD.encode(global);
    Ok(format!(
        "{UNTRUSTED}signature of {SIGNED} by key {}\n{body}\n{TRUSTED}{comment}\n{global}\n",
        public.id(),
        SIGNED = crate::SUMS
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use minisign::KeyPair;

    const DATA: &[u8] = b"0123  manifest.json\n";

    fn pair() -> (KeyPair, PublicKey) {
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        let public = PublicKey::parse(&pair.pk.to_box().unwrap().into_string()).unwrap();
        (pair, public)
    }

    fn signed(pair: &KeyPair, comment: &str) -> String {
        minisign::sign(None, &pair.sk, Cursor::new(DATA), Some(comment), None).unwrap().into_string()
    }

    #[test]
    fn signatures_tell_who_and_what() {
        let (pair, public) = pair();
        let text = signed(&pair, "name=a");
        assert_eq!(public.verify(DATA, &text).unwrap(), "name=a");
        assert_eq!(public.verify(b"other", &text), Err(SignatureError::Wrong));
        assert_eq!(public.verify(DATA, &text.replace("name=a", "name=b")), Err(SignatureError::Wrong));
        let (_, other) = self::pair();
        let expected = SignatureError::OtherKey { signer: public.id(), expected: other.id() };
        assert_eq!(other.verify(DATA, &text), Err(expected));
    }

    /// Every byte matters but those of the untrusted comment; none makes us panic.
    #[test]
    fn damaged_signatures_are_refused() {
        let (pair, public) = pair();
        let text = signed(&pair, "name=a");
        let second = text.find('\n').unwrap() + 1;
        for at in second..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let damaged = String::from_utf8(bytes).unwrap();
            assert!(public.verify(DATA, &damaged).is_err(), "byte {at}: {damaged}");
        }
        for end in 0..text.len() - 1 {
            assert!(public.verify(DATA, &text[..end]).is_err(), "{end} bytes");
        }
    }

    #[test]
    fn keys_are_files_or_text() {
        let (_, public) = pair();
        let line = public.to_text().lines().nth(1).unwrap().to_owned();
        for text in [public.to_text(), line.clone(), format!("{line}\n")] {
            assert_eq!(PublicKey::parse(&text).unwrap().id(), public.id());
        }
        let twice = format!("{line}\n{line}");
        for text in ["", "untrusted comment: x", "untrusted comment: x\n", &line[1..], &twice, "é"] {
            assert_eq!(PublicKey::parse(text).unwrap_err(), SignatureError::PublicKey, "{text}");
        }
    }

    #[test]
    fn minisign_takes_what_signers_elsewhere_make() {
        let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
        let public = PublicKey::from_raw(key.verifying_key().to_bytes()).unwrap();
        let raw = |data: &[u8]| Ok::<_, ()>(ed25519_dalek::Signer::sign(&key, data).to_bytes());
        let text = sign(&public, DATA, "name=a", raw).unwrap();
        assert_eq!(public.verify(DATA, &text).unwrap(), "name=a");
        assert_eq!(sign(&public, DATA, "name=a", raw).unwrap(), text, "the same each time");
        assert_eq!(PublicKey::parse(&public.to_text()).unwrap().id(), public.id());
        let other = PublicKey::from_raw([9; 32]).unwrap();
        assert_ne!(other.id(), public.id());
    }
}
