//! Recipes for BitBake.

use crate::builds::field::clone_to;
use crate::builds::util::{Ran, is_full, root, run, xtask};
use std::fs;
use std::path::Path;
use std::process::Command;

/// cargo-bitbake takes minutes to compile; what is most easily forgotten is seen without it.
#[test]
fn recipes_list_the_crates_of_their_packages() {
    let dirs = carveout_host::dirs::Dirs::of(&root());
    let mut seen = 0;
    for entry in fs::read_dir(root().join("recipes")).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        let package = file.split('_').next().unwrap().trim_end_matches("-native");
        let others = carveout_yocto::recipes::other_crates(package, &file, &dirs).unwrap();
        assert_eq!(others, Vec::<String>::new(), "{file}: run `cargo xtask recipes`");
        seen += 1;
    }
    assert!(seen >= 5);
}

#[test]
fn recipes_are_up_to_date_and_stale_ones_are_told() {
    if !is_full() {
        return;
    }
    assert_eq!(xtask(["recipes", "--check"]).ok(), "ok");
    // Stale ones in a clone: other tests read the tree.
    let dir = tempfile::tempdir().unwrap();
    let workspace = dir.path().join("clone");
    clone_to(&workspace);
    let folder = workspace.join("recipes");
    let (path, stray) = (folder.join("echo-srv_0.1.0.bb"), folder.join("gone-srv_0.1.0.bb"));
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, whole.replace("crates/trusty-abi", "crates/other")).unwrap();
    fs::write(&stray, "").unwrap();
    let error = recipes(&workspace, &["--check"]).fails(1);
    recipes(&workspace, &[]).ok();
    assert_eq!((fs::read_to_string(&path).unwrap(), stray.exists()), (whole, false));
    for expected in [
        "recipes/echo-srv_0.1.0.bb is stale:",
        "-     crates/other \\",
        "+     crates/trusty-abi \\",
        "recipes/gone-srv_0.1.0.bb is of no package",
        "help: run: cargo xtask recipes",
    ] {
        assert!(error.contains(expected), "{expected} in {error}");
    }
}

/// `recipes` in a clone.
fn recipes(workspace: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.arg("recipes").args(arguments).current_dir(workspace);
    Ran::new(command.env("CARGO_MANIFEST_DIR", workspace.join("xtask")))
}

/// Writes a file and its folders.
fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn git(folder: &Path, arguments: &[&str]) -> String {
    let settings =
        ["-C", folder.to_str().unwrap(), "-c", "user.name=a", "-c", "user.email=a@carveout.example"];
    run("git", settings.iter().chain(arguments)).ok()
}

/// A repository with a commit of all that is in a folder; the commit.
fn commit(folder: &Path) -> String {
    git(folder, &["init", "--quiet"]);
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--message", "a"]);
    git(folder, &["rev-parse", "HEAD"])
}

/// A registry of one crate, `wire-base`, by a git index.
fn registry(folder: &Path) -> String {
    let manifest = "[package]\nname = \"wire-base\"\nversion = \"0.1.0\"\nedition = \"2021\"\n";
    write(&folder.join("wire-base-0.1.0/Cargo.toml"), manifest);
    write(&folder.join("wire-base-0.1.0/src/lib.rs"), "#![no_std]\n");
    let (archive, text) = (folder.join("wire-base-0.1.0.crate"), folder.to_str().unwrap());
    run("tar", ["-czf", archive.to_str().unwrap(), "-C", text, "wire-base-0.1.0"]).ok();
    let sum = run("sha256sum", [archive.to_str().unwrap()]).ok();
    let sum = sum.split_whitespace().next().unwrap();
    let index = folder.join("index");
    write(&index.join("config.json"), &format!("{{\"dl\": \"file://{text}/{{crate}}-{{version}}.crate\"}}"));
    let line = format!(
        "{{\"name\":\"wire-base\",\"vers\":\"0.1.0\",\"deps\":[],\"cksum\":\"{sum}\",\"features\":{{}},\"yanked\":false}}\n"
    );
    write(&index.join("wi/re/wire-base"), &line);
    commit(&index);
    format!("file://{}", index.display())
}

/// A trusted app of the workspace: echo-srv with another name and licence, and a dependency more.
fn app(workspace: &Path, name: &str, license: &str, dependency: &str) {
    let from = workspace.join("apps/echo-srv");
    let read = |path: &str| fs::read_to_string(from.join(path)).unwrap().replace("echo-srv", name);
    let manifest = read("Cargo.toml")
        .replace("license.workspace = true\n", license)
        .replace("[dependencies]\n", &format!("[dependencies]\n{dependency}"));
    let folder = workspace.join("apps").join(name);
    write(&folder.join("Cargo.toml"), &manifest);
    for path in ["build.rs", "src/main.rs"] {
        write(&folder.join(path), &read(path));
    }
}

/// What a crate comes from, and what a licence is, is told right or refused by name; one package stops no other.
#[test]
fn sources_and_licences_of_others() {
    if !is_full() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (workspace, crates) = (dir.path().join("clone"), dir.path().join("wire"));
    clone_to(&workspace);
    // A workspace, whose crate inherits from it and depends on another.
    write(
        &crates.join("Cargo.toml"),
        "[workspace]\nmembers = [\"wire-proto\", \"magic\"]\nresolver = \"3\"\n[workspace.package]\nversion = \"0.3.0\"\nedition = \"2021\"\n",
    );
    for (name, more) in [("wire-proto", "[dependencies]\nmagic = { path = \"../magic\" }\n"), ("magic", "")] {
        let text = format!(
            "[package]\nname = \"{name}\"\nversion.workspace = true\nedition.workspace = true\n{more}"
        );
        write(&crates.join(name).join("Cargo.toml"), &text);
        write(&crates.join(name).join("src/lib.rs"), "#![no_std]\n");
    }
    let rev = commit(&crates);
    let url = format!("file://{}", crates.display());
    let settings = format!("[registries.acme]\nindex = \"{}\"\n", registry(&dir.path().join("registry")));
    fs::write(workspace.join(".cargo/config.toml"), settings).unwrap();
    app(
        &workspace,
        "wire-srv",
        "license = \"MIT/Apache-2.0\"\n",
        &format!("proto = {{ package = \"wire-proto\", git = \"{url}\" }}\n"),
    );
    app(&workspace, "closed-srv", "", "");
    app(&workspace, "own-srv", "license-file = \"EULA.txt\"\n", "");
    write(&workspace.join("apps/own-srv/EULA.txt"), "Ours.\n");
    app(&workspace, "odd-srv", "license = \"Proprietary\"\n", "");
    app(
        &workspace,
        "acme-srv",
        "license.workspace = true\n",
        "wire-base = { version = \"0.1\", registry = \"acme\" }\n",
    );
    Ran::new(Command::new("cargo").args(["update", "--workspace", "--quiet"]).current_dir(&workspace)).ok();
    write(&workspace.join("recipes/acme-srv_0.1.0.bb"), "stale\n");
    let error = recipes(&workspace, &[]).fails(1);
    for expected in [
        "8 recipes are written, 2 are not:",
        &format!(
            "acme-srv: wire-base 0.1.0 comes from the registry registry+file://{}/registry/index",
            dir.path().display()
        ),
        "it is needed by: acme-srv 0.1.0 > wire-base 0.1.0",
        "odd-srv: license = \"Proprietary\": `Proprietary`: ",
    ] {
        assert!(error.contains(expected), "{expected} in {error}");
    }
    let recipe = |name: &str| fs::read_to_string(workspace.join(format!("recipes/{name}_0.1.0.bb")));
    let wire = recipe("wire-srv").unwrap();
    for expected in [
        "LICENSE = \"MIT | Apache-2.0\"\n",
        &format!("    git://{};protocol=file;nobranch=1;nocheckout=1;lfs=0;name=git-wire;", crates.display()),
        &format!("\nSRCREV_git-wire = \"{rev}\"\n"),
        &format!("\nCARVEOUT_GIT[git-wire] = \"{url} HEAD\"\n"),
    ] {
        assert!(wire.contains(expected), "{expected} in {wire}");
    }
    assert!(!wire.contains("crates.io/wire-proto") && !wire.contains("crates.io/magic"), "{wire}");
    let closed = recipe("closed-srv").unwrap();
    assert!(closed.contains("LICENSE = \"CLOSED\"\n\ninherit"), "{closed}");
    let own = recipe("own-srv").unwrap();
    let expected = "LICENSE = \"LicenseRef-own-srv\"\nLIC_FILES_CHKSUM = \"file://apps/own-srv/EULA.txt;md5=3c991c3fc9af69284e7ca540da00743c\"\n\
                    NO_GENERIC_LICENSE[LicenseRef-own-srv] = \"apps/own-srv/EULA.txt\"\n";
    assert!(own.contains(expected), "{own}");
    // Nothing is left of what would be fetched from elsewhere.
    assert!(recipe("acme-srv").is_err() && recipe("odd-srv").is_err());
    let checked = recipes(&workspace, &["--check"]).fails(1);
    assert!(
        checked.contains("acme-srv: wire-base 0.1.0 comes from") && !checked.contains("is stale"),
        "{checked}"
    );
}
