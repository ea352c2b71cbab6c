//! Inputs that would take forever, or more memory than there is: each is refused, or read, within seconds.
//!
//! What each took before: YAML nested 50,000 times 20 s; 40,000 files 26 s; an archive of 1 TiB of zeros 30 s; layouts and a flash state
//! with numbers near 2^64 a panic.

use crate::hostile::kit::{self, Tar, bundle_of, refused, within};
use bundle::{FileEntry, Role, Source, sha256};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::Path;
use trusty_image::elf::{Elf, ElfError};
use trusty_image::test_elf::TestElf;
use virt_device::{Device, STATE};

/// An archive of some MiB holds as many bytes.
const ZEROS: u64 = 1 << 40;
const NAME: &str = "desk-1-virt-tzdram32M";

#[test]
fn yaml_that_is_nested_deep_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.yaml");
    for (text, why) in [
        ("{a: ".repeat(50_000), "more than 256 `{` and `[`"),
        ("- [".repeat(50_000), "more than 256 `{` and `[`"),
        ("- ".repeat(100_000), "p.yaml:1"),
        (format!("name: {}", "x".repeat(256 << 10)), "at most 262144 are read"),
    ] {
        fs::write(&path, text).unwrap();
        refused(&["plan", "-c", path.to_str().unwrap()], 2, why);
    }
}

#[test]
fn an_archive_with_40_000_files_is_verified_in_seconds() {
    let dir = tempfile::tempdir().unwrap();
    let folder = bundle_of(dir.path());
    let manifest = kit::rewrite(&folder, |manifest| {
        let more = (0..40_000).map(|n| FileEntry {
            path: format!("flash/common/file-{n:05}"),
            role: Role::Flash,
            size: 1,
            sha256: sha256(b"x"),
            partitions: Vec::new(),
            executable: false,
            made_of: None,
            identity: None,
        });
        manifest.files.extend(more);
    });
    let mut tar = Tar::of(&folder, &manifest);
    for file in manifest.files.iter().filter(|file| file.path.starts_with("flash/")) {
        tar.add(&format!("{NAME}/{}", file.path), b"x");
    }
    let archive = dir.path().join("many.tar.zst");
    fs::write(&archive, tar.packed()).unwrap();
    let verified = within(&"verify", || bundle::verify(&Source::open(&archive).unwrap()).unwrap());
    assert_eq!(verified.problems, []);
    let (_, found) =
        within(&"extract", || bundle::extract(&Source::open(&archive).unwrap(), |_| true).unwrap());
    assert_eq!(found.len(), 40_004);
    let many = kit::rewritten(&folder, |manifest| {
        let one = manifest.files.last().unwrap().clone();
        manifest.files.extend((0..70_000).map(|n| FileEntry { path: format!("x/{n:05}"), ..one.clone() }));
    });
    let error = bundle::Manifest::from_text(&many).unwrap_err().to_string();
    assert_eq!(error, "it lists 110004 files, allowed are 100000");
}

/// What an archive's entry says to have is not read, nor skipped, where it is more than it may have.
#[test]
fn an_archive_that_unpacks_to_a_tebibyte_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let folder = bundle_of(dir.path());
    let text = |name: &str| fs::read(folder.join(name)).unwrap();
    let huge = |names: &[&str], last: &str| {
        let mut tar = Tar::default();
        names.iter().for_each(|name| tar.add(&format!("{NAME}/{name}"), &text(name)));
        tar.begin(&format!("{NAME}/{last}"), ZEROS);
        let archive = dir.path().join("huge.tar.zst");
        fs::write(&archive, tar.with_zeros(ZEROS)).unwrap();
        archive
    };
    let (manifest, sums) = ("manifest.json", "SHA256SUMS");
    for (names, last, why) in [
        (&[][..], manifest, "has 1099511627776 bytes, allowed are 16777216"),
        (&[manifest], sums, "has 1099511627776 bytes, allowed are 16777216"),
        (&[manifest, sums], "SHA256SUMS.minisig", "has 1099511627776 bytes, allowed are 16384"),
        (&[manifest, sums], "boot-config/misc.cfg", "boot-config/misc.cfg: has more than the "),
        (&[manifest, sums], "other", "other: does not belong to the bundle"),
        (&[manifest, sums], sums, "SHA256SUMS: exists twice"),
        (&[], "other", "other: comes before a valid manifest"),
    ] {
        let archive = huge(names, last);
        let path = archive.to_str().unwrap();
        let source = Source::open(&archive).unwrap();
        let verified = within(&last, || bundle::verify(&source).unwrap());
        let problem = verified.problems.first().unwrap().to_string();
        assert!(problem.contains(why), "{last}: {problem}");
        within(&last, || bundle::extract(&source, |file| file.role == Role::TrustedApp).unwrap_err());
        if let Some(manifest) = verified.manifest {
            within(&last, || bundle::Side::read(&source, manifest).unwrap_err());
        }
        refused(&["verify", path], 1, why);
        refused(&["flash", path, "--to", "virt:/nowhere/x"], 1, why);
        within(&last, || carveout_report::inspect::run(&archive).is_ok());
    }
    // What is not regular is refused before it is read, whatever it says to have.
    for kind in [tar::EntryType::GNUSparse, tar::EntryType::XHeader, tar::EntryType::GNULongName] {
        let mut tar = Tar::default();
        tar.begin_as(&format!("{NAME}/manifest.json"), ZEROS, kind);
        let archive = dir.path().join("kind.tar.zst");
        fs::write(&archive, tar.with_zeros(ZEROS)).unwrap();
        let error = within(&kind, || bundle::verify(&Source::open(&archive).unwrap()).unwrap_err());
        assert!(error.to_string().contains("no regular file"), "{error}");
    }
}

/// A file with holes has any size, too.
#[test]
fn a_folder_with_a_file_of_a_tebibyte_is_refused_at_once() {
    for (name, why) in [
        ("manifest.json", "manifest.json: has 1099511627776 bytes, allowed are 16777216"),
        ("SHA256SUMS", "SHA256SUMS: has 1099511627776 bytes, allowed are 16777216"),
        ("boot-config/misc.cfg", "boot-config/misc.cfg: has 1099511627776 bytes, expected"),
        ("trusted-apps/a.elf", "trusted-apps/a.elf: has 1099511627776 bytes, expected"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let folder = bundle_of(dir.path());
        OpenOptions::new().write(true).open(folder.join(name)).unwrap().set_len(ZEROS).unwrap();
        refused(&["verify", folder.to_str().unwrap()], 1, why);
        let source = Source::open(&folder).unwrap();
        within(&name, || bundle::extract(&source, |_| true).unwrap_err());
    }
}

#[test]
fn layouts_with_sizes_near_the_end_of_64_bits_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let folder = bundle_of(dir.path());
    for size in [u64::MAX - 1, u64::MAX - 511, u64::MAX - (1 << 20), (16 << 40) + 1] {
        let layout = folder.join("layout/layout.xml");
        let text = fs::read_to_string(&layout).unwrap();
        let text = text
            .split("<partition name='UDA'")
            .next()
            .unwrap()
            .trim_end_matches("</device></partition_layout>");
        let more = format!(
            "<partition name='UDA' type='x'><size> {size} </size></partition></device></partition_layout>"
        );
        fs::write(&layout, text.to_owned() + &more).unwrap();
        kit::rewrite(&folder, |_| ());
        let (path, device) = (folder.to_str().unwrap(), dir.path().join("d.img"));
        let to = format!("virt:{}", device.display());
        let why = format!(
            "partition UDA is to have {size} bytes, and a device has 17592186044416 (16 TiB) at most"
        );
        refused(&["flash", path, "--to", &to], 1, &why);
        assert!(!device.exists());
        assert_eq!(
            kit::run(&["verify", path]).status.code(),
            Some(0),
            "it is whole, and no device is so large"
        );
        let page = dir.path().join("page.html");
        assert_eq!(kit::run(&["report", path, "-o", page.to_str().unwrap()]).status.code(), Some(0));
    }
}

#[test]
fn a_flash_state_with_a_number_that_no_device_reaches_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("d.img");
    let partitions = [("MB1_BCT".to_owned(), 65536), (STATE.to_owned(), 1 << 20)];
    let size = virt_device::needed(&partitions).unwrap();
    let file = File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    file.set_len(size).unwrap();
    let mut device = Device::create(file, size, &partitions).unwrap();
    device.remember(3).unwrap();
    let start = device.partitions()[STATE].start;
    let text = serde_json::to_vec(device.state()).unwrap();
    let file = device.into_disk();
    for number in [u64::MAX, u64::MAX - 1, 1 << 60] {
        let digest = Sha256::new().chain_update(number.to_le_bytes()).chain_update(&text).finalize();
        let length = u32::try_from(text.len()).unwrap().to_le_bytes();
        let block = [b"carveout", &number.to_le_bytes()[..], &length, &digest, &text].concat();
        file.write_all_at(&block, start).unwrap();
        let why = format!("its flash state has the number {number}, which no device reaches");
        let target = format!("virt:{}", path.display());
        for args in
            [&["rollback", &target][..], &["inspect", &target], &["backup", &target, "-o", "/nowhere/x"]]
        {
            refused(args, 1, &why);
        }
    }
}

/// Where the sections of an ELF file may be any number, their names any length, and the files any number.
#[test]
fn elf_files_that_no_linker_makes_are_refused_at_once() {
    let good = TestElf::good().build();
    let with = |sections: u16, segments: u16, length: usize| {
        let mut file = good[..52].to_vec();
        file[28..32].copy_from_slice(&64_u32.to_le_bytes());
        file[32..36].copy_from_slice(&64_u32.to_le_bytes());
        file[44..46].copy_from_slice(&segments.to_le_bytes());
        file[48..50].copy_from_slice(&sections.to_le_bytes());
        file[50..52].copy_from_slice(&1_u16.to_le_bytes());
        file.resize(length, 1);
        file
    };
    let many = with(65_535, 2, 16 << 20);
    let error = within(&"sections", || Elf::parse(&many).unwrap_err());
    assert_eq!(error, ElfError::TooMany { table: "section", count: 65_535, most: 1024 });
    let many = with(2, 65_535, 16 << 20);
    assert!(within(&"segments", || trusty_image::inspect(&many)).is_err());
    // The first word of a section's header is where its name begins: here all are long, and end with the file.
    let mut names = with(1024, 1, 16 << 20);
    for header in 0..1024 {
        let words = [16_u32, 3, 0, 0, 65536, (16 << 20) - 65536, 0, 0, 0, 0];
        let at = 64 + 40 * header;
        names[at..at + 40].copy_from_slice(&words.map(u32::to_le_bytes).concat());
    }
    *names.last_mut().unwrap() = 0;
    assert_eq!(within(&"names", || Elf::parse(&names).unwrap_err()), ElfError::Name(1));
    // The same bytes in each of them: taken out of debug information, they are no more than the file.
    names[(64 << 10) + 16..][..8].copy_from_slice(b".debug_x");
    names[(64 << 10) + 24] = 0;
    let at = 64 + 40 * 2;
    names[at..at + 4].copy_from_slice(&23_u32.to_le_bytes());
    for header in 3..1024 {
        names[64 + 40 * header..][..4].copy_from_slice(&24_u32.to_le_bytes());
    }
    assert!(within(&"strip", || trusty_image::strip_debug(&names)).is_err());
    // A kernel of such files at each page, which share one table: each is read.
    let (pages, rows) = (4096, 65_535);
    let mut kernel = vec![0; pages * 4096 + rows * 40];
    for page in 0..pages {
        let at = page * 4096;
        kernel[at..at + 52].copy_from_slice(&with(rows as u16, 0, 52));
        kernel[at + 32..at + 36].copy_from_slice(&((pages * 4096 - at) as u32).to_le_bytes());
    }
    // The second row is the table of names: one, which is empty.
    kernel[pages * 4096 + 56..][..8].copy_from_slice(&[7, 0, 0, 0, 1, 0, 0, 0]);
    assert!(within(&"find", || trusty_image::tasks::find(&kernel).is_empty()));
}

#[test]
fn sparse_images_that_announce_petabytes_are_not_unpacked() {
    let words = [0xed26_ff3a_u32, 1, 28 | 12 << 16, 1 << 20, u32::MAX, u32::MAX];
    let mut image: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).chain([0; 4]).collect();
    for word in [0xcac2_u32, u32::MAX, 16, 7] {
        image.extend(word.to_le_bytes());
    }
    let length = image.len() as u64;
    let root = within(&"root", || tegra_flash::filesystem::root_filesystem(&mut &image[..], length));
    assert!(root.is_err());
    let (_, beginning) =
        within(&"beginning", || tegra_flash::sparse::beginning(&mut &image[..], 4096).unwrap());
    assert_eq!(beginning, 7_u32.to_le_bytes().repeat(1024));
}

#[test]
fn a_text_that_is_no_boot_config_has_a_hundred_defects_at_most() {
    let errors = within(&"cfg", || tegra_bct::MiscCfg::parse(&b"x\n".repeat(1 << 19)).unwrap_err());
    assert_eq!(errors.0.len(), 101);
    assert!(errors.to_string().ends_with("more than 100 defects: the others are not shown (found: x)"));
}

#[test]
fn json_that_is_nested_deep_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("manifest.json");
    let deep = format!("{{ \"tzdram\": {}, \"trusted_apps\": 1", "[".repeat(1 << 20));
    fs::write(&path, &deep).unwrap();
    refused(&["inspect", path.to_str().unwrap()], 1, "manifest.json: expected value");
    refused(&["verify", dir.path().to_str().unwrap()], 1, "manifest.json: expected value");
    let index =
        |deep: &str| carveout_field::release::index::Index::parse("place", deep.as_bytes(), None, None);
    assert!(within(&"index", || index(&deep)).is_err());
    assert!(within(&"index", || index(&"{\"channels\":{\"a\":[".repeat(1 << 15))).is_err());
    fs::write(dir.path().join("records.jsonl"), "{\"chip\":".repeat(1 << 17)).unwrap();
    assert_eq!(carveout_field::device::record::security_version(Path::new(dir.path()), "chip"), Ok(0));
}
