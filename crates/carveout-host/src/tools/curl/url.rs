//! Addresses of downloads, by RFC 3986: a character that it does not allow is refused, so that curl reads an address as we do.

use crate::error::Result;
use crate::errors::DownloadError;
use iri_string::types::UriAbsoluteStr;
use std::fmt;

/// Hosts of this machine. Others that resolve to it are not known to.
pub(super) const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// An address of HTTP or HTTPS. What is shown of it has neither user and password nor the query, which may be a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    https: bool,
    user: Option<String>,
    /// In small letters, with its port if it names one.
    host: String,
    loopback: bool,
    path: String,
    query: Option<String>,
}

impl Url {
    /// Reads an address.
    pub fn parse(text: &str) -> Result<Self> {
        let shown = || shown(text);
        let url = UriAbsoluteStr::new(text).map_err(|_| DownloadError::NotAUrl { url: shown() })?;
        let https = match url.scheme_str().to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return Err(DownloadError::NotHttp { url: shown() }.into()),
        };
        let authority = url.authority_components().filter(|authority| !authority.host().is_empty());
        let authority = authority.ok_or_else(|| DownloadError::NoHost { url: shown() })?;
        let name = authority.host().to_ascii_lowercase();
        let usual = if https { "443" } else { "80" };
        let port = authority.port().filter(|port| !port.is_empty() && *port != usual).map(str::parse::<u16>);
        let port = port.transpose().map_err(|_| DownloadError::WrongPort { url: shown() })?;
        let loopback = LOOPBACK.contains(&name.as_str());
        Ok(Self {
            https,
            user: authority.userinfo().map(str::to_owned),
            host: port.map_or_else(|| name.clone(), |port| format!("{name}:{port}")),
            loopback,
            path: url.path_str().to_owned(),
            query: url.query_str().map(str::to_owned),
        })
    }

    /// Whether nobody between both ends can read or change what is sent: HTTPS, or this machine itself.
    pub fn is_private(&self) -> bool {
        self.https || self.loopback
    }

    /// The address of a file below this one.
    pub fn below(&self, name: &str) -> Self {
        Self { path: format!("{}/{name}", self.path.trim_end_matches('/')), ..self.clone() }
    }

    /// The last part of the path; nothing that leads elsewhere.
    pub fn file_name(&self) -> Result<&str> {
        let name = self.path.rsplit('/').next().filter(|name| !name.starts_with('.') && !name.is_empty());
        name.ok_or_else(|| DownloadError::NoFileName { url: self.to_string() }.into())
    }

    /// The same for every user: who it is and a token make no difference.
    pub fn place(&self) -> String {
        format!("{}://{}{}", self.scheme(), self.host, self.path.trim_end_matches('/'))
    }

    pub(super) fn is_loopback(&self) -> bool {
        self.loopback
    }

    pub(super) fn is_https(&self) -> bool {
        self.https
    }

    /// With all secrets: for curl alone.
    pub(super) fn whole(&self) -> String {
        let user = self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let query = self.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}://{user}{}{}{query}", self.scheme(), self.host, self.path)
    }

    /// A text of curl's without the secrets of this address.
    pub(super) fn hide(&self, text: &str) -> String {
        let password =
            self.user.as_deref().and_then(|user| user.split_once(':')).map(|(_, password)| password);
        let secrets = [self.user.as_deref(), password, self.query.as_deref()];
        let secrets = secrets.into_iter().flatten().filter(|secret| !secret.is_empty());
        secrets.fold(text.to_owned(), |text, secret| text.replace(secret, "…"))
    }

    fn scheme(&self) -> &'static str {
        if self.https { "https" } else { "http" }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let user = if self.user.is_some() { "…@" } else { "" };
        let query = if self.query.is_some() { "?…" } else { "" };
        write!(f, "{}://{user}{}{}{query}", self.scheme(), self.host, self.path)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What is no address, without what may be a secret in it.
fn shown(text: &str) -> String {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let colon = if scheme.is_empty() { "" } else { "://" };
    let (rest, query) = rest.split_once(['?', '#']).map_or((rest, ""), |(rest, _)| (rest, "?…"));
    let (user, rest) = rest.rsplit_once('@').map_or(("", rest), |(_, rest)| ("…@", rest));
    format!("{scheme}{colon}{user}{rest}{query}").escape_debug().to_string().replace("\\u{2026}", "…")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_judged_by_the_host() {
        for (text, private) in [
            ("https://releases.example/x", true),
            ("HTTPS://releases.example:8443", true),
            ("http://127.0.0.1:8000/x", true),
            ("http://[::1]:8000/", true),
            ("http://LOCALHOST/x", true),
            ("http://me:x@localhost:1/x", true),
            ("http://localhost:x@evil.example/", false),
            ("http://127.0.0.1:@evil.example/", false),
            ("http://127.0.0.1:80@evil.example", false),
            ("http://localhost.evil.example/", false),
            ("http://%6cocalhost/", false),
            ("http://127.1/", false),
            ("http://evil.example/?@localhost/", false),
        ] {
            assert_eq!(Url::parse(text).unwrap().is_private(), private, "{text}");
        }
        for bad in [
            "",
            "x",
            "https:/x",
            "https://",
            "https://:80/",
            "https://h:65536/",
            "https://h:x/",
            "file:///etc/passwd",
            "ftp://h/x",
            "http://localhost\\@evil.example/",
            "https://h/a b",
            "https://h/\n",
            "https://h/{a,b}",
            "https://h/[1-9]",
            "https://u@v@h/",
            "https://h/x#y",
            "https://h/\"",
        ] {
            let error = Url::parse(bad).unwrap_err();
            assert_eq!(error.exit, crate::error::Exit::Usage, "{bad}");
        }
    }

    #[test]
    fn secrets_are_given_to_curl_and_to_nobody_else() {
        let url = Url::parse("https://me:pass@Host:8/a/?sig=token").unwrap();
        assert_eq!(url.to_string(), "https://…@host:8/a/?…");
        assert_eq!(format!("{url:?}"), url.to_string());
        let file = url.below("index.json");
        assert_eq!(file.whole(), "https://me:pass@host:8/a/index.json?sig=token");
        assert_eq!((file.file_name().unwrap(), url.place().as_str()), ("index.json", "https://host:8/a"));
        for (same, other) in [("https://h:443/a/", "https://H/a"), ("http://h:80", "http://h:/")] {
            assert_eq!(Url::parse(same).unwrap().place(), Url::parse(other).unwrap().place());
        }
        assert_eq!(url.hide("x me:pass y pass sig=token"), "x … y … …");
        for name in ["https://h", "https://h/", "https://h/a/..", "https://h/.x?y=z"] {
            assert!(Url::parse(name).unwrap().file_name().is_err(), "{name}");
        }
        let error = Url::parse("https://me:pass@h/{a}?token").unwrap_err().to_string();
        assert!(error.starts_with("https://…@h/{a}?…: is no URL"), "{error}");
    }
}
