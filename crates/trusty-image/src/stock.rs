//! NVIDIA's own TAs of L4T R32, by their UUIDs (`app/` of `trusty_src.tbz2`, R32.7).

use crate::budget::AppMemory;
use crate::container::Container;
use crate::limits::KIB;
use crate::tasks;
use uuid::{Uuid, uuid};

/// The folder of the one that gives keys.
pub const HWKEY_AGENT: &str = "nvidia-sample/hwkey-agent";
/// UUID and folder of each.
pub const STOCK: [(Uuid, &str); 4] = [
    (uuid!("766072e8-414e-48fc-9f8f-fb9a6f144124"), "sample/ipc-unittest/main"),
    (uuid!("fee67f9f-e1b1-4e3d-8455-047f6001afef"), "sample/ipc-unittest/srv"),
    (uuid!("92b92883-f96a-4177-97d1-6bb2e278a46f"), HWKEY_AGENT),
    (uuid!("33ae2177-4a98-4a35-8938-b366ce818ef5"), "nvidia-sample/luks-srv"),
];

/// KiB of their files, in whole pages (L4T R32.7.2's own image).
const FILES: [u64; 4] = [60, 40, 68, 56];
/// KiB of heap and stack, the same in all.
const HEAP: u64 = 16;
const STACK: u64 = 8;

/// The memory of the stock TAs of these folders; None: of all four.
pub fn memory(folders: Option<&[String]>) -> Vec<AppMemory> {
    let wanted = |name: &str| folders.is_none_or(|folders| folders.iter().any(|folder| folder == name));
    let rows = STOCK.iter().zip(FILES).filter(|((_, name), _)| wanted(name));
    rows.map(|((_, name), file)| AppMemory {
        name: (*name).into(),
        image: file * KIB,
        heap: HEAP * KIB,
        stack: STACK * KIB,
    })
    .collect()
}

/// What of NVIDIA's shares the carve-out with a product's TAs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stock {
    /// Whether a monitor (ATF) does.
    pub monitor: bool,
    /// TAs.
    pub apps: Vec<AppMemory>,
}

impl Stock {
    /// Of an image in which `own` TAs of the product come first.
    pub fn of_image(image: &Container, own: usize) -> Self {
        Self { monitor: !image.monitor.is_empty(), apps: memory_behind(image.os, own) }
    }
}

/// The memory of the TAs in a kernel behind `own` ones: NVIDIA's, by their folders' names where they are known.
fn memory_behind(os: &[u8], own: usize) -> Vec<AppMemory> {
    let memory = |elf: &[u8]| {
        let app = crate::inspect(elf).ok()?;
        let uuid = app.manifest.uuid;
        let name = name(uuid).map_or_else(|| uuid.to_string(), str::to_owned);
        Some(AppMemory::new(&name, &app, elf.len() as u64))
    };
    tasks::find(os).into_iter().skip(own).filter_map(memory).collect()
}

/// The folder of a stock TA.
pub fn name(uuid: Uuid) -> Option<&'static str> {
    STOCK.iter().find(|(known, _)| *known == uuid).map(|(_, name)| *name)
}
