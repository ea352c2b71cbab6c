//! The report page without a browser: what it says, and that nothing in a bundle becomes markup.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

pub mod fixture;
pub mod small;

use bundle::{Given, Origin};
use carveout_report::{Report, Signature, render};
use std::fs;
use std::process::Command;

/// What a hostile author would write.
const HOSTILE: &str =
    "</style></title><script>alert(1)</script><img src=x onerror=alert(1)>\"' onload='x&amp;\u{202e}";

/// Text between tags, entities resolved.
fn text(page: &str) -> String {
    let body = page.split("<body>").nth(1).unwrap();
    let text: String = body.split('<').filter_map(|piece| Some(piece.split_once('>')?.1)).collect();
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")]
        .iter()
        .fold(text, |t, (a, b)| t.replace(a, b))
}

/// Names of the elements of a page, in order.
fn tags(page: &str) -> Vec<&str> {
    page.split('<').skip(1).map(|piece| piece.split([' ', '>', '\n']).next().unwrap()).collect()
}

#[test]
fn the_same_report_is_the_same_page() {
    assert_eq!(render(&fixture::report()), render(&fixture::report()));
}

#[test]
fn each_section_has_what_it_is_for() {
    let page = text(&render(&fixture::report()));
    for expected in [
        "xavier 1.1.0",
        "b4e1902ddfaefc6eb9332efbfbe02659af06afb5-modified",
        "work tree was modified",
        "rustc 1.95.0 (59807616e 2026-04-14)",
        "Signature verified",
        "E7620F1842B4E81F",
        "security_version=3",
        "32 MiB 0x2000000",
        "c5a1a9e2-5d5f-4f0e-9a52-0f1ec4e0c002",
        "com.carveout.srv.echo-srv",
        "not declared",
        "libc6",
        "needs the scope secure-os",
        "517328 bytes, sha256 777777777777",
        "stack-small",
        "What mends it: set min_stack of echo-srv.",
        "failed: write: the board went away",
        "carveout verify xavier-1.1.0-jetson-agx-xavier-tzdram32M.tar.zst --key KEY.pub",
        "minisign -V -m SHA256SUMS -p KEY.pub",
        "sudo -E carveout flash xavier-1.1.0-jetson-agx-xavier-tzdram32M.tar.zst --to usb --scope auto --from xavier-1.0.0-",
    ] {
        assert!(page.contains(expected), "{expected}\n{page}");
    }
    // 61079552 sectors less all other partitions.
    assert!(page.contains("UDA939.0 MiB 0x3aaffe00"), "{page}");
    let virt = text(&render(&fixture::virt()));
    assert!(virt.contains("--to virt:DEVICE.img") && !virt.contains("minisign"), "{virt}");
    assert!(virt.contains("Its checksums say that it is whole, not who made it."), "{virt}");
}

#[test]
fn what_nobody_has_checked_is_not_called_verified() {
    let signature = Signature::NotChecked { trusted_comment: "name=good".into() };
    let page = text(&render(&Report { signature, ..fixture::virt() }));
    assert!(page.contains("authenticity was not checked") && page.contains("It claims to be"), "{page}");
    assert!(!page.to_lowercase().contains("signature verified"), "{page}");
}

#[test]
fn every_checksum_is_there() {
    let report = fixture::report();
    let page = text(&render(&report));
    for file in &report.manifest.files {
        assert!(page.contains(&file.sha256) && page.contains(&file.path), "{}", file.path);
    }
    let own = bundle::sha256(report.manifest.to_text().unwrap().as_bytes());
    assert!(page.contains(&own), "the manifest's own");
}

/// Every text that a bundle's author, or a device, has a say in.
/// Files that a build was given, of each kind, with this text in all of them.
fn given(text: &str) -> Vec<Given> {
    let text = || text.to_owned();
    let origin = Origin { path: text(), commit: text(), repository: Some(text()) };
    let of = |supplier: Option<String>, origin: Option<Origin>| Given {
        name: text(),
        file: text(),
        sha256: Some(text()),
        tree_sha256: None,
        supplier,
        origin,
    };
    vec![of(None, Some(origin)), of(Some(text()), None), of(None, None)]
}

#[test]
fn files_that_were_given_are_told_with_their_commits() {
    let mut report = fixture::report();
    assert!(!render(&report).contains("given by path"));
    report.manifest.inputs.given = given("abcdef");
    let page = render(&report);
    let table = page.split("Files that the build was given by path").nth(1).unwrap();
    let table = table.split("</table>").next().unwrap();
    assert_eq!(table.matches("abcdef").count(), 12, "{table}");
    assert_eq!(table.matches("in no commit").count(), 1);
}

#[test]
fn nothing_from_a_bundle_becomes_markup() {
    let mut before = fixture::report();
    before.manifest.inputs.given = given("a");
    let mut report = before.clone();
    let bad = || HOSTILE.to_owned();
    let manifest = &mut report.manifest;
    manifest.inputs.given = given(HOSTILE);
    (manifest.name, manifest.version, manifest.board, manifest.digest) = (bad(), bad(), bad(), bad());
    (manifest.inputs.config, manifest.inputs.git_revision) = (bad(), Some(format!("{HOSTILE}-modified")));
    (manifest.inputs.bsp, manifest.inputs.package_lock) = (Some(bad()), Some(bad()));
    manifest.inputs.toolchains = [(bad(), bad()), ("b".into(), bad())].into();
    for app in &mut manifest.trusted_apps {
        app.name = bad();
        app.ports.iter_mut().for_each(|port| port.name = bad());
    }
    for file in &mut manifest.files {
        (file.path, file.sha256) = (bad(), bad());
        file.partitions.iter_mut().for_each(|name| *name = bad());
    }
    let device = manifest.device.as_mut().unwrap();
    let module = &mut device.modules[0];
    (module.name, module.id.board, module.id.fab) = (bad(), bad(), bad());
    (module.id.sku, module.id.revision) = (bad(), bad());
    manifest.flash.values_mut().for_each(|digest| *digest = bad());
    report.plan.memory.trusted_apps.iter_mut().for_each(|app| app.name = bad());
    for finding in &mut report.plan.findings {
        (finding.trusted_app, finding.what, finding.remedy) = (Some(bad()), bad(), bad());
    }
    for device in &mut report.layout.devices {
        device.kind = bad();
        device.partitions.iter_mut().for_each(|partition| partition.name = bad());
    }
    for package in &mut report.packages {
        (package.name, package.version, package.architecture) = (bad(), bad(), bad());
    }
    let changes = report.changes.as_mut().unwrap();
    changes.from = bad();
    for difference in &mut changes.diff.differences {
        (difference.what, difference.old, difference.new) = (bad(), Some(bad()), Some(bad()));
    }
    for record in &mut report.records {
        (record.started, record.action, record.usb, record.result) = (bad(), bad(), bad(), bad());
        (record.board, record.chip, record.scope) = (Some(bad()), Some(bad()), Some(bad()));
    }
    report.signature = Signature::Verified { key_id: bad(), trusted_comment: bad() };

    let page = render(&report);
    assert!(!tags(&page).contains(&"script") && !tags(&page).contains(&"img"));
    assert!(!page.contains('\u{202e}'), "what turns letters around is written out");
    assert!(
        page.matches("\\u{202e}").count() > 60,
        "the texts are there: {}",
        page.matches("\\u{202e}").count()
    );
    // Elements that a text would have opened or closed would be more than before.
    let count = |page: &str, tag: &str| tags(page).iter().filter(|found| **found == tag).count();
    for tag in ["style", "/style", "title", "/title", "body", "main", "table", "section"] {
        let titles = if tag.ends_with("title") { page.matches("<g>").count() } else { 0 };
        let was = render(&before);
        let had = if tag.ends_with("title") { was.matches("<g>").count() } else { 0 };
        assert_eq!(count(&page, tag) - titles, count(&was, tag) - had, "{tag}");
    }
    for attribute in ["onerror", "onload"] {
        let inside = page.split('<').any(|piece| piece.split('>').next().unwrap().contains(attribute));
        assert!(!inside, "{attribute} is in no tag");
    }
}

#[test]
fn the_page_names_nothing_to_load() {
    for page in [render(&fixture::report()), render(&fixture::virt())] {
        for word in ["http:", "https:", "<script", "@import", "url(", "<link rel=\"stylesheet\"", " src="] {
            assert!(!page.contains(word), "{word}");
        }
        assert!(page.contains("default-src 'none'"));
    }
}

/// The verb, on a small bundle: as a folder and as an archive.
fn xtask(arguments: &[&str], dir: &std::path::Path) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let output = command.args(arguments).current_dir(dir).env("XDG_STATE_HOME", dir).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn folder_and_archive_give_the_same_page() {
    let dir = tempfile::tempdir().unwrap();
    let name = small::write(dir.path(), "1", 32 << 20);
    let (code, stdout, stderr) = xtask(&["report", &name], dir.path());
    let default = format!("{name}.report.html");
    assert_eq!((code, stdout.lines().last()), (Some(0), Some(default.as_str())), "{stderr}");
    let page = fs::read_to_string(dir.path().join(&default)).unwrap();
    let archive = format!("{name}.tar.zst");
    let (code, stdout, stderr) = xtask(&["report", &archive, "-o", "other.html"], dir.path());
    assert_eq!((code, stdout.as_str()), (Some(0), "other.html\n"), "{stderr}");
    assert_eq!(fs::read_to_string(dir.path().join("other.html")).unwrap(), page);
    let sums = fs::read_to_string(dir.path().join(&name).join("SHA256SUMS")).unwrap();
    assert_eq!(sums.lines().count(), 5);
    for line in sums.lines() {
        let (sum, path) = line.split_once("  ").unwrap();
        assert!(page.contains(sum) && page.contains(path), "{line}");
    }
    let said = text(&page);
    assert!(
        said.contains("tzdram-spare") && said.contains("demand-unknown"),
        "the plan is made again: {said}"
    );
}

#[test]
fn the_release_before_is_compared_with() {
    let dir = tempfile::tempdir().unwrap();
    let [old, new] =
        [("1", 32), ("2", 64)].map(|(version, mib)| small::write(dir.path(), version, mib << 20));
    let (code, _, stderr) = xtask(&["report", &new, "--previous", &old, "-o", "page"], dir.path());
    assert_eq!(code, Some(0), "{stderr}");
    let said = text(&fs::read_to_string(dir.path().join("page")).unwrap());
    for expected in [
        "needs the scope full",
        "carveout.tzdram.size",
        "0x2000000",
        "0x4000000",
        "coming from desk-1-virt-tzdram32M",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
}

#[test]
fn what_is_damaged_or_misplaced_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let name = small::write(dir.path(), "1", 32 << 20);
    let inside = format!("{name}/report.html");
    let (code, _, stderr) = xtask(&["report", &name, "-o", &inside], dir.path());
    assert_eq!(code, Some(2), "{stderr}");
    assert!(stderr.contains("lies in the bundle") && !dir.path().join(&inside).exists(), "{stderr}");
    let (code, _, stderr) = xtask(&["report", &name, "-o", "."], dir.path());
    assert!(code == Some(2) && stderr.contains("is a folder"), "{stderr}");
    fs::write(dir.path().join(&name).join("trusted-apps/a.elf"), "x").unwrap();
    let (code, _, stderr) = xtask(&["report", &name, "-o", "page"], dir.path());
    assert!(code == Some(1) && stderr.contains("trusted-apps/a.elf: has 1 bytes"), "{stderr}");
    assert!(!dir.path().join("page").exists());
}

/// Only this bundle's, and only in the page of the verb: `write` makes one to be given away.
#[test]
fn flash_records_are_of_this_host() {
    use carveout_field::device::record::Record;
    let dir = tempfile::tempdir().unwrap();
    let name = small::write(dir.path(), "1", 32 << 20);
    let digest = bundle::hash_file(&dir.path().join(&name).join("manifest.json")).unwrap().sha256;
    let records = dir.path().join("carveout/flash-records");
    fs::create_dir_all(&records).unwrap();
    // No day has a name like these.
    for (port, digest) in [("1-2.4", digest.as_str()), ("1-2.7", "another")] {
        Record::begin(&records, "flash", port, &name, digest).end(&records, Ok(())).unwrap();
    }
    let (code, _, stderr) = xtask(&["report", &name, "-o", "page"], dir.path());
    assert_eq!(code, Some(0), "{stderr}");
    let said = text(&fs::read_to_string(dir.path().join("page")).unwrap());
    assert!(
        said.contains("1 flash of this bundle") && said.contains("1-2.4") && !said.contains("1-2.7"),
        "{said}"
    );
    let given = dir.path().join("given.html");
    carveout_report::write(&dir.path().join(&name), None, None, &given).unwrap();
    assert!(text(&fs::read_to_string(given).unwrap()).contains("No flash of this bundle is known here."));
}
