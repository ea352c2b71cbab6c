//! What can go wrong with keys in PKCS#11 tokens.

use std::path::PathBuf;

/// What is there, or that nothing is.
fn there(seen: &[String], none: &str) -> String {
    if seen.is_empty() { none.into() } else { format!("there are {}", seen.join(", ")) }
}

carveout_host::errors! {
    /// What can go wrong with keys in PKCS#11 tokens. The field `setting` is what names the key: l4t.pkc_key or --sign.
    pub enum TokenError("keys::token") {
        /// The environment variable with the PIN is not text in UTF-8.
        PinVariableNotUtf8 => environment "pin-variable-not-utf-8": ("CARVEOUT_PKCS11_PIN is no text in UTF-8"),
            help ("put the PIN, and nothing else, into CARVEOUT_PKCS11_PIN or the file");
        /// The file with the PIN is not text in UTF-8.
        PinFileNotUtf8 { path: PathBuf } => usage "pin-file-not-utf-8": ("{}: no text in UTF-8", path.display()),
            help ("put the PIN, and nothing else, into CARVEOUT_PKCS11_PIN or the file");
        /// The program is a static one, which cannot load the PKCS#11 module.
        StaticProgram { setting: &'static str, uri: String } => environment "static-program":
            ("{setting} {uri}: this static program cannot load PKCS#11 modules"),
            help ("use the packaged carveout or cargo xtask");
        /// The PKCS#11 module that the URI names cannot be loaded.
        NoModule { setting: &'static str, uri: String, detail: String } => environment "no-module":
            ("{setting} {uri}: the PKCS#11 module cannot be loaded: {detail}"),
            help ("correct module-path in {setting}: it names the library that comes with the token");
        /// No token fits the URI.
        NoToken { setting: &'static str, uri: String, seen: Vec<String> } => environment "no-token":
            ("{setting} {uri}: no such token: {}", there(seen, "none is there")),
            help ("plug it in, correct {setting}, or add ?module-path=/usr/lib/….so: `p11-kit list-modules` shows the \
                tokens that are seen without it");
        /// More than one token fits the URI.
        SeveralTokens { setting: &'static str, uri: String, seen: Vec<String> } => environment "several-tokens":
            ("{setting} {uri}: more than one token fits: {}", there(seen, "")),
            help ("add serial=NUMBER to {setting}");
        /// The token needs a PIN, and none is given.
        NoPin { setting: &'static str, uri: String } => environment "no-pin":
            ("{setting} {uri}: the token asks for a PIN, and none is given"),
            help ("put it into the environment variable CARVEOUT_PKCS11_PIN, or add ?pin-source=/FILE to {setting}");
        /// The PIN is wrong.
        WrongPin { setting: &'static str, uri: String, detail: String, place: String } => environment "wrong-pin":
            ("{setting} {uri}: the token refuses the PIN ({detail})"),
            help ("correct {place}. It was tried once; most tokens lock after a few");
        /// The PIN of the token is locked, has expired or was never set.
        LockedPin { setting: &'static str, uri: String, detail: String } => environment "locked-pin":
            ("{setting} {uri}: the token's PIN is locked, expired or not set ({detail})"),
            help ("unlock or set it with the token's own tool");
        /// No private key in the token fits the URI.
        NoKey { setting: &'static str, uri: String, seen: Vec<String> } => environment "no-key":
            ("{setting} {uri}: no such private key in the token: {}", there(seen, "it has none")),
            help ("correct object or id in {setting}");
        /// More than one private key in the token fits the URI.
        SeveralKeys { setting: &'static str, uri: String } => environment "several-keys":
            ("{setting} {uri}: more than one private key fits"),
            help ("add id=%NN to {setting}: `pkcs11-tool --list-objects` shows identifiers");
        /// The key is not an RSA key of a kind that boards take.
        NotForBoards { setting: &'static str, uri: String, detail: String } => environment "not-for-boards":
            ("{setting} {uri}: the key does not suit boards: {detail}"),
            help ("use the RSA key of 2048 or 3072 bits, with the public exponent 65537, whose hash is in the fuses");
        /// The key is not an Ed25519 key.
        NotForReleases { setting: &'static str, uri: String, detail: String } => environment "not-for-releases":
            ("{setting} {uri}: the key does not suit releases: {detail}"),
            help ("use an Ed25519 key: `pkcs11-tool --keypairgen --key-type EC:edwards25519` makes one");
        /// The token has not signed what a board boots.
        BoardsNotSigned { setting: &'static str, uri: String, detail: String } => environment "boot-image-not-signed":
            ("{setting} {uri}: the token has not signed: {detail}"),
            help ("the key must be allowed to sign with RSA-PSS (CKM_RSA_PKCS_PSS with SHA-256), and the token must \
                stay plugged in");
        /// The token has not signed a release.
        ReleaseNotSigned { setting: &'static str, uri: String, detail: String } => environment "release-not-signed":
            ("{setting} {uri}: the token has not signed: {detail}"),
            help ("the key must be allowed to sign with CKM_EDDSA, and the token must stay plugged in");
        /// The PKCS#11 module has ended the helper that uses it.
        ModuleCrashed { setting: &'static str, uri: String } => environment "module-crashed":
            ("{setting} {uri}: the PKCS#11 module has crashed"),
            help ("name the token's own module: ?module-path=/usr/lib/….so");
        /// The token or its PKCS#11 module fails in another way.
        Failed { setting: &'static str, uri: String, detail: String } => environment "token-failed":
            ("{setting} {uri}: the token fails: {detail}"),
            help ("see whether `pkcs11-tool --test` works with it");
    }
}
