//! What a device keeps to itself: the keys in its security engine, its EKB, and the number of its chip.

use carveout_host::error::Result;
use carveout_host::ui::Ui;
use carveout_keys::ekb;
use carveout_keys::errors::EkbError;
use std::path::PathBuf;
use tegra_flash::ekb::{Ekb, Key, Root};

/// The ECID of the desk's chip: 100 bits, of which the lowest six are zero, as hwkey-agent reads no more of them than whether they are.
pub const ECID: u128 = 0x1_2345_6789_abcd_ef01_2345_6780;
/// The keys of the desk's own EKB: kernel encryption and disk encryption.
pub const TEST_KEYS: [[u8; 16]; 2] = [*b"not a secret: 01", *b"not a secret: 02"];
/// The key that a chip has made for itself.
const SSK: [u8; 16] = *b"not secret: SSK.";

/// What to take in place of the desk's own.
#[derive(Clone, Debug, Default)]
pub struct KeysRequest {
    /// An EKB: `eks.img`.
    pub ekb: Option<PathBuf>,
    /// The key KEK2: a key file.
    pub kek2: Option<PathBuf>,
    /// The chip's number.
    pub ecid: Option<u128>,
}

/// A device's.
#[derive(Clone, Debug)]
pub struct DeviceKeys {
    /// The key in slot KEK2.
    pub kek2: Key,
    /// The key in slot SSK.
    pub ssk: Key,
    /// The chip's number.
    pub ecid: u128,
    /// Its EKB, from the CMAC on, as the kernel gets it.
    pub ekb: Vec<u8>,
}

impl DeviceKeys {
    /// What was asked for, and else what the desk has: no fuses, and keys that say that they are no secret.
    pub fn new(request: &KeysRequest, ui: &Ui) -> Result<Self> {
        let kek2 = request.kek2.as_deref().map(|path| ekb::key("--kek2", path, ui)).transpose()?;
        let blob = match &request.ekb {
            Some(path) => ekb::read("--ekb", path)?,
            None => {
                let made = Ekb::seal(&Root::sample(), &TEST_KEYS.map(Key::new), None);
                made.map_err(|source| EkbError::NotMade { keys: TEST_KEYS.len(), source: source.into() })?
            }
        };
        Ok(Self {
            kek2: kek2.unwrap_or_else(Key::no_fuses),
            ssk: Key::new(SSK),
            ecid: request.ecid.unwrap_or(ECID),
            ekb: blob.get(Ekb::HEADER..).unwrap_or_default().to_vec(),
        })
    }
}
