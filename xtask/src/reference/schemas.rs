//! JSON schemas of what is read and printed, out of the types that read and print it.

use carveout::results as cli;
use carveout_build::results as build;
use carveout_desk::results as desk;
use carveout_field::results as field;
use carveout_field::status::DeviceStatus;
use carveout_host::outcome::Document;
use carveout_report::inspect::found::Found;
use carveout_yocto::bitbake::Summary;
use carveout_yocto::results as yocto;
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

type Of = fn(&mut SchemaGenerator) -> Schema;

fn of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// What each verb may have for a result. A verb of two words has a hyphen between them.
const RESULTS: [(&str, &[Of]); 40] = [
    ("assemble-app", &[of::<build::AppAssembled>]),
    ("assemble-boot-config", &[of::<build::BootConfigAssembled>]),
    ("assemble-bundle", &[of::<build::BundleAssembled>]),
    ("backup", &[of::<field::BackedUp>]),
    ("bench", &[of::<crate::bench::Measured>]),
    ("client-apps", &[of::<cli::PartBuilt>]),
    ("completions", &[of::<cli::Completions>]),
    ("diff", &[of::<field::Compared>]),
    ("doctor", &[of::<cli::Checked>]),
    ("ekb-check", &[of::<cli::EkbChecked>]),
    ("ekb-luks", &[of::<cli::LuksPassphrase>]),
    ("ekb-new", &[of::<cli::Ekb>]),
    ("ekb-show", &[of::<cli::EkbShown>]),
    ("emulate", &[of::<desk::Emulated>, of::<desk::IpcUnittest>]),
    ("flash", &[of::<field::Flashed>, of::<field::DevicePlans>, of::<field::BoardsPlan>]),
    ("fuzz", &[of::<build::Fuzzed>, of::<build::Replayed>]),
    ("image", &[of::<cli::Built>]),
    ("inspect", &[of::<Found>, of::<bundle::Manifest>]),
    ("key-new", &[of::<cli::Key>]),
    ("key-public", &[of::<cli::Key>]),
    ("key-sign", &[of::<cli::Key>]),
    ("manual", &[of::<cli::Manual>]),
    ("new", &[of::<build::Made>]),
    ("packages", &[of::<crate::packages::Packed>]),
    ("plan", &[of::<trusty_image::plan::Plan>]),
    ("recipes", &[of::<yocto::Recipes>]),
    ("reference", &[of::<super::result::Pages>]),
    ("release", &[of::<build::Released>]),
    ("report", &[of::<cli::Reported>]),
    ("restore", &[of::<field::Recorded>]),
    ("rollback", &[of::<field::Recorded>]),
    ("rootfs", &[of::<cli::PartBuilt>]),
    ("run", &[of::<desk::Emulated>]),
    ("secure-os", &[of::<cli::PartBuilt>]),
    ("status", &[of::<DeviceStatus>]),
    ("test", &[of::<crate::test::Tested>]),
    ("test-device", &[of::<desk::Emulated>]),
    ("trusted-apps", &[of::<cli::PartBuilt>]),
    ("verify", &[of::<field::Verified>]),
    ("yocto", &[of::<Summary>, of::<yocto::BuildFolder>, of::<()>]),
];

/// The verbs, as `$defs` of [`documents`] has them.
pub fn verbs() -> impl Iterator<Item = &'static str> {
    RESULTS.iter().map(|(verb, _)| *verb)
}

/// The schema of what `--json` prints; `$defs` has the result of each verb by its name.
pub fn documents() -> Value {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let document = of::<Document>(&mut generator).to_value();
    let mut results = Map::new();
    for (verb, all) in RESULTS {
        let all: Vec<Value> = all.iter().map(|of| of(&mut generator).to_value()).collect();
        results.insert(verb.into(), one_of(all));
    }
    let any = results.keys().map(|verb| json!({ "$ref": format!("#/$defs/{verb}") }));
    let any = one_of(any.chain([json!({ "type": "null" })]).collect());
    let mut types = generator.take_definitions(true);
    if let Some(result) = types.get_mut("Document").and_then(|d| d.pointer_mut("/properties/result")) {
        let description = result.get("description").cloned().unwrap_or_default();
        *result = any;
        result["description"] = description;
    }
    types.append(&mut results);
    let mut schema = document;
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema".into();
    schema["title"] = "What carveout prints with --json".into();
    schema["$defs"] = types.into();
    cleaned(schema)
}

fn one_of(mut all: Vec<Value>) -> Value {
    if all.len() == 1 { all.remove(0) } else { json!({ "anyOf": all }) }
}

/// The schema of a type that is read from a file.
pub fn read<T: JsonSchema>() -> Value {
    cleaned(SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>().to_value())
}

/// The schema of a type that is written to a file.
pub fn written<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    cleaned(settings.into_generator().into_root_schema_for::<T>().to_value())
}

/// The same with descriptions that are plain text in one line: rustdoc's links lead nowhere here.
fn cleaned(mut schema: Value) -> Value {
    match &mut schema {
        Value::Object(object) => {
            for (key, value) in object.iter_mut() {
                *value = match value.take() {
                    Value::String(text) if key == "description" => plain(&text).into(),
                    other => cleaned(other),
                };
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|value| *value = cleaned(value.take())),
        _ => {}
    }
    schema
}

/// "[`A::b`](path)" and "[`b`]" become "`b`".
fn plain(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut parts = text.split("[`");
    let mut made = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once("`]").unwrap_or((part, ""));
        let rest = match rest.strip_prefix('(').and_then(|rest| rest.split_once(')')) {
            Some((_, rest)) => rest,
            None => rest,
        };
        made.push_str(&format!("`{}`{rest}", name.rsplit("::").next().unwrap_or(name)));
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_rustdoc_become_plain() {
        assert_eq!(plain("As [`A::b`](crate::A::b),\nand [`C`]; [d]."), "As `b`, and `C`; [d].");
    }

    /// schemars calls a second type of one name NAME2.
    #[test]
    fn no_two_types_have_one_name() {
        let schema = documents();
        let types = schema["$defs"].as_object().unwrap();
        let second = |name: &&String| name.strip_suffix('2').is_some_and(|first| types.contains_key(first));
        assert_eq!(types.keys().find(second), None);
    }
}
