//! `new`: a workspace of a team's own, or one more app in it.

mod names;
mod unfinished;

use crate::errors::NewError;
use crate::results::Made;
use carveout_host::dirs::Dirs;
use carveout_host::error::{At, Result};
use carveout_host::files;
use carveout_host::outcome::Outcome;
use carveout_host::tools::cargo::lock::CargoLock;
use carveout_host::tools::{cargo, find, run, shell};
use carveout_host::ui::Ui;
use serde_json::json;
use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};
use unfinished::Unfinished;
use xshell::cmd;

/// Crates of carveout that a workspace depends on, and where each lies in carveout's repository.
const CRATES: [(&str, &str); 4] = [
    ("carveout", "crates/carveout"),
    ("tipc", "crates/tipc"),
    ("trusty-ta", "crates/trusty-ta"),
    ("trusty-ta-build", "crates/trusty-ta-build"),
];
/// Versions of crates that carveout is tested with: cargo keeps those that it can.
const LOCK: &str = include_str!("../../../Cargo.lock");

/// The manifest of our own workspace, and the profiles of it that others need: apps have the same bytes there.
const MANIFEST: &str = include_str!("../../../Cargo.toml");
const PROFILES: [&str; 3] = ["[profile.dev.package]", "[profile.ta]", "[profile.client]"];

/// Files of a workspace, by their paths.
const WORKSPACE: [(&str, &str); 10] = [
    ("Cargo.toml", include_str!("../templates/workspace/Cargo.toml")),
    (".cargo/config.toml", include_str!("../templates/workspace/cargo-config.toml")),
    (".gitignore", include_str!("../templates/workspace/gitignore")),
    ("README.md", include_str!("../templates/workspace/README.md")),
    ("configs/desk.yaml", include_str!("../templates/workspace/desk.yaml")),
    ("configs/jetson.yaml", include_str!("../templates/workspace/jetson.yaml")),
    ("xtask/Cargo.toml", include_str!("../templates/workspace/xtask.toml")),
    ("xtask/src/main.rs", include_str!("../templates/workspace/xtask.rs")),
    (".github/workflows/carveout.yml", include_str!("../templates/workspace/github.yml")),
    (".gitlab-ci.yml", include_str!("../templates/workspace/gitlab.yml")),
];
const SERVICE: [(&str, &str); 2] = [
    ("Cargo.toml", include_str!("../templates/service/Cargo.toml")),
    ("src/lib.rs", include_str!("../templates/service/lib.rs")),
];
const TRUSTED_APP: [(&str, &str); 2] = [
    ("Cargo.toml", include_str!("../templates/ta/Cargo.toml")),
    ("build.rs", include_str!("../templates/ta/build.rs")),
];
/// What a trusted app does: in a crate of its own, or here.
const WITH_SERVICE: (&str, &str) = ("src/main.rs", include_str!("../templates/ta/main.rs"));
const ALONE: (&str, &str) = ("src/main.rs", include_str!("../templates/ta/alone.rs"));
const CLIENT_APP: [(&str, &str); 2] = [
    ("Cargo.toml", include_str!("../templates/app/Cargo.toml")),
    ("src/main.rs", include_str!("../templates/app/main.rs")),
];

/// Where a workspace gets carveout from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carveout {
    /// A tag of a git repository.
    Git {
        /// Its URL.
        url: String,
        /// The tag.
        tag: String,
    },
    /// A folder: a clone.
    Path(PathBuf),
}

impl Carveout {
    /// `URL#TAG`, or a folder.
    pub fn parse(text: &str) -> Result<Self> {
        if let Some((url, tag)) = text.split_once('#').filter(|(url, _)| url.contains("://")) {
            return Ok(Self::Git { url: url.into(), tag: tag.into() });
        }
        let folder = Path::new(text);
        if !cargo::is_carveout(folder) {
            return Err(NewError::NoCarveout { given: text.into() }.into());
        }
        Ok(Self::Path(fs::canonicalize(folder).at(folder)?))
    }

    /// The clone that the command was called in, or this version's tag.
    fn default_of(dirs: &Dirs) -> Result<Self> {
        match dirs.workspace().filter(|root| cargo::is_carveout(root)) {
            Some(root) => Ok(Self::Path(fs::canonicalize(root).at(root)?)),
            None => Ok(Self::Git {
                url: env!("CARGO_PKG_REPOSITORY").into(),
                tag: concat!("v", env!("CARGO_PKG_VERSION")).into(),
            }),
        }
    }

    /// The lines of `[workspace.dependencies]`.
    fn dependencies(&self) -> String {
        let line = |(name, place): &(&str, &str)| match self {
            Self::Git { url, tag } => format!("{name} = {{ git = {url:?}, tag = {tag:?} }}"),
            Self::Path(folder) => {
                format!("{name} = {{ path = {:?} }}", folder.join(place).display().to_string())
            }
        };
        CRATES.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// What a template is filled with.
struct Values {
    name: String,
    product: String,
    port: String,
    service: String,
    dependencies: String,
    uuid: String,
}

impl Values {
    fn fill(&self, text: &str) -> String {
        let ident = self.service.replace('-', "_");
        let service = if self.service.is_empty() {
            String::new()
        } else {
            format!("{}.workspace = true", self.service)
        };
        let named = if self.service.is_empty() { &self.name } else { &self.product };
        let pairs = [
            ("@NAME@", self.name.as_str()),
            ("@PRODUCT@", &self.product),
            ("@PORT@", &self.port),
            ("@DEPENDENCIES@", &self.dependencies),
            ("@PROFILES@", &profiles()),
            ("@UUID@", &self.uuid),
            ("@SERVICE@\n", &if service.is_empty() { service.clone() } else { format!("{service}\n") }),
            ("@service@", &ident),
            // No type of trusty_ta's is called so, whatever the name.
            ("@Type@", &format!("{}Service", names::of_type(named))),
        ]
        .map(|(from, to)| (from, to.to_owned()));
        pairs.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }
}

/// Each of [`PROFILES`] with what is said of it.
fn profiles() -> String {
    let paragraphs = MANIFEST.split("\n\n").map(str::trim);
    let wanted = paragraphs.filter(|text| text.lines().any(|line| PROFILES.contains(&line)));
    wanted.collect::<Vec<_>>().join("\n\n")
}

/// A random UUID, version 4.
fn uuid() -> Result<String> {
    let path = Path::new("/dev/urandom");
    let mut bytes = [0; 16];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut bytes)).at(path)?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string())
}

fn write(folder: &Path, files: &[(&str, &str)], values: &Values) -> Result<()> {
    files.iter().try_for_each(|(name, text)| files::put_below(folder, name, values.fill(text)))
}

/// Makes a workspace in a new or an empty folder.
pub fn workspace(
    folder: &Path,
    name: Option<&str>,
    from: Option<&Carveout>,
    dirs: &Dirs,
    ui: &Ui,
) -> Result<Outcome> {
    let folder = &resolved(folder)?;
    let of_folder = || {
        folder.file_name().unwrap_or_default().to_string_lossy().to_lowercase().replace(['_', ' ', '.'], "-")
    };
    let name = name.map_or_else(of_folder, str::to_owned);
    names::ensure(&name)?;
    ensure_outside(folder)?;
    let from = from.cloned().map_or_else(|| Carveout::default_of(dirs), Ok)?;
    let mut unfinished = Unfinished::begin(folder, folder)?;
    let root = unfinished.staging.clone();
    let service = format!("{name}-service");
    let of = |app: &str| -> Result<Values> {
        Ok(Values {
            name: app.into(),
            product: name.clone(),
            port: format!("com.example.{name}"),
            service: service.clone(),
            dependencies: format!("{service} = {{ path = \"apps/{service}\" }}\n{}", from.dependencies()),
            uuid: uuid()?,
        })
    };
    write(&root, &WORKSPACE, &of(&name)?)?;
    write(&root.join("apps").join(&service), &SERVICE, &of(&name)?)?;
    let srv = format!("{name}-srv");
    write(&root.join("apps").join(&srv), &[&TRUSTED_APP[..], &[WITH_SERVICE]].concat(), &of(&srv)?)?;
    let app = format!("{name}-app");
    write(&root.join("apps").join(&app), &CLIENT_APP, &of(&app)?)?;
    files::put(&root.join("Cargo.lock"), LOCK)?;
    lock(&root)?;
    if find("git").is_some() && !folder.ancestors().any(|above| above.join(".git").exists()) {
        let sh = shell(&root)?;
        run("git init", cmd!(sh, "git init --quiet"), &Dirs::of(&root).logs()?.join("new.log"))?;
    }
    unfinished.place()?;
    unfinished.keep();
    ui.note(&format!("next: cd {} && cargo test && cargo xtask run -- hello", folder.display()));
    Ok(made(folder))
}

/// Which kind of app.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A trusted app.
    TrustedApp,
    /// A client app.
    ClientApp,
}

/// Adds an app to the workspace.
pub fn app(kind: Kind, name: &str, dirs: &Dirs, ui: &Ui) -> Result<Outcome> {
    names::ensure(name)?;
    let root = dirs.root()?;
    let folder = root.join("apps").join(name);
    if fs::symlink_metadata(&folder).is_ok() {
        return Err(NewError::Exists { folder }.into());
    }
    names::ensure_free(name, CargoLock::read(root)?.all().map(|package| package.name.as_str()))?;
    let mut unfinished = Unfinished::begin(&folder, root)?;
    let staging = &unfinished.staging;
    let values = Values {
        name: name.into(),
        product: name.into(),
        port: format!("com.example.{name}"),
        service: String::new(),
        dependencies: String::new(),
        uuid: uuid()?,
    };
    let key = match kind {
        Kind::TrustedApp => {
            write(staging, &[&TRUSTED_APP[..], &[ALONE]].concat(), &values)?;
            "trusted_apps"
        }
        Kind::ClientApp => {
            write(staging, &CLIENT_APP, &values)?;
            "client_apps"
        }
    };
    unfinished.place()?;
    if !lock(root)?.iter().any(|member| member == name) {
        return Err(NewError::NotAMember { name: name.into(), manifest: root.join("Cargo.toml") }.into());
    }
    unfinished.keep();
    ui.note(&format!("to build it, name it in a product config: {key}: [{name}]"));
    Ok(made(&folder))
}

/// Makes Cargo.lock fit the workspace, with the versions that are in it as far as they serve.
///
/// Its members, by name.
fn lock(root: &Path) -> Result<Vec<String>> {
    let metadata = cargo::metadata(&root.join("Cargo.toml"), &[])?;
    Ok(metadata.workspace_packages().iter().map(|package| package.name.to_string()).collect())
}

/// Where a folder lies that need not be there: `..` and links are followed, so that only folders that it is in stand in its path.
fn resolved(folder: &Path) -> Result<PathBuf> {
    let mut real = PathBuf::new();
    for component in std::path::absolute(folder).at(folder)?.components() {
        if component == Component::ParentDir {
            real.pop();
        } else {
            real.push(component);
            real = fs::canonicalize(&real).unwrap_or(real);
        }
    }
    Ok(real)
}

/// A workspace is in no other: that one's cargo would count the apps to its own members, or refuse them.
fn ensure_outside(folder: &Path) -> Result<()> {
    let is_workspace = |above: &&Path| {
        let manifest = fs::read_to_string(above.join("Cargo.toml")).unwrap_or_default();
        manifest.lines().any(|line| line.trim_start().starts_with("[workspace"))
    };
    match folder.ancestors().skip(1).find(is_workspace) {
        Some(above) => Err(NewError::InWorkspace { folder: folder.into(), workspace: above.into() }.into()),
        None => Ok(()),
    }
}

fn made(folder: &Path) -> Outcome {
    let line = folder.display().to_string();
    Outcome { json: json!(Made { folder: line.clone() }), line: Some(line.into()), ..Outcome::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_beside_a_workspace_is_not_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let top = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir_all(top.join("clone/deep")).unwrap();
        fs::write(top.join("clone/Cargo.toml"), "[workspace]\n").unwrap();
        std::os::unix::fs::symlink(top.join("clone/deep"), top.join("link")).unwrap();
        for (given, real) in [
            ("clone/../door-lock", "door-lock"),
            ("clone/none/../../door-lock", "door-lock"),
            ("link/../x", "clone/x"),
            ("./a/b/.", "a/b"),
        ] {
            assert_eq!(resolved(&top.join(given)).unwrap(), top.join(real), "{given}");
        }
        assert!(ensure_outside(&top.join("door-lock")).is_ok());
        assert!(ensure_outside(&resolved(&top.join("link/x")).unwrap()).is_err());
    }

    #[test]
    fn a_workspace_has_our_profiles() {
        for profile in PROFILES {
            assert!(profiles().contains(&format!("{profile}\n")), "{profile}");
        }
        assert!(profiles().contains("codegen-units = 1") && !profiles().contains("[profile.firmware]"));
    }

    #[test]
    fn carveout_comes_from_a_tag_or_a_folder() {
        let git = Carveout::parse("https://git.example/carveout#v1").unwrap();
        assert!(
            git.dependencies().contains("tipc = { git = \"https://git.example/carveout\", tag = \"v1\" }")
        );
        assert!(Carveout::parse("/no/such").is_err());
    }

    #[test]
    fn nothing_is_left_to_fill_in() {
        let values = Values {
            name: "x-srv".into(),
            product: "x".into(),
            port: "com.example.x".into(),
            service: "x-service".into(),
            dependencies: "tipc = 1".into(),
            uuid: uuid().unwrap(),
        };
        for files in [&WORKSPACE[..], &SERVICE, &TRUSTED_APP, &[WITH_SERVICE, ALONE], &CLIENT_APP] {
            for (name, text) in files {
                let filled = values.fill(text);
                let left = filled
                    .split('@')
                    .skip(1)
                    .step_by(2)
                    .find(|word| word.bytes().all(|b| b.is_ascii_alphabetic()));
                assert!(
                    name.ends_with("yml") || name.ends_with("Cargo.toml") || left.is_none(),
                    "{name}: {left:?}"
                );
            }
        }
    }
}
