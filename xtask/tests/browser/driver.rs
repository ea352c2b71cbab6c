//! Headless Chromium, by puppeteer; also for whole builds.

use carveout_host::dirs::Dirs;
use carveout_host::packages;
use carveout_host::packages::Need;
use carveout_host::ui::{Ui, Verbosity};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    carveout_host::dirs::Dirs::find().root().unwrap().to_owned()
}

const CHROMIUM: Need = Need { program: "chromium", package: "chromium", why: "shows the report page" };
const FONTS: Need = Need {
    program: "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf",
    package: "fonts-dejavu-core",
    why: "the same letters on every machine",
};
/// The driver's views, each with the width of its window.
pub const VIEWS: [(&str, u64); 4] = [("light", 1000), ("dark", 1000), ("phone", 360), ("print", 688)];
/// Letters without grey edges, of one package: small pictures, and the same on every machine.
const FONTS_CONF: &str = r#"<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
<dir>/usr/share/fonts/truetype/dejavu</dir>
<match target="pattern"><edit name="antialias" mode="assign"><bool>false</bool></edit></match>
<match target="font"><edit name="antialias" mode="assign"><bool>false</bool></edit></match>
</fontconfig>
"#;

pub fn sources() -> PathBuf {
    root().join("xtask/tests/browser")
}

/// The driver with its packages, once they are there.
pub struct Browser {
    driver: PathBuf,
    scratch: tempfile::TempDir,
}

impl Browser {
    pub fn new() -> Self {
        let logs = Dirs::of(&root()).logs().unwrap();
        let needs = [&crate::npm::NEEDS[..], &[CHROMIUM, FONTS]].concat();
        let ui = Ui::new(Verbosity::Normal);
        packages::ensure(&needs, false, &logs.join("host.log"), &ui).unwrap_or_else(|e| panic!("{e}"));
        let tools = Dirs::of(&root()).home().join("tools");
        let folder =
            crate::npm::helper(&tools, "report-browser", &sources(), &logs.join("report-browser.log"));
        let folder = folder.unwrap_or_else(|e| panic!("{e}"));
        let scratch = tempfile::tempdir().unwrap();
        fs::write(scratch.path().join("fonts.conf"), FONTS_CONF).unwrap();
        // Node looks for packages beside a script. Under a name of its own: another test may be reading one.
        let driver = folder.join(format!("drive-{:?}.mjs", std::thread::current().id()));
        fs::copy(sources().join("drive.mjs"), &driver).unwrap();
        Self { driver, scratch }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn run(&self, arguments: &[&Path]) -> Value {
        self.told(self.command(arguments).env("FONTCONFIG_FILE", self.path("fonts.conf")))
    }

    fn command(&self, arguments: &[&Path]) -> Command {
        let mut command = Command::new("node");
        command.arg(&self.driver).args(arguments).env("HOME", self.scratch.path());
        command
    }

    fn told(&self, command: &mut Command) -> Value {
        let output = command.output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?}\n{stderr}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Looks at a page; screenshots are in the scratch folder.
    pub fn look(&self, page: &str) -> Value {
        let file = self.path("page.html");
        fs::write(&file, page).unwrap();
        self.run(&["look".as_ref(), &file, host_path(CHROMIUM.program).as_path(), self.scratch.path()])
    }

    /// What a window shows of a report's memory map, with letters as people see them.
    pub fn picture(&self, page: &Path, to: &Path) {
        let chromium = host_path(CHROMIUM.program);
        self.told(&mut self.command(&["picture".as_ref(), page, &chromium, to]));
    }

    /// The share of pixels in which two pictures differ.
    pub fn difference(&self, golden: &Path, found: &Path, to: &Path) -> f64 {
        let told = self.run(&["compare".as_ref(), golden, found, to]);
        told["differing"].as_f64().unwrap() / told["of"].as_f64().unwrap()
    }
}

fn host_path(program: &str) -> PathBuf {
    carveout_host::tools::find(program).unwrap()
}

/// What is wrong with a page, without its looks.
pub fn complaints(found: &Value) -> Vec<String> {
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
