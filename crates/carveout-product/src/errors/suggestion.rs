//! What a user may have meant.

/// The sentence that names what was meant, if something is near enough.
pub(super) fn did_you_mean(name: Option<&str>) -> String {
    name.map(|name| format!(" Did you mean `{name}`?")).unwrap_or_default()
}
