//! The sparse image's reader survives any bytes, and what is encoded is decoded to the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::io::{Cursor, Error, ErrorKind, Result, Seek, SeekFrom, Write};
use tegra_flash::sparse::{Header, decode, encode};

/// Takes the first MiB that is written, at any position: a few bytes can announce an image of petabytes.
#[derive(Default)]
struct Sink {
    written: usize,
    position: u64,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        self.written += bytes.len();
        self.position += bytes.len() as u64;
        if self.written > 1 << 20 { Err(ErrorKind::StorageFull.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Seek for Sink {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let position = match to {
            SeekFrom::Start(position) => Some(position),
            SeekFrom::Current(by) => self.position.checked_add_signed(by),
            SeekFrom::End(_) => None,
        };
        self.position = position.ok_or(Error::from(ErrorKind::InvalidInput))?;
        Ok(self.position)
    }
}

fuzz_target!(|data: &[u8]| {
    let mut sink = Sink::default();
    if let Ok(summary) = decode(&mut &*data, &mut sink) {
        assert_eq!(Header::read(&mut &*data).unwrap().raw_size(), summary.raw_size);
        assert_eq!((sink.position, data.len() as u64), (summary.raw_size, summary.sparse_size));
    }

    let mut raw = data.to_vec();
    raw.resize(raw.len().next_multiple_of(8), 0);
    let mut sparse = Cursor::new(Vec::new());
    let encoded = encode(&mut &raw[..], raw.len() as u64, &mut sparse, 8).unwrap();
    let mut again = Cursor::new(Vec::new());
    assert_eq!(decode(&mut &sparse.into_inner()[..], &mut again).unwrap(), encoded);
    assert_eq!(again.into_inner(), raw);
});
