//! What `emulate` is asked for.

use crate::device_keys::KeysRequest;
use crate::linux::LinuxRequest;
use bundle::PublicKey;
use std::path::PathBuf;
use trusty_image::Tzdram;

/// What runs trusted apps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The emulator without a kernel.
    Unicorn,
    /// The image's own kernel.
    Qemu,
}

/// The trusted app that a debugger comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Debugged {
    /// The only one.
    Only,
    /// That of a name.
    Named(String),
}

impl Debugged {
    /// What `--gdb` or `--gdb=NAME` says.
    pub fn of(name: &str) -> Self {
        if name.is_empty() { Self::Only } else { Self::Named(name.into()) }
    }
}

impl EmulateRequest {
    /// A client app's arguments, or a command in Linux, against what is named; all else as where nothing is said.
    pub fn of(target: String, client_args: Vec<String>) -> Self {
        Self {
            target,
            engine: None,
            tzdram: None,
            listen: None,
            profile: false,
            ipc_unittest: false,
            gdb: None,
            client: None,
            key: None,
            writes: Vec::new(),
            keys: None,
            linux: None,
            client_args,
            wait: false,
            keep_output: false,
        }
    }
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct EmulateRequest {
    /// A bundle, an image, or virt:FILE.
    pub target: String,
    /// What runs the trusted apps; without it, QEMU if there is a kernel and nothing is profiled.
    pub engine: Option<Engine>,
    /// The carve-out, for an image that comes without its boot config.
    pub tzdram: Option<Tzdram>,
    /// Where to listen, instead of a scratch folder.
    pub listen: Option<PathBuf>,
    /// Tell what each trusted app used of its heap and stack.
    pub profile: bool,
    /// Run NVIDIA's own test of the kernel's IPC.
    pub ipc_unittest: bool,
    /// The trusted app that a debugger comes to.
    pub gdb: Option<Debugged>,
    /// Which client app.
    pub client: Option<String>,
    /// Who must have signed the bundle.
    pub key: Option<PublicKey>,
    /// Files that the client app writes.
    pub writes: Vec<PathBuf>,
    /// Keys and number of the chip, in place of the desk's own.
    pub keys: Option<KeysRequest>,
    /// Boot Linux from the root filesystem, and run the client app there.
    pub linux: Option<LinuxRequest>,
    /// Its arguments; with `linux`, the command.
    pub client_args: Vec<String>,
    /// Wait for clients until Ctrl-C, and run none.
    pub wait: bool,
    /// Keep what the client app prints, for machines.
    pub keep_output: bool,
}
