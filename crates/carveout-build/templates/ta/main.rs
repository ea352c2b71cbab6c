//! The trusted app.
#![cfg_attr(target_os = "none", no_std, no_main)]

trusty_ta::trusted_app!("@NAME@", @service@::@Type@::default());
