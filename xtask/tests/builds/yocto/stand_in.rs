//! What xtask does around BitBake, with a stand-in for it that says what BitBake says; and what is refused before it starts.

use super::{BOARD, on, product, yocto};
use crate::builds::team::{package, workspace};
use crate::builds::util::{Ran, root, xtask};
use carveout_host::packages::is_root;
use carveout_yocto::user::User;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// meta-tegra's file of the board.
const MACHINE: &str = "meta-tegra/conf/machine/jetson-agx-xavier-devkit.conf";

/// A file, and who may run it.
fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Layers that only say who they are, and a BitBake that ends as its recipe is called.
fn layers(dir: &Path) -> PathBuf {
    let top = dir.join("layers");
    let conf = |folder: &str, name: &str, series: &str| {
        let text = format!("BBFILE_COLLECTIONS += \"{name}\"\n{series} = \"kirkstone\"\n");
        write(&top.join(folder).join("conf/layer.conf"), &text);
    };
    conf("oe-core/meta", "core", "LAYERSERIES_CORENAMES");
    conf("meta-tegra", "tegra", "LAYERSERIES_COMPAT_tegra");
    write(&top.join(MACHINE), "");
    conf("meta-tegra/contrib", "tegra-contrib", "LAYERSERIES_COMPAT_tegra-contrib");
    conf("meta-rust-bin", "rust-bin-layer", "LAYERSERIES_COMPAT_rust-bin-layer");
    write(&top.join("oe-core/oe-init-build-env"), "cd \"$1\"; export PATH=\"$2/bin:$PATH\"\n");
    write(&top.join("oe-core/bitbake/lib/bb/__init__.py"), "__version__ = \"2.0.0\"\n");
    write(
        &top.join("oe-core/bitbake/bin/bitbake"),
        "#!/bin/sh\n\
         test \"$(id -u)\" != 0 || { echo 'ERROR: Do not use Bitbake as root.'; exit 1; }\n\
         test \"$LC_ALL\" = en_US.UTF-8 && test -f conf/local.conf && test -w . || exit 9\n\
         for last; do :; done\n\
         case $last in\n\
         full) echo 'ERROR: a-1.0-r0 do_compile: cc: write: No space left on device'; exit 1 ;;\n\
         sum) echo 'ERROR: tegra-binaries-32.7.6 do_fetch: Checksum mismatch!'; exit 1 ;;\n\
         gone) echo 'ERROR: tegra-binaries-32.7.6 do_fetch: Bitbake Fetcher Error: Fetcher failure for URL'; exit 1 ;;\n\
         parse) echo 'Parsing recipes...ERROR: ParseError at /x/acme-image.bb:1: Could not include required file y.bb'; echo 'ERROR: a do_fetch: Fetcher failure for URL'; exit 1 ;;\n\
         wrong) echo 'ERROR: CARVEOUT_TRUSTED_APPS: no recipe of a trusted app is called no-srv'; exit 1 ;;\n\
         killed) kill -9 $$ ;;\n\
         esac\n\
         echo 'WARNING: Host distribution has not been validated'\n\
         echo 'NOTE: Running setscene task 1 of 2 (/x/a_1.bb:do_x_setscene)'\n\
         echo 'NOTE: Running task 1 of 2 (/x/b_1.bb:do_compile)'\n\
         echo 'NOTE: Tasks Summary: Attempted 2 tasks of which 1 did not need to be rerun and all succeeded.'\n",
    );
    fs::set_permissions(dir, fs::Permissions::from_mode(0o755)).unwrap();
    top
}

#[test]
fn bitbake_is_run_and_its_complaints_become_ours() {
    let other = std::env::var("CARVEOUT_BITBAKE_USER").unwrap_or_else(|_| "nobody".into());
    let user = if is_root() { User::Other(other) } else { User::Ourselves };
    if user.reads(&[&root()]).is_err() {
        println!("skipped: user nobody, who would run BitBake, cannot read {}", root().display());
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let layers = layers(dir.path()).display().to_string();
    let config = product(dir.path(), "stand-in", "");
    let run = |more: &[&str]| {
        let mut arguments = vec!["yocto", "-c", &config, "--layers", &layers];
        arguments.extend(more);
        yocto(&arguments)
    };
    let folder = PathBuf::from(run(&[]).ok());
    assert!(folder.ends_with(format!("target/carveout/yocto/stand-in-{BOARD}")), "{}", folder.display());
    let conf = fs::read_to_string(folder.join("conf/bblayers.conf")).unwrap();
    assert!(conf.contains(&format!("{layers}/meta-tegra/contrib \\\n")), "{conf}");
    let summary = run(&["--dry-run", "--json"]).result();
    assert_eq!(summary["attempted"], 2);
    assert_eq!(
        (summary["ran"][0].as_str(), summary["restored"][0].as_str()),
        (Some("b:do_compile"), Some("a:do_x_setscene"))
    );
    assert_eq!(run(&["--task", "b", "compile"]).ok(), "2 tasks, 0 errors, 1 warnings");
    for (recipe, code, expected) in [
        ("full", 3, "help: free some space"),
        ("sum", 3, "help: the file is another than the recipe names"),
        ("gone", 3, "help: make the URL above reachable from this host, or put its file into"),
        (
            "parse",
            1,
            "  | ParseError at /x/acme-image.bb:1: Could not include required file y.bb\n  | (1 more in the log)",
        ),
        ("wrong", 2, "no recipe of a trusted app is called no-srv"),
        ("killed", 1, "bitbake killed failed ("),
    ] {
        let error = run(&[recipe]).fails(code);
        assert!(error.contains(expected) && error.contains("full log: "), "{recipe}: {error}");
    }
    // A success without a bundle is none.
    let out = dir.path().join("out").display().to_string();
    let image = ["image", "--engine", "bitbake", "-c", &config, "--layers", &layers, "-o", &out];
    let error = Ran::new(&mut on(&root(), &image)).fails(1);
    assert!(error.contains(&format!("made no {}", folder.join("tmp/deploy/images").display())), "{error}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_cannot_be_is_refused_before_bitbake_starts() {
    let dir = tempfile::tempdir().unwrap();
    let top = layers(dir.path());
    let given = top.display().to_string();
    let config = product(dir.path(), "refused", "");
    let fails = |code: i32, arguments: &[&str], expected: &str| {
        let error = yocto(arguments).fails(code);
        assert!(error.contains(expected) && error.contains("help: "), "{expected} in {error}");
    };
    fails(2, &["yocto", "--layers", &given], "board virt has no MACHINE of BitBake");
    fails(
        2,
        &["image", "--layers", &given],
        "--layers, --kas and --host-toolchain are for the BitBake engine",
    );
    let bitbake = ["--engine", "bitbake", "-c", &config, "--layers"];
    fails(
        2,
        &[&["image", "--bsp", "/x"], &bitbake[..], &[&given]].concat(),
        "--bsp and --sources are for the local engine",
    );
    fails(2, &[&["image", "--host-toolchain"], &bitbake[..], &[&given]].concat(), "no image can be made");
    fails(2, &["yocto", "-c", &config, "--layers", "/nowhere"], "--layers /nowhere: No such file");
    fails(2, &["yocto", "-c", &config, "--kas", "/nowhere.yml"], "/nowhere.yml: no kas file");
    let large = yocto(&["yocto", "-c", &config, "--layers", &given, "--tzdram", "107MiB"]).fails(2);
    assert!(large.contains("allowed are 1MiB to 106MiB"), "{large}");
    let unknown = product(dir.path(), "unknown", "");
    let text = fs::read_to_string(&unknown).unwrap();
    fs::write(&unknown, text.replace("- echo-srv\n", "- ecko-srv\n")).unwrap();
    fails(2, &["yocto", "-c", &unknown, "--layers", &given], "ecko-srv");
    if is_root() {
        let mut command = on(&root(), &["yocto", "-c", &config, "--layers", &given]);
        let error = Ran::new(command.env("CARVEOUT_BITBAKE_USER", "root")).fails(3);
        assert!(error.contains("BitBake refuses to run as root"), "{error}");
    }
    let layer = top.join("meta-tegra/conf/layer.conf");
    let text = fs::read_to_string(&layer).unwrap();
    fs::write(&layer, text.replace("kirkstone", "scarthgap")).unwrap();
    fails(
        2,
        &["yocto", "-c", &config, "--layers", &given],
        "is for scarthgap; carveout's layer is for kirkstone",
    );
    fs::remove_file(&layer).unwrap();
    fails(2, &["yocto", "-c", &config, "--layers", &given], "layers are missing:\n  meta-tegra: https://");
}

/// A company's layer with its distro and its image, beside those that carveout needs.
#[test]
fn layers_of_ones_own_are_built_with() {
    if is_root() && User::Other("nobody".into()).reads(&[&root()]).is_err() {
        println!("skipped: user nobody, who would run BitBake, cannot read {}", root().display());
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let top = layers(dir.path());
    let given = top.display().to_string();
    let acme = top.join("meta-acme");
    let conf = "BBFILE_COLLECTIONS += \"acme\"\nLAYERDEPENDS_acme = \"core tegra networking-layer\"\nLAYERSERIES_COMPAT_acme = \"kirkstone\"\n";
    write(&acme.join("conf/layer.conf"), conf);
    write(&acme.join("conf/distro/acme.conf"), "DISTRO = \"acme\"\n");
    write(&acme.join("recipes-core/images/acme-image.bb"), "require recipes-core/images/carveout-image.bb\n");
    let config = product(dir.path(), "own-layer", "yocto: { distro: acme, image: acme-image }\n");
    let run = || yocto(&["yocto", "-c", &config, "--layers", &given]);
    let needs = run().fails(2);
    assert!(needs.contains("LAYERDEPENDS_acme has networking-layer, and no layer is called so"), "{needs}");
    let networking =
        "BBFILE_COLLECTIONS += \"networking-layer\"\nLAYERSERIES_COMPAT_networking-layer = \"kirkstone\"\n";
    write(&top.join("meta-openembedded/meta-networking/conf/layer.conf"), networking);
    write(
        &top.join("meta-openembedded/meta-gnome/conf/layer.conf"),
        &networking.replace("networking", "gnome"),
    );
    let ran = run();
    let said = ran.stderr();
    let folder = PathBuf::from(ran.ok());
    let taken = format!(
        "layers besides those that carveout needs: {0}/meta-acme {0}/meta-openembedded/meta-networking\n",
        given
    );
    assert!(said.contains(&taken), "{taken} in {said}");
    let conf = fs::read_to_string(folder.join("conf/bblayers.conf")).unwrap();
    let expected = format!(
        "    {0}/meta-rust-bin \\\n    {0}/meta-acme \\\n    {0}/meta-openembedded/meta-networking \\\n    {1}/layers/meta-carveout \\\n",
        given,
        root().display()
    );
    assert!(conf.contains(&expected) && !conf.contains("meta-gnome"), "{expected} in {conf}");
    assert!(fs::read_to_string(folder.join("conf/local.conf")).unwrap().contains("\nDISTRO = \"acme\"\n"));
    fs::remove_dir_all(folder).unwrap();
    // What no layer has is told by name, not by BitBake after a minute.
    for (from, to, expected) in [
        (
            "distro: acme,",
            "distro: acmee,",
            "yocto.distro `acmee`: no layer has conf/distro/acmee.conf; distros there are: acme, nodistro. Did you mean `acme`?",
        ),
        (
            "image: acme-image",
            "image: acme-imag",
            "yocto.image `acme-imag`: no layer has a recipe acme-imag.bb or acme-imag_VERSION.bb; images there are: acme-image, carveout-image. Did you mean `acme-image`?",
        ),
    ] {
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, text.replace(from, to)).unwrap();
        let error = run().fails(2);
        assert!(
            error.contains(expected) && error.contains("help: correct the name"),
            "{expected} in {error}"
        );
        fs::write(&config, text).unwrap();
    }
    fs::rename(top.join(MACHINE), top.join("meta-tegra/conf/machine/jetson-tx2-devkit.conf")).unwrap();
    let error = run().fails(2);
    let expected = "is MACHINE jetson-agx-xavier-devkit: no layer has conf/machine/jetson-agx-xavier-devkit.conf; machines there are: ";
    assert!(error.contains(expected) && error.contains("jetson-tx2-devkit"), "{error}");
}

/// A team's own workspace: the layer and the board's file are carveout's, the recipes its own.
#[test]
fn a_teams_workspace_is_built_with_its_own_recipes() {
    if is_root() && User::Other("nobody".into()).reads(&[&root()]).is_err() {
        println!("skipped: user nobody, who would run BitBake, cannot read {}", root().display());
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let given = layers(dir.path()).display().to_string();
    let team = workspace(dir.path(), "door-lock");
    let run = |more: &[&str]| {
        let arguments = ["yocto", "-c", "configs/jetson.yaml", "--layers", &given];
        Ran::new(on(&team, &[&arguments, more].concat()).env_remove("CARGO_MANIFEST_DIR"))
    };
    let folder = PathBuf::from(run(&[]).ok());
    assert!(folder.starts_with(&team), "{}", folder.display());
    let conf = |name: &str| fs::read_to_string(folder.join("conf").join(name)).unwrap();
    let layer = format!("    {}/layers/meta-carveout \\\n\"", root().display());
    assert!(conf("bblayers.conf").contains(&layer), "{layer} in {}", conf("bblayers.conf"));
    let own = format!("\nCARVEOUT_WORKSPACE = \"{}\"\n", team.display());
    assert!(conf("local.conf").contains(&own), "{own} in {}", conf("local.conf"));
    // What only the local engine can is told.
    package(&team.join("vendor"), "acme-tool", "1", "arm64");
    let config = team.join("configs/jetson.yaml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("[door-lock-app]", "[{ deb: ../vendor/acme-tool.deb }]")).unwrap();
    let refused = run(&[]).fails(2);
    assert!(
        refused.contains("acme-tool is a finished Debian package") && refused.contains("help: "),
        "{refused}"
    );
}

/// Two bundles that differ by their carve-out.
#[test]
fn bundles_are_compared() {
    let dir = tempfile::tempdir().unwrap();
    let old = crate::builds::util::small(&dir.path().join("old"), &[]);
    let new = crate::builds::util::small(&dir.path().join("new"), &["--tzdram", "64MiB"]);
    let diff = xtask(["diff".as_ref(), old.as_os_str(), new.as_os_str()]);
    let told = diff.stderr();
    assert_eq!(diff.ok(), "full");
    for expected in
        ["tzdram.size: 33554432 -> 67108864", "carveout.tzdram.size: 0x2000000 -> 0x4000000 [full]"]
    {
        assert!(told.contains(expected), "{expected} in {told}");
    }
    assert_eq!(xtask(["diff".as_ref(), old.as_os_str(), old.as_os_str()]).ok(), "none");
    let error = xtask(["diff".as_ref(), old.as_os_str(), dir.path().as_os_str()]).fails(2);
    assert!(error.contains("no bundle"), "{error}");
}
