//! Of new workspaces and new apps.

use std::path::PathBuf;

/// Characters of a name, at most: it becomes that of packages, ports and a bundle.
pub const MAX_NAME: usize = 32;

carveout_host::errors! {
    /// What can go wrong with a new workspace, or a new app.
    pub enum NewError("build::new") {
        /// A name is not one that packages, ports and bundles can have.
        Name { name: String } => usage "name":
            ("`{name}`: no name for packages: lower-case letters, digits and single hyphens are allowed, a letter first, {} characters at most", MAX_NAME),
            help ("name it, for example, door-lock");
        /// A name is a word of Rust's or of cargo's.
        Reserved { name: String } => usage "reserved": ("`{name}`: Rust or cargo uses this word, and no package can have it"),
            help ("name it, for example, {name}-srv");
        /// A crate that the workspace is built of has the name.
        Taken { name: String } => usage "taken": ("`{name}`: a crate in Cargo.lock of this workspace has this name"),
            help ("choose another name");
        /// There is a file where the folder of a new workspace is to be.
        NotAFolder { path: PathBuf } => usage "not-a-folder": ("{}: is a file, not a folder", path.display()),
            help ("name a new folder");
        /// The folder of a new workspace would lie in another workspace, to which cargo counts what is in it.
        InWorkspace { folder: PathBuf, workspace: PathBuf } => usage "in-workspace":
            ("{}: lies in the cargo workspace {}", folder.display(), workspace.display()),
            help ("name a folder outside of it");
        /// The workspace does not take the new app as its member.
        NotAMember { name: String, manifest: PathBuf } => usage "not-a-member":
            ("{}: its members have no apps/{name}", manifest.display()),
            help ("write members = [\"apps/*\", \"xtask\"] into it");
        /// The folder of a new workspace holds something.
        NotEmpty { folder: PathBuf } => usage "not-empty": ("{}: is not empty", folder.display()),
            help ("name a new folder");
        /// There is an app of this name.
        Exists { folder: PathBuf } => usage "exists": ("{}: exists already", folder.display()), help ("choose another name");
        /// What was named is neither a clone of carveout nor the URL and the tag of one.
        NoCarveout { given: String } => usage "no-carveout": ("{given}: neither a clone of carveout nor URL#TAG of one"),
            help ("name the folder of a clone, or a git repository and its tag as https://HOST/carveout#v0.1.0");
    }
}
