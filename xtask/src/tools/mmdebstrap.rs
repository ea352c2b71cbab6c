//! mmdebstrap: Debian root filesystems as tar files.
//!
//! Two levels: a base, which takes minutes and changes seldom, and the base with client apps installed, which takes
//! seconds. The base keeps apt's lists, so that the second level resolves dependencies and finds checksums in the very
//! same signed index. Works as root, and for a user with subordinate ids in a user namespace; both give the same bytes.

use super::{capture, run, shell};
use crate::error::{At, Error, Result};
use crate::host::is_root;
use std::fs;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use xshell::{Cmd, cmd};

const ARCHITECTURE: &str = "arm64";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
const CUSTOMIZE: &str = include_str!("customize.sh");
const CONFIGURE: &str = r#"set -eu
mkdir -p "$1/etc/apt/apt.conf.d" "$1/etc/apt/auth.conf.d" "$1/etc/dpkg/dpkg.cfg.d"
cp "$2/apt.conf" "$1/etc/apt/apt.conf.d/01host"
cp "$2/dpkg.cfg" "$1/etc/dpkg/dpkg.cfg.d/01unsafe"
if [ -s "$2/netrc" ]; then cp "$2/netrc" "$1/etc/apt/auth.conf.d/host.conf"; fi
"#;
const UNCONFIGURE: &str = r#"set -eu
rm -f "$1/etc/apt/apt.conf.d/01host" "$1/etc/apt/auth.conf.d/host.conf" "$1/etc/dpkg/dpkg.cfg.d/01unsafe"
"#;

/// What mmdebstrap says of itself.
pub fn version() -> Result<String> {
    let sh = shell(Path::new("/"))?;
    capture("mmdebstrap", cmd!(sh, "mmdebstrap --version"))
}

/// A digest of how root filesystems are made: a change of it makes them anew.
pub fn recipe() -> String {
    bundle::sha256([CONFIGURE, UNCONFIGURE, CUSTOMIZE].concat().as_bytes())
}

/// A folder of scripts and settings for one run. It lies in the system's folder for temporary files: in a user
/// namespace others must be able to reach it.
struct Setup {
    dir: tempfile::TempDir,
    epoch: u64,
}

impl Setup {
    fn new(epoch: u64) -> Result<Self> {
        let dir = super::scratch("rootfs")?;
        // Root of a user namespace is another user to us and writes here; nobody replaces what is ours.
        open(dir.path(), if is_root() { 0o755 } else { 0o1777 })?;
        let setup = Self { dir, epoch };
        setup.write("apt.conf", &host_apt_settings()?)?;
        setup.write("dpkg.cfg", "force-unsafe-io\n")?;
        let credentials = host_credentials();
        if !credentials.is_empty() {
            let path = setup.path("netrc");
            fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path).at(&path)?;
            fs::write(&path, credentials).at(&path)?;
        }
        setup.write("configure.sh", CONFIGURE)?;
        setup.write("unconfigure.sh", UNCONFIGURE)?;
        setup.write("customize.sh", CUSTOMIZE)?;
        Ok(setup)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.path(name);
        fs::write(&path, text).at(&path)?;
        open(&path, 0o644)
    }

    /// A hook that runs one of our scripts with the root's and this folder's path.
    fn hook(&self, kind: &str, script: &str) -> String {
        let dir = self.dir.path().display();
        format!("--{kind}-hook=bash '{dir}/{script}' \"$1\" '{dir}'")
    }

    /// mmdebstrap with what both levels share.
    fn run(&self, what: &str, arguments: &[String], log: &Path) -> Result<()> {
        let sh = shell(Path::new("/"))?;
        let mode = if is_root() { "root" } else { "unshare" };
        let (configure, unconfigure) =
            (self.hook("setup", "configure.sh"), self.hook("customize", "unconfigure.sh"));
        let cmd: Cmd = cmd!(
            sh,
            "mmdebstrap --mode={mode} --architectures={ARCHITECTURE} --skip=check/signed-by --skip=output/dev
             {configure} {unconfigure} {arguments...}"
        );
        let cmd = cmd.env("SOURCE_DATE_EPOCH", self.epoch.to_string()).env("TZ", "UTC");
        run(what, cmd.env_remove("LANGUAGE").env_remove("LANG").env_remove("TAR_OPTIONS"), log)
    }
}

/// Makes the base: a minimal Debian with these packages besides.
pub fn base(suite: &str, packages: &[String], epoch: u64, out: &Path, log: &Path) -> Result<()> {
    let setup = Setup::new(epoch)?;
    let tar = setup.path("base.tar");
    let mut arguments = vec!["--variant=minbase".to_owned(), "--skip=cleanup/apt/lists".into()];
    if !packages.is_empty() {
        arguments.push(format!("--include={}", packages.join(",")));
    }
    arguments.extend([suite.to_owned(), tar.display().to_string()]);
    let sources = host_sources(suite)?;
    if !sources.is_empty() {
        setup.write("sources.list", &sources)?;
        arguments.push(setup.path("sources.list").display().to_string());
    }
    setup.run("mmdebstrap", &arguments, log)?;
    fs::copy(&tar, out).at(out)?;
    Ok(())
}

/// What a finished root filesystem consists of.
pub struct Finished {
    /// `dpkg-query`'s status, name, version and architecture of every package, by tabs.
    pub installed: String,
    /// The package lists of the archive, in a file.
    pub lists: PathBuf,
    _setup: Setup,
}

/// Installs client apps into a base and cleans up: no trace of the build host, safe to boot for the first time.
pub fn finish(base: &Path, debs: &[PathBuf], epoch: u64, out: &Path, log: &Path) -> Result<Finished> {
    let setup = Setup::new(epoch)?;
    let folder = setup.path("debs");
    fs::create_dir(&folder).at(&folder)?;
    open(&folder, 0o755)?;
    for deb in debs {
        let to = folder.join(deb.file_name().unwrap_or_default());
        fs::copy(deb, &to).at(&to)?;
        open(&to, 0o644)?;
    }
    // Copied, because a user namespace may not be able to reach the original.
    let (from, tar) = (setup.path("base.tar"), setup.path("final.tar"));
    fs::copy(base, &from).at(&from)?;
    open(&from, 0o644)?;
    let mut arguments = vec!["--variant=custom".to_owned(), "--skip=update,cleanup/reproducible".into()];
    arguments.push(format!("--setup-hook=tar-in '{}' /", from.display()));
    arguments.push("--setup-hook=mkdir -p \"$1/dev\"".into());
    arguments.push(setup.hook("customize", "customize.sh"));
    // Without suite and sources: nothing is fetched but what the client apps depend on.
    arguments.extend([String::new(), tar.display().to_string(), String::new()]);
    setup.run("mmdebstrap", &arguments, log)?;
    fs::copy(&tar, out).at(out)?;
    let installed = setup.path("installed");
    let installed = fs::read_to_string(&installed).at(&installed)?;
    Ok(Finished { installed, lists: setup.path("lists"), _setup: setup })
}

fn open(path: &Path, mode: u32) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).at(path)
}

/// Sources for a suite from the host's own apt, if it is a Debian that knows the suite. Otherwise empty: then
/// mmdebstrap takes its defaults.
fn host_sources(suite: &str) -> Result<String> {
    let sh = shell(Path::new("/"))?;
    let format = "$(RELEASE)|$(COMPONENT)|$(ORIGIN)|$(SITE)";
    let targets = cmd!(sh, "apt-get indextargets --format {format} 'Created-By: Packages'").ignore_status();
    let targets = capture("apt-get indextargets", targets)?;
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

/// The host's proxy and transport settings; mmdebstrap does not read them. They are removed before packing.
fn host_apt_settings() -> Result<String> {
    let sh = shell(Path::new("/"))?;
    let dump = capture("apt-config", cmd!(sh, "apt-config dump --no-empty"))?;
    let shapes =
        ["Acquire::http::", "Acquire::https::", "Acquire::ftp::", "Acquire::Check-", "Acquire::ForceIPv"];
    let wanted = dump.lines().filter(|line| shapes.iter().any(|shape| line.starts_with(shape)));
    Ok(wanted.chain(["Acquire::Retries \"3\";"]).map(|line| format!("{line}\n")).collect())
}

/// The host's passwords for archives. Only root has them: in a user namespace they would have to be readable by all. They
/// are removed before packing.
fn host_credentials() -> String {
    if !is_root() {
        return String::new();
    }
    let more = fs::read_dir("/etc/apt/auth.conf.d").into_iter().flatten().flatten().map(|e| e.path());
    let files = more.chain([PathBuf::from("/etc/apt/auth.conf")]);
    files.filter_map(|path| fs::read_to_string(path).ok()).collect()
}

/// What to mend in the config for what the archive does not have.
pub fn unknown(error: Error, suite: &str, config: &Path) -> Error {
    let config = config.display();
    if error.message.contains("Unable to locate package") {
        return error
            .remedy(format!("correct rootfs.packages in {config}: Debian {suite} has no such package"));
    }
    if error.message.contains("does not have a Release file") || error.message.contains("404  Not Found") {
        let remedy = format!("correct rootfs.suite in {config}: the archive has no suite {suite}");
        return Error::usage(error.message).remedy(remedy);
    }
    error
}
