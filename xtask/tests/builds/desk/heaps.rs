//! What NVIDIA's kernel leaves for heaps, measured beside the model of it, where NVIDIA's trees are.

use super::emulate;
use super::real::{image, product_of};
use std::fs;
use std::path::PathBuf;
use trusty_image::limits::{KIB, MIB, PAGE};
use trusty_image::{AppMemory, Budget, Container, tasks};

/// The heap that the product asks for, which nothing else in its image looks like.
const ASKED: u32 = 1236 * KIB as u32;

/// An image with one trusted app beside NVIDIA's, whose heap can be changed.
struct Sample {
    dir: tempfile::TempDir,
    image: Vec<u8>,
    /// Where the image has the size of the heap.
    at: usize,
    /// All that is in it, as the model counts it.
    apps: Vec<AppMemory>,
}

impl Sample {
    fn new(board: [&str; 2]) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let config =
            product_of(dir.path(), board, "32MiB", "{ package: small-echo-srv, min_heap: 1236KiB }")?;
        let bundle = PathBuf::from(image(&config, &dir.path().join("out"), &["--no-boot"]).ok());
        let image = fs::read(bundle.join("secure-os/tos.img")).unwrap();
        // Key 2 of a manifest, and its value.
        let entry = [2u32, ASKED].map(u32::to_le_bytes).concat();
        let found: Vec<usize> = (0..image.len()).filter(|at| image[*at..].starts_with(&entry)).collect();
        let [at] = found[..] else { panic!("{found:?}") };
        let os = Container::parse(&image).unwrap().os.to_vec();
        let memory = |elf: &&[u8]| {
            AppMemory::new("", &trusty_image::inspect(elf).unwrap(), elf.len().try_into().unwrap())
        };
        let apps = tasks::find(&os).iter().map(memory).collect();
        Some(Self { dir, image, at: at + 4, apps })
    }

    fn boots(&self, tzdram: &str, heap: u64) -> bool {
        let mut image = self.image.clone();
        image[self.at..self.at + 4].copy_from_slice(&u32::try_from(heap).unwrap().to_le_bytes());
        let path = self.dir.path().join("tos.img");
        fs::write(&path, image).unwrap();
        let client = ["--ta", "small-echo-srv", "--count", "1"];
        let ran = emulate(&path, &["--tzdram", tzdram, "--client", "host:echo-srv-app"], &client);
        let said = ran.stderr();
        let stopped = said.contains("the secure-os image does not boot");
        // A connection takes more (its queue), and that is another question.
        match (stopped, said.contains("cannot allocate memory for message queue")) {
            (true, _) => drop(ran.fails(1)),
            (false, true) => drop(ran.fails(3)),
            (false, false) => drop(ran.ok()),
        }
        !stopped
    }

    /// The largest heap that boots.
    fn largest(&self, tzdram: u64) -> u64 {
        let carve_out = format!("{}MiB", tzdram / MIB);
        let page = u64::from(PAGE);
        let (mut boots, mut fails) = (1, tzdram / page);
        while fails - boots > 1 {
            let pages = u64::midpoint(boots, fails);
            *(if self.boots(&carve_out, pages * page) { &mut boots } else { &mut fails }) = pages;
        }
        boots * page
    }

    /// The same by the model.
    fn modelled(&self, tzdram: u64) -> u64 {
        let with = |heap: u64| {
            let mut apps = self.apps.clone();
            apps.iter_mut().find(|app| app.heap == u64::from(ASKED)).unwrap().heap = heap;
            Budget::new(tzdram, true, Vec::new(), apps).free >= 0
        };
        let page = u64::from(PAGE);
        (1..tzdram / page).take_while(|pages| with(pages * page)).last().unwrap() * page
    }
}

/// What `plan` grants boots; and it keeps little back.
#[test]
fn the_heaps_that_plan_grants_boot_on_the_real_kernels() {
    for board in [["jetson-agx-xavier", "32gb"], ["jetson-tx2", "b01"]] {
        let Some(sample) = Sample::new(board) else { return };
        for tzdram in [2, 4, 8, 16] {
            let [measured, granted] = [sample.largest(tzdram * MIB), sample.modelled(tzdram * MIB)];
            println!(
                "{board:?}, {tzdram} MiB: a heap of {} KiB boots, plan grants {} KiB, all else takes {} KiB",
                measured / KIB,
                granted / KIB,
                (tzdram * MIB - measured) / KIB
            );
            assert!(granted <= measured, "{board:?}, {tzdram} MiB: {granted} and {measured}");
            assert!(measured - granted <= 80 * KIB, "{board:?}, {tzdram} MiB: {granted} and {measured}");
        }
    }
}
