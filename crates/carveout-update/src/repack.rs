//! dpkg: installs, removes, and what it takes to pack an installed package again.

use crate::error::UpdateError;
use crate::programs;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// A package's scripts may take their time.
const TIMEOUT: Duration = Duration::from_secs(600);
/// What they print.
const LOG: &str = "dpkg.log";
/// Fields of an installed package that are dpkg's own.
const OF_DPKG: [&str; 3] = ["Status", "Conffiles", "Config-Version"];

/// dpkg of the system below `root`.
pub struct Dpkg<'a> {
    /// `/`, or what stands for it.
    pub root: &'a Path,
    /// Where packages are packed, and where the log is.
    pub folder: &'a Path,
}

impl Dpkg<'_> {
    /// Installs packages, whatever versions are there. Configuration that somebody has changed stays.
    pub fn install(&self, debs: &[PathBuf]) -> Result<(), UpdateError> {
        self.dpkg(&["--force-confdef", "--force-confold", "--force-downgrade", "--install"], debs)
    }

    /// Removes packages with their configuration, be they half unpacked.
    pub fn purge(&self, names: &[&str]) -> Result<(), UpdateError> {
        self.dpkg(&["--force-remove-reinstreq", "--purge"], names)
    }

    /// Whether it would install them: all that they depend on is there.
    pub fn would_install(&self, debs: &[PathBuf]) -> Result<(), UpdateError> {
        self.dpkg(&["--no-act", "--force-downgrade", "--install"], debs)
    }

    fn dpkg<S: AsRef<OsStr>>(&self, options: &[&str], what: &[S]) -> Result<(), UpdateError> {
        if what.is_empty() {
            return Ok(());
        }
        let mut command = Command::new("dpkg");
        if self.root != Path::new("/") {
            command.arg(format!("--root={}", self.root.display()));
        }
        command.args(options).args(what).env("DEBIAN_FRONTEND", "noninteractive");
        self.run(command, &format!("dpkg {}", options.join(" ")))
    }

    /// Packs what is installed of a package; the file's name, or none if there is nothing.
    pub fn repack(&self, name: &str) -> Result<Option<String>, UpdateError> {
        let status = self.ask(&["-W", "-f=${db:Status-Status}", name]);
        if status.is_none_or(|status| status != "installed") {
            return Ok(None);
        }
        let ask = |arguments: &[&str]| {
            self.ask(arguments).ok_or_else(|| UpdateError::Repack { package: name.into() })
        };
        let work = self.folder.join(format!("{name}.work"));
        let debian = work.join("DEBIAN");
        let failed = |source| UpdateError::Io { path: work.clone(), source };
        fs::create_dir_all(&debian).map_err(failed)?;
        let stanza = ask(&["-s", name])?;
        fs::write(debian.join("control"), control(&stanza)).map_err(failed)?;
        let kept = conffiles(&stanza);
        if !kept.is_empty() {
            fs::write(debian.join("conffiles"), kept).map_err(failed)?;
        }
        for script in ask(&["--control-list", name])?.lines().filter(|script| *script != "conffiles") {
            let path = debian.join(script);
            fs::write(&path, ask(&["--control-show", name, script])?).map_err(failed)?;
            let program = ["preinst", "postinst", "prerm", "postrm", "config"].contains(&script);
            let mode = if program { 0o755 } else { 0o644 };
            let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
            fs::set_permissions(&path, mode).map_err(failed)?;
        }
        // Of a file that is gone nothing can be packed.
        let files = ask(&["-L", name])?;
        let files = files.lines().filter_map(|path| path.strip_prefix('/')).filter(|path| *path != ".");
        let there = files.filter(|path| self.root.join(path).symlink_metadata().is_ok());
        let (list, tar) = (work.join("DEBIAN.list"), work.join("DEBIAN.tar"));
        fs::write(&list, there.map(|path| format!("./{path}\n")).collect::<String>()).map_err(failed)?;
        let mut pack = Command::new("tar");
        pack.args(["--no-recursion", "--verbatim-files-from", "--xattrs", "-cf"]).arg(&tar).arg("-C");
        pack.arg(self.root).arg("-T").arg(&list);
        self.run(pack, "tar -c")?;
        let mut unpack = Command::new("tar");
        unpack.args(["--xattrs", "--same-owner", "-xpf"]).arg(&tar).arg("-C").arg(&work);
        self.run(unpack, "tar -x")?;
        [&list, &tar].into_iter().try_for_each(fs::remove_file).map_err(failed)?;
        let file = format!("{name}.before.deb");
        let mut build = Command::new("dpkg-deb");
        build.args(["-Zgzip", "--build"]).arg(&work).arg(self.folder.join(&file));
        self.run(build, "dpkg-deb --build")?;
        fs::remove_dir_all(&work).map_err(failed)?;
        let packed = self.folder.join(&file);
        fs::File::open(&packed)
            .and_then(|file| file.sync_all())
            .map_err(|source| UpdateError::Io { path: packed, source })?;
        Ok(Some(file))
    }

    fn ask(&self, arguments: &[&str]) -> Option<String> {
        self.query(arguments).map(|output| String::from_utf8_lossy(&output).into_owned())
    }

    /// What dpkg knows; none if it knows nothing of it.
    pub fn query<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Option<Vec<u8>> {
        let mut command = Command::new("dpkg-query");
        // Ubuntu 18.04 has no --root of it.
        command.arg(format!("--admindir={}", self.root.join("var/lib/dpkg").display()));
        let output = command.args(arguments).env("LC_ALL", "C").stdin(Stdio::null()).output().ok()?;
        output.status.success().then_some(output.stdout)
    }

    fn run(&self, command: Command, program: &str) -> Result<(), UpdateError> {
        programs::logged(command, program, &self.folder.join(LOG), TIMEOUT)
    }
}

/// A package's control file, of what dpkg has of it.
fn control(stanza: &str) -> String {
    let mut left_out = false;
    let kept = |line: &&str| {
        if !line.starts_with([' ', '\t']) {
            left_out = line.split(':').next().is_some_and(|field| OF_DPKG.contains(&field));
        }
        !left_out && !line.is_empty()
    };
    stanza.lines().filter(kept).map(|line| format!("{line}\n")).collect()
}

/// Its configuration files, a line each.
fn conffiles(stanza: &str) -> String {
    let lines = stanza.lines().skip_while(|line| !line.starts_with("Conffiles:")).skip(1);
    let lines = lines.take_while(|line| line.starts_with(' ')).filter(|line| !line.ends_with(" obsolete"));
    lines.filter_map(|line| line.trim().split(' ').next()).map(|path| format!("{path}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_dpkg_knows_becomes_a_control_file() {
        let stanza = "Package: a\nStatus: install ok installed\nVersion: 1\nConffiles:\n /etc/a 0123\n /etc/b 4567 obsolete\n\
                      Description: an app\n with more\n .\n lines\n";
        assert_eq!(control(stanza), "Package: a\nVersion: 1\nDescription: an app\n with more\n .\n lines\n");
        assert_eq!(conffiles(stanza), "/etc/a\n");
        assert_eq!(conffiles("Package: a\n"), "");
    }
}
