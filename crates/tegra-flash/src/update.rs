//! What of a board's boot chain a bootloader update payload has, and for which modules a part of it is.
//!
//! By `l4t_bup_gen.func` and `l4t_generate_soc_bup.sh` of L4T R32.7.2: NVIDIA's order, operations and specs. Left out is what NVIDIA's
//! own payloads for Xavier have besides: `eks`, which would take the place of a device's keys, unless that is asked for; and kernel and
//! kernel-dtb, which belong to the root filesystem.

use trusty_image::Soc;

/// A part of an update payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpdatePart {
    /// The partition that it is written to, without a slot.
    pub partition: &'static str,
    /// When it is written: 0 always, 2 on boards as they are sold (their fuse says that they are no prototypes).
    pub operation: u32,
    /// Whether each module has its own; else all have the same.
    pub of_module: bool,
}

const fn common(partition: &'static str, operation: u32) -> UpdatePart {
    UpdatePart { partition, operation, of_module: false }
}

const fn own(partition: &'static str, operation: u32) -> UpdatePart {
    UpdatePart { partition, operation, of_module: true }
}

/// All parts of a payload for an SoC, in NVIDIA's order.
pub fn update_parts(soc: Soc) -> &'static [UpdatePart] {
    match soc {
        Soc::T194 => &T194,
        Soc::T186 => &T186,
    }
}

const T186: [UpdatePart; 16] = [
    common("bpmp-fw", 0),
    common("sce-fw", 0),
    common("cpu-bootloader", 0),
    common("mb2", 0),
    common("spe-fw", 0),
    common("adsp-fw", 0),
    common("secure-os", 0),
    common("mb1", 2),
    common("mts-bootpack", 2),
    common("mts-preboot", 2),
    common("sc7", 2),
    own("bpmp-fw-dtb", 0),
    own("bootloader-dtb", 0),
    own("VER", 0),
    own("BCT", 0),
    own("MB1_BCT", 0),
];
const T194: [UpdatePart; 19] = [
    common("spe-fw", 0),
    common("mb2", 0),
    common("cpu-bootloader", 0),
    common("secure-os", 0),
    common("bpmp-fw", 0),
    common(EKS, 0),
    common("adsp-fw", 0),
    common("rce-fw", 0),
    common("mts-preboot", 2),
    common("mts-mce", 2),
    common("mts-proper", 2),
    common("sc7", 2),
    own("bpmp-fw-dtb", 0),
    own("bootloader-dtb", 0),
    own("VER", 0),
    own("mb1", 2),
    own("BCT", 2),
    own("MB1_BCT", 0),
    own("MEM_BCT", 0),
];

/// The part that is left out unless it is asked for. NVIDIA's payloads for t186 have none.
pub const EKS: &str = "eks";

/// The version of the payloads' format that L4T R32.7 writes: 2.1, of June 2021.
pub const PAYLOAD_VERSION: u32 = 0x0102_0621;

/// The version of a payload's parts: the release's numbers, read as one hexadecimal number; 0x3272 of R32.7.2.
pub fn part_version(release: &str) -> Option<u32> {
    let digits: String = release.trim_start_matches('R').split('.').collect();
    u32::from_str_radix(&digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_the_releases() {
        assert_eq!(part_version("R32.7.2"), Some(0x3272));
        assert_eq!(part_version("32.7.6"), Some(0x3276));
        assert_eq!(part_version("x"), None);
    }
}
