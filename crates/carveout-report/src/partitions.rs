//! The partition map: every partition of the layout, and how full those are that the bundle writes.

use super::figures::{code, count, heading, plain, share, size, table};
use super::map::{Map, Segment, fill};
use crate::report::Report;
use carveout_host::size::human;
use maud::{Markup, html};
use tegra_flash::{Device, Partition, Size};

/// A GPT's copy at the end of a device: 32 sectors of entries and its header.
const SECONDARY_GPT: (&str, u64) = ("secondary_gpt", 33);
/// The root filesystem's partition.
const APP: &str = tegra_flash::slots::APP[0];

/// A partition with its size in bytes, if that is known before the flash.
struct Sized<'a> {
    partition: &'a Partition,
    size: Option<u64>,
    used: Option<u64>,
}

/// The whole section.
pub fn section(report: &Report) -> Markup {
    html! {
        section aria-labelledby="partitions" {
            (heading("partitions", "Partitions"))
            @for (index, device) in report.layout.devices.iter().enumerate() { (of_device(report, device, index)) }
        }
    }
}

fn of_device(report: &Report, device: &Device, index: usize) -> Markup {
    let id = format!("device-{index}");
    let partitions = sized(report, device, index);
    let mut segments: Vec<Segment> = partitions.iter().map(segment).collect();
    let taken: u64 = segments.iter().map(Segment::bytes).fold(0, u64::saturating_add);
    let whole = device.sectors.number().map(|sectors| sectors.saturating_mul(device.sector_size));
    if let Some(left) = whole.map(|whole| whole.saturating_sub(taken)).filter(|left| *left > 0) {
        segments.push(Segment::new("unassigned", &[("free", left)]));
    }
    let written = partitions.iter().filter(|p| p.used.is_some()).count();
    let capacity = whole.map_or_else(|| "of a size that is known when it is flashed".into(), human);
    let map = Map {
        id: format!("map-{id}"),
        title: format!("Partition map of {}, to scale", device.kind),
        description: format!(
            "A device {capacity} large with {}, of which this bundle writes {written}. The table has every figure.",
            count(partitions.len(), "partition", "partitions")
        ),
        segments: &segments,
    };
    html! {
        h3 { (plain(&device.kind)) ", " (capacity) }
        div.figure-and-table {
            figure {
                (map.svg())
                figcaption {
                    ul.legend {
                        li { span.key.used {} "used by this bundle" }
                        li { span.key.unused {} "left in a partition that it writes" }
                        li { span.key.other {} "not written" }
                    }
                    p { "In the order of the layout, heights to scale." }
                }
            }
            (table(&id, &format!("Partitions of {}", plain(&device.kind)), &HEADS, true, html! {
                @for one in &partitions { (row(one)) }
            }))
        }
    }
}

const HEADS: [(&str, &str); 3] = [("Partition", ""), ("Size", "number"), ("Used", "number")];

fn row(one: &Sized) -> Markup {
    html! {
        tr {
            th scope="row" { (plain(&one.partition.name)) }
            td.number {
                @match (&one.partition.size, one.size) {
                    (_, Some(bytes)) => (size(bytes)),
                    (Size::Placeholder(name), None) => (code(name)),
                    (_, None) => "what is left",
                }
            }
            td.number {
                @match (one.used, one.size) {
                    (Some(used), Some(size)) => { (human(used)) " " span.hex { (share(used, size)) } (fill(used, size)) }
                    (Some(used), None) => (human(used)),
                    (None, _) => span.nothing { "not written" },
                }
            }
        }
    }
}

fn segment(one: &Sized) -> Segment {
    let (size, name) = (one.size.unwrap_or(0), one.partition.name.as_str());
    match one.used {
        Some(used) => Segment::new(name, &[("used", used.min(size)), ("unused", size.saturating_sub(used))]),
        None => Segment::new(name, &[("other", size)]),
    }
}

/// Sizes as far as layout, manifest and arithmetic know them.
fn sized<'a>(report: &Report, device: &'a Device, index: usize) -> Vec<Sized<'a>> {
    // The plan goes by name, and a name that two devices have is that of the first.
    let is_first = |name: &str| {
        !report.layout.devices.iter().take(index).any(|d| d.partitions.iter().any(|p| p.name == name))
    };
    let planned =
        |name: &str| report.manifest.plan.partitions.iter().find(|p| p.name == name && is_first(name));
    let app = report.manifest.device.as_ref().map(|device| device.app_size);
    let known = |partition: &Partition| match &partition.size {
        Size::Number(bytes) => Some(*bytes),
        Size::Rest if partition.kind == SECONDARY_GPT.0 => {
            Some(SECONDARY_GPT.1.saturating_mul(device.sector_size))
        }
        _ if partition.name == APP => app.or_else(|| planned(APP).map(|p| p.size)),
        _ => planned(&partition.name).map(|p| p.size),
    };
    let used = |partition: &Partition| planned(&partition.name).map(|p| p.used);
    let mut all: Vec<Sized> = device
        .partitions
        .iter()
        .map(|partition| Sized { partition, size: known(partition), used: used(partition) })
        .collect();
    // One that takes what is left gets it, if nothing else is unknown.
    let taken = all.iter().filter_map(|one| one.size).fold(0, u64::saturating_add);
    let whole = device.sectors.number().map(|sectors| sectors.saturating_mul(device.sector_size));
    let mut unknown = all.iter_mut().filter(|one| one.size.is_none());
    if let (Some(one), None, Some(whole)) = (unknown.next(), unknown.next(), whole)
        && one.partition.size == Size::Rest
    {
        one.size = whole.checked_sub(taken);
    }
    all
}
