//! The report page in headless Chromium: what it logs and asks for, that it fits, that its links lead somewhere, what axe finds,
//! and what it looks like.
//!
//! With CARVEOUT_NEW_SCREENSHOTS=1 the pictures in golden/ are renewed: look at them before they are committed.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../report/fixture.rs"]
mod fixture;

use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask::host::{self, Need};
use xtask::report::render;
use xtask::stages::{home, logs};
use xtask::tools::npm;
use xtask::ui::{Ui, Verbosity};
use xtask::workspace::root;

const CHROMIUM: Need = Need { program: "chromium", package: "chromium", why: "shows the report page" };
const FONTS: Need = Need {
    program: "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    package: "fonts-dejavu-core",
    why: "the same letters on every machine",
};
/// The driver's views, each with the width of its window.
const VIEWS: [(&str, u64); 4] = [("light", 1000), ("dark", 1000), ("phone", 360), ("print", 688)];
/// Pixels of a picture that may differ: another version of Chromium rounds a line elsewhere.
const TOLERANCE: f64 = 0.0004;
/// Largest golden picture.
const MAX_GOLDEN: u64 = 200_000;
/// Letters without grey edges, of one package: small pictures, and the same on every machine.
const FONTS_CONF: &str = r#"<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
<dir>/usr/share/fonts/truetype/dejavu</dir>
<match target="pattern"><edit name="antialias" mode="assign"><bool>false</bool></edit></match>
<match target="font"><edit name="antialias" mode="assign"><bool>false</bool></edit></match>
</fontconfig>
"#;

fn sources() -> PathBuf {
    root().join("xtask/tests/browser")
}

/// The driver with its packages, once they are there.
struct Browser {
    driver: PathBuf,
    scratch: tempfile::TempDir,
}

impl Browser {
    fn new() -> Self {
        let logs = logs(&root()).unwrap();
        let needs = [&npm::NEEDS[..], &[CHROMIUM, FONTS]].concat();
        let ui = Ui::new(Verbosity::Normal);
        host::ensure(&needs, false, &logs.join("host.log"), &ui).unwrap_or_else(|e| panic!("{e}"));
        let tools = home(&root()).join("tools");
        let folder = npm::helper(&tools, "report-browser", &sources(), &logs.join("report-browser.log"));
        let folder = folder.unwrap_or_else(|e| panic!("{e}"));
        let scratch = tempfile::tempdir().unwrap();
        fs::write(scratch.path().join("fonts.conf"), FONTS_CONF).unwrap();
        // Node looks for packages beside a script. Under a name of its own: another test may be reading one.
        let driver = folder.join(format!("drive-{:?}.mjs", std::thread::current().id()));
        fs::copy(sources().join("drive.mjs"), &driver).unwrap();
        Self { driver, scratch }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn run(&self, arguments: &[&Path]) -> Value {
        let mut command = Command::new("node");
        command.arg(&self.driver).args(arguments).env("FONTCONFIG_FILE", self.path("fonts.conf"));
        let output = command.env("HOME", self.scratch.path()).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}\n{stderr}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Looks at a page; screenshots are in the scratch folder.
    fn look(&self, page: &str) -> Value {
        let file = self.path("page.html");
        fs::write(&file, page).unwrap();
        self.run(&["look".as_ref(), &file, host_path(CHROMIUM.program).as_path(), self.scratch.path()])
    }

    /// The share of pixels in which two pictures differ.
    fn difference(&self, golden: &Path, found: &Path, to: &Path) -> f64 {
        let told = self.run(&["compare".as_ref(), golden, found, to]);
        told["differing"].as_f64().unwrap() / told["of"].as_f64().unwrap()
    }
}

fn host_path(program: &str) -> PathBuf {
    xtask::tools::find(program).unwrap()
}

/// What is wrong with a page, without its looks.
fn complaints(found: &Value) -> Vec<String> {
    let mut all = Vec::new();
    for (what, said) in [("console", &found["console"]), ("request", &found["requests"])] {
        all.extend(said.as_array().unwrap().iter().map(|line| format!("{what}: {line}")));
    }
    for (name, width) in VIEWS {
        let view = &found["views"][name];
        if view["width"].as_u64().unwrap() > width {
            all.push(format!("{name}: {} wide, the window has {width}", view["width"]));
        }
        let media: &[&str] = match name {
            "dark" => &["(prefers-color-scheme: dark)"],
            "print" => &["print", "(prefers-color-scheme: dark)"],
            _ => &[],
        };
        assert_eq!(view["media"], serde_json::json!(media), "{name} is what it is called");
        assert!(view["checked"].as_u64().unwrap() > 20, "{name}: axe has checked something");
        all.extend(view["violations"].as_array().unwrap().iter().map(|v| format!("{name}: {v}")));
    }
    let links = found["links"].as_array().unwrap();
    let dead = links.iter().filter(|link| link["shown"] == false);
    all.extend(dead.map(|link| format!("link: {}", link["href"])));
    all
}

#[test]
fn the_page_is_well_behaved_and_looks_as_it_should() {
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
        let kept = logs(&root()).unwrap();
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
    let found = Browser::new().look(&render(&fixture::virt()));
    assert_eq!(complaints(&found), Vec::<String>::new());
}

/// The checks find what they are for.
#[test]
fn a_bad_page_is_found_out() {
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
