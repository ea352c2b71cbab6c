//! The files of a build folder, each line explained.

use super::host_toolchain;
use super::layers::Layers;
use crate::errors::YoctoError;
use carveout_host::error::Result;
use carveout_product::{AppSource, Product, Yocto};
use std::path::Path;

/// `bblayers.conf`.
pub fn bblayers(layers: &Layers) -> String {
    let mut text = String::from(
        "# Written by cargo xtask: --layers or the kas file says where the layers are.\n\
         LCONF_VERSION = \"7\"\nBBPATH = \"${TOPDIR}\"\nBBFILES ?= \"\"\nBBLAYERS = \"\\\n",
    );
    for layer in &layers.all {
        text.push_str(&format!("    {} \\\n", layer.display()));
    }
    text + "\"\n"
}

/// Where BitBake may fetch from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Anywhere.
    All,
    /// The servers that the config names.
    Mirrors,
    /// Nowhere.
    None,
}

/// `local.conf` of a product. `top`: what build folders share. `workspace`: of a team's own, which is not carveout's.
pub fn local(
    product: &Product,
    machine: &str,
    workspace: Option<&Path>,
    top: &Path,
    network: Network,
) -> Result<String> {
    let mut conf = Conf(format!(
        "# Written by cargo xtask for {}: edit that. What is yours alone goes into site.conf beside this file.\n",
        product.path.file_name().unwrap_or_default().to_string_lossy()
    ));
    let yocto = &product.yocto;
    conf.add(
        &format!("Board {} of carveout, as meta-tegra calls it.", product.board.name),
        "MACHINE",
        machine,
    );
    conf.add("", "CARVEOUT_BOARD", &product.board.name);
    conf.add("yocto.distro.", "DISTRO", &yocto.distro);
    conf.add("Whatever the distro, results are in tmp/.", "TCLIBCAPPEND", "");
    conf.add("Client apps are Debian packages, as in the other engine.", "PACKAGE_CLASSES", "package_deb");
    if let Some(root) = workspace {
        let why = "The workspace of the apps, and of their recipes.";
        conf.add(why, "CARVEOUT_WORKSPACE", &root.display().to_string());
    }
    conf.add("The bundle's name: name and version.", "CARVEOUT_PRODUCT_NAME", &product.name);
    conf.add("", "CARVEOUT_PRODUCT_VERSION", &product.version);
    conf.add("security_version.", "CARVEOUT_SECURITY_VERSION", &product.security_version.to_string());
    conf.add(
        "tzdram, in bytes. Another size needs a full flash.",
        "CARVEOUT_TZDRAM_SIZE",
        &hex(product.tzdram.size()),
    );
    conf.add("", "CARVEOUT_TZDRAM_ALIGNMENT", &hex(product.tzdram.alignment()));
    let names: Vec<&str> = product.trusted_apps.iter().map(|app| app.name.as_str()).collect();
    conf.add(
        "trusted_apps, in the order of the kernel, before NVIDIA's own.",
        "CARVEOUT_TRUSTED_APPS",
        &names.join(" "),
    );
    for app in &product.trusted_apps {
        for (name, size) in [("CARVEOUT_MIN_HEAP", app.min_heap), ("CARVEOUT_MIN_STACK", app.min_stack)] {
            if let Some(size) = size {
                let why = "What a trusted app gets instead of what its Cargo.toml declares, in bytes.";
                conf.add(why, &format!("{name}[{}]", app.name), &hex(size.into()));
            }
        }
    }
    conf.add(
        "client_apps, installed in the image.",
        "CARVEOUT_CLIENT_APPS",
        &product.client_names().join(" "),
    );
    let (image, why) = match &product.rootfs {
        Some(_) => {
            (yocto.image.as_str(), "yocto.image: its root filesystem and flash package go into the bundle.")
        }
        None => ("", "No root filesystem: a bundle of the other parts."),
    };
    conf.add(why, "CARVEOUT_IMAGE", image);
    let app_size = match &product.rootfs {
        Some(rootfs) => rootfs.size,
        None => product.l4t()?.app_size,
    };
    conf.add("Bytes of the partition APP.", "ROOTFSPART_SIZE", &app_size.to_string());
    conf.add("Of the product config, for the bundle's manifest.", "CARVEOUT_CONFIG_DIGEST", &product.digest);
    let shared = |name: &str| top.join(name).display().to_string();
    conf.add("Sources and results, for all build folders of this workspace.", "DL_DIR", &shared("downloads"));
    conf.add("", "SSTATE_DIR", &shared("sstate"));
    let hosts = mirror_hosts(yocto);
    match network {
        Network::All => {}
        Network::Mirrors if !hosts.is_empty() => {
            conf.add("Nothing but the mirrors of the config.", "BB_ALLOWED_NETWORKS", &hosts.join(" "));
            conf.add("", "CONNECTIVITY_CHECK_URIS", "");
        }
        Network::Mirrors | Network::None => conf.add("No network.", "BB_NO_NETWORK", "1"),
    }
    if let Some(mirror) = &yocto.downloads_mirror {
        conf.add(
            "yocto.downloads_mirror: asked before the sources' own servers.",
            "INHERIT +",
            "own-mirrors",
        );
        conf.add("", "SOURCE_MIRROR_URL", mirror);
    }
    if let Some(mirror) = &yocto.sstate_mirror {
        let value = format!("file://.* {mirror}/PATH;downloadfilename=PATH");
        conf.add("yocto.sstate_mirror: results of other builds.", "SSTATE_MIRRORS", &value);
    }
    if let Some(server) = &yocto.hash_server {
        let why = "yocto.hash_server: which results are the same although their inputs differ.";
        conf.add(why, "BB_SIGNATURE_HANDLER", "OEEquivHash");
        conf.add("", "BB_HASHSERVE", server);
    }
    if let Some(server) = &yocto.pr_server {
        conf.add("yocto.pr_server: revisions of packages that only rise.", "PRSERV_HOST", server);
    }
    Ok(conf.0)
}

/// What is added for checks with the host's compilers.
pub fn host(settings: &[host_toolchain::Setting]) -> String {
    let mut conf = Conf(String::new());
    let mut why = "For checks alone, never for a product: what is taken from this host (meta-carveout-host-toolchain), and \
                   what results depend on instead of where it lies.";
    for setting in settings {
        conf.add(why, setting.name, &setting.path.display().to_string());
        conf.add("", &format!("{}[vardepvalue]", setting.name), &setting.stamp);
        why = "";
    }
    conf.0
}

/// What the layer cannot do is told before anything is built.
pub fn refuse(product: &Product) -> Result<()> {
    let path = product.path.clone();
    if let Some(app) = product.trusted_apps.iter().find(|app| !matches!(app.source, AppSource::Package(_))) {
        return Err(YoctoError::FinishedApp { path, app: app.name.clone() }.into());
    }
    if let Some(app) = product.client_apps.iter().find(|app| app.deb.is_some()) {
        return Err(YoctoError::FinishedClientApp { path, app: app.name.clone() }.into());
    }
    let l4t = product.l4t()?;
    if l4t.pkc_key.is_some() || l4t.sbk_key.is_some() {
        return Err(YoctoError::NoSigning { path }.into());
    }
    if l4t.ekb.is_some() {
        return Err(YoctoError::OwnEkb { path }.into());
    }
    if l4t.stock_trusted_apps.is_some() {
        return Err(YoctoError::KeepsStockApps { path }.into());
    }
    Ok(())
}

/// Hosts of the mirrors that are not folders.
fn mirror_hosts(yocto: &Yocto) -> Vec<&str> {
    let urls = [&yocto.sstate_mirror, &yocto.downloads_mirror];
    let mut hosts = Vec::new();
    for url in urls.into_iter().flatten() {
        let host = url.split_once("://").and_then(|(_, rest)| rest.split(['/', ':']).next());
        if let Some(host) = host.filter(|host| !host.is_empty() && !hosts.contains(host)) {
            hosts.push(host);
        }
    }
    hosts
}

fn hex(bytes: u64) -> String {
    format!("0x{bytes:x}")
}

/// A file of assignments.
struct Conf(String);

impl Conf {
    /// Adds one; without a reason it belongs to the one before.
    fn add(&mut self, why: &str, name: &str, value: &str) {
        if !why.is_empty() {
            self.0.push_str(&format!("\n# {why}\n"));
        }
        self.0.push_str(&format!("{name}{}= \"{value}\"\n", if name.ends_with('+') { "" } else { " " }));
    }
}
