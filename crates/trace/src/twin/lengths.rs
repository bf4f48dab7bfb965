//! Length distributions as quantile tables, drawn by strata.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

/// (share of requests, tokens at most), ascending; linear in between.
pub(super) type Quantiles = &'static [(f64, f64)];

/// `count` lengths, ascending, one from each stratum: their distribution is
/// the table's whatever the seed.
pub(super) fn ascending(table: Quantiles, count: usize) -> Vec<u32> {
    let mut knot = 0;
    (0..count)
        .map(|stratum| {
            let share = (stratum as f64 + 0.5) / count as f64;
            while knot + 2 < table.len() && table[knot + 1].0 <= share {
                knot += 1;
            }
            let ((from, low), (to, high)) = (table[knot], table[knot + 1]);
            (low + (high - low) * (share - from) / (to - from)).round() as u32
        })
        .collect()
}

/// The same lengths in random order.
pub(super) fn shuffled(table: Quantiles, count: usize, stream: &mut ChaCha8Rng) -> Vec<u32> {
    let mut lengths = ascending(table, count);
    for last in (1..lengths.len()).rev() {
        lengths.swap(last, below(stream, last + 1));
    }
    lengths
}

/// A whole number below `limit`.
fn below(stream: &mut ChaCha8Rng, limit: usize) -> usize {
    ((u128::from(stream.next_u64()) * limit as u128) >> 64) as usize
}

/// A number in [0, 1).
pub(super) fn unit(stream: &mut ChaCha8Rng) -> f64 {
    (stream.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Quantiles = &[(0.0, 10.0), (0.5, 20.0), (1.0, 120.0)];

    #[test]
    fn strata_follow_the_table() {
        assert_eq!(ascending(TABLE, 4), [13, 18, 45, 95]);
        assert_eq!(ascending(TABLE, 1), [20]);
    }

    #[test]
    fn shuffling_keeps_the_lengths() {
        let mut stream = sim_core::named_stream(1, "test", 0);
        let mut lengths = shuffled(TABLE, 100, &mut stream);
        assert!(!lengths.is_sorted());
        lengths.sort_unstable();
        assert_eq!(lengths, ascending(TABLE, 100));
    }
}
