//! carveout as one static program: what a technician runs, who has no Rust, no sources and any Linux on x86-64.

use crate::errors::ProgramError;
use crate::workshop::EMULATOR;
use carveout_host::dirs::Dirs;
use carveout_host::error::Result;
use carveout_host::packages;
use carveout_host::toolchain::{RustTarget, Toolchains};
use carveout_host::tools::cargo;
use carveout_host::tools::cargo::CrossBuild;
use carveout_host::tools::read_limited;
use carveout_host::ui::Ui;
use object::LittleEndian;
use object::elf::{EM_X86_64, ET_DYN, ET_EXEC, FileHeader64, PT_INTERP, PT_LOAD};
use object::read::elf::{FileHeader, ProgramHeader};
use std::fs;
use std::path::{Path, PathBuf};

/// Its name: in a release, in a package, and the package's own.
pub const NAME: &str = "carveout";
/// Mode of programs.
pub const EXECUTABLE: u32 = 0o755;
/// How it is compiled for those who run it.
pub const PROFILE: &str = "client";
/// Bytes of a program, at most. It has some 20 MB.
const MAX_PROGRAM: u64 = 256 << 20;

/// Builds programs of carveout's own sources for others: static ones, for any Linux on x86-64, but for the emulator.
pub struct Programs<'a> {
    /// The workspace of whoever calls.
    pub dirs: &'a Dirs,
    /// A profile of carveout's Cargo.toml.
    pub profile: &'a str,
    /// Whether the network is forbidden.
    pub offline: bool,
    /// Progress.
    pub ui: &'a Ui,
}

impl Programs<'_> {
    /// Builds one, such as [`NAME`]. It has the same bytes wherever the sources lie.
    pub fn build(&self, package: &str) -> Result<PathBuf> {
        self.with(package, |build, log| build.run(log))
    }

    /// The same, and packs it by the `[package.metadata.deb]` of its crate.
    pub fn deb(&self, package: &str, cargo_deb: &Path, epoch: u64, out: &Path) -> Result<(PathBuf, PathBuf)> {
        self.with(package, |build, log| {
            let program = build.run(log)?;
            cargo::deb(cargo_deb, build, epoch, out, log).map(|deb| (program, deb))
        })
    }

    fn with<T>(&self, package: &str, run: impl FnOnce(&CrossBuild, &Path) -> Result<T>) -> Result<T> {
        let Self { dirs, profile, offline, ui } = *self;
        let logs = dirs.logs()?;
        packages::ensure(&packages::PROGRAM, offline, &logs.join("host.log"), ui)?;
        let root = &cargo::carveout(dirs.root()?)?;
        let (target, folder) = match package {
            EMULATOR => (RustTarget::Emulator, "cargo/emulator"),
            _ => (RustTarget::Program, "cargo/program"),
        };
        let toolchain = Toolchains::new(root, offline, ui).get(target)?;
        let target_dir = &dirs.home().join(folder);
        let build = CrossBuild { root, package, profile, target_dir, toolchain: &toolchain, offline, ui };
        let log = logs.join(format!("{package}-packed.log"));
        let _ = fs::remove_file(&log);
        run(&build, &log)
    }
}

/// Reads a program that was built elsewhere. One that does not run alone on Linux on x86-64 is refused.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    let bytes = read_limited(path, MAX_PROGRAM)?;
    match why_not(&bytes) {
        None => Ok(bytes),
        Some(why) => Err(ProgramError::NotStatic { path: path.into(), why }.into()),
    }
}

/// Why these bytes are no program that needs nothing but a kernel.
fn why_not(bytes: &[u8]) -> Option<&'static str> {
    let Ok(header) = FileHeader64::<LittleEndian>::parse(bytes) else {
        return Some("it is no 64-bit ELF file");
    };
    let Ok(endian) = header.endian() else { return Some("it is no little-endian ELF file") };
    if header.e_machine(endian) != EM_X86_64 {
        return Some("it is for another processor than x86-64");
    }
    // Static programs that may lie anywhere are of the kind of shared libraries.
    if ![ET_EXEC, ET_DYN].contains(&header.e_type(endian)) || header.e_entry(endian) == 0 {
        return Some("it is no program");
    }
    let Ok(segments) = header.program_headers(endian, bytes) else {
        return Some("its program headers do not lie within the file");
    };
    let has = |kind| segments.iter().any(|segment| segment.p_type(endian) == kind);
    if has(PT_INTERP) {
        return Some("it is not static: it names an interpreter, which loads libraries of the host");
    }
    let is_whole = |segment: &&_| ProgramHeader::data(*segment, endian, bytes).is_ok();
    if !has(PT_LOAD) || !segments.iter().all(|segment| is_whole(&segment)) {
        return Some("its segments do not lie within the file");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHDR: usize = 64;

    /// A header and segments of these kinds.
    fn elf(kinds: &[u32]) -> Vec<u8> {
        let mut elf = vec![0; PHDR + 56 * kinds.len()];
        elf[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
        (elf[16], elf[18], elf[20], elf[24]) = (3, 62, 1, 1);
        (elf[32], elf[52], elf[54], elf[56]) = (PHDR as u8, 64, 56, kinds.len() as u8);
        for (at, kind) in kinds.iter().enumerate() {
            elf[PHDR + 56 * at..][..4].copy_from_slice(&kind.to_le_bytes());
        }
        elf
    }

    fn changed(at: usize, to: u8) -> Vec<u8> {
        let mut elf = elf(&[PT_LOAD]);
        elf[at] = to;
        elf
    }

    #[test]
    fn only_a_program_that_runs_alone_is_taken() {
        for (bytes, expected) in [
            (elf(&[PT_LOAD]), None),
            (elf(&[PT_LOAD, PT_INTERP]), Some("it is not static")),
            (elf(&[]), Some("its segments")),
            (b"#!/bin/sh\n".to_vec(), Some("it is no 64-bit ELF file")),
            (Vec::new(), Some("it is no 64-bit ELF file")),
            (changed(4, 1), Some("it is no 64-bit ELF file")),
            (changed(5, 2), Some("it is no little-endian ELF file")),
            (changed(18, 183), Some("it is for another processor")),
            (changed(16, 1), Some("it is no program")),
            (changed(24, 0), Some("it is no program")),
            (changed(33, 9), Some("its program headers")),
            (changed(PHDR + 32, 255), Some("its segments")),
        ] {
            let found = why_not(&bytes);
            let same = match (found, expected) {
                (Some(found), Some(expected)) => found.starts_with(expected),
                (found, expected) => found == expected,
            };
            assert!(same, "{found:?}, expected {expected:?}");
        }
    }
}
