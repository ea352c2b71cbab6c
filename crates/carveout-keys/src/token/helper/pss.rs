//! RSA-PSS with SHA-256, MGF1 with SHA-256 and a salt of 32 bytes, for keys whose bits are a multiple of 8 (RFC 8017, 9.1).

use sha2::{Digest, Sha256};

/// Bytes of a digest, and of a salt.
pub const DIGEST: usize = 32;
/// The last byte.
const END: u8 = 0xbc;

/// EMSA-PSS-ENCODE: `size` bytes.
pub fn padded(size: usize, digest: &[u8; DIGEST], salt: &[u8; DIGEST]) -> Vec<u8> {
    let seed: [u8; DIGEST] =
        Sha256::new().chain_update([0; 8]).chain_update(digest).chain_update(salt).finalize().into();
    let zeros = size.saturating_sub(2 * DIGEST + 2);
    let mut message = [&vec![0; zeros], &[1][..], salt].concat();
    mask(&seed, &mut message);
    if let Some(first) = message.first_mut() {
        *first &= 0x7f;
    }
    message.extend_from_slice(&seed);
    message.push(END);
    message
}

/// Whether a message is a digest that was padded with any salt. Zeros in front of it may be missing.
pub fn fits(size: usize, digest: &[u8; DIGEST], message: &[u8]) -> bool {
    let whole = [&vec![0; size.saturating_sub(message.len())], message].concat();
    let Some((rest, &[ref seed @ .., END])) = whole.split_last_chunk::<{ DIGEST + 1 }>() else {
        return false;
    };
    let mut block = rest.to_vec();
    mask(seed, &mut block);
    block.last_chunk().is_some_and(|salt| padded(size, digest, salt) == whole)
}

/// MGF1, laid over a block (B.2.1).
fn mask(seed: &[u8], block: &mut [u8]) {
    for (part, counter) in block.chunks_mut(DIGEST).zip(0_u32..) {
        let mask = Sha256::new().chain_update(seed).chain_update(counter.to_be_bytes()).finalize();
        part.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_padded_digest_fits_and_a_changed_one_does_not() {
        let (digest, salt) = ([7; DIGEST], [0xff; DIGEST]);
        for size in [256, 384] {
            let message = padded(size, &digest, &salt);
            assert_eq!(message.len(), size);
            assert!(fits(size, &digest, &message) && !fits(size, &[8; DIGEST], &message));
            for at in 0..size {
                let mut changed = message.clone();
                changed[at] ^= 1;
                assert!(!fits(size, &digest, &changed), "byte {at}");
            }
            assert!(!fits(size, &digest, &[&message[..], b"x"].concat()) && !fits(size, &digest, b""));
        }
    }

    #[test]
    fn zeros_in_front_may_be_missing() {
        let mut made = (0..=u8::MAX)
            .flat_map(|n| (0..=u8::MAX).map(move |m| padded(256, &[m; DIGEST], &[n; DIGEST])).zip(0_u8..));
        let (short, digest) = made.find(|(made, _)| made[0] == 0).unwrap();
        assert!(fits(256, &[digest; DIGEST], &short[1..]));
    }
}
