//! Where a value lies among the measured keys of an axis.

/// A place on an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Position {
    /// Before the first key.
    Below,
    /// Exactly at the key of this index.
    At(usize),
    /// Between the key of this index and the next, this share of the way.
    Between(usize, f64),
    /// Behind the last key.
    Above,
}

impl Position {
    /// Finds `value` among ascending `keys`, of which there is at least one.
    #[inline]
    pub(crate) fn find(keys: &[f64], value: f64) -> Self {
        let above = keys.partition_point(|key| *key <= value);
        if above == 0 {
            return Self::Below;
        }
        let low = keys[above - 1];
        if low == value {
            return Self::At(above - 1);
        }
        match keys.get(above) {
            Some(high) => Self::Between(above - 1, (value - low) / (high - low)),
            None => Self::Above,
        }
    }
}

/// Keys as floating-point numbers, which hold them exactly.
pub(crate) fn float_keys(keys: &[u32]) -> Box<[f64]> {
    keys.iter().map(|key| f64::from(*key)).collect()
}

/// Bits of a floating-point number below those that choose a bucket: eight buckets an octave.
const BUCKET_SHIFT: u32 = 49;

/// Ascending keys, each at least 0, with a table that leads to a value's neighbourhood without a search.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Keys {
    keys: Box<[f64]>,
    /// For each bucket from that of the first key to that of the last, the last key that is below it or in front of it.
    starts: Box<[u32]>,
    first_bucket: u64,
}

impl Keys {
    /// Keys, of which there is at least one.
    pub(crate) fn new(keys: Box<[f64]>) -> Self {
        let first_bucket = bucket(keys[0]);
        let last_bucket = bucket(keys[keys.len() - 1]);
        let starts = (first_bucket..=last_bucket)
            .map(|wanted| {
                let before = keys.partition_point(|key| bucket(*key) < wanted);
                u32::try_from(before.saturating_sub(1)).unwrap_or(0)
            })
            .collect();
        Self {
            keys,
            starts,
            first_bucket,
        }
    }

    pub(crate) fn as_slice(&self) -> &[f64] {
        &self.keys
    }

    /// The index of the last key that is not greater than `value`; none if it lies outside.
    #[inline]
    pub(crate) fn interval(&self, value: f64) -> Option<usize> {
        let last = self.keys.len() - 1;
        if !(value >= self.keys[0] && value <= self.keys[last]) {
            return None;
        }
        let mut index = self.starts[(bucket(value) - self.first_bucket) as usize] as usize;
        while index < last && self.keys[index + 1] <= value {
            index += 1;
        }
        Some(index)
    }
}

/// Buckets ascend with the numbers, as long as those are not negative.
#[inline]
fn bucket(value: f64) -> u64 {
    value.to_bits() >> BUCKET_SHIFT
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_places() {
        let keys = [1.0, 4.0, 8.0];
        assert_eq!(Position::find(&keys, 0.5), Position::Below);
        assert_eq!(Position::find(&keys, 1.0), Position::At(0));
        assert_eq!(Position::find(&keys, 7.0), Position::Between(1, 0.75));
        assert_eq!(Position::find(&keys, 8.0), Position::At(2));
        assert_eq!(Position::find(&keys, 9.0), Position::Above);
    }

    proptest! {
        #[test]
        fn the_table_leads_where_a_search_would(
            keys in prop::collection::btree_set(0_u32..200_000, 1..80),
            values in prop::collection::vec(0_u32..220_000, 20),
        ) {
            let keys: Box<[f64]> = keys.into_iter().map(f64::from).collect();
            let table = Keys::new(keys.clone());
            for value in values.into_iter().map(f64::from).chain(keys.iter().copied()) {
                let expected = match Position::find(&keys, value) {
                    Position::At(index) | Position::Between(index, _) => Some(index),
                    Position::Below | Position::Above => None,
                };
                prop_assert_eq!(table.interval(value), expected);
            }
        }
    }
}
