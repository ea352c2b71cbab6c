//! Errors of QEMU, and of the machine that it runs.

use std::io;
use std::path::PathBuf;

carveout_host::errors! {
    /// What can go wrong with QEMU's machine.
    pub enum MachineError("desk::machine") {
        /// QEMU is not installed.
        NoQemu { install: String }
            => environment "no-qemu": ("no qemu-system-aarch64: it boots the secure-os image on this host"),
            help ("run: {install}");
        /// The program that should be QEMU prints no version of QEMU.
        NoQemuVersion { path: PathBuf, output: String }
            => environment "no-qemu-version": ("{}: says no version of QEMU: {output}", path.display());
        /// QEMU is older than the oldest version that boots the secure-os image.
        QemuTooOld { version: String, oldest: String }
            => environment "qemu-too-old":
            ("QEMU {version} is too old to boot the secure-os image: {oldest} or later is needed"),
            help (
                "install a later qemu-system-arm (Debian 12 and Ubuntu 23.04 have it), or name one with CARVEOUT_QEMU"
            );
        /// The file for what QEMU prints cannot be used.
        QemuLog { source: io::Error }
            => environment "qemu-log": ("QEMU's log: {source}");
        /// A socket that QEMU is to connect to cannot be made.
        NoQemuSocket { path: PathBuf, source: io::Error }
            => environment "no-qemu-socket": ("{}: cannot listen there: {source}", path.display()),
            help ("a socket's path has at most 107 bytes: run with TMPDIR=/tmp");
        /// A connection with QEMU cannot be accepted.
        QemuSocket { source: io::Error }
            => environment "qemu-socket": ("QEMU's socket: {source}");
        /// The system does not say whether QEMU has ended.
        QemuStatusUnknown { source: io::Error }
            => environment "qemu-status-unknown": ("QEMU: {source}");
        /// QEMU ended before the machine ran. What it printed follows.
        QemuEnded { status: String }
            => environment "qemu-ended": ("QEMU does not start this machine ({status}):");
        /// QEMU runs and has not started the machine in time.
        QemuTimedOut { seconds: u64 }
            => environment "qemu-timed-out": ("QEMU has not started within {seconds} s");
        /// QEMU did not connect to all sockets of the machine.
        QemuNotConnected
            => check "qemu-not-connected": ("QEMU has not connected");
        /// Trusty stopped before client apps could connect.
        DoesNotBoot { report: String }
            => check "does-not-boot": ("the secure-os image does not boot: {report}"),
            help ("cargo xtask plan says what its memory is; the device would not boot either");
        /// The socket for client apps cannot be made.
        NoClientSocket { path: PathBuf, source: io::Error }
            => usage "no-client-socket": ("{}: cannot listen there: {source}", path.display());
        /// The system gives no more sockets.
        NoSocketPair { source: io::Error }
            => environment "no-socket-pair": ("a socket: {source}");
        /// Serving client apps ended because of a fault in carveout itself.
        ServingFailed
            => check "serving-failed": ("the thread that serves clients has failed");
    }
}
