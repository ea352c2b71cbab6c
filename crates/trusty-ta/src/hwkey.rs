//! Keys of the device, from NVIDIA's hwkey-agent.
//!
//! The agent opens the device's EKB at its start and gives its second key (disk encryption), with the number of the chip, to every trusted
//! app that asks: [`HwkeySession::query_ekb_key`]. By NVIDIA's public sources it gives no other key, and no randomness; the image that R32.7.2
//! ships has a port for random numbers, too, which is not used here. From that key a TA derives its own, for as many purposes as it likes:
//! [`EkbKey::derive`].
//!
//! What it is worth: every TA of the image can ask, so no TA is protected from another. The EKB is the same on all devices of a fleet: who has its
//! key, as whoever made it, has the keys of all chips. With NVIDIA's own `eks.img` everybody has it.
//! Message and port: `get_key_srv.h` and `ipc.c` of hwkey-agent in the public sources, L4T R32.
//!
//! On the board virt the emulator stands in for the agent, with a key that everybody has ("not a secret").
//! TAs of carveout start before NVIDIA's. Ask at the first request that needs a key, or with time to wait, not in the TA's constructor.

use crate::handle::Handle;
use blake2::Blake2s256;
use blake2::digest::Digest;
use core::fmt;
use core::time::Duration;
use trusty_abi::hwkey::{KEY, MESSAGE, QUERY_EKB_KEY};
use trusty_abi::{Error, Result};
use zeroize::Zeroizing;

pub use trusty_abi::hwkey::PORT;

/// What is sent in the chip's number. It has 100 bits, so that no chip's is this one, and an answer that still has it is a refusal.
const NO_ECID: [u8; 16] = [0xff; 16];

/// A connection to the agent.
#[derive(Debug)]
pub struct HwkeySession(Handle);

/// The key that the agent gives, and the chip that it is for. It is wiped when it is dropped, and shows nothing of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct EkbKey {
    key: Zeroizing<[u8; 16]>,
    ecid: u128,
}

impl fmt::Debug for EkbKey {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "EkbKey of the chip 0x{:x}", self.ecid)
    }
}

impl HwkeySession {
    /// Connects to the agent, and waits for it so long, for ever without a limit: it may start later than this TA. `TimedOut` if it does not
    /// come: it has ended because it could not open the EKB, is not in the image, or is slow. `ChannelClosed` if it
    /// ends meanwhile. While a TA waits it serves nobody.
    pub fn open(timeout: Option<Duration>) -> Result<Self> {
        Handle::connect_async(PORT)?.accepted(timeout).map(Self)
    }

    /// Asks for the key. `AccessDenied` if the agent answers without one; `Generic` or `TooBig` if what it answers has
    /// another length; `ChannelClosed` if it has ended; `TimedOut` if it does not answer
    /// in time.
    pub fn query_ekb_key(&self, timeout: Option<Duration>) -> Result<EkbKey> {
        self.0.send_parts(&[&QUERY_EKB_KEY.to_le_bytes(), &[0; 16], &NO_ECID])?;
        let mut answer = Zeroizing::new([0; MESSAGE]);
        let length = self.0.recv(&mut answer[..], timeout)?.len();
        let (key, ecid) = match (length, answer.get(KEY), answer.get(KEY.end..)) {
            (MESSAGE, Some(key), Some(ecid)) => (key.first_chunk(), ecid.first_chunk()),
            _ => return Err(Error::Generic),
        };
        match (key, ecid) {
            (Some(key), Some(ecid)) if *ecid != NO_ECID => {
                Ok(EkbKey { key: Zeroizing::new(*key), ecid: u128::from_le_bytes(*ecid) })
            }
            _ => Err(Error::AccessDenied),
        }
    }
}

impl EkbKey {
    /// A key for tests, and for TAs that have theirs from elsewhere.
    pub fn new(key: [u8; 16], ecid: u128) -> Self {
        Self { key: Zeroizing::new(key), ecid }
    }

    /// The number of the chip, as the agent puts it together.
    pub fn ecid(&self) -> u128 {
        self.ecid
    }

    /// The key of 256 bits for a purpose and a chip's number. Another purpose, chip or EKB has another. Two trusted apps with the same purpose
    /// have the same key: put the app's UUID into it. The chip's number is no secret, so that whoever has the EKB's key has the keys of all chips.
    pub fn derive(&self, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
        self.derive_for(b"carveout: a chip", &self.ecid.to_le_bytes(), purpose)
    }

    /// The same for all chips with this EKB: what one device has sealed, its brothers open.
    pub fn derive_for_fleet(&self, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
        self.derive_for(b"carveout: fleets", &[0; 16], purpose)
    }

    /// What [`crate::sealed`] uses: no purpose of an app gives these keys.
    pub(crate) fn derive_for_sealing(&self, fleet: bool, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
        let chip = if fleet { [0xff; 16] } else { self.ecid.to_le_bytes() };
        self.derive_for(b"carveout: sealed", &chip, purpose)
    }

    /// What [`crate::rng`] is seeded with.
    pub(crate) fn derive_for_random(&self, app: &[u8]) -> Zeroizing<[u8; 32]> {
        self.derive_for(b"carveout: random", &self.ecid.to_le_bytes(), app)
    }

    /// BLAKE2s of domain, key, chip and purpose. All but the purpose have 16 bytes each, so that no two of these are one text.
    fn derive_for(&self, domain: &[u8; 16], chip: &[u8; 16], purpose: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut hash = Blake2s256::new();
        for part in [&domain[..], &self.key[..], chip, purpose] {
            hash.update(part);
        }
        Zeroizing::new(hash.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{AgentMood, TEST_ECID, World, test_key};
    use std::format;
    use trusty_abi::Uuid;

    const SECOND: Option<Duration> = Some(Duration::from_secs(1));

    fn ask(world: &World) -> Result<EkbKey> {
        world.as_app(Uuid([1; 16]), || HwkeySession::open(SECOND)?.query_ekb_key(SECOND))
    }

    #[test]
    fn the_agent_gives_a_key_and_the_chips_number() {
        let world = World::new();
        assert_eq!(ask(&world), Err(Error::TimedOut), "no agent");
        world.hwkey_agent(AgentMood::Gives);
        let key = ask(&world).unwrap();
        assert_eq!((&key, key.ecid()), (&test_key(), TEST_ECID));
        assert_eq!(format!("{key:?}"), format!("EkbKey of the chip 0x{TEST_ECID:x}"));
    }

    #[test]
    fn an_agent_that_fails_is_told() {
        let world = World::new();
        for (mood, error) in [
            (AgentMood::Refuses, Error::AccessDenied),
            (AgentMood::Silent, Error::TimedOut),
            (AgentMood::HangsUp, Error::ChannelClosed),
            (AgentMood::Sends(35), Error::Generic),
            (AgentMood::Sends(37), Error::TooBig),
        ] {
            world.hwkey_agent(mood);
            assert_eq!(ask(&world), Err(error), "{mood:?}");
        }
        // A busy one was only slow: the next session is served.
        world.hwkey_agent(AgentMood::Gives);
        assert!(ask(&world).is_ok());
    }

    #[test]
    fn each_purpose_chip_and_blob_has_a_key_of_its_own() {
        let key = test_key();
        let keys = [
            key.derive(b"a"),
            key.derive(b"b"),
            key.derive(b""),
            key.derive_for_fleet(b"a"),
            EkbKey::new(*b"not a secret: 02", 1).derive(b"a"),
            EkbKey::new(*b"not a secret: 01", TEST_ECID).derive(b"a"),
        ];
        assert!((0..keys.len()).all(|at| !keys[..at].contains(&keys[at])));
        assert_eq!(key.derive(b"a"), keys[0]);
        // A fleet's key is any chip's.
        assert_eq!(EkbKey::new(*b"not a secret: 02", 1).derive_for_fleet(b"a"), keys[3]);
    }
}
