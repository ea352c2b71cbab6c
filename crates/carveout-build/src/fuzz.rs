//! `fuzz`: builds the trusted apps of a product, and sends messages to one of them.

use crate::make::{self, BuildRequest};
use crate::run;
use crate::workshop::Sources;
use carveout_desk::emulate::fuzz::{self, FuzzRequest};
use carveout_host::dirs::Dirs;
use carveout_host::error::Result;
use carveout_host::outcome::Outcome;
use carveout_host::ui::Ui;

/// Builds them and tries.
pub fn run(build: &BuildRequest, request: &FuzzRequest, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    let workshop = Sources::new(dirs, build.offline, ui);
    let target = make::with_build(&build.without_rootfs(), dirs, ui, run::target)?;
    fuzz::run(&target, request, &workshop, dirs, ui)
}
