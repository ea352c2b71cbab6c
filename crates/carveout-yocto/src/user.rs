//! Who runs BitBake: it refuses root, and so do we for it.

pub(crate) mod settings;

pub use settings::{LOCALE, VARIABLE};

use crate::errors::YoctoError;
use carveout_host::error::Result;
use carveout_host::packages::is_root;
use carveout_host::process;
use carveout_host::tools::{apt, capture, run, shell};
use carveout_host::ui::Ui;
use std::path::Path;
use xshell::{Cmd, Shell, cmd};

/// A user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum User {
    /// Us.
    Ourselves,
    /// Another, as we are root.
    Other(String),
}

impl User {
    /// Ourselves if we are not root; else who is named, or who has called sudo.
    pub fn choose() -> Result<Self> {
        if !is_root() {
            return Ok(Self::Ourselves);
        }
        let named = [VARIABLE, "SUDO_USER"].iter().find_map(|name| std::env::var(name).ok());
        Self::of_root(named)
    }

    fn of_root(named: Option<String>) -> Result<Self> {
        let Some(name) = named.filter(|name| !name.is_empty() && name != "root") else {
            return Err(YoctoError::RunByRoot.into());
        };
        let sh = shell(Path::new("/"))?;
        if capture("id", cmd!(sh, "id -u -- {name}")).is_err() {
            return Err(YoctoError::NoUser { user: name }.into());
        }
        Ok(Self::Other(name))
    }

    /// A command as this user.
    pub fn command<'a>(&self, sh: &'a Shell, program: &str) -> Cmd<'a> {
        match self {
            Self::Ourselves => sh.cmd(program),
            Self::Other(name) => cmd!(sh, "runuser -u {name} -- {program}"),
        }
    }

    /// The user must be able to read these folders.
    pub fn reads(&self, folders: &[&Path]) -> Result<()> {
        let Self::Other(name) = self else { return Ok(()) };
        let sh = shell(Path::new("/"))?;
        for folder in folders {
            let test = self
                .command(&sh, "test")
                .args(["-r".as_ref(), folder.as_os_str()])
                .arg("-a")
                .arg("-x")
                .arg(folder);
            if !process::succeeds(test) {
                let (path, user) = (folder.to_path_buf(), name.clone());
                return Err(YoctoError::UnreadableFolder { path, user }.into());
            }
        }
        Ok(())
    }

    /// Makes a folder and all in it the user's own.
    pub fn owns(&self, folder: &Path, log: &Path) -> Result<()> {
        let Self::Other(name) = self else { return Ok(()) };
        let sh = shell(Path::new("/"))?;
        let each = ["-exec", "chown", "-h", name, "{}", "+"];
        // Another user has built here before.
        if capture("stat", cmd!(sh, "stat --format=%U {folder}")).is_ok_and(|owner| owner.trim() != name) {
            return run("giving all build folders to the user", cmd!(sh, "find {folder} {each...}"), log);
        }
        // What the user has made is the user's already: only what root has written is touched.
        let find = cmd!(sh, "find {folder} -maxdepth 3 -user root {each...}");
        run("giving the build folder to the user", find, log)
    }
}

/// BitBake's locale must be there. As root it is made.
pub fn ensure_locale(offline: bool, log: &Path, ui: &Ui) -> Result<()> {
    let sh = shell(Path::new("/"))?;
    if has_locale(&sh) {
        return Ok(());
    }
    if is_root() && !offline {
        ui.note(&format!("making the locale {LOCALE}, which BitBake demands"));
        // Debian's localedef is libc-bin's, its sources are those of the package locales.
        if !Path::new("/usr/share/i18n/locales/en_US").exists() {
            apt::install(&["locales"], log)?;
        }
        run("localedef", cmd!(sh, "localedef -i en_US -f UTF-8 {LOCALE}"), log)?;
        if has_locale(&sh) {
            return Ok(());
        }
    }
    Err(YoctoError::NoLocale.into())
}

fn has_locale(sh: &Shell) -> bool {
    let known = capture("locale", cmd!(sh, "locale -a")).unwrap_or_default();
    known.lines().any(|line| line.eq_ignore_ascii_case("en_US.utf8") || line == LOCALE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_needs_another_user() {
        for name in [None, Some("root".to_owned()), Some(String::new())] {
            let error = User::of_root(name).unwrap_err();
            assert_eq!(error.message, "BitBake refuses to run as root");
            assert!(error.remedy.unwrap().contains("useradd"));
        }
        let error = User::of_root(Some("nobody-of-this-name".into())).unwrap_err();
        assert!(error.message.contains("no user nobody-of-this-name"), "{error}");
        assert_eq!(User::of_root(Some("nobody".into())).unwrap(), User::Other("nobody".into()));
    }
}
