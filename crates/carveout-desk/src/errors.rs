//! What can go wrong on the desk.

mod client;
mod emulate;
mod image;
mod linux;
mod machine;
mod package;
mod target;

pub use client::ClientError;
pub use emulate::EmulateError;
pub use image::ImageError;
pub use linux::LinuxError;
pub use machine::MachineError;
pub use package::PackageError;
pub use target::TargetError;

/// All of them, for the reference.
pub const CATALOGS: &[&[carveout_host::error::Entry]] = &[
    ClientError::CATALOG,
    EmulateError::CATALOG,
    ImageError::CATALOG,
    LinuxError::CATALOG,
    MachineError::CATALOG,
    PackageError::CATALOG,
    TargetError::CATALOG,
];
