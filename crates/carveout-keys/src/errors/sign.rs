//! What can go wrong when something is signed.

use carveout_host::error::Cause;
use std::io;

carveout_host::errors! {
    /// What can go wrong when something is signed. No value in here has a PIN, a password or a secret key.
    pub enum SignError("keys::sign") {
        /// The trusted comment has more than one line.
        CommentHasLines => usage "comment-has-lines": ("--comment: it has more than one line"),
            help ("give one shorter line");
        /// The trusted comment is longer than minisign takes.
        CommentTooLong { length: usize, most: usize } => usage "comment-too-long":
            ("--comment: it has {length} bytes, minisign takes {most}"),
            help ("give one shorter line");
        /// No key is given to sign with.
        NoKey => usage "no-key": ("no key to sign with"),
            help ("give --sign KEY (a file of minisign's or pkcs11:…) or put the file's text into CARVEOUT_SIGN_KEY; \
                `cargo xtask key new FILE` makes one");
        /// An option got the text of a key where the name of a file is expected.
        TextGiven { option: String } => usage "text-of-key-given":
            ("{option}: expected is the name of a key's file, given is the text of a key (not shown)"),
            help ("give the file's name, or put the text into CARVEOUT_SIGN_KEY; a secret key on a command line is \
                seen by all users of this host, and kept by the shell: replace it");
        /// The value of --sign holds a PIN, and is not a PKCS#11 URI.
        PinGiven { given: String } => usage "pin-given":
            ("--sign {given}: no file and no PKCS#11 URI, which begins with pkcs11:"),
            help ("a PIN belongs into the environment, not into a command: give the URI without it");
        /// The PKCS#11 URI of --sign is malformed, or names no key.
        WrongUri { uri: String, reason: String } => usage "wrong-uri": ("--sign {uri}: {reason}");
        /// The token tells a public key that is not one of Ed25519.
        WrongPublicKey { uri: String } => environment "wrong-public-key": ("--sign {uri}: its public key is none");
        /// The token has made a signature that does not have 64 bytes.
        WrongLength { length: usize } => environment "wrong-length": ("the token's signature has {length} bytes");
        /// A new signature does not fit the public key, so it is not used.
        WrongSignature { source: Cause } => environment "wrong-signature": ("the new signature: {source}");
        /// A password cannot be read from the terminal.
        NoTerminal { prompt: String, source: io::Error } => environment "password-not-read": ("{prompt}{source}");
        /// A password is needed, and there is no terminal to type it at.
        NoPassword { prompt: String } => usage "no-password": ("{prompt}nobody is here to type it"),
            help ("put it into the environment variable CARVEOUT_SIGN_PASSWORD");
    }
}
