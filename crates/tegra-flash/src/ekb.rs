//! The encrypted key blob (EKB) of the partition `eks`: keys that Trusty's hwkey-agent gives to Linux and to trusted apps.
//!
//! * [`Ekb`] reads one, and opens it with its [`Root`] key; [`Ekb::seal`] makes one, byte for byte as NVIDIA's `gen_ekb.py` does.
//! * [`luks`]: what luks-srv answers with the keys in it.
//!
//! Little endian: `u32` length of all behind it, `NVEKBP\0\0`, 4 bytes of padding, a CMAC (16), an IV (16), keys encrypted with
//! AES-128-CBC, padding. The CMAC covers the IV and the keys, not the padding. Its key comes of KEK2, which fuses hold:
//! root = AES-128-ECB(KEK2, a fixed vector), key = CMAC(root, 01 "authentication" 00 "ekb"). Source: `gen_ekb.py`,
//! `ekb_helper.c` and `key_mgnt.c` of hwkey-agent in the public sources of L4T R32.

mod key;
pub mod luks;

use aes::cipher::{BlockCipherDecrypt, BlockCipherEncrypt};
use cmac::Mac;
pub use key::{BLOCK, Key, KeyError};

const MAGIC: &[u8; 8] = b"NVEKBP\0\0";
/// Where the CMAC lies, and what it covers from.
const CMAC: std::ops::Range<usize> = 16..32;
const IV: usize = 32;
const KEYS: usize = 48;
/// The fixed vector of NVIDIA's sample, which users replace by their own, in hwkey-agent's sources, too.
pub const SAMPLE_VECTOR: [u8; 16] =
    [0xba, 0xd6, 0x6e, 0xb4, 0x48, 0x49, 0x83, 0x68, 0x4b, 0x99, 0x2f, 0xe5, 0x4a, 0x64, 0x8b, 0xb8];
/// `gen_ekb.py` makes none larger, in bytes.
const MAX: usize = 128 << 10;
/// And none that announces less, in bytes behind the length.
const PADDED: usize = 1024;

/// The key that all other keys of an EKB are derived from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root(Key);

impl Root {
    /// From KEK2, which fuses hold, and the fixed vector in hwkey-agent's sources.
    pub fn new(kek2: &Key, vector: &[u8; BLOCK]) -> Self {
        Self(kek2.encrypt(vector))
    }

    /// As a token has made it, which encrypted the fixed vector with a KEK2 that never leaves it.
    pub fn of_token(root: [u8; BLOCK]) -> Self {
        Self(Key::new(root))
    }

    /// Of a device without fuses, and NVIDIA's sources as they are: no secret.
    pub fn sample() -> Self {
        Self::new(&Key::no_fuses(), &SAMPLE_VECTOR)
    }

    fn encryption(&self) -> Key {
        self.0.derive("encryption", "ekb")
    }

    fn authentication(&self) -> Key {
        self.0.derive("authentication", "ekb")
    }

    /// The IV for these keys where none is given. NVIDIA's tool draws one, and no two builds were equal; this one is a secret function
    /// of what is encrypted, and so a different one for different keys.
    fn iv(&self, keys: &[Key]) -> [u8; BLOCK] {
        let mut mac = self.0.derive("initialization vector", "carveout ekb").mac();
        for key in keys {
            mac.update(key.bytes());
        }
        mac.finalize().into_bytes().into()
    }
}

/// An encrypted key blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ekb<'a> {
    /// Bytes of the whole, as it announces.
    pub size: usize,
    bytes: &'a [u8],
}

/// Why bytes with an EKB's mark are none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EkbError {
    /// Fewer bytes than it announces, or than one key takes.
    #[error("the key blob announces {announced} bytes, {present} are there")]
    Short {
        /// Bytes that it should have.
        announced: usize,
        /// Bytes that it has.
        present: usize,
    },
    /// A length that no key blob has.
    #[error("the key blob announces {0} bytes; 64 bytes to 128 KiB are possible")]
    Size(usize),
}

impl<'a> Ekb<'a> {
    /// Bytes before the CMAC.
    pub const HEADER: usize = CMAC.start;

    /// All from the CMAC on: what hwkey-agent gets.
    pub fn contents(&self) -> &'a [u8] {
        self.bytes.get(Self::HEADER..).unwrap_or_default()
    }

    /// Whether bytes have the mark of an EKB.
    pub fn looks_like(bytes: &[u8]) -> bool {
        bytes.get(4..12) == Some(MAGIC)
    }

    /// Reads a blob; bytes behind it are those of a partition. `None` without the mark.
    pub fn parse(bytes: &'a [u8]) -> Option<Result<Self, EkbError>> {
        if !Self::looks_like(bytes) {
            return None;
        }
        let length = bytes.first_chunk::<4>().map_or(0, |word| u32::from_le_bytes(*word) as usize);
        let size = length.saturating_add(4);
        if !(KEYS + BLOCK..=MAX).contains(&size) {
            return Some(Err(EkbError::Size(size)));
        }
        let short = EkbError::Short { announced: size, present: bytes.len() };
        Some(bytes.get(..size).map(|bytes| Self { size, bytes }).ok_or(short))
    }

    /// Its IV.
    pub fn iv(&self) -> [u8; BLOCK] {
        self.bytes.get(IV..KEYS).and_then(|iv| iv.first_chunk().copied()).unwrap_or_default()
    }

    /// The keys in it, if it was made with this root key.
    ///
    /// How many there are is not said anywhere: the CMAC is that of the IV and so many.
    pub fn open(&self, root: &Root) -> Option<Vec<Key>> {
        let expected = self.bytes.get(CMAC)?;
        let mut before = self.iv();
        let mut mac = root.authentication().mac();
        mac.update(&before);
        let cipher = root.encryption().cipher();
        let mut keys = Vec::new();
        for block in self.bytes.get(KEYS..)?.as_chunks::<BLOCK>().0 {
            mac.update(block);
            let mut plain = (*block).into();
            cipher.decrypt_block(&mut plain);
            keys.push(Key::new(xor(plain.into(), &before)));
            before = *block;
            if mac.clone().verify_slice(expected).is_ok() {
                return Some(keys);
            }
        }
        None
    }

    /// How many keys are in it, if it is encrypted with NVIDIA's sample key: KEK2 of a device without fuses and the vector of NVIDIA's
    /// sources. Then its keys are no secret.
    pub fn sample_keys(&self) -> Option<usize> {
        self.open(&Root::sample()).map(|keys| keys.len())
    }

    /// Makes a blob of these keys. Without an IV it is derived from the keys, so that the same keys give the same blob.
    pub fn seal(root: &Root, keys: &[Key], iv: Option<[u8; BLOCK]>) -> Result<Vec<u8>, EkbError> {
        let size = KEYS.saturating_add(keys.len().saturating_mul(BLOCK));
        if keys.is_empty() || size > MAX {
            return Err(EkbError::Size(size));
        }
        let iv = iv.unwrap_or_else(|| root.iv(keys));
        let (cipher, mut mac) = (root.encryption().cipher(), root.authentication().mac());
        let mut sealed = iv.to_vec();
        let mut before = iv;
        for key in keys {
            let mut block = xor(*key.bytes(), &before).into();
            cipher.encrypt_block(&mut block);
            before = block.into();
            sealed.extend_from_slice(&before);
        }
        mac.update(&sealed);
        let announced = (size - 4).max(PADDED);
        let mut bytes = u32::try_from(announced).map_err(|_| EkbError::Size(size))?.to_le_bytes().to_vec();
        bytes.extend_from_slice(MAGIC);
        bytes.resize(Self::HEADER, 0);
        bytes.extend_from_slice(&mac.finalize().into_bytes());
        bytes.append(&mut sealed);
        // As NVIDIA's tool pads.
        bytes.resize(4 + announced, ((announced - (size - 4)) % 256) as u8);
        Ok(bytes)
    }
}

fn xor(mut block: [u8; BLOCK], other: &[u8; BLOCK]) -> [u8; BLOCK] {
    for (byte, other) in block.iter_mut().zip(other) {
        *byte ^= other;
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const GEN_EKB: &str = "000400004e56454b42500000000000002dc75f47c49001ad60a46aebad0f54425a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a\
                           1a3ee0ca7a281081dbf9f63a0dc5f47a6fd56d706e6091947f6d72043348e1acb4b4b4b4b4b4b4b4b4b4b4b4b4b4b4b4";
    const GEN_LUKS: [&str; 2] = ["07ae08c46b7c2e8ea3f0362cef54d53b", "8e190a57a40f4e0a0270e02754157ea6"];

    /// Begin of `eks.img` of L4T R32.7.2: header, CMAC, IV, two keys; padding follows.
    fn nvidias() -> Vec<u8> {
        let hex = "000400004e56454b42500000000000003dc4dbc6b7b807c6f75c5230a2d760aa355223af61f2c201769b43680aae2b49\
                   789bb6e928ec6dffe092155b760d297251c2aa939e53cd8ccced25320e3aaf7c";
        let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let mut bytes: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
        bytes.resize(0x404, 0xb4);
        // As in the partition: the tools pad what they sign.
        bytes.extend([0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes
    }

    #[test]
    fn nvidias_own_is_told_from_others() {
        let mut bytes = nvidias();
        let ekb = Ekb::parse(&bytes).unwrap().unwrap();
        assert_eq!((ekb.size, ekb.sample_keys()), (1028, Some(2)));
        bytes[0x35] ^= 1;
        assert_eq!(Ekb::parse(&bytes).unwrap().unwrap().sample_keys(), None);
    }

    /// `gen_ekb.py` of R32.7.2 with the IV of all `5a`, KEK2 `000102…0f`, the sample's vector, keys of `11` and `22`.
    #[test]
    fn a_blob_is_what_nvidias_tool_makes() {
        let kek2 = Key::parse(b"000102030405060708090a0b0c0d0e0f\n").unwrap();
        let root = Root::new(&kek2, &SAMPLE_VECTOR);
        let keys = [Key::new([0x11; 16]), Key::new([0x22; 16])];
        let made = Ekb::seal(&root, &keys, Some([0x5a; 16])).unwrap();
        assert_eq!(made.len(), 1028);
        let hex: String = made[..96].iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, GEN_EKB);
        let ekb = Ekb::parse(&made).unwrap().unwrap();
        assert_eq!(ekb.open(&root).unwrap(), keys);
        assert_eq!((ekb.open(&Root::sample()), ekb.size), (None, 1028));
        // NVIDIA's own comes back.
        let theirs = nvidias();
        let ekb = Ekb::parse(&theirs).unwrap().unwrap();
        let keys = ekb.open(&Root::sample()).unwrap();
        let again = Ekb::seal(&Root::sample(), &keys, theirs[32..48].first_chunk().copied()).unwrap();
        assert_eq!(again, theirs[..1028]);
    }

    #[test]
    fn the_iv_repeats_and_depends_on_each_key() {
        let keys = [Key::new([1; 16]), Key::new([2; 16])];
        let seal = |root: &Root, keys: &[Key]| Ekb::seal(root, keys, None).unwrap()[IV..KEYS].to_vec();
        let all = [
            seal(&Root::sample(), &keys),
            seal(&Root::of_token([9; 16]), &keys),
            seal(&Root::sample(), &keys[..1]),
            seal(&Root::sample(), &[keys[1].clone(), keys[0].clone()]),
        ];
        assert_eq!(seal(&Root::sample(), &keys), all[0]);
        assert!((1..4).all(|index| !all[..index].contains(&all[index])), "{all:02x?}");
        assert_eq!(Ekb::seal(&Root::sample(), &[], None), Err(EkbError::Size(48)));
        let most = (MAX - KEYS) / BLOCK;
        assert!(Ekb::seal(&Root::sample(), &vec![Key::no_fuses(); most], None).is_ok());
        assert!(Ekb::seal(&Root::sample(), &vec![Key::no_fuses(); most + 1], None).is_err());
    }

    /// `gen_luks_passphrase.py` of R32.7.2.
    #[test]
    fn passphrases_are_what_nvidias_tool_prints() {
        let key = Key::parse(b"0x00112233445566778899AABBCCDDEEFF").unwrap();
        let of = |of, context| {
            let hex = luks::passphrase(&key, of, context).unwrap();
            hex.bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        let device = luks::Of::Device(0xfedc_ba98_7654_3210_0123_4567_89ab_cdc0);
        assert_eq!([of(luks::Of::Generic, "disk"), of(device, "disk")], GEN_LUKS);
        // hwkey-agent takes any of the lowest six bits for the last one.
        let reserved = luks::Of::Device(0xfedc_ba98_7654_3210_0123_4567_89ab_cdef);
        assert_eq!(of(reserved, "disk"), "2553a2e91c69f82adb13e08cbbdb7976");
        assert!(luks::passphrase(&key, device, &"c".repeat(39)).is_ok());
        assert_eq!(luks::passphrase(&key, device, &"c".repeat(40)), Err(luks::WrongContext(40)));
        assert!(luks::passphrase(&key, device, "a\0b").is_err());
    }

    #[test]
    fn a_key_file_has_32_digits_and_a_key_shows_nothing() {
        for (file, form) in [
            (&b"00"[..], "fewer digits"),
            (b"", "fewer digits"),
            (&[b'0'; 34], "more digits"),
            (&[b'1'; 33], "more digits"),
            (&[0; 16], "something else"),
            (b"00 11", "something else"),
        ] {
            assert_eq!(Key::parse(file), Err(KeyError::Form(form)), "{file:?}");
        }
        assert_eq!(format!("{:?}", Key::new([7; 16])), "Key(..)");
    }

    #[test]
    fn sizes_are_checked() {
        let bytes = nvidias();
        assert_eq!(Ekb::parse(&bytes[..64]), Some(Err(EkbError::Short { announced: 1028, present: 64 })));
        for length in [0, 40, u32::MAX] {
            let changed = [&length.to_le_bytes()[..], &bytes[4..]].concat();
            assert!(matches!(Ekb::parse(&changed), Some(Err(EkbError::Size(_)))), "{length}");
        }
        assert_eq!(Ekb::parse(b"NVEKBP\0\0"), None);
    }

    proptest! {
        #[test]
        fn any_input_is_survived(bytes: Vec<u8>, at in 0usize..80) {
            if let Some(Ok(ekb)) = Ekb::parse(&bytes) { let _ = ekb.sample_keys(); }
            let mut changed = nvidias();
            for (to, from) in changed.iter_mut().skip(at).zip(&bytes) { *to = *from; }
            if let Some(Ok(ekb)) = Ekb::parse(&changed) { let _ = ekb.sample_keys(); }
        }
    }
}
