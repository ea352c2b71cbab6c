//! Of flash packages: what NVIDIA's tools have made.

use carveout_host::error::Cause;
use std::path::PathBuf;

/// What NVIDIA's tools take for keys.
pub const KEYS: &str = "l4t.pkc_key must be an RSA private key of 2048 or 3072 bits, in PEM or in a token, \
                        l4t.sbk_key 16 bytes, four words 0x… of 32 bits or one number of 32 hexadecimal digits";

carveout_host::errors! {
    /// What can be wrong with a flash package that NVIDIA's tools have made.
    pub enum FlashError("build::flash-package") {
        /// NVIDIA's tools have not made a file that they must make.
        NotMade { file: String } => check "file-not-made":
            ("NVIDIA's tools ended with success, but made no {file}"),
            help ("their log in target/carveout/logs tells what they did");
        /// The product names an EKB, and the board's file of the BSP none to put it in the place of.
        NoEkbFile { ekb: PathBuf } => usage "no-ekb-file":
            ("{}: the board's file of the BSP names no EKB (EKSFILE) that this could take the place of", ekb.display()),
            help ("leave l4t.ekb out, or use a BSP whose board file has EKSFILE");
        /// A board that is signed for would get an EKB whose keys everybody has.
        KnownEkb { file: String } => usage "known-ekb":
            ("{file} of the BSP has keys that are encrypted with NVIDIA's default test key, which everybody has: a board that is \
              signed for gets no such EKB"),
            help ("name one of your own as l4t.ekb: cargo xtask ekb new makes it");
        /// The carve-out cannot be read back from the boot config that NVIDIA's tools have made.
        BootConfig { file: String, source: Cause } => check "unreadable-boot-config":
            ("{file}, which NVIDIA's tools made of the boot config: {source}"),
            help ("nothing has been put into a bundle; please report this with the L4T release");
        /// The boot config that NVIDIA's tools have made has another carve-out than the product config.
        OtherCarveOut { file: String, size: u64, alignment: u64, expected_size: u64, expected_alignment: u64 }
            => check "other-carve-out":
            ("{file}, which NVIDIA's tools made of the boot config: it has a carve-out of 0x{size:x} \
              aligned to 0x{alignment:x}, configured are 0x{expected_size:x} and 0x{expected_alignment:x}"),
            help ("nothing has been put into a bundle; please report this with the L4T release");
        /// The boot config that NVIDIA's tools have made differs from the BSP's in more than the carve-out.
        BootConfigDiffers { file: String, source: Cause } => check "boot-config-differs":
            ("{file}, which NVIDIA's tools made of the boot config: {source}"),
            help ("nothing has been put into a bundle; please report this with the L4T release");
        /// NVIDIA's tools have ended with success and not signed with the given PKC.
        NotSigned => check "not-signed": ("NVIDIA's tools have not signed with the PKC"),
            help ("l4t.pkc_key must be an RSA private key of 2048 or 3072 bits, in PEM or in a token, \
                   l4t.sbk_key 16 bytes, four words 0x… of 32 bits or one number of 32 hexadecimal digits");
        /// NVIDIA's tools have ended with success and not encrypted with the given SBK.
        NotEncrypted { file: String } => check "not-encrypted":
            ("NVIDIA's tools have not encrypted {file} with the SBK"),
            help ("l4t.pkc_key must be an RSA private key of 2048 or 3072 bits, in PEM or in a token, \
                   l4t.sbk_key 16 bytes, four words 0x… of 32 bits or one number of 32 hexadecimal digits");
        /// The partition layout that NVIDIA's tools have made cannot be read.
        Layout { path: PathBuf, source: Cause } => check "unreadable-layout": ("{}: {source}", path.display());
        /// A signed file does not hold the file that was checked for its partition.
        OtherFile { file: String, partition: String, checked: String } => check "other-file-signed":
            ("NVIDIA's tools made {file} for partition {partition}, but not of the file that was checked: {checked}"),
            help ("nothing has been put into a bundle; please report this with the L4T release");
        /// The boot image that NVIDIA's tools have made cannot be read.
        BootImage { path: PathBuf, source: Cause } => check "unreadable-boot-image":
            ("{}, which NVIDIA's tools made: {source}", path.display());
        /// The boot image that NVIDIA's tools have made has another kernel or initrd than the BSP.
        OtherBootImage { path: PathBuf, file: &'static str } => check "other-boot-image":
            ("{}, which NVIDIA's tools made: it does not hold the BSP's {file}", path.display());
        /// The parts of the recovery loader cannot be read.
        Recovery { source: Cause } => check "unreadable-recovery-loader":
            ("blob.bin, which NVIDIA's tools made: {source}");
        /// The recovery loader has a part that is no file that was checked.
        OtherRecovery { part: String } => check "other-recovery-loader":
            ("blob.bin, which NVIDIA's tools made: its {part} is none of the files that were checked");
        /// The boot ROM would not be sent the MB1 of the BSP.
        NoMb1Message { mb1: String } => check "no-mb1-message":
            ("no RCM message of NVIDIA's tools holds the BSP's MB1 ({mb1})");
        /// The list of what signed files were made of cannot be written.
        MadeOf { source: Cause } => check "origins-not-written": ("{source}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use carveout_host::error::Error;

    #[test]
    fn what_is_taken_for_keys_is_said_in_the_same_words() {
        for error in [FlashError::NotSigned, FlashError::NotEncrypted { file: "x".into() }] {
            assert_eq!(Error::from(error).remedy.unwrap(), KEYS);
        }
    }
}
