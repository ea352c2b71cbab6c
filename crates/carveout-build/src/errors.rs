//! What can go wrong when bundles and releases are built, by area.

mod assemble;
mod boards;
mod bundles;
mod flash;
mod fuzz;
mod images;
mod new;
mod program;
mod release;
mod run;

pub use assemble::{AssembleError, TrustedAppError};
pub use boards::{BootConfigError, ProductError, StageError};
pub use bundles::{BundleError, failed};
pub use flash::{FlashError, KEYS};
pub use fuzz::FuzzError;
pub use images::{DeskBootError, LinuxBootError, SecureOsError};
pub use new::{MAX_NAME, NewError};
pub use program::ProgramError;
pub use release::ReleaseError;
pub use run::RunError;

/// All of them, for the reference.
pub const CATALOGS: &[&[carveout_host::error::Entry]] = &[
    AssembleError::CATALOG,
    TrustedAppError::CATALOG,
    BootConfigError::CATALOG,
    ProductError::CATALOG,
    StageError::CATALOG,
    BundleError::CATALOG,
    FlashError::CATALOG,
    FuzzError::CATALOG,
    SecureOsError::CATALOG,
    DeskBootError::CATALOG,
    LinuxBootError::CATALOG,
    ProgramError::CATALOG,
    ReleaseError::CATALOG,
    RunError::CATALOG,
    NewError::CATALOG,
];
