//! Checks what the files of a bundle say, against the manifest and against each other.

use crate::device::Device;
use crate::file_entry::{FileEntry, Role};
use crate::flash;
use crate::format::MANIFEST;
use crate::manifest::{AppEntry, Manifest, Partition};
use crate::problem::Problem;
use crate::signed;
use crate::trace::Traced;
use crate::update;
use std::collections::{BTreeMap, BTreeSet};
use tegra_bct::{MiscCfg, tzdram_keys};
use tegra_flash::Layout;
use trusty_image::budget;
use trusty_image::stock::Stock;
use trusty_image::{AppMemory, Budget, Container, Soc, TosType, container, tasks};

/// All problems; the checksums are known to hold.
pub(crate) fn check(
    manifest: &Manifest,
    contents: &BTreeMap<String, Vec<u8>>,
    traced: &BTreeMap<String, Traced>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let of_role = |role: Role| {
        let files = manifest.files.iter().filter(move |f| f.role == role);
        files.filter_map(|f| Some((f.path.as_str(), contents.get(&f.path)?.as_slice())))
    };
    for (path, content) in of_role(Role::BootConfig) {
        problems.extend(boot_config(manifest, path, content));
    }
    let memory = trusted_apps(manifest, contents, &mut problems);
    for (path, content) in of_role(Role::TrustedAppSymbols) {
        problems.extend(symbols(manifest, contents, path, content));
    }
    let mut stock = Stock::default();
    for (path, content) in of_role(Role::SecureOs) {
        problems.extend(secure_os(manifest, contents, path, content));
        if let Ok(container) = Container::parse(content) {
            stock = Stock::of_image(&container, manifest.trusted_apps.len());
        }
    }
    let layouts: Vec<(&str, &[u8])> = of_role(Role::Layout).collect();
    match layouts.as_slice() {
        [(path, content)] => problems.extend(partitions(manifest, path, content)),
        _ => problems.push(Problem::new(MANIFEST, format!("{} layouts, expected one", layouts.len()))),
    }
    for (role, name) in [(Role::SecureOs, "secure-os image"), (Role::BootConfig, "boot config")] {
        if !manifest.files.iter().any(|f| f.role == role) {
            problems.push(Problem::new(MANIFEST, format!("lists no {name}")));
        }
    }
    problems.extend(flash::check(manifest, contents));
    problems.extend(signed::check(manifest, contents, traced));
    problems.extend(update::check(manifest, contents));
    if problems.is_empty() {
        problems.extend(budgets(manifest, stock, memory));
    }
    problems
}

fn boot_config(manifest: &Manifest, path: &str, content: &[u8]) -> Vec<Problem> {
    let cfg = match MiscCfg::parse(content) {
        Ok(cfg) => cfg,
        Err(errors) => return errors.0.iter().map(|e| Problem::new(path, e.to_string())).collect(),
    };
    let expected = [manifest.tzdram.size(), manifest.tzdram.alignment()];
    let check = |(key, expected): (&str, u64)| match cfg.get(key) {
        Ok(found) if found == expected => None,
        Ok(found) => Some(format!("{key} is 0x{found:x}, the manifest says 0x{expected:x}")),
        Err(error) => Some(error.to_string()),
    };
    let keys = tzdram_keys(cfg.soc()).into_iter().zip(expected);
    keys.filter_map(check).map(|what| Problem::new(path, what)).collect()
}

fn trusted_apps(
    manifest: &Manifest,
    contents: &BTreeMap<String, Vec<u8>>,
    problems: &mut Vec<Problem>,
) -> Vec<AppMemory> {
    let mut memory = Vec::new();
    let mut seen = BTreeSet::new();
    for entry in &manifest.trusted_apps {
        let AppEntry { name, file, .. } = entry;
        let Some(elf) = contents.get(file) else {
            problems.push(Problem::new(MANIFEST, format!("trusted app {name}: lists no file {file}")));
            continue;
        };
        match trusty_image::inspect(elf) {
            Err(findings) => problems.extend(findings.iter().map(|f| Problem::new(file, f.to_string()))),
            Ok(app) => {
                let found = (app.manifest.uuid, app.manifest.heap(), app.manifest.stack());
                if found != (entry.uuid, entry.heap, entry.stack) {
                    let what = format!(
                        "has UUID {}, heap {}, stack {}; the bundle's manifest says {}, {}, {}",
                        found.0, found.1, found.2, entry.uuid, entry.heap, entry.stack
                    );
                    problems.push(Problem::new(file, what));
                }
                if let Some(demand) = entry.heap_demand.filter(|demand| *demand > entry.heap) {
                    let what = format!("will allocate {demand} bytes, its heap has {}", entry.heap);
                    problems.push(Problem::new(file, what));
                }
                if !seen.insert(app.manifest.uuid) {
                    problems
                        .push(Problem::new(file, format!("has the UUID of another: {}", app.manifest.uuid)));
                }
                memory.push(AppMemory::new(name, &app, elf.len() as u64));
            }
        }
    }
    memory
}

/// What names the lines of a TA must be what the TA was stripped of, or reports would lie. A product may have set its sizes since.
fn symbols(
    manifest: &Manifest,
    contents: &BTreeMap<String, Vec<u8>>,
    path: &str,
    content: &[u8],
) -> Option<Problem> {
    let app = manifest.trusted_apps.iter().find(|app| app.symbols() == path);
    let Some(elf) = app.and_then(|app| contents.get(&app.file)) else {
        return Some(Problem::new(path, "names the lines of no trusted app of the bundle"));
    };
    // What is wrong with the trusted app itself has been told.
    let range = trusty_image::inspect(elf).ok()?.manifest_range;
    let stripped = trusty_image::strip_debug(content).unwrap_or_default();
    let around = |file: &[u8]| Some((file.get(..range.start)?.to_vec(), file.get(range.end..)?.to_vec()));
    let same = around(&stripped).is_some() && around(&stripped) == around(elf);
    (!same).then(|| {
        Problem::new(path, "is not what the trusted app was stripped of: its lines are of other code")
    })
}

fn secure_os(
    manifest: &Manifest,
    contents: &BTreeMap<String, Vec<u8>>,
    path: &str,
    image: &[u8],
) -> Option<Problem> {
    let container = match Container::parse(image) {
        Ok(container) => container,
        Err(error) => return Some(Problem::new(path, error.to_string())),
    };
    if container.tos_type != TosType::Trusty {
        return Some(Problem::new(path, format!("its OS is {:?}, expected Trusty", container.tos_type)));
    }
    let found = match &manifest.device {
        None => tasks::split(container.os).map_err(|error| error.to_string()),
        Some(device) => in_kernel(device, manifest, container.os),
    };
    let found = match found {
        Ok(found) => found,
        Err(what) => return Some(Problem::new(path, what)),
    };
    let expected: Vec<Option<&[u8]>> =
        manifest.trusted_apps.iter().map(|app| contents.get(&app.file).map(Vec::as_slice)).collect();
    if found.iter().map(|elf| Some(*elf)).eq(expected) {
        return None;
    }
    let names: Vec<&str> = manifest.trusted_apps.iter().map(|app| app.name.as_str()).collect();
    let what = format!("its {} trusted apps are not those of the bundle: {}", found.len(), names.join(", "));
    Some(Problem::new(path, what))
}

/// The bundle's own TAs in a kernel, which come before NVIDIA's.
fn in_kernel<'a>(device: &Device, manifest: &Manifest, os: &'a [u8]) -> Result<Vec<&'a [u8]>, String> {
    budget::check_os(os.len() as u64, manifest.tzdram).map_err(|error| error.to_string())?;
    let mut own = tasks::find(os);
    let stock = own.split_off(manifest.trusted_apps.len().min(own.len()));
    let uuid = |elf: &[u8]| trusty_image::inspect(elf).ok().map(|app| app.manifest.uuid);
    let found: Vec<_> = stock.into_iter().map(uuid).collect();
    if found.iter().flatten().eq(&device.stock_trusted_apps) && found.iter().all(Option::is_some) {
        return Ok(own);
    }
    Err(format!(
        "behind the bundle's trusted apps it has {} others, the manifest names {}",
        found.len(),
        device.stock_trusted_apps.len()
    ))
}

/// How full the partitions are that these files go to, sorted by name, and what does not fit. `app_size` is what the root
/// filesystem takes on a real board: its file may be a sparse image, and be smaller.
pub fn partition_plan(
    files: &[FileEntry],
    layout_path: &str,
    layout: &Layout,
    app_size: Option<u64>,
) -> (Vec<Partition>, Vec<Problem>) {
    let mut plan = Vec::new();
    let mut problems = Vec::new();
    for file in files {
        for name in &file.partitions {
            let partition = layout.partition(name);
            // NVIDIA's layouts name placeholders; one that names a path must name this one.
            if let Some(other) =
                partition.and_then(|p| p.file.as_ref()).filter(|f| f.contains('/') && **f != file.path)
            {
                problems.push(Problem::new(
                    layout_path,
                    format!("partition {name} gets {other}, not {}", file.path),
                ));
            }
            let Some(size) = partition.and_then(|p| p.size.number()) else {
                let what = format!("has no partition {name} of fixed size for {}", file.path);
                problems.push(Problem::new(layout_path, what));
                continue;
            };
            let used = match file.role {
                Role::SecureOs => container::signed_size(file.size, Soc::T194),
                Role::Rootfs => app_size.unwrap_or(file.size),
                _ => file.size,
            };
            if used > size {
                let signed = if file.role == Role::SecureOs { " when signed" } else { "" };
                let what = format!("takes {used} bytes{signed}, the partition {name} has {size}");
                problems.push(Problem::new(&file.path, what));
            }
            plan.push(Partition { name: name.clone(), size, used });
        }
    }
    // Modules may get files of their own: the largest counts.
    plan.sort_by(|a, b| a.name.cmp(&b.name).then(b.used.cmp(&a.used)));
    plan.dedup_by(|a, b| a.name == b.name);
    (plan, problems)
}

fn partitions(manifest: &Manifest, path: &str, content: &[u8]) -> Vec<Problem> {
    let layout = match Layout::parse(&String::from_utf8_lossy(content)) {
        Ok(layout) => layout,
        Err(error) => return vec![Problem::new(path, error.to_string())],
    };
    let app_size = manifest.device.as_ref().map(|device| device.app_size);
    let (plan, mut problems) = partition_plan(&manifest.files, path, &layout, app_size);
    if problems.is_empty() && plan != manifest.plan.partitions {
        problems.push(Problem::new(MANIFEST, "plan: partitions are not those of files and layout"));
    }
    problems
}

fn budgets(manifest: &Manifest, stock: Stock, memory: Vec<AppMemory>) -> Vec<Problem> {
    let mut problems = Vec::new();
    let budget = match manifest.format {
        1 => Budget::of_format_1(manifest.tzdram.size(), stock.monitor, memory),
        _ => Budget::new(manifest.tzdram.size(), stock.monitor, stock.apps, memory),
    };
    if budget.free < 0 {
        let what = format!(
            "the trusted apps need {} bytes more than the carve-out of {} has",
            -budget.free, budget.tzdram
        );
        problems.push(Problem::new(MANIFEST, what));
    }
    if budget != manifest.plan.memory {
        problems.push(Problem::new(MANIFEST, "plan: memory is not that of the trusted apps"));
    }
    let locks = manifest.files.iter().find(|f| f.role == Role::PackageLock).map(|f| &f.sha256);
    if locks != manifest.inputs.package_lock.as_ref() {
        problems.push(Problem::new(MANIFEST, "inputs: package_lock is not the file's sha256"));
    }
    if Manifest::flash_digests(&manifest.files) != manifest.flash {
        problems.push(Problem::new(MANIFEST, "flash digests are not those of the files"));
    }
    problems
}
