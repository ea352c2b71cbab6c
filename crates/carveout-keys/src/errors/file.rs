//! What can go wrong with files of secret keys.

use carveout_host::error::Cause;
use std::path::PathBuf;

carveout_host::errors! {
    /// What can go wrong with files of secret keys.
    pub enum KeyFileError("keys::file") {
        /// A public key is given where the secret key is expected.
        PublicKey { place: String } => usage "public-key-given": ("{place}: it is a public key, the secret one signs"),
            help ("expected is a secret key of minisign's, two lines; `cargo xtask key new FILE` makes one");
        /// The file of a secret key has another form than minisign's.
        NotAKey { place: String } => usage "not-a-key":
            ("{place}: its second line is no base64 of a secret key's 158 bytes"),
            help ("expected is a secret key of minisign's, two lines; `cargo xtask key new FILE` makes one");
        /// The library of minisign refuses the file of a secret key.
        Unreadable { place: String, source: Cause } => usage "unreadable-key": ("{place}: {source}"),
            help ("expected is a secret key of minisign's, two lines; `cargo xtask key new FILE` makes one");
        /// A secret key is of algorithms that minisign does not have.
        UnknownAlgorithm { place: String } => usage "unknown-algorithm":
            ("{place}: it is of algorithms that minisign does not have"),
            help ("expected is a secret key of minisign's, two lines; `cargo xtask key new FILE` makes one");
        /// The parts of a secret key do not fit each other.
        Changed { place: String } => usage "changed-key": ("{place}: it has been changed: its parts do not fit"),
            help ("expected is a secret key of minisign's, two lines; `cargo xtask key new FILE` makes one");
        /// The password does not open the secret key.
        WrongPassword { place: String, source: Cause } => usage "wrong-password": ("{place}: {source}"),
            help ("type the key's password, or set CARVEOUT_SIGN_PASSWORD to it");
        /// The password for a new key is empty.
        EmptyPassword { path: PathBuf } => usage "empty-password": ("{}: the password is empty", path.display()),
            help ("give one, or --no-password for a key that only its place protects");
        /// The password for a new key was typed differently the second time.
        PasswordsDiffer { path: PathBuf } => usage "passwords-differ":
            ("{}: the two passwords differ", path.display()),
            help ("run the command again: no key was made");
        /// The library of minisign makes no key.
        NotMade { path: PathBuf, source: Cause } => environment "key-not-made": ("{}: {source}", path.display());
        /// The public key of a new key cannot be read back.
        WrongNewKey { source: Cause } => check "wrong-new-key": ("{source}");
    }
}
