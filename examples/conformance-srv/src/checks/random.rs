//! What crates that ask `getrandom` get, before the generator is seeded and then.

use crate::say;
use crate::transcript::Transcript;
use trusty_ta::{Uuid, rng};

type Fill = fn(&mut [u8]) -> Result<(), u32>;

fn of_02(bytes: &mut [u8]) -> Result<(), u32> {
    getrandom_0_2::getrandom(bytes).map_err(|error| error.code().get())
}

fn of_03(bytes: &mut [u8]) -> Result<(), u32> {
    // It tells no code of its own kind.
    getrandom_0_3::fill(bytes).map_err(|_| 3)
}

fn of_04(bytes: &mut [u8]) -> Result<(), u32> {
    getrandom_0_4::fill(bytes).map_err(|_| 4)
}

const ALL: [(&str, Fill); 3] = [("0.2", of_02), ("0.3", of_03), ("0.4", of_04)];

/// The errors of those that give nothing yet.
pub fn errors() -> [Option<u32>; 3] {
    ALL.map(|(_, fill)| fill(&mut [0; 24]).err())
}

pub fn check(t: &mut Transcript) {
    let mut before = [0_u8; 24];
    say!(t, "a seed that is too short: {:?}", rng::seed_without_key(&Uuid([1; 16]), &[1; 31]));
    say!(t, "a seed: {:?}", rng::seed_without_key(&Uuid([1; 16]), &[1; 32]));
    for (version, fill) in ALL {
        let mut bytes = [0_u8; 24];
        let filled = fill(&mut bytes);
        let new = filled.is_ok() && bytes != before && bytes.iter().any(|byte| *byte != 0);
        say!(t, "getrandom {version}: bytes that are new: {new}");
        before = bytes;
    }
}
