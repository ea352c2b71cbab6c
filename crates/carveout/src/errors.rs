//! What can go wrong with a command line.

use carveout_host::error::Cause;
use serde_json::Value;

carveout_host::errors! {
    /// What can go wrong with a command line.
    pub enum CommandError("carveout") {
        /// The arguments of the command are wrong.
        WrongArguments { source: Cause } => usage "wrong-arguments": ("{source}");
        /// The host lacks programs or settings; `doctor` lists all it has looked for.
        HostLacks { needs: Value } => environment "host-lacks": ("this host lacks something");
        /// The man pages that were made cannot be listed.
        ManPagesUnreadable { source: Cause } => environment "man-pages-unreadable": ("{source}");
        /// The manifest of a verified bundle cannot be written as text.
        ManifestNotWritten { source: Cause } => check "manifest-not-written": ("{source}");
    }
}

/// All of them, for the reference.
pub const CATALOGS: &[&[carveout_host::error::Entry]] = &[CommandError::CATALOG];
