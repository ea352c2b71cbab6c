//! What can go wrong in here, by area.

mod artifact;
mod cargo;
mod download;
mod file;
mod git;
mod package;
mod program;
mod sandbox;
mod toolchain;

pub use artifact::ArtifactError;
pub use cargo::CargoError;
pub use download::DownloadError;
pub use file::FileError;
pub use git::GitError;
pub use package::{Arm64Error, PackageError};
pub use program::ProgramError;
pub use sandbox::SandboxError;
pub use toolchain::ToolchainError;

/// All of them, for the reference.
pub const CATALOGS: &[&[crate::error::catalog::Entry]] = &[
    ArtifactError::CATALOG,
    CargoError::CATALOG,
    DownloadError::CATALOG,
    FileError::CATALOG,
    GitError::CATALOG,
    Arm64Error::CATALOG,
    PackageError::CATALOG,
    ProgramError::CATALOG,
    SandboxError::CATALOG,
    ToolchainError::CATALOG,
];
