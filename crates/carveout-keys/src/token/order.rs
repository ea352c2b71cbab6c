//! What the helper is asked, and what it answers: a line of JSON each.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The helper's socket, in its folder.
pub const SOCKET: &str = "socket";

/// What a key signs, which tells its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Purpose {
    /// What fused boards boot: an RSA key.
    Boards,
    /// Releases: an Ed25519 key.
    Releases,
}

/// Which key is wanted.
#[derive(Serialize, Deserialize)]
pub struct Order {
    /// The PKCS#11 module.
    pub module: PathBuf,
    /// What token and key must have, by its name in the URI.
    pub wanted: BTreeMap<String, Vec<u8>>,
    /// Which kind of key it must be.
    pub purpose: Purpose,
    /// The token's PIN.
    pub pin: Option<String>,
}

/// What has become of an order.
#[derive(Serialize, Deserialize)]
pub enum Reply {
    /// The socket answers.
    Ready {
        /// The public key in hexadecimal.
        public: String,
        /// Whether the token pads by itself.
        pads: bool,
    },
    /// It has failed.
    Failed(Failure),
}

/// What has failed.
#[derive(Serialize, Deserialize)]
pub struct Failure {
    /// At which step.
    pub step: Step,
    /// What the module says of it.
    pub detail: String,
    /// What is there instead.
    pub seen: Vec<String>,
}

/// Where it can fail.
#[derive(Serialize, Deserialize)]
pub enum Step {
    /// The module is not loaded.
    Module,
    /// No token fits.
    NoToken,
    /// More than one does.
    SeveralTokens,
    /// The token wants a PIN.
    NoPin,
    /// It refuses the PIN.
    WrongPin,
    /// It takes no PIN any more.
    LockedPin,
    /// No key fits.
    NoKey,
    /// More than one does.
    SeveralKeys,
    /// The key is of another kind.
    OtherKind,
    /// There is no signature.
    Sign,
    /// Anything else.
    Token,
    /// The helper has ended before it could say so.
    Died,
}

impl Failure {
    /// At a step, with what the module says of it.
    pub fn new(step: Step, detail: impl Into<String>) -> Self {
        Self { step, detail: detail.into(), seen: Vec::new() }
    }
}
