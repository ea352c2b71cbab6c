//! NVIDIA's licence: shown, and accepted once.

use crate::errors::VendorError;
use carveout_host::dirs::Dirs;
use carveout_host::error::{At, Error, Result};
use carveout_host::files;
use carveout_host::text::Text;
use carveout_host::tools::curl::Url;
use carveout_host::ui::Ui;
use carveout_product::L4t;
use std::fs;
use std::path::{Path, PathBuf};

/// Where a BSP has it.
pub const FILE: &str = "bootloader/LICENSE";
/// Lines of it that are shown besides its path.
const SHOWN: usize = 12;

/// Before anything of NVIDIA's is downloaded: the text is not there yet, so its place is named.
pub fn before_download(l4t: &L4t, url: &Url, dirs: &Dirs, ui: &Ui) -> Result<()> {
    if l4t.accept_license || record(dirs).exists() {
        return Ok(());
    }
    ui.note(&format!("{url} comes under NVIDIA's \"License For Customer Use of NVIDIA Software\""));
    Err(unaccepted("read it on the download's page, developer.nvidia.com/embedded/jetson-linux-archive"))
}

/// Before a BSP is used: its licence must have been accepted, by whoever runs us.
pub fn accepted(l4t: &L4t, bsp: &Path, dirs: &Dirs, ui: &Ui) -> Result<()> {
    let path = bsp.join(FILE);
    let text = carveout_host::files::read(&path)?;
    let (record, sum) = (record(dirs), bundle::sha256(&text));
    let known = fs::read_to_string(&record).unwrap_or_default();
    if known.lines().any(|line| line == sum) {
        return Ok(());
    }
    if !l4t.accept_license {
        let text = String::from_utf8_lossy(&text).into_owned();
        let head: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).take(SHOWN).collect();
        ui.text(&Text::lines(head));
        ui.note(&format!("  … the whole text: {}", path.display()));
        return Err(unaccepted(&format!("read {}", path.display())));
    }
    let folder = record.parent().unwrap_or(Path::new("/"));
    let written = fs::create_dir_all(folder).at(folder);
    let written = written.and_then(|()| files::write(&record, format!("{known}{sum}\n"), files::OUTPUT));
    // Without a home the acceptance holds for this run alone.
    if let Err(error) = written {
        ui.detail(&format!("{}: the acceptance of the licence is not kept", error.message));
    }
    Ok(())
}

fn unaccepted(read: &str) -> Error {
    VendorError::LicenseNotAccepted { read: read.into() }.into()
}

/// Sums of the texts that this user has accepted.
fn record(dirs: &Dirs) -> PathBuf {
    dirs.state().join("accepted-licenses")
}
