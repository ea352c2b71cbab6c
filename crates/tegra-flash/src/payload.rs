//! NVIDIA's bootloader update payload (BUP): what a running device writes to the boot slot that is not active.
//!
//! Numbers are little endian. A header of 40 bytes (`NVIDIA__BLOB__V2`, version, size of the file, size of the header, number of entries,
//! type, size when unpacked), behind it what the header's size has room for (8 bytes of zeros in NVIDIA's payloads); then an entry of 120
//! bytes for each part (its partition in 40 bytes, offset, length, version, operation, and in 64 bytes the TNSPEC of the module that it is
//! for; empty: for all); then the parts, one behind the other. By `bootloader/BUP_generator.py` of L4T R32. Later releases write a TNSPEC
//! of 128 bytes (V3), which is not read here.

use std::ops::Range;

/// How it begins.
const MAGIC: &[u8; 16] = b"NVIDIA__BLOB__V2";
/// Bytes of the header's fields, and of all of it as NVIDIA writes it.
const FIELDS: usize = 40;
const HEADER: u32 = 48;
/// Bytes of an entry, and of its names.
const ENTRY: usize = 120;
const PARTITION: usize = 40;
const SPEC: usize = 64;
/// Longest name of a partition, in bytes: what a GPT has room for.
const MAX_PARTITION: usize = 36;
/// The type of updates; 1 is that of boot logos.
const UPDATE: u32 = 0;
/// Entries, at most: a payload for all modules has some 50.
const MAX_ENTRIES: u32 = 1024;
/// Largest payload, in bytes: its boot areas are 8 MiB each.
pub const MAX_PAYLOAD: u64 = 256 << 20;

/// Why bytes are no payload, or parts make none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PayloadError {
    /// Another file, or a later format.
    #[error("begins with no {}: it is no update payload of L4T R32", String::from_utf8_lossy(MAGIC))]
    Magic,
    /// Not an update.
    #[error("is of type {0}: an update payload has type {UPDATE}")]
    Kind(u32),
    /// It ends too early, or its size is not that of the file.
    #[error("says that it has {said} bytes, and has {found}")]
    Length {
        /// What its header says.
        said: u64,
        /// What there is.
        found: u64,
    },
    /// No header of NVIDIA's has this size.
    #[error("has a header of {0} bytes: allowed are {FIELDS} to 4096")]
    Header(u32),
    /// More entries than any payload has.
    #[error("has {0} entries: allowed are 1 to {MAX_ENTRIES}")]
    Entries(u32),
    /// A part lies outside of the file, in its table, or in another part.
    #[error(
        "entry {index} ({partition}): its bytes {offset} to {end} are outside of the file or in another part"
    )]
    Part {
        /// The entry, from 0.
        index: usize,
        /// Its partition.
        partition: String,
        /// Where it begins.
        offset: u64,
        /// Where it ends.
        end: u64,
    },
    /// A name that is no text, is empty or too long.
    #[error("entry {index}: its {what} is no name of at most {most} bytes")]
    Name {
        /// The entry, from 0.
        index: usize,
        /// `partition` or `TNSPEC`.
        what: &'static str,
        /// Bytes, at most.
        most: usize,
    },
    /// Two entries for one partition of one module.
    #[error("entry {index}: {partition} of {spec} is there twice", spec = if spec.is_empty() { "all modules" } else { spec })]
    Twice {
        /// The second one, from 0.
        index: usize,
        /// The partition.
        partition: String,
        /// The module's TNSPEC; empty: all.
        spec: String,
    },
}

/// A payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload<'a> {
    /// Version of the format, as the BSP's generator has it: 0x01020621 of R32.7.
    pub version: u32,
    /// Its parts, in NVIDIA's order.
    pub entries: Vec<PayloadEntry<'a>>,
}

/// A part of a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PayloadEntry<'a> {
    /// The partition that it is for, without a slot.
    pub partition: String,
    /// Version of the part.
    pub version: u32,
    /// When it is written: 0 always.
    pub operation: u32,
    /// The module that it is for; empty: all of them.
    pub spec: String,
    /// What is written.
    pub data: &'a [u8],
}

impl<'a> Payload<'a> {
    /// Reads a payload. No two of its parts overlap, and none is there twice.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, PayloadError> {
        let fields = bytes.strip_prefix(MAGIC).ok_or(PayloadError::Magic)?;
        let found = bytes.len() as u64;
        let word = |at: usize| {
            let field = fields.get(4 * at..).and_then(|rest| rest.first_chunk());
            field
                .map(|field| u32::from_le_bytes(*field))
                .ok_or(PayloadError::Length { said: FIELDS as u64, found })
        };
        let (version, said, header, count, kind) = (word(0)?, word(1)?, word(2)?, word(3)?, word(4)?);
        if kind != UPDATE {
            return Err(PayloadError::Kind(kind));
        }
        if u64::from(said) != found {
            return Err(PayloadError::Length { said: said.into(), found });
        }
        if !(FIELDS as u32..=4096).contains(&header) {
            return Err(PayloadError::Header(header));
        }
        if !(1..=MAX_ENTRIES).contains(&count) {
            return Err(PayloadError::Entries(count));
        }
        let table_end = header as usize + count as usize * ENTRY;
        let table = bytes.get(header as usize..table_end);
        let table = table.ok_or(PayloadError::Length { said: table_end as u64, found })?;
        let mut payload = Self { version, entries: Vec::new() };
        let mut taken: Vec<Range<usize>> = Vec::new();
        for (index, entry) in table.chunks_exact(ENTRY).enumerate() {
            let (name, rest) = entry.split_at_checked(PARTITION).unwrap_or_default();
            let partition = text(name).filter(|name| !name.is_empty() && name.len() <= MAX_PARTITION);
            let wrong = |what, most| PayloadError::Name { index, what, most };
            let partition = partition.ok_or(wrong("partition", MAX_PARTITION))?;
            let number = |at: usize| {
                rest.get(4 * at..).and_then(|rest| rest.first_chunk()).map_or(0, |w| u32::from_le_bytes(*w))
            };
            let (offset, length) = (number(0) as usize, number(1) as usize);
            let spec = text(rest.get(16..).unwrap_or_default()).ok_or(wrong("TNSPEC", SPEC))?;
            let end = offset + length;
            let place = offset..end;
            let overlaps = taken.iter().any(|other| place.start < other.end && other.start < place.end);
            let data = bytes.get(place.clone()).filter(|_| offset >= table_end && !overlaps);
            let data = data.ok_or_else(|| PayloadError::Part {
                index,
                partition: partition.clone(),
                offset: offset as u64,
                end: end as u64,
            })?;
            taken.push(place);
            payload.entries.push(PayloadEntry {
                partition,
                version: number(2),
                operation: number(3),
                spec,
                data,
            });
        }
        payload.ensure_single()?;
        Ok(payload)
    }

    /// Writes it as NVIDIA's generator does.
    pub fn to_bytes(&self) -> Result<Vec<u8>, PayloadError> {
        let count = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        if !(1..=MAX_ENTRIES).contains(&count) {
            return Err(PayloadError::Entries(count));
        }
        self.ensure_single()?;
        let data_start = HEADER as usize + self.entries.len() * ENTRY;
        let size = self.entries.iter().map(|entry| entry.data.len() as u64).sum::<u64>() + data_start as u64;
        let small = u32::try_from(size).ok().filter(|size| u64::from(*size) <= MAX_PAYLOAD);
        let size = small.ok_or(PayloadError::Length { said: MAX_PAYLOAD, found: size })?;
        let mut bytes = MAGIC.to_vec();
        for word in [self.version, size, HEADER, count, UPDATE, size] {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        bytes.resize(HEADER as usize, 0);
        let mut offset = data_start as u32;
        for (index, entry) in self.entries.iter().enumerate() {
            let wrong = |what, most| PayloadError::Name { index, what, most };
            if entry.partition.is_empty() {
                return Err(wrong("partition", MAX_PARTITION));
            }
            put(&mut bytes, &entry.partition, PARTITION, MAX_PARTITION)
                .ok_or(wrong("partition", MAX_PARTITION))?;
            let length = entry.data.len() as u32;
            for word in [offset, length, entry.version, entry.operation] {
                bytes.extend_from_slice(&word.to_le_bytes());
            }
            put(&mut bytes, &entry.spec, SPEC, SPEC).ok_or(wrong("TNSPEC", SPEC))?;
            offset += length;
        }
        self.entries.iter().for_each(|entry| bytes.extend_from_slice(entry.data));
        Ok(bytes)
    }

    /// The parts that a module takes: those for all and its own.
    pub fn of_module<'b>(&'b self, spec: &'b str) -> impl Iterator<Item = &'b PayloadEntry<'a>> + 'b {
        self.entries.iter().filter(move |entry| entry.spec.is_empty() || fits(&entry.spec, spec))
    }

    fn ensure_single(&self) -> Result<(), PayloadError> {
        for (index, entry) in self.entries.iter().enumerate() {
            let same = |other: &&PayloadEntry| other.partition == entry.partition && other.spec == entry.spec;
            if self.entries.iter().take(index).find(same).is_some() {
                let (partition, spec) = (entry.partition.clone(), entry.spec.clone());
                return Err(PayloadError::Twice { index, partition, spec });
            }
        }
        Ok(())
    }
}

/// Whether a part with one TNSPEC is for a module with the other, as NVIDIA's engine compares them: they have as many fields between dashes,
/// and an empty field fits any. So a device whose specification has no SKU takes the parts of all SKUs.
pub fn fits(part: &str, module: &str) -> bool {
    let (part, module) = (part.split('-'), module.split('-'));
    part.clone().count() == module.clone().count()
        && part.zip(module).all(|(part, own)| part.is_empty() || own.is_empty() || part == own)
}

/// A text with NULs to its end, and nothing behind them.
fn text(field: &[u8]) -> Option<String> {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    let (text, rest) = field.split_at_checked(end)?;
    let plain = text.iter().all(u8::is_ascii_graphic) && rest.iter().all(|byte| *byte == 0);
    plain.then(|| String::from_utf8_lossy(text).into_owned())
}

/// Appends a text to `size` bytes.
fn put(bytes: &mut Vec<u8>, text: &str, size: usize, most: usize) -> Option<()> {
    let end = bytes.len() + size;
    let fits = text.len() <= most && text.bytes().all(|byte| byte.is_ascii_graphic());
    fits.then(|| {
        bytes.extend_from_slice(text.as_bytes());
        bytes.resize(end, 0);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGX: &str = "2888-400-0004--1-2-jetson-agx-xavier-devkit-mmcblk0p1";

    fn entry<'a>(partition: &str, spec: &str, data: &'a [u8]) -> PayloadEntry<'a> {
        PayloadEntry { partition: partition.into(), version: 2, operation: 0, spec: spec.into(), data }
    }

    fn payload() -> Payload<'static> {
        let entries =
            vec![entry("secure-os", "", &[7; 300]), entry("MB1_BCT", AGX, b"bct"), entry("mb2", "", b"")];
        Payload { version: 0x0102_0621, entries }
    }

    fn with(at: usize, bytes: &[u8]) -> Result<Payload<'static>, PayloadError> {
        let mut written = payload().to_bytes().unwrap();
        written[at..at + bytes.len()].copy_from_slice(bytes);
        Payload::parse(written.leak())
    }

    #[test]
    fn it_is_written_as_nvidia_does_and_read_back() {
        let bytes = payload().to_bytes().unwrap();
        assert_eq!(bytes.len(), 48 + 3 * 120 + 303);
        assert!(bytes.starts_with(b"NVIDIA__BLOB__V2\x21\x06\x02\x01"));
        let word = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
        let size = bytes.len() as u32;
        assert_eq!([20, 24, 28, 32, 36, 40, 44].map(word), [size, 48, 3, 0, size, 0, 0]);
        assert!(bytes[48..].starts_with(b"secure-os\0"));
        assert_eq!([88, 92, 96, 100].map(word), [408, 300, 2, 0]);
        assert!(bytes[168 + 56..].starts_with(AGX.as_bytes()));
        let read = Payload::parse(&bytes).unwrap();
        assert_eq!(read, payload());
        assert_eq!(read.of_module(AGX).count(), 3);
        assert_eq!(read.of_module("2888-400-0001--1-2-x").count(), 2);
    }

    /// What a device has is as NVIDIA's nv-l4t-bootloader-config.sh of L4T R32.7.2 writes it there.
    #[test]
    fn an_empty_field_fits_any() {
        for device in [
            AGX,
            "2888-400-0004-K.0-1-2-jetson-agx-xavier-devkit-mmcblk0p1",
            "2888-400-0004--1-2-jetson-agx-xavier-devkit-",
        ] {
            assert!(fits(AGX, device), "{device}");
        }
        for other in [
            "2888-401-0004-F.0-1-2-jetson-agx-xavier-devkit-mmcblk0p1",
            "2888-400-0001-E.0-1-2-jetson-agx-xavier-devkit-",
            "2888-400-0004--1-2-jetson-agx-xavier-",
            "2888-400-0004--0-2-jetson-agx-xavier-devkit-",
            "2888",
            "",
        ] {
            assert!(!fits(AGX, other), "{other}");
        }
        let nx =
            |fab: &str, sku: &str| format!("3668-{fab}-{sku}--1-2-jetson-xavier-nx-devkit-emmc-mmcblk0p1");
        assert!(fits(&nx("301", "0001"), "3668-301---1--jetson-xavier-nx-devkit-emmc-"));
        assert!(!fits(&nx("100", "0001"), "3668-301---1--jetson-xavier-nx-devkit-emmc-"));
    }

    #[test]
    fn what_is_no_payload_is_refused() {
        assert_eq!(Payload::parse(b"NVIDIA__BLOB__V3"), Err(PayloadError::Magic));
        let length = |found| Err(PayloadError::Length { said: 40, found });
        assert_eq!(Payload::parse(b"NVIDIA__BLOB__V2"), length(16));
        assert_eq!(with(32, &[1]), Err(PayloadError::Kind(1)));
        assert!(matches!(with(20, &[0]), Err(PayloadError::Length { .. })));
        assert_eq!(with(24, &[8]), Err(PayloadError::Header(8)));
        assert_eq!(with(28, &[0]), Err(PayloadError::Entries(0)));
        assert_eq!(with(28, &[0xff; 4]), Err(PayloadError::Entries(u32::MAX)));
        assert!(matches!(with(28, &[200]), Err(PayloadError::Length { .. })));
        // In the table, beyond the end, in the part before it.
        for offset in [100_u32, 710, u32::MAX, 500] {
            let error = with(168 + 40, &offset.to_le_bytes()).unwrap_err();
            assert!(matches!(error, PayloadError::Part { index: 1, .. }), "{error}");
        }
        assert!(matches!(with(48, &[0]), Err(PayloadError::Name { index: 0, what: "partition", .. })));
        assert!(matches!(with(48, &[0x1b]), Err(PayloadError::Name { .. })));
        assert!(matches!(with(168 + 56 + 63, b"x"), Err(PayloadError::Name { what: "TNSPEC", .. })));
        assert!(matches!(with(48 + 240, b"secure-os\0"), Err(PayloadError::Twice { index: 2, .. })));
        let bytes = payload().to_bytes().unwrap();
        for end in 0..bytes.len() {
            assert!(Payload::parse(&bytes[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn what_makes_no_payload_is_refused() {
        let of = |entries| Payload { version: 1, entries }.to_bytes();
        assert_eq!(of(vec![]), Err(PayloadError::Entries(0)));
        let long = "p".repeat(37);
        for name in ["", &long, "a b"] {
            assert!(matches!(of(vec![entry(name, "", b"x")]), Err(PayloadError::Name { .. })), "{name}");
        }
        let spec = "s".repeat(65);
        assert!(matches!(
            of(vec![entry("mb2", &spec, b"x")]),
            Err(PayloadError::Name { what: "TNSPEC", .. })
        ));
        let twice = vec![entry("mb2", "a", b"x"), entry("mb2", "a", b"y")];
        assert!(matches!(of(twice), Err(PayloadError::Twice { index: 1, .. })));
    }
}
