//! Bundles and devices: verify, compare, flash, and what is recorded of it; channels of releases.

pub mod device;
pub mod diff;
pub mod errors;
pub mod flash;
pub mod release;
pub mod results;
pub mod status;
pub mod verify;
