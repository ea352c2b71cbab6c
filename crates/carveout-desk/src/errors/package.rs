//! Errors of client apps' packages.

use carveout_host::error::Cause;

/// The same help for each: a package is not repaired by hand.
macro_rules! package_errors {
    ($help:literal: $($(#[doc = $about:literal])+ $variant:ident $fields:tt => $code:literal: $message:tt;)*) => {
        carveout_host::errors! {
            /// Why there is no program to run in a client app's package.
            pub enum PackageError("desk::package") {
                $($(#[doc = $about])+ $variant $fields => check $code: $message, help ($help);)*
            }
        }
    };
}

package_errors! {
    "a client app's package holds a program for aarch64 Linux in usr/bin: get it anew from who made it, or build it":
    /// The package has no folder usr/bin.
    NoProgramFolder { name: String, folder: String }
        => "no-program-folder": ("{name}: has no program in usr/bin: {folder} is no folder");
    /// No file in the package's usr/bin is executable.
    NoExecutable { name: String }
        => "no-executable": ("{name}: has no program in usr/bin: no regular file there is executable");
    /// The program's mode lets nobody but its owner run it.
    OnlyForOwner { name: String, program: String, mode: String }
        => "only-for-owner": ("{name}: {program} has mode {mode}: others than its owner cannot run it");
    /// The program is a script.
    Script { name: String, program: String }
        => "script": ("{name}: {program} is a script, not a program for aarch64 Linux");
    /// The program is not an ELF file.
    NotElf { name: String, program: String }
        => "not-elf": ("{name}: {program} is no ELF file, not a program for aarch64 Linux");
    /// The program was built for another processor.
    OtherProcessor { name: String, program: String }
        => "other-processor": (
            "{name}: {program} is an ELF file, but not a program for aarch64 Linux (64 bits, little endian)"
        );
    /// The program is a damaged ELF file.
    DamagedElf { name: String, program: String, source: Cause }
        => "damaged-elf": ("{name}: {program} is a damaged ELF file: {source}");
    /// The program asks for an interpreter by something that is not an absolute path.
    BadInterpreterPath { name: String, program: String }
        => "bad-interpreter-path": ("{name}: {program} names no interpreter's path");
    /// The interpreter that the program asks for asks for an interpreter itself.
    NestedInterpreter { name: String, program: String, interpreter: String }
        => "nested-interpreter": ("{name}: the interpreter {interpreter} of {program} needs another one");
    /// The interpreter that the program asks for is neither in the package nor Debian's.
    NoInterpreter { name: String, program: String, interpreter: String }
        => "no-interpreter": (
            "{name}: {program} needs the interpreter {interpreter}, and the package does not hold it"
        );
}
