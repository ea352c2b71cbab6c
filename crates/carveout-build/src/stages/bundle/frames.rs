//! Compressed frames of a bundle's large files, kept: a root filesystem that has not changed is not compressed again for a new trusted app.

use crate::errors::BundleError;
use bundle::{FileEntry, Frames, Manifest};
use carveout_host::error::{At, Result};
use carveout_host::ui::{Ui, Verbosity};
use stage_cache::{Cache, Key, Output};
use std::path::Path;

/// Name of a frame in its folder.
const FRAME: &str = "frame.zst";

/// The frames of a bundle's folder, and what keeps others from removing them; those that are not in the cache at `home` are made.
pub fn of(folder: &Path, manifest: &Manifest, home: &Path) -> Result<(Frames, Vec<Output>)> {
    // They are part of what is told of the bundle.
    let ui = Ui::new(Verbosity::Quiet);
    let cache = Cache::new(home, &ui);
    let (mut frames, mut held) = (Frames::default(), Vec::new());
    for file in &manifest.files {
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
        if hashed.sha256 == file.sha256 { Ok(()) } else { Err(BundleError::Changed { path: from.into() }.into()) }
    })
}
