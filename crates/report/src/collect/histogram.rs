//! A log-linear histogram of nanoseconds, for runs too long to keep every value.

/// Bits of a value that are kept: buckets are at most 2^-12 of their lower
/// bound wide, so a bucket's middle is within 2^-13 of every value in it.
const SUB_BITS: u32 = 12;

/// Counts of `u64` values in buckets of bounded relative width.
///
/// Values below 2^13 have a bucket of their own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
}

impl Histogram {
    pub(crate) fn add(&mut self, value: u64, count: u64) {
        let bucket = bucket_of(value);
        if bucket >= self.counts.len() {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += count;
    }

    /// Counts by bucket; see [`bucket_of`].
    pub(crate) fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// (middle of the bucket, count), ascending, without empty buckets.
    pub(crate) fn pairs(&self) -> Vec<(u64, u64)> {
        self.counts
            .iter()
            .enumerate()
            .filter(|&(_, &count)| count > 0)
            .map(|(bucket, &count)| (middle_of(bucket), count))
            .collect()
    }
}

/// The bucket of a value; greater values have the same or a greater bucket.
pub(crate) fn bucket_of(value: u64) -> usize {
    let bits = u64::BITS - value.leading_zeros();
    let shift = bits.saturating_sub(SUB_BITS + 1);
    // The leading bit of `value >> shift` is part of the offset, so bucket
    // numbers go on without a gap from one power of two to the next.
    ((u64::from(shift) << SUB_BITS) + (value >> shift)) as usize
}

fn middle_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let shift = (bucket >> SUB_BITS).saturating_sub(1);
    let low = (bucket - (shift << SUB_BITS)) << shift;
    low + (1_u64 << shift) / 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_bucket_is_within_its_error_bound(value in any::<u64>(), bits in 0_u32..64) {
            let value = value >> bits;
            let middle = middle_of(bucket_of(value));
            let bound = value >> (SUB_BITS + 1);
            prop_assert!(middle.abs_diff(value) <= bound, "{value} -> {middle}");
        }

        #[test]
        fn buckets_keep_the_order(one in any::<u64>(), two in any::<u64>(), bits in 0_u32..64) {
            let (low, high) = (one.min(two) >> bits, one.max(two) >> bits);
            prop_assert!(bucket_of(low) <= bucket_of(high));
        }
    }

    #[test]
    fn small_values_are_exact() {
        let mut histogram = Histogram::default();
        for value in [0, 1, 8191, 5, 5] {
            histogram.add(value, 2);
        }
        assert_eq!(histogram.pairs(), [(0, 2), (1, 2), (5, 4), (8191, 2)]);
    }
}
