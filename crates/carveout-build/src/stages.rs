//! The stages of a build, one module each.

pub mod app_partition;
pub mod boot_config;
pub mod bundle;
pub mod client_apps;
pub mod flash_package;
pub mod kernel;
pub mod plan;
pub mod secure_os;
pub mod trusted_apps;
