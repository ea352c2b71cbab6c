//! `plan`: what a product takes of its memory, and what must or may be changed.

use carveout_build::apps::Apps;
use carveout_build::make;
use carveout_build::make::BuildRequest;
use carveout_build::stages::{boot_config, plan};
use carveout_host::dirs::Dirs;
use carveout_host::error::Result;
use carveout_host::outcome::{Outcome, columns};
use carveout_host::size::human;
use carveout_host::text::Text;
use carveout_host::ui;
use carveout_host::ui::Ui;
use carveout_vendor as vendor;
use serde_json::json;
use trusty_image::plan::{CONNECTION, Plan, Severity};

/// Characters of a full bar.
const BAR: u64 = 32;

/// Builds the trusted apps and the image, and plans.
pub fn run(request: &BuildRequest, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    let (title, plan) = make::with_build(&request.without_rootfs(), dirs, ui, |build| {
        let apps = Apps::build(build)?;
        let product = build.product;
        let title = format!("{} {} on {}", product.name, product.version, product.board.name);
        // Without NVIDIA's parts the plan is that of the trusted apps.
        if product.board.l4t.is_some() && !vendor::at_hand(build) {
            ui.note("BSP and sources are not both given: the secure-os partition is not in this plan");
            return Ok((title, Plan::new(&plan::request(build, &apps.built, None)?)));
        }
        let bsp = make::bsp(build)?;
        // What is wrong with boot config and layout is told here, too.
        boot_config::run(build, bsp.as_ref())?;
        let request = plan::request(build, &apps.built, bsp.as_ref())?;
        let image = make::image_of(build, bsp.as_ref(), &apps.files)?;
        Ok((title, Plan::new(&plan::with_image(request, &image)?)))
    })?;
    let mut shown = Text::new();
    let _ = writeln!(shown, "{title}");
    shown.push_str("\n");
    shown.push(&text(&plan, ui::is_for_a_terminal()));
    let failed = plan.errors().next().is_some();
    Ok(Outcome { line: Some(shown), json: json!(plan), failed, ..Outcome::default() })
}

fn bar(part: u64, whole: u64) -> String {
    let filled = (part.min(whole) * BAR).div_ceil(whole.max(1));
    format!("{}{}", "█".repeat(filled as usize), "·".repeat((BAR - filled) as usize))
}

fn text(plan: &Plan, bars: bool) -> Text {
    let mut text = carve_out(plan, bars);
    if let Some(fill) = plan.partition {
        let bar = if bars { format!("  {}", bar(fill.used, fill.size)) } else { String::new() };
        let (used, size) = (human(fill.used), human(fill.size));
        text.push_str("\n");
        let _ = writeln!(text, "partition secure-os: {used} when signed, of {size}{bar}");
    }
    text.push(&address_spaces(plan, bars));
    text.push_str("\n");
    if plan.findings.is_empty() {
        text.push_str("nothing to change\n");
    }
    for finding in &plan.findings {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Advice => "advice",
        };
        let _ = writeln!(text, "{severity}: {finding}");
        let _ = writeln!(text, "  help: {}", finding.remedy);
    }
    text
}

fn carve_out(plan: &Plan, bars: bool) -> Text {
    let memory = &plan.memory;
    let total = memory.tzdram;
    let mut rows = vec![["TZDRAM carve-out".to_owned(), human(total), String::new()]];
    let mut add = |what: String, bytes: u64| {
        let bar = if bars { bar(bytes, total) } else { String::new() };
        rows.push([format!("  {what}"), human(bytes), bar]);
    };
    if memory.monitor > 0 {
        add("monitor".into(), memory.monitor);
    }
    add("kernel and its tables".into(), memory.kernel);
    for app in &memory.stock_trusted_apps {
        add(format!("NVIDIA's {}", app.name), app.total());
    }
    for app in &memory.trusted_apps {
        add(format!("{} image", app.name), app.image);
        add(format!("{} heap", app.name), app.heap);
        add(format!("{} stack", app.name), app.stack);
    }
    match u64::try_from(memory.free) {
        Ok(free) => add("free".into(), free),
        Err(_) => rows.push(["  missing".into(), human(memory.free.unsigned_abs()), String::new()]),
    }
    let mut text = columns(&rows);
    let _ = writeln!(
        text,
        "what is free holds the kernel's buffers of {} connections, {} each",
        plan.connections,
        human(CONNECTION)
    );
    if let Some(least) = plan.least {
        let _ = writeln!(text, "the least carve-out for this is {}", human(least));
    }
    text
}

fn address_spaces(plan: &Plan, bars: bool) -> Text {
    let mut text = Text::new();
    for space in &plan.address_spaces {
        let whole: u64 = space.ranges.iter().map(|range| u64::from(range.end - range.start)).sum();
        let rows: Vec<[String; 4]> = space
            .ranges
            .iter()
            .map(|range| {
                let size = u64::from(range.end - range.start);
                let addresses = format!("0x{:07x} to 0x{:07x}", range.start, range.end);
                [
                    format!("  {}", range.what),
                    addresses,
                    human(size),
                    if bars { bar(size, whole) } else { String::new() },
                ]
            })
            .collect();
        let demand = match space.heap_demand {
            Some(demand) => format!("will allocate {}", human(demand.into())),
            None => "does not say what it will allocate".into(),
        };
        text.push_str("\n");
        let _ = writeln!(text, "address space of {} ({demand})", space.name);
        text.push(&columns(&rows));
        for device in &space.devices {
            let _ = writeln!(
                text,
                "  device memory {} (mem_map): 0x{:x} to 0x{:x}, mapped where the trusted app asks",
                device.id, device.start, device.end
            );
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_show_shares() {
        assert_eq!(bar(0, 100).matches('█').count(), 0);
        assert_eq!(bar(1, 100).matches('█').count(), 1);
        assert_eq!(bar(50, 100).matches('█').count(), 16);
        assert_eq!(bar(100, 100).matches('█').count(), 32);
        assert_eq!(bar(200, 100).chars().count(), 32);
        assert_eq!(bar(0, 0).chars().count(), 32);
    }
}
