//! BitBake as an engine.

mod real;
mod stand_in;

use crate::builds::util::{Ran, root};
use std::path::Path;
use std::process::Command;

pub const BOARD: &str = "jetson-agx-xavier";

/// A product of its own build folder, which is `name` and the board's.
pub fn product(dir: &Path, name: &str, more: &str) -> String {
    product_of(dir, name, BOARD, more)
}

/// The same for another board.
pub fn product_of(dir: &Path, name: &str, board: &str, more: &str) -> String {
    let path = dir.join(format!("{name}.yaml"));
    let text = format!(
        "name: {name}\nversion: 1.0.0\nboard: {board}\ntzdram: {{ size: 32MiB }}\n\
         trusted_apps:\n  - echo-srv\n  - {{ package: small-echo-srv, min_heap: 128KiB }}\nclient_apps: [echo-srv-app]\n\
         rootfs: {{ kind: debian, suite: bookworm, size: 8GiB }}\n{more}"
    );
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// Our own program on a workspace. Root runs BitBake as the user that the environment names, or as nobody.
pub fn on(workspace: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments).current_dir(workspace).env("CARGO_MANIFEST_DIR", workspace.join("xtask"));
    if std::env::var_os("CARVEOUT_BITBAKE_USER").is_none() {
        command.env("CARVEOUT_BITBAKE_USER", "nobody");
    }
    command
}

/// On this workspace.
pub fn yocto(arguments: &[&str]) -> Ran {
    Ran::new(&mut on(&root(), arguments))
}
