//! What differs between two bundles, and the least that must be flashed for it.

use crate::device::{FLASH, tos_image};
use crate::file_entry::{FileEntry, Role};
use crate::identity::IDENTITY_FILE;
use crate::limits::MAX_TEXT;
use crate::manifest::Manifest;
use crate::source::{Source, SourceError};
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use tegra_bct::MiscCfg;
use tegra_flash::Scope;
use tegra_flash::update::{EKS, update_parts};
use trusty_image::Soc;

/// Keys of the manifest that are told by other means: by file, or not at all.
const LEFT_OUT: [&str; 4] = ["files", "flash", "digest", "format"];
/// Manifest keys that mean another device, whatever its files are.
const DEVICE: [&str; 2] = ["board", "device.modules"];

/// A bundle as far as it is compared.
#[derive(Clone, Debug)]
pub struct Side {
    /// Its manifest.
    pub manifest: Manifest,
    /// Its boot configs and its list of packages, by path.
    pub texts: BTreeMap<String, Vec<u8>>,
}

/// Something that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Difference {
    /// What: a key of the manifest, a file, a key in a file.
    pub what: String,
    /// In the old bundle; none if it is new.
    pub old: Option<String>,
    /// In the new bundle; none if it is gone.
    pub new: Option<String>,
    /// What must be flashed for it; none if no device is the other for it.
    pub scope: Option<Scope>,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Diff {
    /// One by one: what the manifest says, boot configs, packages, files.
    pub differences: Vec<Difference>,
    /// The least scope that writes all that differs.
    pub scope: Option<Scope>,
    /// Whether secure-os and app, one after the other, write it as well: `scope` is then full.
    pub in_two_steps: bool,
    /// What of it an update of a running device leaves as it is; none if the new bundle has no update.
    pub left_by_update: Option<Vec<String>>,
}

impl Side {
    /// Reads what is compared besides the manifest, which [`verify`](crate::verify()) has returned.
    pub fn read(source: &Source, manifest: Manifest) -> Result<Self, SourceError> {
        let mut texts = BTreeMap::new();
        source.for_each(&mut |path, reader| {
            let role = manifest.file(path).map(|file| file.role);
            if matches!(role, Some(Role::BootConfig | Role::PackageLock)) {
                let mut bytes = Vec::new();
                reader.take(MAX_TEXT).read_to_end(&mut bytes)?;
                texts.insert(path.to_owned(), bytes);
            }
            Ok(())
        })?;
        Ok(Self { manifest, texts })
    }
}

/// What is told of a device's board and changes nothing on it: how its modules are called in updates, what these have, which other modules
/// fit, and how people get it into recovery mode.
const TOLD_OF_DEVICE: [&str; 4] = [".update_specs", ".update_eks", ".fits", ".recovery"];

/// Compares two bundles.
pub fn diff(old: &Side, new: &Side) -> Diff {
    let mut differences = Vec::new();
    compare("", Some(&shown(&old.manifest)), Some(&shown(&new.manifest)), &mut |what, old, new| {
        let told = TOLD_OF_DEVICE.iter().any(|part| what.contains(part));
        let device = DEVICE.iter().any(|key| what.starts_with(key)) && !told;
        differences.push(Difference { what, old, new, scope: device.then_some(Scope::Full) });
    });
    let paths: BTreeSet<&String> = old.texts.keys().chain(new.texts.keys()).collect();
    for path in paths {
        let read = |side: &Side| entries(path, side.texts.get(path).map_or(&[], Vec::as_slice));
        let scope = if path.ends_with(".cfg") { Scope::Full } else { Scope::App };
        for (key, old, new) in changes(read(old), read(new)) {
            differences.push(Difference { what: format!("{path}: {key}"), old, new, scope: Some(scope) });
        }
    }
    for (what, was, is) in changes(digests(&old.manifest), digests(&new.manifest)) {
        let scope = [old, new].iter().filter_map(|side| scope_of(side.manifest.file(&what)?)).max();
        differences.push(Difference { what, old: was, new: is, scope });
    }
    let scopes: BTreeSet<Scope> = differences.iter().filter_map(|d| d.scope).collect();
    let left = differences.iter().filter(|d| d.scope.is_some() && is_left(&d.what, [old, new]));
    let left_by_update = new.manifest.has_update().then(|| left.map(|d| d.what.clone()).collect());
    let in_two_steps = !scopes.contains(&Scope::Full) && scopes.len() > 1;
    let scope = if in_two_steps { Some(Scope::Full) } else { scopes.last().copied() };
    Diff { differences, scope, in_two_steps, left_by_update }
}

/// Whether a running device keeps what it has of something when it is updated: a file that it writes nothing of, or what says which
/// device it is.
fn is_left(what: &str, sides: [&Side; 2]) -> bool {
    let [_, new] = sides;
    let device = new.manifest.device.as_ref();
    let eks = device.is_some_and(|device| device.update_eks);
    let soc = new.manifest.soc();
    let written = |name: &String| {
        let name = name.strip_suffix("_b").unwrap_or(name);
        update_parts(soc).iter().any(|part| part.partition == name) && (eks || name != EKS)
    };
    let files: Vec<_> = sides.iter().filter_map(|side| side.manifest.file(what)).collect();
    let left = |file: &&FileEntry| match file.role {
        Role::Layout | Role::Rootfs => true,
        Role::Flash => !file.partitions.iter().all(written),
        _ => false,
    };
    // Of a file in lines, such as the list of packages, the file itself is told, too.
    files.iter().any(left) || DEVICE.iter().any(|key| what.starts_with(key))
}

type Change = (String, Option<String>, Option<String>);

/// Names whose values differ, with both values.
fn changes(mut old: BTreeMap<String, String>, mut new: BTreeMap<String, String>) -> Vec<Change> {
    let names: BTreeSet<String> = old.keys().chain(new.keys()).cloned().collect();
    let pair = |name: String| (old.remove(&name), new.remove(&name), name);
    let pairs = names.into_iter().map(pair).filter(|(old, new, _)| old != new);
    pairs.map(|(old, new, name)| (name, old, new)).collect()
}

/// What a file is flashed by.
fn scope_of(file: &FileEntry) -> Option<Scope> {
    let written = file.partitions.iter().map(|name| Scope::of_partition(name)).max();
    match file.role {
        Role::Layout | Role::BootConfig => Some(Scope::Full),
        // meta-tegra's package says in its layout where it goes.
        Role::Flash
            if file.path.starts_with(FLASH)
                && Soc::ALL.iter().any(|soc| file.path.ends_with(tos_image(*soc))) =>
        {
            Some(Scope::SecureOs)
        }
        // What a full flash uses besides.
        Role::Flash => written.or(Some(Scope::Full)),
        _ => written,
    }
}

/// Size and digest of each file.
fn digests(manifest: &Manifest) -> BTreeMap<String, String> {
    let told = |file: &FileEntry| {
        let aside = file.identity.as_ref().map(|_| format!(" without {IDENTITY_FILE}")).unwrap_or_default();
        format!("{} bytes, sha256 {}{aside}", file.size, file.content())
    };
    manifest.files.iter().map(|file| (file.path.clone(), told(file))).collect()
}

/// What a text file says, by key: values of a boot config, packages by name. An unreadable one is compared as a file alone.
fn entries(path: &str, bytes: &[u8]) -> BTreeMap<String, String> {
    if path.ends_with(".cfg") {
        let cfg = MiscCfg::parse(bytes).ok();
        let values = |cfg: &MiscCfg| cfg.entries().map(|(k, v)| (k.to_owned(), format!("{v:#x}"))).collect();
        return cfg.as_ref().map(values).unwrap_or_default();
    }
    let text = String::from_utf8_lossy(bytes);
    let package = |line: &str| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.collect::<Vec<_>>().join(" ")))
    };
    text.lines().filter_map(package).collect()
}

/// The manifest as a value, without what is told by other means; the order of the image is told besides.
fn shown(manifest: &Manifest) -> Value {
    let mut value = serde_json::to_value(manifest).unwrap_or_default();
    if let Value::Object(all) = &mut value {
        LEFT_OUT.iter().for_each(|key| drop(all.remove(*key)));
        let names: Vec<&str> = manifest.trusted_apps.iter().map(|app| app.name.as_str()).collect();
        all.insert("order".into(), names.join(", ").into());
    }
    value
}

/// Tells where two values differ, by dotted keys. Members of a list go by their names.
fn compare(
    key: &str,
    old: Option<&Value>,
    new: Option<&Value>,
    tell: &mut dyn FnMut(String, Option<String>, Option<String>),
) {
    if old == new {
        return;
    }
    match (old.and_then(members), new.and_then(members)) {
        (Some(old), Some(new)) => {
            let names: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
            let dot = if key.is_empty() { "" } else { "." };
            for name in names {
                let below = format!("{key}{dot}{name}");
                compare(&below, old.get(name).copied(), new.get(name).copied(), tell);
            }
        }
        _ => tell(key.into(), old.and_then(text), new.and_then(text)),
    }
}

/// What a value is made of, by name.
fn members(value: &Value) -> Option<BTreeMap<&str, &Value>> {
    match value {
        Value::Object(members) => Some(members.iter().map(|(name, value)| (name.as_str(), value)).collect()),
        Value::Array(items) => items.iter().map(|item| Some((item.get("name")?.as_str()?, item))).collect(),
        _ => None,
    }
}

/// A value in a line.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Array(items) => Some(items.iter().filter_map(text).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let told = members.iter().filter(|(name, _)| *name != "name");
            let told = told.filter_map(|(name, value)| Some(format!("{name} {}", text(value)?)));
            Some(told.collect::<Vec<_>>().join(", "))
        }
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::IdentityPlace;
    use crate::tests::manifest_text;

    fn side() -> Side {
        let manifest = Manifest::from_text(&manifest_text()).unwrap();
        let texts = BTreeMap::from([("boot-config/misc.cfg".into(), b"a.b = 1;\nc.d = 0x20;\n".to_vec())]);
        Side { manifest, texts }
    }

    fn changed(change: impl FnOnce(&mut Side)) -> Diff {
        let mut new = side();
        change(&mut new);
        diff(&side(), &new)
    }

    fn touch(side: &mut Side, path: &str) {
        let file = side.manifest.files.iter_mut().find(|file| file.path == path).unwrap();
        file.sha256 = "1".repeat(64);
    }

    fn told(diff: &Diff) -> Vec<&str> {
        diff.differences.iter().map(|d| d.what.as_str()).collect()
    }

    #[test]
    fn equal_bundles_need_no_flash() {
        let same = changed(|_| {});
        assert_eq!((same.differences.len(), same.scope), (0, None));
    }

    #[test]
    fn what_nothing_on_a_device_depends_on_needs_none() {
        let diff = changed(|new| {
            new.manifest.version = "2".into();
            new.manifest.inputs.toolchains.insert("rustc".into(), "2".into());
            touch(new, "trusted-apps/a.elf");
        });
        assert_eq!(told(&diff), ["inputs.toolchains.rustc", "version", "trusted-apps/a.elf"]);
        assert_eq!(diff.scope, None);
    }

    /// A new version alone is in the root filesystem, too, and no reason to write it.
    #[test]
    fn an_identity_is_no_difference() {
        let of = |sha: &str, content: &str| {
            let mut side = side();
            let file = side.manifest.files.iter_mut().find(|file| file.role == Role::Rootfs).unwrap();
            file.sha256 = sha.repeat(64);
            file.identity = Some(IdentityPlace { offset: 4096, content: content.repeat(64) });
            side.manifest.flash = Manifest::flash_digests(&side.manifest.files);
            side
        };
        let (one, other) = (of("1", "a"), of("2", "a"));
        assert_eq!(diff(&one, &other).differences, []);
        assert_eq!(one.manifest.flash, other.manifest.flash);
        assert_eq!(diff(&one, &of("2", "b")).scope, Some(Scope::App));
        assert_eq!(diff(&side(), &one).scope, Some(Scope::App));
    }

    #[test]
    fn the_least_scope_writes_what_differs() {
        let app = changed(|new| touch(new, "rootfs/system.img"));
        assert_eq!(app.scope, Some(Scope::App));
        let tos = changed(|new| {
            new.manifest.trusted_apps[0].heap = 0x9000;
            touch(new, "secure-os/tos.img");
        });
        assert_eq!(told(&tos), ["trusted_apps.a.heap", "secure-os/tos.img"]);
        assert_eq!((tos.scope, tos.in_two_steps), (Some(Scope::SecureOs), false));
        let both = changed(|new| {
            touch(new, "rootfs/system.img");
            touch(new, "secure-os/tos.img");
        });
        assert_eq!((both.scope, both.in_two_steps), (Some(Scope::Full), true));
    }

    /// The mistake that this product answers.
    #[test]
    fn a_boot_config_never_gets_less_than_the_full_scope() {
        let diff = changed(|new| {
            new.manifest.tzdram = trusty_image::Tzdram::of_size(new.manifest.tzdram.size() * 2).unwrap();
            new.texts.insert("boot-config/misc.cfg".into(), b"a.b = 1;\nc.d = 0x40;\n".to_vec());
            touch(new, "boot-config/misc.cfg");
            touch(new, "secure-os/tos.img");
        });
        assert_eq!((diff.scope, diff.in_two_steps), (Some(Scope::Full), false));
        let key = diff.differences.iter().find(|d| d.what == "boot-config/misc.cfg: c.d").unwrap();
        assert_eq!((key.old.as_deref(), key.new.as_deref()), (Some("0x20"), Some("0x40")));
        for path in ["layout/layout.xml", "boot-config/misc.cfg"] {
            assert_eq!(changed(|new| touch(new, path)).scope, Some(Scope::Full), "{path}");
        }
        let board = changed(|new| new.manifest.board = "other".into());
        assert_eq!(board.scope, Some(Scope::Full));
    }

    /// Both boot slots of a running device are written by an update, and nothing else of it.
    #[test]
    fn what_an_update_leaves_as_it_is_is_told() {
        let left = |diff: Diff| diff.left_by_update.unwrap();
        assert_eq!(left(changed(|_| {})), Vec::<String>::new());
        let both = changed(|new| {
            touch(new, "secure-os/tos.img");
            touch(new, "boot-config/misc.cfg");
            touch(new, "trusted-apps/a.elf");
        });
        assert_eq!((both.scope, left(both.clone())), (Some(Scope::Full), Vec::new()));
        let more = changed(|new| {
            touch(new, "secure-os/tos.img");
            touch(new, "layout/layout.xml");
            touch(new, "rootfs/system.img");
        });
        assert_eq!(left(more), ["layout/layout.xml", "rootfs/system.img"]);
        assert_eq!(left(changed(|new| new.manifest.board = "other".into())), ["board"]);
        // Of a board's flash package some partitions are in update payloads.
        let flash = |partitions: [&'static str; 2]| {
            let put = |side: &mut Side| {
                let file = side.manifest.files.iter_mut().find(|file| file.role == Role::Flash).unwrap();
                file.partitions = partitions.map(String::from).to_vec();
                file.path.clone()
            };
            let (mut old, mut new) = (side(), side());
            put(&mut old);
            let path = put(&mut new);
            touch(&mut new, &path);
            left(diff(&old, &new)).len()
        };
        assert_eq!([flash(["MB1_BCT", "MB1_BCT_b"]), flash(["kernel", "kernel_b"])], [0, 1]);
        let none = changed(|new| new.manifest.files.retain(|file| file.partitions.is_empty()));
        assert_eq!(none.left_by_update, None);
    }

    #[test]
    fn files_that_come_and_go_are_told() {
        let diff = changed(|new| {
            new.manifest.files.retain(|file| file.path != "rootfs/system.img");
            new.manifest.trusted_apps.clear();
        });
        let image = diff.differences.iter().find(|d| d.what == "rootfs/system.img").unwrap();
        assert!(image.old.is_some() && image.new.is_none());
        assert_eq!(diff.scope, Some(Scope::App));
        assert_eq!(told(&diff), ["order", "trusted_apps.a", "rootfs/system.img"]);
        let app = &diff.differences[1];
        assert!(app.old.as_deref().unwrap().contains("heap 32768") && app.new.is_none(), "{app:?}");
    }
}
