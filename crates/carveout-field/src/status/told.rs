//! What is asked of a device, and what it tells.

use bundle::Identity;
use carveout_host::outcome::{Outcome, columns};
use carveout_host::size::human;
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct StatusRequest {
    /// `usb`, virt:FILE, card: with a disk or a file, ssh:HOST, or the FILE of a virt device.
    pub to: String,
    /// The bundle whose tools talk to a board in recovery mode, and with which it is compared.
    pub bundle: Option<PathBuf>,
    /// Which board, by USB bus and port.
    pub instance: Option<String>,
}

/// What a device has. What it does not tell is null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct DeviceStatus {
    /// The device, as it was named; of a board in recovery mode its USB bus and port.
    pub device: String,
    /// The board, as bundles name it.
    pub board: Option<String>,
    /// The bundle that runs: its secure-os image and its boot config.
    pub runs: Option<String>,
    /// The bundle that the root filesystem came with, as it says itself.
    pub rootfs: Option<String>,
    /// An update that is tried, and not confirmed yet.
    pub tried: Option<String>,
    /// An update that was tried and has not stayed.
    pub gone_back_from: Option<String>,
    /// The carve-out that the boot config asks for, in bytes.
    pub tzdram: Option<u64>,
    /// The largest security version that the device has had.
    pub security_version: Option<u32>,
    /// Of a board in recovery mode: whether it has the secure-os image of the bundle that was named.
    pub same_secure_os: Option<bool>,
    /// Of an SD card: whether it is of the bundle that was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_card: Option<bool>,
    /// Of a board in recovery mode: the bundle that this host has flashed to it last.
    pub flashed_here: Option<String>,
}

impl DeviceStatus {
    /// What the root filesystem says.
    pub fn of_identity(device: &str, identity: Identity) -> Self {
        Self {
            device: device.into(),
            board: Some(identity.board),
            rootfs: Some(identity.bundle),
            security_version: Some(identity.security_version),
            ..Self::default()
        }
    }

    /// For people and for machines.
    pub fn outcome(&self) -> Outcome {
        let known = |text: &Option<String>| text.clone().unwrap_or_else(|| "not known".into());
        let mut rows = vec![
            ("device", self.device.clone()),
            ("board", known(&self.board)),
            ("runs", known(&self.runs)),
            ("rootfs", known(&self.rootfs)),
        ];
        rows.extend(self.tried.iter().map(|bundle| ("tried", format!("{bundle}, not confirmed yet"))));
        rows.extend(self.gone_back_from.iter().map(|bundle| ("gone back", format!("from {bundle}"))));
        rows.extend(self.tzdram.iter().map(|size| ("carve-out", human(*size))));
        rows.extend(self.security_version.iter().map(|version| ("security", version.to_string())));
        rows.extend(self.same_secure_os.iter().map(|same| {
            let told = if *same { "that of the bundle" } else { "another one than the bundle's" };
            ("secure-os", told.to_owned())
        }));
        rows.extend(self.same_card.iter().map(|same| {
            let told = if *same { "of this very bundle" } else { "of another bundle, or of none" };
            ("card", told.to_owned())
        }));
        rows.extend(self.flashed_here.iter().map(|bundle| ("flashed", format!("{bundle}, by this host"))));
        let rows: Vec<[String; 2]> =
            rows.into_iter().map(|(what, told)| [format!("{what:<10} {told}"), String::new()]).collect();
        Outcome { line: Some(columns(&rows)), json: json!(self), ..Outcome::default() }
    }
}
