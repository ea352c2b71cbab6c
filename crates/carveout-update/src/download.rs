//! Downloads, by apt's own program: it is on each Debian and Ubuntu, and goes by the proxies and certificates that the device is set up
//! with. What comes is believed no more than a file of anybody's: signature and checksums are looked at afterwards.

use crate::error::UpdateError;
use crate::programs;
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// apt's program.
const HELPER: &str = "/usr/lib/apt/apt-helper";
/// A download takes no longer.
const TIMEOUT: Duration = Duration::from_secs(3600);
/// A server that says nothing is given up after this many seconds.
const SILENCE: u32 = 30;
/// Folder for downloads.
const FOLDER: &str = "download";
/// Bytes that stay free on the disk.
const SPARE: u64 = 16 << 20;

/// Whether this names something to download.
pub fn is_url(name: &Path) -> bool {
    name.to_str().is_some_and(|name| name.starts_with("http://") || name.starts_with("https://"))
}

/// What is called so below a folder, or below a URL.
pub fn below(folder: &Path, path: &str) -> PathBuf {
    match folder.to_str().filter(|_| is_url(folder)) {
        Some(url) => format!("{}/{path}", url.trim_end_matches('/')).into(),
        None => folder.join(path),
    }
}

/// A folder for downloads, which goes with this.
pub struct Downloads(PathBuf);

impl Downloads {
    /// Below the folder of the state. What an earlier one has left there goes first.
    pub fn new(state: &Path) -> Result<Self, UpdateError> {
        let folder = state.join(FOLDER);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).map_err(|source| UpdateError::Io { path: folder.clone(), source })?;
        Ok(Self(folder))
    }

    /// Downloads a file of at most `most` bytes, and no more than there is room for.
    pub fn get(&self, url: &Path, name: &str, most: u64) -> Result<PathBuf, UpdateError> {
        let (path, log) = (self.0.join(name), self.0.join("log"));
        let failed = |source| UpdateError::Io { path: log.clone(), source };
        let told = |how: String| {
            let printed = fs::read(&log).unwrap_or_default();
            let printed = String::from_utf8_lossy(&printed);
            let first = printed.lines().find(|line| line.starts_with("E: ")).unwrap_or_default();
            UpdateError::Download { url: url.into(), how, first: first.trim_start_matches("E: ").to_owned() }
        };
        let room = rustix::fs::statvfs(&self.0).map_err(|error| failed(error.into()))?;
        let most = most.min(room.f_bavail.saturating_mul(room.f_frsize).saturating_sub(SPARE));
        let output = fs::File::create(&log).map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        let silence = ["http", "https"].map(|method| format!("-oAcquire::{method}::Timeout={SILENCE}"));
        let mut command = Command::new(HELPER);
        command.args(silence).args(["-oAcquire::Retries=3", "-oAPT::Sandbox::User=root", "download-file"]);
        command.arg(url).arg(&path).stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = command.spawn().map_err(|error| told(format!("{HELPER} does not start: {error}")))?;
        // All that it starts has the same limit.
        if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            let limit = Rlimit { current: Some(most), maximum: Some(most) };
            prlimit(Some(pid), Resource::Fsize, limit).map_err(|error| failed(error.into()))?;
        }
        programs::wait(child, TIMEOUT)
            .map_err(|how| told(how.replace("did not pass", "apt-helper has failed")))?;
        Ok(path)
    }
}

impl Drop for Downloads {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_known() {
        assert!(is_url(Path::new("https://updates.example/x")) && is_url(Path::new("http://a")));
        assert!(!is_url(Path::new("/a/http://b")) && !is_url(Path::new("file:///a")));
        assert_eq!(below(Path::new("http://a/b/"), "c/d"), Path::new("http://a/b/c/d"));
        assert_eq!(below(Path::new("/a/b"), "c/d"), Path::new("/a/b/c/d"));
    }
}
