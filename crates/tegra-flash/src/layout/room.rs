//! Whether all partitions of a device fit onto it, as NVIDIA's `tegraparser_v2` finds out late.

use super::devices::{Device, Layout, Partition, Size};
use crate::slots::APP;

/// What flash.sh of L4T R32.7.2 puts in for sizes that the layout leaves to it (lines 2135, 2200 and 2201).
const DEFAULTS: [(&str, u64); 3] =
    [("LNXSIZE", 83_886_080), ("RECSIZE", 66_060_288), ("RECROOTFSSIZE", 314_572_800)];
/// Sectors of the partition table at a device's end.
const TABLE: u64 = 33;
/// APP begins and ends at a multiple of this.
const ALIGNMENT: u64 = 4096;

/// A device that is too small for its partitions, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TooSmall {
    /// `sdmmc_user`, …
    pub device: String,
    /// What the device has, by the layout.
    pub size: u64,
    /// What all partitions but APP take, the partition tables included.
    pub others: u64,
    /// The largest APP that there is room for, if APP is on this device.
    pub app: Option<u64>,
}

impl Layout {
    /// The first device that is too small, if APP has so many bytes. Sizes that neither the layout nor flash.sh's defaults tell count
    /// as 0; a device whose size the layout leaves open is not judged.
    pub fn too_small(&self, app: u64) -> Option<TooSmall> {
        self.devices.iter().find_map(|device| device.too_small(app))
    }
}

impl Device {
    fn too_small(&self, app: u64) -> Option<TooSmall> {
        let size = self.sectors.number()?.checked_mul(self.sector_size)?;
        let bytes = |size: &Size| match size {
            Size::Number(bytes) => *bytes,
            Size::Placeholder(name) => {
                DEFAULTS.iter().find(|(known, _)| known == name).map_or(0, |(_, bytes)| *bytes)
            }
            Size::Rest => 0,
        };
        let is_app = |partition: &&Partition| APP.contains(&partition.name.as_str());
        let others = self.partitions.iter().filter(|partition| !is_app(partition));
        let others = others.fold(0_u64, |sum, partition| sum.saturating_add(bytes(&partition.size)));
        let others = others.saturating_add(TABLE.saturating_mul(self.sector_size));
        // With rootfs A/B there are two of one size.
        let apps = self.partitions.iter().filter(is_app).count() as u64;
        let most = size.saturating_sub(others).checked_div(apps).map(|most| most / ALIGNMENT * ALIGNMENT);
        let fits = others <= size && most.is_none_or(|most| app <= most);
        let device = self.kind.clone();
        (!fits).then_some(TooSmall { device, size, others, app: most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(sectors: &str, rest: &str) -> Layout {
        let text = format!(
            "<partition_layout><device type='sdmmc_user' sector_size='512' num_sectors='{sectors}'>\
             <partition name='primary_gpt' type='x'><size> 20480 </size></partition>\
             <partition name='APP' type='data'><size> APPSIZE </size></partition>{rest}\
             <partition name='UDA' type='data'><allocation_attribute> 0x808 </allocation_attribute></partition>\
             </device></partition_layout>"
        );
        Layout::parse(&text).unwrap()
    }

    /// Figures of flash_t194_sdmmc.xml of L4T R32.7.2, tried with its tegraparser_v2: 30405185536 bytes pass, 4096 more do not.
    #[test]
    fn the_largest_app_is_the_one_that_nvidias_tool_takes() {
        let kernel = "<partition name='kernel' type='x'><size> LNXSIZE </size></partition>\
             <partition name='rest' type='x'><size> 783618048 </size></partition>";
        let layout = layout("61079552", kernel);
        assert_eq!(layout.too_small(30_405_185_536), None);
        let found = layout.too_small(30_405_189_632).unwrap();
        assert_eq!((found.size, found.app), (31_272_730_624, Some(30_405_185_536)));
        assert_eq!(found.device, "sdmmc_user");
    }

    #[test]
    fn a_device_is_judged_if_its_size_is_known() {
        assert_eq!(layout("EMMCSIZE", "").too_small(u64::MAX), None);
        let rest = "<partition name='a' type='x'><size> 0x7fffffffffffffff </size></partition>";
        let found = layout("100", rest).too_small(0).unwrap();
        assert_eq!((found.size, found.app), (51_200, Some(0)));
        assert!(layout("18446744073709551614", rest).too_small(0).is_none(), "more than can be counted");
    }
}
