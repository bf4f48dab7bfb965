//! The statistics that every metric is reported with.

use sim_core::nearest_rank;

/// Statistics of one metric; all zero if there is no sample.
///
/// Percentiles are samples, picked by nearest rank with halves rounded up
/// (the median of two samples is the larger); nothing is interpolated.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Distribution {
    /// How many samples.
    pub count: u64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Least sample.
    pub min: f64,
    /// Greatest sample.
    pub max: f64,
    /// 50th percentile.
    pub median: f64,
    /// 75th percentile.
    pub p75: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Standard deviation of the population.
    pub std: f64,
}

impl Distribution {
    /// The names of the statistics, in the order of [`Distribution::values`].
    pub const NAMES: [&'static str; 9] = [
        "mean", "min", "max", "median", "p75", "p90", "p95", "p99", "std",
    ];

    /// The statistics in the order of [`Distribution::NAMES`].
    pub fn values(&self) -> [f64; 9] {
        [
            self.mean,
            self.min,
            self.max,
            self.median,
            self.p75,
            self.p90,
            self.p95,
            self.p99,
            self.std,
        ]
    }

    /// Of ascending (value, multiplicity) pairs whose mean is known.
    pub(crate) fn of(pairs: impl Iterator<Item = (f64, u64)> + Clone, mean: f64) -> Self {
        let count: u64 = pairs.clone().map(|(_, count)| count).sum();
        if count == 0 {
            return Self::default();
        }
        let ranks = [0.0, 50.0, 75.0, 90.0, 95.0, 99.0, 100.0].map(|q| nearest_rank(count, q));
        let mut picked = [0.0; 7];
        let (mut next, mut before, mut squares) = (0, 0, 0.0);
        for (value, multiplicity) in pairs {
            before += multiplicity;
            while next < ranks.len() && ranks[next] < before {
                picked[next] = value;
                next += 1;
            }
            squares += multiplicity as f64 * (value - mean) * (value - mean);
        }
        Self::from_parts(count, picked, (mean, (squares / count as f64).sqrt()))
    }

    /// Of `count` samples, from the percentiles 0, 50, 75, 90, 95, 99 and 100,
    /// mean and standard deviation.
    pub(crate) fn from_parts(count: u64, picked: [f64; 7], (mean, std): (f64, f64)) -> Self {
        let [min, median, p75, p90, p95, p99, max] = picked;
        Self {
            count,
            mean,
            min,
            max,
            median,
            p75,
            p90,
            p95,
            p99,
            std,
        }
    }

    /// With exact extremes, between which rounded percentiles are kept.
    pub(crate) fn within(mut self, min: f64, max: f64) -> Self {
        for percentile in [
            &mut self.median,
            &mut self.p75,
            &mut self.p90,
            &mut self.p95,
            &mut self.p99,
        ] {
            *percentile = percentile.clamp(min, max);
        }
        Self { min, max, ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples() {
        let of = Distribution::of([(1.0, 1), (2.0, 1), (10.0, 2)].into_iter(), 5.75);
        assert_eq!((of.min, of.median, of.p75, of.max), (1.0, 10.0, 10.0, 10.0));
        assert!((of.std - 4.264_680_527_307_995).abs() < 1e-12);
        let pair = Distribution::of([(1.0, 1), (2.0, 1)].into_iter(), 1.5);
        assert_eq!(pair.median, 2.0, "halves round up");
    }
}
