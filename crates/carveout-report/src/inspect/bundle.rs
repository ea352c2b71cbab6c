//! A bundle: what its manifest says.

use super::explained::Explained;
use crate::errors::InspectError;
use bundle::limits::MAX_TEXT;
use bundle::{DeskBoot, Given, Manifest, Source};
use carveout_host::error::Result;
use carveout_host::size::human;
use carveout_host::text::Text;
use std::io::Read;
use std::path::Path;
use trusty_image::stock;

/// The manifest only: whether it is true is `verify`'s to say. `None` for what is no bundle.
pub fn explain(path: &Path) -> Result<Option<Explained>> {
    let Ok(source) = Source::open(path) else { return Ok(None) };
    let (mut found, mut files) = (None, 0);
    let read = source.for_each(&mut |name, reader| {
        files += 1;
        if name == bundle::MANIFEST {
            let mut text = String::new();
            reader.take(MAX_TEXT).read_to_string(&mut text)?;
            found = Some(text);
        }
        Err(std::io::Error::other("the rest need not be read"))
    });
    match (found, read) {
        (Some(text), _) => of_text(path, &text).map(Some),
        // A folder or an archive of anything else.
        (None, Err(_)) if files > 0 && is_bundle(path) => {
            Err(InspectError::ManifestNotFirst { path: path.into() }.into())
        }
        (None, _) => Ok(None),
    }
}

/// A folder with a manifest in it. Archives name theirs first.
fn is_bundle(path: &Path) -> bool {
    path.join(bundle::MANIFEST).is_file()
}

/// A manifest by itself.
pub fn of_text(path: &Path, text: &str) -> Result<Explained> {
    let manifest = Manifest::from_text(text)
        .map_err(|e| InspectError::WrongManifest { path: path.into(), source: e.into() })?;
    Ok(Explained::new(shown(&manifest), &manifest))
}

/// A bundle's manifest.
fn shown(manifest: &Manifest) -> Text {
    let mut text = Text::block(&format!("bundle {}\n", manifest.bundle_name()));
    let inputs = &manifest.inputs;
    let _ = writeln!(text, "  git revision {}", inputs.git_revision.as_deref().unwrap_or("none"));
    if let Some(release) = &inputs.bsp {
        let _ = writeln!(text, "  L4T {release}");
    }
    for (name, version) in &inputs.toolchains {
        let _ = writeln!(text, "  {name}: {version}");
    }
    for given in &inputs.given {
        let _ = writeln!(text, "  given {}", origin(given));
    }
    let memory = &manifest.plan.memory;
    let _ = writeln!(
        text,
        "  carve-out    {:>10}, alignment {}",
        human(memory.tzdram),
        human(manifest.tzdram.alignment())
    );
    let _ = writeln!(text, "    kernel     {:>10}", human(memory.kernel));
    if memory.stock() > 0 {
        let _ = writeln!(
            text,
            "    NVIDIA's   {:>10}, {} trusted apps",
            human(memory.stock()),
            memory.stock_trusted_apps.len()
        );
    }
    for app in &memory.trusted_apps {
        let _ = writeln!(
            text,
            "    {:<22} image {:>9}, heap {:>9}, stack {:>9}",
            app.name,
            human(app.image),
            human(app.heap),
            human(app.stack)
        );
    }
    let word = if memory.free < 0 { "lacking" } else { "free" };
    let _ = writeln!(text, "    {word:<10} {:>10}", human(memory.free.unsigned_abs()));
    for app in &manifest.trusted_apps {
        let ports: Vec<&str> = app.ports.iter().map(|p| p.name.as_str()).collect();
        let _ = writeln!(text, "  trusted app  {} {} {}", app.name, app.uuid, ports.join(" "));
    }
    if let Some(desk_boot) = manifest.desk_boot {
        let what = match desk_boot {
            DeskBoot::Answered => "booted in QEMU, and every declared port answered",
            DeskBoot::Skipped => "not booted in QEMU",
        };
        let _ = writeln!(text, "  secure-os    {what}");
    }
    if let Some(boot) = &manifest.linux_boot {
        let test = boot.self_test.join(" ");
        let test = if test.is_empty() { String::new() } else { format!(", and `{test}` passed") };
        let _ = writeln!(text, "  rootfs       booted on the desk with {}: it is running{test}", boot.kernel);
    }
    if let Some(device) = &manifest.device {
        for module in &device.modules {
            let _ = writeln!(text, "  module       {:<12} {}", module.name, module.id);
        }
        if !device.lacks.is_empty() {
            let _ = writeln!(text, "  lacks        {}: not for a full flash", device.lacks.join(", "));
        }
        for uuid in &device.stock_trusted_apps {
            let _ = writeln!(text, "  stock app    {} {uuid}", stock::name(*uuid).unwrap_or("unknown"));
        }
    }
    for partition in &manifest.plan.partitions {
        let (used, size) = (human(partition.used), human(partition.size));
        let _ = writeln!(text, "  partition    {:<12} {used:>10} of {size}", partition.name);
    }
    for file in &manifest.files {
        let _ = writeln!(text, "  file         {:<44} {:>10}", file.path, human(file.size));
    }
    text.push_str("  (as its manifest says; `cargo xtask verify` checks it)\n");
    text
}

/// A file that the build was given, and where it can be had again.
fn origin(given: &Given) -> String {
    let (name, file) = (given.name.escape_debug(), given.file.escape_debug());
    match (&given.origin, &given.supplier) {
        (Some(origin), _) => {
            let (path, commit) =
                (origin.path.escape_debug(), origin.commit.get(..12).unwrap_or(&origin.commit));
            let commit = commit.escape_debug();
            let other = origin.repository.as_ref().map(|name| format!(" of {}", name.escape_debug()));
            format!("{name}: {path} in commit {commit}{}", other.unwrap_or_default())
        }
        (None, Some(supplier)) => format!("{name}: {file}, {}'s", supplier.escape_debug()),
        (None, None) => format!("{name}: {file}, in no commit"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bundle::Origin;

    #[test]
    fn where_a_file_came_from_is_told() {
        let given = |origin: Option<Origin>, supplier: Option<&str>| Given {
            name: "trusted_apps.a".into(),
            file: "a.elf".into(),
            sha256: None,
            tree_sha256: None,
            supplier: supplier.map(str::to_owned),
            origin,
        };
        let of = |repository: Option<&str>| Origin {
            path: "prebuilt/a.elf".into(),
            commit: "0123456789abcdef".into(),
            repository: repository.map(str::to_owned),
        };
        for (given, expected) in [
            (given(Some(of(None)), None), "trusted_apps.a: prebuilt/a.elf in commit 0123456789ab"),
            (
                given(Some(of(Some("example.com/b"))), None),
                "trusted_apps.a: prebuilt/a.elf in commit 0123456789ab of example.com/b",
            ),
            (given(None, Some("NVIDIA")), "trusted_apps.a: a.elf, NVIDIA's"),
            (given(None, None), "trusted_apps.a: a.elf, in no commit"),
        ] {
            assert_eq!(origin(&given), expected);
        }
        let hostile = Given { file: "\u{1b}[2J".into(), ..given(None, None) };
        assert_eq!(origin(&hostile), "trusted_apps.a: \\u{1b}[2J, in no commit");
    }
}
