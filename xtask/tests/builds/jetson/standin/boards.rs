//! What the stand-in BSP has for each board: NVIDIA's names, with which its board files lead to them.

use super::{BCT, Bsp, layout, misc_cfg};

/// A board: its `*.conf`, and where its boot files lie.
struct Board {
    /// NVIDIA's name.
    name: &'static str,
    /// The file that its own reads.
    common: &'static str,
    /// Its layout.
    layout: &'static str,
    /// Its misc cfgs: of the cold boot and of flashing.
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

const BOARDS: [Board; 4] = [
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

/// Writes them.
pub fn write(bsp: &Bsp) {
    for board in &BOARDS {
        bsp.put(board.common, COMMON);
        let [cold_boot, flash] = board.cfgs;
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
        bsp.put(&format!("{BCT}/{cold_boot}"), misc_cfg(1));
        bsp.put(&format!("{BCT}/{flash}"), misc_cfg(0));
        bsp.put(&format!("bootloader/t186ref/cfg/{layout_name}"), layout(board.devices));
        bsp.put(&format!("kernel/dtb/{kernel}"), format!("stands for {kernel}\n"));
        bsp.put(&format!("bootloader/t186ref/{bpmp}"), format!("stands for {bpmp}\n"));
    }
}
