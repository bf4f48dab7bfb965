//! Exact statistics of weighted integer samples, by nearest rank.

/// The zero-based rank that percentile `q` (0 to 100) picks among `count`
/// ascending samples: `(count - 1) * q / 100`, halves rounded up.
///
/// The median of two values is therefore the larger.
pub fn nearest_rank(count: u64, q: f64) -> u64 {
    if count == 0 {
        return 0;
    }
    let last = (count - 1) as f64;
    (last * q / 100.0).round().clamp(0.0, last) as u64
}

/// Samples of an integer quantity with multiplicities, kept ascending.
///
/// ```
/// use sim_core::WeightedSamples;
/// let samples = WeightedSamples::from_pairs(vec![(20, 1), (10, 3)]);
/// assert_eq!(samples.count(), 4);
/// assert_eq!(samples.percentile(50.0), Some(10));
/// assert_eq!(samples.max(), Some(20));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WeightedSamples {
    /// Ascending values with their multiplicities, each value once.
    pairs: Vec<(u64, u64)>,
    count: u64,
}

impl WeightedSamples {
    /// Sorts `pairs` of (value, multiplicity) and joins equal values.
    pub fn from_pairs(mut pairs: Vec<(u64, u64)>) -> Self {
        pairs.retain(|&(_, count)| count > 0);
        pairs.sort_unstable();
        pairs.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            if same {
                kept.1 += next.1;
            }
            same
        });
        let count = pairs.iter().map(|&(_, count)| count).sum();
        Self { pairs, count }
    }

    /// Samples that occur once each.
    pub fn from_values(values: &[u64]) -> Self {
        Self::from_pairs(values.iter().map(|&value| (value, 1)).collect())
    }

    /// The (value, multiplicity) pairs, ascending.
    pub fn pairs(&self) -> &[(u64, u64)] {
        &self.pairs
    }

    /// The number of samples.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The sum of all samples, exact.
    pub fn sum(&self) -> u128 {
        self.pairs
            .iter()
            .map(|&(value, count)| u128::from(value) * u128::from(count))
            .sum()
    }

    /// The smallest sample.
    pub fn min(&self) -> Option<u64> {
        self.pairs.first().map(|&(value, _)| value)
    }

    /// The greatest sample.
    pub fn max(&self) -> Option<u64> {
        self.pairs.last().map(|&(value, _)| value)
    }

    /// The sample at percentile `q` (0 to 100) by [`nearest_rank`].
    pub fn percentile(&self, q: f64) -> Option<u64> {
        let mut rank = nearest_rank(self.count, q);
        for &(value, count) in &self.pairs {
            if rank < count {
                return Some(value);
            }
            rank -= count;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn halves_round_up() {
        assert_eq!(nearest_rank(2, 50.0), 1);
        assert_eq!(nearest_rank(4, 50.0), 2);
        assert_eq!(nearest_rank(1, 99.0), 0);
        assert_eq!(nearest_rank(0, 50.0), 0);
    }

    proptest! {
        #[test]
        fn weighted_equals_expanded(pairs in prop::collection::vec((0_u64..20, 0_u64..5), 0..20), q in 0.0..=100.0) {
            let mut expanded: Vec<u64> = pairs.iter().flat_map(|&(v, n)| std::iter::repeat_n(v, n as usize)).collect();
            expanded.sort_unstable();
            let samples = WeightedSamples::from_pairs(pairs);
            prop_assert_eq!(samples.count(), expanded.len() as u64);
            let expected = expanded.get(nearest_rank(expanded.len() as u64, q) as usize).copied();
            prop_assert_eq!(samples.percentile(q), expected);
            prop_assert_eq!(samples.sum(), expanded.iter().map(|&v| u128::from(v)).sum::<u128>());
        }
    }
}
