//! A client app out of a package, in a sandbox: what it is made of, and what it is given.

use super::package::{Libraries, program};
use super::qemu_user::{LIBC, QEMU, ensure};
use super::request::EmulateRequest;
use crate::errors::ClientError;
use carveout_host::dirs::Dirs;
use carveout_host::error::{At, Result};
use carveout_host::packages::Need;
use carveout_host::tools::bwrap::Sandbox;
use carveout_host::tools::{dpkg, find};
use carveout_host::ui::Ui;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};
use tempfile::NamedTempFile;

/// Paths in the sandbox. No file of a user is likely to be here.
const QEMU_INSIDE: &str = "/carveout/qemu";
const PACKAGE: &str = "/carveout/package";
const LIBRARIES: &str = "/carveout/libraries";
/// The emulator's socket.
pub const DEVICE: &str = "/carveout/trusty";
/// For programs that are linked with Debian's C library.
const LIBRARY_NEEDS: [Need; 2] = [
    Need {
        program: "/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1",
        package: "libc6-arm64-cross",
        why: "C library of client apps that are not static",
    },
    Need {
        program: "/usr/aarch64-linux-gnu/lib/libgcc_s.so.1",
        package: "libgcc-s1-arm64-cross",
        why: "library of client apps that are not static",
    },
];

/// What is ready to run once there is a socket.
pub struct Contained {
    /// Its file's name.
    pub name: String,
    /// Where it runs.
    pub sandbox: Sandbox,
    /// qemu, its options and the program.
    pub program: Vec<OsString>,
    /// What it writes.
    pub written: Vec<Written>,
}

/// A file that a client app writes: beside the one that is meant, until it has ended.
pub struct Written {
    file: NamedTempFile,
    path: PathBuf,
}

impl Written {
    fn new(path: &Path) -> Result<Self> {
        let path = std::path::absolute(path).at(path)?;
        let is_other = fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file());
        let folder = path.parent().filter(|_| !is_other && path.file_name().is_some());
        let folder = folder.ok_or_else(|| ClientError::WritesNoFile { path: path.clone() })?;
        let file = tempfile::Builder::new().prefix(".carveout-client-").tempfile_in(folder).at(folder)?;
        Ok(Self { file, path })
    }

    /// Puts it in its place, as a file of the user's own. What the client app has not written leaves no file.
    pub fn keep(self) -> Result<()> {
        let path = self.path;
        if self.file.as_file().metadata().at(&path)?.len() == 0 {
            return Ok(());
        }
        let own = (rustix::process::geteuid(), rustix::process::getegid());
        rustix::fs::fchown(self.file.as_file(), Some(own.0), Some(own.1)).map_err(Into::into).at(&path)?;
        rustix::fs::fchmod(self.file.as_file(), rustix::fs::Mode::from_raw_mode(0o644))
            .map_err(Into::into)
            .at(&path)?;
        self.file.persist(&path).map(drop).map_err(|e| e.error).at(&path)
    }
}

impl Contained {
    /// Unpacks a package and looks at its program.
    pub fn new(
        name: &str,
        deb: &[u8],
        args: &EmulateRequest,
        dir: &Path,
        dirs: &Dirs,
        ui: &Ui,
    ) -> Result<Self> {
        let (file, package) = (dir.join("client.deb"), dir.join("client"));
        carveout_host::files::put(&file, deb)?;
        dpkg::unpack(name, &file, &package, &dirs.logs()?.join("client.log"))?;
        let (path, libraries) = program(name, &package)?;
        if libraries == Libraries::Debian {
            ensure(&LIBRARY_NEEDS, dirs, ui)?;
        }
        let folder = std::env::current_dir().map_err(|source| ClientError::NoCurrentFolder { source })?;
        let mut sandbox = Sandbox::new(dir, &folder)?;
        sandbox.set("PATH", "/usr/bin");
        sandbox.set("HOME", "/tmp");
        sandbox.show(&find(QEMU).unwrap_or_else(|| QEMU.into()), Path::new(QEMU_INSIDE));
        sandbox.show(&package, Path::new(PACKAGE));
        let mut program = vec![OsString::from(QEMU_INSIDE)];
        match libraries {
            Libraries::Static => {}
            Libraries::Package => program.extend(["-L", PACKAGE].map(Into::into)),
            Libraries::Debian => {
                sandbox.show(Path::new(LIBC), Path::new(LIBRARIES));
                program.extend(["-L", LIBRARIES].map(Into::into));
            }
        }
        program.push(Path::new(PACKAGE).join(&path).into());
        let written = args.writes.iter().map(|path| Written::new(path)).collect::<Result<Vec<_>>>()?;
        for written in &written {
            sandbox.give(written.file.path(), &written.path)?;
        }
        for argument in &args.client_args {
            let Some((from, at, metadata)) = named(argument, &folder) else { continue };
            if written.iter().any(|written| written.path == at) {
                continue;
            }
            if sandbox.is_nobody() && metadata.mode() & 0o004 == 0 {
                let mode = format!("{:04o}", metadata.mode() & 0o7777);
                return Err(ClientError::NotReadableByNobody { argument: argument.clone(), mode }.into());
            }
            sandbox.show(&from, &at);
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, sandbox, program, written })
    }
}

/// The regular file that an argument of the user's names, `FILE` or `--option=FILE`: itself, and its path where the client app looks
/// for it.
fn named(argument: &str, folder: &Path) -> Option<(PathBuf, PathBuf, Metadata)> {
    let value = argument
        .strip_prefix("--")
        .map_or(argument, |option| option.split_once('=').map_or(argument, |(_, value)| value));
    let mut at = PathBuf::new();
    for component in folder.join(value).components() {
        match component {
            Component::ParentDir => drop(at.pop()),
            other => at.push(other),
        }
    }
    let from = fs::canonicalize(value).ok()?;
    let metadata = fs::metadata(&from).ok().filter(Metadata::is_file)?;
    // A folder's link before `..` would lead elsewhere there.
    (fs::canonicalize(&at).ok()? == from).then_some((from, at, metadata))
}
