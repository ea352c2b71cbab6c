//! Options of what runs on the desk.

use super::build::BuildArgs;
use carveout_desk::linux::LinuxRequest;
use carveout_host::size::Size;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

/// Options of `emulate`.
#[derive(Clone, Debug, Args)]
pub struct EmulateArgs {
    /// A bundle's folder or its .tar.zst; a secure-os image or an lk.bin; or virt:FILE, the disk image of a virt device.
    #[arg(value_name = "BUNDLE|IMAGE|virt:FILE")]
    pub target: String,
    /// What runs the trusted apps: `qemu` boots the image's own kernel, `unicorn` has none and profiles. Without it, qemu if
    /// there is a kernel and no --profile.
    #[arg(long, value_parser = ["unicorn", "qemu"])]
    pub backend: Option<String>,
    /// The carve-out for an image that comes without its boot config.
    #[arg(long, value_name = "SIZE")]
    pub tzdram: Option<Size>,
    /// Where to listen: a Unix socket. Without it, one in a scratch folder.
    #[arg(long, value_name = "PATH")]
    pub listen: Option<PathBuf>,
    /// Print what each trusted app used of its heap and stack, and what would be enough.
    #[arg(long)]
    pub profile: bool,
    /// Let gdb or lldb stop a trusted app: it waits for one before its first instruction (unicorn). Without a name, the only one.
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = "",
        conflicts_with_all = ["profile", "ipc_unittest"])]
    pub gdb: Option<String>,
    /// Run NVIDIA's own test of the kernel's IPC, if the image holds it (sample/ipc-unittest), and tell its verdict.
    #[arg(long, conflicts_with_all = ["client_args", "profile"])]
    pub ipc_unittest: bool,
    /// Which client app: a name of the bundle's, or of the workspace's for an image or a device; `host` or host:NAME, the same
    /// built for this host; or the path of a program or a .deb. Without it, the first of the product config.
    #[arg(long, value_name = "NAME|host|PATH")]
    pub client: Option<String>,
    /// The public key of who must have signed the bundle: minisign's .pub file, or the text in its second line.
    #[arg(long, value_name = "PUB")]
    pub key: Option<String>,
    /// A file that the client app writes; repeat it for more. Files that CLIENT ARGS name it reads, others it does not see.
    #[arg(long, value_name = "FILE", requires = "client_args")]
    pub writes: Vec<PathBuf>,
    /// Keys.
    #[command(flatten)]
    pub keys: DeviceKeysArgs,
    /// Linux.
    #[command(flatten)]
    pub linux: LinuxArgs,
    /// Arguments of the client app. Without any, the trusted apps wait for clients until Ctrl-C. With --linux: a command and its
    /// arguments; without any, a shell.
    #[arg(last = true, value_name = "CLIENT ARGS")]
    pub client_args: Vec<String>,
}

/// Keys of the device that `emulate` stands in for.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Keys of the device (qemu)")]
pub struct DeviceKeysArgs {
    /// The EKB that NVIDIA's hwkey-agent gets: an unsigned eks.img. Without it, one with keys that are no secret.
    #[arg(long, value_name = "EKS.IMG")]
    pub ekb: Option<PathBuf>,
    /// The key KEK2, which fuses hold: a file with 32 hexadecimal digits. Without it, zeros, as without fuses.
    #[arg(long, value_name = "FILE")]
    pub kek2: Option<PathBuf>,
    /// The number of the chip, up to 100 bits in hexadecimal.
    #[arg(long, value_name = "HEX", value_parser = ecid)]
    pub ecid: Option<u128>,
}

/// The number of a chip.
pub fn ecid(text: &str) -> Result<u128, String> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = plain.then(|| u128::from_str_radix(digits, 16).ok()).flatten();
    number
        .filter(|number| number >> 100 == 0)
        .ok_or_else(|| "an ECID has up to 100 bits, 25 hexadecimal digits".into())
}

/// Options of `emulate --linux`.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Linux")]
pub struct LinuxArgs {
    /// Boot Linux from the root filesystem, and run CLIENT ARGS there as a command: its output and its exit code are ours.
    #[arg(long, conflicts_with_all = ["client", "writes", "profile", "ipc_unittest"])]
    pub linux: bool,
    /// How it boots, and what is done in it.
    #[command(flatten)]
    pub guest: GuestArgs,
    /// Keep what the guest changes (virt:FILE alone). Without it, changes are thrown away.
    #[arg(long, requires = "linux")]
    pub persist: bool,
    /// Start from a snapshot of the running system in a second. The first start makes it (bundles alone).
    #[arg(long, requires = "linux", conflicts_with = "persist")]
    pub snapshot: bool,
}

/// Options of a guest.
#[derive(Clone, Debug, Args)]
pub struct GuestArgs {
    /// Copy a file into the guest before the command runs; repeat it for more.
    #[arg(long, value_name = "FILE:PATH", value_parser = copy_in)]
    pub copy_in: Vec<(PathBuf, String)>,
    /// Copy a file out of the guest when the command has ended; repeat it for more.
    #[arg(long, value_name = "PATH:FILE", value_parser = copy_out)]
    pub copy_out: Vec<(String, PathBuf)>,
    /// Lead a TCP port of this host to one of the guest; repeat it for more. Without it, the guest has no network.
    #[arg(long, value_name = "HOST:GUEST", value_parser = forward)]
    pub forward: Vec<(u16, u16)>,
    /// Wait for a unit of systemd before the command runs; `running` is the whole system, with no unit that has failed.
    #[arg(long, value_name = "UNIT")]
    pub wait_for: Option<String>,
    /// Boot this kernel instead of Debian's: an Image for arm64 with virtio-mmio, virtio-blk, virtio-console, ext4, PL011 and CUSE built
    /// in.
    #[arg(long, value_name = "FILE")]
    pub kernel: Option<PathBuf>,
    /// Memory of the guest, in MiB.
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u64).range(64..=65536))]
    pub memory: u64,
    /// CPUs of the guest. Two are slower than one on a host of two.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=8))]
    pub cpus: u32,
    /// Seconds that the command, and what is waited for, may take. Without it the command may take any time, and what is waited for
    /// 300 s.
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=86400))]
    pub timeout: Option<u64>,
}

/// Options of `test-device`.
#[derive(Clone, Debug, Args)]
pub struct TestDeviceArgs {
    /// Which product.
    #[command(flatten)]
    pub build: BuildArgs,
    /// How it boots, and what is done in it.
    #[command(flatten)]
    pub guest: GuestArgs,
    /// The command and its arguments. Without one, the product's `self_test`.
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

impl GuestArgs {
    /// What is asked for.
    pub fn request(&self) -> LinuxRequest {
        LinuxRequest {
            copy_in: self.copy_in.clone(),
            copy_out: self.copy_out.clone(),
            forwards: self.forward.clone(),
            wait_for: self.wait_for.clone(),
            kernel: self.kernel.clone(),
            memory: self.memory,
            cpus: self.cpus,
            timeout: self.timeout.map(Duration::from_secs),
            ..LinuxRequest::default()
        }
    }
}

impl LinuxArgs {
    /// What is asked for, if Linux is to boot.
    pub fn request(&self) -> Option<LinuxRequest> {
        self.linux.then(|| LinuxRequest {
            persist: self.persist,
            snapshot: self.snapshot,
            ..self.guest.request()
        })
    }
}

/// A path of the guest, which begins with a slash.
fn inside(path: &str) -> Result<String, String> {
    if path.starts_with('/') && !path.ends_with('/') && !path.contains('\0') {
        return Ok(path.to_owned());
    }
    Err(format!("`{path}`: a file in the guest is named by its whole path, such as /root/data"))
}

fn copy_in(text: &str) -> Result<(PathBuf, String), String> {
    let (file, path) = text.rsplit_once(':').ok_or("name a file and its path in the guest: FILE:/PATH")?;
    Ok((file.into(), inside(path)?))
}

fn copy_out(text: &str) -> Result<(String, PathBuf), String> {
    let (path, file) = text.split_once(':').ok_or("name a path in the guest and a file: /PATH:FILE")?;
    if file.is_empty() {
        return Err("name the file of this host behind the colon".into());
    }
    Ok((inside(path)?, file.into()))
}

fn forward(text: &str) -> Result<(u16, u16), String> {
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    let ports = text.split_once(':').and_then(|(host, guest)| Some((port(host)?, port(guest)?)));
    ports.ok_or_else(|| format!("`{text}`: two ports of 1 to 65535, such as 8080:80"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_ports_are_read() {
        assert_eq!(copy_in("a:b:/root/c").unwrap(), ("a:b".into(), "/root/c".into()));
        assert_eq!(copy_out("/root/c:a:b").unwrap(), ("/root/c".into(), "a:b".into()));
        assert_eq!(forward("8080:80").unwrap(), (8080, 80));
        for bad in ["a", "a:b", "a:/b/"] {
            assert!(copy_in(bad).is_err(), "{bad}");
        }
        for bad in ["/a", "a:b", "/a:"] {
            assert!(copy_out(bad).is_err(), "{bad}");
        }
        for bad in ["80", "0:80", "80:65536", "a:b"] {
            assert!(forward(bad).is_err(), "{bad}");
        }
    }
}
