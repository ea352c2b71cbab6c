//! Whatever parses as a plain container is, byte for byte, what packing its parts gives.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trusty_image::Container;

fuzz_target!(|data: &[u8]| {
    if let Ok(container) = Container::parse(data)
        && !container.encrypted
    {
        let packed = Container::pack(container.monitor, container.os, container.tos_type);
        assert_eq!(packed.as_deref(), Ok(data));
    }
});
