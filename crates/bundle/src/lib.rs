//! The flashable bundle on disk.
//!
//! ```text
//! <name>-<version>-<board>-tzdram<MiB>M/    and the same as .tar.zst
//!   manifest.json      what it is made of and for, each file with role, size, sha256, partitions
//!   SHA256SUMS         `sha256sum -c` accepts it; covers every file but itself and its signature
//!   SHA256SUMS.minisig when signed; minisign accepts it
//!   secure-os/tos.img  trusted-apps/*.elf  boot-config/*.cfg  layout/*.xml
//!   client-apps/*.deb  rootfs/system.img  rootfs/packages.lock  sbom.cdx.json
//!   update/bl_update_payload            for real boards: what a running device writes to the slot that is not active
//!   flash/common/*  flash/<module>/*    for real boards: NVIDIA's tools and what they write; of BitBake, flash/tegraflash/*
//! ```
//!
//! Folder and archive are interchangeable: [`Source`] opens either, [`verify()`] reads either once, front to back, with
//! bounded memory. Two builds of the same inputs give the same bytes.

mod archive;
mod builder;
mod device;
mod diff;
mod extract;
mod file_entry;
mod flash;
mod format;
mod frames;
mod given;
mod hash;
mod identity;
pub mod limits;
mod manifest;
mod open;
mod problem;
mod signature;
mod signed;
mod source;
mod structure;
mod sums;
mod trace;
mod update;
mod update_archive;
mod verify;
mod writer;

pub use archive::{write_archive, write_signed};
pub use builder::{About, SECURE_OS_IMAGE, trusted_app};
pub use device::{
    COMMON, Device, FLASH, FlashPackage, Fused, ModuleEntry, Recovery, TEGRAFLASH, UPDATE_PAYLOAD, tos_image,
};
pub use diff::{Diff, Difference, Side, diff};
pub use extract::{ExtractError, Extracted, extract};
pub use file_entry::{FileEntry, Role};
pub use format::{FORMAT, MANIFEST, SUMS};
pub use frames::{ARCHIVE_MAGIC, Frames, compression, write_frame};
pub use given::{Given, Origin};
pub use hash::{Hashed, copy_hashed, hash_file, sha256};
pub use identity::{IDENTITY_FILE, IDENTITY_SIZE, Identity, IdentityError, IdentityPlace, blank};
pub use manifest::{
    AppEntry, Budgets, DeskBoot, Inputs, LinuxBooted, Manifest, ManifestError, NAME, Partition, Port,
    VERSION, bundle_name, is_plain, package_name,
};
pub use open::{NotAFile, open, open_with};
pub use problem::Problem;
pub use signature::{
    Claim, KeyId, MAX_COMMENT, MAX_SIGNATURE, PublicKey, RAW, SECRET_KEY, SIGNATURE, SignatureError,
    secret_key, sign,
};
pub use source::{Source, SourceError, is_archive};
pub use trace::MadeOf;
pub use update::{ExpectedPart, UpdateError, is_written, update_parts};
pub use update_archive::{UPDATE_SUFFIX, UpdateArchive, UpdateArchiveError, write_update};
pub use verify::{Signed, Verified, verify};
pub use writer::{Writer, WriterError};

#[cfg(test)]
mod tests;
