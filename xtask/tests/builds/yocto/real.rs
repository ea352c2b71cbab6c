//! BitBake itself, where the real layers, NVIDIA's BSP and its sources are at hand: hours of computing, so only on demand.

use super::{BOARD, on, product, product_of, yocto};
use crate::builds::util::{Ran, manifest, root, run};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

fn given(variable: &str) -> Option<String> {
    let value = std::env::var(variable).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        println!("skipped: {variable} is not set");
    }
    value
}

#[test]
fn the_real_layers_parse_without_a_warning() {
    let Some(layers) = given("CARVEOUT_YOCTO") else { return };
    let dir = tempfile::tempdir().unwrap();
    for board in [BOARD, "jetson-xavier-nx-devkit-emmc", "jetson-xavier-nx-devkit"] {
        parse(dir.path(), &layers, board);
    }
    // meta-tegra has no machine for it.
    let config = product_of(dir.path(), "real-dry-run", "jetson-agx-xavier-industrial", "");
    let error = yocto(&["yocto", "-c", &config, "--layers", &layers, "--dry-run", "--offline"]).fails(2);
    assert!(error.contains("no layer has conf/machine/jetson-agx-xavier-industrial.conf"), "{error}");
}

/// Another SoC. A test for each board: one takes minutes.
macro_rules! of_tx2 {
    ($($name:ident: $board:literal),* $(,)?) => {
        $(#[test]
        fn $name() {
            let Some(layers) = given("CARVEOUT_YOCTO") else { return };
            parse(tempfile::tempdir().unwrap().path(), &layers, $board);
        })*
    };
}

of_tx2! {
    the_real_layers_parse_for_tx2_without_a_warning: "jetson-tx2",
    the_real_layers_parse_for_tx2i_without_a_warning: "jetson-tx2i",
    the_real_layers_parse_for_tx2_4gb_without_a_warning: "jetson-tx2-4gb",
    the_real_layers_parse_for_tx2_nx_without_a_warning: "jetson-tx2-nx",
}

fn parse(dir: &Path, layers: &str, board: &str) {
    let config = product_of(dir, "real-dry-run", board, "");
    let line = yocto(&["yocto", "-c", &config, "--layers", layers, "--dry-run", "--offline"]).ok();
    assert!(line.ends_with(" tasks, 0 errors, 0 warnings"), "{board}: {line}");
    let tasks: u64 = line.split(' ').next().unwrap().parse().unwrap();
    assert!(tasks > 3000, "{board}: an image has thousands of tasks: {line}");
}

/// Clones of this workspace, each with a build folder of its own.
struct Clone {
    workspace: PathBuf,
    config: String,
    given: [String; 3],
}

impl Clone {
    fn new(dir: &Path, name: &str, given: &[String; 3], sharing: &str) -> Self {
        let workspace = dir.join(name);
        run("git", ["clone", "--quiet", root().to_str().unwrap(), workspace.to_str().unwrap()]).ok();
        // One product: what it is called is in its results.
        let config = product(&workspace, "shared", sharing);
        Self { workspace, config, given: given.clone() }
    }

    fn arguments<'a>(&'a self, verb: &'a str) -> Vec<&'a str> {
        let [layers, bsp, sources] = &self.given;
        let mut arguments =
            vec![verb, "-c", &self.config, "--layers", layers, "--host-toolchain", "--without", "rootfs"];
        arguments.extend(["--bsp", bsp, "--sources", sources, "--accept-license"]);
        arguments
    }

    /// Builds a bundle; the tasks that were run.
    fn build(&self, more: &[&str]) -> Vec<String> {
        self.build_of(&[more, &["carveout-bundle"]].concat())
    }

    fn build_of(&self, what: &[&str]) -> Vec<String> {
        let arguments = [&self.arguments("yocto"), what, &["--json"]].concat();
        let summary = Ran::new(&mut on(&self.workspace, &arguments)).result();
        assert_eq!(summary["warnings"], Value::Array(Vec::new()));
        summary["ran"].as_array().unwrap().iter().map(|task| task.as_str().unwrap().to_owned()).collect()
    }

    /// Serves its results until it is dropped.
    fn serve(&self) -> Server {
        let mut command = on(
            &self.workspace,
            &["yocto", "-c", &self.config, "--layers", &self.given[0], "--serve", "127.0.0.1"],
        );
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        assert!(
            lines.take_while(|line| !line.starts_with("error")).any(|line| line.contains("serving until"))
        );
        Server(child)
    }
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = run("kill", ["-INT", &self.0.id().to_string()]);
        let _ = self.0.wait();
    }
}

/// The recipes of tasks, each once.
fn recipes(tasks: &[String]) -> Vec<&str> {
    let mut recipes: Vec<&str> = tasks.iter().map(|task| task.split(':').next().unwrap()).collect();
    recipes.sort_unstable();
    recipes.dedup();
    recipes
}

#[test]
fn what_changes_rebuild_and_what_is_shared() {
    let (Some(layers), Some(bsp), Some(sources)) =
        (given("CARVEOUT_YOCTO"), given("CARVEOUT_L4T_BSP"), given("CARVEOUT_L4T_SOURCES"))
    else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let given = [layers, bsp, sources];
    let servers = "yocto: { hash_server: '127.0.0.1:8686' }\n";
    let farm = Clone::new(dir.path(), "farm", &given, servers);
    let _server = farm.serve();
    let all = farm.build(&[]);
    for task in ["tegra-bootfiles:do_install", "tos-trusty:do_deploy", "carveout-bundle:do_compile"] {
        assert!(all.iter().any(|ran| ran == task), "{task} in {all:?}");
    }
    assert_eq!(farm.build(&[]), Vec::<String>::new());
    // A bundle does not wait for a trusted app's own check.
    let check = farm.build_of(&["--task", "echo-srv", "carveout_check"]);
    assert_eq!(check.last().map(String::as_str), Some("echo-srv:do_carveout_check"));
    // Another clone at another place takes all of it.
    let runner = Clone::new(
        dir.path(),
        "runner",
        &given,
        "yocto: { hash_server: '127.0.0.1:8686', sstate_mirror: 'http://127.0.0.1:8687/sstate' }\n",
    );
    let ran = runner.build(&[]);
    let of_the_layer = [
        "tegra-bootfiles",
        "echo-srv",
        "small-echo-srv",
        "echo-srv-app",
        "trusty-l4t",
        "tos-trusty",
        "carveout-native",
    ];
    assert!(!recipes(&ran).iter().any(|recipe| of_the_layer.contains(recipe)), "{ran:?}");
    // A change of the carve-out, of a trusted app, and of nothing that matters.
    assert_eq!(recipes(&farm.build(&["--tzdram", "64MiB"])), ["carveout-bundle", "tegra-bootfiles"]);
    let source = farm.workspace.join("apps/echo-srv/src/main.rs");
    let text = fs::read_to_string(&source).unwrap();
    fs::write(&source, format!("{text}// A comment.\n")).unwrap();
    let ran = farm.build(&["--tzdram", "64MiB"]);
    assert!(recipes(&ran).contains(&"echo-srv") && !recipes(&ran).contains(&"trusty-l4t"), "{ran:?}");
    fs::write(&source, text.replace("64_000;", "63_000;")).unwrap();
    let ran = farm.build(&["--tzdram", "64MiB"]);
    assert_eq!(recipes(&ran), ["carveout-bundle", "echo-srv", "tos-trusty", "trusty-l4t"]);
}

#[test]
fn both_engines_build_the_same() {
    let (Some(layers), Some(bsp), Some(sources)) =
        (given("CARVEOUT_YOCTO"), given("CARVEOUT_L4T_BSP"), given("CARVEOUT_L4T_SOURCES"))
    else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let config = product(dir.path(), "both-engines", "");
    let build = |engine: &str, more: &[&str]| {
        let out = dir.path().join(engine).display().to_string();
        let arguments = [
            "image",
            "--engine",
            engine,
            "-c",
            &config,
            "-o",
            &out,
            "--without",
            "rootfs",
            "--accept-license",
        ];
        let arguments =
            [&arguments, &["--bsp", bsp.as_str(), "--sources", sources.as_str()][..], more].concat();
        PathBuf::from(Ran::new(&mut on(&root(), &arguments)).ok())
    };
    let local = build("local", &[]);
    let bitbake = build("bitbake", &["--layers", &layers, "--host-toolchain"]);
    assert_eq!(yocto(&["verify", bitbake.to_str().unwrap()]).ok(), "ok");
    for folder in ["boot-config", "trusted-apps"] {
        run("diff", ["-r", local.join(folder).to_str().unwrap(), bitbake.join(folder).to_str().unwrap()])
            .ok();
    }
    assert_eq!(manifest(&local)["plan"]["memory"], manifest(&bitbake)["plan"]["memory"]);
    let report = yocto(&["diff", "--json", local.to_str().unwrap(), bitbake.to_str().unwrap()]).result();
    // docs/yocto.md says why each of these differs.
    let explained = [
        "client-apps/",
        "desk_boot",
        "device.",
        "flash/",
        "inputs.",
        "layout/",
        "plan.partitions",
        "secure-os/",
    ];
    for difference in report["differences"].as_array().unwrap() {
        let what = difference["what"].as_str().unwrap();
        assert!(explained.iter().any(|head| what.starts_with(head)), "{difference}");
    }
}
