//! What vault-srv and vault-app say to each other.
//!
//! A request is one message: u8 what, u8 length of the name, the name, the content. So is an answer: u8 [`Status`], and if that is
//! [`Status::Done`], what was asked for.
#![no_std]
#![warn(clippy::indexing_slicing)]

/// The vault's port.
pub const PORT: &str = "com.carveout.srv.vault-srv";
/// Bytes of a secret that the vault makes, at most.
pub const SECRET: usize = 64;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum What {
    /// Seal the content under the name.
    Seal = 1,
    /// Open the content, which was sealed under the name.
    Open = 2,
    /// Take the content, which is random, into the vault's random numbers.
    Entropy = 3,
    /// Make a secret of as many bytes as the content's one byte says, and seal it under the name. Nobody sees it.
    New = 4,
    /// Make an empty store.
    Init = 5,
    /// Keep the content under the name, in the place of what was kept under it.
    Put = 6,
    /// Give what is kept under the name.
    Get = 7,
    /// Keep nothing under the name any more.
    Remove = 8,
    /// Tell all names: of each, u32 bytes of its content, u8 length, name. As many as fit into a message.
    List = 9,
}

/// How a request has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Status {
    /// As asked.
    Done = 0,
    /// It is no request.
    BadRequest = 1,
    /// hwkey-agent gave no key.
    NoKey = 2,
    /// The content was sealed by another app, chip or EKB, under another name, or was changed.
    NotOpened = 3,
    /// The heap, or a message, has no room for it.
    TooLarge = 4,
    /// No client has sent entropy since the vault's start.
    NoEntropy = 5,
    /// No daemon on Linux keeps the vault's store, or it has gone.
    NoDaemon = 6,
    /// There is no store: [`What::Init`] makes one.
    NoStore = 7,
    /// Nothing is kept under this name.
    NotFound = 8,
    /// What the daemon gave was changed, or is older than what was kept.
    NotTrusted = 9,
    /// The daemon could not keep it: its disk is full, say.
    NotKept = 10,
    /// There is a store already.
    StoreExists = 11,
}

impl What {
    /// By its number.
    pub fn of(number: u8) -> Option<Self> {
        use What::{Entropy, Get, Init, List, New, Open, Put, Remove, Seal};
        let all = [Seal, Open, Entropy, New, Init, Put, Get, Remove, List];
        all.into_iter().find(|what| *what as u8 == number)
    }
}

impl Status {
    /// By its number.
    pub fn of(number: u8) -> Option<Self> {
        use Status::{
            BadRequest, Done, NoDaemon, NoEntropy, NoKey, NoStore, NotFound, NotKept, NotOpened, NotTrusted,
            StoreExists, TooLarge,
        };
        let all = [
            Done,
            BadRequest,
            NoKey,
            NotOpened,
            TooLarge,
            NoEntropy,
            NoDaemon,
            NoStore,
            NotFound,
            NotTrusted,
            NotKept,
            StoreExists,
        ];
        all.into_iter().find(|status| *status as u8 == number)
    }
}

/// What, name and content of a request.
pub fn parts(request: &[u8]) -> Option<(What, &[u8], &[u8])> {
    let [what, length, rest @ ..] = request else { return None };
    let (name, content) = rest.split_at_checked((*length).into())?;
    Some((What::of(*what)?, name, content))
}

/// What stands before name and content of a request; none if the name is longer than 255 bytes.
pub fn head(what: What, name: &[u8]) -> Option<[u8; 2]> {
    Some([what as u8, u8::try_from(name.len()).ok()?])
}
