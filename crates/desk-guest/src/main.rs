//! What runs in the guest: first as init of the initramfs, then beside the system's own init, for the device and for commands of the
//! host.

mod channel;
mod commands;
mod device;
mod files;
mod fuse;
mod host;
mod init;
mod network;
mod terminal;

use desk_guest::link;
use rustix::mount::{MountFlags, mount_remount};
use rustix::system::{RebootCommand, reboot};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::thread;

/// How lines begin that we write to the console: the host looks for them.
const SAYS: &str = "carveout-guest: ";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, word, rest @ ..] = &arguments[..]
        && word == terminal::WORD
    {
        let error = terminal::become_command(rest);
        eprintln!("{error}");
        return ExitCode::from(commands::NOT_STARTED);
    }
    if std::process::id() == 1
        && let Err(error) = init::boot()
    {
        eprintln!("{SAYS}{error}");
        return power_off();
    }
    if let Err(error) = serve() {
        eprintln!("{SAYS}{error}");
    }
    power_off()
}

/// Serves the host until it has gone, or wants the power off.
fn serve() -> io::Result<()> {
    // What runs out of memory is not this.
    let _ = fs::write("/proc/self/oom_score_adj", "-1000");
    let (commands, tipc) = (port(link::COMMANDS)?, port(link::TIPC)?);
    let host = host::Host::new(commands.try_clone()?);
    let told = host.clone();
    thread::spawn(move || {
        let stages = init::stages();
        let ready = || told.tell(link::kind::READY, 0, stages.as_bytes());
        if let Err(error) = device::serve(tipc, ready) {
            eprintln!("{SAYS}the device of Trusty: {error}");
            let _ = power_off();
        }
    });
    commands::serve(commands, &host)
}

fn power_off() -> ExitCode {
    rustix::fs::sync();
    // What cannot be mounted anew has been written at least.
    let _ = mount_remount("/", MountFlags::RDONLY, c"");
    let _ = reboot(RebootCommand::PowerOff);
    ExitCode::FAILURE
}

/// Opens the port of this name. Without udev only sysfs knows which one that is.
fn port(name: &str) -> io::Result<File> {
    // A kernel without the driver has not even the folder.
    for entry in fs::read_dir("/sys/class/virtio-ports").into_iter().flatten() {
        let entry = entry?;
        if fs::read_to_string(entry.path().join("name")).is_ok_and(|found| found.trim_end() == name) {
            return File::options().read(true).write(true).open(Path::new("/dev").join(entry.file_name()));
        }
    }
    Err(io::Error::other(format!("there is no virtio-serial port {name}")))
}
