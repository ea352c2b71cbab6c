//! The network that QEMU gives, told to the system's own network service.

use std::fs;
use std::io;
use std::path::Path;

/// Where systemd-networkd looks, on a tmpfs.
const FOLDER: &str = "/run/systemd/network";
/// QEMU's user network: the guest has this address, and no other one answers.
const CONFIG: &str = "[Match]\nName=en* eth*\n\n[Network]\nAddress=10.0.2.15/24\nGateway=10.0.2.2\nDNS=10.0.2.3\n\
                      LinkLocalAddressing=no\nIPv6AcceptRA=no\n";

/// Writes it.
pub fn write() -> io::Result<()> {
    fs::create_dir_all(FOLDER)?;
    fs::write(Path::new(FOLDER).join("80-carveout.network"), CONFIG)
}
