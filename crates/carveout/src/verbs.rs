//! What each verb calls.

pub mod doctor;
pub mod ekb;
pub mod image;
pub mod inspect;
pub mod key;
pub mod manual;
pub mod new;
pub mod plan;
pub mod report;
pub mod test_device;

use crate::cli::{AssembleStep, Verb, requests};
use crate::{Context, Verbs};
use carveout_build::make::SingleStage;
use carveout_build::workshop::Sources;
use carveout_build::{assemble, fuzz, release, run};
use carveout_desk::emulate;
use carveout_field::{diff, flash, status, verify};
use carveout_host::error::Result;
use carveout_host::outcome::Outcome;
use carveout_yocto::engine::{self, Engine};
use carveout_yocto::recipes;

impl Verbs for Verb {
    fn run(&self, context: &Context) -> Result<Outcome> {
        let Context { dirs, ui, json, command } = context;
        match self {
            Self::Image(args) => image::run(args, dirs, ui),
            Self::Run(args) => run::run(&args.request(*json), dirs, ui),
            Self::Fuzz(args) => fuzz::run(&args.build.request(), &args.request(), dirs, ui),
            Self::New(args) => new::run(args, dirs, ui),
            Self::TrustedApps(args) => image::part(SingleStage::TrustedApps, &args.request(), dirs, ui),
            Self::SecureOs(args) => image::part(SingleStage::SecureOs, &args.request(), dirs, ui),
            Self::ClientApps(args) => image::part(SingleStage::ClientApps, &args.request(), dirs, ui),
            Self::Rootfs(args) => image::part(SingleStage::Rootfs, &args.request(), dirs, ui),
            Self::Plan(args) => plan::run(&args.request(), dirs, ui),
            Self::Inspect { path } => inspect::run(path, dirs),
            Self::Verify { bundle, key } => verify::run(bundle, requests::key(key.as_deref())?.as_ref(), ui),
            Self::Release(args) => release::run(&args.request(), carveout_report::write, dirs, ui),
            Self::Key(args) => key::run(args, dirs, ui),
            Self::Ekb(args) => ekb::run(args, ui),
            Self::Diff { old, new } => diff::run(old, new, ui),
            Self::Report(args) => report::run(args, dirs, ui),
            Self::Flash(args) => flash::run(&args.request()?, dirs, ui),
            Self::Rollback(args) => flash::rollback(&args.device, args.allow_downgrade, dirs, ui),
            Self::Status(args) => status::run(&args.request(), dirs, ui),
            Self::Backup(args) => flash::backup(&args.request(), dirs, ui),
            Self::Restore(args) => flash::restore(&args.request(), dirs, ui),
            Self::Emulate(args) => {
                let workshop = Sources::new(dirs, false, ui);
                emulate::run(&args.request(*json)?, &workshop, dirs, ui)
            }
            Self::TestDevice(args) => test_device::run(args, *json, dirs, ui),
            Self::Recipes(args) => recipes::run(args.check, dirs, ui),
            Self::Yocto(args) => {
                let request = args.request();
                engine::suits(Engine::Bitbake, &request.build, &request.layers)?;
                engine::run(&request, dirs, ui)
            }
            Self::Assemble(args) => match &args.step {
                AssembleStep::App(args) => assemble::app(&args.request(), ui),
                AssembleStep::BootConfig(args) => assemble::boot_config(&args.files, &args.tzdram()),
                AssembleStep::Bundle(args) => assemble::assemble(&args.parts, &args.output_dir, ui),
            },
            Self::Doctor => doctor::run(dirs, ui),
            Self::Manual(args) => manual::run(args, command, dirs, ui),
            Self::Completions { shell } => Ok(manual::completions(*shell, command)),
        }
    }
}
