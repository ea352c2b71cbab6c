//! Reports of fixed values: no build, no clock.

use bundle::{Diff, Difference, Manifest};
use carveout_report::{Changes, Flashed, Package, Report, Signature};
use serde_json::json;
use std::collections::BTreeMap;
use tegra_flash::{Layout, Scope};
use trusty_image::Plan;
use trusty_image::plan::{CONNECTION, Code, Finding};

/// Two devices, partitions from 512 bytes to gigabytes, sizes that only the flash or the arithmetic knows.
const LAYOUT: &str = "<partition_layout>\
    <device type='sdmmc_boot' sector_size='512' num_sectors='8192'>\
    <partition name='BCT' type='boot_config_table'><size> 32768 </size></partition>\
    <partition name='MB1_BCT' type='x'><size> 65536 </size></partition>\
    <partition name='MB1_BCT_b' type='x'><size> 65536 </size></partition>\
    <partition name='secondary_gpt' type='secondary_gpt'><size> 0xFFFFFFFFFFFFFFFF </size></partition></device>\
    <device type='sdmmc_user' sector_size='512' num_sectors='61079552'>\
    <partition name='master_boot_record' type='x'><size> 512 </size></partition>\
    <partition name='APP' type='data'><size> APPSIZE </size></partition>\
    <partition name='secure-os' type='tos'><size> 2621440 </size></partition>\
    <partition name='secure-os_b' type='tos'><size> 2621440 </size></partition>\
    <partition name='BMP' type='x'><size> 134217728 </size></partition>\
    <partition name='kernel' type='x'><size> 83886080 </size></partition>\
    <partition name='UDA' type='data'><allocation_attribute> 0x808 </allocation_attribute></partition></device>\
    </partition_layout>";

/// A checksum by a digit.
fn sum(digit: char) -> String {
    digit.to_string().repeat(64)
}

fn manifest() -> Manifest {
    let file = |path: &str, role: &str, size: u64, digit: char, partitions: &[&str]| json!({ "path": path, "role": role, "size": size, "sha256": sum(digit), "partitions": partitions });
    let app = |name: &str, last: u32, heap: u32, demand: Option<u32>, linux: bool| {
        json!({
            "name": name, "file": format!("trusted-apps/{name}.elf"), "heap": heap, "stack": 32768, "heap_demand": demand,
            "uuid": format!("c5a1a9e2-5d5f-4f0e-9a52-0f1ec4e0c00{last}"),
            "ports": [{ "name": format!("com.carveout.srv.{name}"), "allow_ta_connect": true, "allow_ns_connect": linux }],
        })
    };
    let memory =
        |name: &str, heap: u64| json!({ "name": name, "image": 53248, "heap": heap, "stack": 32768 });
    let value = json!({
        "format": 1, "name": "xavier", "version": "1.1.0", "board": "jetson-agx-xavier",
        "tzdram": { "size": 33554432, "alignment": 1048576 },
        "inputs": {
            "config": sum('1'), "git_revision": "b4e1902ddfaefc6eb9332efbfbe02659af06afb5-modified",
            "toolchains": { "cargo-deb": "3.8.0", "rustc for armv7a-none-eabi": "rustc 1.95.0 (59807616e 2026-04-14)" },
            "bsp": "R32.7.2", "package_lock": sum('2'),
        },
        "trusted_apps": [app("echo-srv", 1, 262_144, Some(256_000), true), app("small-echo-srv", 2, 131_072, None, false)],
        "plan": {
            "memory": {
                "tzdram": 33554432, "monitor": 262144, "kernel": 999840, "free": 31727200,
                "trusted_apps": [memory("echo-srv", 262_144), memory("small-echo-srv", 131_072)],
            },
            "partitions": [
                { "name": "APP", "size": 30064771072u64, "used": 30064771072u64 },
                { "name": "BCT", "size": 32768, "used": 2888 },
                { "name": "MB1_BCT", "size": 65536, "used": 31024 },
                { "name": "MB1_BCT_b", "size": 65536, "used": 31024 },
                { "name": "secure-os", "size": 2621440, "used": 521424 },
                { "name": "secure-os_b", "size": 2621440, "used": 521424 },
            ],
        },
        "device": {
            "modules": [{ "name": "32gb", "id": { "board": "2888", "fab": "400", "sku": "0004", "revision": "K.0" } }],
            "fused": "no", "app_size": 30064771072u64, "lacks": [],
            "stock_trusted_apps": ["766072e8-414e-48fc-9f8f-fb9a6f144124"],
        },
        "desk_boot": "answered",
        "files": [
            file("boot-config/misc.cfg", "boot-config", 3505, '3', &[]),
            file("client-apps/echo-srv-app_0.1.0-1_arm64.deb", "client-app", 563_556, '4', &[]),
            file("layout/flash_t194_sdmmc.xml", "layout", 41252, '5', &[]),
            file("rootfs/system.img", "rootfs", 734_003_200, '6', &["APP"]),
            file("secure-os/tos.img", "secure-os", 517_328, '7', &["secure-os", "secure-os_b"]),
        ],
        "flash": { "app": sum('a'), "secure-os": sum('b'), "full": sum('c') },
        "digest": sum('d'),
    });
    serde_json::from_value(value).unwrap()
}

/// A report with something in each section.
pub fn report() -> Report {
    let manifest = manifest();
    let memory = manifest.plan.memory.clone();
    let finding = |code: Code, app: Option<&str>, what: &str, remedy: &str| Finding {
        code,
        severity: code.severity(),
        trusted_app: app.map(str::to_owned),
        what: what.into(),
        remedy: remedy.into(),
    };
    let difference = |what: &str, old: Option<&str>, new: Option<&str>, scope| Difference {
        what: what.into(),
        old: old.map(str::to_owned),
        new: new.map(str::to_owned),
        scope,
    };
    let package = |name: &str, version: &str, architecture: &str| Package {
        name: name.into(),
        version: version.into(),
        architecture: architecture.into(),
    };
    let flashed = |usb: &str, chip: &str, result: &str| -> Flashed {
        serde_json::from_value(json!({
            "started": "2026-11-26T18:36:13Z", "action": "flash", "usb": usb, "board": "2888-400-0004-K.0", "chip": chip,
            "bundle_digest": sum('e'), "scope": "full", "steps": [{ "step": "write", "seconds": 83.5, "ok": true }], "result": result,
        }))
        .unwrap()
    };
    Report {
        signature: Signature::Verified {
            key_id: "E7620F1842B4E81F".into(),
            trusted_comment: "name=xavier version=1.1.0 board=jetson-agx-xavier security_version=3".into(),
        },
        plan: Plan {
            alignment: manifest.tzdram.alignment(),
            least: memory.least(),
            connections: u64::try_from(memory.free).unwrap() / CONNECTION,
            partition: None,
            address_spaces: Vec::new(),
            findings: vec![
                finding(
                    Code::StackSmall,
                    Some("echo-srv"),
                    "has a stack of 4096 bytes, less than the 8192 that any but the smallest needs",
                    "set min_stack of echo-srv",
                ),
                finding(
                    Code::DemandUnknown,
                    Some("small-echo-srv"),
                    "does not declare what it will allocate",
                    "declare heap_demand of small-echo-srv in its Cargo.toml",
                ),
            ],
            memory,
        },
        layout: Layout::parse(LAYOUT).unwrap(),
        packages: vec![
            package("adduser", "3.134", "all"),
            package("echo-srv-app", "0.1.0-1", "arm64"),
            package("libc6", "2.36-9+deb12u13", "arm64"),
        ],
        changes: Some(Changes {
            from: "xavier-1.0.0-jetson-agx-xavier-tzdram32M".into(),
            diff: Diff {
                differences: vec![
                    difference("version", Some("1.0.0"), Some("1.1.0"), None),
                    difference(
                        "secure-os/tos.img",
                        Some(&format!("517328 bytes, sha256 {}", sum('8'))),
                        Some(&format!("517328 bytes, sha256 {}", sum('7'))),
                        Some(Scope::SecureOs),
                    ),
                ],
                scope: Some(Scope::SecureOs),
                in_two_steps: false,
                left_by_update: None,
            },
        }),
        records: vec![
            flashed("1-2", "0x82190212", "ok"),
            flashed("1-4", "0x82190213", "write: the board went away"),
        ],
        manifest,
    }
}

/// The same for the virt board: no device, no records, nothing signed, nothing before.
pub fn virt() -> Report {
    let mut report = report();
    report.manifest.board = "virt".into();
    report.manifest.device = None;
    report.manifest.desk_boot = None;
    report.manifest.inputs.toolchains = BTreeMap::new();
    Report { signature: Signature::Unsigned, changes: None, records: Vec::new(), ..report }
}
