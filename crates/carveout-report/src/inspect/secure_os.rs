//! What holds trusted apps: a secure-os image, a bare kernel, TAs one behind the other, one TA.

use super::explained::Explained;
use super::found::{Found, Listed};
use super::rows::OfSize;
use crate::errors::InspectError;
use carveout_host::error::{Cause, Result};
use carveout_host::loader;
use carveout_host::size::human;
use carveout_host::text::Text;
use std::path::Path;
use trusty_image::elf::Elf;
use trusty_image::limits::APP_STACK_TOP;
use trusty_image::manifest::SECTION;
use trusty_image::{Container, ContainerError, TrustedApp, container, monitor, stock, tasks};

/// `e_machine` of ARM and `e_type` of a program.
const EM_ARM: u16 = 40;
/// Program header of a program that Linux runs.
const PT_INTERP: u32 = 3;
/// Names of some machines, for people.
const MACHINES: [(u16, &str); 4] = [(40, "32-bit ARM"), (183, "AArch64"), (62, "x86-64"), (3, "32-bit x86")];

/// A file that is a secure-os image.
pub fn image(path: &Path, bytes: &[u8]) -> Result<Explained> {
    let found = container(bytes);
    found.map_err(|source| InspectError::WrongSecureOs { path: path.into(), source }.into())
}

/// A secure-os image. One read back from a partition may have bytes behind it.
pub fn container(bytes: &[u8]) -> Result<Explained, Cause> {
    let length = container::announced_size(bytes).filter(|l| *l < bytes.len()).unwrap_or(bytes.len());
    let (image, behind) = bytes.split_at_checked(length).unwrap_or((bytes, &[]));
    // Only what a partition is erased to may follow; else a wrong size would hide.
    let erased = behind.iter().all(|b| *b == 0) || behind.iter().all(|b| *b == 0xff);
    let image = if erased { image } else { bytes };
    let read = match Container::parse(image) {
        Ok(read) => read,
        Err(error @ ContainerError::Optee) => return Ok(optee(&error, image.len())),
        Err(error) => return Err(error.into()),
    };
    let signed = container::signed_size(image.len() as u64, monitor::soc(read.monitor));
    let mut text = Text::block(&format!(
        "secure-os image (NVTOSP), {} bytes, {signed} signed\n  monitor      {:>9} bytes\n  OS           {:>9} bytes, {:?}{}\n",
        image.len(),
        read.monitor.len(),
        read.os.len(),
        read.tos_type,
        if read.encrypted { ", encrypted" } else { "" }
    ));
    if !behind.is_empty() && erased {
        let _ = writeln!(text, "  behind it    {:>9} bytes of an erased partition", behind.len());
    }
    let mut apps = Vec::new();
    if !read.encrypted {
        // Concatenated trusted apps are taken apart to the last byte; in a kernel they are looked for.
        let whole = read.os.starts_with(b"\x7fELF");
        let found = if whole { tasks::split(read.os)? } else { tasks::find(read.os) };
        let (shown, values) = list(&found);
        text.push(&shown.indented());
        apps = values;
    }
    let found = Found::SecureOs {
        size: image.len(),
        signed_size: signed,
        monitor: read.monitor.len(),
        os: read.os.len(),
        encrypted: read.encrypted,
        trusted_apps: apps,
    };
    Ok(Explained::new(text, found))
}

/// An image that R35's desk would take.
fn optee(error: &ContainerError, size: usize) -> Explained {
    let text = Text::block(&format!(
        "secure-os image (NVTOSP), {size} bytes: {error}\n  carveout builds, checks and emulates images of L4T R32 alone\n"
    ));
    Explained::new(text, Found::OpTee(OfSize { size }))
}

/// A bare kernel, `lk.bin`, if it has TAs in it.
pub fn kernel(bytes: &[u8]) -> Option<Explained> {
    let found = tasks::find(bytes);
    if found.is_empty() {
        return None;
    }
    let (shown, apps) = list(&found);
    let mut text =
        Text::block(&format!("Trusty's kernel (lk.bin), {} bytes, without container\n", bytes.len()));
    text.push(&shown.indented());
    Some(Explained::new(text, Found::Lk { size: bytes.len(), trusted_apps: apps }))
}

/// An ELF file: a TA, TAs one behind the other, or something else.
pub fn elf(path: &Path, bytes: &[u8]) -> Result<Explained> {
    if let Some(other) = foreign(bytes) {
        return Ok(other);
    }
    match tasks::split(bytes) {
        Ok(apps) if apps.len() > 1 => {
            let (shown, values) = list(&apps);
            let mut text = Text::block(&format!(
                "trusted apps one behind the other (user_tasks.bin), {} of them, {} bytes\n",
                apps.len(),
                bytes.len()
            ));
            text.push(&shown.indented());
            return Ok(Explained::new(text, Found::UserTasks { size: bytes.len(), trusted_apps: values }));
        }
        // Two sound ones and then a broken one: not one TA with bytes behind it.
        Err(tasks::TasksError::Elf { index: 2.., .. } | tasks::TasksError::End { index: 1.., .. }) => {
            let error = tasks::split(bytes).err().map(|e| e.to_string()).unwrap_or_default();
            return Err(InspectError::WrongTasks { path: path.into(), source: error.into() }.into());
        }
        _ => {}
    }
    let app = loader::inspect(path, bytes)?;
    let (text, found) = trusted_app(&app, bytes.len());
    Ok(Explained::new(text, found))
}

/// An ELF file that nobody has meant for a TA.
fn foreign(bytes: &[u8]) -> Option<Explained> {
    let half = |at: usize| bytes.get(at..at + 2).and_then(|b| b.try_into().ok()).map(u16::from_le_bytes);
    let (class, machine) = (*bytes.get(4)?, half(18)?);
    let parsed = Elf::parse(bytes).ok();
    let for_linux = parsed.as_ref().is_some_and(|elf| elf.segments.iter().any(|s| s.kind == PT_INTERP));
    let has_manifest = parsed.as_ref().is_some_and(|elf| elf.named(SECTION).next().is_some());
    if (class == 1 && machine == EM_ARM && !for_linux) || has_manifest {
        return None;
    }
    let name = MACHINES.iter().find(|(id, _)| *id == machine).map_or("another machine", |(_, name)| name);
    let kind = match half(16)? {
        1 => "an object file",
        3 => "a program or library",
        _ => "a program",
    };
    let text = Text::block(&format!(
        "ELF file: {kind} for {name}, {} bytes; no trusted app, which is a static 32-bit ARM program with a section {SECTION}\n",
        bytes.len()
    ));
    Some(Explained::new(text, Found::Elf { machine, size: bytes.len() }))
}

/// TAs, as text and for machines.
fn list(elves: &[&[u8]]) -> (Text, Vec<Listed>) {
    let mut text = Text::new();
    let mut values = Vec::new();
    for elf in elves {
        let shown = match trusty_image::inspect(elf) {
            Ok(app) => {
                let (text, found) = trusted_app(&app, elf.len());
                (text, Listed::Sound(Box::new(found)))
            }
            Err(findings) => {
                let list: Vec<String> = findings.iter().map(ToString::to_string).collect();
                (
                    Text::block(&format!(
                        "trusted app that the loader would not take:\n  {}\n",
                        list.join("\n  ")
                    )),
                    Listed::Refused { findings: list },
                )
            }
        };
        text.push(&shown.0);
        values.push(shown.1);
    }
    (text, values)
}

/// A TA.
fn trusted_app(app: &TrustedApp, file_size: usize) -> (Text, Found) {
    let manifest = &app.manifest;
    let mut text = Text::block(&format!(
        "trusted app, {file_size} bytes, passes all rules of the loader\n  UUID         {}{}\n  entry        0x{:x}\n",
        manifest.uuid,
        stock::name(manifest.uuid).map(|name| format!(", NVIDIA's {name}")).unwrap_or_default(),
        app.entry
    ));
    for segment in &app.segments {
        let flags: String = [(4, 'r'), (2, 'w'), (1, 'x')]
            .map(|(bit, c)| if segment.flags & bit != 0 { c } else { '-' })
            .iter()
            .collect();
        let _ = writeln!(
            text,
            "  segment      0x{:06x} to 0x{:06x} {flags}, file offset 0x{:x}",
            segment.vaddr,
            segment.end(),
            segment.offset
        );
    }
    let heap_end = app.heap_start + manifest.heap();
    let _ = writeln!(
        text,
        "  heap         0x{:06x} to 0x{heap_end:06x}, {}",
        app.heap_start,
        human(manifest.heap().into())
    );
    let stack = APP_STACK_TOP - manifest.stack();
    let _ = writeln!(
        text,
        "  stack        0x{stack:06x} to 0x{APP_STACK_TOP:06x}, {}",
        human(manifest.stack().into())
    );
    for region in &manifest.map_mem {
        let _ =
            writeln!(text, "  map_mem      id {}, 0x{:x}, {} bytes", region.id, region.offset, region.size);
    }
    let found = Found::TrustedApp {
        uuid: manifest.uuid,
        stock: stock::name(manifest.uuid),
        size: file_size,
        entry: app.entry,
        image: app.image_size,
        heap: manifest.heap(),
        stack: manifest.stack(),
        map_mem: manifest.map_mem.clone(),
    };
    (text, found)
}
