//! pip: published Python packages, pinned, each in a folder of ours. The host's Python runs them, and keeps its own packages.

use carveout_host::error::{At, Result};
use carveout_host::files;
use carveout_host::packages::Need;
use carveout_host::tools::{capture, run, shell};
use std::fs;
use std::path::{Path, PathBuf};
use xshell::{Cmd, Shell, cmd};

/// For packages. A virtual environment would need more of Debian than pip alone.
pub const NEED: Need =
    Need { program: "pip3", package: "python3-pip", why: "fetches what checks the BitBake layer" };
/// What a folder was made for.
const RECORD: &str = "carveout-made-for.txt";
/// Says what packages must fit.
const PYTHON: &str = "import sys, sysconfig; print(sys.version_info[:2], sysconfig.get_platform())";

/// A published package.
#[derive(Clone, Copy, Debug)]
pub struct Package {
    /// Its name.
    pub name: &'static str,
    /// Its version.
    pub version: &'static str,
    /// All that it needs, each as `name==version`: what is not named is not there.
    pub others: &'static [&'static str],
}

/// The folder of a package. It is fetched once, and again if its versions or the host's Python have changed.
pub fn helper(root: &Path, package: &Package, log: &Path) -> Result<PathBuf> {
    install(&shell(Path::new("/"))?, root, package, log)
}

fn install(sh: &Shell, root: &Path, package: &Package, log: &Path) -> Result<PathBuf> {
    let Package { name, version, others } = package;
    let first = format!("{name}=={version}");
    let pinned = [&[first.as_str()], *others].concat();
    let made_for =
        format!("{}\n{}\n", capture("python3", cmd!(sh, "python3 -c {PYTHON}"))?, pinned.join("\n"));
    let folder = root.join(format!("{name}-{version}"));
    fs::create_dir_all(root).at(root)?;
    let _lock = files::lock(&root.join(".lock"))?;
    if fs::read_to_string(folder.join(RECORD)).is_ok_and(|found| found == made_for) {
        return Ok(folder);
    }
    let new = root.join(format!(".new-{name}-{version}"));
    for left in [&folder, &new] {
        // Of another Python, or of a run that was interrupted.
        if left.exists() {
            fs::remove_dir_all(left).at(left)?;
        }
    }
    let options = ["--no-input", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check"];
    let cmd = cmd!(sh, "python3 -m pip install {options...} --target {new} {pinned...}");
    run(&format!("installing {name}"), cmd, log)?;
    let record = new.join(RECORD);
    files::write(&record, made_for, files::OUTPUT)?;
    fs::rename(&new, &folder).at(&folder)?;
    Ok(folder)
}

/// The host's Python with the packages of a folder.
pub fn python<'a>(sh: &'a Shell, folder: &Path) -> Cmd<'a> {
    cmd!(sh, "python3 -B").env("PYTHONPATH", folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use carveout_host::error::Exit;

    /// Makes the least wheel there is: hello.py, which prints its version.
    const WHEEL: &str = r#"
import sys, zipfile
version = sys.argv[1]
info = f"hello-{version}.dist-info"
with zipfile.ZipFile(f"hello-{version}-py3-none-any.whl", "w") as wheel:
    wheel.writestr("hello.py", f"print({version!r})")
    wheel.writestr(info + "/METADATA", f"Metadata-Version: 2.1\nName: hello\nVersion: {version}\nRequires-Dist: other\n")
    wheel.writestr(info + "/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(info + "/RECORD", "")
"#;

    #[test]
    fn packages_are_installed_once() {
        if !carveout_host::packages::is_met(&NEED) {
            eprintln!("skipped: pip is not there");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let (root, log) = (dir.path().join("tools"), dir.path().join("x.log"));
        let sh = shell(dir.path()).unwrap();
        sh.set_var("PIP_CONFIG_FILE", "/dev/null");
        sh.set_var("PIP_NO_INDEX", "1");
        sh.set_var("PIP_FIND_LINKS", dir.path());
        for version in ["1.0", "2.0"] {
            cmd!(sh, "python3 -c {WHEEL} {version}").quiet().run().unwrap();
        }
        let package = Package { name: "hello", version: "1.0", others: &[] };
        let folder = install(&sh, &root, &package, &log).unwrap();
        assert_eq!(folder, root.join("hello-1.0"));
        assert_eq!(capture("hello", python(&sh, &folder).args(["-m", "hello"])).unwrap(), "1.0");
        let said = fs::read_to_string(&log).unwrap();
        install(&sh, &root, &package, &log).unwrap();
        assert_eq!(fs::read_to_string(&log).unwrap(), said, "it is there, so pip is not asked");
        // As if it were of another Python.
        fs::write(folder.join(RECORD), "").unwrap();
        fs::write(folder.join("hello.py"), "").unwrap();
        install(&sh, &root, &package, &log).unwrap();
        assert_eq!(capture("hello", python(&sh, &folder).args(["-m", "hello"])).unwrap(), "1.0");
        let package = Package { version: "2.0", ..package };
        let other = install(&sh, &root, &package, &log).unwrap();
        assert_eq!(capture("hello", python(&sh, &other).args(["-m", "hello"])).unwrap(), "2.0");
        assert!(folder.exists(), "each version has a folder");
    }

    #[test]
    fn what_cannot_be_fetched_leaves_nothing() {
        if !carveout_host::packages::is_met(&NEED) {
            eprintln!("skipped: pip is not there");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let (root, log) = (dir.path().join("tools"), dir.path().join("x.log"));
        let sh = shell(dir.path()).unwrap();
        sh.set_var("PIP_CONFIG_FILE", "/dev/null");
        sh.set_var("PIP_INDEX_URL", "http://127.0.0.1:1/");
        // What fails is told with each retry alone.
        sh.set_var("PIP_RETRIES", "1");
        let package = Package { name: "hello", version: "1.0", others: &[] };
        let error = install(&sh, &root, &package, &log).unwrap_err();
        assert_eq!(error.exit, Exit::Environment, "{error}");
        assert!(error.to_string().contains("help: check the network"), "{error}");
        assert!(!root.join("hello-1.0").exists());
    }
}
