//! carveout for those who have no sources of it: the program alone, the script of a bundle that finds it, the packages.

use super::field::{active, open};
use super::util::{Ran, root, run, small, xtask};
use crate::builds::util::is_full;
use crate::report::small::test_program;
use cargo_metadata::Package;
use carveout_build::program::{self, Programs};
use carveout_host::dirs::Dirs;
use carveout_host::ui::{Ui, Verbosity};
use std::fs;
use std::io::Read;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Nothing is there: no other program, no variable but where a person's records go, no Rust, no sources.
fn alone(program: &Path, arguments: &[&str]) -> Ran {
    let folder = program.parent().unwrap();
    let mut command = Command::new(program);
    Ran::new(
        command.args(arguments).current_dir(folder).env_clear().env("XDG_STATE_HOME", folder.join("state")),
    )
}

/// carveout, linked statically of what is compiled for the tests already.
fn linked(dir: &Path) -> PathBuf {
    let mut command = Command::new("cargo");
    command.args(["rustc", "--locked", "--package", "xtask", "--example", "alone"]).current_dir(root());
    Ran::new(command.args(["--", "-C", "target-feature=+crt-static"])).ok();
    let target = Path::new(env!("CARGO_BIN_EXE_xtask")).parent().unwrap();
    let program = dir.join("linked");
    fs::copy(target.join("examples/alone"), &program).unwrap();
    program
}

#[test]
fn the_program_alone_verifies_and_flashes() {
    let dir = tempfile::tempdir().unwrap();
    verifies_and_flashes(dir.path(), &linked(dir.path()));
}

/// The very program that is given away, which takes minutes to compile.
#[test]
fn the_program_of_a_release_tells_no_place_and_works() {
    if !is_full() {
        return;
    }
    let (dir, dirs) = (tempfile::tempdir().unwrap(), Dirs::find());
    let ui = Ui::new(Verbosity::Quiet);
    let programs = Programs { dirs: &dirs, profile: program::PROFILE, offline: false, ui: &ui };
    let built = programs.build(program::NAME).unwrap();
    let bytes = fs::read(&built).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    for place in [root(), std::env::home_dir().unwrap().join(".cargo")] {
        assert!(!text.contains(place.to_str().unwrap()), "{} is in the program", place.display());
    }
    verifies_and_flashes(dir.path(), &built);
}

fn verifies_and_flashes(dir: &Path, built: &Path) {
    program::read(built).unwrap();
    // Its own sort of bundle: a folder with nothing else.
    let (bundles, folder) = (dir.join("bundles"), dir.join("empty"));
    fs::create_dir(&folder).unwrap();
    let bundle = small(&bundles, &[]);
    let name = bundle.file_name().unwrap().to_str().unwrap();
    let archive = format!("{name}.tar.zst");
    fs::copy(bundles.join(&archive), folder.join(&archive)).unwrap();
    let program = folder.join("carveout");
    fs::copy(built, &program).unwrap();
    assert_eq!(alone(&program, &["verify", &archive]).ok(), "ok");
    let told = alone(&program, &["flash", &archive, "--to", "virt:device.img"]).ok();
    assert!(told.starts_with("virt:device.img: done in "), "{told}");
    // Each part of the device, byte by byte.
    let device = folder.join("device.img");
    assert_eq!(active(&device), name);
    let image = fs::read(bundle.join("secure-os/tos.img")).unwrap();
    let start = open(&device).partitions()["secure-os"].start;
    let mut file = fs::File::open(&device).unwrap();
    std::io::Seek::seek(&mut file, std::io::SeekFrom::Start(start)).unwrap();
    let mut written = vec![0; image.len()];
    file.read_exact(&mut written).unwrap();
    assert!(written == image);
    assert!(folder.join("state/carveout/flash-records/records.jsonl").is_file());
    // What needs more than it says so.
    let error = alone(&program, &["emulate", &archive, "--backend", "unicorn"]).fails(3);
    assert!(error.contains("install the Debian package carveout-emulator"), "{error}");
    let error = alone(&program, &["image"]).fails(2);
    assert!(error.contains("carveout"), "{error}");
    installed(dir, &program, &folder.join(&archive));
}

/// As a package puts it: the emulator is found beside the program.
fn installed(dir: &Path, program: &Path, archive: &Path) {
    let (bin, lib) = (dir.join("usr/bin"), dir.join("usr/lib/carveout"));
    [&bin, &lib].iter().for_each(|folder| fs::create_dir_all(folder).unwrap());
    fs::copy(program, bin.join("carveout")).unwrap();
    script(&lib.join("trusty-emulator"), "echo the emulator was called >&2; exit 2");
    let archive = archive.to_str().unwrap();
    let error = alone(&bin.join("carveout"), &["emulate", archive, "--backend", "unicorn"]).fails(2);
    assert!(error.contains("the emulator was called"), "{error}");
}

fn script(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

const WRAPPER: &str = include_str!("../../../crates/carveout-build/src/scripts/flash.sh");

/// The variable, the file beside the bundle's folder, PATH: in that order, with the options as they were given.
#[test]
fn a_bundles_script_finds_carveout() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    let says = |name: &str| script(&path(name), "echo \"$0\"; for word; do echo \"<$word>\"; done");
    for folder in ["here/a bundle/flash", "path", "own"] {
        fs::create_dir_all(path(folder)).unwrap();
    }
    let wrapper = path("here/a bundle/flash/flash.sh");
    fs::write(&wrapper, WRAPPER).unwrap();
    symlink("/usr/bin/dirname", path("path/dirname")).unwrap();
    let flash = |variable: Option<&Path>| {
        let mut command = Command::new("/bin/sh");
        command.arg(&wrapper).args(["--scope", "secure-os", "--app", "a b"]).env_clear();
        Ran::new(command.env("PATH", path("path")).envs(variable.map(|path| ("CARVEOUT", path))))
    };
    let called = |program: &str, said: String| {
        let bundle = path("here/a bundle").display().to_string();
        let words = ["flash", &bundle, "--to", "usb", "--scope", "secure-os", "--app", "a b"];
        let words: String = words.iter().map(|word| format!("\n<{word}>")).collect();
        assert_eq!(said, format!("{}{words}", path(program).display()));
    };
    let error = flash(None).fails(3);
    assert!(
        error.contains("carveout is neither beside ") && error.contains("copy the file carveout"),
        "{error}"
    );
    says("path/carveout");
    called("path/carveout", flash(None).ok());
    says("here/carveout");
    called("here/carveout", flash(None).ok());
    says("own/carveout");
    called("own/carveout", flash(Some(&path("own/carveout"))).ok());
    // What was named or found is not passed over in silence.
    let error = flash(Some(&path("own/none"))).fails(3);
    assert!(error.contains("own/none: is no program"), "{error}");
    fs::set_permissions(path("here/carveout"), fs::Permissions::from_mode(0o644)).unwrap();
    let error = flash(None).fails(3);
    assert!(error.contains("chmod +x "), "{error}");
}

#[test]
fn a_release_takes_no_program_that_needs_its_host() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    xtask(["key", "new", &path("key"), "--no-password"]).ok();
    test_program(dir.path().join("good").as_ref());
    let release = |program: &str| {
        let sign = path("key");
        let arguments = ["release", "--bundle", "/none", "--sign", &sign, "--program", program];
        xtask(arguments).stderr()
    };
    let error = release(env!("CARGO_BIN_EXE_xtask"));
    assert!(error.contains("it is not static: it names an interpreter"), "{error}");
    let error = release(&path("key"));
    assert!(error.contains("it is no 64-bit ELF file"), "{error}");
    let error = release(&path("good"));
    assert!(
        error.contains("error: ") && !error.contains("static program"),
        "refused by a later check: {error}"
    );
}

fn package(name: &str) -> Package {
    let metadata = carveout_host::tools::cargo::metadata(&root().join("Cargo.toml"), &["--no-deps"]).unwrap();
    metadata.packages.into_iter().find(|package| package.name == name).unwrap()
}

/// What the packages are made of is there, and their names are those that programs and people look for.
#[test]
fn the_packages_have_what_they_name() {
    let staged = tempfile::tempdir().unwrap();
    let command = carveout::command::<carveout::cli::Verb>("carveout");
    carveout::verbs::manual::write_installed(&command, staged.path()).unwrap();
    let page = fs::read_to_string(staged.path().join("man/carveout-flash.1")).unwrap();
    assert!(page.contains("carveout flash BUNDLE") && !page.contains("cargo xtask"), "{page}");
    assert!(staged.path().join("man/carveout.1").is_file());
    for (name, program, licence) in [
        ("carveout", "usr/bin/", "MIT OR Apache-2.0"),
        ("trusty-emulator", "usr/lib/carveout/", "GPL-2.0-only"),
    ] {
        let package = package(name);
        assert_eq!(package.license.as_deref(), Some(licence));
        let folder = PathBuf::from(package.manifest_path.parent().unwrap());
        let deb = &package.metadata["deb"];
        let own = deb["name"].as_str().unwrap_or(name);
        let assets: Vec<[&str; 3]> = deb["assets"]
            .as_array()
            .unwrap()
            .iter()
            .map(|asset| std::array::from_fn(|at| asset[at].as_str().unwrap()))
            .collect();
        assert_eq!(assets[0], [&*format!("target/release/{name}"), program, "755"]);
        for [from, to, mode] in &assets[1..] {
            let is_staged = from.strip_prefix("../../target/carveout/packages/");
            // The only other program runs in the Linux that is booted.
            let expected = if is_staged == Some("desk-guest") { "755" } else { "644" };
            assert_eq!(*mode, expected, "{from}");
            let path = match is_staged {
                // Made by other compilers than the host's.
                Some("desk-guest") => continue,
                Some(rest) if rest.starts_with("firmware/") => continue,
                Some(rest) => staged.path().join(rest.replace("*.1", "carveout.1")),
                None => folder.join(from),
            };
            assert!(path.is_file(), "{}", path.display());
            assert!(to.starts_with("usr/"), "{to}");
        }
        let changelog = fs::read_to_string(folder.join(deb["changelog"].as_str().unwrap())).unwrap();
        assert!(changelog.starts_with(&format!("{own} ({}-1) ", package.version)), "{changelog}");
        // The emulator has a C library of its host's, and says which.
        let depends = if name == program::NAME { "" } else { "$auto" };
        assert_eq!(deb["depends"], depends);
    }
    // Bash reads the completions that a package has.
    let bash = staged.path().join("carveout.bash");
    run("bash", ["-n".as_ref(), bash.as_os_str()]).ok();
}
