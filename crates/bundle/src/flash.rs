//! Which files of a bundle a module gets when it is flashed, and whether all are there.

use crate::device::{COMMON, Device, FLASH, FlashPackage, TEGRAFLASH, tos_image};
use crate::file_entry::{FileEntry, Role};
use crate::format::MANIFEST;
use crate::manifest::{Manifest, NAME, is_plain};
use crate::problem::Problem;
use std::collections::BTreeMap;
use tegra_flash::filesystem::{self, root_filesystem};
use tegra_flash::slots::{self, MB1_BCT, SECURE_OS};
use tegra_flash::{Fits, Scope};
use trusty_image::Soc;

/// The partition of the root filesystem.
const APP: &str = slots::APP[0];
/// Files that every flash of a module uses.
const TOOLS: [&str; 6] =
    ["nvaflash.sh", "tegrarcm_v2", "tegradevflash_v2", "tegraparser_v2", "chkbdinfo", "blob.bin"];
/// What reads the EEPROM of a module of t194: its messages, and how the file's name begins.
const MESSAGES: &str = "identify/rcm_list_signed.xml";
const APPLET: &str = "identify/nvtboot_applet";
/// The recovery loader of t186 reads it itself.
const MESSAGES_186: &str = "rcm_list_signed.xml";
/// Partitions that every flash of a module writes or reads back.
const WRITTEN: [[&str; 2]; 2] = [SECURE_OS, MB1_BCT];

/// Bytes at the beginning of a root filesystem that are checked: what it is, and in a sparse image the superblock.
pub const ROOTFS_HEAD: usize = filesystem::HEAD;

/// Checks that each module has what it needs.
pub fn check(manifest: &Manifest, contents: &BTreeMap<String, Vec<u8>>) -> Vec<Problem> {
    let mut problems = Vec::new();
    match &manifest.device {
        None => {}
        Some(device) if device.flash_package == FlashPackage::Modules => {
            check_modules(manifest, device, &mut problems);
        }
        Some(device) => check_package(manifest, device, device.flash_package, &mut problems),
    }
    let app_size = manifest.device.as_ref().map(|device| device.app_size);
    for file in manifest.files.iter().filter(|file| file.role == Role::Rootfs) {
        let head = contents.get(&file.path).map(Vec::as_slice).unwrap_or_default();
        if let Some(what) = rootfs_problem(head, file.size, app_size) {
            problems.push(Problem::new(&file.path, what));
        }
    }
    problems
}

fn check_modules(manifest: &Manifest, device: &Device, problems: &mut Vec<Problem>) {
    let mut add = |file: &str, what: String| problems.push(Problem::new(file, what));
    if device.modules.is_empty() {
        add(MANIFEST, "device: has no module".into());
    }
    for module in &device.modules {
        if !is_plain(&module.name, NAME) || module.name == COMMON {
            add(MANIFEST, format!("device: `{}` is no name of a module", module.name.escape_debug()));
            continue;
        }
        if let Err(error) = module.id.check().and_then(|()| module.fits.iter().try_for_each(Fits::check)) {
            add(MANIFEST, format!("device: module {}: {error}", module.name));
        }
        let before = device.modules.iter().take_while(|other| !std::ptr::eq(*other, module));
        for other in before.filter(|other| module.id.meets(&module.fits, &other.id, &other.fits)) {
            add(MANIFEST, format!("device: a board may be module {} and module {}", other.name, module.name));
        }
        let files = manifest.flash_files(&module.name);
        let reads_eeprom = device.soc == Soc::T194;
        let tools = TOOLS.iter().chain([if reads_eeprom { &MESSAGES } else { &MESSAGES_186 }]);
        let missing = tools.filter(|name| !files.contains_key(*name));
        missing.for_each(|name| add(MANIFEST, format!("device: module {} has no {name}", module.name)));
        if reads_eeprom && !files.keys().any(|name| name.starts_with(APPLET)) {
            add(MANIFEST, format!("device: module {} has no {APPLET}*", module.name));
        }
        for partition in WRITTEN.as_flattened().iter().filter(|name| written_to(&files, name).is_none()) {
            add(MANIFEST, format!("device: module {} has no file for {partition}", module.name));
        }
    }
}

/// Files that a flash with meta-tegra's package uses.
const PACKAGE: [&str; 4] = ["doflash.sh", "flash.xml.in", "flashvars", "tegraflash.py"];

/// meta-tegra's package flashes the bundle's own secure-os image, boot config and layout, or there is none.
fn check_package(manifest: &Manifest, device: &Device, kind: FlashPackage, problems: &mut Vec<Problem>) {
    let mut add = |file: &str, what: String| problems.push(Problem::new(file, what));
    if !device.modules.is_empty() {
        add(MANIFEST, "device: a bundle of BitBake has no files of modules, but names some".into());
    }
    let folder = format!("{FLASH}/{TEGRAFLASH}/");
    let of_package = |file: &&FileEntry| file.role == Role::Flash && file.path.starts_with(&folder);
    let files: Vec<&FileEntry> = manifest.files.iter().filter(of_package).collect();
    if kind == FlashPackage::None {
        files.iter().for_each(|file| add(&file.path, "is of a flash package, which there is none of".into()));
        return;
    }
    let named = |name: &str| files.iter().find(|file| file.path.strip_prefix(&folder) == Some(name));
    for name in PACKAGE.iter().filter(|name| named(name).is_none()) {
        add(MANIFEST, format!("device: the flash package has no {name}"));
    }
    let images = |file: &&FileEntry| matches!(file.role, Role::SecureOs | Role::BootConfig | Role::Layout);
    for file in manifest.files.iter().filter(images) {
        let name = match file.role {
            Role::SecureOs => tos_image(device.soc),
            _ => file.path.rsplit('/').next().unwrap_or_default(),
        };
        match named(name) {
            Some(other) if other.sha256 == file.sha256 => {}
            Some(other) => add(&other.path, format!("is another than {}", file.path)),
            None => add(MANIFEST, format!("device: the flash package has no {name}")),
        }
    }
}

/// What is wrong with a root filesystem's image that begins with `head`. A board's is sparse or raw, and fills the partition; a virt
/// device's is raw.
fn rootfs_problem(head: &[u8], file_size: u64, app_size: Option<u64>) -> Option<String> {
    let root = match root_filesystem(&mut &*head, file_size) {
        Ok(root) => root,
        Err(error) => return Some(error.to_string()),
    };
    match app_size {
        None if root.sparse => {
            Some("an Android sparse image, which virt devices do not take: expected a raw one".into())
        }
        Some(size) if size != root.raw_size => {
            Some(format!("holds {} bytes, the manifest says {size} of the partition {APP}", root.raw_size))
        }
        _ => None,
    }
}

impl Manifest {
    /// The files that a module gets, by their names in the flash folder.
    pub fn flash_files(&self, module: &str) -> BTreeMap<&str, &FileEntry> {
        files_of(&self.files, module)
    }

    /// The file that a partition of a module gets.
    pub fn partition_file(&self, module: &str, partition: &str) -> Option<(&str, &FileEntry)> {
        written_to(&self.flash_files(module), partition)
    }

    /// Why a scope cannot be flashed from this bundle, or nothing. With `own` the root filesystem comes from
    /// elsewhere: the board's own, or a backup.
    pub fn scope_lacks(&self, scope: Scope, own: bool) -> Option<String> {
        let rootfs = self.files.iter().any(|file| file.partitions.iter().any(|name| name == APP));
        let lacks = self.device.as_ref().map(|device| device.lacks.join(" and ")).unwrap_or_default();
        match scope {
            Scope::SecureOs => None,
            Scope::Full if !lacks.is_empty() => {
                Some(format!("it was built without {lacks}, which the BSP had not"))
            }
            Scope::Full if !rootfs && !own => {
                Some("it has no root filesystem, and the board's is not kept".into())
            }
            Scope::App if !rootfs && !own => Some("it has no root filesystem".into()),
            Scope::Full | Scope::App => None,
        }
    }
}

/// The files of these that a module gets, by their names in the flash folder.
pub(crate) fn files_of<'a>(files: &'a [FileEntry], module: &str) -> BTreeMap<&'a str, &'a FileEntry> {
    let folders = [COMMON, module].map(|folder| format!("{FLASH}/{folder}/"));
    let files = files.iter().filter(|file| file.role == Role::Flash);
    let named = |file: &'_ FileEntry| {
        folders.iter().find_map(|folder| Some(file.path.strip_prefix(folder.as_str())?.len()))
    };
    files.filter_map(|file| Some((file.path.get(file.path.len() - named(file)?..)?, file))).collect()
}

/// Of the files of a module the one that a partition gets.
pub(crate) fn written_to<'a>(
    files: &BTreeMap<&'a str, &'a FileEntry>,
    partition: &str,
) -> Option<(&'a str, &'a FileEntry)> {
    let written = |file: &FileEntry| file.partitions.iter().any(|name| name == partition);
    files.iter().find(|(_, file)| written(file)).map(|(name, file)| (*name, *file))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{Fused, ModuleEntry};
    use crate::manifest::Partition;
    use std::io::Cursor;
    use tegra_flash::{BoardId, Layout, sparse};

    fn entry(path: &str, role: Role, sha256: &str) -> FileEntry {
        let (path, sha256) = (path.into(), sha256.into());
        FileEntry {
            path,
            role,
            size: 1,
            sha256,
            partitions: Vec::new(),
            executable: false,
            made_of: None,
            identity: None,
        }
    }

    #[test]
    fn a_module_has_all_that_is_sent_to_its_board() {
        let mut manifest = Manifest::from_text(&crate::tests::manifest_text()).unwrap();
        let id =
            BoardId { board: "2888".into(), fab: "400".into(), sku: "0004".into(), revision: "K.0".into() };
        let device = Device {
            modules: vec![ModuleEntry {
                name: "32gb".into(),
                id,
                fits: Vec::new(),
                update_specs: Vec::new(),
            }],
            soc: Soc::T194,
            recovery: None,
            fused: Fused::No,
            app_size: 8192,
            lacks: Vec::new(),
            stock_trusted_apps: Vec::new(),
            flash_package: FlashPackage::Modules,
            update_eks: false,
        };
        let applet = "identify/nvtboot_applet_t194_sigheader.bin.encrypt";
        let names = TOOLS.into_iter().chain([MESSAGES, applet, "parts"]);
        manifest.files = names.map(|n| entry(&format!("flash/common/{n}"), Role::Flash, "1")).collect();
        let parts = manifest.files.last_mut().unwrap();
        parts.partitions = WRITTEN.concat().into_iter().map(String::from).collect();
        let check = |manifest: &Manifest| {
            let mut problems = Vec::new();
            check_modules(manifest, &device, &mut problems);
            problems.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(check(&manifest), Vec::<String>::new());
        for (name, told) in [
            ("blob.bin", "blob.bin"),
            ("identify/rcm_list_signed.xml", "identify/rcm_list_signed.xml"),
            (applet, "identify/nvtboot_applet*"),
        ] {
            let mut without = manifest.clone();
            without.files.retain(|file| !file.path.ends_with(name));
            assert_eq!(check(&without), [format!("manifest.json: device: module 32gb has no {told}")]);
        }
    }

    #[test]
    fn the_package_of_meta_tegra_flashes_what_the_bundle_has() {
        let text = crate::tests::manifest_text();
        let mut manifest = Manifest::from_text(&text).unwrap();
        let device = Device {
            modules: Vec::new(),
            soc: Soc::T194,
            recovery: None,
            fused: Fused::No,
            app_size: 8192,
            lacks: Vec::new(),
            stock_trusted_apps: Vec::new(),
            flash_package: FlashPackage::Tegraflash,
            update_eks: false,
        };
        let check = |manifest: &Manifest| {
            let mut problems = Vec::new();
            let device = manifest.device.as_ref().unwrap();
            check_package(manifest, device, device.flash_package, &mut problems);
            problems.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let flash = |name: &str, sha: &str| entry(&format!("flash/tegraflash/{name}"), Role::Flash, sha);
        manifest.device = Some(device.clone());
        manifest.files = vec![
            entry("boot-config/a.cfg", Role::BootConfig, "1"),
            entry("layout/flash.xml.in", Role::Layout, "2"),
            entry("secure-os/tos.img", Role::SecureOs, "3"),
            flash("a.cfg", "1"),
            flash("flash.xml.in", "2"),
            flash(tos_image(Soc::T194), "3"),
            flash("doflash.sh", "4"),
            flash("flashvars", "5"),
            flash("tegraflash.py", "6"),
        ];
        assert_eq!(check(&manifest), Vec::<String>::new());
        manifest.files[5].sha256 = "9".into();
        manifest.files.remove(6);
        let problems = check(&manifest);
        assert_eq!(
            problems,
            [
                "manifest.json: device: the flash package has no doflash.sh",
                "flash/tegraflash/tos-trusty_t194.img: is another than secure-os/tos.img"
            ]
        );
        manifest.device = Some(Device { flash_package: FlashPackage::None, ..device });
        assert_eq!(check(&manifest).len(), 5, "files of a package that there is none of");
    }

    #[test]
    fn a_sparse_root_filesystem_takes_its_raw_size() {
        let mut image = Cursor::new(Vec::new());
        let raw = filesystem::test_image::image(8192, 0);
        sparse::encode(&mut &raw[..], 8192, &mut image, sparse::BLOCK_SIZE).unwrap();
        let image = image.into_inner();
        let size = image.len() as u64;
        assert_eq!(rootfs_problem(&image, size, Some(8192)), None);
        assert_eq!(rootfs_problem(&raw[..4096], 8192, Some(8192)), None, "a raw one");
        assert_eq!(rootfs_problem(&raw, 8192, None), None, "of a virt device");
        for (head, size, app_size, expected) in [
            (&image[..], size, Some(4096), "holds 8192 bytes, the manifest says 4096 of the partition APP"),
            (&image, size, None, "an Android sparse image, which virt devices do not take"),
            (&image[..20], 20, Some(8192), "the input ends here"),
            (&raw, 8191, Some(8192), "shorter than its superblock says: 8191 bytes of 8192"),
            (&[7; 4096], 8192, Some(8192), "nothing that is known, no ext4 filesystem"),
            (&[0x1f, 0x8b, 8], 8192, None, "a gzip archive, no ext4 filesystem"),
            (&[], 0, Some(8192), "an empty file"),
        ] {
            let problem = rootfs_problem(head, size, app_size).unwrap();
            assert!(problem.contains(expected), "{problem}");
        }

        let file = FileEntry {
            path: "rootfs/system.img".into(),
            role: Role::Rootfs,
            size,
            sha256: String::new(),
            partitions: vec![APP.into()],
            executable: false,
            made_of: None,
            identity: None,
        };
        let layout = |size: u64| {
            let text = format!(
                "<partition_layout><device type='sdmmc_user' sector_size='512' num_sectors='9999'>\
                 <partition name='APP' type='data'><size> {size} </size></partition></device></partition_layout>"
            );
            Layout::parse(&text).unwrap()
        };
        let plan = |size| {
            crate::structure::partition_plan(std::slice::from_ref(&file), "l", &layout(size), Some(8192))
        };
        assert_eq!(plan(8192), (vec![Partition { name: APP.into(), size: 8192, used: 8192 }], Vec::new()));
        assert_eq!(plan(4096).1[0].what, "takes 8192 bytes, the partition APP has 4096");
    }
}
