//! Options of `ekb`.

use super::desk::ecid;
use carveout_keys::ekb::{EkbRequest, RootRequest};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Options of `ekb`.
#[derive(Clone, Debug, Args)]
pub struct EkbArgs {
    /// What to do.
    #[command(subcommand)]
    pub action: EkbAction,
}

/// What is done with EKBs.
#[derive(Clone, Debug, Subcommand)]
pub enum EkbAction {
    /// Make an EKB, byte for byte as NVIDIA's gen_ekb.py does; the same keys give the same file.
    #[command(after_help = EXAMPLES)]
    New {
        /// What encrypts it.
        #[command(flatten)]
        root: RootArgs,
        /// A key in it; repeat it for more. NVIDIA's hwkey-agent takes two: kernel encryption, then disk encryption.
        #[arg(long = "key", value_name = "FILE", required = true)]
        keys: Vec<PathBuf>,
        /// The IV. Without it, one is derived from the keys.
        #[arg(long, value_name = "FILE")]
        iv: Option<PathBuf>,
        /// The new file.
        #[arg(short, long, value_name = "EKS.IMG")]
        output: PathBuf,
    },
    /// Tell what an EKB is: its size, its IV, and whether NVIDIA's default key opens it. Nothing in it is shown.
    Show {
        /// The EKB.
        #[arg(value_name = "EKS.IMG")]
        ekb: PathBuf,
    },
    /// Open an EKB, and compare its keys with those that are given; exit 1 if it has others.
    Check {
        /// The EKB.
        #[arg(value_name = "EKS.IMG")]
        ekb: PathBuf,
        /// What encrypts it.
        #[command(flatten)]
        root: RootArgs,
        /// A key that it must have, in their order; repeat it for more.
        #[arg(long = "key", value_name = "FILE")]
        keys: Vec<PathBuf>,
    },
    /// Print the passphrase that luks-srv answers on a device: a secret. NVIDIA's gen_luks_passphrase.py does the same.
    Luks {
        /// The key for disk encryption: the second one of the EKB.
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// The context string that Linux asks with, 39 bytes at most.
        #[arg(long, value_name = "TEXT")]
        context: String,
        /// The number of the chip: its own passphrase. Without it, the one that all devices with this EKB have.
        #[arg(long, value_name = "HEX", value_parser = ecid)]
        ecid: Option<u128>,
    },
}

/// What encrypts an EKB. Key files have 32 hexadecimal digits.
#[derive(Clone, Debug, Args)]
pub struct RootArgs {
    /// The key KEK2, which the device's fuses hold: a key file. Without it, zeros, as without fuses.
    #[arg(long, value_name = "FILE")]
    pub kek2: Option<PathBuf>,
    /// The fixed vector in the sources of hwkey-agent (fv_for_ekb): a key file. Without it, that of NVIDIA's sources.
    #[arg(long, value_name = "FILE")]
    pub vector: Option<PathBuf>,
}

impl RootArgs {
    /// What is asked for.
    pub fn request(&self) -> RootRequest {
        RootRequest { kek2: self.kek2.clone(), vector: self.vector.clone() }
    }

    /// An EKB of these keys.
    pub fn ekb(&self, keys: &[PathBuf], iv: Option<&PathBuf>) -> EkbRequest {
        EkbRequest { root: self.request(), keys: keys.to_vec(), iv: iv.cloned() }
    }
}

const EXAMPLES: &str = "\
Examples:
  Keys of your own, which only their owner reads:
    umask 077; for name in kek2.key kernel.key disk.key; do openssl rand -hex 16 > $name; done
  An EKB for boards with this KEK2 in their fuses:
    cargo xtask ekb new --kek2 kek2.key --key kernel.key --key disk.key -o eks.img
  See on the desk, in the lines of the console, whether hwkey-agent takes it:
    cargo xtask emulate BUNDLE --ekb eks.img --kek2 kek2.key -- --self-test";
