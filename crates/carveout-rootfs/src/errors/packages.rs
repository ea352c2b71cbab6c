//! What can go wrong when packages are fetched and installed, as mmdebstrap, apt and dpkg say it.

use super::list::listed;
use carveout_host::error::Cause;
use std::env::temp_dir;
use std::path::PathBuf;

/// The end of a help that names what is to be corrected.
fn meant(near: &Option<String>) -> String {
    near.as_ref().map(|name| format!(". Did you mean `{name}`?")).unwrap_or_default()
}

carveout_host::errors! {
    /// What can go wrong with packages and their archives.
    pub enum PackagesError("rootfs::packages") {
        /// The product config names packages that no archive has.
        Unknown { suite: String, packages: Vec<String>, config: PathBuf } => usage "unknown":
            ("Debian {suite} has no such package:\n{}", listed(packages)),
            help ("correct rootfs.packages in {}", config.display());
        /// The file that the product config names as the key of a mirror is not a public key.
        NotAKey { path: PathBuf } => usage "not-a-key":
            ("{}: is no OpenPGP public key", path.display()),
            help ("export it with gpg --armor --export KEY, and name that file as `key` of rootfs.mirror");
        /// A program that makes the root filesystem has failed, and its first error has no known remedy.
        Failed { source: Cause } => check "failed": ("{source}");
        /// The disk is full.
        DiskFull { source: Cause } => environment "disk-full": ("{source}"),
            help (
                "free some space in {} and target/carveout, and run the command again: what is built already stays",
                temp_dir().display()
            );
        /// The name of an archive's server cannot be resolved.
        HostNotResolved { source: Cause } => environment "host-not-resolved": ("{source}"),
            help (
                "check the network and DNS of this host, which does not know that name, and run the command again: \
                 what is built already stays"
            );
        /// An archive's server cannot be reached.
        NoConnection { source: Cause } => environment "no-connection": ("{source}"),
            help (
                "check the network, and apt's proxy if this host needs one, and run the command again: what is \
                 built already stays"
            );
        /// An archive's signature is dated later than the clock of this host.
        NotValidYet { source: Cause } => environment "not-valid-yet": ("{source}"),
            help ("set the clock of this host, or of the archive's: the one is behind the other");
        /// An archive's signature has expired.
        Expired { source: Cause } => environment "expired": ("{source}"),
            help (
                "the archive is no longer updated, or the clock of this host is ahead: correct apt's sources or the \
                 clock"
            );
        /// An archive or a proxy has sent other bytes than the archive's index names.
        WrongContents { source: Cause } => environment "wrong-contents": ("{source}"),
            help (
                "run the command again; if it stays, the archive or a proxy before it serves other bytes than are \
                 signed"
            );
        /// The packages do not fit into the image.
        ImageTooSmall { source: Cause } => usage "image-too-small": ("{source}"),
            help ("raise rootfs.size in the product config: the packages do not fit");
        /// A package that the product config names cannot be found while packages are installed.
        NotFound { package: String, suite: String, near: Option<String>, config: PathBuf, source: Cause }
            => usage "not-found": ("{source}"),
            help (
                "correct rootfs.packages in {}: Debian {suite} has no package `{package}`{}",
                config.display(),
                meant(near)
            );
        /// A mirror is not signed with the key that its entry in the product config names.
        NotSignedWithKey { mirror: String, config: PathBuf, source: Cause } => usage "not-signed-with-key":
            ("{source}"),
            help (
                "{mirror} is not signed with the key that its `key` names: correct rootfs.mirror in {}, `{{ url: URL, \
                 key: FILE }}` with the public key of the archive",
                config.display()
            );
        /// A mirror without a key of its own is not signed with Debian's keys.
        NotSignedByDebian { mirror: String, config: PathBuf, source: Cause } => usage "not-signed-by-debian":
            ("{source}"),
            help (
                "{mirror} is not signed with Debian's keys: correct rootfs.mirror in {}, `{{ url: URL, key: FILE }}` \
                 with the public key of the archive",
                config.display()
            );
        /// This host has no key that Debian's archive is signed with.
        DebianKeysOutdated { source: Cause } => environment "debian-keys-outdated": ("{source}"),
            help ("bring Debian's keys up to date on this host: apt-get install debian-archive-keyring");
        /// A mirror does not have all suites that its entry in the product config names.
        MirrorLacksSuites { mirror: String, suites: Vec<String>, suite: String, config: PathBuf, source: Cause }
            => usage "mirror-lacks-suites": ("{source}"),
            help (
                "correct rootfs.mirror in {}: {mirror} has not all of {} (`dists/{suite}` must be below the URL)",
                config.display(),
                suites.join(", ")
            );
        /// The archive does not have the suite that the product config names.
        NoSuchSuite { suite: String, near: Option<String>, config: PathBuf, source: Cause } => usage "no-such-suite":
            ("{source}"),
            help (
                "correct rootfs.suite in {}: the archive has no suite {suite}{}",
                config.display(),
                meant(near)
            );
        /// Debian does not have what a package of the product config depends on.
        UnmetDependencies { suite: String, config: PathBuf, source: Cause } => usage "unmet-dependencies":
            ("{source}"),
            help (
                "correct rootfs.packages in {}: Debian {suite} does not have what the lines above say",
                config.display()
            );
        /// A package of NVIDIA's depends on what only Ubuntu 18.04 has.
        NotForDebian { source: Cause } => usage "not-for-debian": ("{source}"),
            help (
                "NVIDIA's packages are made for Ubuntu 18.04: leave out of rootfs.packages what needs a library that \
                 Debian does not have, or choose rootfs.kind l4t-sample"
            );
    }
}
