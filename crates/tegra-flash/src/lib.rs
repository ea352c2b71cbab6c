//! Partition layouts of NVIDIA's Tegra flash tools, and what a change needs to be flashed. No I/O.
//!
//! * [`blob`]: what the recovery loader gets while a board is flashed.
//! * [`board`]: identities of modules.
//! * [`boot_areas`]: partitions of the boot areas, by the GPT at their end.
//! * [`boot_image`]: kernel and initrd in one file.
//! * [`chip`]: what the boot ROM says of chip and fuses.
//! * [`eeprom`]: what a module's EEPROM says.
//! * [`ekb`]: the encrypted key blob of the partition `eks`.
//! * [`filesystem`]: what a file is that is given as a root filesystem.
//! * [`fits`]: which modules take the same boot files.
//! * [`firmware`]: NVIDIA's unsigned boot parts, told by their content.
//! * [`guids`]: partition GUIDs, so that NVIDIA's tools make up none.
//! * [`layout`]: the `flash_t194_*.xml` partition layout, and where its partitions lie.
//! * [`parted`]: a layout without one of its devices.
//! * [`payload`]: the update payload that a running device writes to the slot that is not active.
//! * [`scope`]: which change needs which flash: app, secure-os, full.
//! * [`slot_metadata`]: which boot slot a board boots.
//! * [`slots`]: names of the partitions that a bundle's own files go to.
//! * [`sparse`]: Android sparse images, the form in which NVIDIA's tools take root filesystems.
//! * [`update`]: what such a payload has, and of which modules.
#![warn(clippy::indexing_slicing)]

pub mod blob;
pub mod board;
pub mod boot_areas;
pub mod boot_image;
pub mod chip;
pub mod eeprom;
pub mod ekb;
pub mod filesystem;
pub mod firmware;
pub mod fits;
pub mod guids;
pub mod layout;
pub mod parted;
pub mod payload;
pub mod scope;
pub mod slot_metadata;
pub mod slots;
pub mod sparse;
pub mod update;

pub use board::{BoardError, BoardId};
pub use chip::{ChipError, ChipId, Fuses};
pub use eeprom::{Eeprom, EepromError};
pub use ekb::Ekb;
pub use fits::{Fits, Span, SpanError};
pub use layout::{Device, Layout, LayoutError, Partition, Place, PlaceError, Size, TooSmall};
pub use scope::Scope;
