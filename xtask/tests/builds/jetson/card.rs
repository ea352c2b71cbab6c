//! A board with an SD card: the card is written by itself, and the board without it.

use super::boards::{build, product};
use super::device::{Board, Bus};
use super::flash::rootfs;
use super::standin::put;
use super::{Machine, real_bundle, real_trees};
use crate::builds::util::{Ran, manifest};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const NX: &str = "jetson-xavier-nx-devkit";
const EEPROM: &str = "3668 301 0000 G.0";
const SECTOR: usize = 512;

/// Number, name, GUID, first and last sector of each entry of a table that begins so.
fn entries(table: &[u8]) -> Vec<(usize, String, [u8; 16], u64, u64)> {
    let number = |entry: &[u8], at: usize| u64::from_le_bytes(entry[at..at + 8].try_into().unwrap());
    let name = |entry: &[u8]| {
        let units = entry[56..].chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]]));
        String::from_utf16(&units.take_while(|unit| *unit != 0).collect::<Vec<_>>()).unwrap()
    };
    let used = table.chunks_exact(128).take(128).enumerate().filter(|(_, entry)| entry[..16] != [0; 16]);
    used.map(|(at, entry)| {
        (at + 1, name(entry), entry[16..32].try_into().unwrap(), number(entry, 32), number(entry, 40))
    })
    .collect()
}

/// The bytes of a partition of an image.
fn partition<'a>(image: &'a [u8], name: &str) -> &'a [u8] {
    let entries = entries(&image[2 * SECTOR..]);
    let (_, _, _, first, last) = entries.iter().find(|entry| entry.1 == name).unwrap();
    &image[*first as usize * SECTOR..(*last as usize + 1) * SECTOR]
}

/// A bundle for the board with a card.
fn bundle(machine: &Machine) -> PathBuf {
    PathBuf::from(build(machine, &product(machine, NX), &["--no-boot"]).ok())
}

fn written(board: &Board, names: &[&str]) -> Vec<bool> {
    names.iter().map(|name| board.partition(name).is_some()).collect()
}

#[test]
fn a_card_and_its_board_are_of_one_bundle() {
    let machine = Machine::new();
    let built = bundle(&machine);
    let (image, app) = (machine.path("card.img"), machine.path("app.img"));
    let content = rootfs(3);
    put(&app, &content);
    let to = format!("card:{}", image.display());
    let (bundle, app) = (built.to_str().unwrap(), app.to_str().unwrap());
    let bus = Bus::new();
    let flash = ["flash", bundle, "--to", &to, "--app", app];
    let plan = bus.xtask([&flash[..], &["--dry-run"]].concat()).ok();
    assert!(plan == "sdcard" && !image.exists(), "{plan}");
    assert!(bus.xtask(flash).ok().starts_with(&format!("{to}: done in ")));

    // What a board looks for by name, as it was checked.
    let first = fs::read(&image).unwrap();
    let signed = |name: &str| fs::read(built.join("flash/common").join(name)).unwrap();
    for slot in ["kernel", "kernel_b"] {
        assert!(partition(&first, slot).starts_with(&signed("boot_sigheader.img.encrypt")), "{slot}");
    }
    assert!(partition(&first, "APP").starts_with(&content));
    assert_eq!(first.len() % (1 << 20), 0);
    let (header, copy) = (&first[SECTOR..SECTOR + 8], &first[first.len() - SECTOR..][..8]);
    assert_eq!((header, copy), (&b"EFI PART"[..], &b"EFI PART"[..]));

    // The same again, bit for bit; and never in the place of something else.
    bus.xtask(flash).ok();
    assert!(fs::read(&image).unwrap() == first);
    let letters = machine.path("letters");
    put(&letters, "dear reader");
    let other = format!("card:{}", letters.display());
    let error = bus.xtask(["flash", bundle, "--to", &other, "--app", app]).fails(2);
    assert!(error.contains("is no image of a card"), "{error}");
    // A disk of somebody else's has a table, too.
    let foreign = machine.path("disk.img");
    let file = fs::File::options().create(true).read(true).write(true).truncate(true).open(&foreign).unwrap();
    file.set_len(8 << 20).unwrap();
    let config = gpt::GptConfig::new().writable(true).logical_block_size(gpt::disk::LogicalBlockSize::Lb512);
    let mut table = config.create_from_device(file, None).unwrap();
    table.add_partition("rootfs", 1 << 20, gpt::partition_types::BASIC, 0, None).unwrap();
    table.write().unwrap();
    let path = foreign.to_str().unwrap();
    let before = fs::read(&foreign).unwrap();
    assert_eq!(&before[SECTOR..SECTOR + 8], b"EFI PART");
    let error = bus.xtask(["flash", bundle, "--to", &format!("card:{path}"), "--app", app]).fails(2);
    assert!(error.contains("is no image of a card") && fs::read(&foreign).unwrap() == before, "{error}");
    assert_eq!(fs::read(&letters).unwrap(), b"dear reader");
    let disk = bus.xtask(["flash", bundle, "--to", "card:/dev/null", "--app", app]).fails(2);
    assert!(disk.contains("neither a file nor a block device"), "{disk}");
    let nothing = bus.xtask(["flash", bundle, "--to", "card:", "--app", app]).fails(2);
    assert!(nothing.contains("card: names no card"), "{nothing}");
    let same = format!("card:{}/./new.img", machine.path("").display());
    let twice = format!("card:{}", machine.path("new.img").display());
    let twice = bus.xtask(["flash", bundle, "--to", &same, "--to", &twice, "--app", app]).fails(2);
    assert!(twice.contains("is named twice") && !machine.path("new.img").exists(), "{twice}");
    let typo = bus.xtask(["flash", bundle, "--to", "card:/dev/nosuch", "--app", app, "--dry-run"]).fails(2);
    assert!(
        typo.contains("/dev/nosuch: there is no such disk") && !Path::new("/dev/nosuch").exists(),
        "{typo}"
    );
    let without = bus.xtask(["flash", bundle, "--to", &same]).fails(2);
    assert!(without.contains("cannot be written to a card: ") && without.contains("--app FILE"), "{without}");

    // The board gets the rest: all of its own flash, and nothing of the card.
    let board = bus.plug_kind("1-2", EEPROM, "7e19");
    bus.xtask(["flash", bundle, "--to", "usb", "--without-card"]).ok();
    let names = ["secure-os", "secure-os_b", "MB1_BCT", "MB1_BCT_b", "mb2", "kernel", "APP"];
    assert_eq!(written(&board, &names), [true, true, true, true, true, false, false]);
    let records = fs::read_to_string(bus.home().join("carveout/flash-records/records.jsonl")).unwrap();
    let digests: Vec<_> = records
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["bundle_digest"].clone())
        .collect();
    // What cannot be written to is told before anything begins.
    assert!(digests.len() == 3 && digests.windows(2).all(|pair| pair[0] == pair[1]), "{records}");

    // Which bundle a card is of can be told, and a change of what no board writes to is seen.
    let status = |image: &Path| {
        let to = format!("card:{}", image.display());
        bus.xtask(["status", "--to", &to, "--bundle", bundle]).ok()
    };
    assert!(status(&image).contains("of this very bundle"));
    let (short, length) = (machine.path("short.img"), first.len() as u64);
    fs::write(&short, &first).unwrap();
    fs::File::options().write(true).open(&short).unwrap().set_len(length - (4 << 20)).unwrap();
    let to_short = format!("card:{}", short.display());
    let cut = bus.xtask(["status", "--to", &to_short, "--bundle", bundle]).fails(1);
    assert!(cut.contains("its partitions end at"), "{cut}");
    let mut changed = first.clone();
    let at = entries(&first[2 * SECTOR..]).iter().find(|entry| entry.1 == "kernel_b").unwrap().3 as usize;
    changed[at * SECTOR + 7] ^= 1;
    fs::write(&image, changed).unwrap();
    assert!(status(&image).contains("of another bundle"));
}

/// A loop device, in the place of a card in a reader.
struct Reader(String);

impl Reader {
    fn with(file: &Path) -> Option<Self> {
        let output = Command::new("losetup").args(["-f", "--show"]).arg(file).output().ok()?;
        let name = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        output.status.success().then_some(Self(name))
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["-d", &self.0]).status();
    }
}

/// What a card has had before is neither taken for a filesystem nor left in the holes of the new one.
#[test]
fn a_card_in_a_reader_is_written_whole() {
    let machine = Machine::new();
    let disk = machine.path("disk");
    put(&disk, vec![0xff; 500 << 20]);
    let Some(reader) = Reader::with(&disk) else {
        eprintln!("skipped: no loop device can be had here");
        return;
    };
    let built = bundle(&machine);
    let (app, image) = (machine.path("app.img"), machine.path("card.img"));
    put(&app, rootfs(3));
    let (bundle, app) = (built.to_str().unwrap(), app.to_str().unwrap());
    let bus = Bus::new();
    let tos = [format!("card:{}", reader.0), format!("card:{}", image.display())];
    bus.xtask(["flash", bundle, "--to", &tos[0], "--to", &tos[1], "--app", app]).ok();
    drop(reader);
    let [disk, image] = [&disk, &image].map(|path| fs::read(path).unwrap());
    for name in ["APP", "kernel", "kernel-dtb_b"] {
        let (one, other) = (partition(&disk, name), partition(&image, name));
        let length = one.len().min(1 << 20);
        assert!(one[..length] == other[..length], "{name}");
    }
    assert!(partition(&disk, "APP") == partition(&image, "APP"));
    assert_eq!(&disk[disk.len() - SECTOR..][..8], b"EFI PART", "the copy is at the card's end");
    let small = machine.path("small");
    put(&small, vec![0; 8 << 20]);
    let Some(reader) = Reader::with(&small) else { return };
    let error = bus.xtask(["flash", bundle, "--to", &format!("card:{}", reader.0), "--app", app]).fails(2);
    assert!(error.contains("has 8388608 bytes") && error.contains("take a larger card"), "{error}");
}

#[test]
fn what_has_no_card_is_told() {
    let (machine, bus) = (Machine::new(), Bus::new());
    let agx = super::device::bundle().to_str().unwrap();
    let image = format!("card:{}", machine.path("x.img").display());
    let app = machine.path("app.img");
    put(&app, rootfs(3));
    let error = bus.xtask(["flash", agx, "--to", &image, "--app", app.to_str().unwrap()]).fails(2);
    assert!(error.contains("board jetson-agx-xavier has no SD card"), "{error}");
    bus.plug("1-2", super::device::XAVIER_32GB);
    let error = bus.xtask(["flash", agx, "--to", "usb", "--without-card"]).fails(2);
    assert!(error.contains("has no SD card"), "{error}");
    let error = bus.xtask(["flash", agx, "--to", "usb", "--without-card", "--scope", "app"]).fails(2);
    assert!(error.contains("--without-card: it is for --scope full"), "{error}");
    let error = bus.xtask(["flash", agx, "--to", &image, "--to", "usb"]).fails(2);
    assert!(error.contains("several kinds"), "{error}");
    let error = bus.xtask(["flash", agx, "--to", &image, "--scope", "app"]).fails(2);
    assert!(error.contains("--scope has no meaning with --to card:"), "{error}");
    let error = bus.xtask(["status", "--to", &image]).fails(2);
    assert!(error.contains("--to card: needs --bundle"), "{error}");
}

/// Held against NVIDIA's own table of the same layout.
#[test]
fn a_real_card_lies_as_nvidias_tool_has_it() {
    let Some([bsp, _]) = real_trees() else { return };
    let (dir, bus) = (tempfile::tempdir().unwrap(), Bus::new());
    let built = real_bundle(NX, dir.path(), &["--no-boot"]);
    let app = dir.path().join("app.img");
    put(&app, rootfs(3));
    let image = dir.path().join("card.img");
    let to = format!("card:{}", image.display());
    // A BSP without a kernel makes no card that boots, and none is made of it.
    let flashed = bus.xtask(["flash", built.to_str().unwrap(), "--to", &to, "--app", app.to_str().unwrap()]);
    if manifest(&built)["device"]["lacks"] != serde_json::json!([]) {
        let error = flashed.fails(2);
        assert!(error.contains("which the BSP had not"), "{error}");
    } else {
        flashed.ok();
    }
    let compile = |name: &str, words: &[&str]| {
        let mut command = Command::new(bsp.join("bootloader/tegraparser_v2"));
        Ran::new(command.args(["--pt", name]).args(words).current_dir(dir.path())).ok();
    };
    fs::copy(built.join("flash/common/flash.xml.bin"), dir.path().join("flash.xml.bin")).unwrap();
    compile("flash.xml.bin", &["--generategpt"]);
    let theirs = entries(&fs::read(dir.path().join("gpt_primary_6_0.bin")).unwrap()[SECTOR..]);
    let text = fs::read_to_string(dir_entry(&built.join("layout"))).unwrap();
    let layout = tegra_flash::Layout::parse(&text).unwrap();
    let card = layout.devices.iter().find(|device| device.kind == "sdcard").unwrap();
    let mut places = card.places().unwrap();
    places.sort_by_key(|place| place.number);
    let ours: Vec<_> = places
        .iter()
        .map(|p| (p.number as usize, p.partition.name.clone(), p.first, p.first + p.sectors - 1))
        .collect();
    let theirs: Vec<_> =
        theirs.into_iter().map(|(at, name, _, first, last)| (at, name, first, last)).collect();
    assert_eq!(ours, theirs);
    // What is left without the card is a layout for NVIDIA's own compiler, too.
    let rest = tegra_flash::parted::without_device(&text, "sdcard", |_| None).unwrap();
    put(&dir.path().join("rest.xml.tmp"), rest);
    compile("rest.xml.tmp", &[]);
    compile("rest.xml.bin", &["--generategpt"]);
    assert!(dir.path().join("gpt_secondary_3_0.bin").is_file());
}

fn dir_entry(folder: &Path) -> PathBuf {
    fs::read_dir(folder).unwrap().next().unwrap().unwrap().path()
}
