use super::writer::MAX_CHUNK;
use super::*;
use proptest::prelude::*;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

/// A file header for blocks of 8 bytes.
const HEADER: [u8; 28] =
    [0x3a, 0xff, 0x26, 0xed, 1, 0, 0, 0, 28, 0, 12, 0, 8, 0, 0, 0, 8, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0];
/// Raw 2 blocks, fill 1, don't care 1, a checksum, zeros 4.
const CHUNKS: [u8; 88] = [
    0xc1, 0xca, 0, 0, 2, 0, 0, 0, 28, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, //
    0xc2, 0xca, 0, 0, 1, 0, 0, 0, 16, 0, 0, 0, 0xde, 0xad, 0xbe, 0xef, //
    0xc3, 0xca, 0, 0, 1, 0, 0, 0, 12, 0, 0, 0, //
    0xc4, 0xca, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 0x11, 0x22, 0x33, 0x44, //
    0xc2, 0xca, 0, 0, 4, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0,
];

/// What the chunks stand for.
fn golden_raw() -> Vec<u8> {
    let mut raw: Vec<u8> = (1..=16).collect();
    raw.extend([0xde, 0xad, 0xbe, 0xef].repeat(2));
    raw.resize(64, 0);
    raw
}

fn golden() -> Vec<u8> {
    [&HEADER[..], &CHUNKS].concat()
}

fn decoded(sparse: &[u8]) -> Result<(Vec<u8>, Summary), SparseError> {
    let mut raw = Cursor::new(Vec::new());
    let summary = decode(&mut &*sparse, &mut raw)?;
    Ok((raw.into_inner(), summary))
}

fn encoded(raw: &[u8], block_size: u32) -> (Vec<u8>, Summary) {
    let mut sparse = Cursor::new(Vec::new());
    let summary = encode(&mut &*raw, raw.len() as u64, &mut sparse, block_size).unwrap();
    assert_eq!(summary.sparse_size, sparse.position());
    (sparse.into_inner(), summary)
}

/// Takes the first MiB that is written, at any position, and keeps none of it.
#[derive(Default)]
struct Sink {
    written: usize,
    position: u64,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written += bytes.len();
        self.position += bytes.len() as u64;
        if self.written > 1 << 20 { Err(io::ErrorKind::StorageFull.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Seek for Sink {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.position = match to {
            SeekFrom::Start(position) => position,
            SeekFrom::Current(by) => self.position.checked_add_signed(by).unwrap(),
            SeekFrom::End(_) => return Err(io::ErrorKind::Unsupported.into()),
        };
        Ok(self.position)
    }
}

/// Gives a byte or two at a time, between interruptions, and fails where it is told.
struct Drip<'a> {
    bytes: &'a [u8],
    turn: usize,
    fails: bool,
}

impl Read for Drip<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.turn += 1;
        match self.turn % 3 {
            0 => Err(io::ErrorKind::Interrupted.into()),
            _ if self.fails && self.bytes.is_empty() => Err(io::Error::other("worn out")),
            count => (&mut self.bytes).take(count as u64).read(buffer),
        }
    }
}

#[test]
fn each_chunk_type_is_decoded() {
    let (raw, summary) = decoded(&golden()).unwrap();
    assert_eq!(raw, golden_raw());
    assert_eq!(summary, Summary { raw_size: 64, sparse_size: 116, chunks: 5 });
    let header = Header::read(&mut &golden()[..]).unwrap();
    assert_eq!((header.block_size, header.blocks, header.chunks, header.raw_size()), (8, 8, 5, 64));
}

#[test]
fn the_same_is_encoded_without_gaps() {
    let (sparse, summary) = encoded(&golden_raw(), 8);
    let mut expected = HEADER.to_vec();
    expected[20] = 3;
    expected.extend_from_slice(&CHUNKS[..44]);
    expected.extend_from_slice(&[0xc2, 0xca, 0, 0, 5, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(sparse, expected);
    assert_eq!(summary, Summary { raw_size: 64, sparse_size: 88, chunks: 3 });
}

#[test]
fn unused_zeros_are_skipped() {
    let raw = golden_raw();
    // Of no use either, but not zero: they stay.
    let unused = |number| [0, 2, 4, 6, 7].contains(&number);
    let mut sparse = Cursor::new(Vec::new());
    let summary = encode_filesystem(&mut &raw[..], 64, &mut sparse, 8, unused).unwrap();
    let sparse = sparse.into_inner();
    assert_eq!(summary, Summary { raw_size: 64, sparse_size: sparse.len() as u64, chunks: 6 });
    let kinds = |at: usize| (sparse[at], sparse[at + 4]);
    // Raw 2, fill 1, fill 1 (zeros in use), don't care 1, fill 1, don't care 2.
    assert_eq!(
        [28, 56, 72, 88, 100, 116].map(kinds),
        [(0xc1, 2), (0xc2, 1), (0xc2, 1), (0xc3, 1), (0xc2, 1), (0xc3, 2)]
    );
    assert_eq!(decoded(&sparse).unwrap(), (raw, summary));
    let (zeros, blocks) = (2 * MAX_CHUNK + 4096, 2 * MAX_CHUNK / 4096 + 1);
    let mut sparse = Cursor::new(Vec::new());
    let last = |number| number == blocks - 1;
    let summary =
        encode_filesystem(&mut io::repeat(0), zeros, &mut sparse, BLOCK_SIZE, |n| !last(n)).unwrap();
    assert_eq!((summary.chunks, summary.sparse_size), (3, 28 + 2 * 12 + 16));
}

#[test]
fn an_empty_image() {
    let (sparse, summary) = encoded(&[], BLOCK_SIZE);
    assert_eq!(summary, Summary { raw_size: 0, sparse_size: 28, chunks: 0 });
    assert_eq!(decoded(&sparse).unwrap(), (vec![], summary));
}

#[test]
fn images_lie_anywhere_in_their_files() {
    let mut sparse = Cursor::new(b"in front".to_vec());
    sparse.seek(SeekFrom::End(0)).unwrap();
    encode(&mut &golden_raw()[..], 64, &mut sparse, 8).unwrap();
    sparse.write_all(b"behind").unwrap();
    let sparse = sparse.into_inner();
    assert_eq!(sparse[8..96], encoded(&golden_raw(), 8).0);
    assert_eq!((&sparse[..8], &sparse[96..]), (&b"in front"[..], &b"behind"[..]));

    let mut raw = Cursor::new(b"in front".to_vec());
    raw.seek(SeekFrom::End(0)).unwrap();
    decode(&mut &golden()[..], &mut raw).unwrap();
    assert_eq!(raw.into_inner(), [b"in front", &golden_raw()[..]].concat());
}

#[test]
fn longer_headers_are_skipped() {
    let mut sparse = HEADER.to_vec();
    sparse[6] = 9; // minor version
    sparse[8] = 30;
    sparse[10] = 13;
    sparse[16] = 3;
    sparse[20] = 2;
    sparse.extend_from_slice(&[0xff; 2]);
    sparse.extend_from_slice(&[0xc2, 0xca, 0xff, 0xff, 1, 0, 0, 0, 17, 0, 0, 0, 0xff, 1, 2, 3, 4]);
    sparse.extend_from_slice(&[0xc3, 0xca, 0, 0, 2, 0, 0, 0, 13, 0, 0, 0, 0xff]);
    let (raw, summary) = decoded(&sparse).unwrap();
    assert_eq!(raw, [1, 2, 3, 4, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(summary.sparse_size, sparse.len() as u64);
}

#[test]
fn sparse_images_are_told_from_others() {
    assert!(is_sparse(&golden()));
    assert!(is_sparse(&[0x3a, 0xff, 0x26, 0xed]));
    assert!(!is_sparse(&[0x3a, 0xff, 0x26]));
    assert!(!is_sparse(&[0; 4096]));
}

#[test]
fn damage_is_named() {
    let broken = |at: usize, value: u8| {
        let mut image = golden();
        image[at] = value;
        decoded(&image).unwrap_err().to_string()
    };
    assert_eq!(broken(3, 0), "offset 0x0: no magic; a sparse image starts with 3a ff 26 ed");
    assert_eq!(broken(4, 2), "offset 0x4: major version is 0x2, expected 0x1");
    assert_eq!(broken(8, 27), "offset 0x8: file header size is 0x1b, expected at least 0x1c");
    assert_eq!(broken(10, 11), "offset 0xa: chunk header size is 0xb, expected at least 0xc");
    let block_size = "expected a multiple of 4 from 0x4 to 0x100000";
    assert_eq!(broken(12, 0), format!("offset 0xc: block size is 0x0, {block_size}"));
    assert_eq!(broken(12, 6), format!("offset 0xc: block size is 0x6, {block_size}"));
    assert_eq!(broken(15, 1), format!("offset 0xc: block size is 0x1000008, {block_size}"));
    assert_eq!(broken(16, 9), "offset 0x10: total blocks is 0x9, expected 0x8, the blocks of all chunks");
    assert_eq!(broken(20, 6), "offset 0x74: the input ends here, within a chunk's header");
    assert_eq!(broken(20, 4), "offset 0x10: total blocks is 0x8, expected 0x4, the blocks of all chunks");
    let kinds = "0xcac1 (raw), 0xcac2 (fill), 0xcac3 (don't care) or 0xcac4 (CRC32)";
    assert_eq!(broken(28, 0xc5), format!("offset 0x1c: chunk type is 0xcac5, expected {kinds}"));
    let left = "what is left of the file header's total blocks";
    assert_eq!(
        broken(35, 0x80),
        format!("offset 0x20: chunk's blocks is 0x80000002, expected at most 0x8, {left}")
    );
    assert_eq!(broken(104, 5), format!("offset 0x68: chunk's blocks is 0x5, expected at most 0x4, {left}"));
    let parts = |data| format!("0xc of header and {data} of data");
    assert_eq!(
        broken(36, 20),
        format!("offset 0x24: chunk's size is 0x14, expected 0x1c, {}", parts("0x10"))
    );
    assert_eq!(broken(32, 3), format!("offset 0x24: chunk's size is 0x1c, expected 0x24, {}", parts("0x18")));
    assert_eq!(broken(64, 12), format!("offset 0x40: chunk's size is 0xc, expected 0x10, {}", parts("0x4")));
    assert_eq!(broken(80, 13), format!("offset 0x50: chunk's size is 0xd, expected 0xc, {}", parts("0x0")));
    assert_eq!(broken(88, 1), "offset 0x58: chunk's blocks is 0x1, expected 0x0, for a checksum");
    assert_eq!(broken(92, 12), format!("offset 0x5c: chunk's size is 0xc, expected 0x10, {}", parts("0x4")));
    // Neither checksums nor what is reserved.
    for at in [24, 30, 96] {
        let mut image = golden();
        image[at] = 0xff;
        assert_eq!(decoded(&image).unwrap().0, golden_raw());
    }
}

#[test]
fn too_little_and_too_much() {
    let image = golden();
    let cut = |at| decoded(&image[..at]).unwrap_err().to_string();
    assert_eq!(cut(27), "offset 0x1b: the input ends here, within the file header");
    assert_eq!(cut(30), "offset 0x1e: the input ends here, within a chunk's header");
    assert_eq!(cut(50), "offset 0x32: the input ends here, within a raw chunk's data");
    assert_eq!(cut(70), "offset 0x46: the input ends here, within a fill chunk's word");
    assert_eq!(cut(98), "offset 0x62: the input ends here, within a CRC32 chunk's checksum");
    for at in 0..image.len() {
        assert!(matches!(decoded(&image[..at]), Err(SparseError::Truncated { .. })), "{at}");
    }
    let longer = [&image[..], &[0]].concat();
    let error = decoded(&longer).unwrap_err().to_string();
    assert_eq!(error, "offset 0x74: more bytes follow the last of 5 chunks, expected the end");
}

#[test]
fn what_cannot_be_encoded() {
    let error = |size, block_size| {
        encode(&mut io::empty(), size, &mut Sink::default(), block_size).unwrap_err().to_string()
    };
    let padded = "a raw image of 4097 bytes is no multiple of the block size, 4096 bytes; pad it with zeros";
    assert_eq!(error(4097, 4096), padded);
    for block_size in [0, 2, 4098, MAX_BLOCK_SIZE + 4, u32::MAX] {
        let expected = "expected a multiple of 4 from 4 to 1048576, usually 4096";
        assert_eq!(
            error(0, block_size),
            format!("blocks of {block_size} bytes are not possible: {expected}")
        );
    }
    let large = "a raw image of 17592186044416 bytes has more than 4294967295 blocks of 4096 bytes; use larger blocks";
    assert_eq!(error(1 << 44, 4096), large);
    assert_eq!(error(8192, 4096), "offset 0x0: the input ends here, within the raw image");
}

#[test]
fn large_runs_are_several_chunks() {
    let blocks = MAX_CHUNK / u64::from(BLOCK_SIZE);
    let mut sparse = Cursor::new(Vec::new());
    let zeros = encode(&mut io::repeat(0), 2 * MAX_CHUNK + 4096, &mut sparse, BLOCK_SIZE).unwrap();
    assert_eq!((zeros.chunks, zeros.sparse_size), (3, 28 + 3 * 16));
    assert_eq!(sparse.into_inner()[32..36], (blocks as u32).to_le_bytes());

    let raw: Vec<u8> = (0..MAX_CHUNK + 4096).map(|at| at as u8).collect();
    let (sparse, summary) = encoded(&raw, BLOCK_SIZE);
    assert_eq!((summary.chunks, summary.sparse_size), (2, 28 + 2 * 12 + raw.len() as u64));
    assert!(decoded(&sparse).unwrap().0 == raw);
}

#[test]
fn devices_give_little_and_fail() {
    let (sparse, raw) = (golden(), golden_raw());
    let mut out = Cursor::new(Vec::new());
    decode(&mut Drip { bytes: &sparse, turn: 0, fails: false }, &mut out).unwrap();
    assert_eq!(out.into_inner(), raw);
    let mut out = Cursor::new(Vec::new());
    encode(&mut Drip { bytes: &raw, turn: 0, fails: false }, 64, &mut out, 8).unwrap();
    assert_eq!(out.into_inner(), encoded(&raw, 8).0);

    let error = decode(&mut Drip { bytes: &sparse[..45], turn: 0, fails: true }, &mut Sink::default());
    assert_eq!(error.unwrap_err().to_string(), "reading the input at offset 0x2d: worn out");
    let mut full = Sink { written: 1 << 20, position: 0 };
    let error = decode(&mut &sparse[..], &mut full).unwrap_err().to_string();
    assert!(error.starts_with("writing the output at offset 0x0: "), "{error}");
    let mut full = Sink { written: (1 << 20) - 50, position: 0 };
    let error = encode(&mut &raw[..], 64, &mut full, 8).unwrap_err().to_string();
    assert!(error.starts_with("writing the output at offset 0x28: "), "{error}");
}

/// 4 TiB - 4 KiB of zeros take no room and no time.
#[test]
fn holes_are_not_written() {
    let mut sparse = HEADER.to_vec();
    sparse[12..24].copy_from_slice(&[0, 16, 0, 0, 0xff, 0xff, 0xff, 0x3f, 1, 0, 0, 0]);
    sparse.extend_from_slice(&[0xc3, 0xca, 0, 0, 0xff, 0xff, 0xff, 0x3f, 12, 0, 0, 0]);
    let mut sink = Sink::default();
    let summary = decode(&mut &sparse[..], &mut sink).unwrap();
    assert_eq!(summary.raw_size, (1 << 42) - 4096);
    assert_eq!((sink.position, sink.written), (summary.raw_size, 1));
}

/// Runs of blocks: of zeros, of a word, of anything.
fn raw_images() -> impl Strategy<Value = (Vec<u8>, u32)> {
    let runs = prop::collection::vec((0..3, any::<[u8; 7]>(), 1..5usize), 0..12);
    (runs, prop::sample::select(vec![4u32, 8, 60, 1024, 4096, 300_000])).prop_map(|(runs, block_size)| {
        let mut raw = Vec::new();
        for (kind, seed, blocks) in runs {
            let pattern = match kind {
                0 => &[0],
                1 => &seed[..4],
                _ => &seed[..],
            };
            raw.extend(pattern.iter().cycle().take(blocks * block_size as usize));
        }
        (raw, block_size)
    })
}

proptest! {
    #[test]
    fn encoded_is_decoded((raw, block_size) in raw_images()) {
        let (sparse, summary) = encoded(&raw, block_size);
        prop_assert!(is_sparse(&sparse));
        prop_assert_eq!(Header::read(&mut &sparse[..]).unwrap().raw_size(), raw.len() as u64);
        let (again, read) = decoded(&sparse).unwrap();
        prop_assert!(again == raw);
        prop_assert_eq!(read, summary);
        let mut skipped = Cursor::new(Vec::new());
        let unused = |number: u64| !number.is_multiple_of(3);
        encode_filesystem(&mut &raw[..], raw.len() as u64, &mut skipped, block_size, unused).unwrap();
        prop_assert!(decoded(&skipped.into_inner()).unwrap().0 == raw);
    }

    #[test]
    fn any_input_is_survived(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        at in 0..116usize,
        size: u64,
        block_size: u32,
    ) {
        let _ = decode(&mut &bytes[..], &mut Sink::default());
        let mut image = golden();
        for (to, from) in image[at..].iter_mut().zip(&bytes) { *to = *from; }
        let _ = decode(&mut &image[..], &mut Sink::default());
        for block_size in [block_size, block_size % 64, 4096] {
            let _ = encode(&mut &bytes[..], size, &mut Sink::default(), block_size);
            let _ = encode(&mut &bytes[..], size % 200, &mut Sink::default(), block_size);
        }
    }
}
