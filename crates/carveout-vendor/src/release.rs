//! Which L4T a BSP is: `nv_tegra/bsp_version`, sourced by NVIDIA's scripts.

use crate::errors::BspError;
use carveout_host::error::Result;
use std::fmt;
use std::path::Path;

/// Where it stands.
pub const FILE: &str = "nv_tegra/bsp_version";

/// An L4T release, e.g. R32.7.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release {
    branch: u32,
    major: u32,
    minor: u32,
}

impl Release {
    /// Reads the release of a BSP and refuses one that carveout does not know.
    pub fn of(bsp: &Path) -> Result<Self> {
        let path = bsp.join(FILE);
        let text = carveout_host::files::read_to_string(&path)
            .map_err(|error| BspError::NoRelease { source: error.message.into() })?;
        let release = Self::parse(&text, &path)?;
        release.check(bsp)?;
        Ok(release)
    }

    fn parse(text: &str, path: &Path) -> Result<Self, BspError> {
        let number = |name: &'static str| {
            let line = text.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
            line.and_then(|value| value.trim().trim_matches('"').parse().ok())
                .ok_or_else(|| BspError::NoReleaseNumber { path: path.into(), name })
        };
        Ok(Self { branch: number("BSP_BRANCH")?, major: number("BSP_MAJOR")?, minor: number("BSP_MINOR")? })
    }

    fn check(self, bsp: &Path) -> Result<(), BspError> {
        let (path, release) = (bsp.to_owned(), self.to_string());
        match (self.branch, self.major) {
            (32, 6..=7) => Ok(()),
            (32, 8..) => Err(BspError::TooNew { path, release }),
            (32, _) => Err(BspError::TooOld { path, release }),
            (34.., _) => Err(BspError::OpTee { path, release }),
            _ => Err(BspError::NotR32 { path, release }),
        }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "R{}.{}.{}", self.branch, self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn release(text: &str) -> Result<String, String> {
        let release = Release::parse(text, Path::new(FILE)).map_err(|error| error.to_string())?;
        release.check(Path::new("bsp")).map_err(|error| error.to_string())?;
        Ok(release.to_string())
    }

    #[test]
    fn releases_are_told_apart() {
        let text = |branch, major, minor| {
            format!(
                "# x\n\nBSP_BRANCH={branch}\nBSP_MAJOR={major}\nBSP_MINOR={minor}\nBSP_VERSION=\"${{BSP_BRANCH}}\"\n"
            )
        };
        assert_eq!(release(&text("32", "7", "2")), Ok("R32.7.2".into()));
        assert_eq!(release(&text("32", "6", "1")), Ok("R32.6.1".into()));
        for (major, minor) in [("5", "0"), ("5", "2"), ("4", "4"), ("3", "1")] {
            let error = release(&text("32", major, minor)).unwrap_err();
            assert!(error.contains(&format!("R32.{major}.{minor}: it signs with tegrasign_v2")), "{error}");
        }
        assert!(release(&text("32", "8", "0")).unwrap_err().contains("newer than R32.7"));
        for (branch, major) in [("34", "1"), ("35", "3"), ("36", "4"), ("38", "2")] {
            let error = release(&text(branch, major, "1")).unwrap_err();
            assert!(error.contains("from R34 on the trusted OS is OP-TEE, not Trusty"), "{error}");
        }
        assert!(release(&text("28", "2", "1")).unwrap_err().contains("not R32"));
        assert!(release(&text("x", "2", "1")).unwrap_err().contains("no number BSP_BRANCH="));
        assert!(release("").is_err());
    }
}
