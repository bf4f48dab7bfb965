//! A coarse histogram of durations, small enough to keep one a time bin.

/// Buckets a power of two: percentiles are within 1.6 % of the sample.
const SUB_BITS: u32 = 5;
/// Shorter durations (1 µs) share a bucket.
const LEAST_BITS: u32 = 10;
/// Longer durations (4.9 h) share a bucket.
const MOST_BITS: u32 = 44;

/// Counts of durations by logarithm.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sketch {
    /// From bucket `first` on.
    counts: Vec<u32>,
    first: usize,
    total: u64,
}

impl Sketch {
    pub(crate) fn add(&mut self, ns: u64, count: u32) {
        if count > 0 {
            self.add_to(bucket_of(ns), count);
        }
    }

    fn add_to(&mut self, bucket: usize, count: u32) {
        if self.counts.is_empty() {
            self.first = bucket;
        }
        if bucket < self.first {
            let missing = self.first - bucket;
            self.counts.splice(0..0, std::iter::repeat_n(0, missing));
            self.first = bucket;
        }
        let index = bucket - self.first;
        if index >= self.counts.len() {
            self.counts.resize(index + 1, 0);
        }
        self.counts[index] = self.counts[index].saturating_add(count);
        self.total += u64::from(count);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (index, &count) in other.counts.iter().enumerate() {
            if count > 0 {
                self.add_to(other.first + index, count);
            }
        }
    }

    /// Percentile `q` (0 to 100) in milliseconds, by nearest rank.
    pub(crate) fn percentile_ms(&self, q: f64) -> Option<f64> {
        let mut rank = sim_core::nearest_rank(self.total, q);
        for (index, &count) in self.counts.iter().enumerate() {
            if rank < u64::from(count) {
                return Some(middle_of(self.first + index) / 1e6);
            }
            rank -= u64::from(count);
        }
        None
    }
}

fn bucket_of(ns: u64) -> usize {
    let ns = ns.clamp(1 << LEAST_BITS, (1 << MOST_BITS) - 1);
    let exponent = ns.ilog2();
    let offset = (ns >> (exponent - SUB_BITS)) - (1 << SUB_BITS);
    (((exponent - LEAST_BITS) << SUB_BITS) + offset as u32) as usize
}

fn middle_of(bucket: usize) -> f64 {
    let bucket = bucket as u32;
    let exponent = LEAST_BITS + (bucket >> SUB_BITS);
    let offset = bucket & ((1 << SUB_BITS) - 1);
    let width = 2_f64.powi((exponent - SUB_BITS) as i32);
    (f64::from((1 << SUB_BITS) + offset) + 0.5) * width
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_percentile_is_within_a_sixtieth_of_its_sample(
            samples in prop::collection::vec(1_100_u64..1 << 43, 1..60), q in 0.0..=100.0
        ) {
            let (mut whole, mut one, mut two) = <(Sketch, Sketch, Sketch)>::default();
            for (index, &ns) in samples.iter().enumerate() {
                whole.add(ns, 1);
                if index % 2 == 0 { one.add(ns, 1) } else { two.add(ns, 1) }
            }
            one.merge(&two);
            prop_assert_eq!(one.percentile_ms(q), whole.percentile_ms(q));
            let mut sorted = samples.clone();
            sorted.sort_unstable();
            let rank = sim_core::nearest_rank(sorted.len() as u64, q) as usize;
            let exact = sorted[rank] as f64 / 1e6;
            let rough = whole.percentile_ms(q).unwrap();
            prop_assert!((rough - exact).abs() <= exact / 60.0, "{} {}", rough, exact);
        }
    }

    #[test]
    fn extremes_share_the_outer_buckets() {
        let mut sketch = Sketch::default();
        sketch.add(u64::MAX, 1);
        sketch.add(0, 1);
        assert!(sketch.percentile_ms(0.0).unwrap() < 0.0011);
        assert!(sketch.percentile_ms(100.0).unwrap() > 1.7e7);
        assert_eq!(Sketch::default().percentile_ms(50.0), None);
    }
}
