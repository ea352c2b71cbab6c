//! `new`: a workspace, or an app in one.

use crate::cli::NewArgs;
use carveout_build::new::{self, Carveout, Kind};
use carveout_host::dirs::Dirs;
use carveout_host::error::Result;
use carveout_host::outcome::Outcome;
use carveout_host::ui::Ui;

/// Makes it.
pub fn run(args: &NewArgs, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    match (&args.ta, &args.app) {
        (Some(name), _) => new::app(Kind::TrustedApp, name, dirs, ui),
        (None, Some(name)) => new::app(Kind::ClientApp, name, dirs, ui),
        (None, None) => {
            let from = args.carveout.as_deref().map(Carveout::parse).transpose()?;
            new::workspace(
                args.dir.as_deref().unwrap_or(".".as_ref()),
                args.name.as_deref(),
                from.as_ref(),
                dirs,
                ui,
            )
        }
    }
}
