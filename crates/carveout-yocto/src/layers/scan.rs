//! Layers below a folder, by what their `conf/layer.conf` says.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// How deep layers lie at most, below the given folder.
pub const DEPTH: usize = 3;

/// A layer that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its folder.
    pub path: PathBuf,
    /// LAYERSERIES_COMPAT.
    pub series: Vec<String>,
    /// LAYERDEPENDS: collections of other layers.
    pub depends: Vec<String>,
    /// BBFILE_PRIORITY.
    pub priority: i64,
}

/// Layers by their collections.
pub type Collections = BTreeMap<String, Found>;

/// All layers below a folder. The first in the order of their paths counts.
pub fn below(dir: &Path) -> Collections {
    let mut found = Collections::new();
    scan(dir, DEPTH, &mut found);
    found
}

/// The layers whose folder this is: one, as a rule.
pub fn at(dir: &Path) -> Collections {
    let mut found = Collections::new();
    read(dir, &mut found);
    found
}

fn scan(dir: &Path, depth: usize, found: &mut Collections) {
    // BitBake's own tests have layers.
    if dir.join("bin/bitbake").is_file() {
        return;
    }
    read(dir, found);
    if depth == 0 {
        return;
    }
    // At the top a layer may be a link to where somebody works on it; deeper, links may lead anywhere.
    let is_folder = |entry: &fs::DirEntry| {
        entry
            .file_type()
            .is_ok_and(|kind| kind.is_dir() || (kind.is_symlink() && depth == DEPTH && entry.path().is_dir()))
    };
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = entries
        .filter(is_folder)
        .map(|entry| entry.path())
        .filter(|path| !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.')))
        .collect();
    folders.sort();
    folders.iter().for_each(|folder| scan(folder, depth - 1, found));
}

fn read(dir: &Path, found: &mut Collections) {
    let Ok(text) = fs::read_to_string(dir.join("conf/layer.conf")) else { return };
    for collection in words(&text, "BBFILE_COLLECTIONS") {
        let of = |variable: &str| words(&text, &format!("{variable}_{collection}"));
        let series = of("LAYERSERIES_COMPAT");
        // OE-Core says for which series it stands itself.
        let series = if series.is_empty() { words(&text, "LAYERSERIES_CORENAMES") } else { series };
        let priority = of("BBFILE_PRIORITY").first().and_then(|text| text.parse().ok()).unwrap_or(0);
        let depends = depends(&of("LAYERDEPENDS"));
        found.entry(collection).or_insert_with(|| Found { path: dir.into(), series, depends, priority });
    }
}

/// Names in LAYERDEPENDS, which may say versions as well: `core (>= 12)`, `core:12`.
fn depends(words: &[String]) -> Vec<String> {
    let text = words.join(" ");
    let mut names = Vec::new();
    for part in text.split(')') {
        let plain = part.split('(').next().unwrap_or_default();
        let words = plain.split_whitespace().filter_map(|word| word.split(':').next());
        // An expression is BitBake's to judge.
        let is_plain = |word: &&str| word.chars().all(|c| c.is_ascii_alphanumeric() || "-._+".contains(c));
        names.extend(words.filter(is_plain).map(str::to_owned));
    }
    names
}

/// The words that a variable is given or that are added to it, in a file of simple assignments.
pub fn words(text: &str, variable: &str) -> Vec<String> {
    let value = |line: &str| {
        let rest = line.trim_start().strip_prefix(variable)?.trim_start();
        let rest = rest.trim_start_matches(['?', '+', '.', ':']).strip_prefix('=')?.trim();
        Some(rest.trim_matches(['"', '\'']).to_owned())
    };
    let joined = text.replace("\\\n", " ");
    let values: Vec<String> = joined.lines().filter_map(value).collect();
    values.iter().flat_map(|value| value.split_whitespace()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_may_have_versions() {
        let of = |text: &str| depends(&words(text, "LAYERDEPENDS_a"));
        assert_eq!(of("LAYERDEPENDS_a = \"core tegra\"\nLAYERDEPENDS_a += 'b'\n"), ["core", "tegra", "b"]);
        assert_eq!(
            of("LAYERDEPENDS_a = \"core (>= 12) networking-layer:1 x\"\n"),
            ["core", "networking-layer", "x"]
        );
        assert_eq!(of("LAYERDEPENDS_a = \"core ${MORE}\"\n"), ["core"]);
        assert_eq!(of("LAYERDEPENDS_b = \"core\"\n"), Vec::<String>::new());
    }
}
