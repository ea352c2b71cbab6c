//! Crates of git: what a recipe fetches for them.
//!
//! BitBake's git fetcher takes the commit of Cargo.lock, and the class `carveout_rust` shows it to cargo under the URL that
//! Cargo.toml has: cargo builds the very package that it would build here. A submodule is a repository like any other.

use crate::errors::RecipesError;
use carveout_host::error::Result;
use carveout_host::tools::cargo::lock::{CrateSource, GitReference};
use carveout_host::tools::{capture, shell};
use carveout_keys::secret::without_secrets;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use xshell::cmd;

/// A commit of a repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Repository {
    /// Its URL, as Cargo.lock or .gitmodules has it.
    pub url: String,
    /// The commit.
    pub rev: String,
    /// Names under which cargo asks for the commit: `HEAD`, `refs/heads/main`.
    pub names: BTreeSet<String>,
}

/// An entry of SRC_URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name: SRCREV_name is the commit.
    pub name: String,
    /// What stands in SRC_URI.
    pub uri: String,
    /// The repository.
    pub repository: Repository,
}

/// A reference of cargo as git's.
fn ref_name(reference: &GitReference, rev: &str) -> String {
    match reference {
        GitReference::Default => "HEAD".into(),
        GitReference::Branch(name) => format!("refs/heads/{name}"),
        GitReference::Tag(name) => format!("refs/tags/{name}"),
        GitReference::Rev(name) if name.starts_with("refs/") => name.clone(),
        // cargo takes all branches and looks for the commit in them.
        GitReference::Rev(_) => format!("refs/heads/carveout-{rev}"),
    }
}

/// Repositories by URL and commit.
#[derive(Debug, Default)]
pub struct Repositories(BTreeMap<(String, String), BTreeSet<String>>);

impl Repositories {
    /// Adds what a crate comes from; others are none of ours.
    pub fn add(&mut self, source: &CrateSource) {
        if let CrateSource::Git { url, reference, rev } = source {
            self.insert(url, rev, ref_name(reference, rev));
        }
    }

    fn insert(&mut self, url: &str, rev: &str, name: String) {
        self.0.entry((url.into(), rev.into())).or_default().insert(name);
    }

    /// Adds the submodules of a work tree of cargo's, which has them checked out, and theirs.
    pub fn add_submodules(&mut self, folder: &Path, url: &str) -> Result<()> {
        let path = folder.join(".gitmodules");
        if !path.is_file() {
            return Ok(());
        }
        let sh = shell(folder)?;
        let get = |key: &str| -> Option<String> {
            let text = capture("git", cmd!(sh, "git config --file .gitmodules --get {key}"));
            text.ok().filter(|text| !text.is_empty())
        };
        let keys = cmd!(sh, "git config --file .gitmodules --name-only --get-regexp {SUBMODULE_PATH}");
        for key in capture("git", keys)?.lines() {
            let Some(section) = key.strip_suffix(".path") else { continue };
            // cargo leaves these out as well.
            if get(&format!("{section}.update")).as_deref() == Some("none") {
                continue;
            }
            let (Some(at), Some(child)) = (get(key), get(&format!("{section}.url"))) else {
                return Err(RecipesError::BadSubmodule { path, submodule: section.into() }.into());
            };
            let child = absolute(url, &child);
            let object = format!("HEAD:{at}");
            let rev = capture("git", cmd!(sh, "git rev-parse {object}"))?.trim().to_owned();
            self.insert(&child, &rev, format!("refs/heads/carveout-{rev}"));
            self.add_submodules(&folder.join(&at), &child)?;
        }
        Ok(())
    }

    /// All of them.
    pub fn into_set(self) -> BTreeSet<Repository> {
        let all = self.0.into_iter().map(|((url, rev), names)| Repository { url, rev, names });
        all.collect()
    }
}

const SUBMODULE_PATH: &str = r"^submodule\..*\.path$";

/// The URL of a submodule: one that begins with `./` or `../` is relative to its parent's, as cargo has it.
fn absolute(parent: &str, child: &str) -> String {
    if !child.starts_with("./") && !child.starts_with("../") {
        return child.into();
    }
    let (mut base, mut rest) = (parent.trim_end_matches('/'), child);
    loop {
        if let Some(after) = rest.strip_prefix("./") {
            rest = after;
        } else if let Some(after) = rest.strip_prefix("../") {
            base = base.rsplit_once('/').map_or(base, |(start, _)| start);
            rest = after;
        } else {
            return format!("{base}/{rest}");
        }
    }
}

/// The entries of SRC_URI of these repositories, with names that differ.
///
/// # Errors
/// A URL that BitBake 2.0's git fetcher cannot be told.
pub fn entries(repositories: &BTreeSet<Repository>) -> Result<Vec<Entry>> {
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let mut entries = Vec::new();
    for repository in repositories {
        let last = repository.url.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default();
        let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
        let base: String = last.trim_end_matches(".git").chars().map(plain).collect();
        let base = base.trim_matches('-').to_owned();
        let count = taken.entry(base.clone()).or_default();
        *count += 1;
        let name = if *count == 1 { format!("git-{base}") } else { format!("git-{base}-{count}") };
        let uri = uri(&repository.url, &name)?;
        entries.push(Entry { name, uri, repository: repository.clone() });
    }
    Ok(entries)
}

/// An entry of SRC_URI: git:// with the protocol of the URL. Any branch will do, as the commit is known (nobranch); cargo
/// takes the commit out of the clone itself (nocheckout).
fn uri(url: &str, name: &str) -> Result<String> {
    // Users and passwords are in no log.
    let shown = without_secrets(url).escape_debug().to_string();
    if url.chars().any(|c| c.is_whitespace() || c.is_control() || ";\"'$\\?#|&<>".contains(c)) {
        return Err(RecipesError::UrlCharacters { url: shown }.into());
    }
    let (protocol, rest) = match url.split_once("://") {
        Some((protocol @ ("https" | "http" | "ssh" | "git" | "file"), rest)) => (protocol, rest.to_owned()),
        // git's short form of ssh, in .gitmodules: user@host:path
        None if url.split_once(':').is_some_and(|(host, _)| !host.contains('/')) => {
            ("ssh", url.replacen(':', "/", 1))
        }
        _ => return Err(RecipesError::UrlProtocol { url: shown }.into()),
    };
    let (location, path) = rest.split_once('/').unwrap_or((&rest, ""));
    if path.is_empty() || (location.is_empty() != (protocol == "file")) {
        return Err(RecipesError::UrlIncomplete { url: shown }.into());
    }
    if location.rsplit_once('@').is_some_and(|(user, _)| user.contains(':')) {
        return Err(RecipesError::UrlPassword { url: shown }.into());
    }
    Ok(format!(
        "git://{location}/{path};protocol={protocol};nobranch=1;nocheckout=1;lfs=0;name={name};destsuffix=carveout-git/{name}"
    ))
}

/// The root of a work tree that cargo has checked out, of a file in it.
pub fn work_tree(file: &Path) -> Option<&Path> {
    file.ancestors().skip(1).find(|folder| folder.join(".cargo-ok").exists())
}

/// Whether a work tree is at the commit that it is to be at.
pub fn ensure_at(folder: &Path, rev: &str) -> Result<()> {
    let sh = shell(folder)?;
    let head = capture("git", cmd!(sh, "git rev-parse HEAD"))?;
    let found = head.trim();
    if found == rev {
        return Ok(());
    }
    Err(RecipesError::WrongCommit { path: folder.into(), found: found.into(), rev: rev.into() }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const REV: &str = "0123456789abcdef0123456789abcdef01234567";

    fn repositories(urls: &[&str]) -> BTreeSet<Repository> {
        let mut all = Repositories::default();
        for url in urls {
            all.add(&format!("git+{url}?branch=main#{REV}").parse().unwrap());
        }
        all.into_set()
    }

    #[test]
    fn urls_become_bitbakes() {
        for (url, location, protocol, name) in [
            ("https://git.example/team/wire.git", "git.example/team/wire.git", "https", "git-wire"),
            (
                "ssh://git@git.example:2222/team/Wire_proto",
                "git@git.example:2222/team/Wire_proto",
                "ssh",
                "git-wire-proto",
            ),
            ("file:///srv/git/wire", "/srv/git/wire", "file", "git-wire"),
            ("git@git.example:team/wire.git", "git@git.example/team/wire.git", "ssh", "git-wire"),
        ] {
            let mut all = Repositories::default();
            all.insert(url, REV, "HEAD".into());
            let entries = entries(&all.into_set()).unwrap();
            let expected = format!(
                "git://{location};protocol={protocol};nobranch=1;nocheckout=1;lfs=0;name={name};destsuffix=carveout-git/{name}"
            );
            assert_eq!((entries[0].uri.as_str(), entries[0].name.as_str()), (expected.as_str(), name));
        }
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_shown() {
        for url in [
            "https://me:hunter2@git.example/wire",
            "https://me:hunter2@git.example/a b",
            "https://me:hunter2@",
        ] {
            let error = uri(url, "git-wire").unwrap_err();
            let told = format!("{error} {:?}", error.facts);
            assert!(!told.contains("hunter2"), "{told}");
        }
        let error = uri("https://me:hunter2@git.example/wire", "git-wire").unwrap_err();
        assert_eq!(error.code, "yocto::recipes::url-password");
    }

    #[test]
    fn names_differ_and_one_commit_has_one_entry() {
        let mut all = Repositories::default();
        for (url, query, rev) in [
            ("https://a.example/wire", "", REV.to_owned()),
            ("https://a.example/wire", "?tag=v1", REV.to_owned()),
            ("https://a.example/wire", "?rev=ab", "ab".repeat(20)),
            ("https://b.example/wire", "?branch=next", REV.to_owned()),
        ] {
            all.add(&format!("git+{url}{query}#{rev}").parse().unwrap());
        }
        all.add(&CrateSource::CratesIo);
        let entries = entries(&all.into_set()).unwrap();
        let found: Vec<String> = entries
            .iter()
            .map(|e| format!("{} {:?}", e.name, e.repository.names.iter().collect::<Vec<_>>()))
            .collect();
        assert_eq!(
            found,
            [
                "git-wire [\"HEAD\", \"refs/tags/v1\"]".to_owned(),
                format!("git-wire-2 [\"refs/heads/carveout-{}\"]", "ab".repeat(20)),
                "git-wire-3 [\"refs/heads/next\"]".to_owned(),
            ]
        );
    }

    #[test]
    fn what_bitbake_cannot_fetch_is_refused() {
        for (url, expected) in [
            ("https://user:secret@git.example/wire", "url-password"),
            ("https://git.example/a;b", "url-characters"),
            ("svn://git.example/wire", "url-protocol"),
            ("https://git.example", "url-incomplete"),
        ] {
            let error = entries(&repositories(&[url])).unwrap_err();
            assert_eq!(error.code, format!("yocto::recipes::{expected}"), "{error}");
        }
    }

    #[test]
    fn submodules_are_repositories_too() {
        assert_eq!(
            absolute("https://a.example/team/wire.git", "../proto.git"),
            "https://a.example/team/proto.git"
        );
        assert_eq!(
            absolute("https://a.example/team/wire.git", "./proto"),
            "https://a.example/team/wire.git/proto"
        );
        assert_eq!(absolute("https://a.example/x", "https://b.example/y"), "https://b.example/y");
        let dir = tempfile::tempdir().unwrap();
        let git = |folder: &Path, arguments: &[&str]| {
            let settings = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always"];
            let sh = shell(folder).unwrap();
            cmd!(sh, "git {settings...} {arguments...}").quiet().ignore_stderr().read().unwrap()
        };
        let (child, parent) = (dir.path().join("child"), dir.path().join("parent"));
        for folder in [&child, &parent] {
            std::fs::create_dir(folder).unwrap();
            git(folder, &["init", "-q"]);
            git(folder, &["commit", "-q", "--allow-empty", "-m", "a"]);
        }
        git(&parent, &["submodule", "--quiet", "add", "../child", "third party"]);
        git(&parent, &["commit", "-q", "-m", "b"]);
        let mut all = Repositories::default();
        all.add_submodules(&parent, "https://a.example/team/parent").unwrap();
        let rev = git(&child, &["rev-parse", "HEAD"]);
        let found = all.into_set().pop_first().unwrap();
        assert_eq!((found.url.as_str(), found.rev.as_str()), ("https://a.example/team/child", rev.as_str()));
        assert_eq!(found.names, [format!("refs/heads/carveout-{rev}")].into());
    }
}
