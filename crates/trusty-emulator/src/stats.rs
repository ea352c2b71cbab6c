//! What the trusted apps have used, as JSON.

use crate::process::AppState;
use crate::system::{End, System};
use serde_json::{Value, json};

/// All figures. Sizes are in bytes; high-water marks count whole pages that were touched.
pub fn collect(system: &System, end: &End) -> Value {
    let apps: Vec<Value> = system
        .apps
        .iter()
        .map(|app| {
            let [used, peak] = app.heap_figures().map_or([None; 2], |figures| figures.map(Some));
            json!({
                "heap_used": used,
                "heap_peak": peak,
                "heap_at_ready": app.heap_at_ready,
                "name": app.name,
                "uuid": app.app.manifest.uuid.to_string(),
                "exited": app.state == AppState::Exited,
                "ended": app.ended,
                "instructions": app.machine.instructions(),
                "image": app.app.image_size,
                "min_heap": app.app.manifest.heap(),
                "heap_brk": app.brk - app.app.heap_start,
                "heap_touched": app.machine.heap_high_water(),
                "heap_refused": app.refused.map(|refused| refused - app.app.heap_start),
                "min_stack": app.app.manifest.stack(),
                "stack_touched": app.machine.stack_high_water(),
                "handles": system.kernel.handles(app.task),
                "peak_handles": app.peak_handles,
            })
        })
        .collect();
    let census = system.kernel.census();
    let fault = match end {
        End::Fault(report) => Some(report.clone()),
        End::Told => None,
    };
    json!({
        "trusted_apps": apps,
        "messages": system.server.messages,
        "lost": system.server.lost,
        "ports": census.ports,
        "channels": census.channels,
        "unread": census.messages,
        "fault": fault,
    })
}
