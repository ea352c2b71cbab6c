use super::*;
use serde_json::{Value, json};

/// What is told of bytes in a file of this name, and whether it is that something is wrong.
fn told(name: &str, bytes: &[u8]) -> (String, Value, bool) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, bytes).unwrap();
    let outcome = run(&path).unwrap_or_else(|e| panic!("{name}: {e}"));
    (outcome.line.unwrap().to_string(), outcome.json, outcome.failed)
}

#[test]
fn what_a_terminal_obeys_is_escaped() {
    let (text, ..) = told(
        "k.pub",
        b"untrusted comment: \x1b]0;x\x07\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n",
    );
    assert!(text.contains("comment      \\u{1b}]0;x\\u{7} (not signed)"), "{text}");
    assert!(text.contains("key          E7620F1842B4E81F"), "{text}");
}

#[test]
fn files_are_told_by_their_content() {
    let ext4 = tegra_flash::filesystem::test_image::image(1 << 16, 7);
    let mut dtb = vec![0xd0, 0x0d, 0xfe, 0xed];
    for word in [100u32, 56, 88, 40, 17, 16, 0, 6, 32] {
        dtb.extend(word.to_be_bytes());
    }
    dtb.resize(56, 0);
    for word in [1u32, 0, 3, 6, 0] {
        dtb.extend(word.to_be_bytes());
    }
    dtb.extend(b"Xavie\0\0\0");
    dtb.resize(88, 0);
    dtb.extend(b"model\0");
    dtb.resize(100, 0);
    let sparse = {
        let mut bytes = vec![0x3a, 0xff, 0x26, 0xed, 1, 0, 0, 0, 28, 0, 12, 0];
        [4096u32, 3, 0, 0].iter().for_each(|word| bytes.extend(word.to_le_bytes()));
        bytes
    };
    let boot = [&b"ANDROID!\x05\0\0\0\0\0\0\0\x07\0\0\0"[..], &[0; 16], &[0, 8, 0, 0], &[0; 600]].concat();
    let sums = format!("{}  a\n{}  b\n", "0".repeat(64), "f".repeat(64));
    let bup = |offset: u32| {
        let mut bytes = b"NVIDIA__BLOB__V2".to_vec();
        [0x0102_0621u32, 168, 48, 1, 0, 168, 0, 0].iter().for_each(|word| bytes.extend(word.to_le_bytes()));
        let mut entry = b"MB1_BCT".to_vec();
        entry.resize(40, 0);
        entry.extend(offset.to_le_bytes());
        entry.resize(56, 0);
        entry.extend(b"2888-400-0004--1-2-jetson");
        entry.resize(120, 0);
        [bytes, entry].concat()
    };
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("x", ext4, "filesystem (ext4, 16 blocks of 4096 bytes), 65536 bytes (64 KiB)\n  a root filesystem"),
        ("x", dtb, "device tree (DTB), 100 bytes\n  model        Xavie"),
        ("x", sparse, "Android sparse image, 28 bytes, of 12288 bytes (12 KiB)"),
        ("x", boot, "kernel       5 bytes\n  ramdisk      7 bytes"),
        ("x", sums.into(), "sha256 sums of 2 files"),
        ("x", bup(168), "partition    MB1_BCT\n  module       2888-400-0004--1-2-jetson"),
        ("x", b"!<arch>\ndebian-binary   ".to_vec(), "a Debian package"),
        ("x", b"\x1f\x8b\x08".to_vec(), "a gzip archive, 3 bytes\n  for a root filesystem: unpack it"),
        ("x", b"-----BEGIN RSA PRIVATE KEY-----\n".to_vec(), "PEM file: rsa private key; a secret"),
        ("x", b"#!/bin/sh\nflash.sh;\n".to_vec(), "script for /bin/sh"),
        ("x", [&[1; 1024][..], b"EFI PART", &[2; 504]].concat(), "the copy at a device's end"),
        ("x", b"0, 0:3:BCT, 0, 32768, br_bct_BR.bct\n".to_vec(), "index of what is flashed"),
        ("x", vec![0xff; 4096], "4096 bytes of 0xff: an erased partition"),
        ("x", b"pmic.major = 1;\n".to_vec(), "PMIC config, 1 values\n  it has no TZDRAM carve-out"),
        (
            "x",
            b"sw_carveout.mb2_carveout_size = 1;\n".to_vec(),
            "t186 (Jetson TX2), 1 values\n  no carve-out of Trusty",
        ),
        (
            "x",
            {
                let mut signed = b"GSHV".to_vec();
                signed.resize(0x190, 0);
                signed[0x188] = 4;
                [&signed[..], b"part"].concat()
            },
            "signed for t186 (Jetson TX2): part of the boot chain, 4 bytes behind the header (GSHV); signed with keys",
        ),
        ("x", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\x3e\0\0\0".to_vec(), "a program for x86-64"),
    ];
    for (name, bytes, expected) in cases {
        let (text, json, failed) = told(name, &bytes);
        assert!(text.contains(expected), "{expected} in {text}");
        assert!(!failed && json["kind"].is_string(), "{text}: {json}");
    }
    let (text, json, failed) = told("x", &bup(0));
    assert!(
        failed && text.contains("  damaged      it entry 0 (MB1_BCT): its bytes 0 to 0 are outside"),
        "{text}"
    );
    assert!(json["damage"].is_string() && json["parts"] == serde_json::json!([]), "{json}");
    let (_, json, _) = told("x", &bup(168));
    let part = &json["parts"][0];
    assert_eq!((&part["module"], &part["size"]), (&"2888-400-0004--1-2-jetson".into(), &0.into()), "{json}");
}

/// NVIDIA's own misc cfgs of AGX Xavier Industrial have such lines.
#[test]
fn a_doubled_key_that_is_not_the_carve_outs_is_a_warning() {
    let cfg = "enable_vpr_resize = 1;\ncarveout.tzdram.size = 0x01000000;\n\
               carveout.tzdram.alignment = 0x00100000;\nenable_vpr_resize = 1;\n";
    let (text, json, failed) = told("misc.cfg", cfg.as_bytes());
    assert!(text.contains("carveout.tzdram.size        0x01000000 = 16 MiB (line 2)"), "{text}");
    assert!(text.contains("warning: line 4: `enable_vpr_resize` stands on line 1 already"), "{text}");
    assert!(!failed && json["warnings"].as_array().unwrap().len() == 1);
}

#[test]
fn a_layout_without_sector_size_is_told_so() {
    let layout = "<partition_layout><device type='sdmmc_user'><partition name='secure-os' type='tos'>\
                  <size> 2621440 </size></partition></device></partition_layout>";
    let (text, json, _) = told("flash.xml", layout.as_bytes());
    assert!(text.contains("sectors of 512 bytes (assumed: the layout does not say)"), "{text}");
    assert_eq!(json["sector_size_assumed"], json!(true));
}

#[test]
fn eeproms_are_explained_and_blank_ones_fail() {
    let (text, json, failed) = told("cvm.bin", &[0xff; 256]);
    assert!(failed && text.contains("the module's EEPROM is blank (every byte is 0xff)"), "{text}");
    assert_eq!(json["blank"], json!(true));
    let mut module = vec![0; 256];
    module[0x14..0x2a].copy_from_slice(b"699-82888-0006-400 B.0");
    module[255] = 1;
    let (text, _, failed) = told("cvm.bin", &module);
    assert!(failed && text.contains("the module's EEPROM is damaged: its CRC-8 is 0x01"), "{text}");
}

#[test]
fn a_cut_filesystem_fails() {
    let image = tegra_flash::filesystem::test_image::image(1 << 16, 7);
    let (text, _, failed) = told("x.img", &image[..1 << 15]);
    assert!(
        failed && text.contains("cut off: its superblock says 65536 bytes, the file has 32768"),
        "{text}"
    );
}

#[test]
fn what_holds_trusted_apps_lists_them() {
    let app = trusty_image::test_elf::TestElf::good().build();
    let (text, json, _) = told("user_tasks.bin", &app.repeat(2));
    assert!(text.contains("trusted apps one behind the other (user_tasks.bin), 2 of them"), "{text}");
    assert_eq!(json["trusted_apps"].as_array().unwrap().len(), 2);
    let kernel = [&[0x14; 8192][..], &app, &[7; 100]].concat();
    let (text, json, _) = told("lk.bin", &kernel);
    assert!(text.contains("Trusty's kernel (lk.bin)") && text.contains("  UUID "), "{text}");
    assert_eq!(json["kind"], "lk");
    let mut optee = trusty_image::Container::pack(&[1; 16], &app, trusty_image::TosType::Trusty).unwrap();
    optee[52] = 4;
    let (text, json, _) = told("tos.img", &optee);
    assert!(text.contains("OP-TEE, the trusted OS of L4T R34 and later, not Trusty"), "{text}");
    assert_eq!(json["kind"], "op-tee");
}

/// A UUID is printed in one way, however it was written.
#[test]
fn declarations_are_explained() {
    let toml = "[package]\nname = 'x'\n[package.metadata.trusty]\nuuid = '{C5A1A9E2-5D5F-4F0E-9A52-0F1EC4E0C001}'\n\
                min_heap = '0x40000'\nmin_stack = 32768\nmem_map = [{ id = 1, addr = '0x3ac0000', size = '0x2000' }]\n";
    let (text, json, _) = told("Cargo.toml", toml.as_bytes());
    assert!(
        text.contains("UUID         c5a1a9e2-5d5f-4f0e-9a52-0f1ec4e0c001\n  heap         256 KiB"),
        "{text}"
    );
    assert!(text.contains("mem_map      id 1, 0x3ac0000, 8192 bytes"), "{text}");
    assert_eq!(json["declaration"]["uuid"], "c5a1a9e2-5d5f-4f0e-9a52-0f1ec4e0c001");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("Cargo.toml");
    std::fs::write(&path, toml.replace("min_stack", "version = 1\nmin_stack")).unwrap();
    let error = run(&path).err().unwrap();
    assert!(error.message.contains("version: the kernel of L4T R32 keeps no versions"), "{error}");
}

/// NVIDIA's own sources of its tools have such lines.
#[test]
fn programs_are_no_boot_configs() {
    let dir = tempfile::tempdir().unwrap();
    for text in [
        "import os\ndef f():\n  a = 1;\n  return a\n",
        "f()\n{\n  local x=1;\n  echo $x\n}\n",
        "device.x = 5\nprint(1)\n",
    ] {
        let path = dir.path().join("x");
        std::fs::write(&path, text).unwrap();
        assert!(run(&path).err().unwrap().message.ends_with("not recognised (a text)"), "{text}");
    }
}

#[test]
fn what_is_not_known_is_not_called_damaged() {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes, what) in [
        ("x.bin", &b"\x01\x02\x03\xfe"[..], "a binary file"),
        ("x", b"hello", "a text"),
        ("e", b"", "an empty file"),
    ] {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let error = run(&path).err().unwrap();
        assert_eq!(error.exit, carveout_host::error::Exit::Usage);
        assert!(error.message.ends_with(&format!("not recognised ({what})")), "{error}");
        let remedy = error.remedy.unwrap();
        assert!(remedy.contains("inspect knows bundles") && !remedy.contains("damaged"), "{remedy}");
    }
    assert!(run(dir.path()).err().unwrap().message.contains("a folder, neither a bundle's nor NVIDIA's BSP"));
}

#[test]
fn a_virt_device_is_explained_by_name_and_by_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("device.img");
    let partitions = ["MB1_BCT", "MB1_BCT_b", "secure-os", "secure-os_b", "APP", "APP_b", "UDA"];
    let partitions: Vec<(String, u64)> = partitions.iter().map(|name| ((*name).into(), 1 << 18)).collect();
    let size = virt_device::needed(&partitions).unwrap();
    let file = std::fs::File::options().read(true).write(true).create_new(true).open(&path).unwrap();
    file.set_len(size).unwrap();
    drop(virt_device::Device::create(file, size, &partitions).unwrap());
    for given in [format!("virt:{}", path.display()), path.display().to_string()] {
        let outcome = run(Path::new(&given)).unwrap();
        let text = outcome.line.unwrap();
        assert!(text.as_str().contains("virt device\n  active       none\n  previous     none"), "{text}");
        assert_eq!(outcome.json["partitions"].as_array().unwrap().len(), 7);
    }
}
