//! Sizes as people write them: 32MiB, 512KiB, 0x2000000.

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

impl std::fmt::Display for Size {
    /// As it is read: in the largest unit that leaves a whole number, or in hexadecimal.
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match UNITS.iter().rev().find(|(_, bytes)| self.0 > 0 && self.0.is_multiple_of(*bytes)) {
            Some((unit, bytes)) => write!(f, "{}{unit}", self.0 / bytes),
            None => write!(f, "{:#x}", self.0),
        }
    }
}

const UNITS: [(&str, u64); 3] = [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

impl std::str::FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no size: write 32MiB, 512KiB, 1GiB or 0x2000000");
        if let Some(digits) = text.strip_prefix("0x") {
            let digits = Some(digits).filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
            return digits.and_then(|d| u64::from_str_radix(d, 16).ok()).map(Self).ok_or_else(wrong);
        }
        if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
            let bytes = text.parse().map_or("0x…".to_owned(), |bytes: u64| format!("{bytes:#x}"));
            return Err(format!(
                "`{text}` has no unit: write KiB, MiB or GiB behind a number, or bytes in hexadecimal, {bytes}"
            ));
        }
        let found = UNITS.iter().find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, bytes)));
        let (number, unit) = found.ok_or_else(wrong)?;
        let number = Some(number).filter(|n| n.bytes().all(|b| b.is_ascii_digit()));
        let number: u64 = number.and_then(|n| n.parse().ok()).ok_or_else(wrong)?;
        number.checked_mul(*unit).map(Self).ok_or_else(|| format!("`{text}` is larger than 64 bits hold"))
    }
}

/// Bytes in the largest unit that leaves three digits or fewer before the point.
pub fn human(bytes: u64) -> String {
    let (unit, divisor) = match bytes {
        0..1024 => return format!("{bytes} B"),
        1024..0x10_0000 => ("KiB", 1u64 << 10),
        0x10_0000..0x4000_0000 => ("MiB", 1 << 20),
        _ => ("GiB", 1 << 30),
    };
    let value = bytes as f64 / divisor as f64;
    if bytes.is_multiple_of(divisor) { format!("{value} {unit}") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read() {
        let parse = |text: &str| text.parse::<Size>().map(|s| s.0);
        assert_eq!(parse("32MiB"), Ok(32 << 20));
        assert_eq!(parse("512KiB"), Ok(512 << 10));
        assert_eq!(parse("1GiB"), Ok(1 << 30));
        assert_eq!(parse("0x2000000"), Ok(32 << 20));
        assert!(parse("32").unwrap_err().contains("has no unit"));
        for wrong in
            ["", "MiB", "32M", "32 MiB", "-1MiB", "0x", "0xg", "3.5MiB", "99999999999999999999GiB", "+1MiB"]
        {
            assert!(parse(wrong).unwrap_err().contains("is no size"), "{wrong}");
        }
        assert!(parse("99999999999GiB").unwrap_err().contains("64 bits"));
        for text in ["32MiB", "3GiB", "1023KiB", "1025MiB", "0x401", "0x0"] {
            assert_eq!(parse(text).map(|bytes| Size(bytes).to_string()).as_deref(), Ok(text));
        }
    }

    #[test]
    fn sizes_are_shown() {
        assert_eq!(human(1000), "1000 B");
        assert_eq!(human(32 << 20), "32 MiB");
        assert_eq!(human(406_464), "396.9 KiB");
        assert_eq!(human(5 << 29), "2.5 GiB");
    }
}
