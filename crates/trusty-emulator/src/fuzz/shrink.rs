//! Makes a case small that still brings about the same.

use trusty_model::case::Case;

/// Most tries for one case.
const TRIES: usize = 2000;

/// The smallest case that is found of which `same` is still true.
pub fn shrink<E>(case: &Case, mut same: impl FnMut(&Case) -> Result<bool, E>) -> Result<Case, E> {
    let mut best = case.clone();
    let mut tries = 0;
    let mut keep = |best: &mut Case, smaller: Case| -> Result<bool, E> {
        tries += 1;
        let kept = tries <= TRIES && same(&smaller)?;
        if kept {
            *best = smaller;
        }
        Ok(kept)
    };
    for at in (0..best.0.len()).rev() {
        let mut smaller = best.clone();
        smaller.0.remove(at);
        keep(&mut best, smaller)?;
    }
    for at in 0..best.0.len() {
        let length = |case: &Case| case.0[at].clone().content().map_or(0, |bytes| bytes.len());
        let mut part = length(&best);
        while part > 0 {
            let mut start = 0;
            while start < length(&best) {
                let end = (start + part).min(length(&best));
                let [mut without, mut zeroed] = [best.clone(), best.clone()];
                if let (Some(without), Some(zeroed)) = (without.0[at].content(), zeroed.0[at].content()) {
                    without.drain(start..end);
                    zeroed[start..end].fill(0);
                }
                if keep(&mut best, without)? {
                    continue;
                }
                if zeroed != best {
                    keep(&mut best, zeroed)?;
                }
                start = end;
            }
            part /= 2;
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use trusty_model::case::Action;

    #[test]
    fn what_matters_is_left() {
        let sent = |bytes: Vec<u8>| {
            Case(vec![Action::Connect("p".into()), Action::Close(7), Action::Send(0, bytes)])
        };
        let mut bytes = vec![9; 300];
        bytes[120] = 42;
        let same = |case: &Case| {
            let last = case.0.last().cloned();
            Ok::<_, ()>(last.and_then(|mut a| Some(a.content()?.contains(&42))).unwrap_or(false))
        };
        let small = shrink(&sent(bytes), same).unwrap();
        assert_eq!(small, Case(vec![Action::Send(0, vec![42])]));
    }
}
