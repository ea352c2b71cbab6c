//! `flash`: writes virt devices, and boards in recovery mode, several at once, and proves by reading back what they now have.

mod app;
mod board;
mod board_job;
pub mod card;
mod image;
mod kept;
mod own_ekb;
mod plan;
mod request;
mod rollback;
pub mod virt;
mod virt_app;

use crate::device::card as device_card;
use crate::device::disk;
use crate::device::package::{Package, root_slots};
use crate::device::record;
use crate::device::record::Record;
use crate::device::usb;
use crate::diff;
use crate::errors::{BundleError, CardError, FlashError};
use crate::release::fetch;
use crate::release::fetch::Wanted;
use crate::results::{BoardsPlan, DevicePlans, Flashed};
use board_job::BoardJob;
use card::CardJob;
use carveout_host::dirs::Dirs;
use carveout_host::error::{Error, Result};
use carveout_host::outcome::Outcome;
use carveout_host::text::Text;
use carveout_host::ui::Ui;
use serde_json::json;
use std::path::{Path, PathBuf};
use tegra_flash::Scope;
use virt::VirtJob;

pub use app::{backup, restore, with_one_board};
pub use request::{Backup, EkbChoice, Extent, FlashRequest, Restore};
pub use rollback::rollback;

/// Boards in recovery mode.
const USB: &str = "usb";

/// Flashes all devices, or tells what it would do.
pub fn run(args: &FlashRequest, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    let virt: Vec<&Path> = args.to.iter().filter_map(|to| disk::file(to)).collect();
    let cards = args.to.iter().filter(|to| device_card::path(to).is_some()).count();
    let usb = args.to.iter().filter(|to| *to == USB).count();
    let known = |to: &&String| *to == USB || disk::file(to).is_some() || device_card::path(to).is_some();
    if let Some(other) = args.to.iter().find(|to| !known(to)) {
        return Err(FlashError::UnknownDevice { device: other.clone() }.into());
    }
    match args.to.len() {
        all if cards == all => self::cards(args, &bundle(args, false, dirs, ui)?, dirs, ui),
        all if usb == all => boards(args, &bundle(args, false, dirs, ui)?, dirs, ui),
        all if virt.len() == all => devices(args, &bundle(args, true, dirs, ui)?, &virt, dirs, ui),
        _ => Err(FlashError::SeveralKinds.into()),
    }
}

/// Writes SD cards.
fn cards(args: &FlashRequest, bundle: &Path, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    let meaningless = [
        ("--scope", args.extent.is_some()),
        ("--from", args.from.is_some()),
        ("--keep-app", args.keep_app),
        ("--instance", !args.instance.is_empty()),
        ("--carve-out-unseen", args.carve_out_unseen),
        ("--ekb", args.ekb != EkbChoice::Keep),
        ("--without-card", args.without_card),
    ];
    if let Some((option, _)) = meaningless.iter().find(|(_, given)| *given) {
        return Err(CardError::Option { option }.into());
    }
    let paths: Vec<&Path> = args.to.iter().filter_map(|to| device_card::path(to)).collect();
    if paths.contains(&Path::new("")) {
        return Err(CardError::NoName.into());
    }
    if let Some(path) = disk::named_twice(&paths) {
        return Err(CardError::NamedTwice { path: path.into() }.into());
    }
    let (package, authenticity) = Package::open(bundle, args.app.is_none(), args.key.as_ref())?;
    ui.note(&authenticity.text());
    card::ensure_has_card(&package)?;
    if let Some(lacks) = package.manifest.scope_lacks(Scope::Full, args.app.is_some()) {
        return Err(CardError::Lacks { path: bundle.into(), lacks }.into());
    }
    let scratch = carveout_host::tools::scratch("app")?;
    let size = package.manifest.device.as_ref().map_or(0, |device| device.app_size);
    let image = args.app.as_deref().or(package.rootfs()).unwrap_or(bundle);
    let app = image::Given::open(image, size, scratch.path(), args.raw_anyway, ui)?;
    let job = CardJob::new(&package, app)?;
    let plan = job.plan()?;
    ui.note(&plan);
    paths.iter().try_for_each(|path| job.ensure_target(path))?;
    if args.dry_run {
        let json = json!(DevicePlans { devices: args.to.clone(), scopes: vec![card::KIND; args.to.len()] });
        return Ok(Outcome { line: Some(card::KIND.into()), json, ..Outcome::default() });
    }
    let folder = record::folder(dirs)?;
    let results = side_by_side(&args.to, |to| {
        job.flash(to, device_card::path(to).unwrap_or(Path::new(to)), &folder, ui)
    });
    let results: Vec<(String, Result<Record>)> = args.to.iter().cloned().zip(results).collect();
    summary(&results, &folder, ui)
}

/// The bundle that is meant, from a channel if one is named.
fn bundle(args: &FlashRequest, virt: bool, dirs: &Dirs, ui: &Ui) -> Result<PathBuf> {
    let Some(place) = &args.channel else { return Ok(args.bundle.clone().unwrap_or_default()) };
    let wanted = Wanted {
        place,
        product: args.product.as_deref(),
        virt,
        downgrade: args.allow_downgrade,
        state: dirs.state(),
    };
    fetch::newest(&wanted, args.key.as_ref(), ui)
}

/// Flashes virt devices.
fn devices(args: &FlashRequest, bundle: &Path, virt: &[&Path], dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    let paths = virt::paths(virt)?;
    let of_boards = [
        ("--app", args.app.is_some()),
        ("--backup-dir", args.backup_dir.is_some()),
        ("--instance", !args.instance.is_empty()),
        ("--carve-out-unseen", args.carve_out_unseen),
        ("--raw-anyway", args.raw_anyway),
        ("--ekb", args.ekb != EkbChoice::Keep),
        ("--without-card", args.without_card),
    ];
    if let Some((option, _)) = of_boards.iter().find(|(_, given)| *given) {
        return Err(FlashError::ForBoards { option }.into());
    }
    let job = VirtJob::new(args, bundle, scope(args)?, ui)?;
    if args.dry_run {
        let plans = paths.iter().map(|path| job.plan(path)).collect::<Result<Vec<_>>>()?;
        plans.iter().zip(&args.to).for_each(|((_, why), to)| ui.note(&format!("{to}: {why}")));
        let scopes: Vec<&'static str> = plans.iter().map(|(scope, _)| diff::scope_name(*scope)).collect();
        let json = json!(DevicePlans { devices: args.to.clone(), scopes: scopes.clone() });
        let named = |(to, scope)| format!("{to}: {scope}");
        let line = match &scopes[..] {
            [scope] => Text::from(scope),
            _ => Text::lines(args.to.iter().zip(&scopes).map(named)),
        };
        return Ok(Outcome { line: Some(line), json, ..Outcome::default() });
    }
    let folder = record::folder(dirs)?;
    let results = side_by_side(&paths, |path| job.flash(path, &folder, ui));
    let results: Vec<(String, Result<Record>)> = args.to.iter().cloned().zip(results).collect();
    summary(&results, &folder, ui)
}

/// Does something with each device at the same time; the results in their order.
fn side_by_side<D: Sync, T: Send>(devices: &[D], run: impl Fn(&D) -> Result<T> + Sync) -> Vec<Result<T>> {
    let run = &run;
    std::thread::scope(|threads| {
        let running: Vec<_> = devices.iter().map(|device| threads.spawn(move || run(device))).collect();
        let gone = |_| Err(FlashError::Panicked.into());
        running.into_iter().map(|thread| thread.join().unwrap_or_else(gone)).collect()
    })
}

/// Flashes all boards, or tells what it would do.
fn boards(args: &FlashRequest, bundle: &Path, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    let scope = board_scope(args, bundle, ui)?;
    let Some(scope) = scope else {
        return Ok(Outcome {
            line: Some("none".into()),
            json: json!(BoardsPlan {
                boards: Vec::new(),
                modules: None,
                plan: "nothing that is on a device differs".into()
            }),
            ..Outcome::default()
        });
    };
    if let EkbChoice::File(file) = &args.ekb {
        own_ekb::ensure_ekb(file)?;
    }
    if args.ekb != EkbChoice::Keep && scope != Scope::Full {
        return Err(FlashError::EkbNeedsFull { scope: scope.to_string() }.into());
    }
    let own = args.keep_app || args.app.is_some() || args.without_card;
    if args.without_card && (scope != Scope::Full || args.keep_app || args.app.is_some()) {
        let why = "it is for --scope full, without --keep-app and --app: the root filesystem is on the card";
        return Err(CardError::WithoutCard { why: why.into() }.into());
    }
    let (package, authenticity) =
        Package::open(bundle, scope != Scope::SecureOs && !own && !args.dry_run, args.key.as_ref())?;
    ui.note(&authenticity.text());
    if args.without_card {
        card::ensure_has_card(&package)?;
    }
    if args.keep_app && root_slots(&package)?.len() > 1 {
        return Err(FlashError::KeepAppOfTwo { board: package.manifest.board.clone() }.into());
    }
    // Kernel and root filesystem are on the card.
    let lacks = package.manifest.scope_lacks(scope, own).filter(|_| !args.without_card);
    if let Some(lacks) = lacks {
        let (path, scope) = (bundle.into(), scope.to_string());
        return Err(BundleError::LacksForScope { path, scope, lacks }.into());
    }
    // A dry run tells what would be done with a board that is not there yet, too.
    let boards = match args.dry_run {
        true => usb::present(&args.instance, &package.manifest),
        false => usb::choose(&args.instance, &package.manifest)?,
    };
    let scratch = carveout_host::tools::scratch("app")?;
    let size = package.manifest.device.as_ref().map_or(0, |device| device.app_size);
    let open = |image: &PathBuf| image::Given::open(image, size, scratch.path(), args.raw_anyway, ui);
    let app = args.app.as_ref().map(open).transpose()?;
    let place = record::place(dirs);
    let backup_dir = args.backup_dir.as_deref().unwrap_or(&place);
    let downgrade = args.allow_downgrade;
    // Scope auto has chosen less than what writes APP: then there is nothing to put back.
    let (keep_app, raw_anyway) = (args.keep_app && scope == Scope::Full, args.raw_anyway);
    let carve_out_unseen = args.carve_out_unseen;
    let job = BoardJob {
        package: &package,
        scope,
        keep_app,
        app,
        backup_dir,
        downgrade,
        raw_anyway,
        carve_out_unseen,
        ekb: args.ekb.clone(),
        without_card: args.without_card,
    };
    job.ensure_carve_out_known()?;
    let plan = job.plan(&boards)?;
    ui.note(&plan);
    if args.dry_run {
        return Ok(Outcome {
            line: Some(scope.name().into()),
            json: json!(BoardsPlan { boards, modules: Some(job.modules()), plan: plan.to_string() }),
            ..Outcome::default()
        });
    }
    let folder = record::folder(dirs)?;
    let results = side_by_side(&boards, |board| board::flash(&job, board, &folder, ui));
    let results: Vec<(String, Result<Record>)> = boards.iter().cloned().zip(results).collect();
    summary(&results, &folder, ui)
}

/// What boards are flashed in. They do not tell what they have: `auto` needs the bundle that they have got last.
fn board_scope(args: &FlashRequest, bundle: &Path, ui: &Ui) -> Result<Option<Scope>> {
    match (scope(args)?, &args.from) {
        (Some(scope), None) => Ok(Some(scope)),
        (Some(_), Some(_)) => Err(FlashError::FromWithScope.into()),
        (None, None) => Err(FlashError::AutoWithoutFrom.into()),
        (None, Some(old)) => {
            let (_, diff) = diff::between(old, bundle)?;
            ui.note(diff::reason(&diff));
            let scope = chosen(diff.scope, args)?;
            if scope != diff.scope {
                ui.note("the root filesystem is kept: nothing is to be written");
            }
            Ok(scope)
        }
    }
}

/// What `auto` has chosen, with what else was asked for: a root filesystem that is kept is not written, one that is given must be.
fn chosen(scope: Option<Scope>, args: &FlashRequest) -> Result<Option<Scope>> {
    match scope {
        Some(Scope::App) if args.keep_app => Ok(None),
        None | Some(Scope::SecureOs) if args.app.is_some() => {
            Err(FlashError::AppWithAuto { scope: diff::scope_name(scope) }.into())
        }
        scope => Ok(scope),
    }
}

/// The wanted scope; none is `auto`.
fn scope(args: &FlashRequest) -> Result<Option<Scope>> {
    let scope = match args.extent {
        Some(Extent::Exactly(scope)) => Some(scope),
        None if args.from.is_none() => Some(Scope::Full),
        _ => None,
    };
    if let Some(scope @ (Scope::SecureOs | Scope::App)) = scope.filter(|_| args.keep_app) {
        return Err(FlashError::KeepAppWithScope { scope: scope.to_string() }.into());
    }
    if args.app.is_some() && scope == Some(Scope::SecureOs) {
        return Err(FlashError::AppWithSecureOs.into());
    }
    Ok(scope)
}

fn summary(results: &[(String, Result<Record>)], folder: &Path, ui: &Ui) -> Result<Outcome> {
    let mut lines = Vec::new();
    for (board, result) in results {
        lines.push(match result {
            Ok(record) => {
                let seconds: f64 = record.steps.iter().map(|step| step.seconds).sum();
                let what = record.board.as_deref().unwrap_or(&record.bundle);
                match record.scope.as_deref() {
                    Some("none") => format!("{board}: has {what} already"),
                    _ => format!("{board}: done in {seconds:.0} s, {what}"),
                }
            }
            // Each with what mends it, none at the begin of a line.
            Err(error) => format!("{board}: {}", error.to_string().replace('\n', "\n  ")),
        });
    }
    let failed: Vec<&Error> = results.iter().filter_map(|(_, result)| result.as_ref().err()).collect();
    ui.note(&format!("records: {}", folder.join(record::RECORDS).display()));
    let Some(first) = failed.first() else {
        let boards = results.iter().filter_map(|(_, result)| result.as_ref().ok().cloned()).collect();
        return Ok(Outcome {
            line: Some(Text::lines(lines)),
            json: json!(Flashed { boards }),
            ..Outcome::default()
        });
    };
    if let [(board, Err(error))] = results {
        return Err(error.clone().within(board));
    }
    let lines: String = lines.iter().map(|line| format!("\n  {line}")).collect();
    let message = format!("{} of {} devices failed{lines}", failed.len(), results.len());
    // The lines have remedies and causes already.
    Err(Error { message, remedy: None, causes: Box::default(), ..(*first).clone() })
}
