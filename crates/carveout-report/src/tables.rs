//! The sections that are tables and lists above all: memory, trusted apps, packages, changes, findings, flashes, checksums.

use super::figures::{code, count, heading, plain, share, size, table, table_of_groups};
use super::map::{Map, Segment, fill};
use crate::records::Flashed;
use crate::report::{Changes, Report};
use bundle::{AppEntry, FileEntry, MANIFEST, Role};
use carveout_field::diff::{reason, scope_name, short};
use carveout_host::size::human;
use maud::{Markup, html};
use trusty_image::AppMemory;
use trusty_image::plan::{CONNECTION, Finding, Severity};

/// The carve-out: map and table.
pub fn memory(report: &Report) -> Markup {
    let memory = &report.plan.memory;
    let free = u64::try_from(memory.free).unwrap_or(0);
    let mut segments = vec![
        Segment::new("monitor", &[("monitor", memory.monitor)]),
        Segment::new("kernel", &[("kernel", memory.kernel)]),
    ];
    if memory.stock() > 0 {
        segments.push(Segment::new("NVIDIA’s", &[("kernel", memory.stock())]));
    }
    let of_app = |app: &AppMemory| {
        Segment::new(&app.name, &[("image", app.image), ("heap", app.heap), ("stack", app.stack)])
    };
    segments.extend(memory.trusted_apps.iter().map(of_app));
    segments.push(Segment::new("free", &[("free", free)]));
    let taken = memory.tzdram.saturating_sub(free);
    let map = Map {
        id: "map-memory".into(),
        title: "Memory map of the TZDRAM carve-out, to scale".into(),
        description: format!(
            "Of {}, {} are taken by kernel, monitor and {}, and {} are free. The table has every figure.",
            human(memory.tzdram),
            human(taken),
            count(memory.trusted_apps.len(), "trusted app", "trusted apps"),
            human(free)
        ),
        segments: &segments,
    };
    let row = |what: Markup, bytes: u64| {
        html! {
            tr { th scope="row" { (what) } td.number { (size(bytes)) } td.number { (share(bytes, memory.tzdram)) } }
        }
    };
    html! {
        section aria-labelledby="memory" {
            (heading("memory", "Memory of the carve-out"))
            div.figure-and-table {
                figure {
                    (map.svg())
                    figcaption {
                        ul.legend {
                            @if memory.monitor > 0 { li { span.key.monitor {} "monitor" } }
                            li { span.key.kernel {} "kernel" }
                                                        li { span.key.image {} "image" }
                            li { span.key.heap {} "heap" }
                            li { span.key.stack {} "stack" }
                            li { span.key.free {} "free" }
                        }
                        p { "Heights to scale; the order is not that of addresses, which the kernel chooses." }
                    }
                }
                div {
                    (table("budget", "What takes how much of the carve-out", &[("What", ""), ("Size", "number"), ("Share", "number")], false, html! {
                        @if memory.monitor > 0 { (row(html! { "monitor" }, memory.monitor)) }
                        (row(html! { "kernel and its tables" }, memory.kernel))
                        @for app in &memory.stock_trusted_apps { (row(html! { "NVIDIA’s " (plain(&app.name)) }, app.total())) }
                        @for app in &memory.trusted_apps { (row(html! { (plain(&app.name)) ": image, heap, stack" }, app.total())) }
                        @if memory.free < 0 { (row(html! { "missing" }, memory.free.unsigned_abs())) } @else { (row(html! { "free" }, free)) }
                        tr.total { th scope="row" { "carve-out" } td.number { (size(memory.tzdram)) } td {} }
                    }))
                    p {
                        "What is free holds the kernel’s buffers of " (report.plan.connections) " connections, " (human(CONNECTION)) " each."
                        @if let Some(least) = report.plan.least { " The least carve-out for this is " (human(least)) "." }
                    }
                }
            }
        }
    }
}

/// Each TA's budget and ports.
pub fn trusted_apps(report: &Report) -> Markup {
    let may = |allowed: bool| {
        if allowed {
            html! { "yes" }
        } else {
            html! { span.nothing { "no" } }
        }
    };
    let budgets = [("Heap", ""), ("Will allocate", ""), ("Stack", ""), ("Image", "")];
    let ports = [("Port", ""), ("Linux may connect", ""), ("Trusted apps may", "")];
    html! {
        section aria-labelledby="trusted-apps" {
            (heading("trusted-apps", "Trusted apps"))
            (table_of_groups("budgets", "Memory of each trusted app, in the image’s order", &budgets, html! {
                @for app in &report.manifest.trusted_apps { (budget(report, app)) }
            }))
            (table("ports", "Ports, and who may connect to them", &ports, false, html! {
                @for app in &report.manifest.trusted_apps {
                    @for port in &app.ports {
                        tr {
                            th scope="row" { (code(&port.name)) br; span.hex { "of " (plain(&app.name)) } }
                            td { (may(port.allow_ns_connect)) }
                            td { (may(port.allow_ta_connect)) }
                        }
                    }
                }
            }))
        }
    }
}

/// Name and identity have a row of their own, so that the table fits a phone.
fn budget(report: &Report, app: &AppEntry) -> Markup {
    let memory = report.plan.memory.trusted_apps.iter().find(|memory| memory.name == app.name);
    let heap = u64::from(app.heap);
    html! {
        tbody {
            tr { th scope="rowgroup" colspan="4" { (plain(&app.name)) " " (code(&app.uuid.to_string())) } }
            tr {
                td { (size(heap)) }
                td {
                    @match app.heap_demand.map(u64::from) {
                        Some(demand) => { (human(demand)) " " span.hex { (share(demand, heap)) } (fill(demand, heap)) }
                        None => span.nothing { "not declared" },
                    }
                }
                td { (size(app.stack.into())) }
                td { @if let Some(memory) = memory { (size(memory.image)) } }
            }
        }
    }
}

/// Client apps and the root filesystem's packages.
pub fn packages(report: &Report) -> Markup {
    let apps: Vec<&FileEntry> =
        report.manifest.files.iter().filter(|file| file.role == Role::ClientApp).collect();
    let heads = [("Package", ""), ("Version", ""), ("Architecture", "")];
    html! {
        section aria-labelledby="packages" {
            (heading("packages", "Packages"))
            @if apps.is_empty() { p { "There are no client apps in it." } } @else {
                (table("client-apps", "Client apps, as Debian packages", &[("File", ""), ("Size", "number")], false, html! {
                    @for file in apps { tr { th scope="row" { (code(file.path.rsplit('/').next().unwrap_or_default())) } td.number { (size(file.size)) } } }
                }))
            }
            @if report.packages.is_empty() { p { "There is no Debian root filesystem in it, so that no packages are listed." } } @else {
                (table("debian", &format!("{} of the root filesystem", count(report.packages.len(), "package", "packages")), &heads, true, html! {
                    @for package in &report.packages {
                        tr { th scope="row" { (plain(&package.name)) } td { (plain(&package.version)) } td { (plain(&package.architecture)) } }
                    }
                }))
            }
        }
    }
}

/// What differs from the release before.
pub fn changes(report: &Report) -> Markup {
    html! {
        section aria-labelledby="changes" {
            (heading("changes", "Changes"))
            @match &report.changes {
                None => p { "The report was made without a previous release to compare with." },
                Some(changes) => (compared(changes)),
            }
        }
    }
}

fn compared(changes: &Changes) -> Markup {
    let Changes { from, diff } = changes;
    let heads = [("What", ""), ("Before", ""), ("After", "")];
    let value = |value: &Option<String>| match value.as_deref() {
        Some("") => html! { span.nothing { "empty" } },
        Some(value) => html! { (plain(&short(value))) },
        None => html! { span.nothing { "absent" } },
    };
    html! {
        p.verdict {
            "A device that has " (code(from)) " needs "
            @match diff.scope { None => strong { "no flash" }, scope => { "the scope " strong { (scope_name(scope)) } } }
            ": " (reason(diff)) "."
        }
        @if !diff.differences.is_empty() {
            (table("differences", &count(diff.differences.len(), "difference", "differences"), &heads, true, html! {
                @for difference in &diff.differences {
                    tr {
                        th scope="row" {
                            (code(&difference.what)) br;
                            @match difference.scope { None => span.hex { "no flash" }, scope => span.tag { (scope_name(scope)) } }
                        }
                        td { (value(&difference.old)) }
                        td { (value(&difference.new)) }
                    }
                }
            }))
        }
    }
}

/// What the plan finds.
pub fn findings(report: &Report) -> Markup {
    let word = |finding: &Finding| match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Advice => "advice",
    };
    html! {
        section aria-labelledby="findings" {
            (heading("findings", "Findings"))
            @if report.plan.findings.is_empty() { p { "Nothing to change: all budgets hold, with nothing to spare that matters." } } @else {
                ul.findings {
                    @for finding in &report.plan.findings {
                        li class=(word(finding)) {
                            p {
                                strong.severity { (word(finding)) } " " code { (finding.code.name()) }
                                @if let Some(app) = &finding.trusted_app { " " b { (plain(app)) } }
                                " " (plain(&finding.what)) "."
                            }
                            p.remedy { "What mends it: " (plain(&finding.remedy)) "." }
                        }
                    }
                }
            }
        }
    }
}

/// This host's flashes of the bundle.
pub fn flashes(report: &Report) -> Markup {
    let heads = [("Device", ""), ("When", ""), ("Result", "")];
    let result = |record: &Flashed| {
        if record.result == "ok" {
            html! { strong.good { "ok" } }
        } else {
            html! { strong.bad { "failed" } ": " (plain(&record.result)) }
        }
    };
    html! {
        section aria-labelledby="flashes" {
            (heading("flashes", "Flash records"))
            @if report.records.is_empty() { p { "No flash of this bundle is known here." } } @else {
                (table("records", &format!("{} of this bundle, the latest first", count(report.records.len(), "flash", "flashes")), &heads, true, html! {
                    @for record in &report.records {
                        tr {
                            th scope="row" {
                                (plain(&record.usb))
                                @for detail in [&record.board, &record.chip].into_iter().flatten() { br; span.hex { (plain(detail)) } }
                            }
                            td { (plain(&record.started.replacen('T', " ", 1))) br; span.hex { (plain(&record.action)) ", " (format!("{:.1} s", record.seconds())) } }
                            td { (result(record)) @if let Some(scope) = &record.scope { br; span.tag { (plain(scope)) } } }
                        }
                    }
                }))
            }
        }
    }
}

/// Every file with its checksum, the manifest's own first.
pub fn checksums(report: &Report) -> Markup {
    let heads = [("File", ""), ("SHA-256", "")];
    // The digest of what was read: `from_text` takes nothing else.
    let text = report.manifest.to_text().unwrap_or_default();
    let row = |path: &str, note: &str, bytes: u64, sum: &str| {
        html! {
            tr {
                th scope="row" { (code(path)) br; span.hex { (human(bytes)) @if !note.is_empty() { ", to " (note) } } }
                td { (code(sum)) }
            }
        }
    };
    html! {
        section aria-labelledby="checksums" {
            (heading("checksums", "Checksums"))
            (table("files", &format!("{}, manifest included; SHA256SUMS lists the same", count(report.manifest.files.len() + 1, "file", "files")), &heads, true, html! {
                (row(MANIFEST, "", text.len() as u64, &bundle::sha256(text.as_bytes())))
                @for file in &report.manifest.files { (row(&file.path, &plain(&file.partitions.join(", ")), file.size, &file.sha256)) }
            }))
        }
    }
}
