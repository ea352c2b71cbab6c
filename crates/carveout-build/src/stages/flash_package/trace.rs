//! The proof that what NVIDIA's tools have signed is what was checked: each signed part is traced back to the file that it was made
//! of, byte for byte.

use super::collect::Written;
use super::names::{MADE_OF, SLOT_B};
use crate::errors::FlashError;
use crate::stages::secure_os;
use bundle::MadeOf;
use carveout_host::error::{At, Result};
use carveout_vendor::bsp::{self, Bsp};
use stage_cache::{Output, stamps};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tegra_bct::signed::{Signed, is_made_of, payload};
use tegra_flash::blob;
use tegra_flash::boot_image::BootImage;
use tegra_flash::slots::SECURE_OS;

/// Where a bundle has the secure-os image.
const IMAGE: &str = bundle::SECURE_OS_IMAGE;
/// What the manifest calls the product's own EKB.
const EKB: &str = "given:l4t.ekb";
/// What NVIDIA's tools put into the names of what they sign.
const MARKS: [&str; 4] = ["_sigheader", "_wbheader", ".encrypt", ".signed"];
/// flash.sh puts it before the name of the device tree that the kernel gets.
const KERNEL_DTB: &str = "kernel_";
/// Kernel and initrd in one file, or U-Boot.
const BOOT_IMAGE: &str = "boot.img";
const U_BOOT: &str = "u-boot.bin";
/// Made of the boot configs: they are read back on their own.
const BOOT_CONFIGS: [&[u8; 4]; 2] = [b"MBCT", b"MEMB"];
/// A list of bad pages, which flash.sh makes of zeros where a board file names one and the BSP has none (L4T R32.7, line 1813).
const NO_BAD_PAGES: (&str, [u8; 4096]) = ("badpage.bin", [0; 4096]);
/// How names of the recovery loader's own parts begin.
const RECOVERY: &str = "nvtboot_recovery";

/// Where the parts come from.
pub struct Traced<'a> {
    /// NVIDIA's BSP as it was given.
    pub bsp: &'a Bsp,
    /// The secure-os image.
    pub secure_os: &'a Output,
    /// The product's own EKB.
    pub ekb: Option<&'a [u8]>,
    /// Where NVIDIA's scripts have worked.
    pub bootloader: &'a Path,
}

/// Paths of the BSP's files by their names without folders.
type Names = BTreeMap<String, Vec<String>>;

/// A file that something may have been made of.
struct Source {
    name: String,
    content: Vec<u8>,
}

impl Source {
    /// Of files with the same content the one with the highest rank is named.
    fn rank(&self) -> (bool, String) {
        let copied = self.name.strip_prefix("bsp:bootloader/").is_some_and(|name| !name.contains('/'));
        (!copied, self.name.clone())
    }
}

impl Traced<'_> {
    /// Traces what each partition gets, as it is in `plain`: the package itself, or the same files signed without an SBK. What was
    /// found is written into the package.
    pub fn write(&self, written: &[Written], plain: &Path, package: &Path) -> Result<()> {
        let sources = self.sources()?;
        let mut found: BTreeMap<String, MadeOf> = BTreeMap::new();
        for (partition, file) in written {
            if let Some(made_of) = self.made_of(&sources, plain, partition, file)? {
                found.insert(file.clone(), made_of);
            }
        }
        // The same parts are sent to the board before any partition is written.
        if plain == package {
            self.recovery(&sources, package, written)?;
            self.rcm(package)?;
        }
        let path = package.join(MADE_OF);
        let text =
            serde_json::to_string_pretty(&found).map_err(|e| FlashError::MadeOf { source: e.into() })?;
        fs::write(&path, text).at(&path)
    }

    /// All files of the BSP.
    fn sources(&self) -> Result<Names> {
        let mut sources: Names = BTreeMap::new();
        for path in stamps(&self.bsp.output.dir)?.into_keys() {
            let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
            sources.entry(name).or_default().push(path);
        }
        Ok(sources)
    }

    /// What a signed file was made of; none of what NVIDIA's tools generate.
    fn made_of(&self, sources: &Names, plain: &Path, partition: &str, file: &str) -> Result<Option<MadeOf>> {
        // What is not signed is generated, or copied as it is: its name tells.
        if !MARKS.iter().any(|mark| file.contains(mark)) {
            return Ok(None);
        }
        let plain_name = plain_name(plain, file);
        let path = plain.join(&plain_name);
        let bytes = fs::read(&path).at(&path)?;
        let signed = Signed::parse(&bytes);
        if signed.is_some_and(|signed| BOOT_CONFIGS.contains(&&signed.kind)) {
            return Ok(None);
        }
        let name = MARKS.iter().fold(file.to_owned(), |name, mark| name.replace(mark, ""));
        let candidates = if SECURE_OS.contains(&partition) {
            let image = self.secure_os.dir.join(secure_os::IMAGE);
            vec![Source { name: IMAGE.into(), content: fs::read(&image).at(&image)? }]
        } else if name.strip_suffix(SLOT_B).unwrap_or(&name) == BOOT_IMAGE {
            // Slot B has one of its own where there are two root filesystems: its command line differs.
            vec![if self.bsp.conf.u_boot {
                self.u_boot_image(sources, &name)?
            } else {
                self.boot_image(&name)?
            }]
        } else if name == NO_BAD_PAGES.0 && !sources.contains_key(&name) {
            vec![Source { name: format!("flash.sh:{name}"), content: NO_BAD_PAGES.1.to_vec() }]
        } else if let Some(ekb) = self.ekb.filter(|_| self.bsp.conf.ekb.rsplit('/').next() == Some(&*name)) {
            vec![Source { name: EKB.into(), content: ekb.to_vec() }]
        } else {
            self.candidates(sources, &name)?
        };
        let fits = |source: &Source| match signed {
            Some(signed) => is_made_of(signed.content, &source.content),
            None => bytes == source.content,
        };
        // A BSP that was used has copies in bootloader/ of what lies elsewhere in it.
        match candidates.into_iter().filter(fits).max_by_key(|source| source.rank()) {
            Some(source) => Ok(Some(MadeOf::new(&source.name, &source.content))),
            None => {
                let checked = self.checked(sources, partition, &name);
                Err(FlashError::OtherFile { file: file.into(), partition: partition.into(), checked }.into())
            }
        }
    }

    /// What should have been signed, in words.
    fn checked(&self, sources: &Names, partition: &str, name: &str) -> String {
        if SECURE_OS.contains(&partition) {
            return "the secure-os image that was built".into();
        }
        match sources.get(name) {
            Some(paths) => format!("{} of the BSP", paths.join(" or ")),
            None => format!("the BSP has no {name}"),
        }
    }

    /// Files of the BSP of this name.
    fn candidates(&self, sources: &Names, name: &str) -> Result<Vec<Source>> {
        let names = [Some(name), name.strip_prefix(KERNEL_DTB)];
        let paths = names.into_iter().flatten().filter_map(|name| sources.get(name)).flatten();
        let read = |path: &String| {
            let full = self.bsp.path(path);
            Ok(Source { name: format!("bsp:{path}"), content: fs::read(&full).at(&full)? })
        };
        paths.map(read).collect()
    }

    /// The boot image that flash.sh has made: of the BSP's kernel and initrd, or it is none of ours.
    fn boot_image(&self, name: &str) -> Result<Source> {
        let path = self.bootloader.join(name);
        let content = fs::read(&path).at(&path)?;
        let image = BootImage::parse(&content)
            .map_err(|e| FlashError::BootImage { path: path.clone(), source: e.into() })?;
        for (part, file) in [(image.kernel, bsp::KERNEL), (image.ramdisk, bsp::INITRD)] {
            let given = self.bsp.path(file);
            // A stand-in for what the BSP lacks gets onto no board.
            if given.is_file() && fs::read(&given).at(&given)? != part {
                return Err(FlashError::OtherBootImage { path, file }.into());
            }
        }
        let name = format!("bsp:{} and {}", bsp::KERNEL, bsp::INITRD);
        Ok(Source { name, content })
    }

    /// The same with U-Boot: one of the BSP's.
    fn u_boot_image(&self, sources: &Names, name: &str) -> Result<Source> {
        let path = self.bootloader.join(name);
        let content = fs::read(&path).at(&path)?;
        let image = BootImage::parse(&content)
            .map_err(|e| FlashError::BootImage { path: path.clone(), source: e.into() })?;
        let of_bsp = self.candidates(sources, U_BOOT)?;
        match of_bsp.into_iter().find(|source| source.content == image.kernel) {
            Some(source) => Ok(Source { name: source.name, content }),
            None => Err(FlashError::OtherBootImage { path, file: U_BOOT }.into()),
        }
    }

    /// What the recovery loader gets: files of the package, or its own parts.
    fn recovery(&self, sources: &Names, package: &Path, written: &[Written]) -> Result<()> {
        let path = package.join("blob.bin");
        let bytes = fs::read(&path).at(&path)?;
        let parts = blob::parts(&bytes).map_err(|e| FlashError::Recovery { source: e.into() })?;
        let mut known: Vec<Vec<u8>> = Vec::new();
        for (_, file) in written {
            let path = package.join(file);
            known.push(fs::read(&path).at(&path)?);
        }
        let own = sources.keys().filter(|name| name.starts_with(RECOVERY));
        let own = own.map(|name| self.candidates(sources, name)).collect::<Result<Vec<_>>>()?;
        for part in parts.into_iter().map(|part| part.bytes) {
            let made_of =
                |content: &[u8]| own.iter().flatten().any(|source| is_made_of(content, &source.content));
            let good = known.iter().any(|file| file == part)
                || Signed::parse(part).is_some_and(|signed| made_of(signed.content));
            if !good {
                let part = Signed::parse(part).map_or_else(|| "a part".into(), |signed| signed.name());
                return Err(FlashError::OtherRecovery { part }.into());
            }
        }
        Ok(())
    }

    /// The boot ROM gets a boot loader of the BSP in an RCM message: MB1, of t186 one of its own.
    fn rcm(&self, package: &Path) -> Result<()> {
        let name = &self.bsp.conf.recovery;
        let path = self.bsp.path(name);
        let loader = fs::read(&path).at(&path)?;
        let payload = payload(&loader);
        for name in stamps(package)?.into_keys().filter(|name| name.ends_with(".rcm") && !name.contains('/'))
        {
            let path = package.join(&name);
            let message = fs::read(&path).at(&path)?;
            if message.windows(payload.len().max(1)).any(|window| window == payload) {
                return Ok(());
            }
        }
        Err(FlashError::NoMb1Message { mb1: format!("bsp:{name}") }.into())
    }
}

/// A file's name where nothing was encrypted.
fn plain_name(plain: &Path, file: &str) -> String {
    if plain.join(file).is_file() {
        return file.into();
    }
    let base = file.trim_end_matches(".signed").trim_end_matches(".encrypt");
    // What runs before the keys are known is called NAME.bin_sigheader when it is encrypted.
    match base.strip_suffix("_sigheader").and_then(|name| name.rsplit_once('.')) {
        Some((stem, end)) => format!("{stem}_sigheader.{end}.encrypt"),
        None => format!("{base}.encrypt"),
    }
}
