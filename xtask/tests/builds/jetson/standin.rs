//! A stand-in for NVIDIA's BSP, `Linux_for_Tegra`: its files by name and form, its tools by what they are called with.

mod boards;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use trusty_image::{Container, TosType};

/// Folders of boot config and layouts in it.
const BCT: &str = "bootloader/t186ref/BCT";
/// The misc cfg of the cold boot.
pub const COLD_BOOT: &str = "bootloader/t186ref/BCT/tegra194-mb1-bct-misc-l4t.cfg";
/// What flash.sh signs as secure-os: a link to the image.
pub const TOS_LINK: &str = "bootloader/tos_t194.img";
/// Kernel and initrd, which a BSP without its Debian packages lacks.
pub const KERNEL: [&str; 2] = ["kernel/Image", "bootloader/l4t_initrd.img"];
/// Bytes in place of the monitor (ATF).
pub const MONITOR: &[u8] = b"monitor of the stand-in BSP";
/// The same for t186: it knows the Cortex-A57.
const MONITOR_186: &[u8] = b"monitor of t186.\x70\xd0\x0f\x41\0\0\0\0";
/// Programs and data of the board, each with its name as contents; none is ever run here.
const DATA: [&str; 22] = [
    "bootloader/bpmp.bin",
    "bootloader/cboot.bin",
    "bootloader/mb1_prod.bin",
    "bootloader/mb1_recovery_prod.bin",
    "bootloader/nvtboot.bin",
    "bootloader/nvtboot_recovery.bin",
    "bootloader/nvtboot_recovery_cpu.bin",
    "bootloader/warmboot.bin",
    "bootloader/t186ref/u-boot.bin",
    "bootloader/bpmp_t194.bin",
    "bootloader/cboot_t194.bin",
    "bootloader/eks.img",
    "bootloader/mb1_t194_prod.bin",
    "bootloader/nvtboot_t194.bin",
    "bootloader/nvtboot_applet_t194.bin",
    "bootloader/nvtboot_recovery_t194.bin",
    "bootloader/nvtboot_recovery_cpu_t194.bin",
    "bootloader/warmboot_t194_prod.bin",
    "bootloader/t186ref/tegra194-a02-bpmp-p2888-0005-a04.dtb",
    KERNEL[0],
    KERNEL[1],
    "bootloader/LICENSE.of-something",
];
/// Host tools whose work `tegraflash_internal.py` does.
const UNUSED: [&str; 4] = ["tegrasign_v3.py", "tegrabct_v2", "tegrahost_v2", "mkbootimg"];
/// Device tools, one program under four names.
const DEVICE: [&str; 4] = ["tegrarcm_v2", "tegradevflash_v2", "tegraparser_v2", "chkbdinfo"];

/// The stand-in.
pub struct Bsp {
    pub dir: PathBuf,
}

impl Bsp {
    /// A whole one, R32.7.2.
    pub fn write(dir: &Path) -> Self {
        let bsp = Self { dir: dir.into() };
        bsp.release(32, 7, 2);
        for name in DATA {
            bsp.put(name, format!("stands for {name}\n"));
        }
        bsp.put("bootloader/LICENSE", "Licence of the stand-in BSP\n\nDo with it what you like.\n");
        // The line that NVIDIA's functions find a partition with, and find it twice.
        bsp.put("bootloader/odmsign.func", "at=$(sed -n \"/\\\"${part}\\\"/=\" layout.xml)\n");
        boards::write(&bsp);
        symlink("jetson-agx-xavier-devkit.conf", dir.join("jetson-xavier.conf")).unwrap();
        bsp.put(&format!("{BCT}/tegra194-mb1-soft-fuses-l4t.cfg"), "soft fuses\n");
        let image = Container::pack(MONITOR, &[0x55; 4096], TosType::Trusty).unwrap();
        bsp.put("bootloader/tos-trusty_t194.img", image);
        symlink("tos-trusty_t194.img", dir.join(TOS_LINK)).unwrap();
        let image = Container::pack(MONITOR_186, &[0x55; 4096], TosType::Trusty).unwrap();
        bsp.put("bootloader/tos-trusty.img", image);
        symlink("tos-trusty.img", dir.join("bootloader/tos.img")).unwrap();
        // What a flash has left in the tree, and what no build needs.
        bsp.put("bootloader/signed/mb1_cold_boot_bct_MB1_sigheader.bct.encrypt", "old");
        bsp.put("bootloader/system.img.raw", "old");
        bsp.put("rootfs/etc/passwd", "");
        for (name, text) in [
            ("flash.sh", include_str!("standin/flash.sh")),
            ("nvmassflashgen.sh", include_str!("standin/nvmassflashgen.sh")),
            ("bootloader/standin-nvaflash.sh", include_str!("standin/nvaflash.sh")),
            ("bootloader/tegraflash.py", include_str!("standin/tegraflash.py")),
            ("bootloader/tegraflash_internal.py", include_str!("standin/tegraflash_internal.py")),
            ("bootloader/tegra186.py", include_str!("standin/tegra186.py")),
        ] {
            program(&dir.join(name), text);
        }
        UNUSED.iter().for_each(|name| program(&dir.join("bootloader").join(name), "#!/bin/sh\nexit 1\n"));
        for name in DEVICE {
            program(&dir.join("bootloader").join(name), include_str!("standin/board.py"));
        }
        bsp
    }

    /// Says which L4T it is.
    pub fn release(&self, branch: u32, major: u32, minor: u32) {
        let text = format!("# sourced\nBSP_BRANCH={branch}\nBSP_MAJOR={major}\nBSP_MINOR={minor}\n");
        self.put("nv_tegra/bsp_version", text);
    }

    /// Writes a file of it.
    pub fn put(&self, name: &str, bytes: impl AsRef<[u8]>) {
        put(&self.dir.join(name), bytes);
    }

    /// Replaces a text in its misc cfg of the cold boot.
    pub fn edit_cfg(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.dir.join(COLD_BOOT)).unwrap();
        assert!(text.contains(from), "{from} in {text}");
        self.put(COLD_BOOT, text.replacen(from, to, 1));
    }

    /// Removes files of it.
    pub fn remove(&self, names: &[&str]) {
        names.iter().for_each(|name| fs::remove_file(self.dir.join(name)).unwrap());
    }

    /// Lets its tools go wrong: `no output`, `no boot config`, `other size`, `differs elsewhere`,
    /// `signs another` or `sends another`.
    pub fn misbehave(&self, how: &str) {
        self.put("bootloader/misbehave", how);
    }
}

/// Writes a file and the folders that it lies in.
pub fn put(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Writes a program.
pub fn program(path: &Path, text: &str) {
    put(path, text);
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// A misc cfg in NVIDIA's form: some of its keys, 16 MiB of carve-out as shipped.
fn misc_cfg(sc7: u32) -> String {
    format!(
        "# Misc boot config of the stand-in BSP\ndisable_sc7 = {sc7};\n##### carve-outs #####\n\
         carveout.gsc[6].alignment = 0x00100000; # of another one\ncarveout.tzdram.size = 0x01000000; # 16 MiB\n\
         carveout.tzdram.alignment = 0x00100000; #1MB\ncarveout.tzdram.ecc_protected = 0;\n\
         cpu.clock_mode.max_avfs_mode = 0x2E;\n"
    )
}

/// The same of TX2: other keys, and no carve-out of Trusty.
fn misc_cfg_186() -> String {
    "# Misc boot config of the stand-in BSP\nenable_can_boot = 1;\nsw_carveout.mb2_carveout_size = 0x00400000;\n\
     sw_carveout.cpubl_params_carveout_size = 0x00500000;\nast.mb2_va = 0x52000000;\n"
        .into()
}

/// Partition, type, size and file, of the two halves of the eMMC.
const BOOT: [[&str; 4]; 12] = [
    ["BCT", "boot_config_table", "32768", ""],
    ["mb1", "mb1_bootloader", "262144", "MB1FILE"],
    ["mb1_b", "mb1_bootloader", "262144", "MB1FILE"],
    ["MB1_BCT", "mb1_boot_config_table", "65536", ""],
    ["MB1_BCT_b", "mb1_boot_config_table", "65536", ""],
    ["MEM_BCT", "mem_boot_config_table", "229376", ""],
    ["MEM_BCT_b", "mem_boot_config_table", "229376", ""],
    ["mb2", "mb2_bootloader", "262144", "MB2FILE"],
    ["mb2_b", "mb2_bootloader", "262144", "MB2FILE"],
    ["VER_b", "data", "65536", "VERFILE"],
    ["VER", "data", "65536", "VERFILE"],
    ["secondary_gpt", "secondary_gpt", "0xFFFFFFFFFFFFFFFF", ""],
];
const USER: [[&str; 4]; 21] = [
    ["master_boot_record", "protective_master_boot_record", "512", ""],
    ["primary_gpt", "primary_gpt", "19968", ""],
    ["APP", "data", "APPSIZE", "APPFILE"],
    ["cpu-bootloader", "bootloader_stage2", "524288", "CBOOTFILE"],
    ["cpu-bootloader_b", "bootloader_stage2", "524288", "CBOOTFILE"],
    ["secure-os", "tos", "2621440", "TOSFILE"],
    ["secure-os_b", "tos", "2621440", "TOSFILE"],
    ["eks", "eks", "262144", "EKSFILE"],
    ["eks_b", "eks", "262144", "EKSFILE"],
    ["bpmp-fw", "bpmp_fw", "1048576", "BPMPFILE"],
    ["bpmp-fw_b", "bpmp_fw", "1048576", "BPMPFILE"],
    ["bpmp-fw-dtb", "bpmp_fw_dtb", "1048576", "BPMPDTBFILE"],
    ["bpmp-fw-dtb_b", "bpmp_fw_dtb", "1048576", "BPMPDTBFILE"],
    ["sc7", "WB0", "65536", "SC7FILE"],
    ["sc7_b", "WB0", "65536", "SC7FILE"],
    ["kernel", "kernel", "83886080", "LNXFILE"],
    ["kernel_b", "kernel", "83886080", "LNXFILE"],
    ["kernel-dtb", "kernel_dtb", "524288", "DTBFILE"],
    ["kernel-dtb_b", "kernel_dtb", "524288", "DTBFILE"],
    ["UDA", "data", "", ""],
    ["secondary_gpt", "secondary_gpt", "0xFFFFFFFFFFFFFFFF", ""],
];

/// A layout for a device with the boot files and one with the root filesystem. A QSPI flash has all but kernel and root filesystem.
fn layout([boot, user]: [&str; 2], is_186: bool) -> String {
    let partition = |[name, kind, size, file]: &[&str; 4]| {
        let size = if size.is_empty() { String::new() } else { format!("<size> {size} </size>") };
        let file = if file.is_empty() { String::new() } else { format!("<filename> {file} </filename>") };
        // Of 0x808 a partition takes what is left.
        let bits = if size.is_empty() { "0x808" } else { "8" };
        format!(
            "        <partition name=\"{name}\" type=\"{kind}\">\n            {size}\n            {file}\n            \
             <allocation_attribute> {bits} </allocation_attribute>\n        </partition>\n"
        )
    };
    let device = |kind: &str, sectors: &str, rows: &[[&str; 4]]| {
        let rows: String = rows.iter().map(partition).collect();
        format!(
            "    <device type=\"{kind}\" instance=\"3\" sector_size=\"512\" num_sectors=\"{sectors}\">\n{rows}    </device>\n"
        )
    };
    let (mut first, mut second) = (BOOT.to_vec(), USER.to_vec());
    if is_186 {
        // Some of its names are filled in by flash.sh.
        for row in &mut second {
            row[0] = match row[0] {
                "secure-os" => "TOSNAME",
                "secure-os_b" => "TOSNAME_b",
                "kernel" => "LNXNAME",
                "kernel_b" => "LNXNAME_b",
                name => name,
            };
        }
        first.retain(|row| !row[0].starts_with("MEM_BCT"));
    }
    let sectors = if boot == "spi" { "65536" } else { "16384" };
    if boot == "spi" {
        let of_user = |row: &[&str; 4]| {
            ["master_boot_record", "primary_gpt", "APP", "UDA", "secondary_gpt"].contains(&row[0])
                || row[0].starts_with("kernel")
        };
        let moved: Vec<_> = second.iter().filter(|row| !of_user(row)).copied().collect();
        let end = first.len() - 1;
        first.splice(end..end, moved);
        second.retain(of_user);
    }
    format!(
        "<?xml version=\"1.0\"?>\n<partition_layout version=\"01.00.0000\">\n{}{}</partition_layout>\n",
        device(boot, sectors, &first),
        device(user, "EMMCSIZE", &second)
    )
}
