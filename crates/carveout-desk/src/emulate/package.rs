//! The program in a client app's package: an aarch64 ELF file, or nothing.

use crate::errors::PackageError;
use carveout_host::error::{At, Result};
use object::elf::{EM_AARCH64, ET_DYN, ET_EXEC, FileHeader64};
use object::endian::LittleEndian;
use object::read::elf::{FileHeader, ProgramHeader};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Debian's interpreter of arm64 programs that are not static.
const INTERPRETER: &str = "/lib/ld-linux-aarch64.so.1";

/// Whose libraries a program takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Libraries {
    /// None: it is static.
    Static,
    /// Those of its package.
    Package,
    /// Debian's C library of arm64.
    Debian,
}

/// The program of an unpacked package: the first of usr/bin, by its path in the package.
pub fn program(name: &str, package: &Path) -> Result<(PathBuf, Libraries)> {
    let name = name.to_owned();
    let bin = Path::new("usr/bin");
    for folder in ["usr", "usr/bin"] {
        // Not of what a link points to.
        let is_folder = fs::symlink_metadata(package.join(folder)).is_ok_and(|metadata| metadata.is_dir());
        if !is_folder {
            return Err(PackageError::NoProgramFolder { name, folder: folder.to_owned() }.into());
        }
    }
    let folder = package.join(bin);
    let mut programs = Vec::new();
    for entry in fs::read_dir(&folder).at(&folder)? {
        let entry = entry.at(&folder)?;
        let metadata = entry.metadata().at(&entry.path())?;
        if metadata.is_file() && metadata.permissions().mode() & 0o111 != 0 {
            programs.push((bin.join(entry.file_name()), metadata.permissions().mode()));
        }
    }
    programs.sort();
    let Some((path, mode)) = programs.into_iter().next() else {
        return Err(PackageError::NoExecutable { name }.into());
    };
    let shown = path.display().to_string();
    if mode & 0o005 != 0o005 {
        let mode = format!("{:04o}", mode & 0o7777);
        return Err(PackageError::OnlyForOwner { name, program: shown, mode }.into());
    }
    let full = package.join(&path);
    let bytes = fs::read(&full).at(&full)?;
    let Some(interpreter) = interpreter_of(&bytes, &name, &shown)? else {
        return Ok((path, Libraries::Static));
    };
    let own = package.join(interpreter.trim_start_matches('/'));
    let inside = match (own.canonicalize(), package.canonicalize()) {
        (Ok(own), Ok(package)) => own.starts_with(package) && own.is_file(),
        _ => false,
    };
    if inside {
        let bytes = fs::read(&own).at(&own)?;
        return match interpreter_of(&bytes, &name, &format!("the interpreter {interpreter} of {shown}"))? {
            None => Ok((path, Libraries::Package)),
            Some(_) => Err(PackageError::NestedInterpreter { name, program: shown, interpreter }.into()),
        };
    }
    if interpreter == INTERPRETER {
        return Ok((path, Libraries::Debian));
    }
    Err(PackageError::NoInterpreter { name, program: shown, interpreter }.into())
}

/// The interpreter that an aarch64 ELF program asks for, if it does. The names are for errors.
fn interpreter_of(bytes: &[u8], name: &str, program: &str) -> Result<Option<String>, PackageError> {
    let (name, program) = (|| name.to_owned(), || program.to_owned());
    if bytes.starts_with(b"#!") {
        return Err(PackageError::Script { name: name(), program: program() });
    }
    if !bytes.starts_with(b"\x7fELF") {
        return Err(PackageError::NotElf { name: name(), program: program() });
    }
    let other = || PackageError::OtherProcessor { name: name(), program: program() };
    let damaged = |error: object::Error| PackageError::DamagedElf {
        name: name(),
        program: program(),
        source: error.into(),
    };
    let header = FileHeader64::<LittleEndian>::parse(bytes).map_err(|_| other())?;
    let endian = header.endian().map_err(|_| other())?;
    if header.e_machine(endian) != EM_AARCH64 || ![ET_EXEC, ET_DYN].contains(&header.e_type(endian)) {
        return Err(other());
    }
    for segment in header.program_headers(endian, bytes).map_err(damaged)? {
        match segment.interpreter(endian, bytes) {
            Ok(None) => {}
            Ok(Some(path)) => {
                let path = std::str::from_utf8(path)
                    .ok()
                    .filter(|path| path.starts_with('/') && !path.contains(".."));
                return path
                    .map(|path| Some(path.to_owned()))
                    .ok_or_else(|| PackageError::BadInterpreterPath { name: name(), program: program() });
            }
            Err(error) => return Err(damaged(error)),
        }
    }
    Ok(None)
}
