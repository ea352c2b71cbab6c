//! Releases in the field: signed, flashed, cut off, gone back from.

mod attestations;
mod devices;
mod pipeline;
mod refusals;
mod story;

use crate::builds::util::{root, run, small};
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;
use virt_device::Device;

/// A clone whose work tree is clean. Tools and results of stages are named by what they are made of: they serve every clone.
pub fn clone_to(workspace: &Path) {
    run("git", ["clone", "--quiet", root().to_str().unwrap(), workspace.to_str().unwrap()]).ok();
    fs::create_dir(workspace.join("target")).unwrap();
    std::os::unix::fs::symlink(
        carveout_host::dirs::Dirs::of(&root()).home(),
        workspace.join("target/carveout"),
    )
    .unwrap();
    // As CI has it, with a token.
    git(workspace, &["remote", "set-url", "origin", "https://ci:s3cret@git.example.com/team/product.git"]);
}

/// git in a work tree, for someone who has never configured it.
pub fn git(dir: &Path, arguments: &[&str]) {
    let who = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgSign=false"];
    let dir = ["-C", dir.to_str().unwrap(), "-c", "safe.directory=*"];
    run("git", [&dir[..], &who, arguments].concat()).ok();
}

/// All that is in a work tree becomes a commit.
pub fn commit(dir: &Path) {
    git(dir, &["add", "--all"]);
    git(dir, &["commit", "--quiet", "--allow-empty", "-m", "a change"]);
}

/// A repository beside the workspace, as teams have for their products.
pub fn product_repository(dir: &Path) {
    fs::create_dir_all(dir).unwrap();
    git(dir, &["init", "--quiet"]);
    git(dir, &["remote", "add", "origin", "git@git.example.com:team/products.git"]);
    fs::write(dir.join(".gitignore"), "*.bin\n").unwrap();
    commit(dir);
}

pub fn open(path: &Path) -> Device<File> {
    let file = File::open(path).unwrap();
    let size = file.metadata().unwrap().len();
    Device::open(file, size).unwrap()
}

/// The bundle that a device has, each part of it read and compared.
pub fn active(path: &Path) -> String {
    let mut device = open(path);
    let active = device.state().active.clone().unwrap();
    for (part, placed) in &active.parts {
        device.verify(*part, placed).unwrap();
    }
    active.bundle
}

/// Bundles that are told apart by their boot config.
pub fn bundles() -> &'static [(PathBuf, String); 2] {
    static BUNDLES: OnceLock<(TempDir, [(PathBuf, String); 2])> = OnceLock::new();
    let build = || {
        let dir = tempfile::tempdir().unwrap();
        let of = |tzdram: &str| {
            let folder = small(dir.path(), &["--tzdram", tzdram]);
            let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
            (folder, name)
        };
        let both = [of("32MiB"), of("64MiB")];
        (dir, both)
    };
    &BUNDLES.get_or_init(build).1
}

/// Ends with what holds it.
pub struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A web server on a folder, and its address.
pub fn served(folder: &Path) -> (Server, String) {
    let mut command = Command::new("python3");
    command.args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1"]).current_dir(folder);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let port = line.split(" port ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    (Server(child), format!("http://127.0.0.1:{port}"))
}
