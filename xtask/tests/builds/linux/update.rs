//! Updates of a device while it runs: installed from a channel in the guest, tried by its next boot, confirmed or gone back from.

use super::{linux, script};
use crate::builds::field::served;
use crate::builds::util::{is_full, root, run, xtask};
use serde_json::{Value, json};
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

/// The default product, with the app of docs/the-carve-out.md, as a device that can be updated; in several versions.
struct Product {
    dir: tempfile::TempDir,
}

impl Product {
    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// The bundle of a version, whose config is the default product's with these changes.
    fn bundle(&self, version: &str, changes: &[(&str, &str)], options: &[&str]) -> PathBuf {
        let mut text = fs::read_to_string(root().join("configs/desk.yaml")).unwrap();
        let own = [
            ("version: 0.1.0", version),
            ("[echo-srv-app]", "[echo-srv-app, carveout-update]"),
            ("  - echo-srv\n", "  - echo-srv\n  - { package: unchecked-srv, min_heap: 252KiB }\n"),
        ];
        for (from, to) in own.iter().chain(changes) {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        let config = self.path("product.yaml");
        fs::write(&config, text).unwrap();
        let words = ["image", "-c", &config, "-o", self.dir.path().to_str().unwrap()];
        PathBuf::from(xtask(words.iter().chain(options)).ok())
    }

    fn sign(&self, file: &str) {
        run("minisign", ["-S", "-W", "-s", &self.path("maker.key"), "-m", file]).ok();
    }

    /// Releases a version's update: the channel's newest is this one then.
    fn release(&self, version: &str, changes: &[(&str, &str)]) -> PathBuf {
        let folder = self.bundle(version, changes, &["--without", "rootfs"]);
        self.sign(&folder.join(bundle::SUMS).display().to_string());
        let source = bundle::Source::open(&folder).unwrap();
        let (manifest, _) = bundle::extract(&source, |_| false).unwrap();
        let name = manifest.bundle_name();
        let place = self.dir.path().join("releases").join(&name);
        fs::create_dir_all(&place).unwrap();
        bundle::write_update(&source, &manifest, 1, &place.join(manifest.update_name())).unwrap();
        let newest = json!({ "bundle": name, "name": "desk", "board": "virt" });
        let index = json!({ "format": 1, "channels": { "stable": [newest] } }).to_string();
        let path = self.path("releases/index.json");
        fs::write(&path, &index).unwrap();
        self.sign(&path);
        // The signature has the index behind it.
        let signed = format!("{path}.minisig");
        fs::write(&signed, fs::read_to_string(&signed).unwrap() + &index).unwrap();
        folder
    }
}

/// A port of this host that is free.
fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn an_update_is_installed_tried_and_confirmed_or_gone_back_from() {
    if !is_full() {
        return;
    }
    let product = Product { dir: tempfile::tempdir().unwrap() };
    let key = product.path("maker.pub");
    run("minisign", ["-G", "-W", "-p", &key, "-s", &product.path("maker.key")]).ok();
    let first = product.bundle("version: 1.0.0", &[], &[]);
    let package = first.join("client-apps/carveout-update_0.1.0-1_arm64.deb");
    let lintian = ["--allow-root".as_ref(), "--fail-on".as_ref(), "error".as_ref(), package.as_os_str()];
    run("lintian", lintian).ok();
    let heap = ("min_heap: 128KiB", "min_heap: 192KiB");
    let larger = ("size: 32MiB", "size: 64MiB");
    // The mistake: the app has the default heap, does not check, and faults on its first payload.
    let mistake = ("{ package: unchecked-srv, min_heap: 252KiB }", "unchecked-srv");
    let second = product.release("version: 1.1.0", &[heap]);
    let differs = |from: &Path, to: &Path| xtask(["diff", from.to_str().unwrap(), to.to_str().unwrap()]).ok();
    let settings = product.path("update.yaml");
    let checks = "checks:\n  - [echo-srv-app, --self-test]\n  - [echo-srv-app, --ta, unchecked-srv, --count, \"64000\"]\n";
    fs::write(&settings, checks).unwrap();
    let device = format!("virt:{}", product.path("device.img"));
    xtask(["flash", first.to_str().unwrap(), "--to", &device]).ok();
    let (_server, url) = served(&product.dir.path().join("releases"));
    // The guest's way to this host.
    let url = url.replace("127.0.0.1", "10.0.2.2");

    let network = format!("--forward={}:9", free_port());
    let persist = ["--persist".to_owned(), network, "--wait-for=carveout-update.service".to_owned()];
    let mut put = vec![
        format!("--copy-in={key}:/etc/carveout/keys.d/maker.pub"),
        format!("--copy-in={settings}:/etc/carveout/update.yaml"),
    ];
    put.extend(persist.clone());
    // Each boot tells what runs, and installs the channel's newest. Its unit has confirmed what was tried by then.
    let step = |options: &[String], more: &str| -> Value {
        let install = format!(
            "carveout-update install --releases {url} --product desk {more} --json > /root/installed"
        );
        let text = format!(
            "carveout-update status --json; for i in 1 2 3 4 5 6 7 8 9; do {install} && exit 0; sleep 2; done; cat /root/installed >&2; exit 1"
        );
        let told = linux(&device, options, &script(&text)).ok();
        serde_json::from_str::<Value>(&told).unwrap()["result"].clone()
    };
    let said = step(&put, "--apps");
    assert_eq!(
        (&said["runs"], &said["rootfs"]["bundle"]),
        (&"desk-1.0.0-virt-tzdram32M".into(), &"desk-1.0.0-virt-tzdram32M".into())
    );
    let third = product.release("version: 1.2.0", &[heap, larger]);
    assert_eq!(differs(&second, &third), "full");
    let said = step(&persist, "");
    assert_eq!(
        (&said["active"]["bundle"], &said["trial"]),
        (&"desk-1.1.0-virt-tzdram32M".into(), &Value::Null)
    );
    product.release("version: 1.3.0", &[heap, larger, mistake]);
    let said = step(&persist, "");
    assert_eq!(said["active"]["bundle"], "desk-1.2.0-virt-tzdram64M");
    assert_eq!(said["previous"]["bundle"], "desk-1.1.0-virt-tzdram32M");
    assert_eq!(said["rootfs"]["bundle"], "desk-1.0.0-virt-tzdram32M", "it is what was flashed");

    // What does not pass starts the device again by itself, and it is the old one, with the larger carve-out.
    let ran = linux(&device, &["--persist", "--json"], &["sleep", "1000"]).result();
    assert_eq!(ran["linux"]["reboots"], 1, "{ran}");
    let fault = ran["linux"]["faults"][0].as_str().unwrap();
    assert!(
        fault.contains("faults: null + 0 written: the last brk was refused; the heap is 16 KiB"),
        "{fault}"
    );
    let status = xtask(["status", "--to", &device, "--json"]).result();
    assert_eq!(
        status,
        json!({
            "device": device,
            "board": "virt",
            "runs": "desk-1.2.0-virt-tzdram64M",
            "rootfs": "desk-1.0.0-virt-tzdram32M",
            "tried": null,
            "gone_back_from": "desk-1.3.0-virt-tzdram64M",
            "tzdram": 64 << 20,
            "security_version": 0,
            "same_secure_os": null,
            "flashed_here": null,
        })
    );
    let text = "carveout-update status | head -1; echo-srv-app --self-test | tail -1; dpkg --audit
        grep -c 'client apps' /var/lib/carveout/update.jsonl";
    let said = linux(&device, &[""; 0], &script(text)).ok();
    // Its client apps came with the first update.
    assert_eq!(said, "runs       desk-1.2.0-virt-tzdram64M\nall outcomes are right\n1");
}
