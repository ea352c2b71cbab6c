//! What would serve as well, or better.

use super::figures::{CONNECTION, Plan};
use super::finding::{Code, Finding};
use super::request::Request;
use crate::limits::{KIB, PAGE, TZDRAM_MAX};
use crate::size::Size;

/// A heap is spacious if it has so much more than what will be allocated.
const SPARE_HEAP: u32 = 64 * KIB as u32;

/// Warnings and advice on the whole.
pub(super) fn of(plan: &Plan, request: &Request) -> Vec<Finding> {
    let mut findings = Vec::new();
    let serves = smallest(plan, request);
    if plan.memory.free >= 0 && plan.connections == 0 {
        let what = format!(
            "{} bytes are free, a connection's buffers in the kernel take {CONNECTION}: clients are refused",
            plan.memory.free
        );
        let remedy = match plan.memory.tzdram.checked_add(plan.alignment).filter(|size| *size <= TZDRAM_MAX) {
            Some(size) => format!("set tzdram.size to {}", Size(size)),
            None => "lower min_heap of the trusted apps: no carve-out can be larger".into(),
        };
        findings.push(Finding::new(Code::NoConnections, None, what, remedy));
    }
    if let Some(serves) = serves.filter(|serves| *serves < plan.memory.tzdram) {
        let what = format!(
            "a carve-out of {} serves these trusted apps as well: a larger one buys nothing, and is taken from Linux. \
             A heap is as large as min_heap says, whatever the carve-out",
            Size(serves)
        );
        let remedy =
            format!("set tzdram.size to {}, unless more trusted apps or clients will come", Size(serves));
        findings.push(Finding::new(Code::TzdramSpare, None, what, remedy));
    }
    for app in &request.apps {
        let heap = app.app.manifest.heap();
        match app.heap_demand {
            None => {
                let what = "does not declare what it will allocate: nothing can tell beforehand whether its heap does";
                let remedy = format!("declare heap_demand of {} in its Cargo.toml", app.name);
                findings.push(Finding::new(Code::DemandUnknown, Some(&app.name), what, remedy));
            }
            Some(demand) if heap / 2 > demand && heap - demand > SPARE_HEAP => {
                let enough = (u64::from(demand) + 64).next_multiple_of(PAGE.into());
                let what = format!("has a heap of {heap} bytes, and will allocate {demand}");
                let remedy = format!("min_heap of {} can be {}KiB", app.name, enough / KIB);
                findings.push(Finding::new(Code::HeapSpare, Some(&app.name), what, remedy));
            }
            Some(_) => {}
        }
    }
    findings
}

/// The smallest carve-out of the wanted alignment with room for a connection to each TA.
fn smallest(plan: &Plan, request: &Request) -> Option<u64> {
    let alignment = request.tzdram.alignment();
    let least = plan.least?.checked_next_multiple_of(alignment)?;
    let wanted = CONNECTION * request.apps.len() as u64;
    let fits = |size: &u64| plan.memory.in_carve_out(*size).free >= wanted as i64;
    (0..2).filter_map(|step| least.checked_add(alignment.checked_mul(step)?)).find(fits)
}
