//! Debian's Rust, unpacked into a folder of ours.

use crate::error::{At, Result};
use crate::errors::ToolchainError;
use crate::tools::apt::{PrivateApt, unpack};
use std::fs;
use std::path::{Path, PathBuf};

/// Bytes that the unpacked tree takes, about (Debian's 1.96.0).
pub const UNPACKED: u64 = 618 << 20;
const COMPLETE: &str = ".complete";

/// An unpacked tree.
#[derive(Clone, Debug)]
pub struct Tree(PathBuf);

impl Tree {
    /// Its `usr`, which is the compiler's sysroot.
    pub fn usr(&self) -> PathBuf {
        self.0.join("usr")
    }

    /// The compiler.
    pub fn rustc(&self) -> PathBuf {
        self.0.join("usr/bin/rustc")
    }

    /// Libraries that the compiler needs.
    pub fn libraries(&self) -> PathBuf {
        self.0.join("usr/lib/x86_64-linux-gnu")
    }

    /// A tree that is complete.
    pub fn find(home: &Path) -> Option<Self> {
        let dir = home.join("debian-rust");
        dir.join(COMPLETE).exists().then_some(Self(dir))
    }

    /// Downloads the packages and unpacks them.
    pub fn provision(home: &Path, log: &Path) -> Result<Self> {
        if cfg!(not(target_arch = "x86_64")) {
            return Err(ToolchainError::DebianOnX86.into());
        }
        fs::create_dir_all(home).at(home)?;
        let _lock = crate::files::lock(&home.join(".lock"))?;
        if let Some(tree) = Self::find(home) {
            return Ok(tree);
        }
        let native = PrivateApt::new(&home.join("apt-amd64"), "amd64")?;
        let foreign = PrivateApt::new(&home.join("apt-arm64"), "arm64")?;
        native.update(log)?;
        foreign.update(log)?;
        let version = native.candidate("rustc-web")?.ok_or(ToolchainError::NoRustcWeb)?;
        let (package, prefix) = ("libstd-rust-web-dev", "libstd-rust-web-");
        let names = native.depends(&format!("{package}={version}"))?;
        let std = names.into_iter().find(|name| name.starts_with(prefix));
        let std =
            std.ok_or_else(|| ToolchainError::NoDependency { package, version: version.clone(), prefix })?;
        let llvm =
            native.depends(&format!("{std}={version}"))?.into_iter().find(|n| n.starts_with("libllvm"));
        let mut wanted: Vec<String> = ["rustc-web", package, &std, "rust-web-src"]
            .iter()
            .map(|name| format!("{name}={version}"))
            .collect();
        wanted.extend(llvm);
        let mut packages = native.download(&wanted, log)?;
        packages.extend(foreign.download(&[format!("libstd-rust-web-dev:arm64={version}")], log)?);
        let temporary = tempfile::Builder::new().prefix(".new-").tempdir_in(home).at(home)?;
        for package in &packages {
            let source = package.file_name().is_some_and(|n| n.to_string_lossy().starts_with("rust-web-src"));
            let parts: &[&str] = if source {
                &["./usr/lib/rustlib/src/rust", "./usr/src/rustc-*/library"]
            } else {
                &["--exclude=./usr/share", "--exclude=./usr/bin/rustdoc", "./usr"]
            };
            unpack(package, temporary.path(), parts, log)?;
            fs::remove_file(package).at(package)?;
        }
        let marker = temporary.path().join(COMPLETE);
        crate::files::write(&marker, format!("{version}\n"), crate::files::OUTPUT)?;
        let dir = home.join("debian-rust");
        let temporary = temporary.keep();
        fs::rename(&temporary, &dir).at(&dir)?;
        Ok(Self(dir))
    }
}
