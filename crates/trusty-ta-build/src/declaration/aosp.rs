//! Keys of AOSP Trusty's `manifest.json` that the kernel of L4T R32 cannot honour, each with its reason and what to do.

use super::error::DeclarationError;
use toml::{Table, Value};

/// Key, what R32's kernel lacks, and what to do.
const LACKING: [(&str, &str, &str); 10] = [
    (
        "version",
        "keeps no versions of trusted apps",
        "remove it; security_version of the product config guards against older releases",
    ),
    (
        "min_version",
        "keeps no versions of trusted apps",
        "remove it; security_version of the product config guards against older releases",
    ),
    ("pinned_cpu", "cannot bind a trusted app to a CPU", "remove it"),
    ("priority", "runs all trusted apps with one priority", "remove it"),
    ("apploader_flags", "has no app loader: trusted apps are part of the secure-os image", "remove it"),
    (
        "min_shadow_stack",
        "has no shadow call stacks",
        "remove it, and build without -fsanitize=shadow-call-stack",
    ),
    (
        "dma",
        "takes no DMA regions from a manifest",
        "remove it; prepare_dma gives a trusted app the addresses of its own memory",
    ),
    (
        "dma_mem",
        "takes no DMA regions from a manifest",
        "remove it; prepare_dma gives a trusted app the addresses of its own memory",
    ),
    ("app_name", "knows trusted apps by their UUIDs", "remove it; the name of the package is used"),
    (
        "encrypted",
        "does not decrypt trusted apps one by one",
        "remove it; l4t.sbk_key of the product config encrypts the whole image",
    ),
];
/// Flags of `mgmt_flags`. `false` is what R32's kernel does.
const MGMT_FLAGS: [(&str, &str); 3] = [
    ("restart_on_exit", "starts each trusted app once, at boot: answer errors instead of exiting"),
    ("deferred_start", "starts all trusted apps at boot"),
    ("non_critical_app", "stops all of Trusty if any trusted app faults"),
];
/// Types of a region in `mem_map`. R32's kernel maps each as device memory.
const DEVICE: &str = "uncached_device";

/// Refuses what R32's kernel lacks, and takes out what it does anyway, so that what is left is ours to read.
pub fn honour(table: &mut Table) -> Result<(), DeclarationError> {
    for (key, lacks, advice) in LACKING {
        if table.contains_key(key) {
            return refuse(key, format!("the kernel of L4T R32 {lacks}: {advice}"));
        }
    }
    if let Some(flags) = table.remove("mgmt_flags") {
        mgmt_flags(&flags)?;
    }
    if let Some(Value::Array(regions)) = table.get_mut("mem_map") {
        for region in regions {
            region.as_table_mut().map_or(Ok(()), mem_map)?;
        }
    }
    Ok(())
}

fn refuse<T>(key: impl Into<String>, what: String) -> Result<T, DeclarationError> {
    Err(DeclarationError::Value { key: key.into(), what })
}

fn mgmt_flags(flags: &Value) -> Result<(), DeclarationError> {
    let Some(flags) = flags.as_table() else {
        return refuse("mgmt_flags", "expected a table such as { restart_on_exit = false }".into());
    };
    for (name, value) in flags {
        let Some((_, does)) = MGMT_FLAGS.iter().find(|(known, _)| known == name) else {
            let known: Vec<&str> = MGMT_FLAGS.iter().map(|(name, _)| *name).collect();
            return refuse(
                "mgmt_flags",
                format!("`{}` is no flag; AOSP has {}", name.escape_debug(), known.join(", ")),
            );
        };
        match value.as_bool() {
            Some(false) => {}
            Some(true) => {
                return refuse(
                    format!("mgmt_flags.{name}"),
                    format!("the kernel of L4T R32 {does}: remove the flag"),
                );
            }
            None => return refuse(format!("mgmt_flags.{name}"), "expected true or false".into()),
        }
    }
    Ok(())
}

fn mem_map(region: &mut Table) -> Result<(), DeclarationError> {
    match region.remove("type") {
        None => {}
        Some(Value::String(kind)) if kind == DEVICE => {}
        Some(kind) => {
            let what = format!(
                "the kernel of L4T R32 maps every region as device memory, which is \"{DEVICE}\"; found {kind}"
            );
            return refuse("mem_map.type", what);
        }
    }
    match region.remove("non_secure") {
        None | Some(Value::Boolean(false)) => Ok(()),
        Some(_) => {
            let what = "the kernel of L4T R32 maps regions as secure memory only: remove non_secure";
            refuse("mem_map.non_secure", what.into())
        }
    }
}
