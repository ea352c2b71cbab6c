//! The virt board's device: a disk image with a GPT (UEFI 2.10, chapter 5), two slots of each part, and a note of which
//! slots are active.
//!
//! ```text
//! MB1_BCT  MB1_BCT_b     the boot config with the carve-out
//! secure-os  secure-os_b the secure-os image
//! APP  APP_b             the root filesystem
//! UDA                    two copies of the flash state, see [`FlashState`]
//! ```
//!
//! What is active is never written to. New contents go to the other slot, are synced, read back and compared; only then does
//! one write of the state make them active. Whenever the power goes, the device has the old contents or the new ones, whole.
//! The old ones stay where they are: to roll back is another write of the state.

mod behind;
mod device;
mod disk;
mod error;
mod limits;
mod part;
mod state;
mod table;
#[cfg(test)]
mod tests;

pub use device::Device;
pub use disk::Disk;
pub use error::DeviceError;
pub use limits::{FORMAT, MAX_DEVICE, MAX_ENTRIES, MAX_NUMBER};
pub use part::{DevicePart, PARTS, STATE, Slot};
pub use state::{FlashState, Installed, Placed, Trial};
pub use table::{Space, needed, read as read_table};
