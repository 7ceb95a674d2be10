//! What two sequences have in common.

/// Cells of the largest table that is filled; beyond it, what is between equal ends counts as
/// different.
const CELLS: usize = 4 << 20;

/// Index pairs of a longest common subsequence, ascending in both.
pub(super) fn common<T: PartialEq>(old: &[T], new: &[T]) -> Vec<(usize, usize)> {
    let start = old.iter().zip(new).take_while(|(one, other)| one == other).count();
    let (old_rest, new_rest) = (old.get(start..).unwrap_or(&[]), new.get(start..).unwrap_or(&[]));
    let end = old_rest.iter().rev().zip(new_rest.iter().rev());
    let end = end.take_while(|(one, other)| one == other).count();
    let old_middle = old_rest.get(..old_rest.len() - end).unwrap_or(&[]);
    let new_middle = new_rest.get(..new_rest.len() - end).unwrap_or(&[]);
    let mut pairs: Vec<_> = (0..start).map(|at| (at, at)).collect();
    let middle = longest(old_middle, new_middle);
    pairs.extend(middle.into_iter().map(|(one, other)| (start + one, start + other)));
    let (old_end, new_end) = (old.len() - end, new.len() - end);
    pairs.extend((0..end).map(|at| (old_end + at, new_end + at)));
    pairs
}

fn longest<T: PartialEq>(old: &[T], new: &[T]) -> Vec<(usize, usize)> {
    best(old.len(), new.len(), |one, other| u32::from(old[one] == new[other]))
}

/// Pairs of the largest total weight, ascending in both; pairs of no weight are left out. Nothing,
/// where that would take too long.
pub(super) fn best(
    old: usize,
    new: usize,
    weight: impl Fn(usize, usize) -> u32,
) -> Vec<(usize, usize)> {
    let width = new + 1;
    if old.saturating_mul(new) > CELLS || old == 0 || new == 0 {
        return Vec::new();
    }
    // The best total of what follows, by where one stands in both.
    let mut totals = vec![0_u32; (old + 1) * width];
    let mut weights = vec![0_u32; old * new];
    for one in (0..old).rev() {
        for other in (0..new).rev() {
            let weight = weight(one, other);
            weights[one * new + other] = weight;
            let without = totals[(one + 1) * width + other].max(totals[one * width + other + 1]);
            let with = match weight {
                0 => 0,
                weight => weight.saturating_add(totals[(one + 1) * width + other + 1]),
            };
            totals[one * width + other] = without.max(with);
        }
    }
    let (mut one, mut other, mut pairs) = (0, 0, Vec::new());
    while one < old && other < new {
        let total = totals[one * width + other];
        let weight = weights[one * new + other];
        if weight > 0 && total == weight.saturating_add(totals[(one + 1) * width + other + 1]) {
            pairs.push((one, other));
            one += 1;
            other += 1;
        } else if total == totals[(one + 1) * width + other] {
            one += 1;
        } else {
            other += 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn letters(old: &str, new: &str) -> String {
        let (old, new): (Vec<_>, Vec<_>) = (old.chars().collect(), new.chars().collect());
        common(&old, &new).into_iter().map(|(one, _)| old[one]).collect()
    }

    #[test]
    fn the_longest_is_found() {
        assert_eq!(letters("abcdef", "abxdf"), "abdf");
        assert_eq!(letters("", "a"), "");
        assert_eq!(letters("ab", "ba").len(), 1);
        assert_eq!(letters("aXb", "ab"), "ab");
    }

    #[test]
    fn what_would_take_too_long_counts_as_different() {
        let old: Vec<_> = (0..5000).collect();
        let mut new: Vec<_> = (0..5000).rev().collect();
        assert!(common(&old, &new).is_empty());
        new = old.clone();
        new[2500] = -1;
        assert_eq!(common(&old, &new).len(), 4999);
    }

    proptest! {
        #[test]
        fn pairs_are_equal_and_ascend(old in "[ab]{0,12}", new in "[ab]{0,12}") {
            let (old, new): (Vec<_>, Vec<_>) = (old.chars().collect(), new.chars().collect());
            let pairs = common(&old, &new);
            prop_assert!(pairs.iter().all(|(one, other)| old[*one] == new[*other]));
            prop_assert!(pairs.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 < two[1].1));
            prop_assert_eq!(pairs.len(), common(&new, &old).len());
        }
    }
}
