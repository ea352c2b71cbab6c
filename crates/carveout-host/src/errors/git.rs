//! What can go wrong with clones.

use std::path::PathBuf;

crate::errors! {
    /// What can go wrong with clones.
    pub enum GitError("host::git") {
        /// The clone has no remote, and a release has to name where its sources are.
        NoRemote { top: PathBuf } => check "no-remote":
            ("{}: the git repository has no remote, and the provenance of a release names where its sources are",
                top.display()),
            help ("git -C {} remote add origin URL", top.display());
        /// The clone has several remotes, and none of them is called origin.
        SeveralRemotes { top: PathBuf, remotes: Vec<String> } => check "several-remotes":
            ("{}: which remote has the sources? There are {}", top.display(), remotes.join(", ")),
            help = remotes.first().map(|first| {
                format!("call it origin: git -C {} remote rename {first} origin", top.display())
            });
        /// The remote of the clone is a folder of this host.
        RemoteIsFolder { top: PathBuf, remote: String } => check "remote-is-folder":
            ("{}: remote {remote} is a folder of this machine, and others cannot fetch from it", top.display()),
            help ("git -C {} remote set-url {remote} URL: https://…, ssh://…, git@HOST:PATH, or file:///… for a folder \
                that others see, too", top.display());
        /// The URL of the remote of the clone names no source.
        RemoteNamesNoSource { top: PathBuf, remote: String } => check "remote-names-no-source":
            ("{}: remote {remote} has a URL that names no source", top.display()),
            help ("git -C {} remote set-url {remote} URL: https://…, ssh://…, git@HOST:PATH, or file:///… for a folder \
                that others see, too", top.display());
        /// git does not print the paths of its own files, one in each line.
        NoPaths { top: PathBuf } => check "no-paths": ("{}: git does not say where its files are", top.display()),
            help ("the path of a clone cannot contain a line break");
    }
}
