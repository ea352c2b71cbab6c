//! Which ways through a trusted app were taken: from which block to which, and how often.

/// Ways that are told apart; others share a place.
const PLACES: usize = 1 << 16;

/// How often each way was taken.
pub struct Coverage {
    previous: u32,
    hits: Vec<u8>,
}

impl Default for Coverage {
    fn default() -> Self {
        Self { previous: 0, hits: vec![0; PLACES] }
    }
}

impl Coverage {
    /// A block is entered.
    pub fn enter(&mut self, block: u32) {
        // Blocks of ARM code start at multiples of 4; the high bits of the product depend on all of them.
        let mixed = (block >> 1).wrapping_mul(0x9e37_79b1) >> 16;
        if let Some(hits) = self.hits.get_mut((mixed ^ self.previous) as usize % PLACES) {
            *hits = hits.saturating_add(1);
        }
        self.previous = mixed >> 1;
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.previous = 0;
        self.hits.fill(0);
    }
}

/// What has been seen of all cases together.
pub struct Seen(Vec<u8>);

impl Default for Seen {
    fn default() -> Self {
        Self(vec![0; PLACES])
    }
}

impl Seen {
    /// Takes in a case. Whether a way, or so many times of one, is new.
    pub fn take(&mut self, coverage: &Coverage) -> bool {
        let mut new = false;
        for (seen, hits) in self.0.iter_mut().zip(&coverage.hits) {
            if *hits != 0 {
                let class = class(*hits);
                new |= *seen & class == 0;
                *seen |= class;
            }
        }
        new
    }

    /// Ways that were taken.
    pub fn ways(&self) -> usize {
        self.0.iter().filter(|seen| **seen != 0).count()
    }
}

/// How often, in eight classes: once, twice, three times, up to 7, 15, 31, 127, more.
fn class(hits: u8) -> u8 {
    match hits {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => 4,
        4..=7 => 8,
        8..=15 => 16,
        16..=31 => 32,
        32..=127 => 64,
        128.. => 128,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(blocks: &[u32]) -> Coverage {
        let mut coverage = Coverage::default();
        blocks.iter().for_each(|block| coverage.enter(*block));
        coverage
    }

    #[test]
    fn a_way_is_new_once_and_again_when_it_is_taken_more_often() {
        let mut seen = Seen::default();
        assert!(seen.take(&way(&[0x8000, 0x8010])) && !seen.take(&way(&[0x8000, 0x8010])));
        assert_eq!(seen.ways(), 2);
        // The same blocks in another order.
        assert!(seen.take(&way(&[0x8010, 0x8000])));
        assert!(seen.take(&way(&[0x8000; 3])) && seen.take(&way(&[0x8000; 6])));
        assert!(!seen.take(&way(&[0x8000; 7])), "4 to 7 times are one class");
        let mut coverage = way(&[0x8000]);
        coverage.clear();
        assert!(!seen.take(&coverage));
    }
}
