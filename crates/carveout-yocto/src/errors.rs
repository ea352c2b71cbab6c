//! What can go wrong with BitBake as an engine, and with recipes.

mod bitbake;
mod layers;
mod recipes;

pub use bitbake::BitBakeError;
pub use layers::LayersError;
pub use recipes::RecipesError;

use crate::user::settings::{LOCALE, VARIABLE};
use carveout_host::error::Cause;
use carveout_host::packages::is_root;
use std::io;
use std::path::PathBuf;

/// So many names are told.
const SHOWN: usize = 20;

/// The names that there are, and the one that was meant.
fn there(known: &[String], near: &Option<String>) -> String {
    let shown: Vec<&str> = known.iter().take(SHOWN).map(String::as_str).collect();
    let list = if known.is_empty() { "none".into() } else { shown.join(", ") };
    let more = known.len() - shown.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let near = near.as_ref().map(|near| format!(" Did you mean `{near}`?"));
    format!("{list}{more}.{}", near.unwrap_or_default())
}

/// What to do for a file that a layer has which is not taken, or none.
fn add(layer: &Option<PathBuf>) -> String {
    match layer {
        Some(layer) => format!("{} has it: name that layer in the kas file", layer.display()),
        None => "correct the name, or add the layer that has it to the folder of --layers or to the kas file"
            .into(),
    }
}

carveout_host::errors! {
    /// What can go wrong with the BitBake engine itself.
    pub enum YoctoError("yocto") {
        /// Options of the BitBake engine are given to the local engine.
        BitBakeOptions => usage "bitbake-options":
            ("--layers, --kas and --host-toolchain are for the BitBake engine"),
            help ("add --engine bitbake, or leave them out");
        /// The BitBake engine does not boot Linux.
        NoLinuxBoot => usage "no-linux-boot":
            ("--boot-linux is for the local engine"),
            help ("build without it, and boot the bundle: cargo xtask emulate BUNDLE --linux --wait-for running");
        /// Options of the local engine are given to the BitBake engine.
        LocalOptions => usage "local-options":
            ("--bsp and --sources are for the local engine: meta-tegra fetches NVIDIA's parts itself"),
            help ("leave them out; tarballs that are there go into target/carveout/yocto/downloads");
        /// The kas file does not exist.
        NoKasFile { path: PathBuf } => usage "no-kas-file": ("{}: no kas file", path.display()),
            help ("configs/kas has one for each board; --layers DIR takes clones that are there");
        /// The board is not one that BitBake builds for.
        NoMachine { path: PathBuf, board: String } => usage "no-machine":
            ("{}: board {board} has no MACHINE of BitBake", path.display()),
            help ("choose --board jetson-agx-xavier; the local engine builds for virt");
        /// A root filesystem is to be built with the compilers of this host.
        HostCompilersMakeNoImage => usage "host-compilers-make-no-image":
            ("the host's compilers make no packages of a C library, so no image can be made"),
            help ("add --without rootfs");
        /// A trusted app of the product is no package of the workspace.
        FinishedApp { path: PathBuf, app: String } => usage "finished-app":
            (
                "{}: the BitBake engine builds trusted apps from recipes of the workspace's packages, and {app} is none",
                path.display()
            ),
            help ("write a recipe that installs it to ${{datadir}}/trusted-os/ta, or use the local engine");
        /// A client app of the product is a finished Debian package.
        FinishedClientApp { path: PathBuf, app: String } => usage "finished-client-app":
            (
                "{}: the BitBake engine builds client apps from recipes, and {app} is a finished Debian package",
                path.display()
            ),
            help ("write a recipe that installs its files and name it in IMAGE_INSTALL of your image, or use the local engine");
        /// The product names keys that its boot files are to be signed with.
        NoSigning { path: PathBuf } => usage "no-signing":
            (
                "{}: the BitBake engine does not sign: its flash package is signed for the module while it is flashed",
                path.display()
            ),
            help ("leave l4t.pkc_key and l4t.sbk_key out, or use the local engine");
        /// The product names an EKB of its own.
        OwnEkb { path: PathBuf } => usage "own-ekb":
            ("{}: the BitBake engine takes the EKB of meta-tegra's recipes", path.display()),
            help ("leave l4t.ekb out and put the file into tegra-bootfiles with a bbappend, or use the local engine");
        /// The product chooses among NVIDIA's own trusted apps.
        KeepsStockApps { path: PathBuf } => usage "keeps-stock-apps":
            ("{}: the BitBake engine keeps all of NVIDIA's own trusted apps", path.display()),
            help ("leave l4t.stock_trusted_apps out, or use the local engine");
        /// No layer has the distro that the product names.
        UnknownDistro {
            path: PathBuf,
            distro: String,
            known: Vec<String>,
            near: Option<String>,
            layer: Option<PathBuf>,
        } => usage "unknown-distro":
            (
                "{}: yocto.distro `{distro}`: no layer has conf/distro/{distro}.conf; distros there are: {}",
                path.display(),
                there(known, near)
            ),
            help = Some(add(layer));
        /// No layer has the machine that the board is for BitBake.
        UnknownMachine {
            path: PathBuf,
            board: String,
            machine: String,
            known: Vec<String>,
            near: Option<String>,
            layer: Option<PathBuf>,
        } => usage "unknown-machine":
            (
                "{}: board {board} is MACHINE {machine}: no layer has conf/machine/{machine}.conf; machines there \
                 are: {}",
                path.display(),
                there(known, near)
            ),
            help = Some(add(layer));
        /// No layer has a recipe of the image that the product names.
        UnknownImage { path: PathBuf, image: String, known: Vec<String>, near: Option<String> }
            => usage "unknown-image":
            (
                "{}: yocto.image `{image}`: no layer has a recipe {image}.bb or {image}_VERSION.bb; images there \
                 are: {}",
                path.display(),
                there(known, near)
            ),
            help = Some(add(&None));
        /// BitBake is to be run by root, and no other user is named.
        RunByRoot => environment "run-by-root": ("BitBake refuses to run as root"),
            help (
                "run it as another user, or name one: useradd --create-home builder; {VARIABLE}=builder cargo xtask …"
            );
        /// The user that is to run BitBake does not exist.
        NoUser { user: String } => environment "no-user": ("{VARIABLE}: this host has no user {user}"),
            help (
                "run it as another user, or name one: useradd --create-home builder; {VARIABLE}=builder cargo xtask …"
            );
        /// The user that runs BitBake cannot read a folder of the build.
        UnreadableFolder { path: PathBuf, user: String } => environment "unreadable-folder":
            ("{}: user {user}, who runs BitBake, cannot read it", path.display()),
            help ("put it elsewhere, or: chmod -R a+rX it, and the folders above it");
        /// This host lacks the locale that BitBake needs.
        NoLocale => environment "no-locale": ("this host has no locale {LOCALE}, which BitBake demands"),
            help (
                "run: {sudo}apt-get install -y locales && {sudo}localedef -i en_US -f UTF-8 {LOCALE}",
                sudo = if is_root() { "" } else { "sudo " }
            );
        /// The folder of cargo lacks a crate that it has just been told to fetch.
        CrateNotFetched { file: String, cache: PathBuf } => check "crate-not-fetched":
            ("cargo fetch has left no {file} in {}", cache.display());
        /// BitBake has ended with success and made no bundle.
        NoBundle { path: PathBuf } => check "no-bundle":
            ("BitBake ended with success, but made no {}", path.display()),
            help ("site.conf of the build folder may set CARVEOUT_ variables: take them out");
        /// The manifest of the bundle that BitBake has made cannot be read.
        BadManifest { path: PathBuf, source: Cause } => check "bad-manifest": ("{}: {source}", path.display());
        /// An address that the servers for runners need cannot be listened at.
        AddressNotUsable { host: String, port: u16, source: io::Error } => environment "address-not-usable":
            ("{host}:{port}: {source}"),
            help ("name an address of this host, and end what uses the ports 8585, 8686 and 8687");
        /// One of the servers for runners has ended.
        ServerEnded { server: &'static str, status: String, log: PathBuf } => check "server-ended":
            ("the {server} has ended ({status}); its log: {}", log.display());
    }
}

/// All of them, for the reference.
pub const CATALOGS: &[&[carveout_host::error::Entry]] =
    &[YoctoError::CATALOG, BitBakeError::CATALOG, LayersError::CATALOG, RecipesError::CATALOG];
