//! A virt device: what it holds and serves.

use super::explained::Explained;
use super::found::Found;
use super::rows::DiskPartition;
use carveout_field::device::disk;
use carveout_host::error::Result;
use carveout_host::size::human;
use carveout_host::text::Text;
use std::path::Path;
use virt_device::{FlashState, Installed, PARTS, STATE};

/// Explains the device in a file.
pub fn explain(path: &Path) -> Result<Explained> {
    let mut device = disk::read(path)?;
    let state = device.state().clone();
    let mut text = Text::block("virt device\n");
    let bundle = |installed: &Option<Installed>| match installed {
        Some(installed) => installed.bundle.clone(),
        None => "none".into(),
    };
    let _ = writeln!(text, "  active       {}", bundle(&state.active));
    let _ = writeln!(text, "  previous     {}", bundle(&state.previous));
    if let Some(trial) = &state.trial {
        let when = if trial.booted { "is tried, and not confirmed yet" } else { "is tried at the next boot" };
        let _ = writeln!(text, "  update       {}: {when}", trial.installed.bundle);
    }
    if let Some(bundle) = &state.gone_back_from {
        let _ = writeln!(text, "  gone back    from {bundle}, which was not confirmed");
    }
    let _ = writeln!(text, "  security version {}, the largest that it has had", state.security_version);
    let tzdram = disk::carve_out(&mut device);
    if let Some(size) = tzdram {
        let _ = writeln!(text, "  carve-out    {}", human(size));
    }
    let partitions: Vec<(String, u64)> =
        device.partitions().iter().map(|(name, space)| (name.clone(), space.size)).collect();
    for (name, size) in &partitions {
        let _ = writeln!(text, "  partition    {name:<12} {:>10}{}", human(*size), role(&state.active, name));
    }
    text.push_str("  (as its flash state says; cargo xtask emulate virt:FILE runs its trusted apps)\n");
    let partitions = partitions.into_iter().map(|(name, size)| DiskPartition { name, size }).collect();
    let FlashState { active, previous, security_version, trial, gone_back_from, .. } = state;
    let trial = trial.map(Box::new);
    let found =
        Found::VirtDevice { active, previous, security_version, trial, gone_back_from, tzdram, partitions };
    Ok(Explained::new(text, found))
}

/// What a partition is to the active bundle.
fn role(active: &Option<Installed>, partition: &str) -> String {
    if partition == STATE {
        return ", flash state".into();
    }
    let Some(active) = active else { return String::new() };
    let placed = PARTS.iter().find_map(|part| {
        let placed = active.parts.get(part)?;
        (part.partition(placed.slot) == partition).then_some(placed)
    });
    placed.map_or(String::new(), |placed| format!(", active: {} bytes of {}", placed.size, placed.bundle))
}
