//! The layers that meta-carveout needs, found below a folder by what their `conf/layer.conf` says.

use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The release series that everything is for.
pub const SERIES: &str = "kirkstone";
/// How deep layers lie at most, below the given folder.
const DEPTH: usize = 3;

/// A layer that is needed.
struct Wanted {
    /// Its name in BBFILE_COLLECTIONS.
    collection: &'static str,
    /// What people call it, and where it comes from.
    source: &'static str,
}

const WANTED: [Wanted; 4] = [
    Wanted {
        collection: "core",
        source: "OE-Core: https://git.openembedded.org/openembedded-core, branch kirkstone",
    },
    Wanted {
        collection: "tegra",
        source: "meta-tegra: https://github.com/OE4T/meta-tegra, branch kirkstone-l4t-r32.7.x",
    },
    Wanted { collection: "tegra-contrib", source: "the folder contrib of meta-tegra" },
    Wanted {
        collection: "rust-bin-layer",
        source: "meta-rust-bin: https://github.com/rust-embedded/meta-rust-bin, branch master",
    },
];

/// Where all layers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layers {
    /// OE-Core's folder, which has `oe-init-build-env`.
    pub oe_core: PathBuf,
    /// BitBake's.
    pub bitbake: PathBuf,
    /// All layers, in the order of `bblayers.conf`; meta-carveout is the last.
    pub all: Vec<PathBuf>,
}

impl Layers {
    /// Looks for them below `dir`. `root` is the workspace, whose own layer is added.
    pub fn find(dir: &Path, root: &Path) -> Result<Self> {
        let shown = dir.display();
        let dir = fs::canonicalize(dir).map_err(|e| {
            Error::usage(format!("--layers {shown}: {e}"))
                .remedy("name a folder with clones of OE-Core, BitBake, meta-tegra and meta-rust-bin")
        })?;
        let mut found = BTreeMap::new();
        scan(&dir, DEPTH, &mut found);
        let missing: Vec<&Wanted> =
            WANTED.iter().filter(|want| !found.contains_key(want.collection)).collect();
        if !missing.is_empty() {
            let list: Vec<&str> = missing.iter().map(|want| want.source).collect();
            let message = format!("{shown}: layers are missing:\n  {}", list.join("\n  "));
            return Err(Error::usage(message).remedy("clone them into that folder"));
        }
        let mut all = Vec::new();
        for want in &WANTED {
            let Some(layer) = found.get(want.collection) else { continue };
            if !layer.series.iter().any(|series| series == SERIES) {
                let has = layer.series.join(", ");
                let message =
                    format!("{}: is for {has}; carveout's layer is for {SERIES}", layer.path.display());
                return Err(Error::usage(message).remedy(format!("check it out as: {}", want.source)));
            }
            all.push(layer.path.clone());
        }
        let oe_core = all.first().and_then(|meta| meta.parent()).map(Path::to_owned).unwrap_or_default();
        let bitbake = [oe_core.join("bitbake"), oe_core.join("../bitbake"), dir.join("bitbake")];
        let bitbake =
            bitbake.into_iter().find(|path| path.join("bin/bitbake").is_file()).ok_or_else(|| {
                Error::usage(format!("{shown}: BitBake is missing")).remedy(format!(
                    "clone https://git.openembedded.org/bitbake, branch 2.0, to {}",
                    oe_core.join("bitbake").display()
                ))
            })?;
        let version = version(&bitbake);
        if !version.starts_with("2.0") {
            let message = format!("{}: is BitBake {version}; {SERIES} wants 2.0", bitbake.display());
            return Err(Error::usage(message).remedy("check out its branch 2.0"));
        }
        all.push(root.join("layers/meta-carveout"));
        Ok(Self { oe_core, bitbake, all })
    }
}

/// A layer that was found.
struct Found {
    path: PathBuf,
    series: Vec<String>,
}

/// Layers below a folder, by the names of their collections. The first in the order of their paths counts.
fn scan(dir: &Path, depth: usize, found: &mut BTreeMap<String, Found>) {
    if let Ok(text) = fs::read_to_string(dir.join("conf/layer.conf")) {
        for collection in words(&text, "BBFILE_COLLECTIONS") {
            let series = words(&text, &format!("LAYERSERIES_COMPAT_{collection}"));
            let series = if series.is_empty() { own_series(&text) } else { series };
            found.entry(collection).or_insert_with(|| Found { path: dir.into(), series });
        }
    }
    if depth == 0 {
        return;
    }
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .filter(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')))
        .collect();
    folders.sort();
    folders.iter().for_each(|folder| scan(folder, depth - 1, found));
}

/// OE-Core says for which series it stands itself.
fn own_series(text: &str) -> Vec<String> {
    words(text, "LAYERSERIES_CORENAMES")
}

/// The words that a variable is given or that are added to it, in a file of simple assignments.
fn words(text: &str, variable: &str) -> Vec<String> {
    let value = |line: &str| {
        let rest = line.trim_start().strip_prefix(variable)?.trim_start();
        let rest = rest.trim_start_matches(['?', '+', '.', ':']).strip_prefix('=')?.trim();
        Some(rest.trim_matches(['"', '\'']).to_owned())
    };
    let joined = text.replace("\\\n", " ");
    let values: Vec<String> = joined.lines().filter_map(value).collect();
    values.iter().flat_map(|value| value.split_whitespace()).map(str::to_owned).collect()
}

/// `__version__` of BitBake's library.
fn version(bitbake: &Path) -> String {
    let text = fs::read_to_string(bitbake.join("lib/bb/__init__.py")).unwrap_or_default();
    words(&text, "__version__").into_iter().next().unwrap_or_else(|| "of unknown version".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Stand-ins for the layers: files that say who they are.
    fn layers(dir: &Path, tegra_series: &str) {
        let write = |path: &str, text: &str| {
            let path = dir.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let layer = |name: &str, series: &str| {
            format!("BBFILE_COLLECTIONS += \"{name}\"\nLAYERSERIES_COMPAT_{name} = \"{series}\"\n")
        };
        write(
            "oe-core/meta/conf/layer.conf",
            "BBFILE_COLLECTIONS += \"core\"\nLAYERSERIES_CORENAMES = \"kirkstone\"\nLAYERSERIES_COMPAT_core = \"kirkstone\"\n",
        );
        write("oe-core/bitbake/bin/bitbake", "");
        write("oe-core/bitbake/lib/bb/__init__.py", "__version__ = \"2.0.1\"\n");
        write("meta-tegra/conf/layer.conf", &layer("tegra", tegra_series));
        write("meta-tegra/contrib/conf/layer.conf", &layer("tegra-contrib", "kirkstone"));
        write(
            "meta-rust-bin/conf/layer.conf",
            &layer("rust-bin-layer", "\\\n  dunfell \\\n  kirkstone \\\n"),
        );
    }

    #[test]
    fn layers_are_found_by_what_they_say() {
        let dir = tempfile::tempdir().unwrap();
        layers(dir.path(), "kirkstone");
        let top = fs::canonicalize(dir.path()).unwrap();
        let found = Layers::find(dir.path(), Path::new("/w")).unwrap();
        assert_eq!(found.oe_core, top.join("oe-core"));
        assert_eq!(found.bitbake, top.join("oe-core/bitbake"));
        let names = ["oe-core/meta", "meta-tegra", "meta-tegra/contrib", "meta-rust-bin"];
        let mut expected: Vec<PathBuf> = names.iter().map(|name| top.join(name)).collect();
        expected.push("/w/layers/meta-carveout".into());
        assert_eq!(found.all, expected);
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let fails = |dir: &Path| Layers::find(dir, Path::new("/w")).unwrap_err();
        let dir = tempfile::tempdir().unwrap();
        assert!(fails(&dir.path().join("none")).message.contains("No such file"));
        let error = fails(dir.path());
        assert!(
            error.message.contains("meta-tegra: https://") && error.message.contains("OE-Core: https://")
        );
        layers(dir.path(), "scarthgap");
        let error = fails(dir.path()).to_string();
        assert!(error.contains("meta-tegra: is for scarthgap; carveout's layer is for kirkstone"), "{error}");
        layers(dir.path(), "kirkstone");
        fs::write(dir.path().join("oe-core/bitbake/lib/bb/__init__.py"), "__version__ = \"2.8.0\"\n")
            .unwrap();
        assert!(fails(dir.path()).message.contains("is BitBake 2.8.0; kirkstone wants 2.0"));
        fs::remove_dir_all(dir.path().join("oe-core/bitbake")).unwrap();
        assert!(fails(dir.path()).message.contains("BitBake is missing"));
    }
}
