use super::*;
use std::os::unix::fs::{MetadataExt, symlink};

#[test]
fn a_file_appears_whole_with_its_mode_or_not_at_all() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("out");
    write(&target, "old", OUTPUT).unwrap();
    let mut new = NewFile::create(&target, SECRET).unwrap();
    new.write_all(b"new").unwrap();
    assert_eq!(fs::read_to_string(&target).unwrap(), "old");
    assert_eq!(new.path().parent().unwrap().metadata().unwrap().mode() & 0o777, 0o700);
    drop(new);
    assert_eq!(fs::read_to_string(&target).unwrap(), "old");
    write(&target, "new", SECRET).unwrap();
    assert_eq!(fs::read_to_string(&target).unwrap(), "new");
    assert_eq!(target.metadata().unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left");
}

#[test]
fn a_new_file_replaces_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("out");
    let mut new = NewFile::create(&target, OUTPUT).unwrap();
    new.write_all(b"new").unwrap();
    fs::write(&target, "meanwhile").unwrap();
    assert_eq!(new.publish_new().unwrap_err().code, "host::file::exists-already");
    assert_eq!(fs::read_to_string(&target).unwrap(), "meanwhile");
    fs::remove_file(&target).unwrap();
    NewFile::create(&target, OUTPUT).unwrap().publish_new().unwrap();
    assert_eq!(fs::read_to_string(&target).unwrap(), "");
}

#[test]
fn no_link_is_followed() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    fs::write(path("victim"), "dear").unwrap();
    symlink(path("victim"), path("link")).unwrap();
    symlink(path("none"), path("dangling")).unwrap();
    for name in ["link", "dangling"] {
        let refused = [
            write(&path(name), "x", OUTPUT).unwrap_err(),
            log(&path(name)).unwrap_err(),
            new_log(&path(name)).unwrap_err(),
            append(&path(name), "x").unwrap_err(),
            lock(&path(name)).unwrap_err(),
        ];
        for error in refused {
            assert_eq!(error.code, "host::file::not-replaceable", "{error}");
        }
    }
    put(&path("link"), "x").unwrap();
    assert_eq!(fs::read_to_string(path("link")).unwrap(), "x");
    assert_eq!(fs::read_to_string(path("victim")).unwrap(), "dear");
    assert!(!path("none").exists());
}

/// A lock's file was emptied once by taking it.
#[test]
fn a_lock_changes_nothing_in_its_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(LOCK);
    fs::write(&path, "anybody's").unwrap();
    let held = lock(&path).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "anybody's");
    assert!(File::open(&path).unwrap().try_lock().is_err());
    drop(held);
    File::open(&path).unwrap().try_lock().unwrap();
}

#[test]
fn lines_of_many_are_whole_also_behind_one_that_was_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("lines");
    fs::write(&path, "{cut").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..25).for_each(|_| append(&path, "line").unwrap()));
        }
    });
    assert_eq!(fs::read_to_string(&path).unwrap(), format!("{{cut\n{}", "line\n".repeat(100)));
}
