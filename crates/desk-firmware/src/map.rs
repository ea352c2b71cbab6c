//! Physical addresses: QEMU's `virt` machine, what of it we use, and Tegra194's devices that Trusty expects.

/// Flash, where the CPU starts: the monitor, and from [`BOOT_BLOCK`] what else is booted.
pub const FLASH: u64 = 0;
/// Bytes of the flash (QEMU's).
pub const FLASH_SIZE: u64 = 64 << 20;
/// The boot block, in flash.
pub const BOOT_BLOCK: u64 = 0x20000;
/// Secure RAM (16 MiB, QEMU's): the monitor's own.
pub const SECURE_RAM: u64 = 0x0e00_0000;

/// The machine's interrupt controller (GICv2): distributor.
pub const GICD: u64 = 0x0800_0000;
/// CPU interface.
pub const GICC: u64 = 0x0801_0000;
/// The second 4 KiB of the CPU interface.
pub const GICC_DIR: u64 = 0x0801_1000;
/// Serial port 0 (PL011): the console of Trusty and its trusted apps.
pub const UART_CONSOLE: u64 = 0x0900_0000;
/// Serial port 1, secure (PL011): the monitor's own lines.
pub const UART_MONITOR: u64 = 0x0904_0000;
/// virtio-mmio transports.
pub const VIRTIO: u64 = 0x0a00_0000;
/// Bytes of one of them.
pub const VIRTIO_STRIDE: u64 = 0x200;
/// How many there are.
pub const VIRTIO_COUNT: u64 = 32;
/// Interrupt of the first: shared interrupt 16.
pub const VIRTIO_INTERRUPT: u32 = 48;

/// DRAM. Below [`TZDRAM`] it is non-secure.
pub const DRAM: u64 = 0x4000_0000;
/// Boot parameters for Trusty and the keys of the EKB behind them, in non-secure memory as on a board.
pub const BOOT_PARAMS: u64 = 0x4010_0000;
/// Bytes of the boot parameters (`boot_params_t` of Trusty's sources); behind them u32 size of what follows, and the EKB from its CMAC on.
pub const BOOT_PARAMS_SIZE: u64 = 144;
/// The non-secure stage-2 tables: the walk is non-secure, so they must be.
pub const NS_TABLES: u64 = 0x4018_0000;
/// The agent.
pub const AGENT: u64 = 0x4020_0000;
/// Where the agent's memory ends.
pub const AGENT_END: u64 = 0x4040_0000;
/// Trusty's share of the TZDRAM carve-out begins here and goes on to the end of DRAM. On a board it is elsewhere; the kernel
/// finds its place itself.
pub const TZDRAM: u64 = 0x5000_0000;

/// Fuses of Tegra194 and Tegra186.
pub const TEGRA_FUSE: u64 = 0x0382_0000;
/// Where they end.
pub const TEGRA_FUSE_END: u64 = 0x0383_0000;
/// Their security engine: what is Trusty's of it.
pub const TEGRA_SE: u64 = 0x03ac_0000;
/// Where that ends.
pub const TEGRA_SE_END: u64 = 0x03ac_2000;
/// Interrupt controller of Tegra194: distributor.
pub const TEGRA_GICD: u64 = 0x0388_1000;
/// CPU interface.
pub const TEGRA_GICC: u64 = 0x0388_2000;
/// The second 4 KiB of the CPU interface.
pub const TEGRA_GICC_DIR: u64 = 0x0388_3000;
/// Trusty's mailbox of the combined UART.
pub const TEGRA_COMBINED_UART: u64 = 0x0c19_8000;

/// Bytes of a page.
pub const PAGE: u64 = 4096;
