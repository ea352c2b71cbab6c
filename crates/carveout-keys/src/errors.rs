//! What can go wrong in here, by area.

mod ekb;
mod file;
mod sign;
mod token;
mod verify;

pub use ekb::EkbError;
pub use file::KeyFileError;
pub use sign::SignError;
pub use token::TokenError;
pub use verify::VerifyError;

/// All of them, for the reference.
pub const CATALOGS: &[&[carveout_host::error::Entry]] = &[
    EkbError::CATALOG,
    KeyFileError::CATALOG,
    SignError::CATALOG,
    TokenError::CATALOG,
    VerifyError::CATALOG,
];
