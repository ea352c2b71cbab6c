//! The report page in headless Chromium: what it logs and asks for, that it fits, that its links lead somewhere, what axe finds,
//! and what it looks like.
//!
//! With CARVEOUT_NEW_SCREENSHOTS=1 the pictures in golden/ and that of the README are renewed: look at them before they are committed.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

pub mod driver;

use crate::builds::util::{desk, is_full, root, xtask};
use crate::report::fixture;
use carveout_host::dirs::Dirs;
use carveout_report::render;
use driver::{Browser, VIEWS, complaints, sources};
use std::fs;

/// Pixels of a picture that may differ: another version of Chromium rounds a line elsewhere.
const TOLERANCE: f64 = 0.0004;
/// Largest golden picture.
const MAX_GOLDEN: u64 = 200_000;
#[test]
fn the_page_is_well_behaved_and_looks_as_it_should() {
    if !is_full() {
        return;
    }
    let browser = Browser::new();
    let found = browser.look(&render(&fixture::report()));
    assert_eq!(complaints(&found), Vec::<String>::new());
    assert!(found["links"].as_array().unwrap().len() >= 21, "{}", found["links"]);
    for (name, _) in VIEWS {
        let shot = browser.path(&format!("{name}.png"));
        let golden = sources().join(format!("golden/{name}.png"));
        if std::env::var_os("CARVEOUT_NEW_SCREENSHOTS").is_some() {
            fs::copy(&shot, &golden).unwrap();
        }
        assert!(fs::metadata(&golden).unwrap().len() < MAX_GOLDEN, "{name}");
        let kept = Dirs::find().logs().unwrap();
        let difference = kept.join(format!("report-{name}-difference.png"));
        let share = browser.difference(&golden, &shot, &difference);
        let found = kept.join(format!("report-{name}.png"));
        fs::copy(&shot, &found).unwrap();
        assert!(
            share <= TOLERANCE,
            "{name}: {:.2} % of the picture differ: compare {} with {}, or see {}; if it shall be so, run the test with \
             CARVEOUT_NEW_SCREENSHOTS=1",
            100.0 * share,
            found.display(),
            golden.display(),
            difference.display()
        );
    }
}

#[test]
fn a_page_of_the_virt_board_is_well_behaved_too() {
    if !is_full() {
        return;
    }
    let found = Browser::new().look(&render(&fixture::virt()));
    assert_eq!(complaints(&found), Vec::<String>::new());
}

/// The picture of the README is of the default product's report.
#[test]
fn the_picture_of_a_report_is_small() {
    let picture = root().join("docs/images/report.png");
    if std::env::var_os("CARVEOUT_NEW_SCREENSHOTS").is_some() {
        let browser = Browser::new();
        let page = browser.path("report.html");
        xtask(["report".as_ref(), desk().as_os_str(), "-o".as_ref(), page.as_os_str()]).ok();
        browser.picture(&page, &picture);
    }
    assert!(fs::metadata(&picture).unwrap().len() < MAX_GOLDEN);
}

/// The checks find what they are for.
#[test]
fn a_bad_page_is_found_out() {
    if !is_full() {
        return;
    }
    let browser = Browser::new();
    let good = render(&fixture::report());
    let bad = good
        .replace("default-src 'none';", "")
        .replace("img-src data:", "")
        .replace("--muted: #555f66", "--muted: #c5cfd6")
        .replace("<h2 id=\"findings\">", "<h2 id=\"finding\">")
        .replace(
            "<footer>",
            "<div style=\"width: 2000px\">wide</div><img src=\"http://127.0.0.1:9/x.png\"><script>console.error('oops')</script><footer>",
        );
    let found = browser.look(&bad);
    let complaints = complaints(&found).join("\n");
    for expected in [
        "console: \"error: oops\"",
        "request: \"http://127.0.0.1:9/x.png\"",
        "phone: 2016 wide, the window has 360",
        "light: \"color-contrast: ",
        "light: \"image-alt: ",
        "link: \"#findings\"",
    ] {
        assert!(complaints.contains(expected), "{expected} in {complaints}");
    }
    for (name, _) in VIEWS {
        let golden = sources().join(format!("golden/{name}.png"));
        let shot = browser.path(&format!("{name}.png"));
        let share = browser.difference(&golden, &shot, &browser.path("difference.png"));
        assert!(share > TOLERANCE, "{name}: {share}");
    }
}

/// A figure that differs is enough; so is a bar of another height.
#[test]
fn a_small_change_is_seen() {
    if !is_full() {
        return;
    }
    let browser = Browser::new();
    let mut report = fixture::report();
    report.plan.memory.kernel += 1 << 20;
    report.plan.memory.free -= 1 << 20;
    browser.look(&render(&report));
    for (name, _) in VIEWS {
        let golden = sources().join(format!("golden/{name}.png"));
        let shot = browser.path(&format!("{name}.png"));
        let share = browser.difference(&golden, &shot, &browser.path("difference.png"));
        assert!(share > TOLERANCE, "{name}: {share}");
    }
}
