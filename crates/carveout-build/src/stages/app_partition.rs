//! The partition of the root filesystem.

use carveout_host::error::Result;
use carveout_product::Build;

/// Bytes of the partition APP.
pub fn app_size(build: &Build) -> Result<u64> {
    Ok(match &build.product.rootfs {
        Some(rootfs) => rootfs.size,
        None => build.product.l4t()?.app_size,
    })
}
