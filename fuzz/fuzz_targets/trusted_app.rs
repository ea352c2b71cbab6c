//! Loader rules, manifest words and the walk over concatenated apps survive any file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trusty_image::{inspect, manifest, tasks};

fuzz_target!(|data: &[u8]| {
    if let Ok(apps) = tasks::split(data) {
        assert_eq!(apps.concat(), data);
    }
    if let Ok(app) = inspect(data) {
        assert_eq!(tasks::split(data).map(|apps| apps.len()), Ok(1));
        let mut copy = data.to_vec();
        if manifest::set_min_heap(&mut copy[app.manifest_range.clone()], 8192).is_ok()
            && let Ok(patched) = inspect(&copy)
        {
            assert_eq!(patched.manifest.heap(), 8192);
        }
    }
});
