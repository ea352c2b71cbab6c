//! What is booted: the kernel of a secure-os image, in a flash image with the firmware.

use crate::device_keys::DeviceKeys;
use crate::errors::ImageError;
use carveout_host::error::Result;
use desk_firmware::boot::{BootBlock, words};
use desk_firmware::map;
use std::path::Path;
use trusty_image::limits::MONITOR;
use trusty_image::{Container, Tzdram, budget};

/// First bytes of an ELF file: of a trusted app, where there is no kernel.
const ELF: &[u8] = b"\x7fELF";

/// A kernel and the memory it gets.
pub struct BootImage {
    /// lk.bin, trusted apps included.
    pub kernel: Vec<u8>,
    /// The carve-out.
    pub tzdram: Tzdram,
    /// Trusty's share of it: without the monitor's.
    pub share: u64,
}

/// Whether an image has a kernel that QEMU could boot.
pub fn has_kernel(image: &[u8]) -> bool {
    match Container::parse(image) {
        Ok(container) => container.encrypted || !container.os.starts_with(ELF),
        Err(_) => !image.starts_with(ELF),
    }
}

impl BootImage {
    /// Of a secure-os image or an lk.bin, in a carve-out. `name` is for errors.
    pub fn new(name: &str, image: &[u8], tzdram: Tzdram) -> Result<Self> {
        let name = name.to_owned();
        let (kernel, has_monitor) = if image.starts_with(b"NVTOSP") {
            let container = match Container::parse(image) {
                Ok(container) => container,
                Err(error) => return Err(ImageError::BadContainer { name, source: error.into() }.into()),
            };
            if container.encrypted {
                return Err(ImageError::Encrypted { name }.into());
            }
            (container.os.to_vec(), !container.monitor.is_empty())
        } else {
            (image.to_vec(), true)
        };
        if kernel.is_empty() {
            return Err(ImageError::OnlyMonitor { name }.into());
        }
        if kernel.starts_with(ELF) {
            return Err(ImageError::OnlyTrustedApps { name }.into());
        }
        // As on a board: see limits::MONITOR.
        if has_monitor && let Err(error) = budget::check_os(kernel.len() as u64, tzdram) {
            return Err(ImageError::TooLargeForMb2 { name, source: error.into() }.into());
        }
        let share = tzdram.size() - if has_monitor { MONITOR } else { 0 };
        if kernel.len() as u64 > share {
            return Err(ImageError::KernelTooLarge { name, kernel: kernel.len() as u64, room: share }.into());
        }
        Ok(Self { kernel, tzdram, share })
    }

    /// Bytes of DRAM that QEMU's machine has: it ends where the carve-out does, on a whole MiB.
    pub fn dram(&self) -> u64 {
        (map::TZDRAM - map::DRAM + self.share).next_multiple_of(1 << 20)
    }

    /// Writes the flash image, for a device with these keys.
    pub fn write(&self, monitor: &[u8], agent: &[u8], keys: &DeviceKeys, to: &Path) -> Result<()> {
        let page = |length: usize| (length as u64).next_multiple_of(map::PAGE);
        if monitor.len() as u64 > map::BOOT_BLOCK {
            let length = monitor.len();
            return Err(ImageError::MonitorTooLarge { length, room: map::BOOT_BLOCK }.into());
        }
        let kernel = map::BOOT_BLOCK + map::PAGE;
        let after_kernel = kernel + page(self.kernel.len());
        let block = BootBlock {
            kernel,
            kernel_size: self.kernel.len() as u64,
            agent: after_kernel,
            agent_size: agent.len() as u64,
            tzdram_size: self.share,
            ekb: after_kernel + page(agent.len()),
            ekb_size: keys.ekb.len() as u64,
            kek2: words(keys.kek2.bytes()),
            ssk: words(keys.ssk.bytes()),
            ecid: words(&keys.ecid.to_le_bytes()),
        };
        let bytes = block.to_bytes();
        if BootBlock::parse(&bytes) != Some(block) {
            return Err(ImageError::BadBootBlock { block: format!("{block:?}") }.into());
        }
        let mut flash = Vec::new();
        for (offset, part) in [
            (0, monitor),
            (map::BOOT_BLOCK, &bytes),
            (block.kernel, &self.kernel),
            (block.agent, agent),
            (block.ekb, &keys.ekb),
        ] {
            flash.resize(usize::try_from(offset).unwrap_or(usize::MAX), 0);
            flash.extend_from_slice(part);
        }
        // The monitor copies whole words.
        flash.resize(flash.len().next_multiple_of(map::PAGE as usize), 0);
        carveout_host::files::put(to, flash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device_keys::KeysRequest;
    use carveout_host::error::Exit;
    use carveout_host::ui::{Ui, Verbosity};
    use trusty_image::TosType;

    const MIB: u64 = 1 << 20;

    fn tzdram(mib: u64) -> Tzdram {
        Tzdram::of_size(mib * MIB).unwrap()
    }

    #[test]
    fn a_kernel_gets_the_carve_out_less_the_monitors_share() {
        let tos = Container::pack(&[1; 64], &[2; 4096], TosType::Trusty).unwrap();
        let image = BootImage::new("x", &tos, tzdram(32)).unwrap();
        assert_eq!((image.share, image.dram()), (32 * MIB - (256 << 10), 288 * MIB));
        let without = Container::pack(&[], &[2; 4096], TosType::Trusty).unwrap();
        assert_eq!(BootImage::new("x", &without, tzdram(32)).unwrap().share, 32 * MIB);
        assert!(has_kernel(&tos) && !has_kernel(ELF));
    }

    #[test]
    fn what_cannot_boot_is_refused_with_its_reason() {
        let tos = Container::pack(&[1; 64], &[2; 900 << 10], TosType::Trusty).unwrap();
        let mut encrypted = tos.clone();
        encrypted[32..36].copy_from_slice(&0x45u32.to_le_bytes());
        let apps = Container::pack(&[], ELF, TosType::Trusty).unwrap();
        let alone = Container::pack(&[1; 64], &[], TosType::Trusty).unwrap();
        for (image, mib, exit, expected) in [
            (&tos[..tos.len() / 2], 32, Exit::Check, "x: "),
            (&encrypted, 32, Exit::Check, "is encrypted"),
            (&apps, 32, Exit::Check, "has no kernel, only trusted apps"),
            (&alone, 32, Exit::Check, "has no kernel, only a monitor"),
            (&tos, 1, Exit::Check, "carve-out"),
        ] {
            let error = BootImage::new("x", image, tzdram(mib)).err().unwrap();
            assert!(error.to_string().contains(expected), "{expected}: {error}");
            assert_eq!(error.exit, exit, "{expected}");
        }
    }

    #[test]
    fn a_flash_image_says_where_its_parts_are() {
        let dir = tempfile::tempdir().unwrap();
        let to = dir.path().join("flash");
        let image = BootImage { kernel: vec![7; 5000], tzdram: tzdram(2), share: 2 * MIB };
        let keys = DeviceKeys::new(&KeysRequest::default(), &Ui::new(Verbosity::Quiet)).unwrap();
        image.write(&[1; 100], &[9; 4096], &keys, &to).unwrap();
        let flash = std::fs::read(&to).unwrap();
        let at = map::BOOT_BLOCK as usize;
        let block = BootBlock::parse(flash[at..].first_chunk().unwrap()).unwrap();
        assert_eq!(flash[block.kernel as usize..][..5000], [7; 5000]);
        assert_eq!(flash[block.agent as usize..][..4096], [9; 4096]);
        assert_eq!(flash[block.ekb as usize..][..block.ekb_size as usize], keys.ekb);
        assert_eq!(block.kek2, [0; 4]);
        assert!(image.write(&[1; 200_000], &[9; 8], &keys, &to).is_err(), "no room for the monitor");
    }
}
