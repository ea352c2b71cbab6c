use super::*;
use crate::testing::{World, test_key};
use std::vec::Vec;

const APP: Uuid = Uuid([7; 16]);

fn entropy() -> [u8; 32] {
    core::array::from_fn(|at| at as u8)
}

fn take(rng: &mut Rng, length: usize) -> Vec<u8> {
    let mut bytes = std::vec![0xaa; length];
    rng.fill(&mut bytes);
    bytes
}

fn hexadecimal(bytes: &[u8]) -> std::string::String {
    bytes.iter().map(|byte| std::format!("{byte:02x}")).collect()
}

/// Computed by Python's hashlib and cryptography, at 5 ns behind the kernel's start.
#[test]
fn the_numbers_are_those_of_another_implementation() {
    World::new().as_app(APP, || {
        time::sleep(core::time::Duration::from_nanos(5)).unwrap();
        let mut rng = Rng::new(&test_key(), &APP, &entropy()).unwrap();
        assert_eq!(hexadecimal(&take(&mut rng, 16)), "9e67acc225549c3ec00e71c5c2946399");
        assert_eq!(hexadecimal(&take(&mut rng, 100)[84..]), "cf91b9eb70771662571d2bb1ff3cc103");
        let mut rng = Rng::without_key(&APP, &entropy()).unwrap();
        assert_eq!(hexadecimal(&take(&mut rng, 16)), "d58f411be7254d82d9da795a36cc12bc");
        assert_eq!(hexadecimal(&take(&mut rng, 100)[84..]), "6817c5da4db9302fd5a1b799587ab7ea");
    });
}

#[test]
fn all_that_it_is_seeded_with_counts() {
    World::new().as_app(APP, || {
        let first =
            |key: &EkbKey, app: &Uuid, entropy: &[u8]| take(&mut Rng::new(key, app, entropy).unwrap(), 32);
        let other = EkbKey::new(*b"not a secret: 01", test_key().ecid());
        let chip = EkbKey::new(crate::testing::TEST_KEY, 1);
        let mut all = std::vec![
            first(&test_key(), &APP, &entropy()),
            first(&other, &APP, &entropy()),
            first(&chip, &APP, &entropy()),
            first(&test_key(), &Uuid([8; 16]), &entropy()),
            first(&test_key(), &APP, &[0; 32]),
            first(&test_key(), &APP, &[0; 33]),
            take(&mut Rng::without_key(&APP, &entropy()).unwrap(), 32),
        ];
        assert_eq!(first(&test_key(), &APP, &entropy()), all[0], "the same again");
        time::sleep(core::time::Duration::from_nanos(1)).unwrap();
        all.push(first(&test_key(), &APP, &entropy()));
        assert!((0..all.len()).all(|at| !all[..at].contains(&all[at])));
    });
}

/// More entropy is mixed in: neither it nor what was there before is alone.
#[test]
fn reseeding_replaces_nothing() {
    World::new().as_app(APP, || {
        let after = |key: [u8; 16], more: &[u8]| {
            let mut rng = Rng::new(&EkbKey::new(key, 1), &APP, &entropy()).unwrap();
            rng.reseed(more);
            take(&mut rng, 32)
        };
        let all =
            [after([1; 16], b"more"), after([2; 16], b"more"), after([1; 16], b"else"), after([1; 16], b"")];
        assert!((0..all.len()).all(|at| !all[..at].contains(&all[at])));
    });
}

#[test]
fn nothing_is_given_before_there_is_a_seed() {
    let world = World::new();
    let mut bytes = [0x55; 8];
    world.as_app(APP, || {
        assert_eq!(fill(&mut bytes), Err(RngError::NotSeeded));
        assert_eq!(reseed(&entropy()), Err(RngError::NotSeeded));
        assert_eq!(seed(&test_key(), &APP, &entropy()[1..]), Err(RngError::TooLittle));
        assert!(!is_seeded() && fill(&mut bytes) == Err(RngError::NotSeeded));
        seed(&test_key(), &APP, &entropy()).unwrap();
        let mut own = Rng::new(&test_key(), &APP, &entropy()).unwrap();
        fill(&mut bytes).unwrap();
        assert_eq!(bytes, *take(&mut own, 8));
        // A second seed is mixed in, and one that is too short changes nothing.
        assert_eq!(seed_without_key(&APP, b"short"), Err(RngError::TooLittle));
        fill(&mut bytes).unwrap();
        assert_eq!(bytes, *take(&mut own, 8));
        seed_without_key(&APP, &entropy()).unwrap();
        fill(&mut bytes).unwrap();
        assert_ne!(bytes, *take(&mut own, 8));
        assert_ne!(bytes, *take(&mut Rng::without_key(&APP, &entropy()).unwrap(), 8), "of the second alone");
    });
    world.as_app(APP, || assert!(!is_seeded(), "another app"));
}

/// A rough look: each of 256 values, and each bit, as often as chance has it.
#[test]
fn the_numbers_are_even() {
    World::new().as_app(APP, || {
        let mut rng = Rng::new(&test_key(), &APP, &entropy()).unwrap();
        let bytes = take(&mut rng, 1 << 20);
        let mut counts = [0_u32; 256];
        bytes.iter().for_each(|byte| counts[usize::from(*byte)] += 1);
        assert!(counts.iter().all(|count| (3700..=4500).contains(count)), "{counts:?}");
        let ones: u32 = bytes.iter().map(|byte| byte.count_ones()).sum();
        assert!((4_190_000..=4_200_000).contains(&ones), "{ones}");
        assert_eq!(std::format!("{rng:?}"), "Rng", "it shows nothing");
    });
}
