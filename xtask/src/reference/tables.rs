//! Schemas as tables for people.

use serde_json::{Map, Value};
use std::fmt::Write as _;

/// What a table says of a key besides its type and its description.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whether somebody must write it, and what it is if nobody does.
    Written,
    /// Whether it may be missing.
    Printed,
}

/// Tables of the types that a schema is made of.
pub struct Tables<'a> {
    schema: &'a Value,
    kind: Kind,
}

impl<'a> Tables<'a> {
    /// Of a schema with its `$defs`.
    pub fn new(schema: &'a Value, kind: Kind) -> Self {
        Self { schema, kind }
    }

    /// The schema's own table.
    pub fn root(&self) -> String {
        self.section(self.schema)
    }

    /// All types in `$defs` that `wanted` takes, each under a heading.
    pub fn types(&self, level: usize, wanted: impl Fn(&str) -> bool) -> String {
        let mut text = String::new();
        for (name, schema) in self.definitions().into_iter().flatten().filter(|(name, _)| wanted(name)) {
            let _ = write!(text, "\n{} {name}\n\n{}", "#".repeat(level), self.section(schema));
        }
        text
    }

    fn definitions(&self) -> Option<&Map<String, Value>> {
        self.schema.get("$defs")?.as_object()
    }

    /// A type: what it is, and its keys, values or forms.
    fn section(&self, schema: &Value) -> String {
        let about = description(schema);
        let mut text = if about.is_empty() { String::new() } else { format!("{about}\n\n") };
        if let Some(forms) = list(schema, "oneOf") {
            let tagged = forms.iter().any(|form| form.get("properties").is_some());
            text.push_str(if tagged {
                "| `kind` | what it is | fields |\n|---|---|---|\n"
            } else {
                "| value | meaning |\n|---|---|\n"
            });
            for form in forms {
                let _ = if tagged {
                    self.tagged(form, &mut text)
                } else {
                    writeln!(text, "| {} | {} |", self.type_of(form), description(form))
                };
            }
        } else if let Some(forms) = list(schema, "anyOf") {
            text.push_str("| form | what it is |\n|---|---|\n");
            for form in forms {
                let _ = writeln!(text, "| {} | {} |", self.type_of(form), description(form));
            }
        } else {
            text.push_str(&self.keys(schema));
        }
        text
    }

    fn tagged(&self, form: &Value, text: &mut String) -> std::fmt::Result {
        let properties = form.get("properties").and_then(Value::as_object);
        let kind = properties.and_then(|p| p.get("kind")).map(|kind| self.type_of(kind)).unwrap_or_default();
        let mut fields: Vec<String> = properties
            .into_iter()
            .flatten()
            .filter(|(name, _)| *name != "kind")
            .map(|(name, field)| {
                let about = description(field);
                let may = if is_required(form, name) { "" } else { ", may be missing" };
                let about = if about.is_empty() { about } else { format!(": {about}") };
                format!("`{name}` ({}{may}){about}", self.type_of(field))
            })
            .collect();
        if form.get("$ref").is_some() {
            fields.push(format!("those of {}", self.type_of(form)));
        }
        writeln!(text, "| {kind} | {} | {} |", description(form), fields.join("<br>"))
    }

    fn keys(&self, schema: &Value) -> String {
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
            return format!("{}.\n", self.type_of(schema));
        };
        let mut text = String::from(match self.kind {
            Kind::Written => "| key | type | needed | default | what it is |\n|---|---|---|---|---|\n",
            Kind::Printed => "| field | type | what it is |\n|---|---|---|\n",
        });
        for (name, field) in properties {
            let (kind, about, required) =
                (self.type_of(field), description(field), is_required(schema, name));
            let _ = match self.kind {
                Kind::Written => {
                    let default = match field.get("default") {
                        Some(Value::Null) | None => String::new(),
                        Some(Value::String(text)) => format!("`{text}`"),
                        Some(Value::Array(all)) if all.is_empty() => "none".into(),
                        Some(value) => format!("`{value}`"),
                    };
                    let needed = if required { "yes" } else { "no" };
                    writeln!(text, "| `{name}` | {kind} | {needed} | {default} | {about} |")
                }
                Kind::Printed => {
                    let may = if required { "" } else { "; may be missing" };
                    writeln!(text, "| `{name}` | {kind}{may} | {about} |")
                }
            };
        }
        text
    }

    /// A type in a word or a link.
    pub fn type_of(&self, schema: &Value) -> String {
        if let Some(name) =
            schema.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix("#/$defs/"))
        {
            return format!("[{name}](#{})", name.to_lowercase());
        }
        if let Some(value) = schema.get("const") {
            return value.as_str().map_or_else(|| value.to_string(), |text| format!("`{text}`"));
        }
        if let Some(values) = list(schema, "enum") {
            return values
                .iter()
                .map(|v| format!("`{}`", v.as_str().unwrap_or("null")))
                .collect::<Vec<_>>()
                .join(", ");
        }
        if let Some(forms) = list(schema, "anyOf").or_else(|| list(schema, "oneOf")) {
            return self.either(forms);
        }
        match schema.get("type") {
            Some(Value::Array(types)) => {
                let one = |kind: &Value| {
                    let mut schema = schema.clone();
                    schema["type"] = kind.clone();
                    schema
                };
                self.either(&types.iter().map(one).collect::<Vec<_>>())
            }
            Some(Value::String(kind)) => self.plain(kind, schema),
            _ => "anything".into(),
        }
    }

    fn plain(&self, kind: &str, schema: &Value) -> String {
        match kind {
            "array" => match (schema.get("items"), list(schema, "prefixItems")) {
                (_, Some(items)) => {
                    let items: Vec<String> = items.iter().map(|item| self.type_of(item)).collect();
                    format!("[{}]", items.join(", "))
                }
                (Some(item), None) => format!("list of {}", self.type_of(item)),
                (None, None) => "list".into(),
            },
            "object" => match schema.get("additionalProperties") {
                Some(values @ Value::Object(_)) => format!("map of {}", self.type_of(values)),
                _ => "map".into(),
            },
            "string" if schema.get("format").is_some_and(|format| format == "uuid") => "UUID".into(),
            "string" => "text".into(),
            "integer" => "whole number".into(),
            "boolean" => "true or false".into(),
            other => other.into(),
        }
    }

    fn either(&self, forms: &[Value]) -> String {
        let forms: Vec<String> = forms.iter().map(|form| self.type_of(form)).collect();
        match forms.as_slice() {
            // What may be left out is not written as null.
            [form, null] if null == "null" && self.kind == Kind::Written => form.clone(),
            [form, null] if null == "null" => format!("{form} or null"),
            forms => forms.join(" or "),
        }
    }
}

fn list<'a>(schema: &'a Value, key: &str) -> Option<&'a Vec<Value>> {
    schema.get(key)?.as_array()
}

fn is_required(schema: &Value, name: &str) -> bool {
    list(schema, "required").is_some_and(|all| all.iter().any(|required| required == name))
}

fn description(schema: &Value) -> String {
    schema.get("description").and_then(Value::as_str).unwrap_or_default().replace('|', "\\|")
}
