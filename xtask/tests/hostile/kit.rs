//! What attacks with numbers have in common.

use crate::report::small;
use bundle::{Manifest, sha256};
use std::fmt::Debug;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// Within this an attack must end that once took 20 s and more; most end in no time.
const SOON: Duration = Duration::from_secs(10);

/// Runs something that must end soon.
pub fn within<T>(what: &dyn Debug, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = run();
    assert!(start.elapsed() < SOON, "{what:?} took {:?}", start.elapsed());
    result
}

/// Runs the command line.
pub fn run(args: &[&str]) -> Output {
    let state = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    within(&args, || command.args(args).env("XDG_STATE_HOME", state.path()).output().unwrap())
}

/// Runs the command line, which must refuse with this exit code and text.
pub fn refused(args: &[&str], code: i32, why: &str) {
    let output = run(args);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
    assert!(said.contains(why) && !said.contains("panicked"), "{args:?}: {said}");
}

/// The folder of the least bundle.
pub fn bundle_of(dir: &Path) -> PathBuf {
    dir.join(small::write(dir, "1", 32 << 20))
}

/// A bundle's manifest after a change, as text.
pub fn rewritten(folder: &Path, change: impl FnOnce(&mut Manifest)) -> String {
    let text = fs::read_to_string(folder.join(bundle::MANIFEST)).unwrap();
    let mut manifest = Manifest::from_text(&text).unwrap();
    change(&mut manifest);
    manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
    for file in &mut manifest.files {
        if let Ok(bytes) = fs::read(folder.join(&file.path)) {
            (file.size, file.sha256) = (bytes.len() as u64, sha256(&bytes));
        }
    }
    manifest.flash = Manifest::flash_digests(&manifest.files);
    manifest.to_text().unwrap()
}

/// Changes a bundle's manifest, and brings it and the checksums in line with the files.
pub fn rewrite(folder: &Path, change: impl FnOnce(&mut Manifest)) -> Manifest {
    let manifest = Manifest::from_text(&rewritten(folder, change)).unwrap();
    fs::write(folder.join(bundle::MANIFEST), manifest.to_text().unwrap()).unwrap();
    fs::write(folder.join(bundle::SUMS), manifest.sums().unwrap()).unwrap();
    manifest
}

/// A tar file as bundles have it, with headers of any size.
#[derive(Default)]
pub struct Tar(pub Vec<u8>);

impl Tar {
    /// Manifest, checksums, and what of the manifest's files is in the folder.
    pub fn of(folder: &Path, manifest: &Manifest) -> Self {
        let mut tar = Self::default();
        let names = [bundle::MANIFEST, bundle::SUMS].into_iter();
        for path in names.chain(manifest.files.iter().map(|file| file.path.as_str())) {
            if let Ok(bytes) = fs::read(folder.join(path)) {
                tar.add(&format!("{}/{path}", manifest.bundle_name()), &bytes);
            }
        }
        tar
    }

    /// The header of an entry.
    pub fn begin_as(&mut self, path: &str, size: u64, kind: tar::EntryType) {
        let mut header = tar::Header::new_gnu();
        header.set_path(path).unwrap();
        header.set_size(size);
        header.set_mode(0o644);
        header.set_mtime(1);
        header.set_uid(0);
        header.set_gid(0);
        header.set_entry_type(kind);
        header.set_cksum();
        self.0.extend(header.as_bytes());
    }

    /// The header of a regular file.
    pub fn begin(&mut self, path: &str, size: u64) {
        self.begin_as(path, size, tar::EntryType::Regular);
    }

    /// A regular file.
    pub fn add(&mut self, path: &str, bytes: &[u8]) {
        self.begin(path, bytes.len() as u64);
        self.0.extend(bytes);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
    }

    /// The archive, whole.
    pub fn packed(mut self) -> Vec<u8> {
        self.0.extend([0; 1024]);
        pack(&self.0)
    }

    /// The archive with so many zeros behind it, in four bytes for each 128 KiB.
    pub fn with_zeros(self, zeros: u64) -> Vec<u8> {
        const BLOCK: usize = 128 << 10;
        // No checksum, no size; a window of 128 KiB.
        let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0, 7 << 3];
        for block in self.0.chunks(BLOCK) {
            frame.extend(&(block.len() as u32 * 8).to_le_bytes()[..3]);
            frame.extend(block);
        }
        let repeat = ((BLOCK as u32 * 8) | 2).to_le_bytes();
        frame.extend([repeat[0], repeat[1], repeat[2], 0].repeat(zeros as usize / BLOCK));
        frame.extend([1, 0, 0]);
        frame
    }
}

/// Packs as bundles are packed.
pub fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.include_checksum(true).unwrap();
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}
