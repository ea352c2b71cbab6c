//! Stores of trusted apps, kept on the desk as carveout-stored keeps them on a device.

use crate::symbols::KnownApp;
use carveout_host::dirs::Dirs;
use carveout_host::ui::Ui;
use carveout_stored::Keeper;
use std::path::Path;
use trusty_abi::storage::PORT_PREFIX;

/// Connects to all ports that wait for the daemon, and serves until the emulation ends. Stores stay in the workspace, from one emulation to
/// the next.
pub fn keep(apps: &[KnownApp], socket: &Path, dirs: &Dirs, ui: &Ui) {
    let dir = dirs.home().join("storage");
    for port in apps.iter().flat_map(|app| &app.ports).filter(|port| port.starts_with(PORT_PREFIX)) {
        match Keeper::connect(socket, port, &dir) {
            Ok(keeper) => {
                ui.detail(&format!("the store at {port} is kept in {}", dir.join(port).display()));
                // The end of the emulation is the end of the connection.
                std::thread::spawn(move || keeper.serve());
            }
            // A trusted app that has ended, say: it is told by itself.
            Err(error) => ui.note(&format!("warning: the store at {port} is not kept: {error}")),
        }
    }
}
