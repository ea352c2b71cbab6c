//! `test-device`: builds a product, boots it, and runs a command in it.

use crate::cli::TestDeviceArgs;
use carveout_build::make::{self, Boots};
use carveout_build::workshop::Sources;
use carveout_desk::emulate::{self, EmulateRequest};
use carveout_host::dirs::Dirs;
use carveout_host::error::Result;
use carveout_host::outcome::Outcome;
use carveout_host::ui::Ui;
use std::path::Path;

/// Where bundles go.
const BUNDLES: &str = "target/bundles";

/// Builds, boots and runs.
pub fn run(args: &TestDeviceArgs, json: bool, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    let request = args.build.request();
    let command = match &args.command[..] {
        [] => make::self_test(&request, dirs, ui)?,
        command => command.to_vec(),
    };
    let bundle = make::local(&request, Boots { kernel: true, linux: false }, Path::new(BUNDLES), dirs, ui)?;
    let emulated = EmulateRequest {
        linux: Some(args.guest.request()),
        keep_output: json,
        ..EmulateRequest::of(bundle.display().to_string(), command)
    };
    emulate::run(&emulated, &Sources::new(dirs, request.offline, ui), dirs, ui)
}
