//! `image`, and the verbs of single stages.

use super::build::{self, Part, Request};
use super::yocto::{self, Engine};
use crate::cli::ImageArgs;
use crate::error::Result;
use crate::outcome::Outcome;
use crate::ui::Ui;
use serde_json::json;

/// Builds a bundle.
pub fn run(args: &ImageArgs, ui: &Ui) -> Result<Outcome> {
    let (request, layers) = (args.request(), args.layers());
    let engine = Engine::from(args.engine);
    yocto::suits(engine, &request, &layers)?;
    let path = match engine {
        Engine::Bitbake => yocto::image(&request, &layers, &args.output_dir, ui)?,
        Engine::Local => build::local(&request, !args.no_boot, &args.output_dir, ui)?,
    };
    ui.table();
    let archive = format!("{}.tar.zst", path.display());
    let json = json!({ "bundle": path, "archive": archive, "stages": ui.rows() });
    Ok(Outcome { line: Some(path.display().to_string().into()), json, ..Outcome::default() })
}

/// Builds one stage and what it needs.
pub fn part(part: Part, request: &Request, ui: &Ui) -> Result<Outcome> {
    let output = build::part(part, request, ui)?;
    ui.table();
    let json = json!({ "directory": output.dir, "stages": ui.rows() });
    Ok(Outcome { line: Some(output.dir.display().to_string().into()), json, ..Outcome::default() })
}
