//! apt: host packages, and packages that are only unpacked into a folder of ours.

use super::{capture, run, shell};
use crate::error::{At, Result};
use crate::errors::PackageError;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};
use xshell::{Cmd, Shell, cmd};

/// A fresh machine may be upgrading itself, and several of us may run: so long another apt is waited for.
const WAIT: Duration = Duration::from_secs(300);
/// What apt says of its lists when another works on them. It has an option to wait for dpkg, and none to wait for these.
const LISTS_TAKEN: &str = "Unable to lock directory";

/// Installs packages on the host. Needs root.
pub fn install(packages: &[&str], log: &Path) -> Result<()> {
    let sh = shell(Path::new("/"))?;
    sh.set_var("DEBIAN_FRONTEND", "noninteractive");
    sh.set_var("LC_ALL", "C");
    let wait = format!("-oDPkg::Lock::Timeout={}", WAIT.as_secs());
    let until = Instant::now() + WAIT;
    while let Err(error) = run("apt-get update", cmd!(sh, "apt-get -q {wait} update"), log) {
        if !error.message.contains(LISTS_TAKEN) || Instant::now() > until {
            return Err(error);
        }
        sleep(Duration::from_secs(1));
    }
    let install = cmd!(sh, "apt-get -q -y {wait} --no-install-recommends install {packages...}");
    run("apt-get install", install, log)
}

/// apt with lists, status and cache of its own: it uses the host's sources and keys, and leaves the host's state alone.
pub struct PrivateApt {
    sh: Shell,
    dir: PathBuf,
}

impl PrivateApt {
    /// For an architecture, with its state in `dir`.
    pub fn new(dir: &Path, architecture: &str) -> Result<Self> {
        for sub in ["lists/partial", "cache/archives/partial"] {
            let path = dir.join(sub);
            fs::create_dir_all(&path).at(&path)?;
        }
        let status = dir.join("status");
        fs::write(&status, "").at(&status)?;
        let text = format!(
            "APT::Architecture \"{architecture}\";\n#clear APT::Architectures;\nAPT::Architectures {{ \"{architecture}\"; }};\n\
             Dir::State::Lists \"{0}/lists\";\nDir::State::status \"{0}/status\";\nDir::Cache \"{0}/cache\";\n\
             Acquire::Languages \"none\";\nAcquire::Retries \"3\";\n{1}",
            dir.display(),
            // The user _apt may not write into our folders; then apt warns, or fails.
            if rustix::process::geteuid().is_root() { "APT::Sandbox::User \"root\";\n" } else { "" }
        );
        let conf = dir.join("apt.conf");
        fs::write(&conf, text).at(&conf)?;
        let sh = shell(dir)?;
        sh.set_var("APT_CONFIG", &conf);
        Ok(Self { sh, dir: dir.into() })
    }

    /// The same with sources of ours instead of the host's, and with keys for those that name none.
    pub fn with_sources(self, sources: &str, keys: Option<&Path>) -> Result<Self> {
        let (list, conf) = (self.dir.join("sources.list"), self.dir.join("apt.conf"));
        fs::write(&list, sources).at(&list)?;
        let mut text = fs::read_to_string(&conf).at(&conf)?;
        text +=
            &format!("Dir::Etc::SourceList \"{}\";\nDir::Etc::SourceParts \"/dev/null\";\n", list.display());
        if let Some(keys) = keys {
            text += &format!(
                "Dir::Etc::Trusted \"/dev/null\";\nDir::Etc::TrustedParts \"{}\";\n",
                keys.display()
            );
        }
        fs::write(&conf, text).at(&conf)?;
        Ok(self)
    }

    /// Writes all package lists into one file.
    pub fn cat_lists(&self, to: &Path, log: &Path) -> Result<()> {
        let script = "set -eu; apt-get indextargets --format '$(FILENAME)' 'Created-By: Packages' | while read -r list; do
              if [ -e \"$list\" ]; then /usr/lib/apt/apt-helper cat-file \"$list\"; echo; fi
            done > \"$1\"";
        let sh = &self.sh;
        run("reading apt's lists", cmd!(sh, "bash -o pipefail -c {script} bash {to}"), log)
    }

    /// Fetches the package lists.
    pub fn update(&self, log: &Path) -> Result<()> {
        let sh = &self.sh;
        // Without -eany a failed update is only a warning.
        run("apt-get update", cmd!(sh, "apt-get -q update -eany"), log)
    }

    /// The version that apt would install.
    pub fn candidate(&self, package: &str) -> Result<Option<String>> {
        let sh = &self.sh;
        let text = capture("apt-cache policy", cmd!(sh, "apt-cache policy {package}"))?;
        let found = text.lines().find_map(|line| line.trim().strip_prefix("Candidate: "));
        Ok(found.filter(|v| *v != "(none)").map(Into::into))
    }

    /// Names of the packages that a package depends on.
    pub fn depends(&self, package: &str) -> Result<Vec<String>> {
        let sh = &self.sh;
        let text = capture("apt-cache depends", cmd!(sh, "apt-cache depends {package}"))?;
        Ok(text.lines().filter_map(|line| line.trim().strip_prefix("Depends: ")).map(Into::into).collect())
    }

    /// Downloads packages and returns their files, each checked against the sha256 of apt's lists.
    pub fn download(&self, packages: &[String], log: &Path) -> Result<Vec<PathBuf>> {
        let sh = &self.sh;
        let uris = capture("apt-get download", cmd!(sh, "apt-get download --print-uris {packages...}"))?;
        run("apt-get download", cmd!(sh, "apt-get -q download {packages...}"), log)?;
        let mut files = Vec::new();
        for line in uris.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            let (Some(name), Some(sum)) =
                (words.get(1), words.get(3).and_then(|w| w.strip_prefix("SHA256:")))
            else {
                return Err(PackageError::NoChecksum { line: line.into() }.into());
            };
            let path = self.dir.join(name);
            // apt-get does not check a file that exists already with the right size.
            let found = bundle::hash_file(&path).at(&path)?.sha256;
            if found != *sum {
                let _ = fs::remove_file(&path);
                return Err(PackageError::WrongChecksum { path, found, expected: sum.into() }.into());
            }
            files.push(path);
        }
        Ok(files)
    }
}

/// Unpacks parts of a package into a folder.
pub fn unpack(package: &Path, into: &Path, parts: &[&str], log: &Path) -> Result<()> {
    let sh = shell(into)?;
    let script = "set -euo pipefail; deb=$1; shift; dpkg-deb --fsys-tarfile \"$deb\" | tar -x --no-same-owner --wildcards \"$@\"";
    let cmd: Cmd = cmd!(sh, "bash -c {script} bash {package} {parts...}");
    run("unpacking", cmd, log)
}

/// Writes a list of apt's, however it is compressed, to a plain file.
pub fn cat_file(list: &Path, to: &Path, log: &Path) -> Result<()> {
    let sh = shell(Path::new("/"))?;
    let script = "/usr/lib/apt/apt-helper cat-file \"$1\" > \"$2\"";
    run("reading apt's lists", cmd!(sh, "sh -c {script} sh {list} {to}"), log)
}
