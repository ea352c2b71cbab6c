//! Cases in files: those that go ways of their own, and those that find something.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use trusty_model::case::{Case, CaseError, MAX_TEXT};

/// How a case's file ends.
const ENDING: &str = "case";

/// Why a case is not read or written.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system.
    #[error("{0}: {1}")]
    Io(PathBuf, io::Error),
    /// It is no case.
    #[error("{0}: {1}")]
    Case(PathBuf, CaseError),
    /// It is too large.
    #[error("{0}: a case has at most {MAX_TEXT} bytes")]
    Large(PathBuf),
}

/// Where cases are that go ways of their own.
pub fn corpus(dir: &Path) -> PathBuf {
    dir.join("corpus")
}

/// Where cases are that find something.
pub fn finds(dir: &Path) -> PathBuf {
    dir.join("finds")
}

/// Reads a case.
pub fn read(path: &Path) -> Result<Case, FileError> {
    let io = |error| FileError::Io(path.into(), error);
    if fs::metadata(path).map_err(io)?.len() > MAX_TEXT as u64 {
        return Err(FileError::Large(path.into()));
    }
    let text = fs::read_to_string(path).map_err(io)?;
    Case::parse(&text).map_err(|error| FileError::Case(path.into(), error))
}

/// The case of a file; or all cases that are kept in a folder.
pub fn all_of(path: &Path) -> Result<Vec<(PathBuf, Case)>, FileError> {
    if !path.is_dir() {
        return Ok(vec![(path.into(), read(path)?)]);
    }
    Ok([read_all(&finds(path))?, read_all(&corpus(path))?].concat())
}

/// All cases of a folder, in the order of their names. A folder that is not there has none.
pub fn read_all(dir: &Path) -> Result<Vec<(PathBuf, Case)>, FileError> {
    let io = |error| FileError::Io(dir.into(), error);
    let entries = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(io)?,
    };
    let paths = entries.map(|entry| entry.map(|entry| entry.path()).map_err(io));
    let mut paths = paths.collect::<Result<Vec<_>, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|ending| ending == ENDING));
    paths.sort();
    paths.into_iter().map(|path| read(&path).map(|case| (path, case))).collect()
}

/// Writes a case, with what it brings about in front. Its name is made of the case: the same one is written once.
pub fn write(dir: &Path, case: &Case, report: &str) -> Result<PathBuf, FileError> {
    let text = case.to_string();
    let path = dir.join(format!("{:016x}.{ENDING}", fnv(text.as_bytes())));
    let comment: String = report.lines().map(|line| format!("# {}\n", line.trim_end())).collect();
    let io = |error| FileError::Io(path.clone(), error);
    fs::create_dir_all(dir).map_err(io)?;
    // Whole or not at all, also for one who reads meanwhile.
    let part = path.with_extension("part");
    let written = fs::File::create(&part).and_then(|mut file| file.write_all((comment + &text).as_bytes()));
    written.and_then(|()| fs::rename(&part, &path)).map_err(io)?;
    Ok(path)
}

/// FNV-1a: names files, and protects nothing.
fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}
