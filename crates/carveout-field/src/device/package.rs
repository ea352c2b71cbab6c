//! The flash package of a bundle, unpacked for use: a folder for each board, as NVIDIA's tools write into theirs.

use super::seen::Seen;
use crate::errors::BundleError;
use crate::verify::{digest_of, signed, unreadable};
use bundle::{COMMON, FLASH, FileEntry, FlashPackage, Manifest, PublicKey, Role, Source};
use carveout_host::error::{At, Result};
use carveout_host::tools::scratch;
use carveout_keys::Authenticity;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use tegra_flash::Layout;
use tegra_flash::slots::APP;
use trusty_image::Soc;

/// The root filesystem, for NVIDIA's tools.
pub const ROOTFS: &str = "system.img";
/// The same for slot B, where there is one.
const ROOTFS_B: &str = "system.img_b";
/// NVIDIA's script of a flash, whose variables name files.
const SCRIPT: &str = "nvaflash.sh";

/// A bundle's flash files in a scratch folder. It has been verified.
pub struct Package {
    /// What the bundle says of itself.
    pub manifest: Manifest,
    /// SHA-256 of its manifest, which covers all of it.
    pub digest: String,
    scratch: carveout_host::tools::Scratch,
    rootfs: Option<PathBuf>,
    /// What the root filesystem of a folder was: it is written from where it lies.
    seen: Option<Seen>,
}

impl Package {
    /// Verifies a bundle and unpacks what flashing needs. The root filesystem is unpacked from an archive only if it is wanted.
    pub fn open(path: &Path, with_rootfs: bool, key: Option<&PublicKey>) -> Result<(Self, Authenticity)> {
        let (manifest, authenticity) = signed(path, key)?;
        let kind = manifest.device.as_ref().map(|device| device.flash_package);
        if kind != Some(FlashPackage::Modules) {
            let path = path.into();
            return Err(match kind {
                Some(FlashPackage::Tegraflash) => BundleError::MetaTegraPackage { path },
                Some(_) => BundleError::NoFlashPackage { path },
                None => BundleError::NotForUsb { path, board: manifest.board },
            }
            .into());
        }
        let changed = |file: String| BundleError::Changed { path: path.into(), file };
        let scratch = scratch("flash")?;
        let source = Source::open(path).map_err(unreadable)?;
        let digest = digest_of(&manifest)?;
        let mut package = Self { digest, manifest, scratch, rootfs: None, seen: None };
        let rootfs = package.manifest.files.iter().find(|file| file.role == Role::Rootfs).cloned();
        if let (Source::Folder(folder), Some(rootfs)) = (&source, &rootfs) {
            let path = fs::canonicalize(folder.join(&rootfs.path)).at(folder)?;
            if with_rootfs {
                package.seen = Some(Seen::new(&path, &fs::metadata(&path).at(&path)?));
                // Read a second time, as all below.
                if bundle::hash_file(&path).at(&path)?.sha256 != rootfs.sha256 {
                    return Err(changed(rootfs.path.clone()).into());
                }
            }
            package.rootfs = Some(path);
        }
        let unpacked = matches!(source, Source::Archive(_)) && with_rootfs;
        let wanted = |file: &FileEntry| {
            matches!(file.role, Role::Flash | Role::Layout) || (file.role == Role::Rootfs && unpacked)
        };
        let mut failed = None;
        let read = source.for_each(&mut |name, reader| {
            let Some(file) = package.manifest.file(name).filter(|file| wanted(file)) else { return Ok(()) };
            let to = package.scratch.path().join(name);
            fs::create_dir_all(to.parent().unwrap_or(&to))?;
            let mut out = File::create(&to)?;
            std::io::copy(reader, &mut out)?;
            // Read a second time: it must still be what was verified.
            if bundle::hash_file(&to)?.sha256 != file.sha256 {
                failed = Some(name.to_owned());
            }
            Ok(())
        });
        read.map_err(|e| BundleError::NotUnpacked { source: e.into() })?;
        if let Some(name) = failed {
            return Err(changed(name).into());
        }
        if let Some(rootfs) = rootfs.filter(|_| unpacked) {
            package.rootfs = Some(package.scratch.path().join(&rootfs.path));
        }
        Ok((package, authenticity))
    }

    /// The bundle's root filesystem.
    pub fn rootfs(&self) -> Option<&Path> {
        self.rootfs.as_deref()
    }

    /// An error if the root filesystem that is written was changed since it was verified. `state` says what a device has of it.
    pub fn ensure_same(&self, state: &str) -> Result<()> {
        self.seen.as_ref().map_or(Ok(()), |seen| seen.ensure_same(state))
    }

    /// A folder with what all modules get, to find out which module a board is.
    pub fn identify(&self, to: &Path) -> Result<()> {
        match self.manifest.soc() {
            // Its recovery loader reads the EEPROM, and is the same for all modules.
            Soc::T186 => self.fill(&format!("{FLASH}/{COMMON}/"), to, "rcm_")?,
            Soc::T194 => self.fill(&format!("{FLASH}/{COMMON}/identify/"), to, "")?,
        }
        for tool in ["tegrarcm_v2", "chkbdinfo"] {
            self.copy(&format!("{FLASH}/{COMMON}/{tool}"), &to.join(tool))?;
        }
        Ok(())
    }

    /// A folder with all that a module gets, and a root filesystem.
    pub fn module(&self, module: &str, rootfs: Option<&Path>, to: &Path) -> Result<()> {
        for folder in [COMMON, module] {
            self.fill(&format!("{FLASH}/{folder}/"), to, "")?;
        }
        let Some(image) = rootfs else { return Ok(()) };
        for (_, name) in root_slots(self)? {
            symlink(image, to.join(name)).at(&to.join(name))?;
        }
        Ok(())
    }

    /// Copies the files of a folder of the bundle whose names begin so, without its subfolders.
    fn fill(&self, folder: &str, to: &Path, begin: &str) -> Result<()> {
        fs::create_dir_all(to).at(to)?;
        for file in self.manifest.files.iter().filter(|file| file.role == Role::Flash) {
            if let Some(name) =
                file.path.strip_prefix(folder).filter(|name| !name.contains('/') && name.starts_with(begin))
            {
                self.copy(&file.path, &to.join(name))?;
            }
        }
        Ok(())
    }

    fn copy(&self, path: &str, to: &Path) -> Result<()> {
        let from = self.scratch.path().join(path);
        fs::copy(&from, to).at(&from)?;
        // A bundle keeps no modes.
        fs::set_permissions(to, fs::Permissions::from_mode(0o755)).at(to)
    }
}

/// The partitions with a root filesystem, and how NVIDIA's tools call the file of each: one, or two with rootfs A/B.
pub fn root_slots(package: &Package) -> Result<Vec<(&'static str, &'static str)>> {
    let layout = Layout::parse(&layout_of(package)?);
    let board = || package.manifest.board.clone();
    let layout = layout.map_err(|e| BundleError::BadLayout { board: board(), source: e.into() })?;
    let has_two = layout.partition(APP[1]).is_some();
    let slots = APP.into_iter().zip([ROOTFS, ROOTFS_B]);
    Ok(slots.take(if has_two { 2 } else { 1 }).collect())
}

/// The text of a bundle's partition layout.
pub fn layout_of(package: &Package) -> Result<String> {
    let layout = package.manifest.files.iter().find(|file| file.role == Role::Layout);
    let path = layout.map(|file| package.scratch.path().join(&file.path));
    let path = path.ok_or_else(|| BundleError::NoFileForPartition { partition: "the layout".into() })?;
    carveout_host::files::read_to_string(&path)
}

/// What `nvaflash.sh` of a package sets: the arguments of its calls.
pub struct Script(BTreeMap<String, String>);

impl Script {
    /// Reads the variables of a package's script.
    pub fn read(dir: &Path) -> Result<Self> {
        let path = dir.join(SCRIPT);
        let text = fs::read(&path).at(&path)?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let variable = |line: &str| {
            let (name, value) = line.strip_suffix("\";")?.split_once("=\"")?;
            name.bytes().all(|b| b.is_ascii_alphanumeric()).then(|| (name.to_owned(), value.to_owned()))
        };
        Ok(Self(text.lines().filter_map(variable).collect()))
    }

    /// The words of a variable, which must be set.
    pub fn words(&self, name: &str) -> Result<Vec<&str>> {
        let value = self.0.get(name).ok_or_else(|| BundleError::ScriptVariable { variable: name.into() })?;
        Ok(value.split_whitespace().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let text = "usbarg=\"--instance $1\";\nrcmarg=\"--rcm rcm_list_signed.xml\";\nrcmsfarg=\"\";\n\tcmd+=\"x\";\nx=1\n";
        fs::write(dir.path().join(SCRIPT), text).unwrap();
        let script = Script::read(dir.path()).unwrap();
        assert_eq!(script.words("rcmarg").unwrap(), ["--rcm", "rcm_list_signed.xml"]);
        assert_eq!(script.words("rcmsfarg").unwrap(), Vec::<&str>::new());
        assert_eq!(script.words("pttarg").unwrap_err().code, "field::bundle::no-script-variable");
    }
}
