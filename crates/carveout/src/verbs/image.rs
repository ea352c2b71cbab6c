//! `image`, and the verbs of single stages.

use crate::cli::ImageArgs;
use crate::results::{Built, PartBuilt};
use carveout_build::make;
use carveout_build::make::{BuildRequest, SingleStage};
use carveout_host::dirs::Dirs;
use carveout_host::error::Result;
use carveout_host::outcome::Outcome;
use carveout_host::ui::Ui;
use carveout_yocto::engine;
use carveout_yocto::engine::Engine;
use carveout_yocto::errors::YoctoError;
use serde_json::json;

/// Builds a bundle.
pub fn run(args: &ImageArgs, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    let (request, layers) = (args.request(), args.layers());
    let chosen = Engine::from(args.engine);
    engine::suits(chosen, &request, &layers)?;
    if chosen == Engine::Bitbake && args.boot_linux {
        return Err(YoctoError::NoLinuxBoot.into());
    }
    let path = match chosen {
        Engine::Bitbake => engine::image(&request, &layers, &args.output_dir, dirs, ui)?,
        Engine::Local => make::local(&request, args.boots(), &args.output_dir, dirs, ui)?,
    };
    ui.table();
    let archive = format!("{}.tar.zst", path.display());
    let json = json!(Built { bundle: path.clone(), archive, stages: ui.rows() });
    Ok(Outcome { line: Some(path.display().to_string().into()), json, ..Outcome::default() })
}

/// Builds one stage and what it needs.
pub fn part(part: SingleStage, request: &BuildRequest, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    let output = make::part(part, request, dirs, ui)?;
    ui.table();
    let json = json!(PartBuilt { directory: output.dir.clone(), stages: ui.rows() });
    Ok(Outcome { line: Some(output.dir.display().to_string().into()), json, ..Outcome::default() })
}
