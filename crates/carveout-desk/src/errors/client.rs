//! Errors of client apps.

use std::io;
use std::path::PathBuf;

carveout_host::errors! {
    /// What can go wrong with a client app.
    pub enum ClientError("desk::client") {
        /// The path that was given for the client app is not a file's.
        NoProgram { path: PathBuf }
            => usage "no-program": ("{}: no program", path.display()),
            help ("--client takes the name of a client app, host, or the path of a program or a .deb");
        /// The file that was given for the client app cannot be read, or is too short for a program.
        UnreadableProgram { path: PathBuf, source: io::Error }
            => usage "unreadable-program": ("{}: no program: {source}", path.display());
        /// There is a client app to run, and what is emulated holds none.
        NoClientApp
            => usage "no-client-app": ("there is no client app in it"),
            help (
                "name one with --client: a client app of the workspace, or the path of a program or a .deb; or leave \
                 out what follows --, and the trusted apps wait for clients"
            );
        /// The bundle has no client app with this name.
        UnknownClientApp { name: String, known: Vec<String>, nearest: Option<String> }
            => usage "unknown-client-app": (
                "no client app `{name}`: the bundle has {}.{}",
                known.join(", "),
                nearest.as_ref().map(|name| format!(" Did you mean `{name}`?")).unwrap_or_default()
            ),
            help ("--client takes one of these names, host, host:NAME, or the path of a program or a .deb");
        /// The current folder, in which the client app is to run, is not there.
        NoCurrentFolder { source: io::Error }
            => environment "no-current-folder": ("the current folder: {source}");
        /// A path of `--writes` is a folder or a device.
        WritesNoFile { path: PathBuf }
            => usage "writes-no-file": ("--writes {}: is no regular file", path.display()),
            help ("name a file that does not exist yet, or one to replace");
        /// carveout runs as root, the client app as nobody, who may not read a file that its arguments name.
        NotReadableByNobody { argument: String, mode: String }
            => usage "not-readable-by-nobody":
            ("{argument}: the client app runs as nobody, who may not read this file (mode {mode})"),
            help ("run the command as the user who owns it, not as root; or chmod o+r it");
        /// The client app could not be started.
        CannotRun { name: String, source: io::Error }
            => usage "cannot-run": ("cannot run {name}: {source}"),
            help ("--client takes an executable program of this host, or of aarch64 Linux");
        /// The client app prints more than is kept for `--json`.
        TooMuchOutput { name: String, limit: u64 }
            => check "too-much-output": ("{name} prints more than {limit} bytes, which --json keeps in memory"),
            help ("run it without --json");
        /// The client app failed.
        Failed { name: String, exit_code: i32 }
            => check "failed": ("{name} ended with exit code {exit_code}");
        /// The client app ended with exit code 2: it was used in a wrong way.
        WrongUsage { name: String, exit_code: i32 }
            => usage "wrong-usage": ("{name} ended with exit code {exit_code}");
        /// The client app ended with exit code 3: this host lacks something that it needs.
        EnvironmentLacks { name: String, exit_code: i32 }
            => environment "environment-lacks": ("{name} ended with exit code {exit_code}");
        /// The client app ended with an exit code by which shells tell that a signal ended it.
        SignalExitCode { name: String, exit_code: i32, signal: i32 }
            => check "signal-exit-code": ("{name} ended with exit code {exit_code} (signal {signal})");
        /// A signal ended the client app.
        EndedBySignal { name: String }
            => check "ended-by-signal": ("{name} was ended by a signal");
    }
}
