//! `doctor`: what this host has and lacks.

use crate::errors::CommandError;
use crate::results;
use carveout_build::stages::client_apps;
use carveout_build::workshop::EMULATOR_NEEDS;
use carveout_desk::qemu;
use carveout_host::dirs::Dirs;
use carveout_host::error::{Error, Result};
use carveout_host::outcome::Outcome;
use carveout_host::packages;
use carveout_host::packages::Need;
use carveout_host::text::Text;
use carveout_host::toolchain::{RustTarget, Toolchains};
use carveout_host::tools::{cargo, curl};
use carveout_host::ui::Ui;
use carveout_keys::token;
use carveout_vendor::{l4t, trusty};
use carveout_yocto::bitbake;
use serde_json::json;

/// Lists all needs; fails with exit 3 if one is missing that only a person can install.
pub fn run(dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    let root = dirs.root()?;
    let mut needs: Vec<Need> =
        packages::CLIENT_APPS.into_iter().chain(packages::ROOTFS).chain(EMULATOR_NEEDS).collect();
    if !packages::is_root() {
        needs.extend(packages::UNPRIVILEGED);
    }
    let mut lines = Vec::new();
    let mut rows = Vec::new();
    let mut add = |what: &str, state: &str, why: &str| {
        lines.push(format!("{state:<8} {what:<28} {why}"));
        rows.push(results::Need { what: what.into(), state: state.into(), why: why.into() });
    };
    let mut missing = Vec::new();
    for need in &needs {
        let met = packages::is_met(need);
        add(need.package, if met { "ok" } else { "missing" }, need.why);
        if !met {
            missing.push(need.package);
        }
    }
    // For Jetson boards alone: their absence fails nothing else.
    for need in trusty::NEEDS.iter().chain(&l4t::NEEDS).chain(&token::NEEDS).chain(&curl::NEEDS) {
        add(
            need.package,
            if packages::is_met(need) { "ok" } else { "later" },
            &format!("Jetson: {}", need.why),
        );
    }
    for need in &bitbake::NEEDS {
        add(
            need.package,
            if packages::is_met(need) { "ok" } else { "later" },
            &format!("BitBake: {}", need.why),
        );
    }
    let qemu = qemu::Qemu::installed();
    let (state, version) = match &qemu {
        Ok(Some(qemu)) => ("ok", format!(" ({})", qemu.version)),
        Ok(None) => ("later", String::new()),
        Err(error) => ("missing", format!(": {}", error.message)),
    };
    add(qemu::NEED.package, state, &format!("Jetson: {}{version}", qemu::NEED.why));
    let arm64 = packages::runs_arm64();
    let state = if arm64 { "ok" } else { "missing" };
    add(
        "binfmt_misc: qemu-aarch64",
        state,
        "arm64 programs run here (registered when first needed, as root)",
    );
    let ids = packages::ensure_subordinate_ids();
    if !packages::is_root() {
        let state = if ids.is_ok() { "ok" } else { "missing" };
        add("subordinate ids", state, "a user namespace for root filesystems, without root");
    }
    let toolchains = Toolchains::new(root, true, ui);
    for target in [RustTarget::TrustedApp, RustTarget::ClientApp, RustTarget::Firmware] {
        let found = toolchains.installed(target)?;
        let state = if found.is_some() { "ok" } else { "later" };
        let why = found.map_or("provisioned by the first build".into(), |t| t.version);
        add(&format!("Rust for {}", target.triple()), state, &why);
    }
    let (name, version) = client_apps::CARGO_DEB;
    let there = cargo::helper_path(&dirs.home().join("tools"), name, version).exists();
    let state = if there { "ok" } else { "later" };
    add(&format!("{name} {version}"), state, "packs client apps; installed by the first build");
    if missing.is_empty() && (arm64 || packages::is_root()) && ids.is_ok() {
        let json = json!(results::Checked { ok: true, needs: rows });
        return Ok(Outcome { line: Some(Text::lines(lines)), json, ..Outcome::default() });
    }
    let remedy = match (missing.as_slice(), ids) {
        ([], Err(Error { remedy: Some(remedy), .. })) => remedy,
        ([], _) => "run: sudo systemctl restart systemd-binfmt".to_owned(),
        (missing, _) => format!("run: {}", packages::install_command(missing)),
    };
    let error = Error::from(CommandError::HostLacks { needs: json!(rows) });
    Err(error.with_lines(format_args!("  {}", lines.join("\n  "))).remedy(remedy))
}
