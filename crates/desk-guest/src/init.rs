//! init of the initramfs: loads modules, mounts the root filesystem, and hands over to its init.
//!
//! Words of the kernel's command line: `carveout.root=` a device or `PARTLABEL=NAME`; `carveout.network`: the network card has the
//! address that QEMU expects; `carveout.init=` a program instead of /sbin/init.

use crate::network;
use desk_guest::link::{self, Frame, kind};
use rustix::fs::CWD;
use rustix::mount::{MountFlags, mount, mount_move};
use rustix::time::{ClockId, clock_gettime};
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// Where we lie in the guest: on a tmpfs, so that no filesystem is touched.
const HOME: &str = "/run/carveout";
/// What we are called there.
const PROGRAM: &str = "guest";
/// Environment variable in which init hands on what was reached when.
const STAGES: &str = "CARVEOUT_STAGES";
/// How often, and how long between, a disk is looked for.
const LOOKS: u32 = 1000;
const PAUSE: Duration = Duration::from_millis(10);

/// Milliseconds since the kernel started.
fn uptime() -> i64 {
    let now = clock_gettime(ClockId::Boottime);
    now.tv_sec * 1000 + now.tv_nsec / 1_000_000
}

/// What was reached when, with the device as the last.
pub fn stages() -> String {
    format!("{} device={}", std::env::var(STAGES).unwrap_or_default(), uptime())
}

fn failed(what: impl std::fmt::Display) -> impl FnOnce(io::Error) -> io::Error {
    move |error| io::Error::other(format!("{what}: {error}"))
}

/// Boots. Returns only if that failed.
pub fn boot() -> io::Result<()> {
    let kernel = uptime();
    for (kind, target) in [("proc", "/proc"), ("sysfs", "/sys"), ("devtmpfs", "/dev"), ("tmpfs", "/run")] {
        fs::create_dir_all(target)?;
        let options = kind.ends_with("tmpfs").then_some(c"mode=755");
        mount(kind, target, kind, MountFlags::NOSUID, options).map_err(|e| failed(target)(e.into()))?;
    }
    // Terminals, before any init mounts this.
    fs::create_dir_all("/dev/pts")?;
    mount("devpts", "/dev/pts", "devpts", MountFlags::NOSUID, Some(c"mode=620,gid=5,ptmxmode=666"))
        .map_err(|e| failed("/dev/pts")(e.into()))?;
    for module in fs::read_to_string("/modules/order")?.lines() {
        let file = fs::File::open(Path::new("/modules").join(module)).map_err(failed(module))?;
        match rustix::system::finit_module(file, c"", 0) {
            // Built into this kernel.
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => {
                return Err(failed(format_args!("the kernel does not load {module}"))(error.into()));
            }
        }
    }
    let modules = uptime();
    wait_for_host()?;
    let line = fs::read_to_string("/proc/cmdline")?;
    let word = |name: &str| line.split_ascii_whitespace().find_map(|word| word.strip_prefix(name));
    let root = word("carveout.root=").unwrap_or("/dev/vda");
    let disk = disk(root)?;
    fs::create_dir_all("/root")?;
    mount(&disk, "/root", "ext4", MountFlags::NOATIME, None)
        .map_err(|e| failed(format_args!("{}: no root filesystem", disk.display()))(e.into()))?;
    fs::create_dir_all(HOME)?;
    let program = Path::new(HOME).join(PROGRAM);
    fs::copy("/init", &program)?;
    if word("carveout.network").is_some() {
        network::write()?;
    }
    // The initramfs stays in memory, and nobody will see it.
    fs::remove_file("/init")?;
    fs::remove_dir_all("/modules")?;
    for target in ["proc", "sys", "dev", "run"] {
        let to = Path::new("/root").join(target);
        if !to.is_dir() {
            return Err(io::Error::other(format!(
                "{}: no root filesystem: no folder /{target}",
                disk.display()
            )));
        }
        mount_move(format!("/{target}"), &to)?;
    }
    rustix::process::chdir("/root")?;
    mount_move(".", "/")?;
    rustix::process::chroot(".")?;
    rustix::process::chdir("/")?;
    let init = word("carveout.init=").unwrap_or("/sbin/init");
    rustix::fs::accessat(CWD, init, rustix::fs::Access::EXEC_OK, rustix::fs::AtFlags::empty())
        .map_err(|e| failed(format_args!("{init}: no init in the root filesystem"))(e.into()))?;
    // Beside the init, not under it: there from the first moment to the last, whatever init that is.
    let stages = format!("kernel={kernel} modules={modules} root={}", uptime());
    Command::new(&program).env(STAGES, stages).spawn()?;
    Err(failed(init)(Command::new(init).exec()))
}

/// Waits until the host has verified what is on the disk. It says nothing more before the agent is ready.
fn wait_for_host() -> io::Result<()> {
    // The port is announced after the driver is there, and that its other end is open after that.
    let look = || crate::port(link::COMMANDS).and_then(|mut port| Frame::read(&mut port));
    let mut read = look();
    for _ in 0..LOOKS {
        match read.as_ref().map(|frame| frame.kind) {
            Ok(kind::GO) => return Ok(()),
            Ok(other) => {
                return Err(io::Error::other(format!("the host says {other} where it should let us go")));
            }
            Err(_) => std::thread::sleep(PAUSE),
        }
        read = look();
    }
    read.map(drop).map_err(failed("the host does not let us go"))
}

/// The device that is meant, once it is there.
fn disk(what: &str) -> io::Result<PathBuf> {
    for _ in 0..LOOKS {
        let path = match what.strip_prefix("PARTLABEL=") {
            Some(label) => labelled(label)?,
            None => Some(what.into()),
        };
        if let Some(path) = path.filter(|path| path.exists()) {
            return Ok(path);
        }
        std::thread::sleep(PAUSE);
    }
    Err(io::Error::other(format!("{what}: there is no such disk")))
}

fn labelled(label: &str) -> io::Result<Option<PathBuf>> {
    for entry in fs::read_dir("/sys/class/block")? {
        let entry = entry?;
        let facts = fs::read_to_string(entry.path().join("uevent"))?;
        if facts.lines().any(|line| line.strip_prefix("PARTNAME=") == Some(label)) {
            return Ok(Some(Path::new("/dev").join(entry.file_name())));
        }
    }
    Ok(None)
}
