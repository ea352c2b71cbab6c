//! Trusted app that echoes arrays of up to 20_480 f32 values.
#![cfg_attr(target_os = "none", no_std, no_main)]

/// Values that it has room for: 81920 bytes of its heap.
const ROOM: usize = 20_480;

trusty_ta::trusted_app!("small-echo-srv", echo_service::EchoService::new(ROOM));
