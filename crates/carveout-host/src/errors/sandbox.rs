//! What can go wrong when client apps are contained.

use std::io;
use std::path::PathBuf;

crate::errors! {
    /// What can go wrong when client apps are contained.
    pub enum SandboxError("host::sandbox") {
        /// The host does not let a user make the namespaces that keep a client app away from it.
        NoUserNamespaces { said: String } => environment "no-user-namespaces":
            ("this host refuses to contain the client app: {said}"),
            help ("allow user namespaces on this host (sysctl user.max_user_namespaces; on Ubuntu 24.04 an AppArmor \
                profile for bwrap), run the command as root, or take a client app of your own for this \
                host: --client host");
        /// The host lets root neither make namespaces for a client app nor run it as nobody in another root folder.
        NotContained { said: String, said_without_namespaces: String } => environment "not-contained":
            ("this host refuses to contain the client app: {said}; {said_without_namespaces}"),
            help ("allow namespaces in this container (docker run --cap-add SYS_ADMIN --security-opt \
                seccomp=unconfined), or take a client app of your own for this host: --client host");
        /// Without namespaces a client app cannot get a file or socket that lies on another filesystem.
        NotShared { path: PathBuf, source: io::Error } => environment "not-shareable":
            ("{}: cannot be shared with the client app: {source}", path.display()),
            help ("name a path in the folder for temporary files (TMPDIR): without namespaces no other serves");
    }
}
