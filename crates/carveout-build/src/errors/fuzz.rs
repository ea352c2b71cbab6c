//! Errors of `fuzz`.

use carveout_host::error::Cause;
use std::path::PathBuf;

carveout_host::errors! {
    /// What can go wrong with fuzzing.
    pub enum FuzzError("build::fuzz") {
        /// There are several trusted apps, and none is named.
        WhichApp { known: String }
            => usage "which-app": ("there is more than one trusted app"),
            help ("say which: {known}");
        /// No trusted app of the product has this name.
        UnknownApp { name: String, known: String }
            => usage "unknown-app": ("{name}: no trusted app has this name"),
            help ("these are there: {known}");
        /// There is no case to play again.
        NoCases { dir: PathBuf }
            => usage "no-cases": ("{}: there are no cases to play again, in finds/ or corpus/", dir.display()),
            help ("run it without --replay first, or name the folder with --dir");
        /// The emulator takes these trusted apps or cases for none.
        Refused { why: String }
            => usage "refused": ("the emulator cannot try it: {why}");
        /// The emulator's result is not of the form that this version reads.
        BadResult { source: Cause }
            => check "bad-result": ("what the emulator tells is not as expected: {source}"),
            help ("the emulator is of another version; build both from one clone");
    }
}
