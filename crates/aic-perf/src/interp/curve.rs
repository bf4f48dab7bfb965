//! Latency over one axis.

use sim_api::Coverage;

use super::Timed;
use super::axis::{Keys, float_keys};
use crate::table::Curve;

/// A measured curve, ready for evaluation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    keys: Keys,
    values: Box<[f64]>,
    /// To the next value, 0 at the last.
    slopes: Box<[f64]>,
}

impl Line {
    pub(crate) fn new(curve: &Curve) -> Self {
        Self::with_keys(float_keys(curve.keys()), curve.values().into())
    }

    /// A line through points in ascending order, of which there is at least one.
    pub(crate) fn from_points(points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let (keys, values): (Vec<_>, Vec<_>) = points.into_iter().unzip();
        Self::with_keys(keys.into(), values.into())
    }

    fn with_keys(keys: Box<[f64]>, values: Box<[f64]>) -> Self {
        let slope = |index: usize| match (keys.get(index + 1), values.get(index + 1)) {
            (Some(key), Some(value)) => (value - values[index]) / (key - keys[index]),
            _ => 0.0,
        };
        let slopes = (0..values.len()).map(slope).collect();
        Self {
            keys: Keys::new(keys),
            values,
            slopes,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    pub(crate) fn keys(&self) -> &[f64] {
        self.keys.as_slice()
    }

    pub(crate) fn first_key(&self) -> f64 {
        self.keys()[0]
    }

    pub(crate) fn points(&self) -> impl DoubleEndedIterator<Item = (f64, f64)> {
        self.keys().iter().copied().zip(self.values.iter().copied())
    }

    /// The index of the last key that is not greater than `at`; none beyond the ends.
    #[inline]
    pub(crate) fn interval(&self, at: f64) -> Option<usize> {
        self.keys.interval(at)
    }

    /// The value at `at`, which lies in this interval.
    #[inline]
    pub(crate) fn in_interval(&self, interval: usize, at: f64) -> f64 {
        self.values[interval] + self.slopes[interval] * (at - self.keys()[interval])
    }

    /// The measured or interpolated value; none beyond the ends.
    #[inline]
    pub(crate) fn inside(&self, at: f64) -> Option<Timed> {
        let interval = self.interval(at)?;
        let coverage = if self.keys()[interval] == at {
            Coverage::Measured
        } else {
            Coverage::Interpolated
        };
        Some(Timed::new(self.in_interval(interval, at), coverage))
    }

    /// The sum of the values at ascending places; none if one lies beyond the ends.
    #[inline]
    pub(crate) fn sum(&self, places: impl IntoIterator<Item = f64>) -> Option<Timed> {
        let keys = self.keys();
        let (mut sum, mut exact, mut interval) = (0.0, true, None);
        for at in places {
            // Ascending places: the interval is the last one's or a little further on.
            let mut here = match interval {
                Some(last) if at <= keys[keys.len() - 1] => last,
                Some(_) => return None,
                None => self.interval(at)?,
            };
            while here + 1 < keys.len() && keys[here + 1] <= at {
                here += 1;
            }
            interval = Some(here);
            exact &= keys[here] == at;
            sum += self.in_interval(here, at);
        }
        let coverage = if exact {
            Coverage::Measured
        } else {
            Coverage::Interpolated
        };
        Some(Timed::new(sum, coverage))
    }

    /// The value at `at`, beyond the ends in proportion to `sol` from the nearest one; none where that end has no
    /// usable latency.
    #[inline]
    pub(crate) fn with_ends(&self, at: f64, sol: impl Fn(f64) -> f64) -> Option<Timed> {
        self.inside(at).or_else(|| {
            let end = if at < self.first_key() {
                0
            } else {
                self.len() - 1
            };
            let (latency, light) = (self.values[end], sol(self.keys()[end]));
            (latency > 0.0 && light > 0.0)
                .then(|| Timed::new(sol(at) * latency / light, Coverage::Extrapolated))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        Line::from_points([(2.0, 1.0), (4.0, 3.0), (5.0, 9.0)])
    }

    #[test]
    fn inside_and_beyond() {
        let value = |at| line().with_ends(at, |x| x).unwrap();
        assert_eq!(value(2.0), Timed::new(1.0, Coverage::Measured));
        assert_eq!(value(3.0), Timed::new(2.0, Coverage::Interpolated));
        assert_eq!(value(1.0), Timed::new(0.5, Coverage::Extrapolated));
        assert_eq!(value(10.0), Timed::new(18.0, Coverage::Extrapolated));
    }

    #[test]
    fn sums_over_ascending_places() {
        let sum = |places: [f64; 3]| line().sum(places);
        assert_eq!(
            sum([2.0, 4.0, 5.0]),
            Some(Timed::new(13.0, Coverage::Measured))
        );
        assert_eq!(
            sum([2.0, 3.0, 4.5]),
            Some(Timed::new(9.0, Coverage::Interpolated))
        );
        assert_eq!(sum([3.0, 3.0, 5.5]), None);
        assert_eq!(sum([1.0, 3.0, 5.0]), None);
    }

    #[test]
    fn an_end_without_latency_carries_nothing() {
        let line = Line::from_points([(2.0, 0.0), (4.0, 3.0)]);
        assert_eq!(line.with_ends(1.0, |x| x), None);
    }
}
