//! A release from a channel: a folder, or a server over HTTPS.

use super::index::{Entry, INDEX, INDEX_SIGNATURE, Index, MAX_INDEX, MAX_SIGNED, Signed, attached};
use crate::error::{At, Error, Result};
use crate::tools::curl;
use crate::ui::Ui;
use bundle::PublicKey;
use std::fs;
use std::path::{Path, PathBuf};

/// The channel that is meant where none is named.
const CHANNEL: &str = "stable";

/// Which of a channel's releases is wanted.
pub struct Wanted<'a> {
    /// `URL` or folder, and behind a `#` the channel.
    pub place: &'a str,
    /// The product, if it matters.
    pub product: Option<&'a str>,
    /// Whether it is for virt devices.
    pub virt: bool,
}

/// The archive of the newest release, which is fetched if it is elsewhere.
pub fn newest(wanted: &Wanted, key: Option<&PublicKey>, ui: &Ui) -> Result<PathBuf> {
    let (place, channel) = wanted.place.rsplit_once('#').unwrap_or((wanted.place, CHANNEL));
    let remote = place.contains("://");
    if remote && key.is_none() {
        return Err(Error::usage(format!("--channel {place}: a server is trusted by its signature alone"))
            .remedy("give --key PUB: the public key of who signs the releases"));
    }
    let local = ["http://127.0.0.1:", "http://[::1]:", "http://localhost:"];
    if remote && !place.starts_with("https://") && !local.iter().any(|start| place.starts_with(start)) {
        return Err(Error::usage(format!("--channel {place}: neither HTTPS nor a folder"))
            .remedy("serve the releases over HTTPS"));
    }
    let base = place.trim_end_matches('/');
    let index = if remote {
        let cache = cache()?;
        let signature = curl::text(&format!("{base}/{INDEX_SIGNATURE}"), MAX_SIGNED, &cache, ui)?;
        // One file: what is renamed or uploaded meanwhile cannot come between.
        let text = match attached(&signature) {
            Some(text) => text.to_vec(),
            None => curl::text(&format!("{base}/{INDEX}"), MAX_INDEX, &cache, ui)?,
        };
        Index::parse(base, &text, Some(&signature), key)?
    } else {
        let signed = Signed::read(Path::new(place))?.ok_or_else(|| {
            Error::usage(format!("--channel {place}: there is no {INDEX}"))
                .remedy("name a folder that `cargo xtask release` has written, or the URL of one")
        })?;
        signed.index(Path::new(place), key)?
    };
    let entry = choose(wanted, &index, if remote { base } else { place }, channel)?;
    ui.note(&format!("{base}#{channel}: {} is the newest", entry.bundle));
    if !remote {
        return Ok(Path::new(place).join(&entry.archive));
    }
    let file = cache()?.join(format!("{}-{}", entry.sha256.get(..16).unwrap_or_default(), entry.bundle));
    let mut name = file.into_os_string();
    name.push(".tar.zst");
    let file = PathBuf::from(name);
    curl::fetch(&format!("{base}/{}", entry.archive), &entry.sha256, &file, ui)?;
    Ok(file)
}

/// The first entry that is meant.
fn choose(wanted: &Wanted, index: &Index, place: &str, channel: &str) -> Result<Entry> {
    let entries = index.channel(place, channel)?;
    let meant = |entry: &&Entry| {
        (entry.board == "virt") == wanted.virt && wanted.product.is_none_or(|name| entry.name == name)
    };
    let mut products: Vec<&str> = entries.iter().filter(meant).map(|entry| entry.name.as_str()).collect();
    products.sort_unstable();
    products.dedup();
    match (entries.iter().find(meant), &products[..]) {
        (Some(entry), [_]) => Ok(entry.clone()),
        (None, _) => Err(Error::usage(format!("{place}#{channel}: has no release for such a device"))
            .remedy("see its index.json; --product chooses among products")),
        (Some(_), _) => Err(Error::usage(format!("{place}#{channel}: has products {}", products.join(", ")))
            .remedy("choose one with --product")),
    }
}

/// Where downloads lie.
fn cache() -> Result<PathBuf> {
    let folder = crate::vendor::license::state().join("releases");
    fs::create_dir_all(&folder).at(&folder)?;
    Ok(folder)
}
