//! The layers of a build: those that meta-carveout needs, and the user's own.

mod scan;

pub use scan::words;

use crate::errors::LayersError;
use carveout_host::error::Result;
use scan::{Collections, Found};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The release series that everything is for.
pub const SERIES: &str = "kirkstone";
/// Collections of carveout's repository, which are added by us.
const OURS: [&str; 2] = ["carveout", "carveout-host-toolchain"];

/// A layer that is needed.
struct Wanted {
    /// Its name in BBFILE_COLLECTIONS.
    collection: &'static str,
    /// What people call it, and where it comes from.
    origin: &'static str,
}

const WANTED: [Wanted; 4] = [
    Wanted {
        collection: "core",
        origin: "OE-Core: https://git.openembedded.org/openembedded-core, branch kirkstone",
    },
    Wanted {
        collection: "tegra",
        origin: "meta-tegra: https://github.com/OE4T/meta-tegra, branch kirkstone-l4t-r32.7.x",
    },
    Wanted { collection: "tegra-contrib", origin: "the folder contrib of meta-tegra" },
    Wanted {
        collection: "rust-bin-layer",
        origin: "meta-rust-bin: https://github.com/rust-embedded/meta-rust-bin, branch master",
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
    /// Those of them that meta-carveout does not need: the user's own, and what these need.
    pub own: Vec<PathBuf>,
    /// Layers that are there and were not taken.
    pub left: Vec<PathBuf>,
}

/// Which layers are the user's own.
pub enum Own<'a> {
    /// Each folder of a layer at the top of the folder, and each that has one of these files, such as conf/distro/acme.conf.
    Top(&'a [String]),
    /// These, as a kas file names them.
    Named(&'a [PathBuf]),
}

impl Layers {
    /// Looks for them below `dir`. `carveout` is carveout's repository, whose own layer is added.
    pub fn find(dir: &Path, carveout: &Path, own: &Own) -> Result<Self> {
        let shown = dir;
        let dir =
            fs::canonicalize(dir).map_err(|source| LayersError::NoFolder { path: shown.into(), source })?;
        let mut found = scan::below(&dir);
        let mut chosen: BTreeSet<String> = BTreeSet::new();
        if let Own::Named(folders) = own {
            for folder in *folders {
                let here = scan::at(folder);
                if here.is_empty() {
                    return Err(LayersError::NotALayer { path: folder.clone() }.into());
                }
                chosen.extend(here.keys().cloned());
                // What the file names comes before another clone of the same layer.
                found.extend(here);
            }
        }
        ensure_needed(&found, shown)?;
        let oe_core = found.get("core").and_then(|core| core.path.parent());
        let oe_core = oe_core.map(Path::to_owned).unwrap_or_default();
        if let Own::Top(files) = own {
            // OE-Core's neighbours (skeleton, selftest; poky's) are nobody's own.
            let is_own = |layer: &Found| {
                let parent = layer.path.parent();
                (parent == Some(&dir) && parent != Some(&oe_core))
                    || files.iter().any(|file| layer.path.join(file).is_file())
            };
            chosen.extend(found.iter().filter(|(_, layer)| is_own(layer)).map(|(name, _)| name.clone()));
        }
        let own = own_layers(&found, chosen)?;
        let needed =
            WANTED.iter().filter_map(|want| found.get(want.collection)).map(|layer| layer.path.clone());
        let mut all: Vec<PathBuf> = needed.chain(own.iter().cloned()).collect();
        let left =
            found.values().map(|layer| layer.path.clone()).filter(|path| !all.contains(path)).collect();
        let bitbake = bitbake(&dir, &oe_core, shown)?;
        all.push(carveout.join("layers/meta-carveout"));
        Ok(Self { oe_core, bitbake, all, own, left })
    }
}

/// The layers that meta-carveout needs must be there, for its series.
fn ensure_needed(found: &Collections, shown: &Path) -> Result<()> {
    let missing = WANTED.iter().filter(|want| !found.contains_key(want.collection));
    let layers: Vec<String> = missing.map(|want| want.origin.to_owned()).collect();
    if !layers.is_empty() {
        return Err(LayersError::Missing { path: shown.into(), layers }.into());
    }
    for want in &WANTED {
        let Some(layer) = found.get(want.collection) else { continue };
        if !is_of_series(layer) {
            let (path, series) = (layer.path.clone(), layer.series.clone());
            return Err(LayersError::WrongSeries { path, series, origin: want.origin }.into());
        }
    }
    Ok(())
}

fn is_of_series(layer: &Found) -> bool {
    // `${LAYERSERIES_COMPAT_core}` is BitBake's to judge.
    layer.series.iter().any(|series| series == SERIES || series.contains('$'))
}

/// The user's own layers and what they depend on, by priority and path.
fn own_layers(found: &Collections, chosen: BTreeSet<String>) -> Result<Vec<PathBuf>> {
    let is_known = |name: &str| OURS.contains(&name) || WANTED.iter().any(|want| want.collection == name);
    let mut taken: BTreeSet<(i64, PathBuf)> = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut queue: Vec<String> = chosen.into_iter().filter(|name| !is_known(name)).collect();
    while let Some(name) = queue.pop() {
        let Some(layer) = found.get(&name).filter(|_| seen.insert(name.clone())) else { continue };
        // BitBake only warns of a layer that says no series.
        if !layer.series.is_empty() && !is_of_series(layer) {
            let (path, series) = (layer.path.clone(), layer.series.clone());
            return Err(LayersError::OwnOfWrongSeries { path, series, layer: name }.into());
        }
        for other in layer.depends.iter().filter(|other| !is_known(other)) {
            if !found.contains_key(other) {
                let (path, dependency) = (layer.path.clone(), other.clone());
                return Err(LayersError::DependencyMissing { path, layer: name, dependency }.into());
            }
            queue.push(other.clone());
        }
        taken.insert((layer.priority, layer.path.clone()));
    }
    let mut paths: Vec<PathBuf> = Vec::new();
    for (_, path) in taken {
        // A folder may be several collections.
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    Ok(paths)
}

/// BitBake, in one of the places where people have it.
fn bitbake(dir: &Path, oe_core: &Path, shown: &Path) -> Result<PathBuf> {
    let places = [oe_core.join("bitbake"), oe_core.join("../bitbake"), dir.join("bitbake")];
    let found = places.into_iter().find(|path| path.join("bin/bitbake").is_file());
    let missing = || LayersError::BitBakeMissing { path: shown.into(), folder: oe_core.join("bitbake") };
    let found = found.ok_or_else(missing)?;
    let version = version(&found);
    if !version.starts_with("2.0") {
        return Err(LayersError::BitBakeVersion { path: found, version }.into());
    }
    Ok(found)
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
        let found = Layers::find(dir.path(), Path::new("/w"), &Own::Top(&[])).unwrap();
        assert_eq!(found.oe_core, top.join("oe-core"));
        assert_eq!(found.bitbake, top.join("oe-core/bitbake"));
        let names = ["oe-core/meta", "meta-tegra", "meta-tegra/contrib", "meta-rust-bin"];
        let mut expected: Vec<PathBuf> = names.iter().map(|name| top.join(name)).collect();
        expected.push("/w/layers/meta-carveout".into());
        assert_eq!(found.all, expected);
    }

    #[test]
    fn what_does_not_fit_is_told() {
        let fails = |dir: &Path| Layers::find(dir, Path::new("/w"), &Own::Top(&[])).unwrap_err();
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

    /// A layer that says who it is.
    fn layer(dir: &Path, path: &str, name: &str, more: &str) {
        let folder = dir.join(path).join("conf");
        fs::create_dir_all(&folder).unwrap();
        let text =
            format!("BBFILE_COLLECTIONS += \"{name}\"\nLAYERSERIES_COMPAT_{name} = \"kirkstone\"\n{more}");
        fs::write(folder.join("layer.conf"), text).unwrap();
    }

    fn own(dir: &Path, own: &Own) -> Result<Vec<String>> {
        let top = fs::canonicalize(dir).unwrap();
        let found = Layers::find(dir, Path::new("/w"), own)?;
        assert_eq!(found.all.len(), 5 + found.own.len());
        assert_eq!(found.all[4..4 + found.own.len()], found.own);
        Ok(found.own.iter().map(|path| path.strip_prefix(&top).unwrap().display().to_string()).collect())
    }

    #[test]
    fn layers_of_ones_own_are_taken_with_what_they_need() {
        let dir = tempfile::tempdir().unwrap();
        layers(dir.path(), "kirkstone");
        layer(
            dir.path(),
            "meta-acme",
            "acme",
            "LAYERDEPENDS_acme = \"core tegra networking-layer (>= 1)\"\n",
        );
        layer(dir.path(), "meta-first", "first", "");
        layer(dir.path(), "meta-acme-bsp", "acme-bsp", "BBFILE_PRIORITY_acme-bsp = \"9\"\n");
        let oe = "LAYERDEPENDS_networking-layer = \"openembedded-layer\"\n";
        layer(dir.path(), "meta-openembedded/meta-networking", "networking-layer", oe);
        layer(
            dir.path(),
            "meta-openembedded/meta-oe",
            "openembedded-layer",
            "BBFILE_PRIORITY_openembedded-layer = \"6\"\n",
        );
        layer(dir.path(), "meta-openembedded/meta-gnome", "gnome-layer", "");
        layer(dir.path(), "oe-core/meta-skeleton", "skeleton", "");
        layer(dir.path(), "carveout/layers/meta-carveout", "carveout", "");
        let expected = [
            "meta-acme",
            "meta-first",
            "meta-openembedded/meta-networking",
            "meta-openembedded/meta-oe",
            "meta-acme-bsp",
        ];
        assert_eq!(own(dir.path(), &Own::Top(&[])).unwrap(), expected);
        // A layer of a repository below is taken for what it has.
        layer(dir.path(), "distro-repo/layers/meta-distro", "distro", "");
        let file = "conf/distro/acme.conf".to_owned();
        fs::create_dir_all(dir.path().join("distro-repo/layers/meta-distro/conf/distro")).unwrap();
        fs::write(dir.path().join("distro-repo/layers/meta-distro").join(&file), "").unwrap();
        assert_eq!(own(dir.path(), &Own::Top(&[file])).unwrap()[0], "distro-repo/layers/meta-distro");
        // kas names its own.
        let named = [fs::canonicalize(dir.path()).unwrap().join("meta-openembedded/meta-gnome")];
        assert_eq!(own(dir.path(), &Own::Named(&named)).unwrap(), ["meta-openembedded/meta-gnome"]);
        let wrong = [dir.path().join("meta-openembedded")];
        let error = own(dir.path(), &Own::Named(&wrong)).unwrap_err().to_string();
        assert!(error.contains("meta-openembedded: is no layer: it has no conf/layer.conf"), "{error}");
    }

    #[test]
    fn a_link_at_the_top_is_a_layer() {
        let (dir, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        layers(dir.path(), "kirkstone");
        layer(elsewhere.path(), "work", "acme", "");
        std::os::unix::fs::symlink(elsewhere.path().join("work"), dir.path().join("meta-acme")).unwrap();
        assert_eq!(own(dir.path(), &Own::Top(&[])).unwrap(), ["meta-acme"]);
    }

    #[test]
    fn what_a_layer_of_ones_own_lacks_is_told() {
        let dir = tempfile::tempdir().unwrap();
        layers(dir.path(), "kirkstone");
        layer(dir.path(), "meta-acme", "acme", "LAYERDEPENDS_acme = \"core qt6-layer\"\n");
        let error = own(dir.path(), &Own::Top(&[])).unwrap_err().to_string();
        assert!(
            error.contains("meta-acme: LAYERDEPENDS_acme has qt6-layer, and no layer is called so"),
            "{error}"
        );
        let conf = "BBFILE_COLLECTIONS += \"acme\"\nLAYERSERIES_COMPAT_acme = \"dunfell\"\n";
        fs::write(dir.path().join("meta-acme/conf/layer.conf"), conf).unwrap();
        let error = own(dir.path(), &Own::Top(&[])).unwrap_err().to_string();
        assert!(error.contains("meta-acme: is for dunfell; carveout's layer is for kirkstone"), "{error}");
        assert!(error.contains("LAYERSERIES_COMPAT_acme"), "{error}");
    }
}
