//! npm: the packages of a lock file, in a folder of ours.

use carveout_host::error::{At, Result};
use carveout_host::packages::Need;
use carveout_host::tools::{run, shell};
use std::fs;
use std::path::{Path, PathBuf};
use xshell::cmd;

/// For packages and for what runs them.
pub const NEEDS: [Need; 2] = [
    Need { program: "node", package: "nodejs", why: "drives the browser that looks at the report page" },
    Need { program: "npm", package: "npm", why: "fetches what drives that browser" },
];
/// What says which packages.
const FILES: [&str; 2] = ["package.json", "package-lock.json"];
/// What a folder was made for.
const RECORD: &str = "carveout-made-for.json";

/// A folder under `root` with the packages that the lock file in `from` pins, each checked by its digest. They are fetched
/// once, and again if the lock file has changed. No package runs a program while it is installed.
pub fn helper(root: &Path, name: &str, from: &Path, log: &Path) -> Result<PathBuf> {
    let folder = root.join(name);
    fs::create_dir_all(root).at(root)?;
    let _lock = carveout_host::files::lock(&root.join(".lock"))?;
    let path = from.join("package-lock.json");
    let wanted = fs::read(&path).at(&path)?;
    if fs::read(folder.join(RECORD)).is_ok_and(|found| found == wanted) {
        return Ok(folder);
    }
    let new = root.join(format!(".new-{name}"));
    for left in [&folder, &new] {
        if left.exists() {
            fs::remove_dir_all(left).at(left)?;
        }
    }
    fs::create_dir(&new).at(&new)?;
    for file in FILES {
        let (from, to) = (from.join(file), new.join(file));
        fs::copy(&from, &to).at(&from)?;
    }
    let sh = shell(&new)?;
    let options = ["--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"];
    run("npm ci", cmd!(sh, "npm ci {options...}"), log)?;
    let record = new.join(RECORD);
    fs::write(&record, wanted).at(&record)?;
    fs::rename(&new, &folder).at(&folder)?;
    Ok(folder)
}
