//! A stand-in for hwkey-agent, for unit tests of trusted apps.

use crate::hwkey::EkbKey;

pub use trusty_model::hwkey::{AgentMood, TEST_ECID, TEST_KEY};

/// The key that an agent gives.
pub fn test_key() -> EkbKey {
    EkbKey::new(TEST_KEY, TEST_ECID)
}
