//! The partition layout's reader survives any text, and filling in nothing changes nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tegra_flash::{Layout, layout::substitute};

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = Layout::parse(text);
        assert_eq!(substitute(text, &[]), text);
    }
});
