//! Who has made a bundle: a signature of `SHA256SUMS` in minisign's format.
//!
//! ```text
//! untrusted comment: <text>
//! base64("ED" ‖ key id, 8 bytes ‖ Ed25519 signature of BLAKE2b-512 of the file)
//! trusted comment: <text>
//! base64(Ed25519 signature of the signature above ‖ trusted comment)
//! ```
//!
//! With "Ed" in place of "ED" it is a legacy signature, of the file itself (`minisign -S -l`). The checksums cover every other file, so does
//! the signature. Source of the format: minisign's manual, "Signature format"; what is accepted is what minisign 0.11 accepts ([`lines`]).

mod lines;

use blake2::{Blake2b512, Digest};
use ed25519_dalek::{Signature, VerifyingKey};
use lines::{Lines, decode, encode, shown};
use std::fmt;

/// Name of the signature in a bundle.
pub const SIGNATURE: &str = "SHA256SUMS.minisig";
/// Bytes of a signature or key file that are read; minisign looks at 9406 of a signature at most.
pub const MAX_SIGNATURE: u64 = 16 << 10;
/// Bytes of a trusted comment, at most: minisign verifies no longer one.
pub const MAX_COMMENT: usize = 8192 - 19;
/// Bytes of an Ed25519 signature.
pub const RAW: usize = 64;
/// Bytes that tell keys apart.
const KEY_ID: usize = 8;
/// Signs the hash of a file.
const PREHASHED: &[u8] = b"ED";
/// Signs a file itself; and an Ed25519 public key in minisign's format.
const ALGORITHM: &[u8] = b"Ed";
const UNTRUSTED: &str = "untrusted comment: ";
const TRUSTED: &str = "trusted comment: ";
/// Bytes that minisign reads of an untrusted comment, a signature, a trusted comment, the signature of both, and a public key, each with
/// what ends its line: its buffers have one more.
const READ: [usize; 5] = [1023, 102, 8191, 90, 58];
/// How the base64 text of secret keys begins, with a password and without one.
const SECRET: [&[u8]; 2] = [b"RWRTY0Iy", b"RWQAAEIy"];
/// Characters of a public key's text.
const PUBLIC: usize = 56;
/// Bytes of a secret key: algorithms, salt and limits of the password, identifier, keys, checksum.
pub const SECRET_KEY: usize = 158;

/// Why a signature or a key is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// No public key of minisign's.
    #[error("no public key of minisign: {0}")]
    PublicKey(&'static str),
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
    /// The signature fits, that of the trusted comment does not.
    #[error("the signature of the trusted comment does not fit: the comment has been changed")]
    WrongComment,
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
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    id: KeyId,
    key: [u8; 32],
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "PublicKey({})", self.id())
    }
}

impl PublicKey {
    /// Reads a `.pub` file, as `minisign -p` does: whatever its first line says, the key is in the second.
    pub fn parse_file(bytes: &[u8]) -> Result<Self, SignatureError> {
        let mut lines = Lines(bytes);
        let first = lines.next(READ[0]).ok_or(SignatureError::PublicKey("the file is empty"))?;
        let key = lines.next(READ[4]).ok_or(match Self::parse_bytes(first.text) {
            Ok(_) => SignatureError::PublicKey(
                "the file has the key in line 1, minisign's files have it in line 2: give the key itself as text instead of the file",
            ),
            Err(_) => SignatureError::PublicKey("the file has one line, the key is missing in line 2"),
        })?;
        Self::parse_bytes(key.text)
    }

    /// Reads the key itself, as `minisign -P` does: the second line of a `.pub` file.
    pub fn parse_text(text: &str) -> Result<Self, SignatureError> {
        Self::parse_bytes(text.as_bytes())
    }

    fn parse_bytes(text: &[u8]) -> Result<Self, SignatureError> {
        let wrong = |what| Err(SignatureError::PublicKey(what));
        if SECRET.iter().any(|start| text.starts_with(start)) {
            return wrong("it is a secret key: give the .pub file that was made with it");
        }
        if text.len() != PUBLIC {
            return wrong("a key's text has 56 characters, here are more or fewer");
        }
        let bytes = decode(text).unwrap_or_default();
        match bytes.split_at_checked(ALGORITHM.len()) {
            Some((ALGORITHM, rest)) => match rest.split_first_chunk() {
                Some((id, key)) if key.len() == 32 => {
                    Ok(Self { id: KeyId(*id), key: key.try_into().unwrap_or_default() })
                }
                _ => wrong("its text is no base64 of 42 bytes"),
            },
            Some(_) => wrong("it is of an unknown algorithm, expected is Ed25519: RW at the beginning"),
            None => wrong("its text is no base64"),
        }
    }

    /// Of a key that is no file of minisign's: its identifier comes from the key, so that it is always the same.
    pub fn from_raw(key: [u8; 32]) -> Self {
        let hash = Blake2b512::digest(key);
        Self { id: KeyId(hash.first_chunk().copied().unwrap_or_default()), key }
    }

    /// Its identifier.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The text of its `.pub` file.
    pub fn to_text(&self) -> String {
        let text = encode(&[ALGORITHM, &self.id.0, &self.key].concat());
        format!("{UNTRUSTED}minisign public key {}\n{text}\n", self.id)
    }

    /// Checks who has signed `data`; the trusted comment, as [`Claim::comment`] has it.
    pub fn verify(&self, data: &[u8], signature: &[u8]) -> Result<String, SignatureError> {
        let parts = SignatureParts::parse(signature)?;
        if parts.key != self.id {
            return Err(SignatureError::OtherKey { signer: parts.key, expected: self.id });
        }
        let key = VerifyingKey::from_bytes(&self.key).map_err(|_| SignatureError::Wrong)?;
        let fits = |message: &[u8], signature| key.verify_strict(message, &Signature::from_bytes(signature));
        match parts.prehashed {
            true => fits(&Blake2b512::digest(data), &parts.signature),
            false => fits(data, &parts.signature),
        }
        .map_err(|_| SignatureError::Wrong)?;
        let with_comment = [&parts.signature, parts.comment].concat();
        fits(&with_comment, &parts.global).map_err(|_| SignatureError::WrongComment)?;
        Ok(shown(parts.comment))
    }
}

/// What a signature says of itself. Nobody has checked it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Which key has signed.
    pub key: KeyId,
    /// The comment that is signed, too, for people: one line; control characters, backslashes and what is no UTF-8 are escaped.
    pub comment: String,
}

impl Claim {
    /// Reads a signature.
    pub fn parse(bytes: &[u8]) -> Result<Self, SignatureError> {
        SignatureParts::parse(bytes).map(|parts| Self { key: parts.key, comment: shown(parts.comment) })
    }
}

/// A signature.
struct SignatureParts<'a> {
    key: KeyId,
    prehashed: bool,
    signature: [u8; RAW],
    comment: &'a [u8],
    global: [u8; RAW],
}

impl<'a> SignatureParts<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self, SignatureError> {
        let wrong = SignatureError::Format;
        let mut lines = Lines(bytes);
        let untrusted = lines.next(READ[0]).ok_or(wrong("it is empty"))?;
        if !untrusted.text.starts_with(UNTRUSTED.as_bytes()) {
            return Err(wrong("line 1 does not begin with `untrusted comment: `"));
        }
        if !untrusted.ended {
            return Err(wrong("line 1, the untrusted comment, has more than 1023 bytes or no end"));
        }
        let signature = lines.next(READ[1]).ok_or(wrong("line 2, the signature, is missing"))?;
        if !signature.ended {
            return Err(wrong("line 2, the signature, is longer than 100 characters or has no end"));
        }
        let trusted = lines.next(READ[2]).ok_or(wrong(
            "line 3, the trusted comment, is missing: it may be signify's; `minisign -S` makes one that has it",
        ))?;
        let comment = trusted.text.strip_prefix(TRUSTED.as_bytes());
        let comment = comment.ok_or(wrong("line 3 does not begin with `trusted comment: `"))?;
        if !trusted.ended {
            return Err(wrong("line 3, the trusted comment, has more than 8191 bytes or no end"));
        }
        let global = lines.next(READ[3]).ok_or(wrong("line 4, the comment's signature, is missing"))?;
        let global = decode(global.text).and_then(|bytes| bytes.try_into().ok());
        let global = global.ok_or(wrong("line 4 is no base64 of a signature's 64 bytes"))?;
        let signature = decode(signature.text).unwrap_or_default();
        let (algorithm, rest) = signature.split_at_checked(PREHASHED.len()).unwrap_or_default();
        let (Some((id, _)), Some(raw), true) =
            (rest.split_first_chunk(), rest.last_chunk(), rest.len() == KEY_ID + RAW)
        else {
            return Err(wrong("line 2 is no base64 of a signature's 74 bytes"));
        };
        let prehashed = match algorithm {
            PREHASHED => true,
            ALGORITHM => false,
            _ => return Err(wrong("line 2 is of an unknown algorithm, expected is Ed25519")),
        };
        Ok(Self { key: KeyId(*id), prehashed, signature: *raw, comment, global })
    }
}

/// The bytes of a secret key's file, as `minisign -S` reads them: they may be sealed by a password.
pub fn secret_key(file: &[u8]) -> Option<[u8; SECRET_KEY]> {
    let mut lines = Lines(file);
    lines.next(READ[0])?;
    // 212 characters and what ends the line.
    decode(lines.next(214)?.text)?.try_into().ok()
}

/// Signs `data`, with a comment that is signed, too: one line of at most [`MAX_COMMENT`] bytes. `raw` makes an Ed25519 signature with the
/// key of `public`.
pub fn sign<E>(
    public: &PublicKey,
    data: &[u8],
    comment: &str,
    mut raw: impl FnMut(&[u8]) -> Result<[u8; RAW], E>,
) -> Result<String, E> {
    let signature = raw(&Blake2b512::digest(data))?;
    let global = raw(&[&signature[..], comment.as_bytes()].concat())?;
    let body = encode(&[PREHASHED, &public.id().0, &signature].concat());
    let global = encode(&global);
    Ok(format!(
        "{UNTRUSTED}signature of {SIGNED} by key {}\n{body}\n{TRUSTED}{comment}\n{global}\n",
        public.id(),
        SIGNED = crate::format::SUMS
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use minisign::KeyPair;
    use std::io::Cursor;

    const DATA: &[u8] = b"0123  manifest.json\n";

    fn pair() -> (KeyPair, PublicKey) {
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        let public = PublicKey::parse_file(pair.pk.to_box().unwrap().into_string().as_bytes()).unwrap();
        (pair, public)
    }

    fn signed(pair: &KeyPair, comment: &str) -> String {
        minisign::sign(None, &pair.sk, Cursor::new(DATA), Some(comment), None).unwrap().into_string()
    }

    #[test]
    fn signatures_tell_who_and_what() {
        let (pair, public) = pair();
        let text = signed(&pair, "name=a");
        assert_eq!(public.verify(DATA, text.as_bytes()).unwrap(), "name=a");
        assert_eq!(public.verify(b"other", text.as_bytes()), Err(SignatureError::Wrong));
        let changed = text.replace("name=a", "name=b");
        assert_eq!(public.verify(DATA, changed.as_bytes()), Err(SignatureError::WrongComment));
        let (_, other) = self::pair();
        let expected = SignatureError::OtherKey { signer: public.id(), expected: other.id() };
        assert_eq!(other.verify(DATA, text.as_bytes()), Err(expected));
    }

    /// Every byte matters but those of the untrusted comment, bits that base64 does not need, and the last line's end; none makes us panic.
    #[test]
    fn damaged_signatures_are_refused() {
        let (pair, public) = pair();
        let text = signed(&pair, "name=a");
        let second = text.find('\n').unwrap() + 1;
        let parts = |text: &[u8]| {
            let all = |p: SignatureParts| (p.key, p.prehashed, p.signature, p.comment.to_vec(), p.global);
            SignatureParts::parse(text).map(all).ok()
        };
        for at in second..text.len() - 1 {
            let mut damaged = text.clone().into_bytes();
            damaged[at] = if damaged[at] == b'A' { b'B' } else { b'A' };
            let same = parts(&damaged) == parts(text.as_bytes());
            assert_eq!(public.verify(DATA, &damaged).is_ok(), same, "byte {at}");
            assert!(!same || text.as_bytes()[at + 1] == b'=', "byte {at}");
        }
        for end in 0..text.len() - 1 {
            assert!(public.verify(DATA, &text.as_bytes()[..end]).is_err(), "{end} bytes");
        }
        assert_eq!(public.verify(DATA, text.trim_end().as_bytes()).unwrap(), "name=a");
    }

    #[test]
    fn keys_are_files_or_text() {
        let (_, public) = pair();
        let text = public.to_text();
        let line = text.lines().nth(1).unwrap();
        assert_eq!(PublicKey::parse_text(line).unwrap(), public);
        for file in [text.clone(), text.replace('\n', "\r\n"), format!("\n{line}"), format!("{text}garbage")]
        {
            assert_eq!(PublicKey::parse_file(file.as_bytes()).unwrap(), public, "{file}");
        }
        let secret = KeyPair::generate_unencrypted_keypair().unwrap().sk.to_box(None).unwrap().into_string();
        for (file, why) in [
            ("", "the file is empty"),
            (line, "give the key itself as text"),
            ("untrusted comment: x\n", "the key is missing in line 2"),
            (&format!("x\n{}", &line[1..]), "has 56 characters"),
            (&format!("x\n{line}{line}"), "has 56 characters"),
            (&format!("x\n{}", line.replace('R', "\u{e9}")), "has 56 characters"),
            (&format!("x\n{}", line.replacen("RW", "RX", 1)), "unknown algorithm"),
            (&format!("x\n{}", line.replacen("RW", "R-", 1)), "no base64"),
            (&secret, "it is a secret key"),
        ] {
            let error = PublicKey::parse_file(file.as_bytes()).unwrap_err().to_string();
            assert!(
                error.starts_with("no public key of minisign: ") && error.contains(why),
                "{file}: {error}"
            );
        }
    }

    #[test]
    fn minisign_takes_what_signers_elsewhere_make() {
        let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
        let public = PublicKey::from_raw(key.verifying_key().to_bytes());
        let raw = |data: &[u8]| Ok::<_, ()>(ed25519_dalek::Signer::sign(&key, data).to_bytes());
        let text = sign(&public, DATA, "name=a", raw).unwrap();
        assert_eq!(public.verify(DATA, text.as_bytes()).unwrap(), "name=a");
        assert_eq!(sign(&public, DATA, "name=a", raw).unwrap(), text, "the same each time");
        assert_eq!(PublicKey::parse_file(public.to_text().as_bytes()).unwrap(), public);
        let other = PublicKey::from_raw([9; 32]);
        assert_ne!(other.id(), public.id());
        let longest = "x".repeat(MAX_COMMENT);
        let text = sign(&public, DATA, &longest, raw).unwrap();
        assert_eq!(public.verify(DATA, text.as_bytes()).unwrap(), longest);
        let text = sign(&public, DATA, &(longest + "x"), raw).unwrap();
        let error = public.verify(DATA, text.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("more than 8191 bytes"), "{error}");
    }
}
