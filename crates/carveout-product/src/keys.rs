//! Key files for fused boards: which ones NVIDIA's tools take. What they cannot read they take for no key, and some say nothing; so
//! each is looked at before anything is built. Nothing of a key gets into a message.
//!
//! Seen by running the tool of the releases that are built with: `tegrasign_v3.py` (L4T R32.6.1 and later).

use crate::errors::{PkcError, SbkError};
use pkcs1::der::{Decode, SecretDocument};
use pkcs8::{ObjectIdentifier, PrivateKeyInfoRef};

/// Bytes of a key file, at most.
pub const MOST: u64 = 64 << 10;
/// rsaEncryption (RFC 8017, appendix C).
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// Bytes of an SBK.
const SBK: usize = 16;
/// Hexadecimal digits of one, and of each of its words.
const DIGITS: (usize, usize) = (32, 8);

/// Checks an SBK's file: the forms of which NVIDIA's tool makes the key that is written there.
pub fn sbk(file: &[u8]) -> Result<(), SbkError> {
    let text = match std::str::from_utf8(file).ok().filter(|text| text.chars().all(is_text)) {
        Some(text) => text,
        None if file.len() != SBK => return Err(SbkError::WrongLength { bytes: file.len() }),
        None if file.contains(&b'0') => return Err(SbkError::ByteReadAsText),
        None => return Ok(()),
    };
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let plain: Vec<&str> = words.iter().map(|word| word.strip_prefix("0x").unwrap_or(word)).collect();
    if words.is_empty() {
        return Err(SbkError::Empty);
    }
    if text.contains(',') {
        return Err(SbkError::Commas);
    }
    if words.iter().any(|word| word.starts_with("0X")) {
        return Err(SbkError::CapitalPrefix);
    }
    if !plain.iter().all(|word| word.bytes().all(|b| b.is_ascii_hexdigit())) {
        return Err(SbkError::NotHexadecimal);
    }
    // The tool takes spaces and line ends from between the words, all else from the two ends alone.
    let inner = text.trim_ascii();
    if inner.contains('\r') {
        return Err(SbkError::WindowsLineEnds);
    }
    if inner.contains('\t') {
        return Err(SbkError::Tab);
    }
    if !file.contains(&b'0') && [SBK, 2 * SBK].contains(&file.len()) {
        return Err(SbkError::DigitsReadAsBytes { characters: file.len() });
    }
    match (plain.len(), plain.iter().all(|word| word.len() == DIGITS.1)) {
        (1, _) if plain.concat().len() == DIGITS.0 => Ok(()),
        (1, _) => Err(SbkError::WrongNumber { digits: plain.concat().len() }),
        (4, true) => Ok(()),
        (8, true) => Err(SbkError::EightWords),
        (4, false) => Err(SbkError::WrongWord),
        (words, _) => Err(SbkError::WrongWordCount { words }),
    }
}

fn is_text(c: char) -> bool {
    !c.is_control() || matches!(c, '\n' | '\r' | '\t')
}

/// Checks a PKC's file: a PEM file with an RSA private key of 2048 or 3072 bits, without a password.
pub fn pkc(file: &[u8]) -> Result<(), PkcError> {
    if bits(file).is_some() {
        return Err(PkcError::Der);
    }
    let text = String::from_utf8_lossy(file);
    let Some((label, block)) = block(&text) else {
        let labels: Vec<&str> = text.lines().filter_map(begin).collect();
        return match labels.first() {
            None if file.is_empty() => Err(PkcError::Empty),
            None => Err(PkcError::NotPem),
            Some(label) if label.ends_with("PUBLIC KEY") => Err(PkcError::PublicKey),
            Some(label) if label.ends_with("CERTIFICATE") => Err(PkcError::Certificate),
            Some(&"ENCRYPTED PRIVATE KEY") => Err(PkcError::Encrypted),
            Some(&"OPENSSH PRIVATE KEY") => Err(PkcError::OpenSsh),
            Some(&"EC PRIVATE KEY" | &"EC PARAMETERS") => Err(PkcError::EllipticCurve),
            Some(_) => Err(PkcError::NoPrivateKey),
        };
    };
    if block.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(PkcError::Encrypted);
    }
    let Ok((_, document)) = SecretDocument::from_pem(&block) else {
        return Err(PkcError::Damaged { label: label.into() });
    };
    match bits(document.as_bytes()) {
        Some(2048 | 3072) => Ok(()),
        Some(bits) => Err(PkcError::WrongSize { bits }),
        None => match PrivateKeyInfoRef::from_der(document.as_bytes()) {
            Ok(info) if info.algorithm.oid != RSA => Err(PkcError::OtherAlgorithm),
            _ => Err(PkcError::Damaged { label: label.into() }),
        },
    }
}

/// The label of a line that begins a block.
fn begin(line: &str) -> Option<&str> {
    line.trim_end().strip_prefix("-----BEGIN ")?.strip_suffix("-----")
}

/// The first block with a private key that may be RSA, with lines that end as they do on Linux.
fn block(text: &str) -> Option<(&str, String)> {
    let mut lines =
        text.lines().skip_while(|line| !matches!(begin(line), Some("RSA PRIVATE KEY" | "PRIVATE KEY")));
    let first = lines.next()?;
    let mut block = format!("{first}\n");
    for line in lines {
        block += line;
        block.push('\n');
        if line.starts_with("-----END ") {
            break;
        }
    }
    Some((begin(first)?, block))
}

/// Bits of an RSA private key's modulus, in PKCS#1 or PKCS#8.
fn bits(der: &[u8]) -> Option<usize> {
    let rsa = |der| {
        pkcs1::RsaPrivateKeyRef::from_der(der).ok().map(|key| {
            let modulus = key.modulus.as_bytes();
            modulus.len() * 8 - modulus.first().map_or(0, |byte| byte.leading_zeros() as usize)
        })
    };
    let inner = || {
        let info = PrivateKeyInfoRef::from_der(der).ok().filter(|info| info.algorithm.oid == RSA)?;
        rsa(info.private_key.as_bytes())
    };
    rsa(der).or_else(inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn an_sbk_is_four_words_or_a_number_or_16_bytes() {
        let words = "0x01234567 0x89abcdef 0xFEDCBA98 0x76543210";
        for good in [
            words,
            &format!("{words}\n\n"),
            &format!("{words}\r\n"),
            &format!(" {}\t\n", words.replace(' ', "  ")),
            &words.replace(' ', "\n"),
            &words.replace("0x", ""),
            &words.replacen("0x", "", 2),
            "0x0123456789abcdeffedcba9876543210\n",
            "0123456789abcdeffedcba9876543210",
            "11111111 22222222 33333333 44444444",
            "11111111222222223333333344444444\n",
        ] {
            assert!(sbk(good.as_bytes()).is_ok(), "{good:?}");
        }
        let bytes: [u8; 16] = std::array::from_fn(|at| at as u8 * 17);
        assert!(sbk(&bytes).is_ok());
        let with_0x30: [u8; 16] = std::array::from_fn(|at| (at as u8).wrapping_mul(0x30));
        for (file, why) in [
            (&with_0x30[..], "one of its 16 bytes is 0x30"),
            (&bytes[..15], "it has 15 bytes"),
            (&[0xff; 32], "it has 32 bytes"),
            (b"", "it is empty"),
            (b"\n", "it is empty"),
            (b"not a key at all", "it is text, and no hexadecimal number"),
            (b"not a key at all\n", "it is text, and no hexadecimal number"),
            (b"1234567812345678", "takes 16 characters without a 0 for the key's bytes"),
            (b"11111111222222223333333344444444", "takes 32 characters without a 0 for the key's bytes"),
            (b"0x01234567\r\n0x89abcdef\r\n0xfedcba98\r\n0x76543210\r\n", "as Windows ends lines"),
            (b"0x0123456789abcdeffedcba987654321\n", "it is one number of 31 digits"),
            (b"01234567 89abcdef fedcba98\n", "it has 3 words"),
            (b"0x01234567 0x89abcdef 0xfedcba98\n", "it has 3 words"),
            (
                b"0x01234567 0x89abcdef 0xfedcba98 0x76543210 0x01234567 0x89abcdef 0xfedcba98 0x76543210\n",
                "it has eight words, 32 bytes",
            ),
            (
                b"0x1234567 0x89abcdef 0xfedcba98 0x765432100\n",
                "a word of it has more or fewer than 8 digits",
            ),
            (b"0x01234567, 0x89abcdef, 0xfedcba98, 0x76543210\n", "separated by commas"),
            (b"0X01234567 0X89abcdef 0Xfedcba98 0X76543210\n", "begin with 0X"),
            (b"0x01234567 0x89abcdef 0xfedcba98\t0x76543210\n", "there is a tab between its words"),
        ] {
            let error = sbk(file).unwrap_err().to_string();
            assert!(error.contains(why), "{}: {error}", file.escape_ascii());
            assert!(error.contains("expected are four words"), "{error}");
            for part in ["01234567", "89abcdef", "not a key", "11111111"] {
                assert!(!error.contains(part), "{error}");
            }
        }
    }

    #[test]
    fn a_pkc_is_an_rsa_private_key_in_pem() {
        let dir = tempfile::tempdir().unwrap();
        let openssl = |arguments: &str| {
            let mut command = Command::new("openssl");
            let Ok(made) = command.args(arguments.split(' ')).current_dir(dir.path()).output() else {
                return false;
            };
            assert!(made.status.success(), "{arguments}: {}", String::from_utf8_lossy(&made.stderr));
            true
        };
        if !openssl("genrsa -traditional -out 2048 2048") {
            println!("skipped: openssl is not there");
            return;
        }
        for arguments in [
            "genrsa -out pkcs8 2048",
            "genrsa -traditional -out 3072 3072",
            "genrsa -traditional -out 1024 1024",
            "rsa -in 2048 -traditional -aes128 -passout pass:x -out sealed1",
            "rsa -in 2048 -aes128 -passout pass:x -out sealed8",
            "rsa -in 2048 -pubout -out public8",
            "rsa -in 2048 -RSAPublicKey_out -out public1",
            "rsa -in 2048 -outform DER -traditional -out der",
            "req -new -x509 -key 2048 -subj /CN=x -out certificate",
            "ecparam -name prime256v1 -genkey -noout -out ec",
            "genpkey -algorithm ed25519 -out ed25519",
        ] {
            openssl(arguments);
        }
        let file = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
        let text = String::from_utf8(file("2048")).unwrap();
        for good in [text.clone(), format!("of us\n{text}"), text.replace('\n', "\r\n")] {
            assert!(pkc(good.as_bytes()).is_ok());
        }
        for good in ["pkcs8", "3072"] {
            assert!(pkc(&file(good)).is_ok(), "{good}");
        }
        let middle = text.lines().nth(5).unwrap();
        for (bytes, why) in [
            (file("1024"), "it is an RSA key of 1024 bits"),
            (file("sealed1"), "it is encrypted with a password"),
            (file("sealed8"), "it is encrypted with a password"),
            (file("public8"), "it is a public key"),
            (file("public1"), "it is a public key"),
            (file("der"), "it is in DER form"),
            (file("certificate"), "it is a certificate"),
            (file("ec"), "it is a key for elliptic curves"),
            (file("ed25519"), "it is a private key of another algorithm than RSA"),
            (b"-----BEGIN OPENSSH PRIVATE KEY-----\n".to_vec(), "it is in the form of OpenSSH"),
            (b"no key".to_vec(), "it is no PEM file"),
            (Vec::new(), "it is empty"),
            (text.replace(middle, &middle[1..]).into_bytes(), "is damaged"),
            (text.replace(middle, "").into_bytes(), "is damaged"),
            (b"-----BEGIN RSA PRIVATE KEY-----\nof a test, and none\n".to_vec(), "is damaged"),
        ] {
            let error = pkc(&bytes).unwrap_err().to_string();
            assert!(error.contains(why) && !error.contains(middle), "{why}: {error}");
        }
    }
}
