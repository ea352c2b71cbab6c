//! Whatever is believed as a bundle's manifest is written back as it was.
#![no_main]

use bundle::Manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data)
        && let Ok(manifest) = Manifest::from_text(text)
    {
        assert_eq!(manifest.to_text().as_deref(), Ok(text));
    }
});
