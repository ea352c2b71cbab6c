//! Errors of what a product says of NVIDIA's parts and of keys.

use super::suggestion::did_you_mean;
use carveout_host::error::Cause;
use std::io;
use std::path::PathBuf;

carveout_host::errors! {
    /// What can be wrong with what a product says of NVIDIA's parts and of keys.
    pub enum L4tError("product::l4t") {
        /// The text of a key stands where the name of its file is expected.
        KeyAsText => usage "key-as-text":
            ("expected is the name of a key's file, given is the text of a key (not shown)");
        /// The file of a key cannot be read.
        KeyUnreadable { file: PathBuf, source: io::Error } => usage "key-unreadable":
            ("{}: {source} (paths are relative to the config file)", file.display());
        /// The PKCS#11 URI of the signing key is wrong.
        WrongTokenUri { source: Cause } => usage "wrong-token-uri": ("{source}");
        /// The SBK is said to be in a token, which cannot be.
        SbkInToken => usage "sbk-in-token":
            ("an SBK must be a file: NVIDIA's tools encrypt with its bytes, which no token gives away. Only pkc_key \
              may be in a token");
        /// There is an SBK and no key that signs.
        SbkWithoutPkc => usage "sbk-without-pkc": ("boards with an SBK are signed, too: pkc_key is missing");
        /// Keys of a board with t186, or its EKB in an update.
        NotOfT186 { board: String } => usage "not-of-t186":
            ("board {board} has t186: carveout neither signs for it with keys nor puts an EKB into its updates"),
            help ("leave the key out; boards that are fused are flashed by NVIDIA's own flash.sh");
        /// The EKB of a fused board has keys that everybody knows.
        KnownEkb => usage "known-ekb":
            ("its keys are encrypted with NVIDIA's default test key, which everybody has: a board that is signed for gets no such EKB"),
            help ("make one with KEK2 of the board's fuses: cargo xtask ekb new");
        /// The board has no such module.
        UnknownModule { module: String, board: String, known: Vec<String>, meant: Option<String> }
            => usage "unknown-module": (
                "unknown module `{module}`: board {board} has {}.{}",
                known.join(", "),
                did_you_mean(meant.as_deref())
            );
        /// The list of modules is empty.
        NoModule => usage "no-module": ("expected at least one module");
    }
}
