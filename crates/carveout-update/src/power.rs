//! Whether the device may lose its power while it is updated.

use crate::error::UpdateError;
use crate::text::text;
use std::fs;
use std::path::Path;

/// What the kernel knows of batteries and mains.
const SUPPLIES: &str = "sys/class/power_supply";

/// Refuses if a battery alone feeds the device and has less than `least` percent. A device without one tells nothing. `root` stands for `/`.
pub fn ensure(root: &Path, least: u8) -> Result<(), UpdateError> {
    let (mut mains, mut lowest) = (false, None::<u8>);
    for entry in fs::read_dir(root.join(SUPPLIES)).into_iter().flatten().flatten() {
        let fact = |name: &str| {
            text(&entry.path().join(name)).map(|text| text.trim().to_owned()).unwrap_or_default()
        };
        // The battery of a keyboard feeds nobody else.
        if fact("scope") == "Device" {
            continue;
        }
        match fact("type").as_str() {
            "Battery" if fact("status") == "Discharging" => {
                let percent = fact("capacity").parse().ok();
                lowest = lowest.into_iter().chain(percent).min();
            }
            "Battery" => {}
            _ => mains |= fact("online") == "1",
        }
    }
    match lowest.filter(|percent| !mains && *percent < least) {
        Some(percent) => Err(UpdateError::Battery { percent, least }),
        None => Ok(()),
    }
}
