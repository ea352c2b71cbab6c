//! What a layout holds: devices with their partitions.

/// A size as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Size {
    /// Bytes (or sectors, for a device).
    Number(u64),
    /// A name that the flash script replaces.
    Placeholder(String),
    /// All that is left on the device: no size at all (`UDA`), or the largest number (`secondary_gpt`).
    Rest,
}

impl Size {
    /// The number, if it is one.
    pub fn number(&self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Placeholder(_) | Self::Rest => None,
        }
    }
}

/// One partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its name, e.g. `secure-os_b`.
    pub name: String,
    /// Its type, e.g. `tos`.
    pub kind: String,
    /// Its size in bytes.
    pub size: Size,
    /// The file that is written to it.
    pub file: Option<String>,
    /// Its number in the partition table, if it has one of its own.
    pub id: Option<u32>,
    /// It begins at a multiple of so many bytes.
    pub boundary: Option<u64>,
    /// Its identity in the partition table, as written.
    pub guid: Option<String>,
    /// 1-based line in the XML.
    pub line: u32,
}

/// One storage device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// `sdmmc_boot`, `sdmmc_user`, …
    pub kind: String,
    /// Bytes a sector: 512 if the layout does not say.
    pub sector_size: u64,
    /// Whether the layout does not say how large a sector is, as those of balena, Mender and older L4T do not.
    pub sector_size_assumed: bool,
    /// Number of sectors; [`Size::Rest`] if the layout does not say: all that the device has.
    pub sectors: Size,
    /// In the order of the file.
    pub partitions: Vec<Partition>,
}

/// A partition layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// In the order of the file.
    pub devices: Vec<Device>,
}
