//! What a plan is made of.

use crate::container::Container;
use crate::rules::TrustedApp;
use crate::soc::Soc;
use crate::stock::Stock;
use crate::tzdram::Tzdram;

/// A TA of the plan.
#[derive(Clone, Debug)]
pub struct PlannedApp {
    /// Its name.
    pub name: String,
    /// What its ELF file says.
    pub app: TrustedApp,
    /// Bytes of its file.
    pub file_size: u64,
    /// What it will allocate at most, in bytes, if it declares it.
    pub heap_demand: Option<u32>,
}

/// What is planned.
#[derive(Clone, Debug)]
pub struct Request {
    /// The carve-out.
    pub tzdram: Tzdram,
    /// The SoC.
    pub soc: Soc,
    /// What of NVIDIA's is in it, too.
    pub stock: Stock,
    /// The TAs, in the image's order.
    pub apps: Vec<PlannedApp>,
    /// Bytes of the secure-os image, once it is built.
    pub image: Option<u64>,
    /// Bytes of its partition.
    pub partition: Option<u64>,
}

impl Request {
    /// Of what will be built for t194.
    pub fn new(tzdram: Tzdram, stock: Stock, apps: Vec<PlannedApp>) -> Self {
        Self { tzdram, soc: Soc::T194, stock, apps, image: None, partition: None }
    }

    /// For an SoC.
    #[must_use]
    pub fn with_soc(self, soc: Soc) -> Self {
        Self { soc, ..self }
    }

    /// With the image of `size` bytes that was built: what of NVIDIA's it holds is what counts.
    #[must_use]
    pub fn with_image(self, image: &Container, size: u64) -> Self {
        Self { stock: Stock::of_image(image, self.apps.len()), image: Some(size), ..self }
    }

    /// With the size of the image's partition in bytes, if it is known.
    #[must_use]
    pub fn with_partition(self, partition: Option<u64>) -> Self {
        Self { partition, ..self }
    }
}
