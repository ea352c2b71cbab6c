//! A release from a channel: a folder, or a server over HTTPS.

use super::index::{Entry, INDEX, INDEX_SIGNATURE, Index, MAX_INDEX, MAX_SIGNED, Signed, attached};
use super::seen;
use crate::errors::ChannelError;
use bundle::{PublicKey, Source};
use carveout_host::error::{At, Error, Result};
use carveout_host::tools::curl;
use carveout_host::tools::curl::{Size, Url};
use carveout_host::ui::Ui;
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
    /// Whether an older release than was seen in the channel before is accepted.
    pub downgrade: bool,
    /// Where this user's downloads are kept, and what was seen of channels.
    pub state: &'a Path,
}

/// The archive of the newest release, which is fetched if it is elsewhere. It is what the index says of it.
pub fn newest(wanted: &Wanted, key: Option<&PublicKey>, ui: &Ui) -> Result<PathBuf> {
    let (place, channel) = wanted.place.rsplit_once('#').unwrap_or((wanted.place, CHANNEL));
    if place.contains("://") {
        return from_server(wanted, &server(place)?, channel, key, ui);
    }
    let folder = Path::new(place);
    let signed = Signed::read(folder)?.ok_or_else(|| ChannelError::NoIndex { place: place.into() })?;
    let index = signed.index(folder, key)?;
    let entry = choose(wanted, &index, place, channel)?;
    let absolute = fs::canonicalize(folder).at(folder)?.display().to_string();
    admit(wanted, &absolute, channel, &entry, key.is_some())?;
    ui.note(&format!("{place}#{channel}: {} is the newest", entry.bundle));
    let archive = folder.join(&entry.archive);
    let metadata = fs::metadata(&archive).at(&archive)?;
    if !metadata.is_file() || metadata.len() != entry.size {
        let (place, archive) = (place.into(), entry.archive);
        return Err(ChannelError::OtherSize { place, archive, size: entry.size }.into());
    }
    if bundle::hash_file(&archive).at(&archive)?.sha256 != entry.sha256 {
        return Err(ChannelError::OtherArchive { place: place.into(), archive: entry.archive }.into());
    }
    agrees(place, &entry, &archive)?;
    Ok(archive)
}

/// The address of a channel: nobody between may read who asks, or change what comes.
fn server(place: &str) -> Result<Url> {
    let url = Url::parse(place)
        .map_err(|error| Error { message: format!("--channel {}", error.message), ..error })?;
    if url.is_private() {
        return Ok(url);
    }
    Err(ChannelError::NotHttps { url: url.to_string() }.into())
}

fn from_server(
    wanted: &Wanted,
    base: &Url,
    channel: &str,
    key: Option<&PublicKey>,
    ui: &Ui,
) -> Result<PathBuf> {
    let key = key.ok_or_else(|| ChannelError::NoKey { url: base.to_string() })?;
    let (shown, cache) = (base.to_string(), wanted.state.join("releases"));
    fs::create_dir_all(&cache).at(&cache)?;
    let signature = curl::text(&base.below(INDEX_SIGNATURE), MAX_SIGNED, &cache, ui)?;
    // One file: what is renamed or uploaded meanwhile cannot come between.
    let text = match attached(&signature) {
        Some(text) => text.to_vec(),
        None => curl::text(&base.below(INDEX), MAX_INDEX, &cache, ui)?,
    };
    let index = Index::parse(&shown, &text, Some(&signature), Some(key))?;
    let entry = choose(wanted, &index, &shown, channel)?;
    admit(wanted, &base.place(), channel, &entry, true)?;
    ui.note(&format!("{shown}#{channel}: {} is the newest", entry.bundle));
    let name = format!("{}-{}.tar.zst", entry.sha256.get(..16).unwrap_or_default(), entry.bundle);
    let file = cache.join(name);
    curl::fetch(&base.below(&entry.archive), &entry.sha256, Size::Exactly(entry.size), &file, ui)?;
    agrees(&shown, &entry, &file)?;
    Ok(file)
}

fn admit(wanted: &Wanted, place: &str, channel: &str, entry: &Entry, signed: bool) -> Result<()> {
    let folder = wanted.state.join("channels");
    seen::admit(&folder, &format!("{place}#{channel}"), entry, signed, wanted.downgrade)
}

/// What the index says of a release is what its bundle says of itself.
fn agrees(place: &str, entry: &Entry, archive: &Path) -> Result<()> {
    let source = Source::Archive(archive.into());
    let (manifest, _) = bundle::extract(&source, |_| false)
        .map_err(|e| ChannelError::ArchiveNotRead { path: archive.into(), source: e.into() })?;
    let own = Entry::new(&manifest, entry.size, entry.sha256.clone());
    let both = [
        ("bundle", &entry.bundle, &own.bundle),
        ("name", &entry.name, &own.name),
        ("version", &entry.version, &own.version),
        ("board", &entry.board, &own.board),
        ("security_version", &entry.security_version.to_string(), &own.security_version.to_string()),
    ];
    match both.iter().find(|(_, says, is)| says != is) {
        None => Ok(()),
        Some((field, index, bundle)) => Err(ChannelError::IndexDisagrees {
            place: place.into(),
            archive: entry.archive.clone(),
            field,
            index: index.to_string(),
            bundle: bundle.to_string(),
        }
        .into()),
    }
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
        (None, _) => Err(ChannelError::NoRelease { place: place.into(), channel: channel.into() }.into()),
        (Some(_), _) => {
            let products = products.iter().map(ToString::to_string).collect();
            let (place, channel) = (place.into(), channel.into());
            Err(ChannelError::SeveralProducts { place, channel, products }.into())
        }
    }
}
