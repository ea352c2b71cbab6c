//! How files begin that are no root filesystem, and what to do with them.

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its name, with its article.
    pub what: &'static str,
    /// How to get a root filesystem's image of it.
    pub remedy: &'static str,
}

const UNPACK: &str = "unpack it first and give what comes out";
const WHOLE_DISK: &str = "give the image of the root filesystem's partition alone";
const OTHER: &str =
    "the root filesystem must be ext4: make an image of it with mke2fs -t ext4 -d DIR FILE SIZE";
const PACKED_TREE: &str = "build the bundle with rootfs: { kind: tarball }, or unpack it and make an image with mke2fs -t ext4 -d DIR FILE SIZE";
pub const NO_IMAGE: &str =
    "give the image of a root filesystem: what backup has made, or a bundle's rootfs/system.img";

/// Where, which bytes, what it is, what to do. The more telling ones come first: a GPT's disk has an MBR, too.
const TABLE: &[(usize, &[u8], &str, &str)] = &[
    (512, b"EFI PART", "a whole disk with a GPT", WHOLE_DISK),
    (4096, b"EFI PART", "a whole disk with a GPT (blocks of 4096 bytes)", WHOLE_DISK),
    (0, &[0x1f, 0x8b], "a gzip archive", UNPACK),
    (0, &[0x28, 0xb5, 0x2f, 0xfd], "a zstd archive, as a bundle's .tar.zst is", UNPACK),
    (0, &[0xfd, b'7', b'z', b'X', b'Z', 0], "an xz archive", UNPACK),
    (0, b"BZh", "a bzip2 archive", UNPACK),
    (0, &[4, 0x22, 0x4d, 0x18], "an lz4 archive", UNPACK),
    (0, &[0x5d, 0, 0], "an lzma archive", UNPACK),
    (0, b"PK\x03\x04", "a zip archive", UNPACK),
    (0, &[b'7', b'z', 0xbc, 0xaf, 0x27, 0x1c], "a 7z archive", UNPACK),
    (257, b"ustar", "a tar archive", PACKED_TREE),
    (0, b"070701", "a cpio archive", PACKED_TREE),
    (0, b"070702", "a cpio archive", PACKED_TREE),
    (0, b"070707", "a cpio archive", PACKED_TREE),
    (0, &[0xc7, 0x71], "a cpio archive", PACKED_TREE),
    (0, b"!<arch>\ndebian", "a Debian package", NO_IMAGE),
    (0, b"!<arch>\n", "an ar archive", NO_IMAGE),
    (0, b"hsqs", "a squashfs filesystem", OTHER),
    (0x8001, b"CD001", "an ISO 9660 image", OTHER),
    (0x1_0040, b"_BHRfS_M", "a btrfs filesystem", OTHER),
    (0, b"XFSB", "an xfs filesystem", OTHER),
    (0x400, &[0x10, 0x20, 0xf5, 0xf2], "an f2fs filesystem", OTHER),
    (0x400, &[0xe2, 0xe1, 0xf5, 0xe0], "an erofs filesystem", OTHER),
    (0x36, b"FAT", "a FAT filesystem", OTHER),
    (0x52, b"FAT32", "a FAT filesystem", OTHER),
    (3, b"EXFAT", "an exFAT filesystem", OTHER),
    (3, b"NTFS", "an NTFS filesystem", OTHER),
    (0, b"UBI#", "a UBI image", OTHER),
    (0, &[0x85, 0x19], "a JFFS2 filesystem", OTHER),
    (0, b"LUKS\xba\xbe", "an encrypted partition (LUKS)", "what is in it cannot be checked"),
    (512, b"LABELONE", "a physical volume of LVM", WHOLE_DISK),
    (4086, b"SWAPSPACE2", "a swap partition", NO_IMAGE),
    (0, b"QFI\xfb", "a qcow2 disk image", "make a raw one of it: qemu-img convert -O raw"),
    (0, b"KDMV", "a VMDK disk image", "make a raw one of it: qemu-img convert -O raw"),
    (0, b"ANDROID!", "a boot image with a kernel", NO_IMAGE),
    (0, b"NVTOSP\0", "a secure-os image", "flash it with a bundle: --scope secure-os"),
    (0, b"NVDA", "a file signed by NVIDIA's tools", NO_IMAGE),
    (0, b"\x7fELF", "an ELF program", NO_IMAGE),
    (0, b"MZ", "a program or kernel with an MZ header", NO_IMAGE),
    (0, b"#!", "a script", NO_IMAGE),
];

/// What a file is that begins with `head`, if it is one of those.
pub fn known(head: &[u8]) -> Option<Known> {
    let at = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|bytes| bytes.starts_with(magic));
    if let Some((.., what, remedy)) = TABLE.iter().find(|(offset, magic, ..)| at(*offset, magic)) {
        return Some(Known { what, remedy });
    }
    is_mbr(head).then_some(Known { what: "a whole disk with an MBR", remedy: WHOLE_DISK })
}

/// An MBR: its signature, and four entries of which one at least is used and all are possible.
fn is_mbr(head: &[u8]) -> bool {
    let entries = head.get(446..510).unwrap_or_default().chunks_exact(16);
    let used = |entry: &[u8]| entry.get(4).is_some_and(|kind| *kind != 0);
    let possible = |entry: &[u8]| matches!(entry.first(), Some(0 | 0x80));
    head.get(510..512) == Some(&[0x55, 0xaa]) && entries.clone().any(used) && entries.clone().all(possible)
}
