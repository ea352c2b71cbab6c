//! What is told of a file, for machines.

use super::rows::{BspConfig, Bup, CarveOutRead, DiskPartition, LayoutPartition, Minisign, OfSize};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use tegra_flash::BoardId;
use trusty_image::Soc;
use trusty_image::manifest::MapMem;
use trusty_ta_build::Declaration;
use uuid::Uuid;
use virt_device::{Installed, Trial};

/// What `inspect` tells of a file; of a bundle it is the manifest. `kind` says which of these it is. Sizes are bytes.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Found {
    /// A folder with NVIDIA's BSP.
    Bsp {
        /// Its release of L4T, if it says it.
        release: Option<String>,
        /// Whether nothing is missing that a build reads.
        whole: bool,
        /// What it has for each board of the workspace.
        boards: Vec<BspBoard>,
        /// Files that only a full flash needs, and that are not there.
        lacks: Vec<String>,
    },
    /// A secure-os image.
    SecureOs {
        /// The image.
        size: usize,
        /// The image with its signature header.
        signed_size: u64,
        /// The monitor in it.
        monitor: usize,
        /// The kernel with its trusted apps.
        os: usize,
        /// Whether it is encrypted: its trusted apps are then not listed.
        encrypted: bool,
        /// The trusted apps in it.
        trusted_apps: Vec<Listed>,
    },
    /// A secure-os image with OP-TEE, which carveout does not handle.
    OpTee(OfSize),
    /// Trusty's kernel without a container.
    Lk {
        /// The file.
        size: usize,
        /// The trusted apps in it.
        trusted_apps: Vec<Listed>,
    },
    /// Trusted apps one behind the other (`user_tasks.bin`).
    UserTasks {
        /// The file.
        size: usize,
        /// The trusted apps.
        trusted_apps: Vec<Listed>,
    },
    /// A trusted app that the kernel's loader takes.
    TrustedApp {
        /// Its identity.
        uuid: Uuid,
        /// Its name, if it is one of NVIDIA's.
        stock: Option<&'static str>,
        /// The file.
        size: usize,
        /// Its entry point.
        entry: u32,
        /// Memory of its image.
        image: u32,
        /// Its heap.
        heap: u32,
        /// Its stack.
        stack: u32,
        /// Device memory that it may map.
        map_mem: Vec<MapMem>,
    },
    /// An ELF file that is no trusted app.
    Elf {
        /// `e_machine` of its header.
        machine: u16,
        /// The file.
        size: usize,
    },
    /// A misc boot config.
    MiscCfg {
        /// The SoC that it is for.
        soc: Soc,
        /// All values by their keys.
        values: BTreeMap<String, u64>,
        /// What is odd about it.
        warnings: Vec<String>,
    },
    /// A boot config that has no carve-out.
    BootConfig {
        /// Of which family.
        family: &'static str,
        /// How many values it has.
        values: usize,
    },
    /// An MB1 BCT, what is generated of a boot config.
    Mb1Bct {
        /// The carve-out in it.
        tzdram: CarveOutRead,
    },
    /// A partition layout.
    Layout {
        /// Its partitions, of all devices.
        partitions: Vec<LayoutPartition>,
        /// Whether it does not say how large a sector is.
        sector_size_assumed: bool,
    },
    /// The disk image of a virt device.
    VirtDevice {
        /// The bundle that is active; none before the first flash has ended.
        active: Option<Installed>,
        /// The bundle that was active before.
        previous: Option<Installed>,
        /// The largest security version that has been active.
        security_version: u32,
        /// What an update has written and nobody has confirmed; none besides.
        trial: Option<Box<Trial>>,
        /// The bundle of the last update that was not confirmed, so that the device has gone back.
        gone_back_from: Option<String>,
        /// The carve-out of the boot config that is used.
        tzdram: Option<u64>,
        /// Its partitions.
        partitions: Vec<DiskPartition>,
    },
    /// A disk image with a partition table that is no virt device.
    Disk {
        /// The file.
        size: u64,
        /// Its partitions; none if the table cannot be read.
        partitions: Vec<DiskPartition>,
    },
    /// An EEPROM that is blank or damaged.
    #[serde(rename = "eeprom")]
    BadEeprom {
        /// Whether it is blank.
        blank: bool,
        /// What is wrong with it.
        error: String,
    },
    /// A module's EEPROM.
    Eeprom {
        /// Whether it is blank.
        blank: bool,
        /// NVIDIA's part number.
        part_number: String,
        /// The module's identity.
        module: BoardId,
    },
    /// An encrypted key blob.
    Ekb {
        /// The blob.
        size: usize,
        /// Whether its key is NVIDIA's default test key.
        nvidias_default: bool,
    },
    /// Firmware of the boot chain, without a header of signing tools.
    Firmware {
        /// What it is.
        name: &'static str,
        /// The partition that it goes to.
        partition: Option<&'static str>,
        /// The file.
        size: usize,
    },
    /// The backup of a partition table.
    GptBackup(OfSize),
    /// Slot metadata.
    Smd(OfSize),
    /// The boot ROM's BCT.
    BrBct(OfSize),
    /// A message for the boot ROM in recovery mode.
    Rcm(OfSize),
    /// A partition layout in NVIDIA's binary form.
    LayoutBin(OfSize),
    /// Pictures that the boot loader shows.
    BmpBlob {
        /// How many.
        entries: u32,
        /// The blob.
        size: u32,
    },
    /// A bootloader update payload.
    Bup(Bup),
    /// A file of one byte over and over.
    Blank {
        /// The byte.
        byte: u8,
        /// The file.
        size: usize,
    },
    /// Signed by NVIDIA alone.
    NvidiaSigned {
        /// Four letters that name the content, if they are known.
        content_kind: Option<String>,
        /// What is behind the header.
        size: usize,
    },
    /// Signed for t194 by NVIDIA's tools.
    Signed {
        /// Four letters that name the content.
        content_kind: String,
        /// What is behind the header.
        size: usize,
        /// Whether its checksum is that of the content; it is not in an encrypted file.
        checksum_holds: bool,
        /// What is behind the header, if that can be told.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schema", schemars(with = "Option<Box<Found>>"))]
        content: Option<Value>,
    },
    /// Signed for t186 by NVIDIA's tools.
    #[serde(rename = "signed-t186")]
    SignedT186 {
        /// What is behind the header.
        size: usize,
        /// Whether its checksum is that of the content; null where it was signed with keys.
        checksum_holds: Option<bool>,
        /// What is behind the header, if that can be told.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schema", schemars(with = "Option<Box<Found>>"))]
        content: Option<Value>,
    },
    /// An ext4 filesystem that is damaged.
    #[serde(rename = "ext4")]
    BadExt4 {
        /// The file.
        file_size: u64,
        /// What is wrong with it.
        error: String,
    },
    /// An ext4 filesystem.
    #[serde(rename = "ext4")]
    Ext4 {
        /// The filesystem.
        size: u64,
        /// The file.
        file_size: u64,
        /// Its label.
        label: String,
        /// What its user should know of its state, if anything.
        state: Option<&'static str>,
    },
    /// An Android sparse image.
    Sparse {
        /// The file.
        size: u64,
        /// What it unpacks to.
        raw_size: u64,
    },
    /// Android's boot image: kernel, ramdisk and command line.
    BootImage {
        /// The file.
        size: u64,
        /// The kernel.
        kernel: u32,
        /// The ramdisk.
        ramdisk: u32,
        /// The kernel's command line.
        command_line: String,
    },
    /// A device tree.
    DeviceTree {
        /// What it says of its size.
        size: u32,
        /// `model` and `compatible` of its root.
        root: BTreeMap<&'static str, String>,
    },
    /// A file that is known by its first bytes.
    Other {
        /// What it is.
        what: &'static str,
        /// The file.
        size: u64,
    },
    /// A text that is known by a line of it.
    Text {
        /// What it is.
        what: &'static str,
        /// The file.
        size: usize,
    },
    /// What a trusted app declares in its Cargo.toml.
    Declaration {
        /// The declaration.
        declaration: Declaration,
    },
    /// A public key of minisign.
    MinisignPublic(Minisign),
    /// A signature of minisign.
    MinisignSignature(Minisign),
    /// A secret key of minisign.
    MinisignSecret(Minisign),
    /// Checksums as sha256sum writes them.
    Sha256sums {
        /// How many files they are of.
        files: usize,
    },
    /// A PEM file.
    Pem {
        /// What its first block is.
        label: String,
        /// Whether that is a private key.
        secret: bool,
    },
    /// A script.
    Script {
        /// The program that runs it.
        program: String,
        /// The file.
        size: usize,
    },
}

/// A trusted app in a file with several.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Listed {
    /// As `trusted-app`.
    Sound(Box<Found>),
    /// One that the kernel's loader would not take.
    Refused {
        /// Why not.
        findings: Vec<String>,
    },
}

/// What a BSP has for a board.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BspBoard {
    /// The board.
    pub board: String,
    /// Its misc boot configs.
    pub boot_config: Vec<BspConfig>,
    /// Whether cold boot and flashing have different carve-outs.
    pub carve_outs_differ: bool,
    /// NVIDIA's secure-os image, as `inspect` tells of it; none if it is missing or damaged.
    #[cfg_attr(feature = "schema", schemars(with = "Option<Found>"))]
    pub secure_os: Value,
    /// Files that a build for the board reads, and that are not there.
    pub lacks: Vec<String>,
}
