//! How to verify and flash this very bundle: commands to copy.

use super::figures::{code, heading, plain};
use crate::report::{Report, Signature};
use bundle::{FlashPackage, Fused};
use maud::{Markup, html};
use tegra_flash::Scope;

/// The section.
pub fn section(report: &Report) -> Markup {
    let manifest = &report.manifest;
    let name = manifest.bundle_name();
    let archive = format!("{name}.tar.zst");
    let signed = report.signature != Signature::Unsigned;
    let key = if signed { " --key KEY.pub" } else { "" };
    html! {
        section aria-labelledby="usage" {
            (heading("usage", "Verify and flash"))
            p { "The bundle’s folder and its archive are interchangeable: carveout takes either. A release has " code { "carveout" }
                " beside its archive, a program for any Linux on x86-64, which needs nothing else: " code { "./carveout" } " runs it there." }
            h3 { "Verify" }
            @if signed { p { code { "KEY.pub" } " is the public key of who should have made it. Get it by another way than the bundle." } }
            (commands(&[&format!("carveout verify {archive}{key}")]))
            p { "Without carveout:" }
            @let minisign = if signed { "minisign -V -m SHA256SUMS -p KEY.pub" } else { "" };
            (commands(&[&format!("tar -xf {archive}"), &format!("cd {name}"), minisign, "sha256sum --check SHA256SUMS"]))
            h3 { "Flash" }
            @match &manifest.device {
                None => (virt(report, &archive, key)),
                Some(device) => (board(report, device.flash_package, &name, key)),
            }
        }
    }
}

/// Lines of a shell.
fn commands(lines: &[&str]) -> Markup {
    // Else a browser breaks lines between the hyphens of an option.
    let word = |word: &str| {
        if word.starts_with('-') {
            html! { span.option { (plain(word)) } }
        } else {
            html! { (plain(word)) }
        }
    };
    html! {
        pre {
            code {
                @for line in lines.iter().filter(|line| !line.is_empty()) {
                    @for (index, part) in line.split(' ').enumerate() { @if index > 0 { " " } (word(part)) }
                    "\n"
                }
            }
        }
    }
}

fn virt(report: &Report, archive: &str, key: &str) -> Markup {
    let flash = format!("carveout flash {archive} --to virt:DEVICE.img");
    html! {
        p { code { "DEVICE.img" } " is the disk image of a virt device." }
        (commands(&[&format!("{flash}{key}")]))
        @if let Some(changes) = &report.changes {
            p { "A device that has the release before gets what differs:" }
            (commands(&[&format!("{flash} --scope auto --from {}.tar.zst{key}", changes.from)]))
        }
    }
}

fn board(report: &Report, package: FlashPackage, name: &str, key: &str) -> Markup {
    let flash = format!("sudo -E carveout flash {name}.tar.zst --to usb");
    let lacks = report.manifest.scope_lacks(Scope::Full, false);
    // The boot config of a board with an SBK is encrypted.
    let encrypted = report.manifest.device.as_ref().is_some_and(|device| device.fused == Fused::PkcSbk);
    let alone = if encrypted { " --scope secure-os --carve-out-unseen" } else { " --scope secure-os" };
    html! {
        @if package == FlashPackage::None {
            p { "It cannot be flashed: it was made of parts, without an image." }
        } @else {
            p { "Bring the board into recovery mode: hold the middle button, press and release reset. Connect its front USB-C port." }
            @match &lacks {
                Some(lacks) => p.note.warning { "This bundle is not for a full flash: " (plain(lacks)) "." },
                None => {
                    p { "Everything, the carve-out included:" }
                    @if package == FlashPackage::Modules {
                        (commands(&[&format!("{flash}{key}")]))
                        p { "The same, with the board’s own root filesystem kept: add " (code("--keep-app")) "." }
                    } @else {
                        (commands(&["sudo bash flash/flash.sh"]))
                    }
                }
            }
            @if package == FlashPackage::Modules {
                p { "Secure-os alone, on a board that has this carve-out already:" }
                (commands(&[&format!("{flash}{alone}{key}")]))
            }
            @if let (FlashPackage::Modules, Some(changes)) = (package, &report.changes) {
                p { "A board that has the release before gets what differs:" }
                (commands(&[&format!("{flash} --scope auto --from {}.tar.zst{key}", changes.from)]))
            }
            @if package == FlashPackage::Modules {
                p { "The same by the script in the bundle’s folder, which finds " code { "carveout" } " beside that folder or in PATH:" }
                (commands(&[&format!("sudo flash/flash.sh{}", if lacks.is_some() { alone } else { "" })]))
            } @else {
                p { "It runs in the bundle’s folder, and needs no carveout." }
            }
        }
    }
}
