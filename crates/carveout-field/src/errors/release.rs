//! Folders of releases, and channels.

use carveout_host::error::Cause;
use std::path::PathBuf;

carveout_host::errors! {
    /// What can go wrong where releases are published.
    pub enum ReleaseError("field::release") {
        /// A folder has the name of the release but is not a whole signed release, and no channel names it.
        NotWhole { path: PathBuf, key: String, why: String } => check "not-whole":
            ("{path}: is there, but is no whole release by key {key}: {why}", path = path.display()),
            help ("no channel names it: remove it (rm -r {path}) and run the command again", path = path.display());
        /// A folder has the name of the release but is not a whole signed release, and a channel names it.
        NotWholeInChannel { path: PathBuf, key: String, why: String } => check "not-whole-in-channel":
            ("{path}: is there, but is no whole release by key {key}: {why}", path = path.display()),
            help (
                "a channel names it: bring it back from a copy, such as the server's; or raise `version` in the \
                 product config"
            );
        /// There is another release of the same name already.
        Already { path: PathBuf, why: String } => usage "released-already":
            ("{path}: is released already, and a release never changes: {why}", path = path.display()),
            help ("raise `version` in the product config");
        /// The index of the releases cannot be written as JSON.
        IndexNotEncoded { source: Cause } => check "index-not-encoded": ("{source}");
    }
}

carveout_host::errors! {
    /// What can go wrong with a channel of releases.
    pub enum ChannelError("field::channel") {
        /// A key was given, and the index of the channel has no signature.
        NoSignature { place: String } => check "no-signature": ("{place}: index.json.minisig is missing"),
            help ("do not flash from it; ask who runs the channel, and see whether --key is theirs");
        /// The signature of the index is not one by the given key.
        BadSignature { place: String, source: Cause } => check "bad-signature": ("{place}: {source}"),
            help ("do not flash from it; ask who runs the channel, and see whether --key is theirs");
        /// The index of the channel is not the JSON of an index.
        BadIndex { place: String, source: Cause } => check "bad-index": ("{place}: {source}"),
            help ("do not flash from it; ask who runs the channel, and see whether --key is theirs");
        /// The index of the channel has a format that this carveout does not read.
        UnknownFormat { place: String, format: u32, known: u32 } => check "unknown-format":
            ("{place}: format {format}; this carveout reads format {known}"),
            help ("do not flash from it; ask who runs the channel, and see whether --key is theirs");
        /// An entry of the index does not name a release in the form that releases have.
        BadEntry { place: String, entry: String } => check "bad-entry":
            ("{place}: an entry is none: {entry}", entry = entry.escape_debug()),
            help ("do not flash from it; ask who runs the channel, and see whether --key is theirs");
        /// The index does not have the channel that was named.
        NoSuchChannel { place: String, channel: String, channels: Vec<String> } => usage "no-such-channel":
            ("{place}: has no channel {channel}; there are {channels}", channels = channels.join(", ")),
            help ("name one of them behind a #: --channel PLACE#stable");
        /// The folder that was named as a channel has no index.
        NoIndex { place: String } => usage "no-index": ("--channel {place}: there is no index.json"),
            help ("name a folder that `cargo xtask release` has written, or the URL of one");
        /// The address of the channel is not an HTTPS address.
        NotHttps { url: String } => usage "not-https": ("--channel {url}: neither HTTPS nor a folder"),
            help ("serve the releases over HTTPS");
        /// A channel on a server was named without the key of those who sign its releases.
        NoKey { url: String } => usage "no-key": ("--channel {url}: a server is trusted by its signature alone"),
            help ("give --key PUB: the public key of who signs the releases");
        /// The archive of a release has another size than the index says.
        OtherSize { place: String, archive: String, size: u64 } => check "other-size":
            ("{place}: index.json says that {archive} has {size} bytes, and it has not"),
            help ("do not flash from it; ask who runs the channel, and see whether --key is theirs");
        /// The archive of a release has another SHA-256 than the index says.
        OtherArchive { place: String, archive: String } => check "other-archive":
            ("{place}: {archive} is not the file that index.json means"),
            help ("do not flash from it; ask who runs the channel, and see whether --key is theirs");
        /// The archive of a release cannot be read.
        ArchiveNotRead { path: PathBuf, source: Cause } => check "archive-not-read":
            ("{path}: {source}", path = path.display()),
            help ("do not flash it");
        /// The index says something else of a release than its bundle says of itself.
        IndexDisagrees { place: String, archive: String, field: &'static str, index: String, bundle: String }
            => check "index-disagrees":
            ("{place}: index.json says {field} {index} of {archive}, whose bundle says {bundle}"),
            help ("do not flash from it; ask who runs the channel, and see whether --key is theirs");
        /// The channel has no release of that product for such a device.
        NoRelease { place: String, channel: String } => usage "no-release":
            ("{place}#{channel}: has no release for such a device"),
            help ("see its index.json; --product chooses among products");
        /// The channel has releases of several products, and none was chosen.
        SeveralProducts { place: String, channel: String, products: Vec<String> } => usage "several-products":
            ("{place}#{channel}: has products {products}", products = products.join(", ")),
            help ("choose one with --product");
        /// The newest release of the channel is older than one that this user has seen there.
        Older {
            channel: String,
            product: String,
            version: String,
            security_version: u32,
            seen: String,
            seen_security_version: u32,
        } => check "older-than-seen": (
            "{channel}: its newest release of {product} is {version} (security version {security_version}), and \
             {seen} (security version {seen_security_version}) has been seen there: the index is an old one, or a \
             release was taken back"
        ), help ("ask who runs the channel; --allow-downgrade takes the older release all the same");
        /// The record of the newest release that was seen in a channel cannot be read.
        SeenNotRead { path: PathBuf, source: Cause } => check "seen-not-read": (
            "{path}: {source}: which release of the channel was seen last is unknown",
            path = path.display()
        ), help ("see which version the devices have, and remove the record: rm {path}", path = path.display());
        /// The record of the newest release that was seen in a channel cannot be written as JSON.
        SeenNotEncoded { source: Cause } => check "seen-not-encoded": ("{source}");
    }
}
