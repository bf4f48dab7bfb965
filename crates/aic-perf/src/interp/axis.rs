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
        Self::behind(keys, value, above)
    }

    /// The place of `value` where `above` keys are not greater than it.
    #[inline]
    fn behind(keys: &[f64], value: f64, above: usize) -> Self {
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

#[cfg(test)]
mod tests {
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
}
