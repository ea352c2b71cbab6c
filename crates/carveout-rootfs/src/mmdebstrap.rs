//! mmdebstrap: root filesystems as tar files.
//!
//! Two levels: a base, which takes minutes and changes seldom, and the base with client apps installed, which takes
//! seconds. Debian's base keeps apt's lists, so that the second level resolves dependencies and finds checksums in the very
//! same signed index. A root filesystem that is given as a tarball goes through the same hooks, with nothing of mmdebstrap's
//! own done to it. Works as root, and for a user with subordinate ids in a user namespace; both give the same bytes.

mod archive;
mod explain;
mod hook_files;
mod mode;
mod settings;

pub use archive::Archives;
pub use explain::explained;
pub use hook_files::{DEBS, HookFiles};

use crate::errors::RootfsError;
use carveout_host::error::{At, Error, Result};
use carveout_host::packages::is_root;
use carveout_host::tools::namespace;
use carveout_host::tools::namespace::Folder;
use carveout_host::tools::{capture, run, shell};
use mode::open;
use settings::ARCHITECTURE;
use stage_cache::Work;
use std::fs;
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use xshell::{Cmd, cmd};

/// Our scripts, by the names that hooks call them by.
const SCRIPTS: [(&str, &str); 8] = [
    ("configure.sh", CONFIGURE),
    ("unconfigure.sh", UNCONFIGURE),
    ("customize.sh", include_str!("customize.sh")),
    ("given.sh", include_str!("given.sh")),
    ("inside.sh", include_str!("inside.sh")),
    ("l4t-debs.sh", include_str!("l4t-debs.sh")),
    ("l4t-sample.sh", include_str!("l4t-sample.sh")),
    ("unpack.sh", include_str!("unpack.sh")),
];
const CONFIGURE: &str = r#"set -eu
mkdir -p "$1/etc/apt/apt.conf.d" "$1/etc/apt/auth.conf.d" "$1/etc/dpkg/dpkg.cfg.d"
cp "$2/apt.conf" "$1/etc/apt/apt.conf.d/01host"
cp "$2/dpkg.cfg" "$1/etc/dpkg/dpkg.cfg.d/01unsafe"
if [ -s "$2/preferences" ]; then
  mkdir -p "$1/etc/apt/preferences.d"
  cp "$2/preferences" "$1/etc/apt/preferences.d/01carveout"
fi
if [ -s "$2/netrc" ]; then cp "$2/netrc" "$1/etc/apt/auth.conf.d/host.conf"; fi
"#;
const UNCONFIGURE: &str = r#"set -eu
rm -f "$1/etc/apt/apt.conf.d/01host" "$1/etc/apt/auth.conf.d/host.conf" "$1/etc/dpkg/dpkg.cfg.d/01unsafe"
"#;
/// All that mmdebstrap would do besides running hooks and packing. Device nodes and the policy for services are the hooks' own.
const NOTHING_OF_ITS_OWN: &str = "--skip=setup,update,cleanup,chroot/mount/dev,chroot/policy-rc.d";
/// mmdebstrap's own hook for releases whose /usr is merged: it is so from the beginning. Else the package usrmerge does it, with all of Perl,
/// which then stays.
const MERGED_USR: &str = "--hook-dir=/usr/share/mmdebstrap/hooks/maybe-merged-usr";
/// What mmdebstrap says of itself.
pub fn version() -> Result<String> {
    let sh = shell(Path::new("/"))?;
    capture("mmdebstrap", cmd!(sh, "mmdebstrap --version"))
}

/// A digest of how root filesystems are made: a change of it makes them anew.
pub fn recipe() -> String {
    let all: String = SCRIPTS.iter().map(|(name, text)| format!("{name}\n{text}\n")).collect();
    bundle::sha256(all.as_bytes())
}

/// A folder of scripts and settings for one run, and of the root filesystem meanwhile. Nobody else may write in it or look
/// around; apt's own user may pass through, if the folders above let him.
struct Setup<'a> {
    dir: Folder,
    epoch: u64,
    log: &'a Path,
}

impl<'a> Setup<'a> {
    fn new(work: &Work<'a>, epoch: u64) -> Result<Self> {
        let dir = Folder::new(work.scratch()?)?;
        open(dir.path(), 0o711)?;
        let setup = Self { dir, epoch, log: work.log };
        setup.write("apt.conf", &settings::apt()?)?;
        setup.write("dpkg.cfg", "force-unsafe-io\n")?;
        let credentials = settings::credentials();
        if !credentials.is_empty() {
            let path = setup.path("netrc");
            fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path).at(&path)?;
            fs::write(&path, credentials).at(&path)?;
        }
        SCRIPTS.iter().try_for_each(|(name, text)| setup.write(name, text))?;
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

    /// Gives a file a name in this folder.
    fn reach(&self, from: &Path, name: &str) -> Result<()> {
        let (from, to) = (fs::canonicalize(from).at(from)?, self.path(name));
        symlink(from, &to).at(&to)
    }

    /// A hook that runs one of our scripts with the root's and this folder's path.
    fn hook(&self, kind: &str, script: &str) -> String {
        let dir = self.dir.path().display();
        format!("--{kind}-hook=bash '{dir}/{script}' \"$1\" '{dir}'")
    }

    /// mmdebstrap with what all levels share. What hooks install with apt has the host's settings.
    fn run(&self, what: &str, settings: bool, arguments: &[String]) -> Result<()> {
        let (sh, log) = (shell(Path::new("/"))?, self.log);
        let namespace = namespace::entered(log)?;
        let mode = if is_root() { "root" } else { "unshare" };
        let hook = |kind, script| settings.then(|| self.hook(kind, script));
        let (configure, unconfigure) = (hook("setup", "configure.sh"), hook("customize", "unconfigure.sh"));
        let cmd: Cmd = cmd!(
            sh,
            "env {namespace...} mmdebstrap --mode={mode} --architectures={ARCHITECTURE} --skip=check/signed-by --skip=output/dev
             {configure...} {arguments...} {unconfigure...}"
        );
        let cmd = cmd
            .env("SOURCE_DATE_EPOCH", self.epoch.to_string())
            .env("TZ", "UTC")
            .env("TMPDIR", self.dir.path());
        run(what, cmd.env_remove("LANGUAGE").env_remove("LANG").env_remove("TAR_OPTIONS"), log)
            .map_err(|error| explain::with_first_error(error, log))
    }

    /// A root filesystem that is given, through one of our scripts.
    fn run_given(&self, what: &str, tarball: &Path, script: &str, out: &Path) -> Result<String> {
        self.reach(tarball, "tarball")?;
        let (unpack, script) = (self.hook("setup", "unpack.sh"), self.hook("customize", script));
        let options = ["--variant=custom", NOTHING_OF_ITS_OWN, &unpack, &script].map(str::to_owned);
        // Without suite and sources.
        let positional = [String::new(), out.display().to_string(), String::new()];
        self.run(what, false, &[&options[..], &positional].concat())?;
        let installed = self.path("installed");
        fs::read_to_string(&installed).at(&installed)
    }
}

/// Makes the base: a minimal Debian with these packages besides, and with NVIDIA's, if there are parts. apt's preferences stay in
/// it for the next level.
pub fn base(
    suite: &str,
    packages: &[String],
    archives: &Archives,
    l4t: Option<&HookFiles>,
    epoch: u64,
    out: &Path,
    work: &Work,
) -> Result<()> {
    let setup = Setup::new(work, epoch)?;
    let mut arguments =
        vec!["--variant=minbase".to_owned(), "--skip=cleanup/apt/lists".into(), MERGED_USR.into()];
    if !packages.is_empty() {
        arguments.push(format!("--include={}", packages.join(",")));
    }
    if let Some(parts) = l4t {
        parts.put(setup.dir.path())?;
        arguments.push(setup.hook("customize", "l4t-debs.sh"));
    }
    setup.write("preferences", archives.preferences())?;
    if let Some(keys) = archives.put_keys(setup.dir.path())? {
        arguments.push(format!("--keyring={}", keys.display()));
    }
    arguments.extend([suite.to_owned(), out.display().to_string()]);
    if !archives.sources().is_empty() {
        setup.write("sources.list", archives.sources())?;
        arguments.push(setup.path("sources.list").display().to_string());
    }
    setup.run("mmdebstrap", true, &arguments)
}

/// NVIDIA's sample root filesystem with what its apply_binaries.sh puts into it. Returns what is installed, as
/// [`Finished::installed`].
pub fn sample(tarball: &Path, l4t: &HookFiles, epoch: u64, out: &Path, work: &Work) -> Result<String> {
    let setup = Setup::new(work, epoch)?;
    l4t.put(setup.dir.path())?;
    setup.run_given("NVIDIA's apply_binaries.sh", tarball, "l4t-sample.sh", out)
}

/// What a finished root filesystem consists of.
pub struct Finished<'a> {
    /// `dpkg-query`'s status, name, version and architecture of every package, by tabs.
    pub installed: String,
    /// The package lists of the archive, in a file.
    pub lists: PathBuf,
    _setup: Setup<'a>,
}

/// Installs client apps into Debian's base and cleans up: no trace of the build host, safe to boot for the first time.
pub fn finish<'a>(
    base: &Path,
    debs: &[PathBuf],
    epoch: u64,
    out: &Path,
    work: &Work<'a>,
) -> Result<Finished<'a>> {
    let setup = Setup::new(work, epoch)?;
    HookFiles::default().with_debs(debs).put(setup.dir.path())?;
    setup.reach(base, "base.tar")?;
    let mut arguments = vec!["--variant=custom".to_owned(), "--skip=update,cleanup/reproducible".into()];
    arguments.push(format!("--setup-hook=tar-in '{}' /", setup.path("base.tar").display()));
    arguments.push("--setup-hook=mkdir -p \"$1/dev\"".into());
    arguments.push(setup.hook("customize", "customize.sh"));
    // Without suite and sources: nothing is fetched but what the client apps depend on.
    arguments.extend([String::new(), out.display().to_string(), String::new()]);
    setup.run("mmdebstrap", true, &arguments)?;
    let installed = setup.path("installed");
    let installed = fs::read_to_string(&installed).at(&installed)?;
    Ok(Finished { installed, lists: setup.path("lists"), _setup: setup })
}

/// Installs client apps into a root filesystem that is given, and changes nothing else in it. Returns what is installed, as
/// [`Finished::installed`].
pub fn finish_given(tarball: &Path, debs: &[PathBuf], epoch: u64, out: &Path, work: &Work) -> Result<String> {
    let setup = Setup::new(work, epoch)?;
    HookFiles::default().with_debs(debs).put(setup.dir.path())?;
    let made = setup.run_given("installing the client apps", tarball, "given.sh", out);
    made.map_err(|error| not_for_it(error, tarball))
}

/// What is wrong with a root filesystem that client apps cannot be installed in.
fn not_for_it(error: Error, tarball: &Path) -> Error {
    let path = tarball.to_owned();
    // given.sh says so.
    if error.message.contains("carveout: the root filesystem is for") {
        RootfsError::WrongArchitecture { path, source: error.message.into() }.into()
    } else if error.message.contains("dependency problems") {
        RootfsError::AppsLackPackages { path, source: error.message.into() }.into()
    } else {
        error
    }
}
