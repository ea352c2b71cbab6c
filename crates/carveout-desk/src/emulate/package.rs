//! The program in a client app's package: an aarch64 ELF file, or nothing.

use carveout_host::error::{At, Error, Result};
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
    let wrong = |what: String| {
        Error::check(format!("{name}: {what}")).remedy(
            "a client app's package holds a program for aarch64 Linux in usr/bin: get it anew from who made it, or build it",
        )
    };
    let bin = Path::new("usr/bin");
    for folder in ["usr", "usr/bin"] {
        // Not of what a link points to.
        let is_folder = fs::symlink_metadata(package.join(folder)).is_ok_and(|metadata| metadata.is_dir());
        if !is_folder {
            return Err(wrong(format!("has no program in usr/bin: {folder} is no folder")));
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
        return Err(wrong("has no program in usr/bin: no regular file there is executable".into()));
    };
    let shown = path.display().to_string();
    if mode & 0o005 != 0o005 {
        return Err(wrong(format!(
            "{shown} has mode {:04o}: others than its owner cannot run it",
            mode & 0o7777
        )));
    }
    let full = package.join(&path);
    let bytes = fs::read(&full).at(&full)?;
    let Some(interpreter) = interpreter_of(&bytes).map_err(|what| wrong(format!("{shown} {what}")))? else {
        return Ok((path, Libraries::Static));
    };
    let own = package.join(interpreter.trim_start_matches('/'));
    let inside = match (own.canonicalize(), package.canonicalize()) {
        (Ok(own), Ok(package)) => own.starts_with(package) && own.is_file(),
        _ => false,
    };
    if inside {
        let bytes = fs::read(&own).at(&own)?;
        return match interpreter_of(&bytes) {
            Ok(None) => Ok((path, Libraries::Package)),
            Ok(Some(_)) => Err(wrong(format!("the interpreter {interpreter} of {shown} needs another one"))),
            Err(what) => Err(wrong(format!("the interpreter {interpreter} of {shown} {what}"))),
        };
    }
    if interpreter == INTERPRETER {
        return Ok((path, Libraries::Debian));
    }
    Err(wrong(format!("{shown} needs the interpreter {interpreter}, and the package does not hold it")))
}

/// The interpreter that an aarch64 ELF program asks for, if it does; or what else the file is.
fn interpreter_of(bytes: &[u8]) -> std::result::Result<Option<String>, String> {
    if !bytes.starts_with(b"\x7fELF") {
        let what = if bytes.starts_with(b"#!") { "is a script" } else { "is no ELF file" };
        return Err(format!("{what}, not a program for aarch64 Linux"));
    }
    let other = || "is an ELF file, but not a program for aarch64 Linux (64 bits, little endian)".to_owned();
    let damaged = |e: object::Error| format!("is a damaged ELF file: {e}");
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
                    .ok_or_else(|| "names no interpreter's path".into());
            }
            Err(error) => return Err(damaged(error)),
        }
    }
    Ok(None)
}
