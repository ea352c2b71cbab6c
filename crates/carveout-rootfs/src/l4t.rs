//! What of NVIDIA's BSP gets into a root filesystem: packages, and what flash.sh puts into /boot.

use crate::errors::{PackagesError, RootfsError};
use crate::init::{DEVICES, INIT, OTHER_INITS};
use crate::mmdebstrap::HookFiles;
use carveout_host::error::{At, Error, Result};
use carveout_host::files;
use carveout_host::tools::dpkg::Control;
use carveout_product::{L4tBoard, Module, Rootfs};
use carveout_vendor::board_conf::BoardConf;
use carveout_vendor::bsp;
use carveout_vendor::bsp::Bsp;
use stage_cache::stamps;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use tegra_flash::BoardId;

/// How the names of NVIDIA's packages begin.
const OURS: &str = "nvidia-l4t-";
/// Folders of the BSP with packages, as nv-apply-debs.sh of L4T R32.7 takes them.
const FOLDERS: [&str; 4] = ["nv_tegra/l4t_deb_packages", "kernel", "bootloader", "tools"];
/// What Debian on the board needs: to boot, and to use Trusty (udev rules and groups are nvidia-l4t-init's). Not
/// nvidia-l4t-bootloader: its only content is an update of boot files, NVIDIA's own secure-os image and carve-out among them.
const NEEDED: [&str; 6] = [
    "nvidia-l4t-core",
    "nvidia-l4t-firmware",
    "nvidia-l4t-init",
    "nvidia-l4t-kernel",
    "nvidia-l4t-kernel-dtbs",
    "nvidia-l4t-tools",
];
/// What it gets where the BSP has it: not every release has.
const WELCOME: [&str; 2] = ["nvidia-l4t-initrd", "nvidia-l4t-xusb-firmware"];
/// What a BSP's sample root filesystem cannot do without; the rest is what the packages say of each other.
const NEEDED_BY_SAMPLE: [&str; 3] = ["nvidia-l4t-core", "nvidia-l4t-kernel", "nvidia-l4t-kernel-dtbs"];
/// Tells NVIDIA's tools on the board which chip and board it is: without it they do not mark a boot as good, and cboot counts it
/// as a failed one.
const BOOT_CONTROL: &str = "bootloader/nv_boot_control.conf";
/// Its lines that flash.sh makes anew.
const BOOT_CONTROL_KEYS: [&str; 4] =
    ["TNSPEC", "TEGRA_CHIPID", "TEGRA_OTA_BOOT_DEVICE", "TEGRA_OTA_GPT_DEVICE"];
/// The same file once more, which nv-apply-debs.sh copies where it is.
const BOOT_CONTROL_OF_DEBS: &str = "bootloader/t186ref/cfg/nv_boot_control.conf";
/// The boot menu.
const EXTLINUX: &str = "bootloader/extlinux.conf";
/// What apply_binaries.sh and what it calls read. Archives of the older way of installing are not read.
const SAMPLE: [&str; 7] =
    ["apply_binaries.sh", "nv_tegra/", "nv_tools/", "tools/", "kernel/", EXTLINUX, BOOT_CONTROL_OF_DEBS];

/// What a root filesystem of a board is made for.
pub struct RootfsTarget<'a> {
    /// NVIDIA's BSP.
    pub bsp: &'a Bsp,
    /// The board.
    pub board: &'a L4tBoard,
    /// The first of its modules. NVIDIA's tools on the board ask the module itself for what differs.
    pub module: &'a Module,
}

/// The parts of the BSP for a root filesystem.
pub struct Selection {
    /// Files for the hooks.
    pub parts: HookFiles,
    /// NVIDIA's packages that get installed.
    pub debs: Vec<PathBuf>,
    /// What is to come from Debian.
    pub packages: Vec<String>,
}

/// For Debian: the needed packages and those that the config names, with what they depend on.
pub fn debian(target: &RootfsTarget, rootfs: &Rootfs) -> Result<Selection> {
    let bsp = target.bsp;
    let known = packages(&bsp.output.dir)?;
    let ours = |name: &String| name.starts_with(OURS) || known.contains_key(name);
    let (wanted, packages): (Vec<String>, Vec<String>) = rootfs.packages.iter().cloned().partition(ours);
    let welcome = WELCOME.into_iter().filter(|name| known.contains_key(*name));
    let wanted = NEEDED.into_iter().chain(welcome).map(str::to_owned).chain(wanted);
    let (names, lacking) = closure(&known, wanted);
    whole(bsp, lacking)?;
    let debs: Vec<PathBuf> = names.iter().filter_map(|name| Some(known.get(name)?.0.clone())).collect();
    let parts = of_flash_sh(target)?.with_debs(&debs);
    Ok(Selection { parts, debs, packages: booting(packages) })
}

/// The packages of Debian, with those that a boot needs: none of NVIDIA's depends on them, as Ubuntu has them anyway.
fn booting(mut packages: Vec<String>) -> Vec<String> {
    let other = packages.iter().any(|name| OTHER_INITS.contains(&name.as_str()));
    packages.extend((!other).then(|| INIT.to_owned()));
    packages.push(DEVICES.to_owned());
    packages
}

/// For NVIDIA's sample: all packages, and all that installs them.
pub fn sample(target: &RootfsTarget) -> Result<Selection> {
    let bsp = target.bsp;
    let known = packages(&bsp.output.dir)?;
    let wanted = known.keys().cloned().chain(NEEDED_BY_SAMPLE.map(str::to_owned));
    let (_, lacking) = closure(&known, wanted);
    whole(bsp, lacking)?;
    let mut parts = of_flash_sh(target)?;
    for path in stamps(&bsp.output.dir)?.into_keys().filter(|path| is_for_sample(path)) {
        let from = bsp.path(&path);
        // A link to a directory is nothing that NVIDIA's script reads.
        if from.is_file() {
            parts = parts.with_file(format!("bsp/{path}"), &from);
        }
    }
    let debs = known.into_values().map(|(deb, _)| deb).collect();
    Ok(Selection { parts, debs, packages: Vec::new() })
}

fn is_for_sample(path: &str) -> bool {
    let bootloader = path.strip_prefix("bootloader/").is_some_and(|name| !name.contains('/'));
    let part = |part: &&str| if part.ends_with('/') { path.starts_with(*part) } else { path == *part };
    !path.ends_with(".tbz2") && (SAMPLE.iter().any(part) || (bootloader && path.ends_with(".deb")))
}

type Known = BTreeMap<String, (PathBuf, Control)>;

/// The packages of a BSP, by name.
fn packages(bsp: &Path) -> Result<Known> {
    let mut known = Known::new();
    for folder in FOLDERS.map(|folder| bsp.join(folder)).into_iter().filter(|folder| folder.is_dir()) {
        let entries = files::list(&folder)?.into_iter();
        for deb in entries.filter(|path| path.extension().is_some_and(|e| e == "deb")) {
            let control = Control::read(&deb)?;
            let name = |path: &Path| path.strip_prefix(bsp).unwrap_or(path).display().to_string();
            if let Some((other, _)) = known.get(&control.name) {
                let files = vec![name(other), name(&deb)];
                return Err(RootfsError::BspPackageTwice { package: control.name, files }.into());
            }
            known.insert(control.name.clone(), (deb, control));
        }
    }
    Ok(known)
}

/// The wanted packages and those of NVIDIA's that they need, and a line for each that the BSP lacks.
fn closure(known: &Known, wanted: impl Iterator<Item = String>) -> (BTreeSet<String>, BTreeSet<String>) {
    let mut queue: Vec<(String, Option<String>)> = wanted.map(|name| (name, None)).collect();
    let (mut names, mut lacking) = (BTreeSet::new(), BTreeMap::new());
    while let Some((name, by)) = queue.pop() {
        let Some((_, control)) = known.get(&name) else {
            let users: &mut BTreeSet<String> = lacking.entry(file_of(&name)).or_default();
            users.extend(by);
            continue;
        };
        if !names.insert(name.clone()) {
            continue;
        }
        for alternatives in &control.depends {
            let there = alternatives.iter().find(|other| known.contains_key(*other));
            // What is not NVIDIA's comes from the distribution.
            let missing = || alternatives.iter().find(|other| other.starts_with(OURS));
            queue.extend(there.or_else(missing).map(|other| (other.clone(), Some(name.clone()))));
        }
    }
    let line = |(file, users): (String, BTreeSet<String>)| match users.len() {
        0 => file,
        _ => format!("{file}, for {}", users.into_iter().collect::<Vec<_>>().join(", ")),
    };
    (names, lacking.into_iter().map(line).collect())
}

/// The file that a whole BSP has of a package.
fn file_of(name: &str) -> String {
    let folder = match name.strip_prefix(OURS) {
        Some(rest) if rest.starts_with("kernel") => "kernel",
        Some("bootloader") => "bootloader",
        Some(_) => "nv_tegra/l4t_deb_packages",
        None => "tools",
    };
    format!("{folder}/{name}_*_arm64.deb")
}

/// Names all that the BSP lacks, at once.
fn whole(bsp: &Bsp, lacking: BTreeSet<String>) -> Result<()> {
    let needed = [bsp::KERNEL, bsp::INITRD, &bsp.conf.device_tree, EXTLINUX, BOOT_CONTROL];
    let files = needed.into_iter().filter(|name| !bsp.path(name).is_file()).map(str::to_owned);
    let lacking: Vec<String> = files.chain(lacking).collect();
    if lacking.is_empty() {
        return Ok(());
    }
    Err(RootfsError::BspIncomplete { release: bsp.release.to_string(), lacking }.into())
}

/// What flash.sh puts into a root filesystem (L4T R32.7, lines 2620 to 2638 and 2726 on, and `build_fsimg`), but for signatures:
/// the kernel of the BSP is the one of the partition `kernel`, too, which cboot takes if it does not like what it finds in /boot.
fn of_flash_sh(target: &RootfsTarget) -> Result<HookFiles> {
    let (bsp, board) = (target.bsp, target.board);
    let text = |name: &str| {
        let path = bsp.path(name);
        fs::read_to_string(&path).at(&path)
    };
    let conf = &bsp.conf;
    let dtb = bsp.path(&conf.device_tree);
    let name = dtb.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(HookFiles::default()
        .with_file("root/boot/Image", &bsp.path(bsp::KERNEL))
        .with_file("root/boot/initrd", &bsp.path(bsp::INITRD))
        .with_file(format!("root/boot/{name}"), &dtb)
        .with_file(format!("root/boot/dtb/{name}"), &dtb)
        .with_text(
            "root/boot/extlinux/extlinux.conf",
            with_command_line(&text(EXTLINUX)?, &conf.command_line),
        )
        .with_text(
            "root/etc/nv_boot_control.conf",
            boot_control(&text(BOOT_CONTROL)?, &spec(&target.module.id, board), conf),
        ))
}

/// What flash.sh calls the specification of a board. Fused for production, chip revision 2: as NVIDIA's tools are told when they
/// sign.
fn spec(id: &BoardId, board: &L4tBoard) -> String {
    let BoardId { board: number, fab, sku, revision } = id;
    format!("{number}-{fab}-{sku}-{revision}-1-2-{}-{}", board.flash_name, board.root_device)
}

fn boot_control(text: &str, spec: &str, conf: &BoardConf) -> String {
    let values = [spec, &conf.chip, &conf.boot_device, &conf.table_device];
    let kept = text.lines().filter(|line| !BOOT_CONTROL_KEYS.iter().any(|key| line.contains(key)));
    let made = BOOT_CONTROL_KEYS.iter().zip(values).map(|(key, value)| format!("{key} {value}"));
    kept.map(str::to_owned).chain(made).map(|line| line + "\n").collect()
}

/// The boot menu with the kernel's command line behind each APPEND, unless it is there: as flash.sh does it.
fn with_command_line(menu: &str, line: &str) -> String {
    if menu.contains(line) {
        return menu.to_owned();
    }
    let append = |text: &str| match text.trim_start().starts_with("APPEND") {
        true => format!("{text} {line}\n"),
        false => format!("{text}\n"),
    };
    menu.lines().map(append).collect()
}

/// What to say where apt cannot install NVIDIA's packages.
pub fn explained(error: Error) -> Error {
    if error.remedy.is_none() && error.message.contains("unmet dependencies") {
        return PackagesError::NotForDebian { source: error.message.into() }.into();
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(packages: &[(&str, &str)]) -> Known {
        let control = |(name, depends): &(&str, &str)| {
            let alternatives = |relation: &str| relation.split('|').map(str::to_owned).collect();
            let depends = depends.split(' ').filter(|d| !d.is_empty()).map(alternatives).collect();
            let control = Control { name: (*name).into(), identity: String::new(), depends };
            ((*name).to_owned(), (PathBuf::from(name), control))
        };
        packages.iter().map(control).collect()
    }

    fn closure_of(packages: &[(&str, &str)], wanted: &[&str]) -> (Vec<String>, Vec<String>) {
        let (names, lacking) = closure(&known(packages), wanted.iter().map(|name| (*name).to_owned()));
        (names.into_iter().collect(), lacking.into_iter().collect())
    }

    #[test]
    fn packages_bring_what_they_need() {
        let packages = [
            ("nvidia-l4t-core", "libc6"),
            ("nvidia-l4t-x", "nvidia-l4t-core libegl1"),
            ("jetson-gpio-common", ""),
            ("python3-jetson-gpio", "python3 jetson-gpio-common"),
            ("nvidia-l4t-cuda", "nvidia-l4t-3d-core nvidia-l4t-core|cuda-drivers"),
            ("nvidia-l4t-other", ""),
        ];
        let (names, lacking) = closure_of(&packages, &["nvidia-l4t-x", "python3-jetson-gpio"]);
        assert_eq!(names, ["jetson-gpio-common", "nvidia-l4t-core", "nvidia-l4t-x", "python3-jetson-gpio"]);
        assert_eq!(lacking, Vec::<String>::new());
        let (_, lacking) = closure_of(&packages, &["nvidia-l4t-cuda", "nvidia-l4t-kernel", "other"]);
        assert_eq!(
            lacking,
            [
                "kernel/nvidia-l4t-kernel_*_arm64.deb",
                "nv_tegra/l4t_deb_packages/nvidia-l4t-3d-core_*_arm64.deb, for nvidia-l4t-cuda",
                "tools/other_*_arm64.deb"
            ]
        );
    }

    #[test]
    fn debian_on_a_board_boots_whatever_the_config_names() {
        let booting = |names: &[&str]| super::booting(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(booting(&[]), ["systemd-sysv", "udev"]);
        assert_eq!(booting(&["vim"]), ["vim", "systemd-sysv", "udev"]);
        assert_eq!(booting(&["runit-init"]), ["runit-init", "udev"], "one init alone");
    }

    #[test]
    fn the_command_line_is_appended_once() {
        let menu = "DEFAULT primary\n\nLABEL primary\n      APPEND ${cbootargs} quiet\n# APPEND no\n";
        let done = with_command_line(menu, "root=/dev/mmcblk0p1 rw ");
        assert_eq!(done, menu.replace("quiet", "quiet root=/dev/mmcblk0p1 rw "));
        assert_eq!(with_command_line(&done, "root=/dev/mmcblk0p1 rw "), done);
    }

    #[test]
    fn the_boot_control_file_tells_of_the_board() {
        let device = |name: &str| format!("/dev/{name}");
        let conf = BoardConf {
            chip: "0x19".into(),
            boot_device: device("mmcblk0boot0"),
            table_device: device("mmcblk0boot1"),
            ..BoardConf::default()
        };
        let text = "# x\nTNSPEC\t\tP2771-0000\nTEGRA_BOOT_STORAGE mmcblk0\nTEGRA_OTA_GPT_DEVICE /dev/y\n";
        assert_eq!(
            boot_control(text, "2888-400-0004-K.0-1-2-name-mmcblk0p1", &conf),
            "# x\nTEGRA_BOOT_STORAGE mmcblk0\nTNSPEC 2888-400-0004-K.0-1-2-name-mmcblk0p1\nTEGRA_CHIPID 0x19\n\
             TEGRA_OTA_BOOT_DEVICE /dev/mmcblk0boot0\nTEGRA_OTA_GPT_DEVICE /dev/mmcblk0boot1\n"
        );
    }

    #[test]
    fn what_the_sample_needs_is_taken() {
        for path in [
            "apply_binaries.sh",
            "nv_tegra/l4t_deb_packages/a.deb",
            "nv_tools/scripts/nv_customize_rootfs.sh",
            "tools/a.deb",
            "bootloader/nvidia-l4t-bootloader_1_arm64.deb",
            "bootloader/extlinux.conf",
        ] {
            assert!(is_for_sample(path), "{path}");
        }
        for path in ["flash.sh", "nv_tegra/config.tbz2", "bootloader/mksparse", "bootloader/x/a.deb"] {
            assert!(!is_for_sample(path), "{path}");
        }
    }

    #[test]
    fn what_cannot_be_on_debian_is_explained() {
        let error = explained(Error::check("nvidia-l4t-weston : unmet dependencies: libffi6"));
        assert_eq!(error.code, "rootfs::packages::not-for-debian");
        assert!(error.remedy.is_some_and(|remedy| remedy.contains("Ubuntu 18.04")));
        assert!(explained(Error::check("other")).remedy.is_none());
    }
}
