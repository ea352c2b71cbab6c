//! What the build host's apt knows that a root filesystem is made with, and must not keep.

use carveout_host::error::Result;
use carveout_host::packages::is_root;
use carveout_host::process;
use carveout_host::tools::{capture, shell};
use carveout_product::Mirror;
use std::fs;
use std::path::{Path, PathBuf};
use xshell::cmd;

/// Of what is installed.
pub(super) const ARCHITECTURE: &str = "arm64";

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Sources for a suite from the host's own apt, if it is a Debian that knows the suite. Otherwise empty: then
/// mmdebstrap takes its defaults.
pub fn sources(suite: &str) -> Result<String> {
    let format = "$(RELEASE)|$(COMPONENT)|$(ORIGIN)|$(SITE)";
    let targets = targets(format)?;
    let mut lines = Vec::new();
    for target in targets.lines() {
        let [release, component, origin, site] = target.split('|').collect::<Vec<_>>()[..] else { continue };
        let wanted =
            release.strip_prefix(suite).is_some_and(|rest| ["", "-updates", "-security"].contains(&rest));
        let line = format!("deb [signed-by={KEYRING}] {site} {release} main\n");
        if wanted && component == "main" && origin == "Debian" && !lines.contains(&(release, line.clone())) {
            lines.push((release, line));
        }
    }
    let known = lines.iter().any(|(release, _)| *release == suite);
    Ok(lines.into_iter().filter(|_| known).map(|(_, line)| line).collect())
}

/// Sources of a product's mirrors. An archive as it was at a date has outlived the time that its Release file is valid for: that
/// is allowed here alone, and only for what a lock pins by sha256. apt does not copy packages of `file:`, and dpkg in the root
/// filesystem would not find them.
pub fn mirrors(mirrors: &[Mirror]) -> String {
    let line = |mirror: &Mirror, suite: &String| {
        let url = match mirror.url.strip_prefix("file://") {
            Some(path) => format!("copy://{path}"),
            None => mirror.url.clone(),
        };
        // Keys of the product's own are trusted for all sources that name none.
        let keys = if mirror.key.is_none() { format!(" signed-by={KEYRING}") } else { String::new() };
        format!("deb [check-valid-until=no{keys}] {url} {suite} main\n")
    };
    mirrors.iter().flat_map(|mirror| mirror.suites.iter().map(move |suite| line(mirror, suite))).collect()
}

/// Names of the suites that the build host's apt knows.
pub fn suites() -> Vec<String> {
    targets("$(RELEASE)").unwrap_or_default().lines().map(str::to_owned).collect()
}

/// The lists that the host's apt knows, even if it complains of some.
fn targets(format: &str) -> Result<String> {
    let sh = shell(Path::new("/"))?;
    let cmd = cmd!(sh, "apt-get indextargets --format {format} 'Created-By: Packages'");
    let output = process::output(cmd, None).map_err(|unstarted| unstarted.of("apt-get indextargets"))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The host's proxy and transport settings; mmdebstrap does not read them. They are removed before packing.
pub fn apt() -> Result<String> {
    let sh = shell(Path::new("/"))?;
    let dump = capture("apt-config", cmd!(sh, "apt-config dump --no-empty"))?;
    let shapes =
        ["Acquire::http::", "Acquire::https::", "Acquire::ftp::", "Acquire::Check-", "Acquire::ForceIPv"];
    let wanted = dump.lines().filter(|line| shapes.iter().any(|shape| line.starts_with(shape)));
    Ok(wanted.chain(["Acquire::Retries \"3\";"]).map(|line| format!("{line}\n")).collect())
}

/// The host's passwords for archives, which are root's. They are removed before packing.
pub fn credentials() -> String {
    if !is_root() {
        return String::new();
    }
    let more = fs::read_dir("/etc/apt/auth.conf.d").into_iter().flatten().flatten().map(|e| e.path());
    let files = more.chain([PathBuf::from("/etc/apt/auth.conf")]);
    files.filter_map(|path| fs::read_to_string(path).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_mirrors_may_be_out_of_date() {
        let mirror = |url: &str, suites: &[&str], key: Option<&str>| Mirror {
            url: url.into(),
            suites: suites.iter().map(|suite| (*suite).to_owned()).collect(),
            key: key.map(PathBuf::from),
        };
        let all = [
            mirror("https://h/archive/debian/20250101T000000Z/", &["a", "a-updates"], None),
            mirror("file:///srv/b", &["a"], Some("/k.asc")),
        ];
        assert_eq!(
            mirrors(&all),
            format!(
                "deb [check-valid-until=no signed-by={KEYRING}] https://h/archive/debian/20250101T000000Z/ a main\n\
                 deb [check-valid-until=no signed-by={KEYRING}] https://h/archive/debian/20250101T000000Z/ a-updates main\n\
                 deb [check-valid-until=no] copy:///srv/b a main\n"
            )
        );
        assert!(!sources("bookworm").unwrap().contains("valid-until"));
    }
}
