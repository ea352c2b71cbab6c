//! Updates of a device while it runs: installed in the guest, tried by its next boot, confirmed or gone back from.

use super::{linux, script};
use crate::builds::util::{root, run, xtask};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};

/// The default product as a device that can be updated, in several versions.
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
        let own = [("version: 0.1.0", version), ("[echo-srv-app]", "[echo-srv-app, carveout-update]")];
        for (from, to) in own.iter().chain(changes) {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        let config = self.path("product.yaml");
        fs::write(&config, text).unwrap();
        let words = ["image", "-c", &config, "-o", self.dir.path().to_str().unwrap()];
        PathBuf::from(xtask(words.iter().chain(options)).ok())
    }

    /// The update archive of one, signed.
    fn update(&self, version: &str, changes: &[(&str, &str)]) -> String {
        let folder = self.bundle(version, changes, &["--without", "rootfs"]);
        let sums = folder.join(bundle::SUMS).display().to_string();
        run("minisign", ["-S", "-W", "-s", &self.path("maker.key"), "-m", &sums]).ok();
        let source = bundle::Source::open(&folder).unwrap();
        let (manifest, _) = bundle::extract(&source, |_| false).unwrap();
        let out = self.path(&format!("{}.tar.zst", version.rsplit(' ').next().unwrap()));
        bundle::write_update(&source, &manifest, 1, Path::new(&out)).unwrap();
        out
    }
}

#[test]
fn an_update_is_installed_tried_and_confirmed_or_gone_back_from() {
    let product = Product { dir: tempfile::tempdir().unwrap() };
    let key = product.path("maker.pub");
    run("minisign", ["-G", "-W", "-p", &key, "-s", &product.path("maker.key")]).ok();
    let first = product.bundle("version: 1.0.0", &[], &[]);
    let package = first.join("client-apps/carveout-update_0.1.0-1_arm64.deb");
    let lintian = ["--allow-root".as_ref(), "--fail-on".as_ref(), "error".as_ref(), package.as_os_str()];
    run("lintian", lintian).ok();
    let heap = ("min_heap: 128KiB", "min_heap: 192KiB");
    let larger = ("size: 32MiB", "size: 64MiB");
    let updates = [
        product.update("version: 1.1.0", &[heap]),
        product.update("version: 1.2.0", &[heap, larger]),
        // The trusted app of the self-test is not in it.
        product.update("version: 1.3.0", &[heap, larger, ("  - echo-srv\n", "")]),
    ];
    let settings = product.path("update.yaml");
    fs::write(&settings, "checks:\n  - [echo-srv-app, --self-test]\n").unwrap();
    let device = format!("virt:{}", product.path("device.img"));
    xtask(["flash", first.to_str().unwrap(), "--to", &device]).ok();

    // What runs is what was flashed; what a device needs is put there.
    let mut options = vec![
        "--persist".to_owned(),
        format!("--copy-in={key}:/etc/carveout/keys.d/maker.pub"),
        format!("--copy-in={settings}:/etc/carveout/update.yaml"),
    ];
    options.extend(updates.iter().zip(1..).map(|(path, n)| format!("--copy-in={path}:/root/{n}.tar.zst")));
    // Each boot tells what runs, and installs the next one. Its unit has confirmed what was tried by then.
    let step = |options: &[String], number: u32| -> Value {
        let text =
            format!("carveout-update status --json && carveout-update install /root/{number}.tar.zst >&2");
        let told = linux(&device, options, &script(&text)).ok();
        serde_json::from_str::<Value>(&told).unwrap()["result"].clone()
    };
    assert_eq!(step(&options, 1)["runs"], "desk-1.0.0-virt-tzdram32M");
    let persist = ["--persist".to_owned(), "--wait-for=carveout-update.service".to_owned()];
    let said = step(&persist, 2);
    assert_eq!(
        (&said["active"]["bundle"], &said["trial"]),
        (&"desk-1.1.0-virt-tzdram32M".into(), &Value::Null)
    );
    let said = step(&persist, 3);
    assert_eq!(said["active"]["bundle"], "desk-1.2.0-virt-tzdram64M");
    assert_eq!(said["previous"]["bundle"], "desk-1.1.0-virt-tzdram32M");

    // What does not pass starts the device again by itself, and it is the old one, with the larger carve-out.
    let ran = linux(&device, &["--persist", "--json"], &["sleep", "1000"]).result();
    assert_eq!(ran["linux"]["reboots"], 1, "{ran}");
    let seen = xtask(["inspect", &device]).ok();
    for expected in [
        "active       desk-1.2.0-virt-tzdram64M",
        "gone back    from desk-1.3.0-virt-tzdram64M, which was not confirmed",
        "carve-out    64 MiB",
    ] {
        assert!(seen.contains(expected), "{expected} in {seen}");
    }
}
