//! Documents of `--json` against docs/reference/json.schema.json, by the keywords that schemars writes. Any other keyword fails, and so
//! does a field that the schema does not name: the published schema lets readers expect more, our own tests do not.
//!
//! Not by a crate: the lightest that knows draft 2020-12 (boon) brings 60 crates and takes 37 s of a core to build, of each CI run.
#![allow(clippy::unwrap_used, clippy::panic)]

use crate::builds::util::{root, xtask};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::sync::OnceLock;

/// What in a document is not as the schema has it. `arguments`: of the command that has printed it.
pub fn faults(arguments: &[String], document: &Value) -> Vec<String> {
    static SCHEMA: OnceLock<Value> = OnceLock::new();
    let schema = SCHEMA.get_or_init(xtask::reference::schemas::documents);
    let checker = Checker { definitions: schema["$defs"].as_object().unwrap() };
    let mut faults = checker.faults(schema, document, "document", true);
    let known: BTreeSet<&str> = xtask::reference::schemas::verbs().collect();
    let two = arguments.windows(2).map(|pair| format!("{}-{}", pair[0], pair[1]));
    let words = arguments.iter().cloned().zip(two.chain([String::new()]));
    let verb = words.flat_map(|(one, two)| [two, one]).find(|word| known.contains(word.as_str()));
    match verb {
        Some(verb) if document["errors"] == json!([]) => {
            let of_verb = json!({ "$ref": format!("#/$defs/{verb}") });
            faults.extend(checker.faults(&of_verb, &document["result"], "result", true));
        }
        None if document["ok"] == true => faults.push(format!("no verb in {arguments:?}")),
        _ => {}
    }
    faults
}

struct Checker<'a> {
    definitions: &'a Map<String, Value>,
}

impl Checker<'_> {
    fn target(&self, to: &Value) -> &Value {
        &self.definitions[to.as_str().unwrap().strip_prefix("#/$defs/").unwrap()]
    }

    /// `whole`: whether no other schema describes the same object besides.
    fn faults(&self, schema: &Value, value: &Value, at: &str, whole: bool) -> Vec<String> {
        let Value::Object(keywords) = schema else {
            return if *schema == true { Vec::new() } else { vec![format!("{at}: nothing is allowed")] };
        };
        let mut faults = Vec::new();
        let has_keys = keywords.contains_key("properties");
        for (keyword, of) in keywords {
            match keyword.as_str() {
                "$defs" | "$schema" | "default" | "description" | "format" | "properties" | "title" => {}
                "$ref" => faults.extend(self.faults(self.target(of), value, at, whole && !has_keys)),
                "additionalProperties" if has_keys => {}
                "additionalProperties" => {
                    let all = value.as_object().into_iter().flatten();
                    faults.extend(all.flat_map(|(key, v)| self.faults(of, v, &format!("{at}.{key}"), true)));
                }
                "anyOf" | "oneOf" => {
                    let each: Vec<_> =
                        of.as_array().unwrap().iter().map(|s| self.faults(s, value, at, whole)).collect();
                    let fitting = each.iter().filter(|faults| faults.is_empty()).count();
                    if fitting == 0 || (keyword == "oneOf" && fitting > 1) {
                        let nearest = each.into_iter().min_by_key(Vec::len).unwrap();
                        faults.push(format!("{at}: fits {fitting} of {keyword}; nearest: {nearest:?}"));
                    }
                }
                "const" if of != value => faults.push(format!("{at}: {value}, not {of}")),
                "enum" if !of.as_array().unwrap().contains(value) => {
                    faults.push(format!("{at}: {value}, none of {of}"));
                }
                "const" | "enum" => {}
                "items" | "prefixItems" => {
                    let all = value.as_array().into_iter().flatten().enumerate();
                    let schema = |index: usize| if keyword == "items" { Some(of) } else { of.get(index) };
                    let all = all.filter_map(|(index, v)| Some((index, schema(index)?, v)));
                    faults.extend(all.flat_map(|(n, s, v)| self.faults(s, v, &format!("{at}[{n}]"), true)));
                }
                "minItems" | "maxItems" => {
                    let (length, limit) = (value.as_array().map_or(0, Vec::len) as u64, of.as_u64().unwrap());
                    if (keyword == "minItems" && length < limit) || (keyword == "maxItems" && length > limit)
                    {
                        faults.push(format!("{at}: {length} items, {keyword} is {limit}"));
                    }
                }
                "minimum" | "maximum" => {
                    let limit = of.as_f64().unwrap();
                    let beyond =
                        |value: f64| if keyword == "minimum" { value < limit } else { value > limit };
                    if value.as_f64().is_some_and(beyond) {
                        faults.push(format!("{at}: {value}, {keyword} is {of}"));
                    }
                }
                "required" => {
                    let missing = of
                        .as_array()
                        .unwrap()
                        .iter()
                        .filter(|key| value.get(key.as_str().unwrap()).is_none());
                    faults.extend(missing.map(|key| format!("{at}: {key} is missing")));
                }
                "type" => {
                    let types = of.as_array().cloned().unwrap_or_else(|| vec![of.clone()]);
                    if !types.iter().any(|kind| is(value, kind.as_str().unwrap())) {
                        faults.push(format!("{at}: {value} is no {of}"));
                    }
                }
                "uniqueItems" => {}
                other => panic!("{at}: the keyword {other} is not known here"),
            }
        }
        for (key, v) in value.as_object().into_iter().flatten().filter(|_| has_keys) {
            match keywords["properties"].get(key) {
                Some(schema) => faults.extend(self.faults(schema, v, &format!("{at}.{key}"), true)),
                None if whole && !self.keys(schema).contains(key.as_str()) => {
                    faults.push(format!("{at}.{key}: is not in the schema"));
                }
                None => {}
            }
        }
        faults
    }

    /// All keys that a schema and those that it refers to name.
    fn keys<'b>(&'b self, schema: &'b Value) -> BTreeSet<&'b str> {
        let own = schema["properties"].as_object().into_iter().flatten().map(|(key, _)| key.as_str());
        let further = schema.get("$ref").map(|to| self.keys(self.target(to)));
        own.chain(further.into_iter().flatten()).collect()
    }
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no type"),
    }
}

#[test]
fn what_is_not_in_the_schema_is_found() {
    let good = json!({
        "schema": 1, "ok": true, "errors": [],
        "result": { "ok": true, "bundle": "desk", "signed_by": null },
    });
    let verify = ["xtask", "verify", "image"].map(str::to_owned);
    assert_eq!(faults(&verify, &good), Vec::<String>::new());
    for (change, expected) in [
        (json!({ "result": { "ok": true, "bundle": "desk" } }), "\"signed_by\" is missing"),
        (
            json!({ "result": { "ok": 1, "bundle": "desk", "signed_by": null } }),
            "result.ok: 1 is no \"boolean\"",
        ),
        (
            json!({ "result": { "ok": true, "bundle": "desk", "signed_by": null, "more": 1 } }),
            "result.more: is not in the schema",
        ),
        (json!({ "result": null }), "result: null is no \"object\""),
        (
            json!({ "result": { "kind": "lk", "size": -1, "trusted_apps": [] } }),
            "document.result: fits 0 of anyOf",
        ),
        (json!({ "ok": null }), "document.ok: null is no \"boolean\""),
        (json!({ "errors": [{ "code": "x" }] }), "document.errors[0]: \"exit\" is missing"),
        (json!({ "warnings": [] }), "document.warnings: is not in the schema"),
    ] {
        let mut bad = good.clone();
        bad.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let found = faults(&verify, &bad).join("\n");
        assert!(found.contains(expected), "{bad}: {found}");
    }
    let inspect = ["inspect".to_owned()];
    let mut found = good.clone();
    found["result"] = json!({ "kind": "minisign-public", "key": "A", "trusted_comment": null });
    assert_eq!(faults(&inspect, &found), Vec::<String>::new());
    found["result"]["comment"] = json!("");
    assert!(!faults(&inspect, &found).is_empty());
}

/// What needs no build. [`crate::builds::util::Ran::result`] compares each with the schema.
#[test]
fn results_of_quick_verbs_are_as_the_schema_has_them() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let key = at("release.key");
    let result = |arguments: &[&str]| xtask(["--json"].iter().chain(arguments)).result();
    result(&["completions", "bash"]);
    result(&["key", "new", &key, "--no-password"]);
    result(&["key", "public", &key]);
    std::fs::write(at("blank"), [0xff; 512]).unwrap();
    std::fs::write(at("script"), "#!/bin/sh\n").unwrap();
    std::fs::write(at("sums"), format!("{}  blank\n", "0".repeat(64))).unwrap();
    std::fs::write(at("archive"), "!<arch>\n").unwrap();
    std::fs::write(at("text"), "BSP_BRANCH=x\n").unwrap();
    result(&["key", "sign", &at("blank"), "--sign", &key]);
    let file = |path: &str| root().join(path).display().to_string();
    for (path, kind) in [
        (at("blank"), "blank"),
        (at("blank.minisig"), "minisign-signature"),
        (at("release.key"), "minisign-secret"),
        (at("release.key.pub"), "minisign-public"),
        (at("script"), "script"),
        (at("sums"), "sha256sums"),
        (at("archive"), "other"),
        (at("text"), "text"),
        (file("apps/echo-srv/Cargo.toml"), "declaration"),
        (file("configs/boards/virt/flash_virt.xml"), "layout"),
        (file("configs/boards/virt/tegra194-mb1-bct-misc-l4t.cfg"), "misc-cfg"),
        ("/bin/true".to_owned(), "elf"),
    ] {
        assert_eq!(result(&["inspect", &path])["kind"], kind, "{path}");
    }
}
