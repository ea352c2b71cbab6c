use super::*;
use crate::sparse::{BLOCK_SIZE, encode};
use std::io::Cursor;
use std::process::Command;

const SIZE: usize = 1 << 20;

fn found(bytes: &[u8]) -> Result<RootFilesystem, String> {
    let result = root_filesystem(&mut &bytes[..], bytes.len() as u64);
    result.map_err(|error| format!("{error}|{}", error.remedy()))
}

fn sparse(raw: &[u8]) -> Vec<u8> {
    let mut image = Cursor::new(Vec::new());
    encode(&mut &raw[..], raw.len() as u64, &mut image, BLOCK_SIZE).unwrap();
    image.into_inner()
}

#[test]
fn ext4_is_found_raw_and_in_sparse_images() {
    let raw = test_image::image(SIZE, 7);
    let root = found(&raw).unwrap();
    assert_eq!((root.ext4.bytes(), root.sparse, root.raw_size), (SIZE as u64, false, SIZE as u64));
    assert_eq!(root.ext4.to_string(), "ext4, 256 blocks of 4096 bytes");
    let root = found(&sparse(&raw)).unwrap();
    assert_eq!((root.ext4.bytes(), root.sparse, root.raw_size), (SIZE as u64, true, SIZE as u64));
    // What is behind a filesystem does not matter.
    let longer = [&raw[..], &[1; 5000]].concat();
    assert_eq!(found(&longer).unwrap().raw_size, SIZE as u64 + 5000);
    for cut in [SIZE - 1, 4096, 2048] {
        let error = found(&raw[..cut]).unwrap_err();
        let expected = format!("it is shorter than its superblock says: {cut} bytes of {SIZE}|");
        assert!(error.starts_with(&expected), "{error}");
    }
    let error = found(&sparse(&raw[..8192])).unwrap_err();
    assert!(
        error.starts_with("in the sparse image: it is shorter than its superblock says: 8192"),
        "{error}"
    );
    // Only the beginning of a sparse image is looked at here, and that must be there.
    let image = sparse(&raw);
    assert!(found(&image[..image.len() - 1]).is_ok());
    for length in [0, 4, 27, 28, 39, 40, 2087] {
        assert!(found(&image[..length]).is_err(), "{length}");
    }
}

#[test]
fn whatever_else_it_is_is_called_by_its_name() {
    let mbr = {
        let mut disk = vec![0; 4096];
        disk[450] = 0x83;
        disk[510..512].copy_from_slice(&[0x55, 0xaa]);
        disk
    };
    let at = |offset: usize, magic: &[u8]| {
        let mut file = vec![0; HEAD];
        file[510..512].copy_from_slice(&[0x55, 0xaa]);
        file[offset..offset + magic.len()].copy_from_slice(magic);
        file
    };
    for (file, what) in [
        (at(512, b"EFI PART"), "a whole disk with a GPT"),
        (mbr.clone(), "a whole disk with an MBR"),
        (at(0, &[0x1f, 0x8b, 8]), "a gzip archive"),
        (at(0, &[0x28, 0xb5, 0x2f, 0xfd]), "a zstd archive"),
        (at(0, b"\xfd7zXZ\0"), "an xz archive"),
        (at(0, b"BZh9"), "a bzip2 archive"),
        (at(257, b"ustar\x0000"), "a tar archive"),
        (at(257, b"ustar  "), "a tar archive"),
        (at(0, b"hsqs"), "a squashfs filesystem"),
        (at(0x8001, b"CD001"), "an ISO 9660 image"),
        (at(0, b"070701"), "a cpio archive"),
        (at(0, b"!<arch>\ndebian-binary"), "a Debian package"),
        (at(0x1_0040, b"_BHRfS_M"), "a btrfs filesystem"),
        (at(0, b"XFSB"), "an xfs filesystem"),
        (at(0x400, &[0x10, 0x20, 0xf5, 0xf2]), "an f2fs filesystem"),
        (at(0x52, b"FAT32   "), "a FAT filesystem"),
        (at(0, b"LUKS\xba\xbe"), "an encrypted partition"),
        (at(0, b"NVTOSP\0"), "a secure-os image"),
        (Vec::new(), "an empty file"),
        (vec![0; HEAD], "all zeros at its beginning"),
        (vec![7; 2047], "a file of less than 2048 bytes"),
        (vec![7; 4096], "nothing that is known"),
    ] {
        let error = found(&file).unwrap_err();
        assert!(error.starts_with(what) && error.contains(", no ext4 filesystem|"), "{what}: {error}");
        assert!(!error.ends_with('|'), "{error}");
        if file.len() == HEAD {
            let error = found(&sparse(&file)).unwrap_err();
            assert!(error.starts_with(&format!("in the sparse image: {what}")), "{error}");
        }
    }
    let twice = sparse(&test_image::image(SIZE, 7));
    let padded = [&twice[..], &vec![0; twice.len().next_multiple_of(4096) - twice.len()]].concat();
    assert!(found(&sparse(&padded)).unwrap_err().contains("another Android sparse image"));
}

#[test]
fn damaged_superblocks_are_refused_with_their_field() {
    let head = test_image::head(SIZE as u64);
    let changed = |changes: &[(usize, &[u8])], summed: bool| {
        let mut head = head.clone();
        for (offset, bytes) in changes {
            head[1024 + offset..1024 + offset + bytes.len()].copy_from_slice(bytes);
        }
        if summed {
            let sum = ext4::checksum(&head[1024..]).to_le_bytes();
            head[2044..].copy_from_slice(&sum);
        }
        Ext4::parse(&head)
    };
    assert!(matches!(changed(&[(0x78, b"x")], false), Err(Ext4Error::Checksum { .. })));
    assert_eq!(
        changed(&[(0x78, b"root\x1b")], true).unwrap().to_string(),
        "ext4, 256 blocks of 4096 bytes, label `root\\u{1b}`"
    );
    type Changes<'a> = &'a [(usize, &'a [u8])];
    let cases: [(Changes, &str); 10] = [
        (&[(0x18, &[7])], "s_log_block_size"),
        (&[(0x18, &[0xff; 4])], "s_log_block_size"),
        (&[(0x4c, &[2])], "s_rev_level"),
        (&[(0x62, &[0x80])], "s_feature_incompat"),
        (&[(0x60, &[0xca])], "s_feature_incompat"),
        (&[(0x14, &[2])], "s_first_data_block"),
        (&[(0x0c, &[0, 0, 1])], "s_free_blocks_count"),
        (&[(0x20, &[0; 4])], "s_blocks_per_group"),
        (&[(0x00, &[1])], "s_inodes_count"),
        (&[(0x58, &[3, 0])], "s_inode_size"),
    ];
    for (changes, expected) in cases {
        match changed(changes, true) {
            Err(Ext4Error::Field { field, .. }) => assert_eq!(field, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    let error = found(&[&changed_image(0x20)[..], &[0; 4096]].concat()).unwrap_err();
    assert!(error.starts_with("a damaged ext4 filesystem: the superblock's checksum is 0x"), "{error}");
    let used = changed(&[(0x3a, &[0]), (0x60, &[0xc6])], true).unwrap();
    assert!(!used.clean && used.to_string().contains("replays its journal"), "{used}");
    let errors = changed(&[(0x3a, &[3])], true).unwrap();
    assert!(errors.errors && errors.to_string().contains("e2fsck -f"), "{errors}");
}

fn changed_image(offset: usize) -> Vec<u8> {
    let mut head = test_image::head(SIZE as u64);
    head[1024 + offset] ^= 1;
    head
}

#[test]
fn filesystems_of_mke2fs_are_sound() {
    let dir = tempfile::tempdir().unwrap();
    for (kind, options, size) in [
        ("ext4", &["-t", "ext4"][..], "8M"),
        ("ext4", &["-t", "ext4", "-b", "1024"], "8M"),
        ("ext4", &["-t", "ext4", "-b", "1024", "-O", "bigalloc"], "64M"),
        ("ext4", &["-t", "ext4", "-O", "^metadata_csum,^64bit"], "8M"),
        ("ext4", &["-t", "ext4", "-O", "^has_journal", "-L", "root"], "300M"),
        ("ext4", &["-t", "ext4", "-O", "orphan_file,metadata_csum_seed,casefold,encrypt,verity"], "8M"),
        ("ext3", &["-t", "ext3"], "8M"),
        ("ext2", &["-t", "ext2", "-b", "1024"], "8M"),
    ] {
        let file = dir.path().join("image");
        let mut command = Command::new("/sbin/mke2fs");
        let Ok(made) = command.args(["-q", "-F"]).args(options).arg(&file).arg(size).output() else {
            println!("skipped: mke2fs is not there");
            return;
        };
        assert!(made.status.success(), "{options:?}: {}", String::from_utf8_lossy(&made.stderr));
        let bytes = std::fs::read(&file).unwrap();
        let root = found(&bytes).unwrap();
        assert_eq!((root.ext4.kind, root.ext4.bytes()), (kind, bytes.len() as u64), "{options:?}");
        assert!(root.ext4.clean && !root.ext4.errors, "{options:?}");
        std::fs::remove_file(&file).unwrap();
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, at in 0_usize..2048, with: u8) {
        let _ = found(&bytes);
        let _ = identify(&bytes);
        let mut head = test_image::head(SIZE as u64);
        head[at] = with;
        let _ = found(&head);
        let _ = found(&sparse(&[&head[..], &[0; 2048]].concat()));
    }
}
