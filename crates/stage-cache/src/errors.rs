//! What can go wrong in here.

use carveout_host::error::Cause;
use std::path::PathBuf;

carveout_host::errors! {
    /// What can go wrong with stages of a build.
    pub enum CacheError("cache") {
        /// A folder that something is built of holds something other than files, folders and links, such as a socket.
        NotBuildable { path: PathBuf } => usage "not-buildable":
            ("{}: is neither a file nor a folder nor a link: nothing can be built of it", path.display()),
            help ("remove it");
        /// The record of a result cannot be written as JSON.
        NoRecord { source: Cause } => check "no-record": ("{source}");
    }
}

/// All of them, for the reference.
pub const CATALOGS: &[&[carveout_host::error::Entry]] = &[CacheError::CATALOG];
