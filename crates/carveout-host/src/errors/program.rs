//! What can go wrong with programs that are run.

use crate::error::Cause;
use std::io;
use std::path::PathBuf;

crate::errors! {
    /// What can go wrong with programs that are run.
    pub enum ProgramError("host::program") {
        /// The current folder cannot be read, or is gone.
        NoCurrentFolder { source: Cause } => environment "no-current-folder": ("the current folder: {source}");
        /// A program is missing, or cannot be started for another reason.
        NotStarted { task: String, program: String, source: io::Error } => environment "not-started":
            ("{task}: cannot start {program}: {source}"),
            help ("cargo xtask doctor lists what is missing");
        /// The system does not tell how a program has ended.
        NoStatus { task: String, source: io::Error } => environment "no-exit-status": ("{task}: {source}");
        /// A program whose output is needed has ended with an error.
        QueryFailed { task: String, command: String, status: String, said: String } => environment "query-failed":
            ("{task}: `{command}` failed ({status}): {said}");
        /// A program whose output is needed has printed something that is not text in UTF-8.
        NotUtf8 { task: String, command: String } => environment "not-utf-8":
            ("{task}: `{command}` printed text that is not UTF-8");
        /// A program has ended with an error because a disk is full.
        DiskFull { task: String, status: String, output: String, log: PathBuf } => environment "disk-full":
            ("{task} failed ({status})\n{output}\n  full log: {}", log.display()),
            help ("free some space and run the command again: what is built already stays");
        /// The packages of a root filesystem need more space than its image has.
        RootfsFull { task: String, status: String, output: String, log: PathBuf } => usage "root-filesystem-too-small":
            ("{task} failed ({status})\n{output}\n  full log: {}", log.display()),
            help ("raise rootfs.size in the product config: the packages do not fit");
        /// A program has ended with an error because it cannot reach a server.
        NetworkFailed { task: String, status: String, output: String, log: PathBuf } => environment "network-failed":
            ("{task} failed ({status})\n{output}\n  full log: {}", log.display()),
            help ("check the network and the package mirrors, and run the command again: what is built already stays");
        /// cargo has ended with an error because Cargo.lock does not fit the manifests.
        LockFileOutdated { task: String, status: String, output: String, log: PathBuf } => usage "lock-file-outdated":
            ("{task} failed ({status})\n{output}\n  full log: {}", log.display()),
            help ("a package has come or changed: run cargo update --workspace --offline, and commit Cargo.lock");
        /// apt does not know a package of the root filesystem.
        UnknownPackage { task: String, status: String, output: String, log: PathBuf } => usage "unknown-package":
            ("{task} failed ({status})\n{output}\n  full log: {}", log.display()),
            help ("correct rootfs.packages in the product config");
        /// A program has ended with another error, which its output shows.
        Failed { task: String, status: String, output: String, log: PathBuf } => check "failed":
            ("{task} failed ({status})\n{output}\n  full log: {}", log.display());
    }
}
