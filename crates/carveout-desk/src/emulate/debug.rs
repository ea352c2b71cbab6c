//! What a debugger needs: the trusted app's file with its debug information, scripts, and after a fault the core file. It stays in a
//! folder of the workspace.

use super::faults::fault;
use super::request::Debugged;
use super::target::EmulationTarget;
use crate::Workshop;
use crate::errors::EmulateError;
use crate::symbols::{KnownApp, NotOne, the_one};
use carveout_host::dirs::Dirs;
use carveout_host::error::{At, Error, Result};
use carveout_host::files;
use carveout_host::ui::Ui;
use serde_json::Value;
use std::cell::OnceCell;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// The debugger, and the package of Debian's that has it.
const GDB: &str = "gdb-multiarch";
/// What one run at a time holds to write into a folder for debuggers.
const LOCK: &str = ".lock";

/// How a debugger comes to a trusted app.
pub struct Attach {
    /// The option of the emulator.
    pub option: String,
    /// What a person is told.
    pub how: [String; 2],
}

/// The trusted apps that a debugger may come to, and those whose core files are kept.
pub struct Debugging<'a> {
    /// Where files for debuggers are.
    home: PathBuf,
    /// Knows where sources are; asked when a script is written.
    workshop: &'a dyn Workshop,
    /// Where sources of trusted apps in C are.
    in_c: Vec<(PathBuf, String)>,
    /// The trusted apps of the image.
    pub apps: Vec<KnownApp>,
    /// The scratch folder, where the emulator writes.
    pub dir: PathBuf,
    /// Held while a debugger may come: its script is one file for each trusted app.
    lock: OnceCell<File>,
}

impl<'a> Debugging<'a> {
    /// Of these trusted apps, with a scratch folder.
    pub fn new(target: &EmulationTarget, workshop: &'a dyn Workshop, dirs: &Dirs, dir: &Path) -> Self {
        let home = dirs.home().join("debug");
        let in_c = target.sources.clone();
        Self { home, workshop, in_c, apps: target.trusted_apps(), dir: dir.into(), lock: OnceCell::new() }
    }

    /// Options of the emulator: where core files go.
    pub fn options(&self) -> Vec<String> {
        let core = |app: &KnownApp| format!("--core={}={}", app.uuid, self.core(app).display());
        self.apps.iter().map(core).collect()
    }

    fn core(&self, app: &KnownApp) -> PathBuf {
        self.dir.join(format!("{}.core", app.uuid))
    }

    /// Lets a debugger come to a trusted app.
    pub fn attach(&self, wanted: &Debugged) -> Result<Attach> {
        let app = self.wanted(wanted)?;
        let socket = self.dir.join("gdb");
        let folder = self.folder(app)?;
        let lock = files::try_lock(&folder.join(LOCK))?;
        let lock = lock.ok_or_else(|| EmulateError::GdbTaken { name: app.name.clone() })?;
        let _ = self.lock.set(lock);
        let gdb = format!("target remote {}\n", socket.display());
        let connect = format!("process connect --plugin gdb-remote unix-connect://{}\n", socket.display());
        // lldb asks the emulator where the file lies, and is not told: it lies where it was linked to.
        let lldb = format!("{connect}target modules load --file {}.elf --slide 0\n", file_name(app));
        let script = self.scripts(app, &folder, "attach", &gdb, &lldb)?;
        let waits =
            format!("{} waits for a debugger before its first instruction; in another terminal:", app.name);
        let how = [waits, format!("  {GDB} -x {}", script.display())];
        Ok(Attach { option: format!("--gdb={}={}", app.uuid, socket.display()), how })
    }

    fn wanted(&self, wanted: &Debugged) -> Result<&KnownApp> {
        let name = match wanted {
            Debugged::Only => None,
            Debugged::Named(name) => Some(name.as_str()),
        };
        the_one(&self.apps, name).map_err(|error| match error {
            NotOne::Unnamed(known) => EmulateError::GdbWhichApp { known }.into(),
            NotOne::Unknown(name, known) => EmulateError::GdbUnknownApp { name, known }.into(),
        })
    }

    /// What stopped Trusty, if anything did, with the core file if there is one.
    pub fn fault(&self, stats: &Value, ui: &Ui) -> Option<Error> {
        let error = fault(stats, ui)?;
        // A fault is told whether its core file could be kept or not.
        let kept = self.keep_core();
        let line = kept.unwrap_or_else(|failed| Some(format!("  no core file is kept: {}", failed.message)));
        Some(match line {
            Some(line) => error.with_lines(line),
            None => error,
        })
    }

    /// Keeps the core file that the emulator has written, if it has. How it is opened.
    pub fn keep_core(&self) -> Result<Option<String>> {
        let Some(app) = self.apps.iter().find(|app| self.core(app).exists()) else { return Ok(None) };
        let folder = self.folder(app)?;
        // Unless it is ours already.
        let _lock = self.lock.get().is_none().then(|| files::lock(&folder.join(LOCK))).transpose()?;
        let kept = folder.join(format!("{}.core", file_name(app)));
        files::copy(&self.core(app), &kept, files::OUTPUT)?;
        let gdb = format!("core-file {}\n", quoted(&kept));
        let script = self.scripts(app, &folder, "core", &gdb, "")?;
        Ok(Some(format!("  core file: {}\n  look at it: {GDB} -x {}", kept.display(), script.display())))
    }

    fn folder(&self, app: &KnownApp) -> Result<PathBuf> {
        let folder = self.home.join(file_name(app));
        fs::create_dir_all(&folder).at(&folder)?;
        Ok(folder)
    }

    /// The trusted app's file, and scripts of this name for gdb and lldb: that for gdb.
    fn scripts(&self, app: &KnownApp, folder: &Path, name: &str, gdb: &str, lldb: &str) -> Result<PathBuf> {
        let elf = folder.join(format!("{}.elf", file_name(app)));
        files::put(&elf, app.debug.as_deref().unwrap_or(&app.elf))?;
        let mut text =
            format!("# Written by carveout: {GDB} -x FILE\nset architecture arm\nfile {}\n", quoted(&elf));
        let mut map = String::new();
        let ours = self.workshop.sources()?.into_iter().map(|(path, called)| (path, called.to_owned()));
        // lldb stops at a folder that is not there.
        for (path, called) in ours.chain(self.in_c.iter().cloned()).filter(|(path, _)| path.is_dir()) {
            let path = &path;
            match called.as_str() {
                "." => text += &format!("directory {}\n", quoted(path)),
                called => text += &format!("set substitute-path {called} {}\n", quoted(path)),
            }
            map += &format!(" {called} {}", quoted(path));
        }
        let script = folder.join(format!("{name}.gdb"));
        files::put(&script, (text + gdb).as_bytes())?;
        if !lldb.is_empty() {
            let text = format!(
                "# Written by carveout: lldb -s FILE\ntarget create {}\nsettings set target.source-map{map}\n{lldb}",
                quoted(&elf)
            );
            files::put(&folder.join(format!("{name}.lldb")), text.as_bytes())?;
        }
        Ok(script)
    }
}

/// What files of a trusted app are called. NVIDIA's have a slash in their names, and a bundle may be anyone's.
fn file_name(app: &KnownApp) -> String {
    let name = app.name.replace('/', "-");
    if bundle::is_plain(&name, bundle::NAME) { name } else { app.uuid.to_string() }
}

/// A path as one word of gdb and lldb.
fn quoted(path: &Path) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+=@,".contains(c);
    let text = path.display().to_string();
    text.chars().flat_map(|c| (!plain(c)).then_some('\\').into_iter().chain([c])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_no_path() {
        let uuid = uuid::Uuid::from_bytes([7; 16]);
        let named = |name: &str| {
            let (elf, debug, ports) = (Vec::new(), None, Vec::new());
            file_name(&KnownApp { name: name.into(), uuid, elf, debug, ports })
        };
        assert_eq!(named("echo-srv"), "echo-srv");
        assert_eq!(named("nvidia-sample/hwkey-agent"), "nvidia-sample-hwkey-agent");
        for name in ["..", ".", "", "a b", "x\ny"] {
            assert_eq!(named(name), uuid.to_string(), "{name}");
        }
        assert_eq!(named("../../x").matches('/').count(), 0);
    }

    #[test]
    fn a_path_is_one_word() {
        assert_eq!(quoted(Path::new("/a b/c'd/é-1.elf")), "/a\\ b/c\\'d/é-1.elf");
    }
}
