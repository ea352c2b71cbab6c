//! What trusted apps have used beside what their manifests give them, and what would do.

use carveout_host::size::human;
use carveout_host::text::Text;
use serde::Serialize;
use serde_json::Value;

const PAGE: u64 = 4096;

/// One trusted app, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Profile"))]
pub struct Row {
    /// Its name.
    pub name: String,
    /// Heap by manifest.
    pub min_heap: u64,
    /// Heap up to the highest page that was touched.
    pub heap_used: u64,
    /// Most bytes that were allocated at once; null of one that does not tell, as one in C.
    pub heap_peak: Option<u64>,
    /// Bytes that are allocated at the end and were not when it began to serve: what was kept, or leaked.
    pub heap_kept: Option<i64>,
    /// A min_heap that would do for what was run.
    pub proposed_heap: u64,
    /// Stack by manifest.
    pub min_stack: u64,
    /// Stack down to the lowest page that was touched.
    pub stack_used: u64,
    /// A min_stack that would do for what was run, with a page to spare.
    pub proposed_stack: u64,
    /// Most handles at once.
    pub handles: u64,
    /// Instructions executed.
    pub instructions: u64,
}

/// The rows of all trusted apps.
pub fn rows(stats: &Value) -> Vec<Row> {
    let apps = stats.get("trusted_apps").and_then(Value::as_array);
    apps.into_iter().flatten().map(row).collect()
}

fn row(app: &Value) -> Row {
    let told = |key: &str| app.get(key).and_then(Value::as_u64);
    let number = |key: &str| told(key).unwrap_or_default();
    let signed = |key: &str| told(key).and_then(|bytes| i64::try_from(bytes).ok());
    let heap_used = number("heap_touched");
    // What was asked for in vain would have been needed too.
    let wanted = heap_used.max(number("heap_refused"));
    let stack_used = number("stack_touched");
    Row {
        name: app.get("name").and_then(Value::as_str).unwrap_or_default().to_owned(),
        min_heap: number("min_heap"),
        heap_used,
        heap_peak: told("heap_peak"),
        heap_kept: signed("heap_used").zip(signed("heap_at_ready")).map(|(end, begin)| end - begin),
        proposed_heap: wanted.next_multiple_of(PAGE).max(PAGE),
        min_stack: number("min_stack"),
        stack_used,
        proposed_stack: stack_used.next_multiple_of(PAGE) + PAGE,
        handles: number("peak_handles"),
        instructions: number("instructions"),
    }
}

/// A table for people.
pub fn table(stats: &Value) -> Text {
    let header = [
        "trusted app",
        "min_heap",
        "used",
        "enough",
        "peak",
        "kept",
        "min_stack",
        "used",
        "enough",
        "handles",
        "instructions",
    ];
    let mut lines = vec![header.map(str::to_owned)];
    for row in rows(stats) {
        let size = |bytes: u64| human(bytes);
        lines.push([
            row.name.clone(),
            size(row.min_heap),
            size(row.heap_used),
            size(row.proposed_heap),
            row.heap_peak.map_or("-".into(), |bytes| format!("{bytes} B")),
            row.heap_kept.map_or("-".into(), |bytes| format!("{bytes} B")),
            size(row.min_stack),
            size(row.stack_used),
            size(row.proposed_stack),
            row.handles.to_string(),
            row.instructions.to_string(),
        ]);
    }
    let mut text = carveout_host::outcome::columns(&lines);
    text.push_str(
        "used: whole pages touched in this run; enough: what would have done for it. Run your largest requests first.\n\
         peak: most bytes allocated at once; kept: allocated at the end, and not when it began to serve.",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn proposals_are_whole_pages_with_a_page_of_stack_to_spare() {
        let stats = json!({ "trusted_apps": [{
            "name": "a", "min_heap": 16384, "heap_touched": 4096, "heap_refused": 258_048,
            "min_stack": 32768, "stack_touched": 8192, "peak_handles": 2, "instructions": 7,
            "heap_used": 100, "heap_at_ready": 120, "heap_peak": 900,
        }] });
        let row = &rows(&stats)[0];
        assert_eq!((row.proposed_heap, row.proposed_stack), (258_048, 12_288));
        assert_eq!((row.heap_peak, row.heap_kept), (Some(900), Some(-20)));
        let table = table(&stats).to_string();
        assert!(table.contains("252 KiB") && table.contains("12 KiB"), "{table}");
    }
}
