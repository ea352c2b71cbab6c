//! What verbs tell, for machines.

use crate::emulate::profile::Row;
use crate::linux::LinuxBoot;
use serde::Serialize;
use serde_json::Value;
use std::path::PathBuf;

/// Of `emulate` and `run`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Emulated {
    /// What the trusted apps have used.
    #[cfg_attr(feature = "schema", schemars(with = "Stats"))]
    pub stats: Value,
    /// What the client app, or the command in Linux, printed: JSON as it is, else a text; null without one.
    pub client: Option<Value>,
    /// With `--profile`: what each trusted app used, and what would be enough.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<Vec<Row>>,
    /// With `--linux`: the boot and the command's exit code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub linux: Option<LinuxBoot>,
}

/// Of `emulate --ipc-unittest`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IpcUnittest {
    /// The verdict of NVIDIA's test: `PASSED`.
    pub ipc_unittest: String,
    /// What the trusted apps have used.
    #[cfg_attr(feature = "schema", schemars(with = "Stats"))]
    pub stats: Value,
}

/// What QEMU and the image's own kernel tell.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KernelStats {
    /// `qemu`.
    pub backend: &'static str,
    /// Version of QEMU.
    pub qemu: String,
    /// Time until the kernel served; null if it did not.
    pub boot_milliseconds: Option<u64>,
    /// Messages that were sent and received.
    pub messages: u64,
    /// Messages that were lost.
    pub lost: u64,
    /// Addresses of devices that the kernel asked for and that are not there.
    pub absent_devices: Vec<String>,
    /// The file with the console.
    pub console: PathBuf,
    /// The trusted apps that have ended.
    pub trusted_apps: Vec<EndedApp>,
    /// What stopped Trusty, if anything did.
    pub fault: Option<String>,
}

/// A trusted app that has ended.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndedApp {
    /// Its name.
    pub name: String,
    /// How it ended.
    pub ended: String,
}

/// What one of the back ends tells.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[schemars(untagged)]
#[allow(dead_code)]
enum Stats {
    /// Of `--backend qemu`.
    Qemu(KernelStats),
    /// Of `--backend unicorn`.
    Unicorn(EmulatorStats),
}

/// What the emulator without a kernel tells. It is a program of its own; its tests hold these fields.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[allow(dead_code)]
struct EmulatorStats {
    /// Each trusted app.
    trusted_apps: Vec<EmulatedApp>,
    /// Messages that were sent and received.
    messages: u64,
    /// Messages that were lost.
    lost: u64,
    /// Ports that are open.
    ports: u64,
    /// Connections that are open.
    channels: u64,
    /// Messages that nobody has read.
    unread: u64,
    /// What stopped Trusty, if anything did.
    fault: Option<String>,
}

/// A trusted app on the emulator. High-water marks count whole pages that were touched.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[allow(dead_code)]
struct EmulatedApp {
    /// Its name.
    name: String,
    /// Its identity.
    uuid: String,
    /// Whether it has exited.
    exited: bool,
    /// How it ended, if it did.
    ended: Option<String>,
    /// Instructions that it executed.
    instructions: u64,
    /// Bytes of its image.
    image: u64,
    /// Bytes of its heap.
    min_heap: u64,
    /// Bytes that are allocated at the end; null of one that does not tell.
    heap_used: Option<u64>,
    /// The most that were allocated at once.
    heap_peak: Option<u64>,
    /// Bytes that were allocated when it began to serve.
    heap_at_ready: Option<u64>,
    /// Bytes of the heap that it asked for.
    heap_brk: u64,
    /// Bytes of the heap that it touched.
    heap_touched: u64,
    /// Where it was refused more heap, if it was.
    heap_refused: Option<u64>,
    /// Bytes of its stack.
    min_stack: u64,
    /// Bytes of the stack that it touched.
    stack_touched: u64,
    /// Handles that it has.
    handles: u64,
    /// Most handles at once.
    peak_handles: u64,
}
