//! What can go wrong in a run of BitBake, as it says it.

use carveout_host::error::Cause;
use std::io;

carveout_host::errors! {
    /// What can go wrong in a run of BitBake.
    pub enum BitBakeError("yocto::bitbake") {
        /// BitBake has failed, and its first error has no known remedy.
        Failed { source: Cause } => check "failed": ("{source}");
        /// The disk is full.
        DiskFull { source: Cause } => environment "disk-full": ("{source}"),
            help ("free some space and run the command again: what is built already stays");
        /// BitBake was run by root.
        RunByRoot { source: Cause } => environment "run-by-root": ("{source}"),
            help ("run it as another user");
        /// This host lacks tools that OE-Core needs.
        ToolsMissing { source: Cause } => environment "tools-missing": ("{source}"),
            help ("install them: cargo xtask doctor lists the packages");
        /// A downloaded file is not the one that its recipe names.
        ChecksumMismatch { source: Cause } => environment "checksum-mismatch": ("{source}"),
            help (
                "the file is another than the recipe names: remove it from DL_DIR, or take the layers' right branch"
            );
        /// OE-Core's check of the network has failed.
        NoNetwork { source: Cause } => environment "no-network": ("{source}"),
            help (
                "without a network add --offline; behind a proxy set CONNECTIVITY_CHECK_URIS in conf/site.conf of the \
                 build folder"
            );
        /// A recipe needs a download, and the command runs offline.
        OfflineFetch { source: Cause } => environment "offline-fetch": ("{source}"),
            help ("run the command once without --offline");
        /// A file of a recipe cannot be downloaded.
        FetchFailed { source: Cause } => environment "fetch-failed": ("{source}"),
            help (
                "make the URL above reachable from this host, or put its file into target/carveout/yocto/downloads"
            );
        /// No layer has a recipe of a name that the build needs.
        NothingProvides { source: Cause } => usage "nothing-provides": ("{source}"),
            help ("name a recipe of the layers: cargo xtask yocto --shell, and there bitbake-layers show-recipes");
        /// The recipes of carveout refuse a setting of the build.
        WrongSetting { source: Cause } => usage "wrong-setting": ("{source}"),
            help ("correct the product config, or site.conf of the build folder");
        /// A layer is for another release of Yocto than OE-Core.
        IncompatibleLayer { source: Cause } => usage "incompatible-layer": ("{source}"),
            help ("check out the layers' branches for kirkstone");
        /// The interactive shell for BitBake cannot be waited for.
        ShellLost { source: io::Error } => environment "shell-lost": ("the shell: {source}");
    }
}
