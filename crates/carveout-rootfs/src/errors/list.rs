//! Lists in messages.

/// Values, each in an indented line.
pub(super) fn listed(values: &[String]) -> String {
    values.iter().map(|value| format!("  {value}")).collect::<Vec<_>>().join("\n")
}
