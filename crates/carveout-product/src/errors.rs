//! What can go wrong with a product config, a board and a workspace, by areas.
//!
//! What is wrong in a config is told with the file, the line, the key and the line's text. Where an error has no help
//! of its own, its help is to edit that line.

mod apps;
mod config;
mod keys;
mod l4t;
mod rootfs;
mod suggestion;
mod yocto;

pub use apps::{AppError, ClientAppError, PackageError};
pub use config::{BoardError, ConfigError};
pub use keys::{PkcError, SbkError};
pub use l4t::L4tError;
pub use rootfs::{MirrorError, RootfsError};
pub use yocto::YoctoError;

/// All of them, for the reference.
pub const CATALOGS: &[&[carveout_host::error::Entry]] = &[
    AppError::CATALOG,
    ClientAppError::CATALOG,
    PackageError::CATALOG,
    ConfigError::CATALOG,
    BoardError::CATALOG,
    SbkError::CATALOG,
    PkcError::CATALOG,
    RootfsError::CATALOG,
    MirrorError::CATALOG,
    YoctoError::CATALOG,
    L4tError::CATALOG,
];
