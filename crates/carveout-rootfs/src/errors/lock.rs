//! What can go wrong with the list of installed packages and with the one that a product pins.

use super::list::listed;
use std::path::PathBuf;

carveout_host::errors! {
    /// What can go wrong with `packages.lock`.
    pub enum LockError("rootfs::lock") {
        /// A line of the pinned packages.lock is not in its format.
        BadLine { path: PathBuf, line: usize, text: String } => usage "bad-line":
            (
                "{}:{line}: `{text}` is no line of a packages.lock: name, version, architecture and sha256, by tabs",
                path.display()
            ),
            help ("take rootfs/packages.lock out of an earlier bundle, as it is");
        /// The list of the installed packages has a line that is not in its format.
        BadList => check "bad-list": ("the list of packages has a line that is none");
        /// The installed packages are not those that packages.lock pins.
        Differs { path: PathBuf, differences: Vec<String>, hint: String } => check "differs":
            (
                "the root filesystem's packages are not those of {} ({} {}):\n{}",
                path.display(),
                differences.len(),
                if differences.len() == 1 { "differs" } else { "differ" },
                shown(differences)
            ),
            help = Some(hint.clone());
        /// The archives no longer have packages in the versions that packages.lock pins.
        NotInArchives { path: PathBuf, missing: Vec<String>, hint: String } => check "not-in-archives":
            (
                "no archive has {} of {} as pinned ({}):\n{}",
                if missing.len() == 1 { "a package" } else { "packages" },
                path.display(),
                missing.len(),
                shown(missing)
            ),
            help = Some(hint.clone());
        /// Two archives have the same version of a package with different contents.
        ArchivesDisagree { package: String } => check "archives-disagree":
            ("two archives have package {package} with the same version and other contents"),
            help ("name one of them alone: in rootfs.mirror, or in apt's sources on this host");
        /// An installed package is in no package list of the archives.
        NotListed { package: String } => check "not-listed":
            ("package {package} is in no package list"),
            help ("delete target/carveout/stages/rootfs-base and run the command again");
        /// The installation of a package has not been completed.
        HalfInstalled { package: String } => check "half-installed":
            ("a package is not wholly installed: {package}");
    }
}

/// Differences that an error shows.
pub const SHOWN: usize = 12;

/// The first lines, and how many more there are.
fn shown(lines: &[String]) -> String {
    match lines.split_at_checked(SHOWN) {
        Some((first, more)) if !more.is_empty() => format!("{}\n  and {} more", listed(first), more.len()),
        _ => listed(lines),
    }
}
