//! A product.

use crate::board::Board;
use crate::client::ClientApp;
use crate::l4t::L4t;
use crate::rootfs::Rootfs;
use crate::yocto::Yocto;
use carveout_host::error::Result;
use std::path::PathBuf;
use trusty_image::Tzdram;
use trusty_ta_build::Declaration;

/// A product as it will be built. Every value has been checked.
#[derive(Clone, Debug)]
pub struct Product {
    /// The config file.
    pub path: PathBuf,
    /// Name of the product.
    pub name: String,
    /// Version of the product.
    pub version: String,
    /// Devices that have had a larger one refuse it.
    pub security_version: u32,
    /// The board.
    pub board: Board,
    /// The carve-out.
    pub tzdram: Tzdram,
    /// The TAs, in the order of the image.
    pub trusted_apps: Vec<App>,
    /// The client apps: packages of the workspace, and finished ones.
    pub client_apps: Vec<ClientApp>,
    /// The root filesystem, if it is wanted.
    pub rootfs: Option<Rootfs>,
    /// What it says of NVIDIA's parts and of keys, if the board has L4T.
    pub l4t: Option<L4t>,
    /// NVIDIA's public sources, if they are named.
    pub sources: Option<PathBuf>,
    /// What it says of BitBake.
    pub yocto: Yocto,
    /// The command that tells in the running system whether it works; empty if there is none.
    pub self_test: Vec<String>,
    /// What a release tells of its version.
    pub changelog: Option<PathBuf>,
    /// SHA-256 of config and board as they are used, overrides included.
    pub digest: String,
}

/// A TA of a product.
#[derive(Clone, Debug)]
pub struct App {
    /// Its name: the package's, or the ELF file's stem.
    pub name: String,
    /// Where it comes from.
    pub source: AppSource,
    /// Heap in bytes instead of the declared one.
    pub min_heap: Option<u32>,
    /// Stack in bytes instead of the declared one.
    pub min_stack: Option<u32>,
}

impl App {
    /// Whether it is built here.
    pub fn is_built(&self) -> bool {
        !matches!(self.source, AppSource::Elf(_))
    }

    /// What its package declares; none of a finished ELF file, and of sources in C.
    pub fn declaration(&self) -> Option<&Declaration> {
        match &self.source {
            AppSource::Package(declaration) => Some(declaration),
            AppSource::Elf(_) | AppSource::C(_) => None,
        }
    }
}

/// Where a TA comes from.
#[derive(Clone, Debug)]
pub enum AppSource {
    /// A package of the workspace, with what it declares.
    Package(Box<Declaration>),
    /// A finished ELF file.
    Elf(PathBuf),
    /// A folder with sources in C, which NVIDIA's makefiles build by its rules.mk.
    C(PathBuf),
}

impl Product {
    /// Names of all client apps.
    pub fn client_names(&self) -> Vec<String> {
        self.client_apps.iter().map(|app| app.name.clone()).collect()
    }

    /// Names of those client apps that are packages of the workspace.
    pub fn own_client_apps(&self) -> impl Iterator<Item = &str> {
        self.client_apps.iter().filter(|app| app.deb.is_none()).map(|app| app.name.as_str())
    }

    /// What the product says of NVIDIA's parts, for what only L4T boards have.
    pub fn l4t(&self) -> Result<&L4t> {
        self.l4t.as_ref().ok_or_else(|| self.board.has_no_l4t())
    }
}
