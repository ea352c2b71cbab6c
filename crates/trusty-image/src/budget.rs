//! What a set of TAs takes of the TZDRAM carve-out.
//!
//! The model is a measured one (see [`crate::limits`]): the kernel, something for each MiB of carve-out and for each TA, and
//! for each TA its image, its heap and its stack in whole pages. NVIDIA's own TAs count like all others where they are in the
//! image. The kernel allocates all of it while it boots; what does not fit stops the boot.

use crate::limits::{
    KERNEL_BASE, KERNEL_PER_APP, KERNEL_PER_HEAP, KERNEL_PER_MIB, KIB, MIB, MONITOR, PAGE, TZDRAM_GRANULE,
    TZDRAM_MAX, TZDRAM_MIN,
};
use crate::rules::TrustedApp;
use crate::tzdram::Tzdram;

/// Memory of one TA, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AppMemory {
    /// Its name.
    pub name: String,
    /// Its ELF file, which lies in the carve-out as it is.
    pub image: u64,
    /// Its heap, allocated when it is loaded.
    pub heap: u64,
    /// Its stack.
    pub stack: u64,
}

impl AppMemory {
    /// The memory of a TA whose file has `file_size` bytes.
    pub fn new(name: &str, app: &TrustedApp, file_size: u64) -> Self {
        Self {
            name: name.into(),
            image: file_size.checked_next_multiple_of(PAGE.into()).unwrap_or(u64::MAX),
            heap: app.manifest.heap().into(),
            stack: app.manifest.stack().into(),
        }
    }

    /// All of it.
    pub fn total(&self) -> u64 {
        self.image.saturating_add(self.heap).saturating_add(self.stack)
    }
}

/// The carve-out and what is taken of it, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Budget {
    /// The carve-out.
    pub tzdram: u64,
    /// The monitor, if there is one.
    pub monitor: u64,
    /// Kernel, page tables and page records; in bundles of format 1 four stock TAs, too.
    pub kernel: u64,
    /// Each of NVIDIA's TAs in the image.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stock_trusted_apps: Vec<AppMemory>,
    /// Each TA.
    pub trusted_apps: Vec<AppMemory>,
    /// What is left; negative if it does not fit.
    pub free: i64,
}

impl Budget {
    /// The budget of these TAs beside NVIDIA's `stock` ones in a carve-out of `tzdram` bytes, which a monitor may share.
    pub fn new(tzdram: u64, monitor: bool, stock: Vec<AppMemory>, trusted_apps: Vec<AppMemory>) -> Self {
        let kernel = kernel(tzdram, stock.iter().chain(&trusted_apps));
        Self::with_kernel(tzdram, monitor, kernel, stock, trusted_apps)
    }

    /// As bundles of format 1 have it: the kernel's share held four stock TAs in any case, and nothing for each TA.
    pub fn of_format_1(tzdram: u64, monitor: bool, trusted_apps: Vec<AppMemory>) -> Self {
        let kernel = tzdram.div_ceil(MIB).saturating_mul(KERNEL_PER_MIB).saturating_add(730 * KIB);
        Self::with_kernel(tzdram, monitor, kernel, Vec::new(), trusted_apps)
    }

    fn with_kernel(
        tzdram: u64,
        monitor: bool,
        kernel: u64,
        stock_trusted_apps: Vec<AppMemory>,
        trusted_apps: Vec<AppMemory>,
    ) -> Self {
        let monitor = if monitor { MONITOR } else { 0 };
        let mut budget = Self { tzdram, monitor, kernel, stock_trusted_apps, trusted_apps, free: 0 };
        let parts = [kernel, monitor, budget.apps(), budget.stock()];
        let free = i128::from(tzdram) - i128::from(sum(parts.into_iter()));
        budget.free = free.clamp(i64::MIN.into(), i64::MAX.into()) as i64;
        budget
    }

    /// The same in another carve-out.
    pub fn in_carve_out(&self, tzdram: u64) -> Self {
        Self::new(tzdram, self.monitor > 0, self.stock_trusted_apps.clone(), self.trusted_apps.clone())
    }

    /// What the TAs take.
    pub fn apps(&self) -> u64 {
        sum(self.trusted_apps.iter().map(AppMemory::total))
    }

    /// What NVIDIA's TAs take.
    pub fn stock(&self) -> u64 {
        sum(self.stock_trusted_apps.iter().map(AppMemory::total))
    }

    /// The smallest carve-out that holds these TAs, if one within the kernel's limits does.
    pub fn least(&self) -> Option<u64> {
        let mut sizes = (TZDRAM_MIN..=TZDRAM_MAX).step_by(TZDRAM_GRANULE as usize);
        sizes.find(|size| self.in_carve_out(*size).free >= 0)
    }
}

/// Manifests of anybody say these sizes: what does not fit into 64 bits is no sum, and fits into no carve-out.
fn sum(sizes: impl Iterator<Item = u64>) -> u64 {
    sizes.fold(0, u64::saturating_add)
}

fn kernel<'a>(tzdram: u64, apps: impl Iterator<Item = &'a AppMemory>) -> u64 {
    let (step, table) = KERNEL_PER_HEAP;
    let of_apps = sum(apps.map(|app| (app.heap / step).saturating_mul(table).saturating_add(KERNEL_PER_APP)));
    let of_carve_out = tzdram.div_ceil(MIB).saturating_mul(KERNEL_PER_MIB);
    KERNEL_BASE.saturating_add(of_carve_out).saturating_add(of_apps)
}

/// An OS that MB2 would skip, silently.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an OS of {os} bytes and the 256 KiB that MB2 wants besides do not fit into a carve-out of {tzdram} bytes: the device \
     would boot without Trusty"
)]
pub struct OsTooLarge {
    /// Bytes of the OS.
    pub os: u64,
    /// Bytes of the carve-out.
    pub tzdram: u64,
}

/// Checks that MB2 loads an OS of `os` bytes into a carve-out.
pub fn check_os(os: u64, tzdram: Tzdram) -> Result<(), OsTooLarge> {
    let tzdram = tzdram.size();
    if os.saturating_add(MONITOR) <= tzdram { Ok(()) } else { Err(OsTooLarge { os, tzdram }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stock;

    fn app(heap: u64) -> AppMemory {
        AppMemory { name: "a".into(), image: 16 * KIB, heap, stack: 16 * KIB }
    }

    /// Measured on the real kernel, with the four stock TAs: what all but one TA's heap takes, its 16 KiB and its stack included.
    #[test]
    fn the_model_is_the_measured_one() {
        for (mib, measured) in [(2, 744), (4, 760), (8, 792), (16, 852)] {
            let free = Budget::new(mib * MIB, false, stock::memory(None), vec![app(0)]).free as u64;
            let model = (mib * MIB - free) / KIB;
            assert!(
                model >= measured && model < measured + 50,
                "{mib} MiB: {model} KiB, measured {measured}"
            );
        }
    }

    /// Measured on the real kernel, too: what it takes besides the memory of so many TAs, one of which fills what is left.
    #[test]
    fn the_kernel_takes_something_for_each_app() {
        for (mib, count, measured) in [(2, 3, 360), (2, 6, 432), (8, 3, 412), (8, 6, 484), (8, 10, 600)] {
            let small = || vec![app(16 * KIB); count];
            let left = Budget::new(mib * MIB, false, Vec::new(), small()).free as u64;
            let mut apps = small();
            apps[0].heap += left & !0xfff;
            let model = Budget::new(mib * MIB, false, Vec::new(), apps).kernel / KIB;
            assert!(
                model >= measured && model < measured + 50,
                "{mib} MiB, {count}: {model} KiB, measured {measured}"
            );
        }
    }

    #[test]
    fn stock_apps_count_where_they_are() {
        let of = |stock| Budget::new(2 * MIB, true, stock, vec![app(16 * KIB)]);
        let (all, none) = (of(stock::memory(None)), of(Vec::new()));
        assert_eq!(all.stock(), (84 + 64 + 92 + 80) * KIB);
        assert_eq!((none.free - all.free) as u64, all.stock() + 4 * KERNEL_PER_APP);
        assert_eq!(all.in_carve_out(2 * MIB), all);
    }

    #[test]
    fn the_least_carve_out() {
        assert_eq!(Budget::new(16 * MIB, false, Vec::new(), vec![app(256 * KIB)]).least(), Some(MIB));
        assert_eq!(Budget::new(16 * MIB, false, Vec::new(), vec![app(15 * MIB)]).least(), Some(16 * MIB));
        assert_eq!(Budget::new(16 * MIB, false, Vec::new(), vec![app(200 * MIB)]).least(), None);
        assert!(Budget::new(2 * MIB, false, Vec::new(), vec![app(2 * MIB)]).free < 0);
    }

    #[test]
    fn mb2_wants_room_besides_the_os() {
        let least = Tzdram::of_size(MIB).unwrap();
        assert_eq!(check_os(768 * KIB, least), Ok(()));
        assert_eq!(check_os(768 * KIB + 1, least), Err(OsTooLarge { os: 768 * KIB + 1, tzdram: MIB }));
        assert!(check_os(u64::MAX, least).is_err());
    }
}
