//! Where the partitions of a device lie, as NVIDIA's `tegraparser_v2` places them (L4T R32.7.2): one behind the other, each on its
//! boundary, from the end of the first partition table on.

use super::devices::{Device, Partition, Size};

/// Entries of a layout that are no partitions of a table.
const TABLES: [&str; 3] = ["protective_master_boot_record", "primary_gpt", "secondary_gpt"];

/// Bytes of a partition that takes what is left of a device.
const REST: u64 = 1 << 20;

/// A partition's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// Its number in the table, from 1 on.
    pub number: u32,
    /// What the layout says of it.
    pub partition: &'a Partition,
    /// Its first sector.
    pub first: u64,
    /// How many it has.
    pub sectors: u64,
}

/// Why partitions have no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// A size that is no number yet.
    #[error("line {line}: partition {name} has no size in bytes")]
    Size {
        /// The partition.
        name: String,
        /// Its line.
        line: u32,
    },
    /// Two partitions of one number.
    #[error("line {line}: partition {name} has the number {number}, which another one has")]
    Number {
        /// The partition.
        name: String,
        /// Its number.
        number: u32,
        /// Its line.
        line: u32,
    },
    /// More than there are sectors.
    #[error("line {line}: partition {name} ends behind the largest device that there can be")]
    TooLarge {
        /// The partition.
        name: String,
        /// Its line.
        line: u32,
    },
}

impl Device {
    /// The partitions of its table, in the order in which they lie on it.
    pub fn places(&self) -> Result<Vec<Place<'_>>, PlaceError> {
        let mut given = Vec::new();
        for partition in &self.partitions {
            let Some(number) = partition.id else { continue };
            if given.contains(&number) {
                let (name, line) = (partition.name.clone(), partition.line);
                return Err(PlaceError::Number { name, number, line });
            }
            given.push(number);
        }
        let mut free = (1..).filter(|number| !given.contains(number));
        let (mut next, mut places) = (0, Vec::new());
        for partition in &self.partitions {
            let (name, line) = (partition.name.clone(), partition.line);
            let is_table = TABLES.contains(&partition.kind.as_str());
            if is_table && partition.size == Size::Rest {
                continue;
            }
            let bytes = match partition.size {
                Size::Number(bytes) => bytes,
                // How large a device is, is not known here.
                Size::Rest => REST,
                Size::Placeholder(_) => return Err(PlaceError::Size { name, line }),
            };
            let sectors = bytes.div_ceil(self.sector_size);
            let boundary = partition.boundary.map_or(1, |bytes| bytes.div_ceil(self.sector_size)).max(1);
            let first: Option<u64> =
                if is_table { Some(next) } else { next.checked_next_multiple_of(boundary) };
            let end = first.and_then(|first| first.checked_add(sectors));
            // So that the end in bytes is a number, too.
            let end = end.filter(|end| end.checked_mul(self.sector_size).is_some());
            let (Some(first), Some(end)) = (first, end) else {
                return Err(PlaceError::TooLarge { name, line });
            };
            next = end;
            if !is_table {
                let number = partition.id.or_else(|| free.next()).unwrap_or_default();
                places.push(Place { number, partition, first, sectors });
            }
        }
        Ok(places)
    }
}

#[cfg(test)]
mod tests {
    use crate::Layout;
    use proptest::prelude::*;

    fn layout(rows: &str) -> Layout {
        let text = format!(
            "<partition_layout><device type=\"sdcard\" sector_size=\"512\" num_sectors=\"999999\">\
             <partition name=\"mbr\" type=\"protective_master_boot_record\"><size> 512 </size></partition>\
             <partition name=\"gpt\" type=\"primary_gpt\"><size> 19968 </size></partition>{rows}\
             <partition name=\"end\" type=\"secondary_gpt\"><size> 0xFFFFFFFFFFFFFFFF </size></partition>\
             </device></partition_layout>"
        );
        Layout::parse(&text).unwrap()
    }

    fn row(name: &str, more: &str, size: &str) -> String {
        format!("<partition name=\"{name}\" type=\"data\" {more}><size> {size} </size></partition>")
    }

    /// The numbers and sectors that `tegraparser_v2 --generategpt` gives NVIDIA's layout for an SD card of Xavier NX.
    #[test]
    fn partitions_lie_where_nvidias_tool_puts_them() {
        let rows = [
            row("kernel", "id=\"2\"", "67108864"),
            row("kernel_b", "", "67108864"),
            row("kernel-dtb", "", "458752"),
            row("odd", "", "513"),
            "<partition name=\"APP\" id=\"1\" type=\"data\"><size> 4096 </size>\
             <align_boundary> 4096 </align_boundary><unique_guid> x </unique_guid></partition>"
                .into(),
        ];
        let layout = layout(&rows.concat());
        let places = layout.devices[0].places().unwrap();
        let told: Vec<_> =
            places.iter().map(|p| (p.number, p.partition.name.as_str(), p.first, p.sectors)).collect();
        assert_eq!(
            told,
            [
                (2, "kernel", 40, 131_072),
                (3, "kernel_b", 131_112, 131_072),
                (4, "kernel-dtb", 262_184, 896),
                (5, "odd", 263_080, 2),
                (1, "APP", 263_088, 8),
            ]
        );
        assert_eq!(places[4].partition.guid.as_deref(), Some("x"));
    }

    #[test]
    fn what_has_no_place_is_told() {
        let error = |rows: &str| layout(rows).devices[0].places().unwrap_err().to_string();
        assert!(error(&row("APP", "", "APPSIZE")).ends_with("partition APP has no size in bytes"));
        assert!(
            error(&(row("a", "id=\"1\"", "1") + &row("b", "id=\"1\"", "1"))).contains("b has the number 1")
        );
        assert!(error(&row("a", "", "0xfffffffffffffffe")).contains("ends behind the largest device"));
    }

    proptest! {
        #[test]
        fn no_two_partitions_overlap(sizes in proptest::collection::vec(0u64..1 << 40, 0..9), ids: [u8; 9]) {
            let rows = sizes.iter().enumerate().map(|(at, size)| {
                let id = if ids[at] > 40 { String::new() } else { format!("id=\"{}\"", ids[at]) };
                row(&format!("p{at}"), &id, &size.to_string())
            });
            let layout = layout(&rows.collect::<String>());
            if let Ok(places) = layout.devices[0].places() {
                let mut end = 40;
                let mut numbers = std::collections::BTreeSet::new();
                for place in places {
                    prop_assert!(place.first >= end && numbers.insert(place.number));
                    end = place.first + place.sectors;
                }
            }
        }
    }
}
