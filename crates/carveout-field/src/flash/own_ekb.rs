//! The EKB of a board: whoever has given it one of its own keeps it in a full flash, unless it is told otherwise.

use super::board_job::BoardJob;
use super::request::EkbChoice;
use crate::device::session::Session;
use crate::errors::{BoardError, FlashError};
use carveout_host::error::{At, Result};
use carveout_host::files::{self, NewFile, SECRET};
use carveout_host::ui::Ui;
use std::fs;
use std::path::{Path, PathBuf};
use tegra_bct::signed::Signed;
use tegra_flash::Ekb;
use tegra_flash::update::EKS;

/// Most bytes of the partition.
const MOST: u64 = 1 << 20;

/// An EKB that is written back behind the bundle's.
pub struct OwnEkb {
    /// The partition's content, in a file that outlasts a power cut.
    file: PathBuf,
    /// Whether the file is of this flash, and goes when the board has it again.
    ours: bool,
    /// Where it belongs.
    pub partitions: Vec<String>,
}

/// What the board is to have in the place of the bundle's EKB, if anything.
pub fn look(
    job: &BoardJob,
    (board, started): (&str, &str),
    session: &Session,
    folder: &Path,
    ui: &Ui,
) -> Result<Option<OwnEkb>> {
    let Some(partitions) = session.partitions_like(EKS) else { return Ok(None) };
    match &job.ekb {
        EkbChoice::Replace => Ok(None),
        EkbChoice::File(file) => {
            let file = fs::canonicalize(file).at(file)?;
            Ok(Some(OwnEkb { file, ours: false, partitions }))
        }
        EkbChoice::Keep => {
            // A new board has no partitions yet.
            let Ok(bytes) = session.content(EKS, MOST) else {
                ui.note(&format!("board {board}: no EKB can be read of it; it gets the bundle's"));
                return Ok(None);
            };
            if bytes.starts_with(&session.ours(EKS)?) || !is_own(&bytes) {
                return Ok(None);
            }
            let name = format!("ekb-{board}-{}.bin", started.replace(':', ""));
            let file = fs::canonicalize(folder).at(folder)?.join(name);
            let new = NewFile::create(&file, SECRET)?;
            files::put(new.path(), &bytes)?;
            new.publish_new()?;
            ui.note(&format!(
                "board {board}: has an EKB of its own, and keeps it; --ekb replace writes the bundle's instead"
            ));
            Ok(Some(OwnEkb { file, ours: true, partitions }))
        }
    }
}

/// Refuses a file that is no content of the partition: whatever it is, the board could not open it.
pub fn ensure_ekb(file: &Path) -> Result<()> {
    let bytes = files::read_limited(file, MOST)?;
    let sound = Signed::parse(&bytes).is_some();
    if sound { Ok(()) } else { Err(FlashError::NoEkb { path: file.into() }.into()) }
}

/// Whether the partition has something that is nobody else's: keys that not everybody has, or what cannot be read, as it is encrypted.
fn is_own(partition: &[u8]) -> bool {
    if partition.iter().all(|byte| *byte == 0) || partition.iter().all(|byte| *byte == 0xff) {
        return false;
    }
    // The blob says itself how long it is.
    let header = Signed::parse(partition).map_or(0, |signed| signed.header.len());
    let content = partition.get(header..).unwrap_or_default();
    !matches!(Ekb::parse(content), Some(Ok(ekb)) if ekb.sample_keys().is_some())
}

impl OwnEkb {
    /// Writes it to a partition, and reads it back.
    pub fn put_back(&self, partition: &str, session: &Session) -> Result<()> {
        let (bytes, name) = (files::read_limited(&self.file, MOST)?, self.file.display().to_string());
        session.write(partition, &name, bytes.len() as u64)?;
        let back = session.content(partition, MOST)?;
        if back.starts_with(&bytes) {
            return Ok(());
        }
        Err(BoardError::ReadBackDiffers { partition: partition.into() }.into())
    }

    /// The board has it: the copy is not needed any more.
    pub fn forget(self) {
        if self.ours {
            // One that stays is told by its name.
            let _ = fs::remove_file(&self.file);
        }
    }

    /// What to do after a flash that has failed.
    pub fn remedy(&self) -> String {
        let file = self.file.display();
        format!(
            "  the board's own EKB is safe in {file}: bring the board into recovery mode and run the command again with --ekb {file}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::is_own;
    use tegra_flash::Ekb;
    use tegra_flash::ekb::{Key, Root};

    #[test]
    fn keys_that_everybody_has_are_nobodys_own() {
        let key = Key::parse(b"000102030405060708090a0b0c0d0e0f").unwrap();
        let sample = Ekb::seal(&Root::sample(), &[key.clone()], None).unwrap();
        let own = Ekb::seal(&Root::new(&key, &[7; 16]), &[key.clone()], None).unwrap();
        for (partition, expected) in [
            (&sample[..], false),
            (&own, true),
            (&[0; 4096], false),
            (&[0xff; 4096], false),
            (b"encrypted", true),
        ] {
            assert_eq!(is_own(partition), expected);
        }
    }
}
