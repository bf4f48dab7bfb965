//! Statistics of gaps that are counted in no order.
//!
//! Sorting hundreds of thousands of lengths would cost more than counting
//! them, so percentiles are picked in two passes: the first counts the lengths
//! by bucket, the second sorts only the few buckets that hold a wanted rank.

use sim_core::nearest_rank;

use super::histogram::{Histogram, bucket_of};
use crate::distribution::Distribution;

/// Gaps by length, in any order; a length may come more than once.
pub(super) trait Gaps {
    /// Tells every length (ns) with how many gaps have it.
    fn for_each(&self, tell: impl FnMut(u64, u64));
}

/// Exact totals of gaps.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    count: u64,
    zeros: u64,
    sum_ns: u128,
    extremes: Option<(u64, u64)>,
}

impl Totals {
    pub(super) fn add(&mut self, ns: u64, count: u64) {
        self.count += count;
        if ns == 0 {
            self.zeros += count;
        }
        self.sum_ns += u128::from(ns) * u128::from(count);
        let (min, max) = self.extremes.unwrap_or((ns, ns));
        self.extremes = Some((min.min(ns), max.max(ns)));
    }

    fn mean_ms(&self) -> f64 {
        self.sum_ns as f64 / self.count as f64 / 1e6
    }
}

const PERCENTILES: [f64; 7] = [0.0, 50.0, 75.0, 90.0, 95.0, 99.0, 100.0];

/// The distributions of the gaps in milliseconds, and of 1000 / gap for gaps
/// above zero.
pub(super) fn distributions(gaps: &impl Gaps, totals: &Totals) -> (Distribution, Distribution) {
    let Some((min, max)) = totals.extremes else {
        return Default::default();
    };
    let nonzero = totals.count - totals.zeros;
    let itl_ranks = PERCENTILES.map(|q| nearest_rank(totals.count, q));
    // The greatest rate belongs to the shortest gap that is not zero.
    let rate_ranks = PERCENTILES.map(|q| {
        let from_above = nearest_rank(nonzero, q);
        (totals.count - 1).saturating_sub(from_above)
    });
    let mut ranks = [itl_ranks, rate_ranks].concat();
    ranks.sort_unstable();
    ranks.dedup();
    let mut picker = Picker::new(gaps, &ranks);
    let mut spread = Moments::around(totals.mean_ms());
    let mut rates = Moments::around(nonzero as f64 * 1e9 / totals.sum_ns.max(1) as f64);
    gaps.for_each(|ns, count| {
        picker.offer(ns, count);
        spread.add(ns as f64 / 1e6, count);
        if ns > 0 {
            rates.add(1e9 / ns as f64, count);
        }
    });
    let picked = picker.finish();
    let at = |rank: u64| picked[ranks.binary_search(&rank).unwrap_or(0)];
    let itl = Distribution::from_parts(
        totals.count,
        itl_ranks.map(|rank| at(rank) as f64 / 1e6),
        (totals.mean_ms(), spread.deviation()),
    );
    let per_user = if nonzero == 0 {
        Distribution::default()
    } else {
        let picked = rate_ranks.map(|rank| 1e9 / at(rank).max(1) as f64);
        Distribution::from_parts(nonzero, picked, (rates.mean(), rates.deviation()))
    };
    (itl.within(min as f64 / 1e6, max as f64 / 1e6), per_user)
}

/// Picks the lengths at wanted ranks.
struct Picker<'a> {
    ranks: &'a [u64],
    /// Ascending.
    wanted: Vec<Bucket>,
}

/// A bucket that holds a wanted rank.
struct Bucket {
    number: usize,
    /// Gaps in the buckets before it.
    before: u64,
    /// Its lengths with their counts.
    lengths: Vec<(u64, u64)>,
}

impl<'a> Picker<'a> {
    /// For ascending `ranks`.
    fn new(gaps: &impl Gaps, ranks: &'a [u64]) -> Self {
        let mut histogram = Histogram::default();
        gaps.for_each(|ns, count| histogram.add(ns, count));
        let mut wanted = Vec::new();
        let (mut before, mut next) = (0, 0);
        for (number, &count) in histogram.counts().iter().enumerate() {
            let within = ranks[next..]
                .iter()
                .take_while(|&&rank| rank < before + count);
            let within = within.count();
            if within > 0 {
                wanted.push(Bucket {
                    number,
                    before,
                    lengths: Vec::new(),
                });
            }
            next += within;
            before += count;
        }
        Self { ranks, wanted }
    }

    fn offer(&mut self, ns: u64, count: u64) {
        let number = bucket_of(ns);
        let mut wanted = self.wanted.iter_mut();
        if let Some(bucket) = wanted.find(|bucket| bucket.number == number) {
            bucket.lengths.push((ns, count));
        }
    }

    /// The lengths at the ranks, in their order.
    fn finish(mut self) -> Vec<u64> {
        for bucket in &mut self.wanted {
            bucket.lengths.sort_unstable();
        }
        let ranks = self.ranks.iter();
        ranks
            .map(|&rank| self.pick(rank).unwrap_or_default())
            .collect()
    }

    fn pick(&self, rank: u64) -> Option<u64> {
        let after = self.wanted.partition_point(|bucket| bucket.before <= rank);
        let bucket = &self.wanted[after.checked_sub(1)?];
        let mut rest = rank - bucket.before;
        for &(ns, count) in &bucket.lengths {
            if rest < count {
                return Some(ns);
            }
            rest -= count;
        }
        None
    }
}

/// Mean and deviation from sums around a value near the mean.
struct Moments {
    pivot: f64,
    count: u64,
    sum: f64,
    squares: f64,
}

impl Moments {
    fn around(pivot: f64) -> Self {
        Self {
            pivot,
            count: 0,
            sum: 0.0,
            squares: 0.0,
        }
    }

    fn add(&mut self, value: f64, count: u64) {
        let off = value - self.pivot;
        self.count += count;
        self.sum += off * count as f64;
        self.squares += off * off * count as f64;
    }

    fn mean_off(&self) -> f64 {
        self.sum / self.count.max(1) as f64
    }

    fn mean(&self) -> f64 {
        self.pivot + self.mean_off()
    }

    fn deviation(&self) -> f64 {
        let mean_square = self.squares / self.count.max(1) as f64;
        (mean_square - self.mean_off() * self.mean_off())
            .max(0.0)
            .sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct List(Vec<(u64, u64)>);

    impl Gaps for List {
        fn for_each(&self, mut tell: impl FnMut(u64, u64)) {
            self.0.iter().for_each(|&(ns, count)| tell(ns, count));
        }
    }

    fn of(pairs: &[(u64, u64)]) -> (Distribution, Distribution) {
        let mut totals = Totals::default();
        pairs.iter().for_each(|&(ns, count)| totals.add(ns, count));
        distributions(&List(pairs.to_vec()), &totals)
    }

    #[test]
    fn zero_gaps_count_as_latency_but_have_no_rate() {
        // Nearly equal rates beside many zeros: cancellation would show.
        let (itl, rate) = of(&[(7_000_000, 1), (0, 100), (7_000_010, 1)]);
        assert_eq!(
            (itl.count, itl.min, itl.median, itl.max),
            (102, 0.0, 0.0, 7.000_01)
        );
        assert_eq!((rate.count, rate.min), (2, 1e9 / 7_000_010.0));
        let expected = (1e9 / 7_000_000.0 - 1e9 / 7_000_010.0) / 2.0;
        assert!(
            (rate.std - expected).abs() < 1e-9 * expected,
            "{}",
            rate.std
        );
    }

    #[test]
    fn gaps_of_no_length_at_all_have_no_rate() {
        let (itl, rate) = of(&[(0, 3)]);
        assert_eq!((itl.count, itl.std), (3, 0.0));
        assert_eq!(rate, Distribution::default());
        assert_eq!(of(&[]), Default::default());
    }
}
