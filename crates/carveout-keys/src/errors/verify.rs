//! What can go wrong when signatures are verified.

use carveout_host::error::Cause;
use std::path::PathBuf;

carveout_host::errors! {
    /// What can go wrong when signatures are verified.
    pub enum VerifyError("keys::verify") {
        /// The signature of a bundle is damaged, or it is not that of the trusted key over this bundle.
        WrongSignature { path: PathBuf, source: Cause } => check "wrong-signature":
            ("{}: SHA256SUMS.minisig: {source}", path.display()),
            help ("do not flash it: get it anew from who made it, and make sure that --key is their public key");
        /// A bundle has no signature, and a trusted key is given.
        NotSigned { path: PathBuf, key: String } => check "not-signed":
            ("{}: not signed, expected key {key}", path.display()),
            help ("take the bundle of a release: `cargo xtask release` signs it");
        /// The file that --key names holds no public key.
        WrongKeyFile { given: String, source: Cause } => usage "wrong-key-file": ("--key {given}: {source}"),
            help ("`cargo xtask key public KEY` writes the public key of a secret one");
        /// The value of --key is neither a file nor the text of a public key.
        WrongKey { given: String, source: Cause } => usage "wrong-key": ("--key {given}: {source} (and no such file)"),
            help ("`cargo xtask key public KEY` writes the public key of a secret one");
    }
}
