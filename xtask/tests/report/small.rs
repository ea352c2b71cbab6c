//! The least bundle that verifies, written in no time.

use bundle::{AppEntry, Budgets, Inputs, Manifest, Role, Writer, sha256};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use tegra_flash::Layout;
use trusty_image::test_elf::TestElf;
use trusty_image::{AppMemory, Budget, Container, TosType, Tzdram};

const LAYOUT: &str = "<partition_layout><device type='sdmmc_user' sector_size='512' num_sectors='9999'>\
    <partition name='MB1_BCT' type='x'><size> 65536 </size></partition>\
    <partition name='MB1_BCT_b' type='x'><size> 65536 </size></partition>\
    <partition name='secure-os' type='tos'><size> 2621440 </size></partition>\
    <partition name='secure-os_b' type='tos'><size> 2621440 </size></partition>\
    <partition name='UDA' type='x'><size> 1048576 </size></partition></device></partition_layout>";

/// Writes a bundle as folder and archive into `dir`. Returns its name.
pub fn write(dir: &Path, version: &str, tzdram: u64) -> String {
    write_with(dir, version, tzdram, |_| ())
}

/// The same of a manifest that `edit` has changed.
pub fn write_with(dir: &Path, version: &str, tzdram: u64, edit: impl FnOnce(&mut Manifest)) -> String {
    with_files(dir, version, tzdram, &[], edit)
}

/// The same with packages of client apps, by their files' names.
pub fn with_client_apps(
    dir: &Path,
    version: &str,
    tzdram: u64,
    debs: &[(&str, &[u8])],
    edit: impl FnOnce(&mut Manifest),
) -> String {
    let paths: Vec<String> = debs.iter().map(|(file, _)| format!("client-apps/{file}")).collect();
    let files = paths.iter().zip(debs).map(|(path, (_, bytes))| (Role::ClientApp, path.as_str(), *bytes));
    with_files(dir, version, tzdram, &files.collect::<Vec<_>>(), |manifest| {
        manifest.client_apps = debs.iter().map(|(file, _)| bundle::package_name(file).to_owned()).collect();
        edit(manifest);
    })
}

/// The same with files that are written to no partition.
pub fn with_files(
    dir: &Path,
    version: &str,
    tzdram: u64,
    files: &[(Role, &str, &[u8])],
    edit: impl FnOnce(&mut Manifest),
) -> String {
    let elf = TestElf::good().build();
    let app = trusty_image::inspect(&elf).unwrap();
    let cfg = format!("carveout.tzdram.size = 0x{tzdram:08x};\ncarveout.tzdram.alignment = 0x00100000;\n");
    let image = Container::pack(&[], &elf, TosType::Trusty).unwrap();
    let parts: [(Role, &str, &[u8], &[&str]); 4] = [
        (Role::BootConfig, "boot-config/misc.cfg", cfg.as_bytes(), &["MB1_BCT"]),
        (Role::Layout, "layout/layout.xml", LAYOUT.as_bytes(), &[]),
        (Role::SecureOs, "secure-os/tos.img", &image, &["secure-os"]),
        (Role::TrustedApp, "trusted-apps/a.elf", &elf, &[]),
    ];
    let name = bundle::bundle_name("desk", version, "virt", Tzdram::of_size(tzdram).unwrap());
    let folder = dir.join(&name);
    fs::create_dir(&folder).unwrap();
    let mut writer = Writer::new(&folder);
    let from = dir.join("part");
    for (role, path, bytes, partitions) in parts {
        fs::write(&from, bytes).unwrap();
        writer.add(role, path, &from, partitions).unwrap();
    }
    for (role, path, bytes) in files {
        fs::write(&from, bytes).unwrap();
        writer.add(*role, path, &from, &[]).unwrap();
    }
    let (partitions, _) = writer.partition_plan("layout/layout.xml", &Layout::parse(LAYOUT).unwrap(), None);
    let memory = Budget::new(tzdram, false, Vec::new(), vec![AppMemory::new("a", &app, elf.len() as u64)]);
    let (heap, stack) = (app.manifest.heap(), app.manifest.stack());
    let mut manifest = Manifest {
        format: bundle::FORMAT,
        name: "desk".into(),
        security_version: 0,
        version: version.into(),
        board: "virt".into(),
        tzdram: Tzdram::of_size(tzdram).unwrap(),
        inputs: Inputs {
            config: sha256(b""),
            git_revision: None,
            toolchains: BTreeMap::new(),
            bsp: None,
            package_lock: None,
            given: Vec::new(),
        },
        trusted_apps: vec![AppEntry {
            name: "a".into(),
            file: "trusted-apps/a.elf".into(),
            uuid: app.manifest.uuid,
            heap,
            stack,
            heap_demand: None,
            ports: Vec::new(),
        }],
        client_apps: Vec::new(),
        plan: Budgets { memory, partitions },
        device: None,
        desk_boot: None,
        linux_boot: None,
        files: Vec::new(),
        flash: BTreeMap::new(),
        digest: String::new(),
    };
    edit(&mut manifest);
    let manifest = writer.finish(manifest).unwrap();
    bundle::write_archive(
        &folder,
        &name,
        &manifest,
        1,
        &bundle::Frames::default(),
        &dir.join(format!("{name}.tar.zst")),
    )
    .unwrap();
    name
}

/// Writes what `release --program` takes for carveout: a header and a segment of a static program for x86-64.
pub fn test_program(path: &Path) {
    let mut elf = vec![0_u8; 64 + 56];
    elf[..7].copy_from_slice(b"\x7fELF\x02\x01\x01");
    // Kind, machine, version, entry, program headers: where, how long, how many; the header's own length; the segment's kind.
    let words = [(16, 3), (18, 62), (20, 1), (24, 1), (32, 64), (52, 64), (54, 56), (56, 1), (64, 1)];
    words.iter().for_each(|(at, value)| elf[*at] = *value);
    fs::write(path, elf).unwrap();
}
