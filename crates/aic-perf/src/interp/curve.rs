//! Latency over one axis.

use sim_api::Coverage;

use super::axis::float_keys;
use super::{Position, Timed};
use crate::table::Curve;

/// A measured curve, ready for evaluation.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Line {
    keys: Box<[f64]>,
    values: Box<[f64]>,
}

impl Line {
    pub(crate) fn new(curve: &Curve) -> Self {
        Self {
            keys: float_keys(curve.keys()),
            values: curve.values().into(),
        }
    }

    pub(crate) fn from_points(points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let (keys, values): (Vec<_>, Vec<_>) = points.into_iter().unzip();
        Self {
            keys: keys.into(),
            values: values.into(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    pub(crate) fn first_key(&self) -> f64 {
        self.keys[0]
    }

    pub(crate) fn points(&self) -> impl DoubleEndedIterator<Item = (f64, f64)> {
        self.keys.iter().copied().zip(self.values.iter().copied())
    }

    #[inline]
    pub(crate) fn position(&self, at: f64) -> Position {
        Position::find(&self.keys, at)
    }

    /// The measured or interpolated value; none beyond the ends.
    #[inline]
    pub(crate) fn inside(&self, at: f64) -> Option<Timed> {
        match self.position(at) {
            Position::At(index) => Some(Timed::new(self.values[index], Coverage::Measured)),
            Position::Between(low, share) => {
                let (a, b) = (self.values[low], self.values[low + 1]);
                Some(Timed::new(a + (b - a) * share, Coverage::Interpolated))
            }
            Position::Below | Position::Above => None,
        }
    }

    /// The value at `at`, beyond the ends in proportion to `sol` from the nearest one; none where that end has no
    /// usable latency.
    #[inline]
    pub(crate) fn with_ends(&self, at: f64, sol: impl Fn(f64) -> f64) -> Option<Timed> {
        let end = match self.position(at) {
            Position::At(_) | Position::Between(..) => return self.inside(at),
            Position::Below => 0,
            Position::Above => self.keys.len() - 1,
        };
        let (latency, light) = (self.values[end], sol(self.keys[end]));
        (latency > 0.0 && light > 0.0)
            .then(|| Timed::new(sol(at) * latency / light, Coverage::Extrapolated))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        Line::from_points([(2.0, 1.0), (4.0, 3.0)])
    }

    #[test]
    fn inside_and_beyond() {
        let value = |at| line().with_ends(at, |x| x).unwrap();
        assert_eq!(value(2.0), Timed::new(1.0, Coverage::Measured));
        assert_eq!(value(3.0), Timed::new(2.0, Coverage::Interpolated));
        assert_eq!(value(1.0), Timed::new(0.5, Coverage::Extrapolated));
        assert_eq!(value(8.0), Timed::new(6.0, Coverage::Extrapolated));
    }

    #[test]
    fn an_end_without_latency_carries_nothing() {
        let line = Line::from_points([(2.0, 0.0), (4.0, 3.0)]);
        assert_eq!(line.with_ends(1.0, |x| x), None);
    }
}
