//! Files of anybody, given as a root filesystem: none panics, and what is taken is no larger than it says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tegra_flash::filesystem::{identify, root_filesystem};

fuzz_target!(|data: &[u8]| {
    let _ = identify(data);
    if let Ok(root) = root_filesystem(&mut &*data, data.len() as u64) {
        assert!(root.ext4.bytes() <= root.raw_size);
        assert!(!root.ext4.to_string().contains(char::is_control));
    }
});
