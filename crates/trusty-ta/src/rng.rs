//! Random numbers, seeded with a key of the device and with what Linux adds.
//!
//! Trusty of L4T R32 offers a TA no source of randomness (the image that R32.7.2 ships has a port for it, whose messages are in no public
//! source). So a TA has a generator of its own: ChaCha20, whose key is replaced before each answer, so that nobody who sees its
//! state later learns what it gave before. It refuses to give anything until it is seeded, with
//!
//! * a key of [`crate::hwkey`], which Linux does not know,
//! * at least [`ENTROPY`] bytes that Linux sends (its `getrandom`; a client app calls `tipc::entropy`), which no two starts have alike,
//! * the clock.
//!
//! All of it is mixed by BLAKE2s. What comes later is mixed in, and never takes the place of what was there.
//!
//! What it is worth. Whoever has the EKB's key (with NVIDIA's own EKB everybody) and reads what Linux sent knows all that it gives, but for the
//! clock. Whoever owns Linux and has no key learns nothing of it, and can make it repeat itself only by sending the same bytes at the same
//! nanosecond after a start. Seeded without a key, its numbers are a secret from nobody who owns Linux: good for identifiers, not for keys.
//!
//! Crates that ask `getrandom` (0.2, 0.3, 0.4), as `rand` does, get these numbers in a TA, and an error before it is seeded. In unit tests on a host
//! they ask the host's system; [`fill`] gives the same numbers each time there, for the same seed and clock of the test's world.

use crate::hwkey::EkbKey;
use crate::time;
use blake2::Blake2s256;
use blake2::digest::Digest;
use chacha20::ChaCha20;
use chacha20::cipher::{KeyIvInit, StreamCipher};
use core::fmt;
use trusty_abi::Uuid;
use zeroize::Zeroizing;

/// Bytes of entropy that a seed needs.
pub const ENTROPY: usize = 32;

/// Why there are no random numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RngError {
    /// Nobody has seeded the generator.
    NotSeeded,
    /// What it was to be seeded with has fewer than [`ENTROPY`] bytes.
    TooLittle,
}

impl core::error::Error for RngError {}

impl fmt::Display for RngError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::NotSeeded => {
                f.write_str("the random number generator is not seeded: no client app has sent entropy")
            }
            Self::TooLittle => write!(f, "fewer than {ENTROPY} bytes of entropy"),
        }
    }
}

/// A generator of one's own. Most TAs need only the one that [`seed`] starts. It shows nothing of itself, and is wiped when it is dropped.
pub struct Rng(Zeroizing<[u8; 32]>);

impl fmt::Debug for Rng {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("Rng")
    }
}

impl Rng {
    /// For a TA, its own UUID, with a key of the device.
    pub fn new(key: &EkbKey, app: &Uuid, entropy: &[u8]) -> Result<Self, RngError> {
        let mut rng = Self::empty();
        rng.seed(Some(key), app, entropy).map(|()| rng)
    }

    /// The same without a key of the device: whoever owns Linux can know all numbers.
    pub fn without_key(app: &Uuid, entropy: &[u8]) -> Result<Self, RngError> {
        let mut rng = Self::empty();
        rng.seed(None, app, entropy).map(|()| rng)
    }

    fn empty() -> Self {
        Self(Zeroizing::new([0; 32]))
    }

    fn seed(&mut self, key: Option<&EkbKey>, app: &Uuid, entropy: &[u8]) -> Result<(), RngError> {
        if entropy.len() < ENTROPY {
            return Err(RngError::TooLittle);
        }
        if let Some(key) = key {
            self.mix(b"carveout rng key", &key.derive_for_random(&app.0)[..]);
        }
        self.mix(b"carveout rng app", &app.0);
        self.reseed(entropy);
        Ok(())
    }

    /// Mixes in more entropy, of any length, and the clock.
    pub fn reseed(&mut self, entropy: &[u8]) {
        self.mix(b"carveout rng ent", entropy);
        let clock = time::now().map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX));
        self.mix(b"carveout rng now", &clock.to_le_bytes());
    }

    /// Fills `bytes`.
    pub fn fill(&mut self, bytes: &mut [u8]) {
        let mut stream = ChaCha20::new((&*self.0).into(), &[0; 12].into());
        // The next key first: what is given does not lead back to it, nor it to what is given.
        self.0.fill(0);
        stream.apply_keystream(&mut self.0[..]);
        bytes.fill(0);
        stream.apply_keystream(bytes);
    }

    /// BLAKE2s of what, the state and a text. The first two have lengths of their own, so that no two of these are one text.
    fn mix(&mut self, what: &[u8; 16], text: &[u8]) {
        let mut hash = Blake2s256::new();
        for part in [&what[..], &self.0[..], text] {
            hash.update(part);
        }
        *self.0 = hash.finalize().into();
    }
}

/// Seeds the TA's generator, with a key of the device. If it is seeded already, all of this is mixed in.
pub fn seed(key: &EkbKey, app: &Uuid, entropy: &[u8]) -> Result<(), RngError> {
    start(Some(key), app, entropy)
}

/// The same without a key of the device: whoever owns Linux can know all numbers.
pub fn seed_without_key(app: &Uuid, entropy: &[u8]) -> Result<(), RngError> {
    start(None, app, entropy)
}

fn start(key: Option<&EkbKey>, app: &Uuid, entropy: &[u8]) -> Result<(), RngError> {
    state::with(|state| match state {
        Some(rng) => rng.seed(key, app, entropy),
        None => {
            let mut rng = Rng::empty();
            rng.seed(key, app, entropy)?;
            *state = Some(rng);
            Ok(())
        }
    })
}

/// Whether the TA's generator is seeded.
pub fn is_seeded() -> bool {
    state::with(|rng| rng.is_some())
}

/// Mixes more entropy into the TA's generator.
pub fn reseed(entropy: &[u8]) -> Result<(), RngError> {
    state::with(|rng| rng.as_mut().map(|rng| rng.reseed(entropy)).ok_or(RngError::NotSeeded))
}

/// Fills `bytes` from the TA's generator.
pub fn fill(bytes: &mut [u8]) -> Result<(), RngError> {
    state::with(|rng| rng.as_mut().map(|rng| rng.fill(bytes)).ok_or(RngError::NotSeeded))
}

/// The TA's one generator.
#[cfg(target_os = "none")]
mod state {
    use super::Rng;
    use core::cell::RefCell;

    struct Shared(RefCell<Option<Rng>>);

    // SAFETY: a TA has one thread (Trusty knows no others) and no interrupts, so nothing is ever shared.
    unsafe impl Sync for Shared {}

    static RNG: Shared = Shared(RefCell::new(None));

    pub fn with<T>(run: impl FnOnce(&mut Option<Rng>) -> T) -> T {
        run(&mut RNG.0.borrow_mut())
    }
}

/// That of the app which runs in a test: it starts anew with the app.
#[cfg(not(target_os = "none"))]
mod state {
    use super::Rng;

    pub fn with<T>(run: impl FnOnce(&mut Option<Rng>) -> T) -> T {
        crate::testing::with_random_state(|state| {
            let mut rng = state.take().map(Rng);
            let result = run(&mut rng);
            *state = rng.map(|rng| rng.0);
            result
        })
    }
}

/// What crates that ask `getrandom` call in a TA.
#[cfg(target_os = "none")]
mod hooks {
    use core::num::NonZeroI32;
    use core::slice;

    /// `getrandom` has codes from here on for others: 1 is [`super::RngError::NotSeeded`].
    const CODE_02: u32 = (1 << 31) + (1 << 30) + 1;
    const CODE_03: NonZeroI32 = NonZeroI32::new((1 << 17) + 1).unwrap();

    /// Of getrandom 0.2, by its feature `custom`, which this crate sets.
    ///
    /// # Safety
    /// `bytes` are `length` bytes that may be written.
    #[unsafe(no_mangle)]
    unsafe fn __getrandom_custom(bytes: *mut u8, length: usize) -> u32 {
        // SAFETY: as the caller answers for; getrandom 0.2 has filled them with zeros.
        let bytes = unsafe { slice::from_raw_parts_mut(bytes, length) };
        if super::fill(bytes).is_ok() { 0 } else { CODE_02 }
    }

    /// Of getrandom 0.3 and 0.4, by `--cfg getrandom_backend="custom"`, with which TAs are built. Their error is a `NonZeroI32`.
    ///
    /// # Safety
    /// `bytes` are `length` bytes that may be written.
    #[unsafe(no_mangle)]
    unsafe fn __getrandom_v03_custom(bytes: *mut u8, length: usize) -> Result<(), NonZeroI32> {
        // SAFETY: as the caller answers for; they need not be initialized, so that is done first.
        let bytes = unsafe {
            bytes.write_bytes(0, length);
            slice::from_raw_parts_mut(bytes, length)
        };
        super::fill(bytes).map_err(|_| CODE_03)
    }
}

#[cfg(test)]
mod tests;
