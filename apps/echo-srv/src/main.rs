//! Trusted app that echoes arrays of up to 64_000 f32 values.
#![cfg_attr(target_os = "none", no_std, no_main)]

/// Values that it has room for: 256000 bytes of its heap.
const ROOM: usize = 64_000;

trusty_ta::trusted_app!("echo-srv", echo_service::EchoService::new(ROOM));
