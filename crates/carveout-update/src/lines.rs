//! Text from files and devices, as a terminal may get it.

/// Control characters are written as Rust writes them, but for ends of lines.
pub fn shown(text: &str) -> String {
    let plain = |c: char| c == '\n' || !(c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c));
    text.chars().map(|c| if plain(c) { c.to_string() } else { c.escape_default().to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_but_text() {
        assert_eq!(shown("a\u{1b}[2J\nü\r\u{202e}"), "a\\u{1b}[2J\nü\\r\\u{202e}");
    }
}
