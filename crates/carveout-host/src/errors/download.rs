//! What can go wrong with downloads.

use crate::tools::curl::{MOST_TIMEOUT, TIMEOUT};
use std::io;
use std::path::PathBuf;

crate::errors! {
    /// What can go wrong with downloads. No address in here has a user, a password or a query.
    pub enum DownloadError("host::download") {
        /// An address is not a URL.
        NotAUrl { url: String } => usage "not-a-url": ("{url}: is no URL"),
            help ("expected https://HOST/PATH; other characters than those of RFC 3986 are written as %XX");
        /// An address is neither of HTTPS nor of HTTP.
        NotHttp { url: String } => usage "not-http": ("{url}: is neither https:// nor http://"),
            help ("expected https://HOST/PATH; other characters than those of RFC 3986 are written as %XX");
        /// An address names no host.
        NoHost { url: String } => usage "no-host": ("{url}: names no host"),
            help ("expected https://HOST/PATH; other characters than those of RFC 3986 are written as %XX");
        /// The port of an address is not a number from 0 to 65535.
        WrongPort { url: String } => usage "wrong-port": ("{url}: its port is none"),
            help ("expected https://HOST/PATH; other characters than those of RFC 3986 are written as %XX");
        /// An address does not end with the name of a file.
        NoFileName { url: String } => usage "no-file-name": ("{url}: its last part is no file's name"),
            help ("name the file itself, such as https://HOST/DIR/FILE.tbz2");
        /// CARVEOUT_DOWNLOAD_TIMEOUT is not a number of seconds that is allowed.
        WrongTimeout { given: String } => usage "wrong-timeout":
            ("CARVEOUT_DOWNLOAD_TIMEOUT: `{}` is no number of seconds", given.escape_debug()),
            help ("set it to 1 to {MOST_TIMEOUT}, or unset it: then it is {TIMEOUT}");
        /// A server sends a file that is larger than it may be.
        FileTooLong { url: String, most: u64 } => check "file-too-long":
            ("{url}: the server sends more than the {most} bytes that it may have"),
            help ("it has been removed; ask who runs the server, or run the command again");
        /// A server sends a text that is longer than it may be.
        TextTooLong { url: String, most: u64 } => check "text-too-long":
            ("{url}: the server sends more than the {most} bytes that it may have"),
            help ("ask who runs the server");
        /// A server sends a file that has another size than is expected.
        WrongLength { url: String, length: u64, expected: u64 } => check "wrong-length":
            ("{url}: what came has {length} bytes, expected {expected}"),
            help ("it has been removed; ask who runs the server, or run the command again");
        /// A server sends a file that has another SHA-256 than is expected.
        WrongChecksum { url: String, found: String, length: u64, expected: String } => check "wrong-checksum":
            ("{url}: what came has sha256 {found} ({length} bytes), expected {expected}"),
            help ("it has been removed; ask who runs the server, or run the command again");
        /// A file that was downloaded earlier has another SHA-256 or another size than is expected.
        FileChanged { url: String, path: PathBuf, found: String, length: u64, expected: String }
            => check "file-changed":
            ("{url}: {} has sha256 {found} ({length} bytes), expected {expected}", path.display()),
            help ("run the command again: the file has been removed");
        /// Something other than a regular file has the name of a file that is being downloaded.
        PartNotAFile { path: PathBuf } => usage "part-not-a-file": ("{}: is no regular file", path.display()),
            help ("remove it: rm {}", path.display());
        /// The certificate of a server cannot be verified.
        UnknownCertificate { url: String, said: String } => environment "unknown-certificate": ("{url}: {said}"),
            help ("see whether this host's clock is right (date), and whether it knows who signed the server's \
                certificate");
        /// A server is silent or slow for too long.
        TimedOut { url: String, said: String } => environment "timed-out": ("{url}: {said}"),
            help ("check the network; if the line is slow, set CARVEOUT_DOWNLOAD_TIMEOUT to more seconds");
        /// A server redirects to an address that is not of HTTPS.
        RedirectNotHttps { url: String, said: String } => environment "redirect-not-https": ("{url}: {said}"),
            help ("the server redirects to something else than HTTPS: ask who runs it, or name the last address \
                itself");
        /// A server asks for a user and a password, or refuses those that it was given.
        AccessDenied { url: String, said: String } => environment "access-denied": ("{url}: {said}"),
            help ("put the user and the password into ~/.netrc (curl(1), --netrc), or ask who runs the server");
        /// A file cannot be downloaded for another reason, which curl tells.
        FileNotFetched { url: String, said: String } => environment "file-not-fetched": ("{url}: {said}"),
            help ("check the network and run the command again: it goes on where it stopped");
        /// A text cannot be downloaded for another reason, which curl tells.
        TextNotFetched { url: String, said: String } => environment "text-not-fetched": ("{url}: {said}"),
            help ("check the address and the network");
        /// What curl has downloaded cannot be read from it.
        CurlNotRead { url: String, source: io::Error } => environment "curl-not-read":
            ("{url}: reading from curl: {source}");
        /// curl was started without the pipes that it is talked to through.
        NoPipes { url: String } => environment "no-pipes": ("{url}: curl has no pipes");
    }
}
