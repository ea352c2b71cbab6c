//! What builds share, served from this host: results and sources over HTTP, hash equivalence, revisions of packages.

use super::user::LOCALE;
use crate::build_folder::Setup;
use crate::errors::YoctoError;
use carveout_host::error::{At, Result};
use carveout_host::interrupt;
use carveout_host::process;
use carveout_host::process::{Running, Streams};
use carveout_host::tools::{capture, shell};
use carveout_host::ui::Ui;
use rustix::process::Signal;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::Duration;

/// Ports: of the hash-equivalence server, the PR server, and HTTP.
const HASH: u16 = 8686;
const PR: u16 = 8585;
const HTTP: u16 = 8687;
/// What HTTP serves, beside the servers' own files.
const PUBLIC: &str = "http";
/// How often it is looked whether the servers run.
const LOOK: Duration = Duration::from_millis(200);

/// Servers of a host.
struct Servers<'a> {
    setup: &'a Setup,
    host: &'a str,
    folder: PathBuf,
    children: Vec<(&'static str, Running)>,
}

/// Serves what lies in `top` until a signal comes. `host` is the address that others know.
pub fn run(setup: &Setup, top: &Path, host: &str, ui: &Ui) -> Result<()> {
    let folder = top.join("served");
    let http = folder.join(PUBLIC);
    fs::create_dir_all(&http).at(&http)?;
    for name in ["sstate", "downloads"] {
        let (link, to) = (http.join(name), top.join(name));
        fs::create_dir_all(&to).at(&to)?;
        if fs::symlink_metadata(&link).is_err() {
            symlink(&to, &link).at(&link)?;
        }
    }
    setup.user.owns(top, &top.join("served.log"))?;
    for port in [HASH, PR, HTTP] {
        TcpListener::bind((host, port)).map_err(|source| YoctoError::AddressNotUsable {
            host: host.into(),
            port,
            source,
        })?;
    }
    let mut servers = Servers { setup, host, folder, children: Vec::new() };
    servers.start()?;
    ui.note(&join(host));
    let ended = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&ended);
    interrupt::instead(move || {
        flag.store(true, Ordering::Relaxed);
        true
    });
    while !ended.load(Ordering::Relaxed) {
        servers.look()?;
        sleep(LOOK);
    }
    Ok(())
}

/// What a runner writes into its product config.
pub fn join(host: &str) -> String {
    format!(
        "serving until Ctrl-C. A runner joins by two lines of its product config:\n  yocto:\n    sstate_mirror: http://{host}:{HTTP}/sstate\n    \
         hash_server: {host}:{HASH}\n  and, if it shall have them:\n    downloads_mirror: http://{host}:{HTTP}/downloads\n    pr_server: {host}:{PR}"
    )
}

impl Servers<'_> {
    fn start(&mut self) -> Result<()> {
        let bin = self.setup.layers.bitbake.join("bin");
        let database = |name: &str| self.folder.join(name);
        let hash = [
            bin.join("bitbake-hashserv").display().to_string(),
            format!("--bind={}:{HASH}", self.host),
            format!("--database={}", database("hashserv.db").display()),
        ];
        self.spawn("hash-equivalence server", &hash)?;
        let port = HTTP.to_string();
        let folder = self.folder.join(PUBLIC).display().to_string();
        let http = ["-m", "http.server", &port, "--bind", self.host, "--directory", &folder];
        self.spawn("HTTP server", &http.map(str::to_owned))?;
        self.pr("--start")
    }

    fn spawn(&mut self, name: &'static str, arguments: &[String]) -> Result<()> {
        let log = self.folder.with_extension("log");
        let out = carveout_host::files::log(&log)?;
        let errors = out.try_clone().at(&log)?;
        let sh = shell(&self.folder)?;
        sh.set_var("LC_ALL", LOCALE);
        let command = self.setup.user.command(&sh, "python3").arg("-u").args(arguments);
        let streams = Streams { stdout: out.into(), stderr: errors.into(), ..Streams::default() };
        let running = process::start(command, streams).map_err(|unstarted| unstarted.of(name))?;
        self.children.push((name, running));
        Ok(())
    }

    /// Starts or stops the PR server, which puts itself into the background.
    fn pr(&self, what: &str) -> Result<()> {
        let sh = shell(&self.folder)?;
        sh.set_var("LC_ALL", LOCALE);
        let program = self.setup.layers.bitbake.join("bin/bitbake-prserv");
        let (host, port) = (format!("--host={}", self.host), format!("--port={PR}"));
        let command = self.setup.user.command(&sh, "python3").arg(program);
        let command = command.args([what, &host, &port, "--file=prserv.sqlite3", "--log=prserv.log"]);
        capture("PR server", command).map(|_| ())
    }

    /// None may have ended.
    fn look(&mut self) -> Result<()> {
        for (name, child) in &mut self.children {
            if let Some(status) = child.try_wait().at(&self.folder)? {
                let (status, log) = (status.to_string(), self.folder.with_extension("log"));
                return Err(YoctoError::ServerEnded { server: name, status, log }.into());
            }
        }
        Ok(())
    }
}

impl Drop for Servers<'_> {
    fn drop(&mut self) {
        for (_, child) in &mut self.children {
            child.signal(Signal::TERM);
            let _ = child.wait();
        }
        let _ = self.pr("--stop");
    }
}
