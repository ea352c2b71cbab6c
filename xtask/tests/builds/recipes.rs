//! Recipes for BitBake.

use crate::util::{root, xtask};
use std::fs;

#[test]
fn recipes_are_up_to_date_and_stale_ones_are_told() {
    assert_eq!(xtask(["recipes", "--check"]).ok(), "ok");
    let folder = root().join("recipes");
    let (path, stray) = (folder.join("echo-srv_0.1.0.bb"), folder.join("gone-srv_0.1.0.bb"));
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, whole.replace("crates/trusty-abi", "crates/other")).unwrap();
    fs::write(&stray, "").unwrap();
    let error = xtask(["recipes", "--check"]).fails(1);
    let mended = xtask(["recipes"]);
    // Whatever has happened, the tree is as it was.
    let (now, left) = (fs::read_to_string(&path).unwrap(), stray.exists());
    fs::write(&path, &whole).unwrap();
    let _ = fs::remove_file(&stray);
    for expected in [
        "recipes/echo-srv_0.1.0.bb is stale:",
        "-     crates/other \\",
        "+     crates/trusty-abi \\",
        "recipes/gone-srv_0.1.0.bb is of no package",
        "help: run: cargo xtask recipes",
    ] {
        assert!(error.contains(expected), "{expected} in {error}");
    }
    mended.ok();
    assert_eq!((now, left), (whole, false));
}
