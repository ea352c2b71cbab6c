//! `flash`: writes boards in recovery mode, several at once, and proves by reading back what they now have.

mod app;
mod board;

use super::Outcome;
use crate::cli::FlashArgs;
use crate::device::package::Package;
use crate::device::record::{self, Record};
use crate::device::usb;
use crate::error::{Error, Result};
use crate::size::human;
use crate::ui::Ui;
use serde_json::json;
use std::path::{Path, PathBuf};
use tegra_flash::Scope;

pub use app::{backup, restore};

/// The only device that is flashed by now.
const USB: &str = "usb";
/// Bytes a second that are assumed before anything has been measured: eMMC and USB 2 do 20 to 40 MB.
const ASSUMED_RATE: u64 = 25 << 20;

/// What is done with each board.
pub struct Job<'a> {
    /// The bundle.
    pub package: &'a Package,
    /// How much is written.
    pub scope: Scope,
    /// The board's own root filesystem is read first, and put back.
    pub keep_app: bool,
    /// A raw image to write as root filesystem instead of the bundle's own.
    pub app: Option<PathBuf>,
    /// Where it is kept meanwhile, and afterwards.
    pub backup_dir: Option<&'a Path>,
}

/// Flashes all boards, or tells what it would do.
pub fn run(args: &FlashArgs, ui: &Ui) -> Result<Outcome> {
    let scope = scope(args)?;
    let own = args.keep_app || args.app.is_some();
    let package = Package::open(&args.bundle, scope != Scope::SecureOs && !own && !args.dry_run)?;
    if let Some(lacks) = package.manifest.scope_lacks(scope, own) {
        let message =
            format!("{} cannot be flashed in scope {}: {lacks}", args.bundle.display(), name(scope));
        return Err(Error::usage(message).remedy(
            "build a bundle with a whole BSP and a root filesystem, add --keep-app or --app FILE, or take --scope secure-os, which leaves the \
             carve-out as it is",
        ));
    }
    let boards = usb::choose(&args.instance)?;
    let scratch = crate::tools::scratch("app")?;
    let size = package.manifest.device.as_ref().map_or(0, |device| device.app_size);
    let app = args.app.as_ref().map(|image| app::to_raw(image, size, scratch.path())).transpose()?;
    let backup_dir = args.backup_dir.as_deref();
    let job = Job { package: &package, scope, keep_app: args.keep_app, app, backup_dir };
    let plan = job.plan(&boards)?;
    ui.note(&plan);
    if args.dry_run {
        return Ok(Outcome {
            line: Some(name(scope).into()),
            json: json!({ "boards": boards, "plan": plan }),
            ..Outcome::default()
        });
    }
    let folder = record::folder()?;
    let results: Vec<(String, Result<Record>)> = std::thread::scope(|threads| {
        let flash = |board: &String| {
            let (board, job, folder) = (board.clone(), &job, &folder);
            threads.spawn(move || (board.clone(), board::flash(job, &board, folder, ui)))
        };
        let running: Vec<_> = boards.iter().map(flash).collect();
        let gone =
            |_| (String::new(), Err(Error::check("a board's thread has panicked: please report this")));
        running.into_iter().map(|thread| thread.join().unwrap_or_else(gone)).collect()
    });
    summary(&results, &folder, ui)
}

fn scope(args: &FlashArgs) -> Result<Scope> {
    if args.to != USB {
        return Err(Error::usage(format!("--to {}: unknown device", args.to))
            .remedy("boards in recovery mode are --to usb; virt devices cannot be flashed yet"));
    }
    if args.keep_app && args.scope != "full" {
        return Err(Error::usage(format!(
            "--keep-app with --scope {}: only a full flash writes APP besides",
            args.scope
        ))
        .remedy("leave --keep-app out: scope secure-os does not touch the root filesystem"));
    }
    if args.app.is_some() && args.scope == "secure-os" {
        return Err(Error::usage("--app with --scope secure-os: that writes no root filesystem")
            .remedy("leave --app out, or take --scope full or app"));
    }
    Ok(match args.scope.as_str() {
        "secure-os" => Scope::SecureOs,
        "app" => Scope::App,
        _ => Scope::Full,
    })
}

/// A scope as people write it.
pub fn name(scope: Scope) -> &'static str {
    match scope {
        Scope::App => "app",
        Scope::SecureOs => "secure-os",
        Scope::Full => "full",
    }
}

impl Job<'_> {
    /// Bytes that are written to a board.
    pub fn bytes(&self) -> u64 {
        let written =
            |partition: &String| self.scope == Scope::Full || Scope::of_partition(partition) == self.scope;
        let modules = self.package.manifest.device.iter().flat_map(|device| &device.modules);
        let largest = modules.map(|module| {
            let files = self.package.manifest.flash_files(&module.name);
            let size = |file: &&bundle::FileEntry| {
                file.size * file.partitions.iter().filter(|p| written(p)).count() as u64
            };
            files.values().map(size).sum::<u64>()
        });
        let app = match self.scope {
            Scope::SecureOs => 0,
            _ if self.keep_app || self.app.is_some() => self.app_size(),
            _ => self.package.rootfs().and_then(|path| path.metadata().ok()).map_or(0, |m| m.len()),
        };
        largest.max().unwrap_or(0) + app
    }

    /// Bytes of the partition APP.
    pub fn app_size(&self) -> u64 {
        self.package.manifest.device.as_ref().map_or(0, |device| device.app_size)
    }

    /// What will be done, in words; an error if there is no room for it.
    fn plan(&self, boards: &[String]) -> Result<String> {
        let bundle = self.package.manifest.bundle_name();
        let mut text = format!(
            "{bundle}: scope {} to {} board(s): {}\n",
            name(self.scope),
            boards.len(),
            boards.join(", ")
        );
        let mut moved = self.bytes();
        if self.keep_app {
            moved += self.app_size();
            let need = self.app_size().saturating_mul(boards.len() as u64);
            let dir = app::kept_in(self.backup_dir)?;
            app::ensure_room(&dir, need)?;
            text += &format!("APP is read first: {} in {}\n", human(need), dir.display());
        }
        let tzdram = human(self.package.manifest.tzdram.size);
        text += &match self.scope {
            Scope::Full => format!("everything is written; the carve-out becomes {tzdram}"),
            Scope::SecureOs => {
                format!("both slots of secure-os are written, if the board's carve-out is {tzdram} already")
            }
            Scope::App => "the root filesystem is written; carve-out and secure-os stay".into(),
        };
        let seconds = moved / ASSUMED_RATE;
        text += &format!(
            "\nabout {} to move; some {} min {} s if USB and eMMC do {} a second",
            human(moved),
            seconds / 60,
            seconds % 60,
            human(ASSUMED_RATE)
        );
        Ok(text)
    }
}

fn summary(results: &[(String, Result<Record>)], folder: &Path, ui: &Ui) -> Result<Outcome> {
    let mut lines = Vec::new();
    for (board, result) in results {
        lines.push(match result {
            Ok(record) => {
                let seconds: f64 = record.steps.iter().map(|step| step.seconds).sum();
                format!("{board}: done in {seconds:.0} s, {}", record.board.as_deref().unwrap_or_default())
            }
            Err(error) => format!("{board}: {error}"),
        });
    }
    let failed: Vec<&Error> = results.iter().filter_map(|(_, result)| result.as_ref().err()).collect();
    ui.note(&format!("records: {}", folder.join(record::RECORDS).display()));
    let Some(first) = failed.first() else {
        let records: Vec<&Record> = results.iter().filter_map(|(_, result)| result.as_ref().ok()).collect();
        return Ok(Outcome {
            line: Some(lines.join("\n")),
            json: json!({ "boards": records }),
            ..Outcome::default()
        });
    };
    if let [(board, Err(error))] = results {
        return Err(Error { message: format!("{board}: {}", error.message), ..error.clone() });
    }
    let message = format!("{} of {} boards failed\n{}", failed.len(), results.len(), lines.join("\n"));
    Err(Error { message, remedy: None, ..(*first).clone() })
}
