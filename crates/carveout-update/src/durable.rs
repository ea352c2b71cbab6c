//! Values of ours in files, as JSON: there as a whole or not at all, whenever the power goes.

use crate::error::UpdateError;
use crate::text::text;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Reads a value; none where there is no file.
pub fn read<T: DeserializeOwned>(path: &Path) -> Result<Option<T>, UpdateError> {
    let text = match text(path) {
        Ok(text) => text,
        Err(UpdateError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    serde_json::from_str(&text).map(Some).map_err(|source| UpdateError::State { path: path.into(), source })
}

/// All of it or nothing, and so that it lasts.
pub fn write(folder: &Path, name: &str, value: &impl Serialize) -> Result<(), UpdateError> {
    let (path, new) = (folder.join(name), folder.join(format!("{name}.new")));
    let all = || {
        let _ = fs::remove_file(&new);
        let mut file = File::create_new(&new)?;
        serde_json::to_writer(&mut file, value)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&new, &path)?;
        sync(folder)
    };
    all().map_err(|source: io::Error| UpdateError::Io { path: path.clone(), source })
}

/// Names in a folder last as well.
pub fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
