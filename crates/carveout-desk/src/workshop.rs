//! What the desk runs, but does not make: programs and packages that come of sources.

use carveout_host::error::Result;
use carveout_host::packages::Need;
use std::path::PathBuf;

/// Makes them, or knows where they are.
pub trait Workshop: Sync {
    /// The folder of the firmware's programs: [`crate::MONITOR`], [`crate::AGENT`].
    fn firmware(&self) -> Result<PathBuf>;

    /// What making the unicorn emulator needs of the host.
    fn emulator_needs(&self) -> Vec<Need>;

    /// The program of the unicorn emulator.
    fn emulator(&self) -> Result<PathBuf>;

    /// The program of the Linux that is booted: what makes Trusty's device there, and runs commands.
    fn guest_agent(&self) -> Result<PathBuf>;

    /// A client app, built for this host.
    fn client_for_host(&self, name: &str) -> Result<PathBuf>;

    /// The package of a client app, built for the board; without a name that of [`Self::first_client_app`].
    fn client_app(&self, name: Option<&str>) -> Result<PathBuf>;

    /// The client app that is meant where none is named.
    fn first_client_app(&self) -> Result<String>;

    /// Where sources lie on this host, and what debug information calls these places.
    fn sources(&self) -> Result<Vec<(PathBuf, &'static str)>>;
}
