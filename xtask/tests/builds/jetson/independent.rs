//! Held against NVIDIA: for each board, what is in a bundle is what flash.sh signs of the same inputs in a run of its own, which knows
//! nothing of carveout. Where a real BSP is.

use super::{real_bundle, real_trees};
use crate::builds::util::{Ran, manifest};
use std::fs;
use std::path::Path;
use std::process::Command;

/// Boards, and what NVIDIA's scripts call them.
const BOARDS: [[&str; 2]; 8] = [
    ["jetson-agx-xavier", "jetson-agx-xavier-devkit"],
    ["jetson-agx-xavier-industrial", "jetson-agx-xavier-industrial"],
    ["jetson-xavier-nx-devkit-emmc", "jetson-xavier-nx-devkit-emmc"],
    ["jetson-xavier-nx-devkit", "jetson-xavier-nx-devkit"],
    ["jetson-tx2", "jetson-tx2-devkit"],
    ["jetson-tx2i", "jetson-tx2-devkit-tx2i"],
    ["jetson-tx2-4gb", "jetson-tx2-devkit-4gb"],
    ["jetson-tx2-nx", "jetson-xavier-nx-devkit-tx2-nx"],
];
/// A person's steps: a copy of the BSP, the carve-out by sed in the cfgs that the board's file names, the image as in NVIDIA's tarball, and
/// flash.sh. To a cfg of TX2 the lines are added.
const STEPS: &str = r#"set -e
bsp=$1 image=$2 board=$3 app=$4
cp -a "$bsp" tree
cd tree
rm -rf rootfs bootloader/signed
mkdir -p rootfs/etc
for name in kernel/Image bootloader/l4t_initrd.img; do [ -e $name ] || head -c 4096 /dev/zero > $name; done
echo "stands for the root filesystem" > bootloader/system.img
LDK_DIR=. && source ./$board.conf
for cfg in $MISC_COLD_BOOT_CONFIG $MISC_CONFIG; do
  sed -i -e 's/^carveout\.tzdram\.size *=.*/carveout.tzdram.size = 0x02000000;/' \
    -e '/^sw_carveout.mb2_carveout_size/a sw_carveout.tzdram_carveout_alignment = 1048576;\nsw_carveout.tzdram_carveout_size = 33554432;' \
    bootloader/t186ref/BCT/$cfg
done
case $CHIPID in 0x18) tos=tos-trusty.img CHIPREV=0 ;; *) tos=tos-trusty_t194.img CHIPREV=2 ;; esac
rm -f $TOSFILE bootloader/$tos
cp "$image" bootloader/$tos
ln -s $tos $TOSFILE
mkdir ../bin
printf '#!/bin/sh\nexec python3 "$@"\n' > ../bin/python
chmod 755 ../bin/python
export PATH=$PWD/../bin:$PATH USER=root FUSELEVEL=fuselevel_production CHIPREV NO_RECOVERY_IMG=1
unshare --net setarch -R bash ./flash.sh --no-flash -r -S "$app" --sign $board mmcblk0p1 > ../flash.log 2>&1
"#;
/// What has the time in it, or addresses and GUIDs that NVIDIA's tools make up.
const NEVER_THE_SAME: [&str; 2] = ["flash.xml", "_bootblob_ver"];

/// Signed files that differ, and how many were compared.
fn differing(board: &str, bsp: &Path, flash_name: &str, built: &Path) -> (Vec<String>, usize) {
    let said = manifest(built);
    let app = said["device"]["app_size"].to_string();
    let (mut differ, mut compared) = (Vec::new(), 0);
    for module in said["device"]["modules"].as_array().unwrap() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("bash");
        let image = built.join("secure-os/tos.img");
        command.args(["-c".as_ref(), STEPS.as_ref(), "bash".as_ref(), bsp.as_os_str(), image.as_os_str()]);
        command.args([flash_name, &app]).current_dir(dir.path());
        // A byte of the memory config is whatever lay in NVIDIA's tool's memory: LD_LIBRARY_PATH, as cargo sets it, makes it another.
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap());
        for (variable, key) in
            [("BOARDID", "board"), ("FAB", "fab"), ("BOARDSKU", "sku"), ("BOARDREV", "revision")]
        {
            command.env(variable, module["id"][key].as_str().unwrap());
        }
        Ran::new(&mut command).ok();
        let name = module["name"].as_str().unwrap();
        let signed = dir.path().join("tree/bootloader/signed");
        for entry in fs::read_dir(&signed).unwrap().flatten() {
            let file = entry.file_name().into_string().unwrap();
            let folders = ["common", name].map(|folder| built.join("flash").join(folder).join(&file));
            let Some(ours) = folders.iter().find(|path| path.is_file()) else { continue };
            if NEVER_THE_SAME.iter().any(|part| file.contains(part)) || !entry.path().is_file() {
                continue;
            }
            compared += 1;
            if fs::read(ours).unwrap() != fs::read(entry.path()).unwrap() {
                differ.push(format!("{board} {name} {file}"));
            }
        }
        let written = fs::read_to_string(signed.join("flash.idx")).unwrap();
        let image = ["tos-trusty_t194_sigheader.img.encrypt", "tos-trusty_sigheader.img.encrypt"];
        assert!(image.iter().any(|name| written.contains(name)), "{board}: it signs the image");
    }
    (differ, compared)
}

#[test]
fn each_board_has_what_flash_sh_signs() {
    let Some([bsp, _]) = real_trees() else { return };
    for [board, flash_name] in BOARDS {
        let dir = tempfile::tempdir().unwrap();
        let built = real_bundle(board, dir.path(), &["--no-boot"]);
        let (differ, compared) = differing(board, &bsp, flash_name, &built);
        assert!(differ.is_empty(), "{differ:#?}");
        assert!(compared >= 20, "{board}: {compared}");
        println!("{board}: {compared} signed files are equal");
    }
}
