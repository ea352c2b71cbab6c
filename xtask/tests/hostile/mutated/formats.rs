//! Binary formats, each through the functions that the verbs call.

use super::mutator::Tally;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use tegra_bct::mb1;
use tegra_bct::signed::{self, HEADER, Signed};
use tegra_flash::boot_image::BootImage;
use tegra_flash::filesystem::{identify, root_filesystem, test_image};
use tegra_flash::{Eeprom, Ekb, blob, firmware, sparse};
use trusty_fault::{Program, Symbols};
use trusty_image::test_elf::TestElf;
use trusty_image::{Container, Manifest, TosType, container, manifest, strip_debug, tasks};
use virt_device::{Device, DevicePart, Disk, Installed, PARTS};

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

fn signed_file(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
    let mut file = vec![0; HEADER];
    file[..4].copy_from_slice(b"NVDA");
    file[0xbb0..0xbb4].copy_from_slice(kind);
    file[0xbb4..0xbb8].copy_from_slice(&(content.len() as u32).to_le_bytes());
    [&file, content].concat()
}

fn bct() -> Vec<u8> {
    let mut bytes = vec![7; 0xa00];
    bytes[..12].copy_from_slice(&words(&[0xa00, 1, 1]));
    bytes
}

fn boot_image() -> Vec<u8> {
    let mut file = [b"ANDROID!".to_vec(), words(&[700, 0, 9, 0, 0, 0, 0, 512])].concat();
    file.resize(2560, 3);
    file
}

fn sparse_image() -> Vec<u8> {
    let mut raw = test_image::image(64 << 10, 0);
    raw[20_000..20_100].fill(9);
    raw[32_768..40_960].fill(5);
    let mut image = Cursor::new(Vec::new());
    sparse::encode(&mut &raw[..], raw.len() as u64, &mut image, sparse::BLOCK_SIZE).unwrap();
    image.into_inner()
}

fn a_blob() -> Vec<u8> {
    let part = signed_file(b"TOSB", b"0123456789abcdef");
    [b"blob".to_vec(), words(&[1, 1, 24, 0, part.len() as u32]), part].concat()
}

fn eeprom() -> Vec<u8> {
    let mut bytes = vec![0; 256];
    bytes[0] = 1;
    bytes[0x14..0x2a].copy_from_slice(b"699-82888-0004-400 K.0");
    seal(&mut bytes);
    bytes
}

/// The CRC-8 of an EEPROM, so that what is behind it is reached.
fn seal(bytes: &mut [u8]) {
    if let Some((last, content)) = bytes.split_last_mut() {
        let step = |crc: u8| if crc & 1 == 1 { crc >> 1 ^ 0x8c } else { crc >> 1 };
        *last = content.iter().fold(0, |crc, byte| (0..8).fold(crc ^ byte, |crc, _| step(crc)));
    }
}

fn ekb() -> Vec<u8> {
    [words(&[1024]), b"NVEKBP\0\0".to_vec(), vec![5; 1020]].concat()
}

fn apps() -> [Vec<u8>; 2] {
    let one = TestElf::good().build();
    let mut other = TestElf::good();
    other.manifest[0] = 1;
    [one, other.build()]
}

/// A raw image's place: what is written is counted, not kept.
#[derive(Default)]
struct Sink(u64);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        if self.0 > 64 << 20 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Sink {
    fn seek(&mut self, _: SeekFrom) -> io::Result<u64> {
        Ok(0)
    }
}

/// Parts of boards and of secure-os.
pub fn parts(tally: &Tally) {
    let [one, two] = apps();
    tally.run("trusted app", &[&one, &two], 200, |bytes| {
        let program = Program::read(bytes, None);
        let _ = (Symbols::read(bytes).at(0x8000), strip_debug(bytes).map(|file| file.len()));
        for registers in [[0; 16], [u32::MAX; 16], [0x8000; 16], [4; 16]] {
            let chain = program.chain(&registers, 0, &|address| Some(address.wrapping_add(4)));
            let _ = (program.trace(Some(registers[15]), &chain), program.own_place(None, &chain));
        }
        let Ok(app) = trusty_image::inspect(bytes) else { return false };
        assert_eq!(tasks::split(bytes).map(|apps| apps.len()), Ok(1));
        let _ = app.address_space_left();
        let mut copy = bytes.to_vec();
        manifest::set_min_heap(&mut copy[app.manifest_range.clone()], 8192).is_err()
            || trusty_image::inspect(&copy).is_ok_and(|app| app.manifest.heap() == 8192)
    });
    let image = Container::pack(&[7; 32], &[&one[..], &two].concat(), TosType::Trusty).unwrap();
    tally.run("container", &[&image], 150, |bytes| {
        let _ = container::announced_size(bytes);
        let Ok(found) = Container::parse(bytes) else { return false };
        let _ = tasks::find(found.os);
        found.encrypted || Container::pack(found.monitor, found.os, found.tos_type).as_deref() == Ok(bytes)
    });
    let kernel = [vec![0x55; 8192], one.clone(), two.clone(), vec![1; 77]].concat();
    tally.run("tasks", &[[one.clone(), two].concat(), kernel], 150, |bytes| {
        assert!(tasks::find(bytes).len() <= trusty_image::limits::MAX_APPS + 1);
        tasks::split(bytes).is_ok_and(|apps| apps.concat() == bytes)
    });
    let words_of = [&[9; 16][..], &words(&[1, 0x4000, 2, 0x8000, 3, 1, 0x1000, 0x2000])].concat();
    tally.run("trusty manifest", &[words_of], 100, |bytes| {
        let Ok(manifest) = Manifest::parse(bytes) else { return false };
        let _ = (manifest.heap(), manifest.stack());
        Manifest::parse(&manifest.to_bytes()).as_ref() == Ok(&manifest)
    });
    let bcts = [bct(), signed_file(b"MBCT", &bct())];
    tally.run("MB1 BCT", &bcts, 100, |bytes| {
        let _ = (Signed::parse(bytes), signed::payload(bytes), signed::nvidias_own(bytes));
        let _ = mb1::same_but_for_tzdram(bytes, &bcts[0]);
        mb1::read(bytes).is_ok()
    });
    tally.run("boot image", &[boot_image()], 75, |bytes| BootImage::parse(bytes).is_ok());
    tally.run("blob", &[a_blob()], 75, |bytes| blob::parts(bytes).is_ok_and(|parts| parts.len() <= 64));
    tally.run("EEPROM", &[eeprom()], 75, |bytes| {
        let mut sealed = bytes.to_vec();
        sealed.resize(256, 0);
        seal(&mut sealed);
        let _ = Eeprom::parse(bytes);
        Eeprom::parse(&sealed).is_ok_and(|eeprom| eeprom.id.check().is_ok())
    });
    tally.run("key blob", &[ekb()], 75, |bytes| {
        Ekb::parse(bytes).is_some_and(|ekb| ekb.is_ok_and(|ekb| ekb.sample_keys().is_none()))
    });
    tally.run("sparse image", &[sparse_image()], 150, |bytes| {
        let length = bytes.len() as u64;
        let _ = root_filesystem(&mut &bytes[..], length).map(|root| root.ext4.to_string());
        let mut sink = Sink::default();
        let decoded = sparse::decode(&mut &bytes[..], &mut sink);
        decoded.is_ok_and(|summary| summary.sparse_size == length && sink.0 <= summary.raw_size)
    });
    tally.run("ext4", &[test_image::image(8192, 3)], 100, |bytes| {
        let _ = (identify(bytes), firmware::identify(bytes));
        root_filesystem(&mut &bytes[..], bytes.len() as u64)
            .is_ok_and(|root| root.ext4.bytes() <= root.raw_size)
    });
}

#[derive(Debug)]
struct Memory(Cursor<Vec<u8>>);

impl Read for Memory {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let end = self.0.position().saturating_add(bytes.len() as u64);
        if end > 16 << 20 { Err(io::ErrorKind::StorageFull.into()) } else { self.0.write(bytes) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Memory {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

impl Disk for Memory {
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn device() -> Vec<u8> {
    let sizes = [("MB1_BCT", 4), ("secure-os", 4), ("APP", 8)];
    let slots = sizes
        .into_iter()
        .flat_map(|(name, kib)| [(name.to_owned(), kib << 10), (format!("{name}_b"), kib << 10)]);
    let partitions: Vec<(String, u64)> = slots.chain([(virt_device::STATE.to_owned(), 128 << 10)]).collect();
    let size = virt_device::needed(&partitions).unwrap();
    let memory = Memory(Cursor::new(vec![0; size as usize]));
    let mut device = Device::create(memory, size, &partitions).unwrap();
    for (part, content) in PARTS.into_iter().zip([&b"one"[..], b"two", b"three"]) {
        let sum = bundle::sha256(content);
        let placed = device.write(part, &mut &content[..], content.len() as u64, &sum, "first").unwrap();
        let parts = BTreeMap::from([(part, placed)]);
        let text = || "first".to_owned();
        device
            .switch(Installed { bundle: text(), board: text(), digest: sum, security_version: 1, parts })
            .unwrap();
    }
    device.into_disk().0.into_inner()
}

/// CRC-32, which a table's header and its entries have.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

/// Virt devices: what is changed are both tables, and the state, whose sums are put right so that what is behind them is reached.
pub fn devices(tally: &Tally) {
    let whole = device();
    let end = whole.len();
    let state = Device::open(Memory(Cursor::new(whole.clone())), end as u64).unwrap().partitions()
        [virt_device::STATE]
        .start as usize;
    let try_it = |bytes: Vec<u8>| {
        let size = bytes.len() as u64;
        let Ok(mut device) = Device::open(Memory(Cursor::new(bytes)), size) else { return false };
        assert!(device.partitions().values().all(|space| space.start + space.size <= size));
        for part in PARTS {
            if let Ok(mut reader) = device.read(part, None) {
                assert!(io::copy(&mut reader, &mut io::sink()).is_ok_and(|read| read <= size));
            }
        }
        let _ = (
            device.rollback(),
            device.remember(9),
            device.write(DevicePart::BootConfig, &mut &b"x"[..], 1, &bundle::sha256(b"x"), "b"),
        );
        true
    };
    // Header and four entries of the first table.
    tally.run("partition table", &[whole[512..1536].to_vec()], 100, |head| {
        let mut bytes = whole.clone();
        let mut head = head.to_vec();
        head.resize(1024, 0);
        bytes[512..1536].copy_from_slice(&head);
        let count = u32::from_le_bytes(bytes[592..596].try_into().unwrap()).min(1024) as usize;
        let entries = crc32(&bytes[1024..1024 + 128 * count]).to_le_bytes();
        bytes[600..604].copy_from_slice(&entries);
        bytes[528..532].fill(0);
        let sum = crc32(&bytes[512..604]).to_le_bytes();
        bytes[528..532].copy_from_slice(&sum);
        try_it(bytes)
    });
    tally.run("device", &[whole[..8192].to_vec()], 50, |head| {
        let mut bytes = whole.clone();
        bytes.splice(..8192, head.iter().copied());
        try_it(bytes)
    });
    let text = |at: usize| {
        let length = u32::from_le_bytes(whole[at + 16..at + 20].try_into().unwrap()) as usize;
        whole[at + 52..at + 52 + length].to_vec()
    };
    tally.run("flash state", &[text(state), text(state + 65536)], 150, |text| {
        use sha2::{Digest, Sha256};
        let text = &text[..text.len().min(60_000)];
        let own = u64::from_le_bytes([&text[..text.len().min(8)], &[0; 8]].concat()[..8].try_into().unwrap());
        for number in [7, own, u64::MAX, virt_device::MAX_NUMBER] {
            let digest = Sha256::new().chain_update(number.to_le_bytes()).chain_update(text).finalize();
            let block =
                [b"carveout", &number.to_le_bytes()[..], &(text.len() as u32).to_le_bytes(), &digest, text]
                    .concat();
            let mut bytes = whole.clone();
            bytes[state..state + block.len()].copy_from_slice(&block);
            try_it(bytes);
        }
        true
    });
}

/// All of them through `inspect`, which finds out what a file is.
pub fn inspected(tally: &Tally) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    let [one, two] = apps();
    let tree =
        [0xd00d_feed_u32, 200, 56, 150, 40, 17, 16, 0, 20, 94, 0, 0, 0, 0, 1, 0, 3, 4, 0, 0x6162_6300, 2, 9];
    let mut tree: Vec<u8> = tree.iter().flat_map(|word| word.to_be_bytes()).collect();
    tree.resize(150, 0);
    tree.extend(b"model\0compatible\0");
    tree.resize(200, 0);
    let bup = [b"NVIDIA__BLOB__V3".to_vec(), vec![0; 4], words(&[400, 64, 3, 0, 0, 0, 0]), vec![b'x'; 400]]
        .concat();
    let seeds = [
        ("container", Container::pack(&[], &one, TosType::Trusty).unwrap()),
        ("tasks", [one.clone(), two].concat()),
        ("trusted app", one),
        ("signed file", signed_file(b"TOSB", b"0123456789abcdef")),
        ("MB1 BCT", bct()),
        ("boot image", boot_image()),
        ("sparse image", sparse_image()),
        ("EEPROM", eeprom()),
        ("key blob", ekb()),
        ("blob", a_blob()),
        ("device tree", tree),
        ("update payload", bup),
        ("ext4", test_image::image(8192, 3)),
    ];
    for (name, seed) in seeds {
        tally.run(&format!("inspect {name}"), &[seed], 20, |bytes| {
            fs::write(&path, bytes).unwrap();
            carveout_report::inspect::run(&path).is_ok()
        });
    }
    let whole = device();
    tally.run("inspect device", &[whole[512..2048].to_vec()], 20, |head| {
        let mut bytes = whole.clone();
        bytes.splice(512..2048, head.iter().copied());
        fs::write(&path, bytes).unwrap();
        carveout_report::inspect::run(&path).is_ok()
    });
}
