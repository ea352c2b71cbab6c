//! What can go wrong with packages of the host, and with arm64 programs on it.

use std::io;
use std::path::PathBuf;

fn lines(missing: &[String]) -> String {
    missing.iter().map(|one| format!("  {one}")).collect::<Vec<_>>().join("\n")
}

crate::errors! {
    /// What can go wrong with Debian packages.
    pub enum PackageError("host::package") {
        /// Programs are missing on a host that has no apt-get.
        NoApt { missing: Vec<String> } => environment "no-apt-get":
            ("this host lacks programs, and has no apt-get to install them with:\n{}", lines(missing)),
            help ("use Debian or Ubuntu, or install the programs by hand");
        /// Packages are missing, and --offline forbids to install them.
        Offline { missing: Vec<String>, command: String } => environment "missing-and-offline":
            ("this host lacks packages, and --offline forbids to install them:\n{}", lines(missing)),
            help ("run: {command}");
        /// Packages are missing, and the user is not root.
        NotRoot { missing: Vec<String>, command: String } => environment "missing-and-not-root":
            ("this host lacks packages, and only root can install them:\n{}", lines(missing)), help ("run: {command}");
        /// A package was installed, and the program that it should bring is still missing.
        ProgramMissing { package: &'static str, program: &'static str } => environment "program-missing":
            ("{package} is installed, but {program} is not there");
        /// The user has no subordinate user and group ids, without which only root can make a root filesystem.
        NoSubordinateIds { user: String } => environment "no-subordinate-ids":
            ("user {user} has no subordinate ids in /etc/subuid and /etc/subgid: only root can make a root filesystem \
                without them"),
            help ("run: sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {user}");
        /// apt does not print the SHA-256 of a package that is to be downloaded.
        NoChecksum { line: String } => environment "no-checksum":
            ("apt-get download --print-uris gives no sha256: {line}");
        /// A downloaded package has another SHA-256 than the lists of apt say.
        WrongChecksum { path: PathBuf, found: String, expected: String } => environment "wrong-checksum":
            ("{}: sha256 is {found}, apt's lists say {expected}", path.display()),
            help ("run the command again: the file has been removed");
        /// A file is not a Debian package, or it is damaged.
        NotAPackage { path: PathBuf } => usage "not-a-package":
            ("{}: is no Debian package, or a damaged one", path.display()),
            help ("fetch or unpack it again");
        /// dpkg-deb cannot unpack the package of a client app.
        AppNotUnpacked { name: String, status: String, output: String, log: PathBuf }
            => check "client-app-not-unpacked":
            ("{name}: dpkg-deb cannot unpack it ({status})\n{output}\n  full log: {}", log.display()),
            help ("do not run it: get it anew from who made it, or build it");
        /// The package of a client app is damaged, or holds something that such a package must not hold.
        NotAnApp { name: String, source: io::Error } => check "not-a-client-app":
            ("{name}: is no package of a client app: {source}"),
            help ("do not run it: get it anew from who made it, or build it");
    }
}

crate::errors! {
    /// What can go wrong when arm64 programs are made to run here.
    pub enum Arm64Error("host::arm64") {
        /// The kernel does not run arm64 programs yet, and the user is not root.
        NotRoot => environment "not-root":
            ("arm64 programs do not run here: binfmt_misc has no qemu-aarch64, and only root can register it"),
            help ("run: sudo systemctl restart systemd-binfmt (in a container: register qemu-aarch64 on its host)");
        /// The filesystem in which interpreters are registered cannot be mounted.
        NotMounted { reason: String } => environment "binfmt-misc-not-mounted":
            ("arm64 programs do not run here: binfmt_misc cannot be mounted: {reason}"),
            help ("run: sudo systemctl restart systemd-binfmt (in a container: register qemu-aarch64 on its host)");
        /// The file that says how qemu-aarch64 is registered cannot be read.
        UnreadableConfig { path: &'static str, source: io::Error } => environment "unreadable-config":
            ("arm64 programs do not run here: {path}: {source}"),
            help ("run: sudo systemctl restart systemd-binfmt (in a container: register qemu-aarch64 on its host)");
        /// The file that says how qemu-aarch64 is registered has no line for it.
        NoLine { path: &'static str } => environment "not-in-config":
            ("arm64 programs do not run here: {path} has no line for qemu-aarch64"),
            help ("run: sudo systemctl restart systemd-binfmt (in a container: register qemu-aarch64 on its host)");
        /// The kernel refuses to register qemu-aarch64.
        NotRegistered { path: PathBuf, source: io::Error } => environment "not-registered":
            ("arm64 programs do not run here: {}: {source}", path.display()),
            help ("run: sudo systemctl restart systemd-binfmt (in a container: register qemu-aarch64 on its host)");
        /// qemu-aarch64 is registered, and arm64 programs do not start.
        NotStarting => environment "not-starting":
            ("arm64 programs do not run here: qemu-aarch64 is registered, but does not start"),
            help ("run: sudo systemctl restart systemd-binfmt (in a container: register qemu-aarch64 on its host)");
    }
}
