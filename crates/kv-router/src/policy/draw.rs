//! Draws of indices.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

/// A number from 0 up to, but not including, `count`, each as likely as the
/// others up to `count` / 2^64.
pub(super) fn below(draws: &mut ChaCha8Rng, count: usize) -> usize {
    ((u128::from(draws.next_u64()) * count as u128) >> 64) as usize
}

/// Two different numbers below `count`, every pair as likely as the others;
/// `count` must be 2 or more.
pub(super) fn two_below(draws: &mut ChaCha8Rng, count: usize) -> (usize, usize) {
    let first = below(draws, count);
    let second = below(draws, count - 1);
    (first, second + usize::from(second >= first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sim_core::named_stream;

    #[test]
    fn pairs_are_distinct_and_evenly_spread() {
        let mut draws = named_stream(3, "test", 0);
        let mut counts = [[0_i32; 4]; 4];
        for _ in 0..12_000 {
            let (one, two) = two_below(&mut draws, 4);
            counts[one][two] += 1;
        }
        for (one, row) in counts.iter().enumerate() {
            for (two, &count) in row.iter().enumerate() {
                let expected = if one == two { 0 } else { 1000 };
                assert!((count - expected).abs() <= expected / 8, "{counts:?}");
            }
        }
        assert_eq!(below(&mut draws, 1), 0);
    }
}
