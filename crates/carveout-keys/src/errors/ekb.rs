//! What can go wrong with encrypted key blobs.

use carveout_host::error::Cause;
use std::path::PathBuf;

carveout_host::errors! {
    /// What can go wrong with encrypted key blobs.
    pub enum EkbError("keys::ekb") {
        /// A key file has another form.
        NoKey { path: PathBuf, source: Cause } => usage "no-key": ("{}: {source}", path.display()),
            help ("make one: openssl rand -hex 16 > FILE");
        /// An option names no file; perhaps it is a key's text.
        NoFile { option: String, shown: String } => usage "no-file": ("{option}: there is no file: {shown}"),
            help ("name a key by its file, never by its text: command lines are in logs; put it into a file of mode 0600, or say {} <(COMMAND)", option);
        /// An EKB that is named is not there.
        NoEkbFile { option: String, shown: String } => usage "no-ekb-file": ("{option}: there is no file: {shown}"),
            help ("name an unsigned eks.img, as `cargo xtask ekb new` or NVIDIA's gen_ekb.py makes it");
        /// What is to be written over is no EKB.
        NotReplaced { path: PathBuf } => usage "not-replaced":
            ("{}: it is there, and is no EKB: it is not replaced", path.display()),
            help ("give another name, or remove the file if it is not needed");
        /// What is to be written over is an EKB with another content.
        OtherEkb { path: PathBuf } => usage "other-ekb":
            ("{}: it is there, and is another EKB: it is not replaced", path.display()),
            help ("give another name, or remove the file if its keys are not needed any more");
        /// A file is no EKB.
        NoEkb { path: PathBuf } => usage "no-ekb":
            ("{}: is no EKB: its bytes 4 to 11 are not NVEKBP", path.display()),
            help ("name an unsigned eks.img, as `cargo xtask ekb new` or NVIDIA's gen_ekb.py makes it");
        /// An EKB is cut off, or its length cannot be.
        Damaged { path: PathBuf, source: Cause } => check "damaged-ekb": ("{}: {source}", path.display()),
            help ("copy it again from where it was made");
        /// There are no keys, or more than an EKB holds.
        NotMade { keys: usize, source: Cause } => usage "ekb-not-made": ("an EKB of {keys} keys: {source}"),
            help ("name each key with --key FILE; NVIDIA's hwkey-agent takes two");
        /// The key does not open the EKB.
        OtherKey { path: PathBuf } => check "other-key":
            ("{}: its CMAC is not that of this KEK2 and this fixed vector, or it was changed", path.display()),
            help ("give the KEK2 of the device's fuses and the vector of the hwkey-agent that reads it");
        /// The EKB holds other keys.
        OtherContent { path: PathBuf, number: usize, given: usize, found: usize } => check "other-content":
            ("{}", if given == found {
                format!("{}: its key {number} is another than the one given", path.display())
            } else {
                format!("{}: it has {found} keys, {given} {} given", path.display(), if *given == 1 { "was" } else { "were" })
            }),
            help ("its keys are in the order in which they were given to `ekb new`");
        /// A context string that luks-srv cannot take.
        WrongContext { source: Cause } => usage "wrong-context": ("--context: {source}");
    }
}
