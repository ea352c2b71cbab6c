//! Texts and figures on the page.

use carveout_host::size::human;
use carveout_host::text::Lines;
use maud::{Markup, html};

/// A text from outside, as it may stand in a page. What a browser hides, or what turns letters around, is written out; markup is
/// escaped where the text is put in.
pub fn plain(text: &str) -> String {
    Lines(text).to_string()
}

/// A size for people and, where it differs, for those who look into a boot config.
pub fn size(bytes: u64) -> Markup {
    html! { (human(bytes)) " " span.hex { (format!("0x{bytes:x}")) } }
}

/// A share in per cent.
pub fn share(part: u64, whole: u64) -> String {
    match 100.0 * part as f64 / whole.max(1) as f64 {
        share if part > 0 && share < 1.0 => "< 1 %".into(),
        share => format!("{share:.0} %"),
    }
}

/// A digest, a path, a key: what is copied.
pub fn code(text: &str) -> Markup {
    html! { code { (plain(text)) } }
}

/// A heading that can be linked to.
pub fn heading(id: &str, title: &str) -> Markup {
    html! { h2 id=(id) { a href={ "#" (id) } { (title) } } }
}

/// A table that scrolls by itself where it is too wide, and by keyboard.
pub fn table(id: &str, caption: &str, heads: &[(&str, &str)], tall: bool, rows: Markup) -> Markup {
    html! {
        div class={ "scroll" @if tall { " tall" } } role="region" tabindex="0" aria-labelledby={ (id) "-caption" } {
            table id=(id) {
                caption id={ (id) "-caption" } { (caption) }
                thead { tr { @for (head, class) in heads { th scope="col" class=(class) { (head) } } } }
                tbody { (rows) }
            }
        }
    }
}

/// A table of several bodies, each under a heading of its own.
pub fn table_of_groups(id: &str, caption: &str, heads: &[(&str, &str)], bodies: Markup) -> Markup {
    html! {
        div.scroll role="region" tabindex="0" aria-labelledby={ (id) "-caption" } {
            table.groups id=(id) {
                caption id={ (id) "-caption" } { (caption) }
                thead { tr { @for (head, class) in heads { th scope="col" class=(class) { (head) } } } }
                (bodies)
            }
        }
    }
}

/// One or many.
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_hidden_is_written_out() {
        assert_eq!(plain("a\u{202e}b\u{0}\u{200b}é\n"), "a\\u{202e}b\\u{0}\\u{200b}é\n");
    }

    #[test]
    fn shares_are_shown() {
        assert_eq!(
            (share(0, 4).as_str(), share(1, 1000).as_str(), share(1, 4).as_str()),
            ("0 %", "< 1 %", "25 %")
        );
        assert_eq!(share(1, 0), "100 %");
    }
}
