//! What the bundle is: name, origin, signature, the board that it is for.

use super::figures::{code, count, heading, plain, size, table};
use crate::report::{Report, Signature};
use bundle::{DeskBoot, Device, FlashPackage, Fused, Given};
use carveout_host::size::human;
use maud::{Markup, html};
use trusty_image::plan::Severity;

/// Title and the facts that decide.
pub fn head(report: &Report) -> Markup {
    let manifest = &report.manifest;
    let count_of = |severity| report.plan.findings.iter().filter(|f| f.severity == severity).count();
    let (errors, warnings) = (count_of(Severity::Error), count_of(Severity::Warning));
    let (class, signed, says) = match &report.signature {
        Signature::Unsigned => ("warning", "not signed", "whole, but nobody vouches for it"),
        Signature::NotChecked { .. } => ("warning", "not checked", "signed; no key was given to check it"),
        Signature::Verified { .. } => ("good", "verified", "signed by the holder of the key below"),
    };
    let (found, weighs) = match (errors, warnings, report.plan.findings.len()) {
        (0, 0, 0) => ("none".into(), "nothing to change"),
        (0, 0, all) => (count(all, "piece of advice", "pieces of advice"), "nothing that would fail"),
        (0, _, _) => (count(warnings, "warning", "warnings"), "something may fail"),
        _ => (count(errors, "error", "errors"), "it would fail on the device"),
    };
    let found_class = if errors > 0 {
        "bad"
    } else if warnings > 0 {
        "warning"
    } else {
        "good"
    };
    html! {
        header.top {
            p.eyebrow { "carveout bundle" }
            h1 { (plain(&manifest.name)) " " span.version { (plain(&manifest.version)) } }
            p.lead { "For the board " b { (plain(&manifest.board)) } ", with a TZDRAM carve-out of " b { (human(manifest.tzdram.size())) } "." }
            dl.facts {
                div class=(class) { dt { "Signature" } dd { strong { (signed) } span { (says) } } }
                div class=(found_class) { dt { "Findings" } dd { strong { (found) } span { (weighs) } } }
                div {
                    dt { "Carve-out" }
                    dd { strong { (human(u64::try_from(report.plan.memory.free).unwrap_or(0))) " free" } span { "beside " (count(manifest.trusted_apps.len(), "trusted app", "trusted apps")) } }
                }
                div {
                    dt { "To flash" }
                    @match &report.changes {
                        Some(changes) => dd { strong { (carveout_field::diff::scope_name(changes.diff.scope)) } span { "coming from " (plain(&changes.from)) } },
                        None => dd { strong { "full" } span { "on a new device" } },
                    }
                }
            }
        }
    }
}

/// The section.
pub fn section(report: &Report) -> Markup {
    let (manifest, inputs) = (&report.manifest, &report.manifest.inputs);
    html! {
        section aria-labelledby="identity" {
            (heading("identity", "Identity"))
            dl.identity {
                (entry("Bundle", code(&manifest.bundle_name())))
                (entry("Name and version", html! { (plain(&manifest.name)) " " (plain(&manifest.version)) }))
                (entry("Board", html! { (plain(&manifest.board)) }))
                (entry("Carve-out", html! { (size(manifest.tzdram.size())) ", aligned to " (size(manifest.tzdram.alignment())) }))
                (entry("Security version", html! { (manifest.security_version) }))
                (entry("Git revision", match &inputs.git_revision {
                    Some(revision) => html! { (code(revision)) @if revision.ends_with("-modified") { " " span.tag.warning { "work tree was modified" } } },
                    None => html! { span.nothing { "none: not built in a git tree" } },
                }))
                (entry("Config", code(&inputs.config)))
                (entry("Digest of the manifest", code(&manifest.digest)))
                @if let Some(lock) = &inputs.package_lock { (entry("Package lock", code(lock))) }
                @if let Some(bsp) = &inputs.bsp { (entry("L4T release", html! { (plain(bsp)) })) }
                @if let Some(boot) = manifest.desk_boot {
                    (entry("Booted on the desk", html! {
                        @match boot {
                            DeskBoot::Answered => "the kernel came up in QEMU, and every port answered",
                            DeskBoot::Skipped => span.tag.warning { "no, it was skipped" },
                        }
                    }))
                }
            }
            @if let Some(boot) = &manifest.linux_boot {
                (entry("Linux on the desk", html! {
                    "running, with " (plain(&boot.kernel))
                    @if !boot.self_test.is_empty() { "; passed: " (code(&boot.self_test.join(" "))) }
                }))
            }
            @if let Some(device) = &manifest.device { (board(device)) }
            (signature(&report.signature))
            @if let Some(device) = &manifest.device { (modules(device)) }
            (table("toolchains", "What shaped its bytes", &[("Tool", ""), ("Version", "")], false, html! {
                @for (tool, version) in &inputs.toolchains { tr { th scope="row" { (plain(tool)) } td { (plain(version)) } } }
            }))
            @if !inputs.given.is_empty() {
                (table("given", "Files that the build was given by path", &[("Input", ""), ("File", ""), ("SHA-256", ""), ("Commit", "")], false, html! {
                    @for given in &inputs.given { (given_row(given)) }
                }))
            }
            (table("scopes", "What each scope writes, as a digest: equal digests, nothing to flash", &[("Scope", ""), ("SHA-256", "")], false, html! {
                @for (scope, digest) in &manifest.flash { tr { th scope="row" { (scope) } td { (code(digest)) } } }
            }))
        }
    }
}

fn given_row(given: &Given) -> Markup {
    let sum = given.sha256.as_ref().or(given.tree_sha256.as_ref());
    html! {
        tr {
            th scope="row" { (plain(&given.name)) }
            td { (plain(given.origin.as_ref().map_or(&given.file, |origin| &origin.path))) }
            td { @if let Some(sum) = sum { (code(sum)) } }
            td {
                @match (&given.origin, &given.supplier) {
                    (Some(origin), _) => { (code(&origin.commit)) @if let Some(name) = &origin.repository { " of " (plain(name)) } },
                    (None, Some(supplier)) => (plain(supplier)),
                    (None, None) => span.tag.warning { "in no commit" },
                }
            }
        }
    }
}

fn entry(term: &str, value: Markup) -> Markup {
    html! { div { dt { (term) } dd { (value) } } }
}

fn signature(signature: &Signature) -> Markup {
    let (class, title, text, comment, key) = match signature {
        Signature::Unsigned => {
            ("warning", "Not signed", "Its checksums say that it is whole, not who made it.", None, None)
        }
        Signature::NotChecked { trusted_comment } => {
            let text = "There is a signature, and nobody has looked whose: authenticity was not checked when this page was made.";
            ("warning", "Signed, not checked", text, Some(trusted_comment), None)
        }
        Signature::Verified { key_id, trusted_comment } => (
            "good",
            "Signature verified",
            "The checksums were signed with this key.",
            Some(trusted_comment),
            Some(key_id),
        ),
    };
    html! {
        div class={ "note " (class) } {
            h3 { (title) }
            p { (text) }
            @if comment.is_some() || key.is_some() {
                dl.identity {
                    @if let Some(key) = key { (entry("Key", code(key))) }
                    @if let Some(comment) = comment { (entry(if key.is_some() { "Trusted comment" } else { "It claims to be" }, code(comment))) }
                }
            }
        }
    }
}

fn board(device: &Device) -> Markup {
    let fused = match device.fused {
        Fused::No => "unfused boards, as they are sold",
        Fused::Pkc => "boards whose fuses demand signatures",
        Fused::PkcSbk => "boards whose fuses demand signatures and encryption",
    };
    let package = match device.flash_package {
        FlashPackage::Modules => "signed for each module, in flash/",
        FlashPackage::Tegraflash => "meta-tegra’s, made by BitBake, in flash/tegraflash/",
        FlashPackage::None => "none: BitBake made it of parts, without an image",
    };
    html! {
        dl.identity {
            (entry("For", html! { (fused) }))
            (entry("Flash package", html! { (package) }))
            (entry("Root filesystem’s partition", html! { (size(device.app_size)) }))
            @if !device.lacks.is_empty() {
                (entry("Built without", html! { @for lack in &device.lacks { (code(lack)) " " } span.tag.warning { "no full flash" } }))
            }
            @if !device.stock_trusted_apps.is_empty() {
                (entry("NVIDIA’s trusted apps", html! { @for uuid in &device.stock_trusted_apps { (code(&uuid.to_string())) " " } }))
            }
        }
    }
}

/// Modules, each with what its EEPROM says.
fn modules(device: &Device) -> Markup {
    html! {
        @if !device.modules.is_empty() {
            (table("modules", "Modules that it has files for", &[("Module", ""), ("Board", ""), ("Fab", ""), ("SKU", ""), ("Revision", "")], false, html! {
                @for module in &device.modules {
                    tr {
                        th scope="row" { (plain(&module.name)) }
                        td { "P" (plain(&module.id.board)) } td { (plain(&module.id.fab)) } td { (plain(&module.id.sku)) }
                        td { @if module.id.revision.is_empty() { span.nothing { "any" } } @else { (plain(&module.id.revision)) } }
                    }
                }
            }))
        }
    }
}
