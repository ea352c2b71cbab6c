//! The memory plan of a set of TAs: what is taken of the carve-out, the secure-os partition and each TA's address space, and
//! what must or may be changed.
//!
//! Advice goes both ways: a plan says what is too small, and also when more buys nothing.

mod advice;
mod figures;
mod finding;
mod request;

pub use figures::{AddressSpace, CONNECTION, Device, Fill, Plan, Range};
pub use finding::{Code, Finding, Severity};
pub use request::{PlannedApp, Request};

use crate::budget::{AppMemory, Budget};
use crate::limits::{APP_STACK_TOP, APP_START, KIB, PAGE, TZDRAM_MAX};
use crate::manifest::{self, MapMem};
use crate::size::Size;
use crate::soc::Soc;

/// A stack that is likely too small: NVIDIA's stock TAs have one page or two, for C code without a heap of its own.
pub const SANE_STACK: u32 = 2 * PAGE;
/// Heap and image that end so near below the stack leave no room to grow either.
pub const NEAR_STACK: u32 = 64 * KIB as u32;
impl Plan {
    /// Plans.
    pub fn new(request: &Request) -> Self {
        let apps = request.apps.iter().map(|a| AppMemory::new(&a.name, &a.app, a.file_size)).collect();
        let memory =
            Budget::new(request.tzdram.size(), request.stock.monitor, request.stock.apps.clone(), apps);
        let fill = |(image, size)| Fill { size, used: crate::container::signed_size(image, request.soc) };
        let mut plan = Self {
            alignment: request.tzdram.alignment(),
            least: memory.least(),
            connections: u64::try_from(memory.free).unwrap_or(0) / CONNECTION,
            partition: request.image.zip(request.partition).map(fill),
            address_spaces: request.apps.iter().map(AddressSpace::new).collect(),
            memory,
            findings: Vec::new(),
        };
        plan.findings = plan.carve_out();
        for app in &request.apps {
            plan.findings.extend(trusted_app(app));
        }
        plan.findings.extend(identities(&request.apps));
        plan.findings.extend(plan.partition.and_then(partition));
        if request.soc == Soc::T186 {
            let what = "it is unproved that MB1 of a board with t186 heeds the carve-out of its boot config";
            let remedy = "after the first full flash, look whether the board has it: docs/jetson.md, Boards";
            plan.findings.push(Finding::new(Code::CarveOutUnproved, None, what, remedy));
        }
        // What is advised rests on what is asked: that must be right first.
        if plan.errors().next().is_none() {
            plan.findings.extend(advice::of(&plan, request));
        }
        plan.findings.sort_by_key(|finding| finding.severity);
        plan
    }

    /// Findings that forbid to build.
    pub fn errors(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.severity == Severity::Error)
    }

    fn carve_out(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.memory.free < 0 {
            let what = format!(
                "{} bytes are missing: the trusted apps take {} bytes, {} {}, the carve-out has {}",
                self.memory.free.unsigned_abs(),
                self.memory.apps(),
                match (self.memory.monitor, self.memory.stock()) {
                    (0, 0) => "the kernel",
                    (_, 0) => "kernel and monitor",
                    (0, _) => "kernel and NVIDIA's trusted apps",
                    _ => "kernel, monitor and NVIDIA's trusted apps",
                },
                self.memory.kernel.saturating_add(self.memory.monitor).saturating_add(self.memory.stock()),
                self.memory.tzdram
            );
            let least = self.least.and_then(|least| least.checked_next_multiple_of(self.alignment));
            let remedy = match least.filter(|least| *least <= TZDRAM_MAX) {
                Some(least) => {
                    format!(
                        "set tzdram.size to {} or more, or lower min_heap of the trusted apps",
                        Size(least)
                    )
                }
                None => {
                    "lower min_heap of the trusted apps: no carve-out of this alignment that the kernel boots in holds them"
                        .into()
                }
            };
            findings.push(Finding::new(Code::TzdramFull, None, what, remedy));
        }
        findings
    }
}

impl AddressSpace {
    fn new(app: &PlannedApp) -> Self {
        let heap_end = app.app.heap_start + app.app.manifest.heap();
        let stack = APP_STACK_TOP - app.app.manifest.stack();
        let range = |what, start, end| Range { what, start, end };
        let ranges = vec![
            range("image", APP_START, app.app.heap_start),
            range("heap", app.app.heap_start, heap_end),
            range("free", heap_end, stack),
            range("stack", stack, APP_STACK_TOP),
        ];
        let device = |region: &MapMem| Device {
            id: region.id,
            start: region.offset.into(),
            end: u64::from(region.offset) + u64::from(region.size),
        };
        let devices = app.app.manifest.map_mem.iter().map(device).collect();
        Self { name: app.name.clone(), ranges, devices, heap_demand: app.heap_demand }
    }
}

fn trusted_app(app: &PlannedApp) -> Vec<Finding> {
    let (heap, stack) = (app.app.manifest.heap(), app.app.manifest.stack());
    let mut findings = Vec::new();
    let mut add = |code, what, remedy| findings.push(Finding::new(code, Some(&app.name), what, remedy));
    if let Some(demand) = app.heap_demand.filter(|demand| *demand > heap) {
        let what = format!(
            "will allocate {demand} bytes (heap_demand), but its heap has {heap} bytes (min_heap), whatever the carve-out"
        );
        // The allocator needs some bytes of its own.
        let enough = (u64::from(demand) + 64).next_multiple_of(PAGE.into());
        let most = u64::from(APP_STACK_TOP - stack - app.app.heap_start);
        let remedy = if enough <= most {
            format!("set min_heap of {} to {}KiB or more", app.name, enough / KIB)
        } else {
            format!(
                "let {} allocate less: with its image and its stack, a heap has at most {}KiB",
                app.name,
                most / KIB
            )
        };
        add(Code::HeapDemand, what, remedy);
    }
    if stack < SANE_STACK {
        let what = format!(
            "has a stack of {stack} bytes, less than the {SANE_STACK} that any but the smallest needs"
        );
        let remedy =
            format!("set min_stack of {}; cargo xtask emulate --profile shows what it uses", app.name);
        add(Code::StackSmall, what, remedy);
    }
    let left = app.app.address_space_left();
    if left < NEAR_STACK {
        let what =
            format!("has an image and a heap that end {left} bytes below its stack: less than {NEAR_STACK}");
        let remedy = format!("lower min_heap or min_stack of {}, or its static data", app.name);
        add(Code::NearStack, what, remedy);
    }
    if let Some(what) = manifest::wrong_region(&app.app.manifest.map_mem) {
        let remedy = format!("correct mem_map in the manifest of {}", app.name);
        add(Code::DeviceMemory, format!("has device memory (mem_map) that it cannot map: {what}"), remedy);
    }
    findings
}

/// The kernel tells TAs apart by UUID.
fn identities(apps: &[PlannedApp]) -> Vec<Finding> {
    let twin = |(index, app): (usize, &PlannedApp)| {
        let uuid = app.app.manifest.uuid;
        let other = apps.iter().take(index).find(|other| other.app.manifest.uuid == uuid)?;
        let what = format!("has the same UUID as {}: {uuid}", other.name);
        Some(Finding::new(Code::SameUuid, Some(&app.name), what, "give each trusted app a UUID of its own"))
    };
    apps.iter().enumerate().filter_map(twin).collect()
}

fn partition(fill: Fill) -> Option<Finding> {
    let Fill { size, used } = fill;
    let what = format!("the image takes {used} bytes when signed, its partition has {size}");
    let remedy = "use fewer or smaller trusted apps; static arrays are in the image, the heap is not";
    (used > size).then(|| Finding::new(Code::PartitionFull, None, what, remedy))
}

#[cfg(test)]
mod tests;
