//! Disks, filesystems, archives, kernels: by their first bytes, because they may be larger than memory.

use super::explained::Explained;
use super::found::Found;
use super::rows::DiskPartition;
use carveout_host::size::human;
use carveout_host::text::Text;
use std::path::Path;
use tegra_flash::filesystem::{Ext4, Kind, identify};

/// What Android's boot images begin with.
const BOOT_IMAGE: &[u8] = b"ANDROID!";
const DTB: [u8; 4] = [0xd0, 0x0d, 0xfe, 0xed];

/// Where a mark lies, the mark, what it is, and what to do with it: what a root filesystem is never taken for.
type Mark = (usize, &'static [u8], &'static str, &'static str);
const MARKS: [Mark; 9] = [
    (0, b"!<arch>\ndebian-binary", "a Debian package", "dpkg-deb -I FILE and dpkg-deb -c FILE show it"),
    (0, b"!<arch>\n", "an archive of object files (ar)", "ar t FILE lists it"),
    (
        0,
        b"BZh",
        "a bzip2 archive (NVIDIA's BSP and sources come as .tbz2)",
        "tar xf FILE unpacks it; image takes the tarball with --bsp or --sources",
    ),
    (0, b"070701", "a cpio archive (an initrd)", "cpio -t < FILE lists it"),
    (0, b"LUKS\xba\xbe", "an encrypted volume (LUKS)", "cryptsetup luksDump FILE shows it"),
    (
        0,
        b"EFI PART",
        "a partition table by itself (GPT)",
        "NVIDIA's tools write it; a layout (.xml) says what is in it",
    ),
    (
        56,
        b"ARMd",
        "a program with the header of an AArch64 kernel (Linux's Image or U-Boot)",
        "it goes to the partition kernel, within a boot.img",
    ),
    (0, b"BM", "a picture (BMP)", "NVIDIA's tools put it into bmp.blob"),
    (0, b"%PDF", "a document (PDF)", "a PDF viewer shows it"),
];

/// What a file's begin says, if it says anything. `length`: bytes of the whole file.
pub fn head(path: &Path, head: &[u8], length: u64) -> Option<Explained> {
    match identify(head) {
        Kind::Sparse => return Some(sparse(head, length)),
        Kind::Ext4(found) => return Some(ext4(&found, length)),
        Kind::DamagedExt4(error) => {
            let text = Text::block(&format!("a damaged ext4 filesystem, {length} bytes: {error}\n"));
            let found = Found::BadExt4 { file_size: length, error: error.to_string() };
            return Some(Explained::failed(text, found));
        }
        Kind::Other(_) | Kind::Empty | Kind::Zeros | Kind::Unknown => {}
    }
    if head.starts_with(BOOT_IMAGE) {
        return boot_image(head, length);
    }
    if head.get(512..520) == Some(b"EFI PART") {
        return Some(disk(path, length));
    }
    if head.len() == 512 && head.get(510..) == Some(&[0x55, 0xaa]) {
        return Some(simple("a boot record by itself (MBR)", "NVIDIA's tools write it", length));
    }
    let mark = MARKS.iter().find(|(at, mark, ..)| head.get(*at..).is_some_and(|b| b.starts_with(mark)));
    mark.map(|(_, _, what, advice)| simple(what, advice, length))
}

/// What is known of a file that nothing else knows: archives and filesystems that are no root filesystem.
pub fn other(head: &[u8], length: u64) -> Option<Explained> {
    match identify(head) {
        Kind::Other(known) => {
            Some(simple(known.what, &format!("for a root filesystem: {}", known.remedy), length))
        }
        _ => None,
    }
}

fn simple(what: &'static str, advice: &str, length: u64) -> Explained {
    let text = Text::block(&format!("{what}, {length} bytes\n  {advice}\n"));
    Explained::new(text, Found::Other { what, size: length })
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes)
}

fn sparse(head: &[u8], length: u64) -> Explained {
    let field = |at| word(head, at).unwrap_or_default();
    let raw = u64::from(field(12)) * u64::from(field(16));
    let text = Text::block(&format!(
        "Android sparse image, {length} bytes, of {} bytes ({}) when it is unpacked\n  simg2img FILE RAW unpacks it; flash and restore take both forms\n",
        raw,
        human(raw)
    ));
    Explained::new(text, Found::Sparse { size: length, raw_size: raw })
}

fn ext4(found: &Ext4, length: u64) -> Explained {
    let size = found.bytes();
    let cut = size > length;
    let verdict = if cut {
        format!("cut off: its superblock says {size} bytes, the file has {length}")
    } else {
        "a root filesystem: flash and restore write it to the partition APP; e2fsck -fn FILE checks it".into()
    };
    let text = Text::block(&format!("filesystem ({found}), {size} bytes ({})\n  {verdict}\n", human(size)));
    let (label, state) = (found.label.clone(), found.state());
    let found = Found::Ext4 { size, file_size: length, label, state };
    if cut { Explained::failed(text, found) } else { Explained::new(text, found) }
}

/// Kernel, ramdisk and command line of Android's boot image, version 0: what NVIDIA's `mkbootimg` makes.
fn boot_image(head: &[u8], length: u64) -> Option<Explained> {
    let (kernel, ramdisk, page) = (word(head, 8)?, word(head, 16)?, word(head, 36)?);
    let line = head.get(64..64 + 512)?.split(|b| *b == 0).next().unwrap_or_default();
    let line = line.escape_ascii().to_string();
    let text = Text::block(&format!(
        "boot image (boot.img) for the partition kernel, {length} bytes, not signed\n  kernel       {kernel} bytes\n  ramdisk      {ramdisk} bytes\n  page         {page} bytes\n  command line {}\n",
        if line.is_empty() { "none" } else { &line }
    ));
    Some(Explained::new(text, Found::BootImage { size: length, kernel, ramdisk, command_line: line }))
}

/// A device tree, whose names lie at its end.
pub fn device_tree(bytes: &[u8]) -> Option<Explained> {
    let big = |at: usize| bytes.get(at..at + 4).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes);
    if !bytes.starts_with(&DTB) {
        return None;
    }
    let (size, tree, names) = (big(4)?, big(8)? as usize, big(12)? as usize);
    let root = root_properties(bytes, tree, names);
    let mut text = Text::block(&format!("device tree (DTB), {size} bytes\n"));
    for (name, value) in &root {
        let _ = writeln!(text, "  {name:<12} {value}");
    }
    let cut = size as usize > bytes.len();
    if cut {
        let _ = writeln!(text, "  cut off: the file has {} bytes", bytes.len());
    }
    let found = Found::DeviceTree { size, root: root.into_iter().collect() };
    Some(if cut { Explained::failed(text, found) } else { Explained::new(text, found) })
}

/// `model` and `compatible` of the root node, which come before the nodes in it.
fn root_properties(bytes: &[u8], tree: usize, strings: usize) -> Vec<(&'static str, String)> {
    const BEGIN: u32 = 1;
    const PROPERTY: u32 = 3;
    let big =
        |at: usize| bytes.get(at..at.checked_add(4)?).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes);
    let mut found = Vec::new();
    // The root's name is empty: a token and four zeros.
    if big(tree) != Some(BEGIN) {
        return found;
    }
    let mut at = tree.saturating_add(8);
    while big(at) == Some(PROPERTY) && found.len() < 2 && at < bytes.len() {
        let (Some(length), Some(name)) = (big(at + 4), big(at + 8)) else { break };
        let Some(value) = bytes.get(at + 12..).and_then(|rest| rest.get(..length as usize)) else { break };
        let name = bytes.get(strings.saturating_add(name as usize)..);
        let known = ["model", "compatible"].into_iter().find(|known| {
            name.is_some_and(|name| {
                name.strip_prefix(known.as_bytes()).is_some_and(|rest| rest.first() == Some(&0))
            })
        });
        if let Some(known) = known {
            let texts: Vec<String> = value
                .split(|b| *b == 0)
                .filter(|text| !text.is_empty())
                .map(|text| text.escape_ascii().to_string())
                .collect();
            found.push((known, texts.join(", ")));
        }
        at += 12 + (length as usize).next_multiple_of(4);
    }
    found
}

/// A disk image that is no virt device.
fn disk(path: &Path, length: u64) -> Explained {
    let table = bundle::open(path).ok().and_then(|mut file| virt_device::read_table(&mut file, length).ok());
    let partitions: Option<Vec<(String, u64)>> = table.map(|spaces| {
        let mut spaces: Vec<_> = spaces.into_iter().collect();
        spaces.sort_by_key(|(_, space)| space.start);
        spaces.into_iter().map(|(name, space)| (name, space.size)).collect()
    });
    let mut text =
        Text::block(&format!("disk image with a partition table (GPT), {length} bytes; no virt device\n"));
    match &partitions {
        Some(all) => {
            for (name, size) in all {
                let _ = writeln!(text, "  {name:<22} {}", human(*size));
            }
        }
        None => text.push_str("  its partition table cannot be read\n"),
    }
    let partitions = partitions.unwrap_or_default().into_iter();
    let partitions = partitions.map(|(name, size)| DiskPartition { name, size }).collect();
    Explained::new(text, Found::Disk { size: length, partitions })
}
