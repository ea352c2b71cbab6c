//! What can go wrong with bundles, channels, devices and flashes.

mod board;
mod bundle;
mod card;
mod flash;
mod image;
mod release;
mod virt;

pub use board::BoardError;
pub use bundle::BundleError;
pub use card::CardError;
pub use flash::FlashError;
pub use image::ImageError;
pub use release::{ChannelError, ReleaseError};
pub use virt::VirtError;

/// All of them, for the reference.
pub const CATALOGS: &[&[carveout_host::error::Entry]] = &[
    BoardError::CATALOG,
    BundleError::CATALOG,
    CardError::CATALOG,
    FlashError::CATALOG,
    ImageError::CATALOG,
    ReleaseError::CATALOG,
    ChannelError::CATALOG,
    VirtError::CATALOG,
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_failure_has_a_code_of_its_own() {
        let all = [
            BoardError::CATALOG,
            BundleError::CATALOG,
            CardError::CATALOG,
            ChannelError::CATALOG,
            FlashError::CATALOG,
            ImageError::CATALOG,
            ReleaseError::CATALOG,
            VirtError::CATALOG,
        ]
        .concat();
        let codes: BTreeSet<&str> = all.iter().map(|entry| entry.code).collect();
        assert_eq!(codes.len(), all.len());
    }
}
