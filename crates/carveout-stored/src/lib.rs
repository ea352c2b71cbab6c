//! Keeps the sealed stores of trusted apps: a folder for each port, a connection to each trusted app, requests as in AOSP's storage proxy.
//!
//! What a trusted app is told to be on the disk is on the disk. What it sends is believed in nothing: names cannot lead out of its folder, and
//! there is a limit to files and bytes.

mod folder;

pub use folder::Folder;

use std::io;
use std::path::{Path, PathBuf};
use storage_proxy::Proxy;
use tipc::{Channel, MAX_MESSAGE, Transport};
use trusty_abi::text::Shown;

/// Why a store is not kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The port's name cannot be a folder's.
    #[error("{}: a port has letters, digits, dots, minus signs and underscores, and begins with a letter or digit", Shown(.0))]
    Port(String),
    /// The folder.
    #[error("{}: {}", .0.display(), .1)]
    Folder(PathBuf, io::Error),
    /// The trusted app.
    #[error(transparent)]
    Tipc(#[from] tipc::Error),
    /// It sends what is no request.
    #[error("{0}: it sends what is no request")]
    Nonsense(String),
}

/// A trusted app that is connected to.
pub struct Keeper {
    channel: Channel,
    proxy: Proxy<Folder>,
}

impl Keeper {
    /// Connects to a port, and keeps its files in a folder of its name in `dir`. Waits until the trusted app accepts.
    pub fn connect(device: &Path, port: &str, dir: &Path) -> Result<Self, KeepError> {
        if !is_port(port) {
            return Err(KeepError::Port(port.into()));
        }
        let folder = dir.join(port);
        let files = Folder::open(&folder).map_err(|error| KeepError::Folder(folder, error))?;
        let mut channel = Channel::connect(device, port)?;
        // It asks when it likes.
        channel.set_timeout(None);
        Ok(Self { channel, proxy: Proxy::new(files) })
    }

    /// Serves until the connection ends: with the reason.
    pub fn serve(mut self) -> KeepError {
        let mut request = [0; MAX_MESSAGE];
        loop {
            let length = match self.channel.receive(&mut request) {
                Ok(length) => length,
                Err(error) => return error.into(),
            };
            let Some(answer) = self.proxy.answer(request.get(..length).unwrap_or_default()) else {
                return KeepError::Nonsense(self.channel.port().to_owned());
            };
            if let Err(error) = self.channel.send(&answer) {
                return error.into();
            }
        }
    }
}

fn is_port(port: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    port.len() < 64 && port.starts_with(|c: char| c.is_ascii_alphanumeric()) && port.chars().all(plain)
}

#[cfg(test)]
mod tests {
    use super::is_port;

    #[test]
    fn a_port_is_a_folders_name() {
        assert!(is_port("com.carveout.storage.vault-srv"));
        for port in ["", ".", "..", ".x", "a/b", "a b", "a\n", &"a".repeat(64)] {
            assert!(!is_port(port), "{port:?}");
        }
    }
}
