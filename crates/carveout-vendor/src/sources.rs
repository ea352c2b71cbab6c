//! NVIDIA's Trusty and ATF sources: copied, and mended for today's compilers where that is missing.

mod edits;

use crate as vendor;
use crate::errors::SourcesError;
use crate::{Vendor, copy};
use carveout_host::error::Result;
use carveout_host::tools::Scratch;
use carveout_product::Build;
use carveout_product::Monitor;
use stage_cache::{Key, Output};
use std::path::{Path, PathBuf};

/// Folder of Trusty in the stage's directory.
pub const TRUSTY: &str = "trusty";
/// Folder of the monitor (ATF), if it is built.
pub const ATF: &str = "atf";

/// A source tree that is looked for.
struct Tree {
    /// What people call it.
    name: &'static str,
    /// NVIDIA's tarball of it, in the tarball of all public sources.
    tarball: &'static str,
    /// Where it may lie below what is given.
    places: &'static [&'static str],
    /// A file by which it is known.
    mark: &'static str,
}

const TRUSTY_TREE: Tree = Tree {
    name: "Trusty",
    tarball: "trusty_src.tbz2",
    places: &["", "trusty", "trusty/trusty", "atf_and_trusty/trusty/trusty", "atf_and_trusty/trusty"],
    mark: "lk/trusty/lib/trusty/trusty_app.c",
};
const ATF_TREE: Tree = Tree {
    name: "ATF",
    tarball: "atf_src.tbz2",
    places: &[
        "",
        "arm-trusted-firmware",
        "atf",
        "atf/arm-trusted-firmware",
        "atf_and_trusty/atf/arm-trusted-firmware",
    ],
    mark: "plat/nvidia/tegra/soc/t194/platform_t194.mk",
};
/// Where NVIDIA's tarball of all sources keeps the others.
const INNER: [&str; 3] = ["Linux_for_Tegra/source/public", "source/public", ""];

/// The stage's directory.
pub fn run(build: &Build) -> Result<Output> {
    let with_monitor = build.product.l4t.as_ref().is_some_and(|l4t| l4t.monitor == Monitor::Sources);
    let given = vendor::locate(build, Vendor::Sources)?;
    let key = Key::of(crate::code(file!()))
        .with("given", vendor::stamp(&given, is_source)?)
        .with("monitor", with_monitor)
        .with("edits", edits::digest());
    let output = build.cache.stage("sources", key, |work| {
        let (trusty, atf) = gather(&given, with_monitor, work.out, work.log)?;
        edits::apply(&edits::TRUSTY, &work.out.join(TRUSTY), &trusty)?;
        atf.map_or(Ok(()), |atf| edits::apply(&edits::ATF, &work.out.join(ATF), &atf))
    })?;
    // What the bundle says of them.
    build.sources.get_or_init(|| output.content.clone());
    Ok(output)
}

/// Copies the trees, as NVIDIA has them, out of a folder or a tarball. Where Trusty and ATF were found.
pub fn gather(
    given: &Path,
    with_monitor: bool,
    out: &Path,
    log: &Path,
) -> Result<(PathBuf, Option<PathBuf>)> {
    let opened = vendor::open(given, &["*/kernel_src.tbz2"], log)?;
    let mut kept = Vec::new();
    let trusty = find(&TRUSTY_TREE, &opened.dir, given, &mut kept, log)?;
    copy::tree(&trusty, &out.join(TRUSTY), &is_source)?;
    let atf = with_monitor.then(|| {
        let atf = find(&ATF_TREE, &opened.dir, given, &mut kept, log)?;
        copy::tree(&atf, &out.join(ATF), &is_source).map(|()| atf)
    });
    Ok((trusty, atf.transpose()?))
}

/// What builds leave in a tree is no source.
fn is_source(path: &str) -> bool {
    const PRODUCTS: [&str; 5] = ["/build-t186/", "/t186ref/", "/t194ref/", "/.git/", "/.repo/"];
    let slashed = format!("/{path}");
    let compiled = [".o", ".d", ".pyc", ".a", ".tbz2", ".tar.gz"].iter().any(|end| path.ends_with(end));
    !PRODUCTS.iter().any(|product| slashed.contains(product)) && !compiled
}

/// A tree in what is given, or in a tarball in it, which is then unpacked into a scratch folder.
fn find(tree: &Tree, dir: &Path, given: &Path, kept: &mut Vec<Scratch>, log: &Path) -> Result<PathBuf> {
    let unpacked = |dir: &Path| {
        let places = tree.places.iter().map(|place| dir.join(place));
        places.into_iter().find(|place| place.join(tree.mark).is_file())
    };
    if let Some(found) = unpacked(dir) {
        return Ok(found);
    }
    let tarballs = INNER.iter().map(|inner| dir.join(inner).join(tree.tarball));
    if let Some(tarball) = tarballs.into_iter().find(|path| path.is_file()) {
        let scratch = carveout_host::tools::scratch("vendor")?;
        vendor::unpack(&tarball, scratch.path(), &[], log)?;
        let found = unpacked(scratch.path());
        kept.push(scratch);
        if let Some(found) = found {
            return Ok(found);
        }
    }
    let Tree { name, tarball, mark, .. } = *tree;
    Err(SourcesError::NoTree { path: given.into(), name, tarball, mark }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_are_no_sources() {
        for product in ["t186ref/build-t186/lk.bin", "lk/x.o", ".git/HEAD", "a/.git/x"] {
            assert!(!is_source(product), "{product}");
        }
        for source in ["lk/common/make/macros.mk", "makefile", "lib/", "app/x/manifest.c"] {
            assert!(is_source(source), "{source}");
        }
    }
}
