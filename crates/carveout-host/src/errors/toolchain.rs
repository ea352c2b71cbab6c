//! What can go wrong with the Rust that builds for boards.

use std::path::PathBuf;

crate::errors! {
    /// What can go wrong with the Rust that builds for boards.
    pub enum ToolchainError("host::toolchain") {
        /// Another part of the build has failed while it got Rust for a board.
        AnotherStageFailed => check "another-stage-failed": ("another stage has failed");
        /// Rust for a board is not installed yet, and --offline forbids to fetch it.
        Offline { triple: String } => environment "not-installed":
            ("no Rust for {triple} is there, and --offline forbids to fetch one"),
            help ("run the command once without --offline");
        /// rustup has added the target, and the Rust on the PATH does not have it.
        TargetNotFound { triple: String } => environment "target-not-found":
            ("rustup has added {triple}, but rustc does not find it");
        /// rustup cannot add the target, and CARVEOUT_TOOLCHAIN forbids to take Debian's Rust instead.
        TargetNotAdded { triple: String } => environment "target-not-added":
            ("rustup cannot add {triple}, and CARVEOUT_TOOLCHAIN=rustup forbids Debian's"),
            help ("run: rustup target add {triple}");
        /// CARVEOUT_TOOLCHAIN has a value that is not allowed.
        UnknownToolchain { given: String } => usage "unknown-toolchain":
            ("CARVEOUT_TOOLCHAIN is `{given}`; allowed are `rustup` and `debian`");
        /// The Rust on the PATH comes without rust-lld.
        NoLinker { folder: PathBuf } => environment "no-linker":
            ("no rust-lld below {}: it links what runs without an OS", folder.display()),
            help ("install Rust with rustup, whose toolchains bring it");
        /// Debian's Rust is needed on a host that is not x86-64.
        DebianOnX86 => environment "debian-on-x86-64-only": ("Debian's Rust is provisioned on x86-64 hosts only"),
            help ("run: rustup target add armv7a-none-eabi aarch64-unknown-linux-gnu");
        /// The apt of the host does not know Debian's Rust for cross builds.
        NoRustcWeb => environment "no-rustc-web": ("this host's apt has no rustc-web, Debian's Rust for cross builds"),
            help ("run: rustup target add armv7a-none-eabi aarch64-unknown-linux-gnu (or use Debian 12 with its \
                security updates)");
        /// A package of Debian's Rust does not depend on the libraries that it needs.
        NoDependency { package: &'static str, version: String, prefix: &'static str } => environment "no-dependency":
            ("{package} {version} depends on no {prefix}…");
    }
}
