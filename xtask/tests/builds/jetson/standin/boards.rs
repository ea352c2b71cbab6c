//! What the stand-in BSP has for each board: NVIDIA's names, with which its board files lead to them.

use super::{BCT, Bsp, layout, misc_cfg, misc_cfg_186};

/// A board: its `*.conf`, and where its boot files lie.
struct Board {
    /// NVIDIA's name.
    name: &'static str,
    /// The file that its own reads.
    common: &'static str,
    /// Its layout.
    layout: &'static str,
    /// Its misc cfgs: of the cold boot and of flashing; t186 has one for both.
    cfgs: [&'static str; 2],
    /// Device tree of the kernel and the BPMP's.
    trees: [&'static str; 2],
    /// The file with the version.
    version: &'static str,
    /// Devices of the layout.
    devices: [&'static str; 2],
}

const L4T: &str = "tegra194-mb1-bct-misc-l4t.cfg";
const FLASH: &str = "tegra194-mb1-bct-misc-flash.cfg";
const NX_TREES: [&str; 2] = ["tegra194-p3668-all-p3509-0000.dtb", "tegra194-a02-bpmp-p3668-a00.dtb"];
const QSPI: &str = "qspi_bootblob_ver.txt";

const TX2: &str = "tegra186-mb1-bct-misc-si-l4t.cfg";
const STORM: &str = "tegra186-mb1-bct-misc-si-l4t-storm.cfg";
const QUILL: [&str; 2] =
    ["tegra186-quill-p3310-1000-c03-00-base.dtb", "tegra186-a02-bpmp-quill-p3310-1000-c04-00.dtb"];

/// A board with t186.
const fn tx2(name: &'static str, cfg: &'static str) -> Board {
    Board {
        name,
        common: "p2771-0000.conf.common",
        layout: "flash_l4t_t186.xml",
        cfgs: ["", cfg],
        trees: QUILL,
        version: "emmc_bootblob_ver.txt",
        devices: ["sdmmc_boot", "sdmmc_user"],
    }
}

const BOARDS: [Board; 8] = [
    tx2("jetson-tx2-devkit", TX2),
    tx2("jetson-tx2-devkit-tx2i", STORM),
    tx2("jetson-tx2-devkit-4gb", TX2),
    tx2("jetson-xavier-nx-devkit-tx2-nx", TX2),
    Board {
        name: "jetson-agx-xavier-devkit",
        common: "p2972-0000.conf.common",
        layout: "flash_t194_sdmmc.xml",
        cfgs: [L4T, FLASH],
        trees: ["tegra194-p2888-0001-p2822-0000.dtb", "tegra194-a02-bpmp-p2888-a04.dtb"],
        version: "emmc_bootblob_ver.txt",
        devices: ["sdmmc_boot", "sdmmc_user"],
    },
    Board {
        name: "jetson-agx-xavier-industrial",
        common: "p2972-0000.conf.common",
        layout: "flash_l4t_t194_spi_emmc_jaxi.xml",
        cfgs: ["tegra194-mb1-bct-misc-l4t-jaxi.cfg", "tegra194-mb1-bct-misc-flash-jaxi.cfg"],
        trees: ["tegra194-p2888-0008-p2822-0000.dtb", "tegra194-a02-bpmp-p2888-0008-b01-jaxi.dtb"],
        version: QSPI,
        devices: ["spi", "sdmmc_user"],
    },
    Board {
        name: "jetson-xavier-nx-devkit-emmc",
        common: "p3668.conf.common",
        layout: "flash_l4t_t194_spi_emmc_p3668.xml",
        cfgs: [L4T, FLASH],
        trees: NX_TREES,
        version: QSPI,
        devices: ["spi", "sdmmc_user"],
    },
    Board {
        name: "jetson-xavier-nx-devkit",
        common: "p3668.conf.common",
        layout: "flash_l4t_t194_spi_sd_p3668.xml",
        cfgs: ["tegra194-mb1-bct-misc-sd-l4t.cfg", FLASH],
        trees: NX_TREES,
        version: QSPI,
        devices: ["spi", "sdcard"],
    },
];

/// What all of them have.
const COMMON: &str = "\
CHIPID=0x19;
target_board=t186ref;
EMMCSIZE=31276924928;
TOSFILE=\"bootloader/tos_t194.img\";
TEGRABOOT=\"bootloader/nvtboot_t194.bin\";
WB0BOOT=\"bootloader/warmboot_t194_dev.bin\";
FLASHER=\"bootloader/nvtboot_recovery_cpu_t194.bin\";
TBCFILE=\"bootloader/cboot_t194.bin\";
BPFFILE=\"bootloader/bpmp_t194.bin\";
EKSFILE=\"bootloader/eks.img\";
MB1FILE=\"bootloader/mb1_t194_dev.bin\";
MB2BLFILE=\"bootloader/nvtboot_recovery_t194.bin\";
MB2APPLET=\"nvtboot_applet_t194.bin\"
SOFT_FUSES=\"tegra194-mb1-soft-fuses-l4t.cfg\";
process_fuse_level() {
\tif [ \"$1\" = fuselevel_production ]; then MB1FILE=${MB1FILE/_dev/_prod}; WB0BOOT=${WB0BOOT/_dev/_prod}; fi;
}
";

/// Of t186: other parts, U-Boot, and no boot loader of its own that reads an EEPROM.
const COMMON_186: &str = "\
CHIPID=0x18;
USE_UBOOT=1;
target_board=t186ref;
EMMCSIZE=31276924928;
TOSFILE=\"bootloader/tos.img\";
TEGRABOOT=\"bootloader/nvtboot.bin\";
WB0BOOT=\"bootloader/warmboot.bin\";
FLASHER=\"bootloader/nvtboot_recovery_cpu.bin\";
TBCFILE=\"bootloader/cboot.bin\";
BPFFILE=\"bootloader/bpmp.bin\";
EKSFILE=\"bootloader/eks.img\";
MB1FILE=\"bootloader/mb1_prod.bin\";
SOSFILE=\"bootloader/mb1_recovery_prod.bin\";
MB2BLFILE=\"bootloader/nvtboot_recovery.bin\";
";

/// Writes them.
pub fn write(bsp: &Bsp) {
    for board in &BOARDS {
        let [cold_boot, flash] = board.cfgs;
        let is_186 = cold_boot.is_empty();
        bsp.put(board.common, if is_186 { COMMON_186 } else { COMMON });
        let [kernel, bpmp] = board.trees;
        let (name, common, layout_name, version) = (board.name, board.common, board.layout, board.version);
        bsp.put(
            &format!("{name}.conf"),
            format!(
                "# A comment.\nsource \"${{LDK_DIR}}/{common}\";\nEMMC_CFG={layout_name};\nMISC_CONFIG=\"{flash}\";\n\
                 MISC_COLD_BOOT_CONFIG=\"{cold_boot}\";\nDTB_FILE={kernel};\nBPFDTB_FILE={bpmp};\nVERFILENAME=\"{version}\";\n"
            ),
        );
        // Of the cold boot and of flashing differ in more than their names.
        if is_186 {
            bsp.put(&format!("{BCT}/{flash}"), misc_cfg_186());
        } else {
            bsp.put(&format!("{BCT}/{cold_boot}"), misc_cfg(1));
            bsp.put(&format!("{BCT}/{flash}"), misc_cfg(0));
        }
        bsp.put(&format!("bootloader/t186ref/cfg/{layout_name}"), layout(board.devices, is_186));
        bsp.put(&format!("kernel/dtb/{kernel}"), format!("stands for {kernel}\n"));
        bsp.put(&format!("bootloader/t186ref/{bpmp}"), format!("stands for {bpmp}\n"));
    }
}
