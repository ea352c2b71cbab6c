//! The passphrase that NVIDIA's luks-srv answers: what `gen_luks_passphrase.py` computes on a host.
//!
//! Source: `luks-srv/key_mgnt.c` and its `tool/gen_luks_passphrase`, L4T R32.7.

use super::key::Key;

/// Bits of an ECID that count; what is above them is not the chip's.
pub const ECID_BITS: u32 = 100;
/// The lowest bits of an ECID, of which hwkey-agent takes only whether they are zero (`rsvd1 && …` in its `fuse.c`).
const RESERVED: u128 = 0x3f;
/// The longest context string. The message has room for 40 bytes; luks-srv looks for a NUL behind what it copies, and without one
/// it writes past its buffer. So one byte stays for the NUL.
pub const CONTEXT_MAX: usize = 39;

/// Whose passphrase it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Of {
    /// Any device with the same EKB.
    Generic,
    /// The device with this ECID.
    Device(u128),
}

/// A context string that luks-srv cannot take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a context string has at most {CONTEXT_MAX} bytes, none of them NUL; this one has {0}")]
pub struct WrongContext(pub usize);

/// An ECID as hwkey-agent gives it to luks-srv. `gen_luks_passphrase.py` takes all of its bits: for a chip for which this is another number,
/// its passphrase is not the device's.
pub fn ecid_of_agent(ecid: u128) -> u128 {
    ecid & ((1 << ECID_BITS) - 1) & !RESERVED | u128::from(ecid & RESERVED != 0)
}

/// The passphrase for a context string, from the second key of an EKB (disk encryption). `luks-srv-app` prints it in hexadecimal
/// digits.
pub fn passphrase(disk_key: &Key, of: Of, context: &str) -> Result<Key, WrongContext> {
    if context.len() > CONTEXT_MAX || context.contains('\0') {
        return Err(WrongContext(context.len()));
    }
    Ok(match of {
        Of::Generic => {
            disk_key.derive("luks-srv-generic", "generic-key").derive("luks-srv-passphrase-generic", context)
        }
        Of::Device(ecid) => {
            let ecid = format!("{:032x}", ecid_of_agent(ecid));
            disk_key.derive("luks-srv-ecid", &ecid).derive("luks-srv-passphrase-unique", context)
        }
    })
}
