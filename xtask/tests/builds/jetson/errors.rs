//! What would not work on the board, or is not what was asked for, gets into no bundle.

use super::Machine;
use super::standin::put;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use trusty_image::test_elf::TestElf;

/// All that NVIDIA's own parser lets pass, and what would become of it.
#[test]
fn a_defect_of_the_misc_cfg_is_named_with_its_line() {
    const SIZE: &str = "carveout.tzdram.size = 0x01000000; # 16 MiB\n";
    for (from, to, words) in [
        (SIZE, "", "line 7: `carveout.tzdram.size` is missing: NVIDIA's parser would take 0"),
        (SIZE, "# carveout.tzdram.size = 0x01000000;\n", "`carveout.tzdram.size` is missing"),
        (
            SIZE,
            "carveout.tzdram.size = 1;\ncarveout.tzdram.size = 2;\n",
            "line 6: `carveout.tzdram.size` stands on line 5 already: NVIDIA's parser takes the last",
        ),
        ("0x01000000;", "0x01000000", "line 5: `;` is missing behind the value of `carveout.tzdram.size`"),
        ("0x01000000;", "32M;", "line 5: `32M` is no value for `carveout.tzdram.size`"),
        ("# 16 MiB", "// 16 MiB", "line 5: `// 16 MiB` behind the `;` is no comment"),
        ("# Misc", "\u{feff}# Misc", "line 1: the file starts with a byte-order mark"),
        ("= 0x01000000;", "= ;", "line 5: the value of `carveout.tzdram.size` is empty"),
    ] {
        let machine = Machine::new();
        machine.bsp.edit_cfg(from, to);
        machine.refuses(2, &[], &["tegra194-mb1-bct-misc-l4t.cfg: ", words]);
    }
    let machine = Machine::new();
    machine.bsp.put("bootloader/t186ref/BCT/tegra194-mb1-bct-misc-flash.cfg", "");
    machine.refuses(2, &[], &["tegra194-mb1-bct-misc-flash.cfg: ", "has no `key = value;` line"]);
}

#[test]
fn impossible_carve_outs_are_refused() {
    let machine = Machine::new();
    for size in ["0B", "0MiB", "107MiB", "4096MiB"] {
        let words = if size == "0B" { "`0B` is no size" } else { "allowed are 1MiB to 106MiB" };
        machine.refuses(2, &["--tzdram", size], &[words]);
    }
    // Both echo apps want more than 1 MiB has.
    let words = ["tzdram-full: ", "the carve-out has 1048576", "help: set tzdram.size to 2MiB or more"];
    machine.refuses(1, &["--tzdram", "1MiB"], &words);
}

/// PATH without some programs: a folder of links to all others.
fn path_without(machine: &Machine, missing: &[&str]) {
    let folder = machine.path("path");
    fs::create_dir(&folder).unwrap();
    for dir in std::env::split_paths(&std::env::var_os("PATH").unwrap()) {
        for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
            if !missing.contains(&entry.file_name().to_str().unwrap_or_default()) {
                // The first of a name counts.
                let _ = symlink(entry.path(), folder.join(entry.file_name()));
            }
        }
    }
    missing.iter().for_each(|name| drop(fs::remove_file(machine.path("bin").join(name))));
}

#[test]
fn a_missing_compiler_is_named_with_its_package() {
    let machine = Machine::new();
    path_without(&machine, &["arm-none-eabi-gcc", "arm-none-eabi-ld"]);
    let before = machine.trees();
    let mut command = machine.command(machine.arguments(&["--accept-license", "--offline"]));
    command.env("PATH", std::env::join_paths([machine.path("bin"), machine.path("path")]).unwrap());
    let error = crate::builds::util::Ran::new(&mut command).fails(3);
    assert!(error.contains("gcc-arm-none-eabi: compiles NVIDIA's own trusted apps"), "{error}");
    assert!(error.contains("apt-get install --no-install-recommends -y gcc-arm-none-eabi"), "{error}");
    assert_eq!(machine.trees(), before);
}

/// Not after minutes: the BSP is looked at first.
#[test]
fn a_missing_kernel_is_told_before_anything_is_built() {
    let machine = Machine::new();
    machine.bsp.remove(&["kernel/Image"]);
    let product = machine.product("echo-srv", "accept_license: true");
    let text = fs::read_to_string(&product).unwrap();
    put(Path::new(&product), text + "rootfs: { kind: debian, suite: sid, size: 8GiB }\n");
    let [bsp, sources] = [&machine.bsp.dir, &machine.sources.dir].map(|path| path.to_str().unwrap());
    let mut command = machine.command(["image", "-c", &product, "--bsp", bsp, "--sources", sources]);
    let error = crate::builds::util::Ran::new(&mut command).fails(2);
    assert!(error.contains("Linux_for_Tegra: the BSP has no kernel/Image: a full flash needs it"), "{error}");
    assert!(error.contains("help: use a whole BSP, or build with --without rootfs"), "{error}");
    for stage in ["[trusted app", "[secure-os", "[rootfs base", "[client app"] {
        assert!(!error.contains(stage), "{stage} in {error}");
    }
}

/// A TA that its loader would take, whose file has so many bytes more.
fn large(bytes: u32) -> Vec<u8> {
    let mut elf = TestElf::good();
    elf.sections.push((".debug", [1, 0, 0, 0x4000, bytes]));
    let headers = |file: &[u8]| u32::from_le_bytes(file[32..36].try_into().unwrap());
    elf.shift_headers = 0x4000 + bytes - headers(&elf.build());
    elf.build()
}

#[test]
fn an_image_that_is_larger_than_its_partition_is_refused() {
    let machine = Machine::new();
    put(&machine.path("large.elf"), large(2_600_000));
    let product = machine.product("{ elf: large.elf }", "accept_license: true");
    let words = ["partition-full: ", "its partition has 2621440", "help: use fewer or smaller trusted apps"];
    machine.refuses(1, &["-c", &product], &words);
}

#[test]
fn wrong_names_and_keys_in_a_product_end_with_2() {
    let machine = Machine::new();
    fs::create_dir(machine.path("folder")).unwrap();
    for (l4t, words) in [
        (
            "stock_trusted_apps: [sample/none]",
            ["`sample/none` is no trusted app of NVIDIA's sources", "help: stock are "],
        ),
        (
            "stock_trusted_apps: [../../x]",
            ["`../../x` is no trusted app of NVIDIA's sources", "help: stock are "],
        ),
        ("modules: [32gib]", ["unknown module `32gib`", "Did you mean `32gb`?"]),
        ("modules: [32gb, 32gb]", ["product.yaml:6:", "32gb is listed twice"]),
        ("modules: []", ["product.yaml:6:", "expected at least one module"]),
        ("pkc_key: none.pem", ["none.pem: No such file", "paths are relative to the config file"]),
        ("pkc_key: folder", ["product.yaml:6:", "folder: is a folder, not a regular file"]),
        ("pkc_key: product.yaml", ["product.yaml:6: l4t.pkc_key: ", "it is no PEM file"]),
        ("sbk_key: product.yaml", ["boards with an SBK are signed, too", "pkc_key is missing"]),
        ("pkc: product.yaml", ["product.yaml:6:", "unknown field `pkc`"]),
    ] {
        machine.refuses(2, &["-c", &machine.product("echo-srv", l4t)], &words);
    }
    let product = machine.product("echo-srv", "accept_license: true");
    let text =
        fs::read_to_string(&product).unwrap().replace("board: jetson-agx-xavier", "board: jetson-agx-xaver");
    put(Path::new(&product), text);
    let mut command = machine.command(["image", "-c", &product]);
    let error = crate::builds::util::Ran::new(&mut command).fails(2);
    assert!(error.contains("Did you mean `jetson-agx-xavier`?"), "{error}");
}

/// The kernel is read as its loader will read it: each app must be there, in its place.
#[test]
fn a_kernel_without_a_trusted_app_is_refused() {
    for (variant, words) in [
        ("PREBUILT := $(wordlist 2,9,$(PREBUILT))\n", "trusted app 0 in it is not "),
        ("PREBUILT := $(word 2,$(PREBUILT)) $(word 1,$(PREBUILT))\n", "trusted app 0 in it is not "),
        ("STOCK := $(firstword $(STOCK)) $(STOCK)\n", "two trusted apps have the UUID 766072e8-"),
        ("STOCK := makefile $(STOCK)\nPREBUILT :=\n", "trusted app 0 in it is not "),
    ] {
        let machine = Machine::new();
        machine.sources.variant(variant);
        machine.refuses(1, &[], &["the kernel that was built is not as it should be: ", words]);
    }
    let machine = Machine::new();
    machine.sources.variant("all:\nSTOCK := none\n");
    machine.refuses(1, &[], &["building the Trusty kernel failed", "full log: "]);
}

/// NVIDIA's scripts end with success whatever happened: only what they made counts.
#[test]
fn what_nvidias_tools_made_is_read_back() {
    for (how, words) in [
        (
            "no output",
            vec![
                "NVIDIA's scripts ended with success, but made no signed/flash.idx",
                "    Error: ",
                "full log: ",
            ],
        ),
        ("no boot config", vec!["mb1_cold_boot_bct_MB1_sigheader.bct.encrypt"]),
        (
            "other size",
            vec![
                "it has a carve-out of 0x1000000 aligned to 0x100000, configured are 0x2000000 and 0x100000",
                "help: nothing has been put into a bundle",
            ],
        ),
        (
            "differs elsewhere",
            vec!["it differs from that of the unchanged boot config at 0x928", "help: nothing has"],
        ),
    ] {
        let machine = Machine::new();
        machine.bsp.misbehave(how);
        machine.refuses(1, &["-c", &machine.product("echo-srv", "accept_license: true")], &words);
    }
}

/// NVIDIA's tool finds it out after everything else, and says it in sectors.
#[test]
fn a_root_filesystem_that_the_storage_has_no_room_for_is_refused_before_the_build() {
    const LAYOUT: &str = "bootloader/t186ref/cfg/flash_t194_sdmmc.xml";
    let machine = Machine::new();
    let text = fs::read_to_string(machine.bsp.dir.join(LAYOUT)).unwrap();
    machine.bsp.put(LAYOUT, text.replace("EMMCSIZE", "2097152"));
    let product = machine.product("echo-srv", "accept_license: true, app_size: 1GiB");
    let words = [
        "l4t.app_size: the partition APP would have 1073741824 bytes",
        "the device sdmmc_user has 1073741824",
    ];
    let error = machine.refuses(2, &["-c", &product], &words);
    assert!(error.contains("help: set l4t.app_size to 852MiB or less"), "{error}");
    assert!(!error.contains("[secure-os]"), "before anything is built: {error}");
    let mut command = machine.command(["plan", "-c", &product]);
    let [bsp, sources] = [&machine.bsp.dir, &machine.sources.dir].map(|path| path.display().to_string());
    let error = crate::builds::util::Ran::new(command.args(["--bsp", &bsp, "--sources", &sources])).fails(2);
    assert!(error.contains("there is room for"), "{error}");
}
