//! What cannot be built again is not released, and that is told before anything is built.

use super::{clone_to, commit, git, product_repository};
use crate::builds::util::{Ran, desk};
use crate::report::small::test_program;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A clone, a product in a repository beside it, and a key.
struct Place {
    dir: TempDir,
    workspace: PathBuf,
    product: PathBuf,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (workspace, product) = (dir.path().join("workspace"), dir.path().join("product"));
        clone_to(&workspace);
        product_repository(&product);
        let place = Self { dir, workspace, product };
        place.config("trusted_apps: [echo-srv]");
        commit(&place.product);
        place.xtask(&["key", "new", &place.path("key"), "--no-password"]).ok();
        test_program(place.path("carveout").as_ref());
        place
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    fn config(&self, more: &str) {
        let text = format!("name: p\nversion: 1.0.0\nboard: virt\ntzdram: {{ size: 32MiB }}\n{more}\n");
        fs::write(self.product.join("p.yaml"), text).unwrap();
    }

    fn xtask(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(arguments).current_dir(&self.workspace);
        Ran::new(command.env("CARGO_MANIFEST_DIR", self.workspace.join("xtask")))
    }

    /// `release` of the product, with options instead of its own.
    fn release(&self, more: &[&str]) -> Ran {
        let own = [
            ("-c", self.path("product/p.yaml")),
            ("--sign", self.path("key")),
            ("-o", self.path("out")),
            ("--program", self.path("carveout")),
        ];
        let own = own.iter().filter(|(name, _)| !more.contains(name));
        let own = own.flat_map(|(name, value)| [*name, value.as_str()]);
        self.xtask(&["release"].into_iter().chain(own).chain(more.iter().copied()).collect::<Vec<_>>())
    }

    /// What `release` says when it refuses with this exit code. No stage has begun.
    fn refused(&self, code: i32, more: &[&str]) -> String {
        let said = self.release(more).fails(code);
        assert!(!said.contains("[trusted app") && !said.contains("[boot config"), "{said}");
        said
    }
}

fn has(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "`{part}` is not in: {said}");
    }
}

#[test]
fn a_dirty_tree_is_refused_with_the_names() {
    let place = Place::new();
    for number in 10..22 {
        fs::write(place.workspace.join(format!("stray{number}")), "x").unwrap();
    }
    let said = place.refused(1, &[]);
    has(
        &said,
        &[
            "has changes that are in no commit",
            "\n  stray10\n",
            "\n  stray19\n",
            "\n  and 2 more\n",
            "git stash -u",
        ],
    );
    assert!(!said.contains("stray20"), "{said}");
    git(&place.workspace, &["clean", "-qfd"]);
    // What the guides make is no change; a source that git was told to ignore is one.
    for name in ["device.img", "p-1.0.0-virt-tzdram32M.report.html", "release.key", "release.key.pub"] {
        fs::write(place.workspace.join(name), "x").unwrap();
    }
    fs::write(place.workspace.join(".git/info/exclude"), "generated.rs\n").unwrap();
    fs::write(place.workspace.join("apps/echo-srv/src/generated.rs"), "").unwrap();
    has(
        &place.refused(1, &[]),
        &["git ignores files beside the sources", "\n  apps/echo-srv/src/generated.rs\n"],
    );
}

#[test]
fn a_file_that_is_in_no_commit_is_refused_by_name() {
    let place = Place::new();
    place.config("trusted_apps: [echo-srv]\nsecurity_version: 2");
    let said = place.refused(1, &[]);
    has(
        &said,
        &[
            "config: ",
            "product/p.yaml differs from what commit ",
            &format!("git -C {}", place.path("product")),
        ],
    );

    // A finished trusted app: ignored, outside, in a repository without a commit.
    fs::write(place.product.join("wire.bin"), "x").unwrap();
    fs::write(place.path("outside.elf"), "x").unwrap();
    fs::create_dir(place.path("empty")).unwrap();
    git(Path::new(&place.path("empty")), &["init", "--quiet"]);
    fs::write(place.path("empty/first.elf"), "x").unwrap();
    place.config("trusted_apps: [{ elf: wire.bin }, { elf: ../outside.elf }, { elf: ../empty/first.elf }]");
    commit(&place.product);
    let said = place.refused(1, &[]);
    has(
        &said,
        &[
            "trusted_apps.wire: ",
            "wire.bin is ignored by git",
            "trusted_apps.outside: ",
            "outside.elf is in no git repository",
            "trusted_apps.first: ",
            "first.elf is in a git repository that has no commit",
        ],
    );

    // Whatever else a config names.
    for name in ["packages.lock", "rootfs.tar", "NEWS.md"] {
        fs::write(place.product.join(name), "## 1.0.0\n\n- x\n").unwrap();
    }
    place.config(
        "trusted_apps: [echo-srv]\nchangelog: NEWS.md\n\
         rootfs: { kind: tarball, tarball: rootfs.tar, size: 1GiB, lock: packages.lock }",
    );
    git(&place.product, &["commit", "--quiet", "-m", "config", "p.yaml"]);
    let said = place.refused(1, &[]);
    for name in ["changelog: ", "rootfs.lock: ", "rootfs.tarball: "] {
        has(&said, &[name, "is not tracked by git"]);
    }
}

#[test]
fn a_repository_that_others_cannot_fetch_is_refused() {
    let place = Place::new();
    git(&place.product, &["remote", "remove", "origin"]);
    has(&place.refused(1, &[]), &["product: the git repository has no remote", "remote add origin URL"]);
    git(&place.product, &["remote", "add", "origin", "https://git.example.com/products"]);
    git(&place.workspace, &["remote", "set-url", "origin", "/srv/carveout"]);
    has(&place.refused(1, &[]), &["origin is a folder of this machine", "remote set-url origin URL"]);
}

#[test]
fn what_can_be_known_is_told_before_the_build() {
    let place = Place::new();
    let out = place.dir.path().join("out");
    fs::create_dir_all(out.join("p-1.0.0-virt-tzdram32M")).unwrap();
    // What is no release is not taken for one, and not removed either.
    has(&place.refused(1, &[]), &["is no whole release by key", "no channel names it: remove it (rm -r "]);
    // Another carve-out is another release: what is refused then is something else.
    fs::write(place.path("file"), "x").unwrap();
    has(&place.refused(2, &["-o", &place.path("file")]), &["cannot be the output folder"]);
    let inside = place.workspace.join("made").display().to_string();
    has(&place.refused(2, &["-o", &inside]), &["lies in the work tree, and git does not ignore it"]);
    has(&place.refused(1, &["--sign", &place.path("none")]), &["none: No such file"]);
    has(&place.refused(2, &["--previous", &place.path("none")]), &["none"]);
    fs::write(place.product.join("NEWS.md"), "# News\n\n## 0.9.0\n\n- old\n").unwrap();
    place.config("trusted_apps: [echo-srv]\nchangelog: NEWS.md");
    commit(&place.product);
    has(&place.refused(2, &[]), &["NEWS.md: has no section of version 1.0.0", "add `## 1.0.0` to it"]);
}

/// Of a bundle that was built before, the manifest tells what it is made of; how it was built nobody has seen.
#[test]
fn a_bundle_of_files_in_no_commit_is_refused_and_one_of_others_has_no_provenance() {
    let place = Place::new();
    fs::copy(desk().join("trusted-apps/echo-srv.elf"), place.product.join("prebuilt.elf")).unwrap();
    place.config("trusted_apps: [{ elf: prebuilt.elf }]\nchangelog: NEWS.md");
    fs::write(place.product.join("NEWS.md"), "## v1.0.0\n\n- first\n").unwrap();
    let config = place.path("product/p.yaml");
    let image = || place.xtask(&["image", "-c", &config, "-o", &place.path("bundles")]).ok();
    let said = place.refused(1, &["--bundle", &image()]);
    has(
        &said,
        &[
            "was built of files that are in no commit",
            "config: p.yaml",
            "trusted_apps.prebuilt: prebuilt.elf",
        ],
    );
    commit(&place.product);
    let bundle = image();
    let shown = place.xtask(&["inspect", &bundle]).ok();
    has(
        &shown,
        &["given trusted_apps.prebuilt: prebuilt.elf in commit ", " of git.example.com/team/products"],
    );
    let release = PathBuf::from(place.release(&["--bundle", &bundle]).ok());
    assert!(release.join("sbom.cdx.json").exists() && !release.join("provenance.json").exists());
    let notes = fs::read_to_string(release.join("RELEASE_NOTES.md")).unwrap();
    has(&notes, &["## Changes\n\n- first\n"]);
    commit(&place.workspace);
    has(&place.refused(1, &["--bundle", &bundle]), &["was built from ", "the work tree is at "]);
}
