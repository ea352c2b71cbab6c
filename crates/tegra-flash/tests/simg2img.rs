//! Both directions against AOSP's own tools, from Debian's android-sdk-libsparse-utils.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fs::{self, File};
use std::io::{BufReader, ErrorKind};
use std::path::Path;
use std::process::{Command, Stdio};
use tegra_flash::sparse::{BLOCK_SIZE, decode, encode};

/// Bytes of the image.
const SIZE: u64 = 6 << 20;

/// Holes, fills and data with no pattern, alone and next to each other.
fn image() -> Vec<u8> {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut image = Vec::new();
    while (image.len() as u64) < SIZE {
        let (kind, blocks, word) = (random() % 4, 1 + random() % 40, random() as u32);
        for _ in 0..blocks * u64::from(BLOCK_SIZE) / 8 {
            let bytes = match kind {
                0 => 0,
                1 => u64::from(word) << 32 | u64::from(word),
                _ => random(),
            };
            image.extend_from_slice(&bytes.to_le_bytes());
        }
    }
    image.truncate(SIZE as usize - BLOCK_SIZE as usize);
    // The last block is a hole: the length must be right nonetheless.
    image.resize(SIZE as usize, 0);
    image
}

fn is_there(program: &str) -> bool {
    let started = Command::new(program).stdout(Stdio::null()).stderr(Stdio::null()).status();
    !matches!(started, Err(error) if error.kind() == ErrorKind::NotFound)
}

fn run(program: &str, from: &Path, to: &Path) {
    let status = Command::new(program).args([from, to]).status().unwrap();
    assert!(status.success(), "{program}: {status}");
}

#[test]
fn aosp_reads_what_is_written_here_and_the_reverse() {
    for program in ["simg2img", "img2simg"] {
        if !is_there(program) {
            eprintln!("skipped: {program} is not there");
            return;
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name| folder.path().join(name);
    let raw = image();
    fs::write(path("raw"), &raw).unwrap();

    let mut sparse = File::create(path("ours.simg")).unwrap();
    let summary = encode(&mut File::open(path("raw")).unwrap(), SIZE, &mut sparse, BLOCK_SIZE).unwrap();
    assert!(summary.sparse_size < SIZE);
    run("simg2img", &path("ours.simg"), &path("theirs.raw"));
    assert!(fs::read(path("theirs.raw")).unwrap() == raw, "simg2img made another image");

    run("img2simg", &path("raw"), &path("theirs.simg"));
    let mut sparse = BufReader::new(File::open(path("theirs.simg")).unwrap());
    let summary = decode(&mut sparse, &mut File::create(path("ours.raw")).unwrap()).unwrap();
    assert_eq!(summary.raw_size, SIZE);
    assert!(fs::read(path("ours.raw")).unwrap() == raw, "img2simg's image is decoded to another");
}
