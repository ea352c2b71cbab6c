//! Files to and from the host.

use crate::host::{Host, Input, pump};
use desk_guest::link::kind;
use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Makes a file of what comes. It appears when it is whole.
pub fn put(host: &Host, channel: u32, data: &[u8], input: &Input) -> io::Result<()> {
    let (mode, path) = data.split_first_chunk().ok_or(io::ErrorKind::InvalidInput)?;
    let path = Path::new(std::str::from_utf8(path).map_err(io::Error::other)?);
    let name = path.file_name().ok_or(io::ErrorKind::IsADirectory)?;
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let new = path.with_file_name(format!(".{}.new", name.display()));
    let written = || -> io::Result<()> {
        let mut file = File::create(&new)?;
        while let Some(piece) = input.next(host, channel)? {
            file.write_all(&piece)?;
        }
        file.set_permissions(Permissions::from_mode(u32::from_le_bytes(*mode)))?;
        fs::rename(&new, path)
    };
    written().inspect_err(|_| drop(fs::remove_file(&new)))
}

/// Sends a file.
pub fn get(host: &Host, channel: u32, data: &[u8]) -> io::Result<()> {
    let path = Path::new(std::str::from_utf8(data).map_err(io::Error::other)?);
    let file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("it is no file"));
    }
    pump(host, channel, kind::OUTPUT, file)
}
