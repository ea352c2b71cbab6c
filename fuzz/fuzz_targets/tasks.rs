//! The apps that are found in any image lie in it, one behind the other, and each is where the loader looks for it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use trusty_image::tasks;

fuzz_target!(|data: &[u8]| {
    let found = tasks::find(data);
    let whole = found.concat();
    assert!(whole.is_empty() || data.windows(whole.len()).any(|window| window == whole));
    if let (Ok(apps), true) = (tasks::split(data), data.starts_with(&whole)) {
        assert!(found.len() <= apps.len());
    }
});
