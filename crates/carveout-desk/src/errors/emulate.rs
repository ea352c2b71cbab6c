//! Errors of `emulate` itself, of the unicorn emulator and of ipc-unittest.

use carveout_host::error::Cause;
use std::io;
use std::path::PathBuf;

carveout_host::errors! {
    /// What can go wrong with trusted apps that run on the desk.
    pub enum EmulateError("desk::emulate") {
        /// The path of the socket that client apps connect to is longer than Linux allows.
        SocketPathTooLong { path: PathBuf, limit: usize }
            => usage "socket-path-too-long": ("{}: a socket's path has at most {limit} bytes", path.display()),
            help ("give --listen a shorter one, or run with TMPDIR=/tmp");
        /// There is a file already where the socket for client apps is to be.
        SocketExists { path: PathBuf }
            => usage "socket-exists": ("{}: exists already", path.display()),
            help ("remove it if no emulator uses it, or give --listen another path");
        /// QEMU cannot measure what trusted apps use of their heap and stack.
        ProfileNeedsUnicorn
            => usage "profile-needs-unicorn":
            ("--profile: only the unicorn backend sees what trusted apps use of their memory"),
            help ("leave --backend out, or say --backend unicorn");
        /// Keys of the device with the backend that has none.
        KeysNeedQemu
            => usage "keys-need-qemu":
            ("--ekb, --kek2, --ecid: the unicorn backend has no security engine"),
            help ("leave them out, or say --backend qemu");
        /// A debugger was asked for with the backend in which it cannot tell trusted apps apart.
        GdbNeedsUnicorn
            => usage "gdb-needs-unicorn": ("--gdb: only the unicorn backend stops a trusted app for a debugger"),
            help ("leave --backend out, or say --backend unicorn");
        /// No trusted app has the name that `--gdb` says.
        GdbUnknownApp { name: String, known: String }
            => usage "gdb-unknown-app": ("--gdb={name}: no trusted app has this name"),
            help ("these are there: {known}");
        /// Another emulation on this workspace waits for a debugger of the same trusted app, or has one.
        GdbTaken { name: String }
            => usage "gdb-taken": ("--gdb: {name} is being debugged in another emulation already"),
            help ("end that one first");
        /// There are several trusted apps, and `--gdb` does not say which.
        GdbWhichApp { known: String }
            => usage "gdb-which-app": ("--gdb: there is more than one trusted app"),
            help ("say which, as --gdb=NAME: {known}");
        /// A trusted app has ended by itself, while its clients may not have noticed.
        TrustedAppEnded { report: String }
            => check "trusted-app-ended": ("{report}"),
            help ("on a device, too, it would be gone until the next boot, and clients would find no port");
        /// NVIDIA's hwkey-agent has ended, with the keys that were given.
        AgentEnded { console: PathBuf }
            => check "agent-ended":
            ("hwkey-agent has ended: no trusted app gets a key of this EKB with this KEK2"),
            help ("{} has its words; `ekb check` tells whether KEK2 and vector open the EKB", console.display());
        /// A carve-out's size was given for the unicorn backend, which has none.
        TzdramNeedsQemu
            => usage "tzdram-needs-qemu":
            ("--tzdram: the unicorn backend has no carve-out, only what plan leaves free"),
            help ("leave it out, or say --backend qemu");
        /// Trusty stopped in QEMU: its kernel or a trusted app has faulted, or the machine has ended.
        TrustyStopped { report: String }
            => check "trusty-stopped": ("{report}"),
            help ("cargo xtask plan says what its memory is, docs/the-carve-out.md what such a fault means");
        /// A trusted app has faulted in the unicorn emulator.
        TrustedAppFault { report: String }
            => check "trusted-app-fault": ("a trusted app stopped Trusty: {report}"),
            help ("cargo xtask plan says what its memory is, docs/the-carve-out.md what such a fault means");
        /// The system does not say how the unicorn emulator has ended.
        EmulatorStatusUnknown { source: io::Error }
            => environment "emulator-status-unknown": ("the emulator: {source}");
        /// The unicorn emulator refuses the image or one of its options.
        EmulatorRefused { why: String }
            => usage "emulator-refused": ("the emulator ended before its trusted apps were ready: {why}");
        /// The unicorn emulator ended before the trusted apps waited for client apps.
        EmulatorNotReady { why: String }
            => check "emulator-not-ready": ("the emulator ended before its trusted apps were ready: {why}");
        /// A signal from outside has ended the unicorn emulator.
        EmulatorKilled { status: String }
            => environment "emulator-killed": ("the emulator did not end by itself: {status}");
        /// The unicorn emulator's figures of what trusted apps used are not valid JSON.
        BadStats { path: PathBuf, source: Cause }
            => check "bad-stats": ("{}: {source}", path.display());
        /// The image holds no ipc-unittest, or it did not accept the connection.
        IpcUnittestUnreachable { source: Cause }
            => check "ipc-unittest-unreachable": ("ipc-unittest: {source}"),
            help ("keep sample/ipc-unittest/main and sample/ipc-unittest/srv in l4t.stock_trusted_apps");
        /// The ipc-unittest has started and then said no result.
        IpcUnittestSilent { source: Cause }
            => check "ipc-unittest-silent": ("ipc-unittest: {source}");
        /// The ipc-unittest has found a failure.
        IpcUnittestFailed { verdict: String }
            => check "ipc-unittest-failed": ("ipc-unittest: {verdict}"),
            help ("the kernel's IPC is not as its own test wants it: do not flash this image");
    }
}
