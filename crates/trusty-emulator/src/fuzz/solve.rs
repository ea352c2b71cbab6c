//! Makes cases of what a trusted app compared: where a number of the case met another, the other is put in its place.

use crate::comparisons::Compared;
use std::collections::{BTreeMap, BTreeSet};
use tipc_bulk::MAX_MESSAGE;
use trusty_model::case::{Action, Case};

/// Cases that one place of the code may have made of it.
const FOR_A_PLACE: usize = 300;
/// So many are hardly any.
const FEW: usize = 32;
/// Most places of a case where a number is looked for.
const OCCURRENCES: usize = 4;

/// How often each place of the code was asked, and where cases have come.
#[derive(Default)]
pub struct Solver {
    asked: BTreeMap<u32, usize>,
    reached: BTreeSet<u32>,
}

/// A case that was made of a comparison.
pub struct Solved {
    /// It.
    pub case: Case,
    /// Whether what comes next may be another comparison, and nothing else: compilers put several into one block.
    pub leads_on: bool,
    /// Whether this place of the code was hardly asked before.
    pub urgent: bool,
}

impl Solver {
    /// Cases like this one, one for each comparison that it can meet, and one for all comparisons up to there.
    pub fn solve(&mut self, case: &Case, compared: &[Compared]) -> Vec<Solved> {
        let mut made = Vec::new();
        let mut all = case.clone();
        let before = self.asked.clone();
        for Compared { pc, left, right, in_code } in compared {
            self.reached.insert(*pc);
            let urgent = before.get(pc).is_none_or(|asked| *asked < FEW);
            let other_way = (!in_code).then_some((*right, *left));
            for (is, wanted) in [(*left, *right)].into_iter().chain(other_way) {
                let asked = self.asked.entry(*pc).or_default();
                if *asked >= FOR_A_PLACE {
                    continue;
                }
                let single = replaced(case, is, wanted);
                *asked += single.len();
                let one = single.len() == 1;
                made.extend(single.into_iter().map(|case| Solved { case, leads_on: *in_code, urgent }));
                if one && let [next] = &mut replaced(&all, is, wanted)[..] {
                    all = std::mem::take(next);
                    made.push(Solved { case: all.clone(), leads_on: false, urgent });
                }
            }
        }
        made
    }

    /// Whether a case has come to a comparison to which none had come.
    pub fn is_further(&self, compared: &[Compared]) -> bool {
        compared.iter().any(|compared| !self.reached.contains(&compared.pc))
    }
}

/// The cases in which one `is`, or one length, is `wanted` instead.
fn replaced(case: &Case, is: u32, wanted: u32) -> Vec<Case> {
    let mut made = Vec::new();
    for at in 0..case.0.len() {
        let with = |bytes: Vec<u8>| {
            let mut case = case.clone();
            case.0[at].content().map(|content| *content = bytes).map(|()| case)
        };
        let (Action::Send(_, bytes) | Action::Bulk(_, _, bytes)) = &case.0[at] else { continue };
        for (old, new) in forms(is, wanted) {
            let places = bytes.windows(old.len()).enumerate().filter(|(_, window)| *window == old);
            for (place, _) in places.take(OCCURRENCES) {
                let mut bytes = bytes.clone();
                bytes[place..place + new.len()].copy_from_slice(&new);
                made.extend(with(bytes));
            }
        }
        let longer = bytes.len() as i64 + i64::from(wanted) - i64::from(is);
        // A length, or what is left of it behind a head.
        if (0..32).contains(&(bytes.len() as i64 - i64::from(is)))
            && (0..=MAX_MESSAGE as i64).contains(&longer)
        {
            let mut bytes = bytes.clone();
            bytes.resize(longer as usize, 0);
            made.extend(with(bytes));
        }
    }
    made
}

/// How a number stands in a message, and the other in as many bytes: little endian and big endian.
fn forms(is: u32, wanted: u32) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut forms = Vec::new();
    let width = match is {
        // What occurs everywhere tells nothing.
        0 => return forms,
        1..=0xff => 1,
        0x100..=0xffff => 2,
        _ => 4,
    };
    // As many bytes as the larger one needs, and four.
    for width in [width, 2, 4] {
        let fits = |number: u32| width == 4 || number < 1 << (8 * width);
        if fits(is) && fits(wanted) {
            let little = |number: u32| number.to_le_bytes()[..width].to_vec();
            let big = |number: u32| number.to_be_bytes()[4 - width..].to_vec();
            forms.extend([(little(is), little(wanted)), (big(is), big(wanted))]);
        }
    }
    forms.sort();
    forms.dedup();
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(pc: u32, left: u32, right: u32) -> Compared {
        Compared { pc, left, right, in_code: true }
    }

    fn solve(case: &Case, compared: &[Compared]) -> Vec<Case> {
        Solver::default().solve(case, compared).into_iter().map(|solved| solved.case).collect()
    }

    fn sends(bytes: &[u8]) -> Case {
        Case(vec![Action::Connect("p".into()), Action::Send(0, bytes.to_vec())])
    }

    #[test]
    fn a_number_that_was_compared_is_put_in() {
        let compared =
            [compared(0, 0x4433_2211, u32::from_le_bytes(*b"magi")), compared(4, 0x55, b'c'.into())];
        let made = solve(&sends(&[0x11, 0x22, 0x33, 0x44, 0x55]), &compared);
        assert!(made.contains(&sends(b"magi\x55")) && made.contains(&sends(b"magic")), "{made:?}");
    }

    #[test]
    fn a_length_that_was_compared_is_given() {
        let compared = [compared(0, 3, 6)];
        let made = solve(&sends(&[9; 3]), &compared);
        assert!(made.contains(&sends(&[9, 9, 9, 0, 0, 0])), "{made:?}");
    }

    #[test]
    fn a_place_that_is_asked_again_and_again_is_asked_no_more() {
        let mut solver = Solver::default();
        let compared = |left| [compared(0, left, 77)];
        let made: usize = (0..1000u32)
            .map(|n| solver.solve(&sends(&(n + 0x1_0000).to_le_bytes()), &compared(n + 0x1_0000)).len())
            .sum();
        assert!((FOR_A_PLACE..3 * FOR_A_PLACE).contains(&made), "{made}");
    }
}
