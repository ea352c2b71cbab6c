//! What is wrong with a BSP, with sources or with a licence is told before anything is built.

use super::Machine;
use crate::builds::util::Ran;
use std::fs;

#[test]
fn other_releases_are_refused() {
    let machine = Machine::new();
    for ([branch, major, minor], words) in [
        ([32, 4, 4], "this BSP is L4T R32.4.4: it signs with tegrasign_v2"),
        ([35, 3, 1], "this BSP is L4T R35.3.1: from R34 on the trusted OS is OP-TEE, not Trusty"),
        ([28, 2, 1], "this BSP is L4T R28.2.1, not R32"),
    ] {
        machine.bsp.release(branch, major, minor);
        machine.refuses(2, &[], &[words, "help: use a BSP of L4T R32.6.1 to R32.7.x, best R32.7.6"]);
    }
    for text in ["", "BSP_BRANCH=32\nBSP_MAJOR=seven\n"] {
        machine.bsp.put("nv_tegra/bsp_version", text);
        machine.refuses(2, &[], &["nv_tegra/bsp_version: no number BSP_"]);
    }
    machine.bsp.release(32, 6, 1);
    let product = machine.product("echo-srv", "accept_license: true");
    machine.image(&["-c", &product]).ok();
}

#[test]
fn half_a_bsp_and_that_of_another_board_are_refused() {
    let machine = Machine::new();
    let lost = [
        "bootloader/eks.img",
        "bootloader/tegrabct_v2",
        "bootloader/tos-trusty_t194.img",
        "nvmassflashgen.sh",
    ];
    machine.bsp.remove(&lost);
    let error =
        machine.refuses(2, &[], &["the BSP is not whole, it lacks\n", "help: unpack NVIDIA's tarball again"]);
    for name in lost {
        assert!(error.contains(&format!("\n  {name}")), "{name} in {error}");
    }
    machine.bsp.remove(&["jetson-agx-xavier-devkit.conf"]);
    machine.refuses(
        2,
        &[],
        &[
            "has no jetson-agx-xavier-devkit.conf: this BSP is for other boards than jetson-agx-xavier",
            "help: use NVIDIA's BSP that has the board",
        ],
    );
    machine.bsp.remove(&["nv_tegra/bsp_version"]);
    machine.refuses(
        2,
        &[],
        &["nv_tegra/bsp_version: No such file", "half-unpacked", "help: name the folder"],
    );
    machine.bsp.remove(&["flash.sh"]);
    machine.refuses(2, &[], &["has no flash.sh, neither itself nor in Linux_for_Tegra: this is no L4T BSP"]);
}

#[test]
fn paths_that_lead_nowhere_and_files_that_are_no_tarballs_are_refused() {
    let machine = Machine::new();
    let none = machine.path("none");
    let none = none.to_str().unwrap();
    let words = [
        "NVIDIA's L4T BSP: ",
        "none: No such file",
        "with --bsp, in the product config, or in CARVEOUT_L4T_BSP",
    ];
    machine.refuses(2, &["--bsp", none], &words);
    machine.refuses(
        2,
        &["--sources", none],
        &["NVIDIA's L4T public sources: ", "or in CARVEOUT_L4T_SOURCES"],
    );
    let text = machine.path("text.tbz2");
    fs::write(&text, "no tarball").unwrap();
    let words = ["unpacking ", "help: the file may be cut short or be no tarball"];
    machine.refuses(1, &["--bsp", text.to_str().unwrap()], &words);
    machine.refuses(1, &["--sources", text.to_str().unwrap()], &words);
    let empty = machine.path("bin");
    let words = [
        "has no Trusty sources: neither trusty_src.tbz2 nor a tree with lk/",
        "help: name NVIDIA's public_sources",
    ];
    machine.refuses(2, &["--sources", empty.to_str().unwrap()], &words);
}

#[test]
fn sources_that_cannot_be_mended_are_refused() {
    let machine = Machine::new();
    machine.sources.put("trusty/lk/common/kernel/thread.c", "void thread_timer_tick(int);\n");
    let words = [
        "sources/trusty/lk/common/kernel/thread.c: has not the line that must be mended",
        "help: use the sources of L4T R32.5 to R32.7",
    ];
    machine.refuses(2, &[], &words);
}

/// Once accepted, a licence stays accepted: by this user, and for this text.
#[test]
fn a_licence_must_be_accepted_once() {
    let machine = Machine::new();
    let product = machine.product("echo-srv", "monitor: bsp");
    let image = |more: &[&str]| {
        let out = machine.path("out");
        let more = [&["-c", &product, "-o", out.to_str().unwrap()], more].concat();
        Ran::new(&mut machine.command(machine.arguments(&more)))
    };
    let refused = |ran: Ran| {
        let error = ran.fails(2);
        for words in ["Licence of the stand-in BSP", "Do with it what you like", "has not been accepted yet"]
        {
            assert!(error.contains(words), "{words} in {error}");
        }
        assert!(error.contains("if you agree, say --accept-license once"), "{error}");
    };
    refused(image(&[]));
    assert!(!machine.path("out").exists());
    image(&["--accept-license"]).ok();
    image(&[]).ok();
    let text = fs::read_to_string(machine.bsp.dir.join("bootloader/LICENSE")).unwrap();
    machine.bsp.put("bootloader/LICENSE", text + "But not on Sundays.\n");
    refused(image(&[]));
}

/// Nothing is given, and nothing may be fetched.
#[test]
fn without_a_bsp_and_without_network_there_is_no_image() {
    let machine = Machine::new();
    let downloads = crate::builds::util::root().join("target/carveout/downloads");
    if fs::read_dir(downloads).is_ok_and(|mut entries| entries.next().is_some()) {
        eprintln!("skipped: NVIDIA's tarballs have been downloaded here");
        return;
    }
    let arguments = ["image", "--board", super::BOARD, "--without", "rootfs", "--offline"];
    let error = Ran::new(&mut machine.command(arguments)).fails(3);
    assert!(
        error.contains("NVIDIA's L4T BSP is neither given nor downloaded, and --offline forbids"),
        "{error}"
    );
    assert!(error.contains("help: name it with --bsp PATH"), "{error}");
    let arguments = ["image", "--board", super::BOARD, "--without", "rootfs"];
    let error = Ran::new(&mut machine.command(arguments)).fails(2);
    assert!(error.contains("Jetson_Linux_R32.7.6_aarch64.tbz2 comes under NVIDIA's"), "{error}");
}
