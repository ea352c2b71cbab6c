//! What can go wrong when apps run as they are edited.

use std::path::PathBuf;

carveout_host::errors! {
    /// What can go wrong with `run`.
    pub enum RunError("build::run") {
        /// The product has no client app that could run.
        NoClientApp { config: PathBuf } => usage "no-client-app": ("{}: this product has no client app", config.display()),
            help ("name one with --client, or leave the trusted apps waiting for clients with --wait");
        /// The name that was given is not that of a client app of the workspace.
        UnknownClientApp { what: String } => usage "unknown-client-app": ("no client app: {what}"),
            help ("--client takes the name of a client app of the workspace");
    }
}
