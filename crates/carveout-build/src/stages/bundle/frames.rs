//! Compressed frames of a bundle's large files, kept: a root filesystem that has not changed is not compressed again for a new trusted app.

use crate::errors::BundleError;
use bundle::{FileEntry, Frames};
use carveout_host::error::{At, Result};
use carveout_host::ui::{Ui, Verbosity};
use stage_cache::{Cache, Key, Output};
use std::path::Path;

/// Name of a frame in its folder.
const FRAME: &str = "frame.zst";

/// The frames of a bundle's folder, and what keeps others from removing them; those that are not in the cache at `home` are made.
pub fn of(folder: &Path, files: &[FileEntry], home: &Path) -> Result<(Frames, Vec<Output>)> {
    // They are part of what is told of the bundle.
    let ui = Ui::new(Verbosity::Quiet);
    let cache = Cache::new(home, &ui);
    let (mut frames, mut held) = (Frames::default(), Vec::new());
    for file in files {
        if !frames.is_large(file.size) {
            continue;
        }
        let make = || frame(&folder.join(&file.path), file, &cache);
        let mut frame = make()?;
        // The content of the files tells, not their times: a damaged frame would damage every archive with it.
        if frame.reused && !frame.is_whole()? {
            frame = cache.renew(&frame, make)?;
        }
        frames.keep(&file.sha256, frame.dir.join(FRAME));
        held.push(frame);
    }
    Ok((frames, held))
}

fn frame(from: &Path, file: &FileEntry, cache: &Cache) -> Result<Output> {
    let key = Key::of(crate::code(file!()))
        .with("content", &file.sha256)
        .with("compression", bundle::compression());
    // The frames of each path are pruned by themselves; a path may be longer than a file's name.
    let path = bundle::sha256(file.path.as_bytes());
    cache.stage(&format!("frames {}", path.get(..16).unwrap_or(&path)), key, |work| {
        let out = work.out.join(FRAME);
        let hashed = bundle::write_frame(from, &out).at(&out)?;
        if hashed.sha256 == file.sha256 {
            Ok(())
        } else {
            Err(BundleError::Changed { path: from.into() }.into())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bundle::Role;
    use std::fs::{self, File};

    #[test]
    fn a_frame_is_made_once_and_anew_if_it_is_damaged() {
        let dir = tempfile::tempdir().unwrap();
        let contents = [vec![1; 5 << 20], vec![2; 9]];
        let mut files = Vec::new();
        for (path, bytes) in ["rootfs/system.img", "small"].into_iter().zip(&contents) {
            let full = dir.path().join("bundle").join(path);
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            fs::write(full, bytes).unwrap();
            files.push(FileEntry {
                path: path.into(),
                role: Role::Flash,
                size: bytes.len() as u64,
                sha256: bundle::sha256(bytes),
                partitions: Vec::new(),
                executable: false,
                made_of: None,
                identity: None,
            });
        }
        let get = |files: &[FileEntry]| {
            let (_, mut held) = of(&dir.path().join("bundle"), files, &dir.path().join("home"))?;
            assert_eq!(held.len(), 1, "of the large file alone");
            Ok::<Output, carveout_host::error::Error>(held.remove(0))
        };
        let made = get(&files).unwrap();
        let frame = made.dir.join(FRAME);
        let good = fs::read(&frame).unwrap();
        assert!(!made.reused && get(&files).unwrap().reused);
        // As it would be after an error of the disk: size and time are what they were.
        let time = fs::metadata(&frame).unwrap().modified().unwrap();
        let mut bad = good.clone();
        bad[good.len() / 2] ^= 1;
        fs::write(&frame, &bad).unwrap();
        File::options().write(true).open(&frame).unwrap().set_modified(time).unwrap();
        assert!(!get(&files).unwrap().reused && fs::read(&frame).unwrap() == good);
        // What is listed is what is compressed, or there is no frame.
        fs::write(dir.path().join("bundle/rootfs/system.img"), vec![3; 5 << 20]).unwrap();
        assert!(get(&files).unwrap().reused, "the frame is that of the listed content");
        files[0].sha256 = bundle::sha256(b"other");
        assert_eq!(get(&files).unwrap_err().code, "build::bundle::changed-meanwhile");
    }
}
