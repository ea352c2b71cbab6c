//! The key that signs for fused boards: in a file, or in a token that is open for as long as packages are made.

use crate::errors::KEYS;
use carveout_host::error::{At, Result};
use carveout_host::packages;
use carveout_host::tools::shell;
use carveout_keys::token;
use carveout_keys::token::{Purpose, Token};
use carveout_product::Build;
use carveout_product::PkcKey;
use carveout_vendor::l4t;
use carveout_vendor::l4t::Run;
use std::path::{Path, PathBuf};

/// The key that signs.
pub enum Pkc {
    /// Boards are not fused.
    None,
    /// A PEM file.
    File(PathBuf),
    /// In a token.
    Token(Box<Token>),
}

impl Pkc {
    /// Opens a token, so that what is wrong with it is told before anything is built.
    pub fn open(build: &Build) -> Result<Self> {
        let uri = match build.product.l4t.as_ref().and_then(|l4t| l4t.pkc_key.as_ref()) {
            None => return Ok(Self::None),
            Some(PkcKey::File(path)) => return Ok(Self::File(path.clone())),
            Some(PkcKey::Token(uri)) => uri,
        };
        let mut needs = l4t::NEEDS.to_vec();
        if uri.module.is_none() {
            needs.extend(token::NEEDS);
        }
        let home = build.dirs().home();
        packages::ensure(&needs, build.offline, &home.join("logs/host.log"), build.ui)?;
        let pin = token::pin(uri)?;
        let token =
            Token::open(&shell(&home)?, Path::new(token::OURSELVES), uri, pin.as_deref(), Purpose::Boards)?;
        if token.is_random() {
            build.ui.note(
                "the token makes signatures with random parts: packages that it signs anew differ in them",
            );
        }
        Ok(Self::Token(Box::new(token)))
    }

    /// What NVIDIA's tools take for the key.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::None => None,
            Self::File(path) => Some(path),
            Self::Token(token) => Some(token.key_file()),
        }
    }

    /// SHA-256 of the file, or of the public key in the token.
    pub fn digest(&self) -> Result<String> {
        match self {
            Self::None => Ok(String::new()),
            Self::File(path) => bundle::hash_file(path).at(path).map(|hashed| hashed.sha256),
            Self::Token(token) => Ok(token.digest()),
        }
    }

    /// Makes a private copy of the BSP sign with it.
    pub fn prepare(&self, run: &Run) -> Result<()> {
        match self {
            Self::Token(_) => {
                l4t::replace(&run.dir.join("bootloader/tegraopenssl"), token::STAND_IN).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// What has come of NVIDIA's scripts, which tell little of keys.
    pub fn explained<T>(&self, result: Result<T>) -> Result<T> {
        if let Self::Token(token) = self
            && let Some(error) = token.failure()
        {
            return Err(error);
        }
        result.map_err(|error| match self {
            Self::File(_) if error.remedy.is_none() => error.remedy(KEYS),
            _ => error,
        })
    }
}
