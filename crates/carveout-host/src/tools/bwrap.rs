//! bubblewrap: runs a program that nobody vouches for, where it sees nothing but what it is given.
//!
//! As root, bubblewrap makes the namespaces and mounts, and unshare(1) enters the new root as another user, without capabilities: a
//! process in a changed root cannot make user namespaces either. As a user, all of it happens in a user namespace. Both see a root
//! folder of their own, /dev with the harmless nodes, and a small /tmp; no /proc, no network, no process of others.

use super::find;
use crate::error::{At, Result};
use crate::errors::SandboxError;
use crate::packages::{Need, is_root};
use crate::process;
use rustix::fs::{Gid, Uid};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use xshell::{Cmd, Shell};

/// What it takes.
pub const NEEDS: [Need; 3] = [
    Need { program: BWRAP, package: "bubblewrap", why: "keeps client apps away from this host" },
    Need { program: UNSHARE, package: "util-linux", why: "runs client apps as another user than root" },
    Need { program: BASH, package: "bash", why: "limits what client apps take of this host" },
];
const BWRAP: &str = "bwrap";
const UNSHARE: &str = "unshare";
const BASH: &str = "bash";
/// `nobody` and `nogroup` of Debian.
pub const NOBODY: u32 = 65534;
/// Bytes of the sandbox's /tmp, and of the root folder's own files.
const TMP: &str = "67108864";
/// Closes what we have inherited, a folder may be among it, and sets limits: 4 GiB for a file, 8 GiB of addresses. One that is refused is
/// lower already.
const LIMITED: &str = r#"set -eu
ulimit -c 0 2> /dev/null || :
ulimit -f 4194304 2> /dev/null || :
ulimit -n 1024 2> /dev/null || :
ulimit -v 8388608 2> /dev/null || :
ulimit -u "$1" 2> /dev/null || :
shift
for fd in /proc/self/fd/*; do
  fd=${fd##*/}
  if [ "$fd" -gt 2 ]; then eval "exec $fd>&-"; fi
done
exec env -u PWD -u OLDPWD -u SHLVL "$@""#;
/// How long it may take to start.
const TRY: Duration = Duration::from_secs(120);
/// Processes and threads that it may have.
const PROCESSES: usize = 256;

/// What a program sees, and where it runs.
pub struct Sandbox {
    root: PathBuf,
    folder: PathBuf,
    seen: Vec<Seen>,
    environment: Vec<(OsString, OsString)>,
    way: Way,
}

struct Seen {
    from: PathBuf,
    at: PathBuf,
    writable: bool,
}

/// How it is contained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Namespaces made by root; the program runs as nobody.
    Root,
    /// A user namespace.
    User,
    /// Root may change the root folder and the user, and make no namespaces.
    ChangedRoot,
}

impl Sandbox {
    /// An empty one, mounted in a scratch folder of ours. `folder` is where the program starts.
    pub fn new(scratch: &Path, folder: &Path) -> Result<Self> {
        let root = scratch.join("root");
        fs::create_dir(&root).at(&root)?;
        let way = if is_root() { Way::Root } else { Way::User };
        Ok(Self { root, folder: folder.into(), seen: Vec::new(), environment: Vec::new(), way })
    }

    /// Whether the program runs as nobody, to whom a file's owner and group do not apply.
    pub fn is_nobody(&self) -> bool {
        self.way != Way::User
    }

    /// Shows a file, a folder or a socket.
    pub fn show(&mut self, from: &Path, at: &Path) {
        self.seen.push(Seen { from: from.into(), at: at.into(), writable: false });
    }

    /// Shows a file of ours that the program may write, or a socket that it may talk to.
    pub fn give(&mut self, from: &Path, at: &Path) -> Result<()> {
        if self.is_nobody() {
            let (user, group) = (Uid::from_raw(NOBODY), Gid::from_raw(NOBODY));
            rustix::fs::chownat(
                rustix::fs::CWD,
                from,
                Some(user),
                Some(group),
                rustix::fs::AtFlags::SYMLINK_NOFOLLOW,
            )
            .map_err(Into::into)
            .at(from)?;
        }
        self.seen.push(Seen { from: from.into(), at: at.into(), writable: true });
        Ok(())
    }

    /// Sets a variable of its environment, which has no others.
    pub fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.environment.push((name.into(), value.into()));
    }

    /// Tries it. Where the kernel refuses namespaces, root falls back to another root folder and user: what that lacks is returned,
    /// to be said.
    pub fn ensure_works(&mut self, program: &[OsString]) -> Result<Option<&'static str>> {
        let tried = self.try_out(program)?;
        if tried.is_empty() {
            return Ok(None);
        }
        if self.way == Way::User {
            return Err(SandboxError::NoUserNamespaces { said: tried }.into());
        }
        self.way = Way::ChangedRoot;
        self.copy()?;
        let again = self.try_out(program)?;
        if again.is_empty() {
            return Ok(Some(
                "this host refuses namespaces: the client app runs as nobody in a root folder of its own, and can reach the network",
            ));
        }
        Err(SandboxError::NotContained { said: tried, said_without_namespaces: again }.into())
    }

    /// What is said if the program does not run; nothing if it does.
    fn try_out(&self, program: &[OsString]) -> Result<String> {
        let sh = process::shell(Path::new("."))?;
        let output = process::output(self.command(&sh, program)?, Some(TRY))
            .map_err(|unstarted| unstarted.of("containing the client app"))?;
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        Ok(match (output.status.success(), said.is_empty()) {
            (true, _) => String::new(),
            (false, true) => output.status.to_string(),
            (false, false) => said,
        })
    }

    /// Puts what is shown into the root folder, for want of mounts.
    fn copy(&self) -> Result<()> {
        for seen in &self.seen {
            let to = below(&self.root, &seen.at);
            let parent = to.parent().unwrap_or(&self.root);
            fs::create_dir_all(parent).at(parent)?;
            let kind = fs::metadata(&seen.from).at(&seen.from)?.file_type();
            if kind.is_dir() {
                copy_folder(&seen.from, &to)?;
            } else if seen.writable || kind.is_socket() {
                fs::hard_link(&seen.from, &to)
                    .map_err(|source| SandboxError::NotShared { path: seen.at.clone(), source })?;
            } else {
                fs::copy(&seen.from, &to).at(&seen.from)?;
            }
        }
        for folder in [&self.folder, Path::new("/tmp")] {
            let folder = below(&self.root, folder);
            fs::create_dir_all(&folder).at(&folder)?;
        }
        Ok(())
    }

    /// The command that runs a program in it, with our stdin, stdout and stderr.
    pub fn command<'a>(&self, sh: &'a Shell, program: &[OsString]) -> Result<Cmd<'a>> {
        let path = |name: &str| find(name).unwrap_or_else(|| name.into());
        let mut command = sh.cmd(path("env")).arg("-i");
        for (name, value) in &self.environment {
            let mut set = name.clone();
            set.push("=");
            set.push(value);
            command = command.arg(set);
        }
        let user = if self.is_nobody() { NOBODY } else { rustix::process::getuid().as_raw() };
        command = command
            .arg(path(BASH))
            .args(["--norc", "-c", LIMITED, "limited"])
            .arg((threads_of(user) + PROCESSES).to_string());
        if self.way != Way::ChangedRoot {
            command = command.arg(path(BWRAP)).args(self.namespaces()?).arg("--");
        } else {
            command = command.arg(path("setpriv")).args(["--no-new-privs", "--inh-caps=-all"]);
        }
        if self.is_nobody() {
            let option = |name: &str, value: &Path| {
                let mut option = OsString::from(name);
                option.push(value);
                option
            };
            // bubblewrap says where we are.
            command = command.args([path("env"), "-u".into(), "PWD".into()]);
            command = command
                .arg(path(UNSHARE))
                .arg(option("--root=", &self.root))
                .arg(option("--wd=", &self.folder));
            command = command.args([format!("--setgid={NOBODY}"), format!("--setuid={NOBODY}")]).arg("--");
        }
        Ok(command.args(program))
    }

    fn namespaces(&self) -> Result<Vec<OsString>> {
        let mut all = Vec::new();
        let mut add = |words: &[&str]| all.extend(words.iter().map(OsString::from));
        add(&["--die-with-parent", "--new-session", "--unshare-ipc", "--unshare-pid", "--unshare-net"]);
        add(&["--unshare-uts", "--unshare-cgroup-try", "--hostname", "client", "--cap-drop", "ALL"]);
        let help = help()?;
        let root = if self.way == Way::User {
            add(&["--unshare-user", "--uid", "65534", "--gid", "65534"]);
            if help.contains("--disable-userns") {
                add(&["--disable-userns"]);
            }
            Path::new("/")
        } else {
            for capability in ["CAP_SYS_CHROOT", "CAP_SETUID", "CAP_SETGID"] {
                add(&["--cap-add", capability]);
            }
            // For unshare(1), which leaves it behind.
            add(&["--ro-bind", "/", "/"]);
            &self.root
        };
        let size: &[&str] = if help.contains("--size") { &["--size", TMP] } else { &[] };
        add(size);
        let mut put = |words: &[&str], at: &Path| {
            all.extend(words.iter().map(OsString::from));
            all.push(below(root, at).into());
        };
        put(&["--tmpfs"], Path::new("/"));
        put(&["--dev"], Path::new("/dev"));
        let open: &[&str] = if help.contains("--perms") { &["--perms", "1777"] } else { &[] };
        put(&[size, open, &["--tmpfs"]].concat(), Path::new("/tmp"));
        // What bubblewrap makes on its own, others cannot enter.
        let mut folders = BTreeSet::from([self.folder.as_path()]);
        for path in self.seen.iter().map(|seen| seen.at.as_path()).chain([self.folder.as_path()]) {
            folders.extend(path.ancestors().skip(1));
        }
        for folder in
            folders.into_iter().filter(|folder| ![Path::new("/"), Path::new("/tmp")].contains(folder))
        {
            put(&["--dir"], folder);
        }
        for seen in &self.seen {
            let kind = if seen.writable { "--bind" } else { "--ro-bind" };
            all.extend([OsString::from(kind), seen.from.clone().into(), below(root, &seen.at).into()]);
        }
        for at in ["/dev", "/"] {
            all.extend([OsString::from("--remount-ro"), below(root, Path::new(at)).into()]);
        }
        if self.way == Way::User {
            all.extend([OsString::from("--chdir"), self.folder.clone().into()]);
        }
        Ok(all)
    }
}

/// An absolute path below another root folder.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// Which options this version knows.
fn help() -> Result<String> {
    let sh = super::shell(Path::new("/"))?;
    super::capture("bubblewrap", xshell::cmd!(sh, "bwrap --help"))
}

/// Threads that a user has: the limit counts them all.
fn threads_of(user: u32) -> usize {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let own = processes.filter(|entry| entry.metadata().is_ok_and(|metadata| metadata.uid() == user));
    own.map(|entry| fs::read_dir(entry.path().join("task")).map_or(0, Iterator::count)).sum()
}

/// Copies files and folders; links stay links.
fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir(to).at(to)?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o755)).at(to)?;
    for entry in fs::read_dir(from).at(from)? {
        let entry = entry.at(from)?;
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().at(&path)?;
        if kind.is_dir() {
            copy_folder(&path, &to)?;
        } else if kind.is_symlink() {
            let target = fs::read_link(&path).at(&path)?;
            std::os::unix::fs::symlink(target, &to).at(&to)?;
        } else {
            fs::copy(&path, &to).at(&path)?;
        }
    }
    Ok(())
}
