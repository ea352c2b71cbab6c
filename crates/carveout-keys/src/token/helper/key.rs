//! A private key in a token.

use super::module::{Module, among};
use super::pss::{self, DIGEST};
use crate::token::order::{Failure, Order, Purpose, Reply, Step};
use cryptoki::mechanism::eddsa::{EddsaParams, EddsaSignatureScheme};
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use num_bigint::BigUint;
use sha2::{Digest, Sha256};
use std::io::{self, Read};
use std::os::unix::net::UnixStream;

/// Is signed to see whether a key signs.
const TRIAL: &[u8] = b"carveout sees whether this token signs";
/// Bytes of an Ed25519 key's signature.
const ED25519: usize = 64;
/// The public exponent that boards take.
const EXPONENT: u32 = 65537;
/// NVIDIA's tegraopenssl pads with it, so that a bundle comes out the same each time.
const SALT: [u8; DIGEST] = [0xff; DIGEST];

/// A private key that signs.
pub struct Key {
    module: Module,
    handle: ObjectHandle,
    /// It wants the PIN for each signature.
    asks: bool,
    public: Public,
}

enum Public {
    /// Signs messages; PureEdDSA of RFC 8032.
    Ed25519([u8; 32]),
    /// Signs SHA-256 digests as boards want it.
    Rsa {
        modulus: BigUint,
        /// Whether the token pads, with a random salt. Where it does RSA alone, we do.
        pads: bool,
    },
}

impl Key {
    /// Finds the one key that meets what is wanted, and has it sign something.
    pub fn open(order: &Order) -> Result<Self, Failure> {
        let module = Module::open(order)?;
        let given = |name: &str| order.wanted.get(name).cloned();
        let names = [given("object").map(Attribute::Label), given("id").map(Attribute::Id)];
        let names: Vec<Attribute> = names.into_iter().flatten().collect();
        let keys = module.objects(ObjectClass::PRIVATE_KEY, &names)?;
        let handle = match keys[..] {
            [one] => one,
            [] => return Err(among(Step::NoKey, labels(&module)?)),
            _ => return Err(Failure::new(Step::SeveralKeys, "")),
        };
        let (kind, kind_name) = match order.purpose {
            Purpose::Boards => (KeyType::RSA, "RSA"),
            Purpose::Releases => (KeyType::EC_EDWARDS, "Ed25519"),
        };
        if module.attribute(handle, AttributeType::KeyType)? != Some(Attribute::KeyType(kind)) {
            return Err(Failure::new(Step::OtherKind, format!("it is no {kind_name} key")));
        }
        let asks = module.attribute(handle, AttributeType::AlwaysAuthenticate)?;
        let asks = asks == Some(Attribute::AlwaysAuthenticate(true));
        let public = match order.purpose {
            Purpose::Boards => rsa(&module, handle)?,
            Purpose::Releases => ed25519(&module, handle)?,
        };
        let mut key = Self { module, handle, asks, public };
        key.try_out()?;
        Ok(key)
    }

    /// Has it sign something, and finds out whether the token can do RSA without padding.
    fn try_out(&mut self) -> Result<(), Failure> {
        if matches!(self.public, Public::Ed25519(_)) {
            return self.sign(TRIAL).map(drop);
        }
        let digest = Sha256::digest(TRIAL);
        match self.sign(&digest) {
            Err(Failure { step: Step::Sign, .. }) => {
                if let Public::Rsa { pads, .. } = &mut self.public {
                    *pads = true;
                }
                self.sign(&digest).map(drop)
            }
            result => result.map(drop),
        }
    }

    /// What is said of it.
    pub fn reply(&self) -> Reply {
        match &self.public {
            Public::Ed25519(point) => Reply::Ready { public: hex::encode(point), pads: false },
            Public::Rsa { modulus, pads } => Reply::Ready { public: modulus.to_str_radix(16), pads: *pads },
        }
    }

    /// What is to be signed: a digest, or all that comes.
    pub fn request(&self, peer: &mut UnixStream) -> io::Result<Vec<u8>> {
        let mut message = Vec::new();
        match self.public {
            Public::Ed25519(_) => peer.read_to_end(&mut message)?,
            Public::Rsa { .. } => peer.take(DIGEST as u64).read_to_end(&mut message)?,
        };
        Ok(message)
    }

    /// Signs: of an Ed25519 key a message, of an RSA key a digest.
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Failure> {
        let made =
            |mechanism: &Mechanism, data: &[u8]| self.module.sign(self.handle, self.asks, mechanism, data);
        match &self.public {
            Public::Ed25519(_) => {
                let pure = EddsaParams::new(EddsaSignatureScheme::Pure);
                let signature = made(&Mechanism::Eddsa(pure), message)?;
                if signature.len() != ED25519 {
                    let detail = format!("its signature has {} bytes", signature.len());
                    return Err(Failure::new(Step::Sign, detail));
                }
                Ok(signature)
            }
            Public::Rsa { modulus, pads } => {
                let size = size(modulus);
                let digest: [u8; DIGEST] = message.try_into().map_err(|_| {
                    Failure::new(Step::Sign, format!("a digest has {DIGEST} bytes, not {}", message.len()))
                })?;
                let signature = if *pads {
                    let (hash_alg, mgf) = (MechanismType::SHA256, PkcsMgfType::MGF1_SHA256);
                    let pss = PkcsPssParams { hash_alg, mgf, s_len: (DIGEST as u64).into() };
                    made(&Mechanism::RsaPkcsPss(pss), &digest)?
                } else {
                    made(&Mechanism::RsaX509, &pss::padded(size, &digest, &SALT))?
                };
                let opened = BigUint::from_bytes_be(&signature).modpow(&EXPONENT.into(), modulus);
                if signature.len() != size || !pss::fits(size, &digest, &opened.to_bytes_be()) {
                    return Err(Failure::new(Step::Sign, "its signature does not fit the public key"));
                }
                Ok(signature)
            }
        }
    }

    /// Ends the session.
    pub fn close(self) {
        self.module.close();
    }
}

/// What private keys there are.
fn labels(module: &Module) -> Result<Vec<String>, Failure> {
    let keys = module.objects(ObjectClass::PRIVATE_KEY, &[])?;
    let label = |key| match module.attribute(key, AttributeType::Label)? {
        Some(Attribute::Label(label)) => Ok(String::from_utf8_lossy(&label).into_owned()),
        _ => Ok(String::new()),
    };
    keys.into_iter().map(label).collect()
}

/// Attributes of the public part. The private key may lack them; then they are in the public key with its identifier.
fn public<const N: usize>(
    module: &Module,
    handle: ObjectHandle,
    kinds: [AttributeType; N],
) -> Result<[Vec<u8>; N], Failure> {
    let id = module.attribute(handle, AttributeType::Id)?.unwrap_or(Attribute::Id(Vec::new()));
    let others = module.objects(ObjectClass::PUBLIC_KEY, &[id])?;
    for key in [handle].into_iter().chain(others) {
        let mut parts = Vec::new();
        for kind in kinds {
            match module.attribute(key, kind)? {
                Some(
                    Attribute::Modulus(part) | Attribute::PublicExponent(part) | Attribute::EcPoint(part),
                ) if !part.is_empty() => parts.push(part),
                _ => break,
            }
        }
        if let Ok(parts) = parts.try_into() {
            return Ok(parts);
        }
    }
    Err(Failure::new(Step::OtherKind, "the token does not tell its public part"))
}

fn ed25519(module: &Module, handle: ObjectHandle) -> Result<Public, Failure> {
    let [point] = public(module, handle, [AttributeType::EcPoint])?;
    // A DER OCTET STRING, or the bytes themselves, as PKCS#11 3.1 has it.
    let bytes = match point.strip_prefix(b"\x04\x20") {
        Some(bytes) if bytes.len() == 32 => bytes,
        _ => &point,
    };
    let wrong = |_| Failure::new(Step::OtherKind, format!("its public part has {} bytes", bytes.len()));
    bytes.try_into().map(Public::Ed25519).map_err(wrong)
}

fn rsa(module: &Module, handle: ObjectHandle) -> Result<Public, Failure> {
    let parts = public(module, handle, [AttributeType::Modulus, AttributeType::PublicExponent])?;
    let [modulus, exponent] = parts.map(|part| BigUint::from_bytes_be(&part));
    let bits = modulus.bits();
    if ![2048, 3072].contains(&bits) || exponent != EXPONENT.into() {
        let detail = format!("it has {bits} bits and the public exponent {exponent}");
        return Err(Failure::new(Step::OtherKind, detail));
    }
    Ok(Public::Rsa { modulus, pads: false })
}

/// Bytes of a modulus, and of its signatures.
fn size(modulus: &BigUint) -> usize {
    modulus.to_bytes_be().len()
}
