//! What can go wrong when recipes are made.

use crate::recipes::CARGO_BITBAKE;
use carveout_host::error::Cause;
use std::path::PathBuf;

/// Each below the other: a message's lines behind the first are indented.
fn below(lines: &[String]) -> String {
    lines.join("\n").replace('\n', "\n  ")
}

/// Failures, below other lines.
fn behind(lines: &[String], failures: &[String]) -> String {
    below(&[lines, &[below(failures)]].concat())
}

carveout_host::errors! {
    /// What can go wrong when recipes are made out of the packages of a workspace.
    pub enum RecipesError("yocto::recipes") {
        /// Recipes differ from the packages that they were made of.
        Stale { recipes: Vec<String> } => check "stale": ("{}", below(recipes)),
            help ("run: cargo xtask recipes");
        /// Recipes that were to be compared cannot be made.
        NotMade { stale: Vec<String>, failures: Vec<String> } => check "not-made":
            ("{}", behind(stale, failures));
        /// Some recipes are written, and others cannot be made.
        SomeNotWritten { written: usize, failures: Vec<String> } => check "some-not-written":
            ("{}", behind(&[format!("{written} recipes are written, {} are not:", failures.len())], failures));
        /// The package is not in the workspace.
        NotInWorkspace { package: String } => usage "not-in-workspace":
            ("package {package}: is not in the workspace");
        /// The Cargo.toml of the workspace cannot be read.
        BadWorkspace { path: PathBuf, source: Cause } => usage "bad-workspace": ("{}: {source}", path.display());
        /// A crate lies in a folder outside of the workspace.
        OutsideOfWorkspace { package: String, path: PathBuf } => usage "outside-of-workspace":
            (
                "{package} is the path dependency {}, outside of the workspace, which BitBake builds",
                path.display()
            ),
            help ("move it into the workspace, or depend on it by git and rev");
        /// A crate comes from a registry other than crates.io.
        OtherRegistry { package: String, version: String, registry: String } => usage "other-registry":
            ("{package} {version} comes from the registry {registry}; BitBake's crate fetcher knows crates.io alone"),
            help ("depend on it by git and rev, or by path in this workspace");
        /// The place that a crate comes from is not understood.
        UnknownSource { package: String, source: Cause } => check "unknown-source": ("{package}: {source}");
        /// Cargo.lock has no checksum of a crate.
        NoChecksum { package: String, version: String } => check "no-checksum":
            ("{package} {version}: Cargo.lock has no checksum of it"),
            help ("run: cargo generate-lockfile, which writes them");
        /// A part of the workspace needs a crate that Cargo.lock does not have.
        NotLocked { package: String, version: String } => check "not-locked":
            ("{package} {version} is not in Cargo.lock"),
            help ("run: cargo update --workspace");
        /// The program cargo cannot read the part of the workspace that a recipe builds.
        BadPart { source: Cause } => check "bad-part": ("a part of the workspace: {source}");
        /// The program cargo does not describe a package that another depends on.
        NotDescribed { package: String } => check "not-described": ("cargo metadata does not tell of {package}");
        /// The program cargo does not say which packages depend on which.
        NothingResolved => check "nothing-resolved": ("cargo metadata resolves nothing");
        /// A crate of git is not where cargo checks crates of git out.
        NoWorkTree { path: PathBuf } => check "no-work-tree":
            ("{}: is in no work tree of cargo's", path.display());
        /// The checkout of a crate of git is at another commit than Cargo.lock names.
        WrongCommit { path: PathBuf, found: String, rev: String } => check "wrong-commit":
            ("{}: is at {found}, not at {rev}", path.display()),
            help ("remove that folder: cargo checks it out again");
        /// A submodule of a crate of git has no path or no URL.
        BadSubmodule { path: PathBuf, submodule: String } => check "bad-submodule":
            ("{}: {submodule} has no path or no url", path.display());
        /// The URL of a git repository has characters that BitBake does not allow.
        UrlCharacters { url: String } => usage "url-characters":
            ("git repository {url}: BitBake can have no URL with these characters");
        /// The URL of a git repository has a protocol that BitBake does not know.
        UrlProtocol { url: String } => usage "url-protocol":
            ("git repository {url}: BitBake fetches git by https, http, ssh, git and file");
        /// The URL of a git repository has no host or no path.
        UrlIncomplete { url: String } => usage "url-incomplete": ("git repository {url}: it has no host or no path");
        /// The URL of a git repository has a password in it.
        UrlPassword { url: String } => usage "url-password":
            (
                "git repository {url}: a password stands in its URL. Put it into ~/.netrc or a git credential helper"
            );
        /// The licence file of a package is where its recipe does not have it.
        LicenceFileOutside { package: String, file: String, folder: String } => usage "licence-file-outside":
            ("{package}: license-file is {file}, which its recipe does not have"),
            help ("move the file into {folder}, and correct license-file in {folder}/Cargo.toml");
        /// The licence file of a package does not exist.
        LicenceFileMissing { package: String, file: String, folder: String } => usage "licence-file-missing":
            ("{package}: license-file is {file}, and there is no such file"),
            help ("move the file into {folder}, and correct license-file in {folder}/Cargo.toml");
        /// The licence of a package is not an SPDX expression.
        LicenceNotSpdx { package: String, license: String, part: String, reason: String, folder: String }
            => usage "licence-not-spdx":
            ("{package}: license = \"{license}\": `{part}`: {reason}"),
            help (
                "write an SPDX expression such as MIT OR Apache-2.0 into {folder}/Cargo.toml; for a licence of your \
                 own, license-file"
            );
        /// Neither the package, the workspace nor OE-Core has the text of a licence.
        NoLicenceText { package: String, license: String, name: String, folder: String } => usage "no-licence-text":
            ("{package}: license = \"{license}\": there is no text of {name}"),
            help ("put the text into {folder}/LICENSE");
        /// The recipe that cargo-bitbake has written lacks a variable.
        NoVariable { variable: String } => check "no-variable":
            ("{} {} wrote no {variable}", CARGO_BITBAKE.0, CARGO_BITBAKE.1);
        /// The recipe that cargo-bitbake has written lists other crates than the package has.
        OtherCrates { package: String } => check "other-crates":
            ("{} lists other crates for {package} than it was given", CARGO_BITBAKE.0);
    }
}
