//! One value a request: exact up to a limit, a histogram beyond.

use std::cmp::Ordering;

use super::histogram::Histogram;
use crate::distribution::Distribution;

/// How many values are kept one by one.
pub(crate) const EXACT_LIMIT: usize = 1 << 22;

/// Fractional bits of the fixed-point sums.
const FRACTION_BITS: u32 = 20;

/// A span of time in nanoseconds, whole or not.
pub(crate) trait Span: Copy {
    fn as_ns(self) -> f64;
    /// Nanoseconds times 2^20.
    fn fixed_point(self) -> u128;
    fn rounded(self) -> u64;
    fn order(&self, other: &Self) -> Ordering;
}

impl Span for u64 {
    fn as_ns(self) -> f64 {
        self as f64
    }

    fn fixed_point(self) -> u128 {
        u128::from(self) << FRACTION_BITS
    }

    fn rounded(self) -> u64 {
        self
    }

    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
}

impl Span for f64 {
    fn as_ns(self) -> f64 {
        self
    }

    fn fixed_point(self) -> u128 {
        (self * f64::from(1_u32 << FRACTION_BITS)) as u128
    }

    fn rounded(self) -> u64 {
        self.round() as u64
    }

    fn order(&self, other: &Self) -> Ordering {
        self.total_cmp(other)
    }
}

/// The values of one metric.
///
/// Up to [`EXACT_LIMIT`] values every statistic is exact. Beyond, count, mean,
/// least and greatest stay exact, percentiles are within 2^-13 of the value at
/// their rank, and the standard deviation within 2^-13 of the root mean square.
#[derive(Clone, Debug)]
pub(crate) struct Samples<T> {
    kept: Vec<T>,
    beyond: Option<Beyond>,
    limit: usize,
    count: u64,
    /// Values of 0 that were only counted.
    zeros: u64,
    /// Whole values: exact. Fractions: to 2^-20 ns a value.
    sum: u128,
}

#[derive(Clone, Debug)]
struct Beyond {
    histogram: Histogram,
    min: f64,
    max: f64,
}

impl Beyond {
    fn add<T: Span>(&mut self, value: T) {
        self.histogram.add(value.rounded(), 1);
        self.min = self.min.min(value.as_ns());
        self.max = self.max.max(value.as_ns());
    }
}

impl<T: Span> Samples<T> {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            kept: Vec::new(),
            beyond: None,
            limit,
            count: 0,
            zeros: 0,
            sum: 0,
        }
    }

    pub(crate) fn add(&mut self, value: T) {
        self.count += 1;
        self.sum += value.fixed_point();
        match &mut self.beyond {
            Some(beyond) => beyond.add(value),
            None if self.kept.len() < self.limit => self.kept.push(value),
            None => self.go_beyond(value),
        }
    }

    /// Adds a 0 without keeping it: for metrics that are mostly 0.
    pub(crate) fn add_zero(&mut self) {
        self.count += 1;
        self.zeros += 1;
    }

    fn go_beyond(&mut self, value: T) {
        let mut beyond = Beyond {
            histogram: Histogram::default(),
            min: f64::INFINITY,
            max: 0.0,
        };
        for kept in std::mem::take(&mut self.kept) {
            beyond.add(kept);
        }
        beyond.add(value);
        self.beyond = Some(beyond);
    }

    /// Whether percentiles are within an error bound instead of exact.
    pub(crate) fn is_approximate(&self) -> bool {
        self.beyond.is_some()
    }

    /// The distribution in milliseconds.
    pub(crate) fn distribution(mut self) -> Distribution {
        if self.count == 0 {
            return Distribution::default();
        }
        let mean_ns = self.sum as f64 / f64::from(1_u32 << FRACTION_BITS) / self.count as f64;
        let zeros = (self.zeros > 0).then_some((0.0, self.zeros)).into_iter();
        match &self.beyond {
            None => {
                self.kept.sort_unstable_by(T::order);
                let values = self.kept.iter().map(|value| (value.as_ns() / 1e6, 1));
                Distribution::of(zeros.chain(values), mean_ns / 1e6)
            }
            Some(beyond) => {
                let pairs = beyond.histogram.pairs();
                let values = pairs.iter().map(|&(ns, count)| (ns as f64 / 1e6, count));
                let least = if self.zeros > 0 { 0.0 } else { beyond.min };
                let (min, max) = (least / 1e6, beyond.max / 1e6);
                Distribution::of(zeros.chain(values), mean_ns / 1e6).within(min, max)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn beyond_the_limit_the_error_stays_in_its_bound(
            values in prop::collection::vec(0_u64..1 << 44, 20..200)
        ) {
            let (mut exact, mut rough) = (Samples::new(1000), Samples::new(10));
            for &value in &values {
                exact.add(value);
                rough.add(value);
            }
            prop_assert!(rough.is_approximate() && !exact.is_approximate());
            let (exact, rough) = (exact.distribution(), rough.distribution());
            prop_assert_eq!(exact.mean, rough.mean);
            prop_assert_eq!((exact.count, exact.min, exact.max), (rough.count, rough.min, rough.max));
            for (one, two) in [(exact.median, rough.median), (exact.p99, rough.p99), (exact.p75, rough.p75)] {
                prop_assert!((one - two).abs() <= one / 8192.0 + 1e-9, "{} {}", one, two);
            }
            let root_mean_square = exact.mean.hypot(exact.std);
            prop_assert!((exact.std - rough.std).abs() <= root_mean_square / 8192.0 + 1e-9);
        }
    }

    #[test]
    fn fractions_of_nanoseconds_survive() {
        let mut samples = Samples::new(10);
        for value in [1e6 / 3.0, 2e6 / 3.0] {
            samples.add(value);
        }
        let distribution = samples.distribution();
        assert!((distribution.mean - 0.5).abs() < 1e-12);
        assert!((distribution.min - 1.0 / 3.0).abs() < 1e-15);
    }

    #[test]
    fn counted_zeros_weigh_as_much_as_kept_ones() {
        for limit in [2, 100] {
            let (mut kept, mut counted) = (Samples::new(limit), Samples::new(limit));
            for value in [0, 5_000_000, 0, 7_000_000, 0, 0, 1_000_000_u64] {
                kept.add(value);
                match value {
                    0 => counted.add_zero(),
                    value => counted.add(value),
                }
            }
            assert_eq!(kept.distribution(), counted.distribution());
        }
    }

    #[test]
    fn no_value_means_zero_everywhere() {
        assert_eq!(
            Samples::<u64>::new(1).distribution(),
            Distribution::default()
        );
    }
}
