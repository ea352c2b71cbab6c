//! What can go wrong with the layers of a build.

use crate::layers::SERIES;
use std::io;
use std::path::PathBuf;

/// What a layer says of its series.
fn told(series: &[String]) -> String {
    if series.is_empty() { "says no series".into() } else { format!("is for {}", series.join(", ")) }
}

carveout_host::errors! {
    /// What can go wrong with the layers of a build, and with BitBake among them.
    pub enum LayersError("yocto::layers") {
        /// The folder of the layers cannot be opened.
        NoFolder { path: PathBuf, source: io::Error } => usage "no-folder":
            ("--layers {}: {source}", path.display()),
            help ("name a folder with clones of OE-Core, BitBake, meta-tegra and meta-rust-bin");
        /// A folder that the kas file names as a layer is not one.
        NotALayer { path: PathBuf } => usage "not-a-layer":
            ("{}: is no layer: it has no conf/layer.conf", path.display()),
            help ("correct the layers of that repository in the kas file");
        /// Layers that carveout needs are not in the folder.
        Missing { path: PathBuf, layers: Vec<String> } => usage "missing":
            ("{}: layers are missing:\n  {}", path.display(), layers.join("\n  ")),
            help ("clone them into that folder");
        /// A layer that carveout needs is checked out for another release of Yocto.
        WrongSeries { path: PathBuf, series: Vec<String>, origin: &'static str } => usage "wrong-series":
            ("{}: {}; carveout's layer is for {SERIES}", path.display(), told(series)),
            help ("check it out as: {origin}");
        /// A layer of the user's own is for another release of Yocto.
        OwnOfWrongSeries { path: PathBuf, series: Vec<String>, layer: String } => usage "own-of-wrong-series":
            ("{}: {}; carveout's layer is for {SERIES}", path.display(), told(series)),
            help (
                "check out its branch for {SERIES}, or add {SERIES} to LAYERSERIES_COMPAT_{layer} of its \
                 conf/layer.conf"
            );
        /// A layer depends on one that is not there.
        DependencyMissing { path: PathBuf, layer: String, dependency: String } => usage "dependency-missing":
            ("{}: LAYERDEPENDS_{layer} has {dependency}, and no layer is called so", path.display()),
            help (
                "clone the layer with BBFILE_COLLECTIONS += \"{dependency}\" beside the others, or add it to the \
                 kas file"
            );
        /// BitBake is in none of the folders where it is looked for.
        BitBakeMissing { path: PathBuf, folder: PathBuf } => usage "bitbake-missing":
            ("{}: BitBake is missing", path.display()),
            help ("clone https://git.openembedded.org/bitbake, branch 2.0, to {}", folder.display());
        /// BitBake is of another version than the layers need.
        BitBakeVersion { path: PathBuf, version: String } => usage "bitbake-version":
            ("{}: is BitBake {version}; {SERIES} wants 2.0", path.display()),
            help ("check out its branch 2.0");
    }
}
