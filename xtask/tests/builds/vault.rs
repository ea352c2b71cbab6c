//! examples/vault-srv and its client app on the desk.

use crate::builds::emulate::emulate;
use crate::builds::util::{Ran, root, xtask};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Client app and trusted app of examples/vault-srv, with the stand-in for hwkey-agent; each call is a start of its own.
#[test]
fn the_vault_makes_a_secret_and_knows_it_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let config = root().join("configs/examples/vault.yaml");
    let words = ["image".as_ref(), "-c".as_ref(), config.as_os_str(), "-o".as_ref(), dir.path().as_os_str()];
    let bundle = PathBuf::from(xtask(words).ok());
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let writes = |name: &str| format!("--writes={}", path(name));
    let vault = |words: &[&str], writes: &str| emulate(&bundle, &[writes], words);
    for name in ["one", "two"] {
        vault(&["new", "door", "--length", "20", "--output", &path(name)], &writes(name)).ok();
        let (key, sealed) = (format!("{name}.key"), path(name));
        let opened = vault(&["open", "door", "--input", &sealed, "--output", &path(&key)], &writes(&key));
        assert!(opened.stderr().contains("stands in for hwkey-agent: its key is not secret"));
        opened.ok();
    }
    let [one, two] = ["one.key", "two.key"].map(|name| fs::read(path(name)).unwrap());
    assert!(one.len() == 20 && two.len() == 20 && one != two, "{one:?} {two:?}");
    let refused = vault(&["open", "window", "--input", &path("one")], &writes("x")).fails(1);
    assert!(refused.contains("vault-srv does not open it: another device, EKB or name"), "{refused}");
    let missing = vault(&["open", "door", "--input", &path("none")], &writes("x")).fails(2);
    assert!(missing.contains("none: No such file"), "{missing}");
    store(&bundle);
}

/// The vault's store on the desk, which is none yet, and is no other test's meanwhile.
pub fn no_stores() -> (PathBuf, File) {
    let lock = File::create(root().join("target/vault-tests.lock")).unwrap();
    lock.lock().unwrap();
    let stores = root().join("target/carveout/storage/com.carveout.storage.vault-srv");
    let _ = fs::remove_dir_all(&stores);
    (stores, lock)
}

/// What the vault keeps itself, from one start to the next: on the desk as carveout-stored keeps it.
fn store(bundle: &Path) {
    let (stores, _alone) = no_stores();
    let store = |words: &[&str]| emulate(bundle, &[], &[&["store"], words].concat());
    let refused = store(&["get", "pin"]).fails(1);
    assert!(refused.contains("has no store yet"), "{refused}");
    store(&["init"]).ok();
    let put = |content: &str| {
        let words = ["emulate".as_ref(), bundle.as_os_str()].into_iter();
        let words = words.chain(["--", "store", "put", "pin"].map(OsStr::new));
        with_input(words, content).ok();
    };
    put("1234");
    let older = kept(&stores);
    put("5678");
    assert_eq!(store(&["get", "pin"]).ok(), "5678");
    assert_eq!(store(&["list"]).ok().trim(), "4 pin");
    // Nothing of it can be read or changed there; an older one as a whole is taken by one who has just started, as is documented.
    assert!(kept(&stores).values().all(|file| !file.windows(4).any(|window| window == b"5678")));
    let newest = kept(&stores);
    for (name, bytes) in newest.iter().filter(|(name, _)| !name.starts_with("table.")) {
        let mut changed = bytes.clone();
        changed[30] ^= 1;
        fs::write(stores.join(name), changed).unwrap();
        let refused = store(&["get", "pin"]).fails(1);
        assert!(refused.contains("does not trust its store"), "{refused}");
    }
    fs::remove_dir_all(&stores).unwrap();
    fs::create_dir(&stores).unwrap();
    older.iter().for_each(|(name, bytes)| fs::write(stores.join(name), bytes).unwrap());
    assert_eq!(store(&["get", "pin"]).ok(), "1234");
}

/// The files of a store.
fn kept(stores: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(stores).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| (path.file_name().unwrap().to_str().unwrap().into(), fs::read(&path).unwrap()))
        .collect()
}

fn with_input<'a>(words: impl Iterator<Item = &'a OsStr>, input: &str) -> Ran {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(input.as_bytes()).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    Ran::new(command.args(words).current_dir(root()).stdin(Stdio::from(file)))
}
