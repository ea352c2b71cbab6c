//! Errors of trusted apps, client apps and their packages.

use super::suggestion::did_you_mean;
use carveout_host::error::Cause;
use carveout_host::size::human;
use std::io;
use std::path::PathBuf;

carveout_host::errors! {
    /// What can be wrong with the trusted apps of a product.
    pub enum AppError("product::app") {
        /// The product has no trusted app, or more than an image holds.
        WrongNumber { count: usize, most: usize } => usage "wrong-number":
            ("{count} trusted apps; allowed are 1 to {most}");
        /// Two trusted apps have the same name.
        DuplicateName { app: String, name: String, other: String } => usage "duplicate-name":
            ("{app} has the same name {name} as {other}: each must be unique");
        /// Two trusted apps have the same UUID.
        DuplicateUuid { app: String, uuid: String, other: String } => usage "duplicate-uuid":
            ("{app} has the same UUID {uuid} as {other}: each must be unique");
        /// Two trusted apps have the same port.
        DuplicatePort { app: String, port: String, other: String } => usage "duplicate-port":
            ("{app} has the same port {port} as {other}: each must be unique");
        /// The heap or the stack of a trusted app is 0 or too large.
        MemoryOutOfRange { bytes: u64, limit: u64 } => usage "memory-out-of-range":
            ("{bytes} bytes; allowed are 1 to less than {}", human(*limit));
        /// The ELF file of a trusted app is not there, or is too large.
        NoElf { file: PathBuf } => usage "no-elf":
            ("{} is no file of at most 16 MiB (paths are relative to the config file)", file.display());
        /// The name of an ELF file, which becomes the trusted app's, has a character that is not allowed.
        ElfName { name: String, allowed: &'static str } => usage "elf-name":
            ("`{name}`: the file's name becomes the app's: letters, digits and {allowed} are allowed");
        /// The folder of a trusted app in C is not there, or has no rules.mk.
        NoRules { folder: PathBuf } => usage "no-rules":
            ("{} is no folder with a rules.mk (paths are relative to the config file)", folder.display());
        /// The name of the folder of a trusted app in C, which becomes the trusted app's, has a character that is not allowed.
        FolderName { name: String, allowed: &'static str } => usage "folder-name":
            ("`{name}`: the folder's name becomes the app's: letters, digits and {allowed} are allowed");
        /// A trusted app is none of a package, an ELF file and sources in C, or more than one.
        NotOneSource => usage "package-or-elf": ("expected one of `package`, `elf` and `source`");
    }
}

carveout_host::errors! {
    /// What can be wrong with the client apps of a product.
    pub enum ClientAppError("product::client-app") {
        /// The finished package of a client app is not there.
        NoDeb { file: PathBuf } => usage "no-deb":
            ("{} is no file (paths are relative to the config file)", file.display());
        /// The finished package of a client app is for another processor than the board's.
        Architecture { file: PathBuf, architecture: String } => usage "architecture":
            ("{}: its architecture is {architecture}; allowed are arm64 and all", file.display());
        /// The name of a finished package is none that Debian allows.
        Name { file: PathBuf, name: String } => usage "name":
            ("{}: its name is `{name}`: a-z, 0-9 and +-. are allowed, 64 characters at most", file.display());
        /// The version of a finished package is none that Debian allows.
        Version { file: PathBuf, version: String } => usage "version":
            ("{}: its version is `{version}`: letters, digits and +-.~: are allowed, 64 characters at most", file.display());
        /// A finished package has the name of another client app.
        DuplicateName { name: String } => usage "duplicate-name":
            ("two client apps are packages of the name {name}: a device installs one of that name");
    }
}

carveout_host::errors! {
    /// What can be wrong with the package of an app.
    pub enum PackageError("product::package") {
        /// The workspace has no such package.
        UnknownPackage { name: String, known: Vec<String>, meant: Option<String> } => usage "unknown-package":
            ("unknown package `{name}`: this workspace has {}.{}", known.join(", "), did_you_mean(meant.as_deref()));
        /// The package does not declare itself as an app of the kind that is wanted.
        Undeclared { name: String, table: String, manifest: String } => usage "undeclared":
            ("package `{name}` has no [package.metadata.{table}] in {manifest}");
        /// The manifest of the package cannot be read.
        ManifestUnreadable { manifest: String, source: io::Error } => usage "manifest-unreadable":
            ("{manifest}: {source}"), help ("correct {manifest}");
        /// What the package declares of its trusted app is wrong.
        WrongDeclaration { manifest: String, source: Cause } => usage "wrong-declaration":
            ("{manifest}: {source}"), help ("correct {manifest}");
    }
}
