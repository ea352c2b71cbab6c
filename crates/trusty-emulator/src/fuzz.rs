//! Coverage-guided messages to a trusted app's ports. Each case begins at the same moment: all wait for clients.

mod campaign;
mod files;
mod mutate;
mod scene;
mod shrink;
mod solve;
mod words;

pub use campaign::FuzzError;

use crate::process::Known;
use campaign::Campaign;
use clap::Args;
use scene::Scene;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// Options of fuzzing.
#[derive(Debug, Args)]
pub struct FuzzArgs {
    /// Send messages to the ports of the trusted app with a UUID, and look for faults.
    #[arg(long, value_name = "UUID", conflicts_with_all = ["listen", "gdb"])]
    pub fuzz: Option<uuid::Uuid>,
    /// Where cases are read from and kept.
    #[arg(long, value_name = "DIR", requires = "fuzz")]
    pub cases: Option<PathBuf>,
    /// How long.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub seconds: u64,
    /// End when so many different things are found.
    #[arg(long, value_name = "COUNT", default_value_t = 64)]
    pub most: usize,
    /// What the cases are made from.
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub seed: u64,
    /// Play these cases, or all of a folder, and make none.
    #[arg(long, value_name = "FILE|DIR", requires = "fuzz")]
    pub replay: Vec<PathBuf>,
}

/// What the trusted apps are, and who else is there.
pub struct Setting<'a> {
    /// The trusted apps' ELF files.
    pub elves: &'a [Vec<u8>],
    /// What is known of them.
    pub known: &'a dyn Known,
    /// Whether something stands in for hwkey-agent.
    pub agent: bool,
    /// What the kernel has for receive buffers.
    pub memory: Option<u64>,
}

/// Tries cases, or plays those that are named. What came of it.
pub fn run(
    args: &FuzzArgs,
    target: uuid::Uuid,
    setting: &Setting,
    stop: &dyn Fn() -> bool,
) -> Result<Value, FuzzError> {
    let scene = || Scene::new(setting.elves, setting.known, target, setting.agent, setting.memory);
    if args.replay.is_empty() {
        let dir = args.cases.clone().unwrap_or_else(|| PathBuf::from("."));
        let mut campaign = Campaign::new(scene()?, scene()?, &dir, args.seed, stop)?;
        campaign.run(Duration::from_secs(args.seconds), args.most, stop)?;
        return Ok(campaign.result());
    }
    let cases = args.replay.iter().map(|path| files::all_of(path)).collect::<Result<Vec<_>, _>>()?.concat();
    let (mut scene, mut played) = (scene()?, Vec::new());
    for (path, case) in &cases {
        let find = scene.play(case)?;
        let report = find.as_ref().map(|find| scene.report(find));
        // Of one case: of several nobody would know whose it is.
        if let (Some(find), [_]) = (&find, cases.as_slice()) {
            scene.dump(find);
        }
        played.push(json!({ "file": path, "report": report }));
    }
    Ok(json!({ "played": played }))
}
