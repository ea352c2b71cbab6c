//! The page as a whole.

use super::figures::plain;
use super::{identity, partitions, tables, usage};
use crate::report::Report;
use maud::{DOCTYPE, PreEscaped, html};

/// All of the page's looks.
const STYLE: &str = include_str!("style.css");
/// Nothing is fetched, whatever a text in the page would say.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
/// Sections, in their order.
const SECTIONS: [(&str, &str); 10] = [
    ("identity", "Identity"),
    ("findings", "Findings"),
    ("changes", "Changes"),
    ("memory", "Memory"),
    ("trusted-apps", "Trusted apps"),
    ("partitions", "Partitions"),
    ("packages", "Packages"),
    ("flashes", "Flash records"),
    ("usage", "Verify and flash"),
    ("checksums", "Checksums"),
];

/// The page. The same report gives the same bytes.
pub fn render(input: &Report) -> String {
    let name = plain(&input.manifest.bundle_name());
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // Else a browser asks for one.
                link rel="icon" href="data:,";
                title { (name) ": report" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                div.page {
                    nav aria-label="Sections" {
                        ul { @for (id, title) in SECTIONS { li { a href={ "#" (id) } { (title) } } } }
                    }
                    main id="content" {
                        (identity::head(input))
                        (identity::section(input))
                        (tables::findings(input))
                        (tables::changes(input))
                        (tables::memory(input))
                        (tables::trusted_apps(input))
                        (partitions::section(input))
                        (tables::packages(input))
                        (tables::flashes(input))
                        (usage::section(input))
                        (tables::checksums(input))
                        footer { p { "Made by carveout from the verified bundle " code { (name) } ". This page loads nothing and runs nothing." } }
                    }
                }
            }
        }
    };
    page.into_string()
}
