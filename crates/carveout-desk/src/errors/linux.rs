//! Errors of the Linux that the desk boots.

use carveout_host::error::Cause;
use std::io;
use std::path::PathBuf;

carveout_host::errors! {
    /// What can go wrong with a root filesystem that is booted on the desk.
    pub enum LinuxError("desk::linux") {
        /// The bundle was built without a root filesystem.
        NoRootfs { path: PathBuf }
            => usage "no-rootfs": ("{}: has no root filesystem: there is nothing to boot", path.display()),
            help ("build it without --without rootfs");
        /// A secure-os image alone cannot be booted with --linux.
        OnlyAnImage { target: String }
            => usage "only-an-image": ("--linux: {target} is a secure-os image and has no root filesystem"),
            help ("name a bundle or virt:FILE");
        /// The virt device has never been flashed, so its root filesystem is not there.
        EmptyDevice { path: PathBuf }
            => usage "empty-device": ("{}: holds no root filesystem", path.display()),
            help ("flash a bundle to it first");
        /// Changes can be kept on a virt device alone.
        PersistNeedsDevice { target: String }
            => usage "persist-needs-device": ("--persist: {target} is a bundle, which never changes"),
            help ("flash it to a virt device, and boot that: cargo xtask flash BUNDLE --to virt:FILE");
        /// The root filesystem cannot be read out of the bundle.
        BadRootfs { path: PathBuf, source: Cause }
            => check "bad-rootfs": ("{}: its root filesystem: {source}", path.display());
        /// Debian's archive for arm64 has no kernel.
        NoKernelPackage
            => environment "no-kernel-package": ("apt's sources of this host have no linux-image-arm64"),
            help ("the desk boots Debian's kernel: this host's sources.list must name Debian's archive");
        /// The kernel that was named cannot be read.
        NoKernelFile { path: PathBuf, source: io::Error }
            => usage "no-kernel-file": ("--kernel: {}: {source}", path.display()),
            help ("name the file of a kernel for arm64, such as Image");
        /// Debian's kernel was never fetched, and the network is forbidden.
        KernelOffline
            => environment "kernel-offline": ("--offline: Debian's kernel for the guest is not there yet"),
            help ("boot once without --offline");
        /// A file to copy into the guest cannot be read.
        CannotRead { path: PathBuf, source: io::Error }
            => usage "cannot-read": ("--copy-in: {}: {source}", path.display());
        /// The guest cannot write a file that is copied into it.
        NotCopiedIn { path: String, why: String }
            => check "not-copied-in": ("--copy-in: {path} in the guest: {why}");
        /// The guest cannot read a file that is to be copied out of it.
        NotCopiedOut { path: String, why: String }
            => check "not-copied-out": ("--copy-out: {path} in the guest: {why}");
        /// The guest ended before it was ready, or before what was asked of it had ended.
        Ended { during: String, how: String, console: String }
            => check "ended": ("the guest has ended {during}: {how}{console}"),
            help ("the log of its console has all that it said");
        /// The guest did not reach a state in time.
        TimedOut { during: String, seconds: u64, console: String }
            => check "timed-out": ("the guest took more than {seconds} s {during}{console}"),
            help ("the log of its console has all that it said; a busy host needs a larger --timeout");
        /// A unit that was waited for has failed, or systemd says that the system has a fault.
        UnitFailed { unit: String, state: String, lines: String }
            => check "unit-failed": ("{unit} is {state}{lines}"),
            help ("the unit's log: --linux without a command gives a shell, in which journalctl shows it");
        /// A command in the guest failed.
        CommandFailed { command: String, exit_code: i32 }
            => check "command-failed": ("{command} ended with exit code {exit_code} in the guest");
        /// What the command printed is longer than --json carries.
        TooMuchOutput { command: String, limit: u64 }
            => check "too-much-output": ("{command}: printed more than {limit} bytes");
        /// The connection with the guest's agent broke.
        AgentLost { source: io::Error }
            => check "agent-lost": ("the guest's agent: {source}");
        /// QEMU's control connection said something unexpected.
        Qmp { command: String, said: String }
            => check "qmp": ("QEMU refuses {command}: {said}");
        /// The terminal cannot be used.
        Terminal { source: io::Error }
            => environment "terminal": ("the terminal: {source}");
        /// The agent for the guest is not installed beside the program.
        NoAgent { path: PathBuf }
            => environment "no-agent": ("{}: the guest's agent is not there", path.display()),
            help ("install the Debian package carveout, or run in a workspace");
    }
}
