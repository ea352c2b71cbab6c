//! A TA's `.trusty_app.manifest` section: a UUID and 32-bit words.
//!
//! 16 bytes of UUID (`u32`, `u16`, `u16` little endian, `u8[8]`), then words: 1 = minimum stack (1 value), 2 =
//! minimum heap (1 value), 3 = map memory (3 values: id, offset, size). The loader rounds sizes up to 4096 and
//! stops the boot at an unknown word (`load_app_config_options`, trusty_app.c of L4T R32.7).

use crate::bytes::u32_at;
use crate::limits::{DEFAULT_HEAP, DEFAULT_STACK, PAGE};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Name of the section.
pub const SECTION: &str = ".trusty_app.manifest";
const UUID_SIZE: usize = 16;
const KEY_MIN_STACK: u32 = 1;
const KEY_MIN_HEAP: u32 = 2;
const KEY_MAP_MEM: u32 = 3;
/// Largest size that rounding up to a page does not turn into 0.
const MAX_SIZE: u32 = u32::MAX - PAGE + 1;

/// A memory-mapped I/O region that a TA may map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct MapMem {
    /// The id by which the TA asks for it.
    pub id: u32,
    /// Physical address.
    pub offset: u32,
    /// Size in bytes.
    pub size: u32,
}

/// What the kernel would refuse, or not do as written, when a TA maps its regions; nothing if all is well.
pub fn wrong_region(regions: &[MapMem]) -> Option<String> {
    let mut known = BTreeSet::new();
    regions.iter().find_map(|MapMem { id, offset, size }| {
        if offset % PAGE != 0 {
            Some(format!(
                "region {id}: addr 0x{offset:x} is no multiple of 4096: the kernel maps whole pages"
            ))
        } else if *size == 0 || offset.checked_add(size - 1).is_none() {
            Some(format!("region {id}: 0x{size:x} bytes from 0x{offset:x} are not within 4 GiB"))
        } else if !known.insert(id) {
            Some(format!("region {id} is listed twice: the kernel would always map the first"))
        } else {
            None
        }
    })
}

/// What a manifest says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The TA's identity.
    pub uuid: Uuid,
    /// Stack in bytes as written, if it is.
    pub min_stack: Option<u32>,
    /// Heap in bytes as written, if it is.
    pub min_heap: Option<u32>,
    /// Regions it may map.
    pub map_mem: Vec<MapMem>,
}

/// Why the words are no manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// No room for the UUID.
    #[error("{0} bytes are too few for a UUID (16)")]
    NoUuid(usize),
    /// Not whole words.
    #[error("{0} bytes behind the UUID are no whole 32-bit words")]
    Ragged(usize),
    /// A word that is no known key; the kernel stops the boot.
    #[error("offset 0x{offset:x}: unknown key {key}; known are 1 (min_stack), 2 (min_heap), 3 (map_mem)")]
    UnknownKey {
        /// Offset in the section.
        offset: usize,
        /// The word found.
        key: u32,
    },
    /// A key without its values; the kernel stops the boot.
    #[error("offset 0x{offset:x}: key {key} lacks its {values} value(s)")]
    MissingValue {
        /// Offset in the section.
        offset: usize,
        /// The key.
        key: u32,
        /// How many values it takes.
        values: usize,
    },
    /// A size that is 0, or that rounding up to a page makes 0; the kernel stops the boot.
    #[error("offset 0x{offset:x}: {name} is 0x{value:x}; allowed are 1 to 0xfffff000 bytes")]
    Size {
        /// Offset in the section.
        offset: usize,
        /// `min_stack` or `min_heap`.
        name: &'static str,
        /// The value found.
        value: u32,
    },
    /// A size that is to be patched has no word in the manifest.
    #[error("the manifest has no {0} word to change; build the trusted app with one")]
    NoWord(&'static str),
}

impl Manifest {
    /// Reads the bytes of a manifest section.
    pub fn parse(section: &[u8]) -> Result<Self, ManifestError> {
        let uuid = section.first_chunk::<UUID_SIZE>().ok_or(ManifestError::NoUuid(section.len()))?;
        let mut manifest =
            Self { uuid: Uuid::from_bytes_le(*uuid), min_stack: None, min_heap: None, map_mem: Vec::new() };
        for entry in entries(section)? {
            match entry {
                Entry::MinStack { offset, value } => {
                    manifest.min_stack = Some(size(offset, "min_stack", value)?);
                }
                Entry::MinHeap { offset, value } => {
                    manifest.min_heap = Some(size(offset, "min_heap", value)?);
                }
                Entry::MapMem(region) => manifest.map_mem.push(region),
            }
        }
        Ok(manifest)
    }

    /// The section's bytes: UUID, stack, heap, regions.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.uuid.to_bytes_le().to_vec();
        for word in self.words() {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// The words behind the UUID.
    pub fn words(&self) -> Vec<u32> {
        let stack = self.min_stack.into_iter().flat_map(|v| [KEY_MIN_STACK, v]);
        let heap = self.min_heap.into_iter().flat_map(|v| [KEY_MIN_HEAP, v]);
        let regions = self.map_mem.iter().flat_map(|m| [KEY_MAP_MEM, m.id, m.offset, m.size]);
        stack.chain(heap).chain(regions).collect()
    }

    /// Heap that the kernel gives, in bytes: rounded up to pages, or the default of 16 KiB.
    pub fn heap(&self) -> u32 {
        self.min_heap.map_or(DEFAULT_HEAP, |v| v.next_multiple_of(PAGE))
    }

    /// Stack that the kernel gives, in bytes: rounded up to pages, or the default of one page.
    pub fn stack(&self) -> u32 {
        self.min_stack.map_or(DEFAULT_STACK, |v| v.next_multiple_of(PAGE))
    }
}

/// Changes the heap size in the bytes of a manifest section, in place.
pub fn set_min_heap(section: &mut [u8], value: u32) -> Result<(), ManifestError> {
    set(section, "min_heap", value, |entry| match entry {
        Entry::MinHeap { offset, .. } => Some(*offset),
        _ => None,
    })
}

/// Changes the stack size in the bytes of a manifest section, in place.
pub fn set_min_stack(section: &mut [u8], value: u32) -> Result<(), ManifestError> {
    set(section, "min_stack", value, |entry| match entry {
        Entry::MinStack { offset, .. } => Some(*offset),
        _ => None,
    })
}

fn set(
    section: &mut [u8],
    name: &'static str,
    value: u32,
    wanted: impl Fn(&Entry) -> Option<usize>,
) -> Result<(), ManifestError> {
    // Of several words of one key the last counts for the kernel: change them all.
    let offsets: Vec<usize> = entries(section)?.iter().filter_map(wanted).collect();
    if offsets.is_empty() {
        return Err(ManifestError::NoWord(name));
    }
    for offset in offsets {
        size(offset, name, value)?;
        if let Some(word) = section.get_mut(offset..offset + 4) {
            word.copy_from_slice(&value.to_le_bytes());
        }
    }
    Ok(())
}

fn size(offset: usize, name: &'static str, value: u32) -> Result<u32, ManifestError> {
    if value == 0 || value > MAX_SIZE {
        return Err(ManifestError::Size { offset, name, value });
    }
    Ok(value)
}

/// One key with its values; `offset` is that of the value.
enum Entry {
    MinStack { offset: usize, value: u32 },
    MinHeap { offset: usize, value: u32 },
    MapMem(MapMem),
}

fn entries(section: &[u8]) -> Result<Vec<Entry>, ManifestError> {
    let words = section.len().saturating_sub(UUID_SIZE);
    if !words.is_multiple_of(4) {
        return Err(ManifestError::Ragged(words));
    }
    let mut found = Vec::new();
    let mut offset = UUID_SIZE;
    while let Some(key) = u32_at(section, offset) {
        let values = match key {
            KEY_MIN_STACK | KEY_MIN_HEAP => 1,
            KEY_MAP_MEM => 3,
            _ => return Err(ManifestError::UnknownKey { offset, key }),
        };
        let missing = ManifestError::MissingValue { offset, key, values };
        let value = |index: usize| u32_at(section, offset + 4 * index).ok_or(missing.clone());
        found.push(match key {
            KEY_MIN_STACK => Entry::MinStack { offset: offset + 4, value: value(1)? },
            KEY_MIN_HEAP => Entry::MinHeap { offset: offset + 4, value: value(1)? },
            _ => Entry::MapMem(MapMem { id: value(1)?, offset: value(2)?, size: value(3)? }),
        });
        offset += 4 * (values + 1);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UUID: &str = "6d1fc0de-5275-7374-ec40-000000000001";

    fn sample() -> Manifest {
        let region = MapMem { id: 7, offset: 0x0c28_0000, size: 0x1000 };
        Manifest {
            uuid: UUID.parse().unwrap(),
            min_stack: Some(16384),
            min_heap: Some(10_000),
            map_mem: vec![region],
        }
    }

    #[test]
    fn bytes_are_the_kernels() {
        let bytes = sample().to_bytes();
        assert_eq!(&bytes[..16], b"\xde\xc0\x1f\x6d\x75\x52\x74\x73\xec\x40\0\0\0\0\0\x01");
        assert_eq!(&bytes[16..32], b"\x01\0\0\0\0\x40\0\0\x02\0\0\0\x10\x27\0\0");
        assert_eq!(Manifest::parse(&bytes).unwrap(), sample());
        assert_eq!((sample().stack(), sample().heap()), (16384, 12288));
    }

    #[test]
    fn defaults_are_the_kernels() {
        let bare = Manifest::parse(&sample().to_bytes()[..16]).unwrap();
        assert_eq!((bare.stack(), bare.heap()), (4096, 16384));
    }

    #[test]
    fn a_patch_changes_one_word() {
        let mut bytes = sample().to_bytes();
        set_min_heap(&mut bytes, 0x40000).unwrap();
        assert_eq!(Manifest::parse(&bytes).unwrap(), Manifest { min_heap: Some(0x40000), ..sample() });
        assert_eq!(set_min_heap(&mut bytes[..16], 1), Err(ManifestError::NoWord("min_heap")));
        assert_eq!(
            set_min_stack(&mut bytes, 0),
            Err(ManifestError::Size { offset: 20, name: "min_stack", value: 0 })
        );
    }

    #[test]
    fn what_stops_the_boot_is_refused() {
        let with = |words: &[u32]| {
            let mut bytes = sample().to_bytes()[..16].to_vec();
            words.iter().for_each(|w| bytes.extend_from_slice(&w.to_le_bytes()));
            Manifest::parse(&bytes).unwrap_err()
        };
        assert_eq!(with(&[4, 1]), ManifestError::UnknownKey { offset: 16, key: 4 });
        assert_eq!(with(&[2]), ManifestError::MissingValue { offset: 16, key: 2, values: 1 });
        assert_eq!(with(&[3, 1, 2]), ManifestError::MissingValue { offset: 16, key: 3, values: 3 });
        assert_eq!(with(&[1, 0]), ManifestError::Size { offset: 20, name: "min_stack", value: 0 });
        let wraps = ManifestError::Size { offset: 20, name: "min_heap", value: 0xffff_f001 };
        assert_eq!(with(&[2, 0xffff_f001]), wraps);
        assert_eq!(Manifest::parse(&[0; 15]), Err(ManifestError::NoUuid(15)));
        assert_eq!(Manifest::parse(&[0; 18]), Err(ManifestError::Ragged(2)));
    }

    proptest! {
        #[test]
        fn any_input_is_survived(bytes: Vec<u8>) {
            let _ = Manifest::parse(&bytes);
            let mut bytes = bytes;
            let _ = set_min_heap(&mut bytes, 4096);
        }
    }
}
