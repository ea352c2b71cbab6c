//! Bounds-checked little-endian reads.

/// The `u16` at `offset`, if it lies within `data`.
pub fn u16_at(data: &[u8], offset: usize) -> Option<u16> {
    let bytes = data.get(offset..offset.checked_add(2)?)?;
    Some(u16::from_le_bytes(bytes.try_into().ok()?))
}

/// The `u32` at `offset`, if it lies within `data`.
pub fn u32_at(data: &[u8], offset: usize) -> Option<u32> {
    let bytes = data.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

/// `length` bytes at `offset`, if they lie within `data`.
pub fn slice(data: &[u8], offset: u32, length: u32) -> Option<&[u8]> {
    let start = offset as usize;
    data.get(start..start.checked_add(length as usize)?)
}
