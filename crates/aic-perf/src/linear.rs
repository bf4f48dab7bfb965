//! Linear interpolation that goes on linearly beyond the ends, as tables of users are read.

use sim_api::Coverage;

/// Where a value lies among keys: this share of the way from one key to the next. Below 0 and above 1 it lies beyond
/// the ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place {
    pub(crate) low: usize,
    pub(crate) share: f64,
    pub(crate) coverage: Coverage,
}

impl Place {
    /// Finds `value` among strictly ascending `keys`, of which there is at least one. One key alone stands for all
    /// values.
    #[inline]
    pub(crate) fn find(keys: &[f64], value: f64) -> Self {
        let last = keys.len() - 1;
        let inside = keys[0] <= value && value <= keys[last];
        if last == 0 {
            return Self {
                low: 0,
                share: 0.0,
                coverage: coverage(inside, true),
            };
        }
        let low = keys.partition_point(|key| *key <= value).clamp(1, last) - 1;
        let share = (value - keys[low]) / (keys[low + 1] - keys[low]);
        Self {
            low,
            share,
            coverage: coverage(inside, share == 0.0 || share == 1.0),
        }
    }

    /// The value on the line through those at the two keys.
    #[inline]
    pub(crate) fn mix(self, at: impl Fn(usize) -> f64) -> f64 {
        let low = at(self.low);
        if self.share == 0.0 {
            return low;
        }
        low + (at(self.low + 1) - low) * self.share
    }
}

fn coverage(inside: bool, at_key: bool) -> Coverage {
    match (inside, at_key) {
        (false, _) => Coverage::Extrapolated,
        (true, true) => Coverage::Measured,
        (true, false) => Coverage::Interpolated,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: f64) -> (f64, Coverage) {
        let place = Place::find(&[1.0, 2.0, 4.0], value);
        (place.mix(|index| [10.0, 20.0, 60.0][index]), place.coverage)
    }

    #[test]
    fn inside_and_beyond() {
        assert_eq!(read(2.0), (20.0, Coverage::Measured));
        assert_eq!(read(4.0), (60.0, Coverage::Measured));
        assert_eq!(read(3.0), (40.0, Coverage::Interpolated));
        assert_eq!(read(0.0), (0.0, Coverage::Extrapolated));
        assert_eq!(read(5.0), (80.0, Coverage::Extrapolated));
    }

    #[test]
    fn one_key_stands_for_all() {
        let place = Place::find(&[3.0], 7.0);
        assert_eq!(place.mix(|_| 5.0), 5.0);
        assert_eq!(place.coverage, Coverage::Extrapolated);
    }
}
