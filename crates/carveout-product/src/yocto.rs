//! What a product says of BitBake: the image, and servers that builds share. All of it is off by default.

use super::locate::Step::Key;
use super::report::Reporter;
use crate::errors::YoctoError;
use carveout_host::error::Result;
use serde::Deserialize;

/// What BitBake is told.
#[derive(Debug, Default, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Yocto"))]
#[serde(deny_unknown_fields)]
pub struct YoctoFile {
    /// The recipe of the image in the bundle; without it `carveout-image`.
    pub image: Option<String>,
    /// The DISTRO; without it `nodistro`.
    pub distro: Option<String>,
    /// Where results of other builds are taken from: `file:///DIR`, `http://HOST/DIR` or `https://HOST/DIR`, without user and password.
    pub sstate_mirror: Option<String>,
    /// Where sources are taken from first, likewise.
    pub downloads_mirror: Option<String>,
    /// The hash-equivalence server, `HOST:PORT`.
    pub hash_server: Option<String>,
    /// The PR server, `HOST:PORT`.
    pub pr_server: Option<String>,
}

/// What BitBake is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Yocto {
    /// The recipe of the image in the bundle.
    pub image: String,
    /// The distro.
    pub distro: String,
    /// Where results of other builds are taken from: `file:///DIR` or `http://HOST/DIR`.
    pub sstate_mirror: Option<String>,
    /// Where sources are taken from first, likewise.
    pub downloads_mirror: Option<String>,
    /// Hash-equivalence server, `HOST:PORT`.
    pub hash_server: Option<String>,
    /// PR server, `HOST:PORT`.
    pub pr_server: Option<String>,
}

/// Keys that say where results and sources are shared.
pub const SERVERS: [&str; 4] = ["sstate_mirror", "downloads_mirror", "hash_server", "pr_server"];
/// The image that the layer brings.
const IMAGE: &str = "carveout-image";
/// OE-Core without a distro.
const DISTRO: &str = "nodistro";

pub fn check(reporter: &Reporter, file: Option<&YoctoFile>) -> Result<Yocto> {
    let default = YoctoFile::default();
    let file = file.unwrap_or(&default);
    type Fault = fn(String) -> YoctoError;
    let checked = |key, value: &Option<String>, good: fn(&str) -> bool, fault: Fault| match value {
        Some(text) if !good(text) => {
            Err(reporter.at(&[Key("yocto"), Key(key)], fault(text.escape_debug().to_string())))
        }
        value => Ok(value.clone()),
    };
    let recipe: Fault = |value| YoctoError::NotARecipe { value };
    let distro: Fault = |value| YoctoError::NotADistro { value };
    let url: Fault = |value| YoctoError::NotAUrl { value };
    let address: Fault = |value| YoctoError::NotAnAddress { value };
    Ok(Yocto {
        image: checked("image", &file.image, is_recipe, recipe)?.unwrap_or_else(|| IMAGE.into()),
        distro: checked("distro", &file.distro, is_recipe, distro)?.unwrap_or_else(|| DISTRO.into()),
        sstate_mirror: checked("sstate_mirror", &file.sstate_mirror, is_url, url)?,
        downloads_mirror: checked("downloads_mirror", &file.downloads_mirror, is_url, url)?,
        hash_server: checked("hash_server", &file.hash_server, is_address, address)?,
        pr_server: checked("pr_server", &file.pr_server, is_address, address)?,
    })
}

fn is_recipe(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-+.".contains(c);
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.len() <= 64 && text.chars().all(plain)
}

/// What configuration files of BitBake and apt could not hold would change their meaning.
pub(super) fn is_url(text: &str) -> bool {
    let rest = ["file:///", "http://", "https://"].iter().find_map(|scheme| text.strip_prefix(scheme));
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@%+~".contains(c);
    // Configuration files and logs show it to everyone.
    let user = |rest: &str| rest.split('/').next().is_some_and(|host| host.contains('@'));
    rest.is_some_and(|rest| !rest.is_empty() && !user(rest) && rest.chars().all(plain))
}

fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let plain = |c: char| c.is_ascii_alphanumeric() || "-.".contains(c);
    !host.is_empty() && host.chars().all(plain) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn values_are_checked() {
        let check = |text: &str| {
            let reporter = Reporter { path: Path::new("p.yaml"), text };
            #[derive(Deserialize)]
            struct File {
                yocto: YoctoFile,
            }
            let file: File = serde_yaml::from_str(text).unwrap();
            super::check(&reporter, Some(&file.yocto)).map_err(|e| e.message)
        };
        let good = check(
            "yocto: { image: my-image, sstate_mirror: 'file:///srv/sstate', hash_server: 'farm:8686', downloads_mirror: 'https://a/b' }",
        );
        let good = good.unwrap();
        assert_eq!((good.image.as_str(), good.distro.as_str()), ("my-image", "nodistro"));
        assert_eq!(good.sstate_mirror.as_deref(), Some("file:///srv/sstate"));
        assert_eq!(good.pr_server, None);
        for bad in [
            "yocto: { image: 'My Image' }",
            "yocto: { sstate_mirror: /srv/sstate }",
            "yocto: { sstate_mirror: 'http://a/\" \\nX = \"1' }",
            "yocto: { hash_server: 'farm' }",
            "yocto: { pr_server: 'farm:0' }",
            "yocto: { downloads_mirror: 'ftp://x/y' }",
            "yocto: { downloads_mirror: 'https://me:pass@x/y' }",
        ] {
            let error = check(bad).unwrap_err();
            assert!(error.contains("p.yaml:1: yocto.") && error.contains("expected"), "{error}");
            assert!(!error.contains("pass@"), "{error}");
        }
    }
}
