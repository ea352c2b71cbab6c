//! The URL of a git remote as attestations name it: an absolute URI whose scheme is `git+…`, without secrets.
//!
//! Sources: git-fetch(1), "GIT URLS"; SPDX 2.3, "package download location"; RFC 3986.

/// A remote's URL that cannot be named as a source.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RemoteError {
    /// A folder of the host: nobody else knows it.
    Folder,
    /// A scheme other than https, http, ssh, git and file, or a URL without a host or a path.
    Unknown,
}

/// Where a repository can be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    scheme: &'static str,
    /// Of an ssh URL: git needs it.
    user: Option<String>,
    host: String,
    port: Option<String>,
    /// Percent-encoded, begins with a slash.
    path: String,
}

impl Remote {
    /// Reads what `git remote get-url` says: a URL or `[user@]host:path`. User and password of http, a password of ssh, query and
    /// fragment are dropped: tokens are kept there.
    pub fn parse(text: &str) -> Result<Self, RemoteError> {
        let text = text.trim();
        let Some((scheme, rest)) = text.split_once("://") else { return Self::scp(text) };
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "https" | "git+https" => "https",
            "http" | "git+http" => "http",
            "ssh" | "git+ssh" | "ssh+git" => "ssh",
            "git" => "git",
            "file" => "file",
            _ => return Err(RemoteError::Unknown),
        };
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = rest.split_at(rest.find('/').ok_or(RemoteError::Unknown)?);
        if scheme == "file" {
            let local = authority.is_empty() || authority.eq_ignore_ascii_case("localhost");
            return if local { Self::new(scheme, None, "", None, path) } else { Err(RemoteError::Unknown) };
        }
        let (user, place) = authority.rsplit_once('@').map_or((None, authority), |(u, p)| (Some(u), p));
        let (host, port) = match place.rsplit_once(':') {
            // In an IPv6 address there are colons, too.
            Some((host, port)) if !port.contains(']') => (host, Some(port).filter(|port| !port.is_empty())),
            _ => (place, None),
        };
        if port.is_some_and(|port| port.parse::<u16>().is_err()) {
            return Err(RemoteError::Unknown);
        }
        Self::new(scheme, user, host, port, path)
    }

    /// `[user@]host:path`, as ssh and scp have it. With a slash before the colon it is a folder.
    fn scp(text: &str) -> Result<Self, RemoteError> {
        // `transport::address` is for a helper program.
        if text.split(['/', '@', '[']).next().is_some_and(|start| start.contains("::")) {
            return Err(RemoteError::Unknown);
        }
        let behind = text.find(']').filter(|_| text.contains('[')).unwrap_or(0);
        let colon = text.get(behind..).and_then(|rest| rest.find(':')).map(|at| at + behind);
        let Some((place, path)) = colon.and_then(|at| Some((text.get(..at)?, text.get(at + 1..)?))) else {
            return Err(RemoteError::Folder);
        };
        if place.contains('/') {
            return Err(RemoteError::Folder);
        }
        // `user:password@host:path` is no form of git's, which takes `user` for the host: a password must not get into the path.
        if path.split_once('@').is_some_and(|(_, rest)| rest.contains(':')) {
            return Err(RemoteError::Unknown);
        }
        let (user, host) = place.rsplit_once('@').map_or((None, place), |(u, h)| (Some(u), h));
        Self::new("ssh", user, host, None, &format!("/{}", path.trim_start_matches('/')))
    }

    fn new(
        scheme: &'static str,
        user: Option<&str>,
        host: &str,
        port: Option<&str>,
        path: &str,
    ) -> Result<Self, RemoteError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-._~[]:%".contains(c);
        let no_host = host.is_empty() && scheme != "file";
        let path = path.trim_end_matches('/');
        if no_host || !host.chars().all(plain) || path.is_empty() {
            return Err(RemoteError::Unknown);
        }
        let user = user.filter(|_| scheme == "ssh").map(|user| user.split(':').next().unwrap_or_default());
        Ok(Self {
            scheme,
            user: user.filter(|user| !user.is_empty()).map(encoded),
            host: host.to_ascii_lowercase(),
            port: port.map(str::to_owned),
            path: encoded(path),
        })
    }

    /// The URI: `git+https://example.com/team/apps.git`.
    pub fn uri(&self) -> String {
        let user = self.user.as_ref().map(|user| format!("{user}@")).unwrap_or_default();
        let port = self.port.as_ref().map(|port| format!(":{port}")).unwrap_or_default();
        format!("git+{}://{user}{}{port}{}", self.scheme, self.host, self.path)
    }

    /// Host and path, without what differs between the ways to the same repository: `example.com/team/apps`. None of a folder.
    pub fn name(&self) -> Option<String> {
        let path = self.path.strip_suffix(".git").unwrap_or(&self.path);
        (!self.host.is_empty()).then(|| format!("{}{path}", self.host))
    }
}

/// All that may not stand in a URI's path is percent-encoded; what is encoded stays.
pub fn encoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let hex = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_hexdigit);
    let one = |(at, byte): (usize, &u8)| match byte {
        b'%' if hex(at + 1) && hex(at + 2) => "%".to_owned(),
        byte if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(byte) => {
            char::from(*byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    bytes.iter().enumerate().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Result<String, RemoteError> {
        Remote::parse(text).map(|remote| remote.uri())
    }

    #[test]
    fn every_form_becomes_a_uri() {
        for (text, expected) in [
            ("https://example.com/team/apps.git", "git+https://example.com/team/apps.git"),
            ("https://Example.COM:8443/team/apps/", "git+https://example.com:8443/team/apps"),
            ("git@example.com:team/apps.git", "git+ssh://git@example.com/team/apps.git"),
            ("example.com:/srv/apps.git", "git+ssh://example.com/srv/apps.git"),
            ("git@[2001:db8::1]:apps.git", "git+ssh://git@[2001:db8::1]/apps.git"),
            ("ssh://git@example.com:2222/team/apps.git", "git+ssh://git@example.com:2222/team/apps.git"),
            ("ssh://[2001:db8::1]/apps", "git+ssh://[2001:db8::1]/apps"),
            ("git://example.com/apps", "git+git://example.com/apps"),
            ("file:///srv/apps.git", "git+file:///srv/apps.git"),
            ("https://example.com/a b/ü\n", "git+https://example.com/a%20b/%C3%BC"),
            ("https://example.com/a%20b", "git+https://example.com/a%20b"),
            ("git@example.com:100%/a", "git+ssh://git@example.com/100%25/a"),
        ] {
            assert_eq!(uri(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn secrets_are_dropped() {
        for (text, expected) in [
            ("https://user:s3cret@example.com/a.git", "git+https://example.com/a.git"),
            ("https://s3cret@example.com/a.git", "git+https://example.com/a.git"),
            ("https://user:s3@cret@example.com/a.git", "git+https://example.com/a.git"),
            ("https://oauth2:s3cret@example.com:443/a.git", "git+https://example.com:443/a.git"),
            ("https://example.com/a.git?private_token=s3cret", "git+https://example.com/a.git"),
            ("https://example.com/a.git#s3cret", "git+https://example.com/a.git"),
            ("ssh://git:s3cret@example.com/a.git", "git+ssh://git@example.com/a.git"),
        ] {
            assert_eq!(uri(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_names_no_place_is_refused() {
        for folder in ["/srv/apps.git", "../apps", "apps", "./a:b", "", "~/x"] {
            assert_eq!(uri(folder), Err(RemoteError::Folder), "{folder}");
        }
        for other in [
            "ext::sh -c x",
            "codecommit::eu-west-1://apps",
            "s3://bucket/x",
            "https://",
            "https:///x",
            "https://example.com",
            "https://example.com/",
            "https://example.com:port/x",
            "https://exa mple.com/x",
            "ssh://host:99999/x",
            "file://elsewhere/x",
            "host:",
            ":x",
            "git:s3cret@example.com:a.git",
        ] {
            assert_eq!(uri(other), Err(RemoteError::Unknown), "{other}");
        }
    }

    #[test]
    fn a_repository_has_one_name() {
        let name = |text: &str| Remote::parse(text).unwrap().name();
        for text in [
            "https://token@example.com/team/apps.git",
            "git@example.com:team/apps.git",
            "ssh://git@example.com:2222/team/apps",
        ] {
            assert_eq!(name(text).as_deref(), Some("example.com/team/apps"), "{text}");
        }
        assert_eq!(name("file:///srv/apps.git"), None);
    }
}
