//! The place in a root filesystem of what says which bundle it came with.

use crate::errors::RootfsError;
use carveout_host::error::{At, Result};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

/// The file beside an image with the place: bytes before it.
const OFFSET: &str = "identity-offset";
/// Bytes of an image that are looked through at once.
const PIECE: usize = 1 << 20;

/// Adds debugfs commands that make the file, with a blank in it. What the root filesystem has there came from another bundle.
pub fn place(commands: &mut String, blank: &Path, epoch: u64) {
    let (folder, name) = bundle::IDENTITY_FILE.rsplit_once('/').unwrap_or_default();
    // Not by mke2fs's folder: there a link of the root filesystem could lead out of it.
    // A folder that is there stays as it is.
    for (at, _) in folder.match_indices('/').skip(1).chain([(folder.len(), "")]) {
        let _ = writeln!(commands, "mkdir {}", folder.get(..at).unwrap_or_default());
    }
    let blank = blank.display().to_string().replace('"', "\"\"");
    let _ = writeln!(commands, "cd {folder}\nrm {name}\nwrite \"{blank}\" {name}");
    let _ = writeln!(commands, "sif {name} mode 0100644\nsif {folder} mode 040755");
    for inode in [folder, name] {
        for field in ["uid", "gid"] {
            let _ = writeln!(commands, "sif {inode} {field} 0");
        }
        for field in ["atime", "mtime", "ctime", "crtime"] {
            let _ = writeln!(commands, "sif {inode} {field} @{epoch}");
        }
    }
}

/// Finds the blank in an image, raw or sparse, and notes where it is.
pub fn find(image: &Path, out: &Path) -> Result<()> {
    let blank = bundle::blank();
    let mut file = File::open(image).at(image)?;
    let (mut start, mut piece) = (0, Vec::new());
    let mut found = Vec::new();
    loop {
        let read = (&mut file).take(PIECE as u64).read_to_end(&mut piece).at(image)?;
        let places = memchr::memmem::find_iter(&piece, &blank).map(|at| start + at as u64);
        found.extend(places);
        if read == 0 {
            break;
        }
        // What begins at the end of a piece ends in the next one; what ends before it is not found twice.
        let keep = piece.len().min(blank.len() - 1);
        start += (piece.len() - keep) as u64;
        piece.drain(..piece.len() - keep);
    }
    let [offset] = found.as_slice() else {
        return Err(RootfsError::NoPlaceForIdentity { found: found.len() }.into());
    };
    let path = out.join(OFFSET);
    fs::write(&path, offset.to_string()).at(&path)
}

/// Where it is in the image of this result.
pub fn offset(dir: &Path) -> Result<u64> {
    let path = dir.join(OFFSET);
    let text = fs::read_to_string(&path).at(&path)?;
    text.parse().map_err(|_| RootfsError::NoPlaceForIdentity { found: 0 }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blank_is_found_wherever_it_lies() {
        let dir = tempfile::tempdir().unwrap();
        let image = dir.path().join("image");
        for at in [0, 4096, PIECE - 1, PIECE - 1024, PIECE, 2 * PIECE - 2047] {
            let mut bytes = vec![7; 3 * PIECE];
            bytes[at..at + bundle::IDENTITY_SIZE].copy_from_slice(&bundle::blank());
            fs::write(&image, &bytes).unwrap();
            find(&image, dir.path()).unwrap();
            assert_eq!(offset(dir.path()).unwrap(), at as u64);
        }
        let twice = [bundle::blank(), bundle::blank()].concat();
        for (bytes, times) in [(vec![0; 5000], 0), (Vec::new(), 0), (twice, 2)] {
            fs::write(&image, &bytes).unwrap();
            let error = find(&image, dir.path()).unwrap_err().to_string();
            assert!(error.contains(&format!("{times} places")), "{error}");
        }
    }
}
