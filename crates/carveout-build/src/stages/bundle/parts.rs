//! What bundles are made of.

use crate::apps::Apps;
use bundle::{DeskBoot, LinuxBooted};
use carveout_vendor::bsp::Bsp;
use stage_cache::Output;
use trusty_image::Plan;

/// What goes into a bundle.
pub struct BundleParts {
    /// The trusted apps.
    pub apps: Apps,
    /// The secure-os image.
    pub secure_os: Output,
    /// The plan of both.
    pub plan: Plan,
    /// Boot config and layout.
    pub boot_config: Output,
    /// The client apps.
    pub client_apps: Output,
    /// The root filesystem, if there is one.
    pub rootfs: Option<Output>,
    /// What an L4T board has besides.
    pub l4t: Option<L4tParts>,
    /// What became of the boot in QEMU, where there is a kernel.
    pub desk_boot: Option<DeskBoot>,
    /// The boot of Linux, if it was wanted.
    pub linux_boot: Option<LinuxBooted>,
}

/// What an L4T board has besides.
pub struct L4tParts {
    /// NVIDIA's BSP.
    pub bsp: Bsp,
    /// Flash packages, a directory for each module.
    pub packages: Output,
    /// The digest of NVIDIA's sources as they were built, our edits included.
    pub sources: String,
}
