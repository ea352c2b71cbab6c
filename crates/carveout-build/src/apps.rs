//! Trusted apps that are built, each read and parsed once for all that a command does with them.

use crate::stages::trusted_apps;
use bundle::{AppEntry, Port};
use carveout_host::error::Result;
use carveout_host::{files, loader};
use carveout_product::{App, Build};
use stage_cache::Output;
use std::path::Path;
use trusty_image::TrustedApp;
use trusty_image::plan::PlannedApp;
use trusty_ta_build::Declaration;

/// The trusted apps of a product.
pub struct Apps {
    /// Their directory, an ELF file each.
    pub files: Output,
    /// The directory of what names lines of those that were built here.
    pub symbols: Output,
    /// What is in the ELF files, in the order of the config.
    pub built: Vec<Built>,
}

impl Apps {
    /// Builds and reads them.
    pub fn build(build: &Build) -> Result<Self> {
        let (files, symbols) = trusted_apps::run(build)?;
        let read = |app: &App| {
            Built::read(
                &app.name,
                &files.dir.join(trusted_apps::file_name(&app.name)),
                app.declaration().cloned(),
            )
        };
        let built = build.product.trusted_apps.iter().map(read).collect::<Result<_>>()?;
        Ok(Self { files, symbols, built })
    }
}

/// A finished TA.
pub struct Built {
    /// Its name.
    pub name: String,
    /// What its package declares; none of a finished ELF file.
    pub declaration: Option<Declaration>,
    /// Its ELF file.
    pub bytes: Vec<u8>,
    /// What that says.
    pub elf: TrustedApp,
}

impl Built {
    /// Reads an ELF file that the kernel's loader takes.
    pub fn read(name: &str, path: &Path, declaration: Option<Declaration>) -> Result<Self> {
        let bytes = files::read(path)?;
        Ok(Self { name: name.into(), declaration, elf: loader::inspect(path, &bytes)?, bytes })
    }

    /// For a plan.
    pub fn planned(&self) -> PlannedApp {
        PlannedApp {
            name: self.name.clone(),
            app: self.elf.clone(),
            file_size: self.bytes.len() as u64,
            heap_demand: self.declaration.as_ref().and_then(|d| d.heap_demand),
        }
    }

    /// For a bundle's manifest.
    pub fn entry(&self) -> AppEntry {
        let ports = self.declaration.iter().flat_map(|d| &d.start_ports).map(|port| Port {
            name: port.name.clone(),
            allow_ta_connect: port.flags.allow_ta_connect,
            allow_ns_connect: port.flags.allow_ns_connect,
        });
        AppEntry {
            name: self.name.clone(),
            file: bundle::trusted_app(&self.name),
            uuid: self.elf.manifest.uuid,
            heap: self.elf.manifest.heap(),
            stack: self.elf.manifest.stack(),
            heap_demand: self.declaration.as_ref().and_then(|d| d.heap_demand),
            ports: ports.collect(),
        }
    }
}
