//! Licences and sources of all that the workspace depends on, by the rules in deny.toml. `cargo xtask test --full` asks cargo-deny
//! itself, which takes a minute to build; the rules are the same.
#![allow(clippy::unwrap_used, clippy::panic)]

use cargo_metadata::{Metadata, Package};
use carveout_host::tools::cargo;
use serde::Deserialize;
use spdx::{Expression, LicenseReq, ParseMode};
use std::collections::BTreeSet;
use std::fs;

#[derive(Deserialize)]
struct Rules {
    graph: Graph,
    licenses: Licences,
}

#[derive(Deserialize)]
struct Graph {
    targets: Vec<String>,
}

#[derive(Deserialize)]
struct Licences {
    allow: BTreeSet<String>,
    exceptions: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: BTreeSet<String>,
}

impl Rules {
    fn read() -> Self {
        toml::from_str(&fs::read_to_string(crate::tidy::root().join("deny.toml")).unwrap()).unwrap()
    }

    /// Why a licence will not do for a package.
    fn against(&self, name: &str, licence: Option<&str>) -> Option<String> {
        let Some(text) = licence else { return Some(format!("{name}: names no licence")) };
        let Ok(expression) = Expression::parse_mode(text, ParseMode::LAX) else {
            return Some(format!("{name}: {text} is no SPDX expression"));
        };
        let own = self.licenses.exceptions.iter().filter(|exception| exception.name == name);
        let own: Vec<&String> = own.flat_map(|exception| &exception.allow).collect();
        let allowed = |requirement: &LicenseReq| {
            let licence = requirement.to_string();
            self.licenses.allow.contains(&licence) || own.contains(&&licence)
        };
        (!expression.evaluate(allowed)).then(|| format!("{name}: {text} is not allowed"))
    }
}

/// What is linked on the targets that the rules name.
fn used(rules: &Rules) -> Metadata {
    let targets = rules.graph.targets.iter().flat_map(|target| ["--filter-platform", target.as_str()]);
    let options: Vec<&str> = ["--all-features", "--locked"].into_iter().chain(targets).collect();
    cargo::metadata(&crate::tidy::root().join("Cargo.toml"), &options).unwrap()
}

fn packages(metadata: &Metadata) -> Vec<&Package> {
    let nodes = &metadata.resolve.as_ref().unwrap().nodes;
    let used: BTreeSet<_> = nodes.iter().map(|node| &node.id).collect();
    metadata.packages.iter().filter(|package| used.contains(&package.id)).collect()
}

#[test]
fn all_licences_and_sources_are_allowed() {
    let rules = Rules::read();
    let metadata = used(&rules);
    let packages = packages(&metadata);
    assert!(packages.len() > 150, "{}", packages.len());
    let mut wrong: Vec<String> =
        packages.iter().filter_map(|p| rules.against(&p.name, p.license.as_deref())).collect();
    for package in &packages {
        if package.source.as_ref().is_some_and(|source| !source.is_crates_io()) {
            wrong.push(format!("{}: comes from {}", package.name, package.source.as_ref().unwrap()));
        }
        let any = package.dependencies.iter().filter(|d| d.req.to_string() == "*" && d.path.is_none());
        if package.source.is_none() {
            wrong.extend(any.map(|d| format!("{}: takes any version of {}", package.name, d.name)));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    for Exception { name, .. } in &rules.licenses.exceptions {
        assert!(
            packages.iter().any(|package| package.name.as_str() == name),
            "{name} is an exception of nothing"
        );
    }
}

#[test]
fn what_is_not_allowed_is_told() {
    let rules = Rules::read();
    assert_eq!(rules.against("x", Some("MIT/Apache-2.0")), None);
    assert_eq!(rules.against("x", Some("GPL-3.0-only OR MIT")), None);
    assert_eq!(rules.against("x", Some("MIT AND MPL-2.0")).unwrap(), "x: MIT AND MPL-2.0 is not allowed");
    assert_eq!(rules.against("x", Some("GPL-2.0")).unwrap(), "x: GPL-2.0 is not allowed");
    assert_eq!(rules.against("unicorn-engine", Some("GPL-2.0")), None);
    assert_eq!(rules.against("x", None).unwrap(), "x: names no licence");
    assert_eq!(rules.against("x", Some("Mine")).unwrap(), "x: Mine is no SPDX expression");
}
