//! Latency over two nested axes, inside the measured range.

use sim_api::Coverage;

use super::axis::float_keys;
use super::{Line, Position, Timed};
use crate::table::Branch;

/// How values on both sides are blended over an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Blend {
    /// Linearly.
    Linear,
    /// Linearly on the square roots.
    Sqrt,
}

impl Blend {
    #[inline]
    pub(crate) fn mix(self, low: f64, high: f64, share: f64) -> f64 {
        match self {
            Self::Linear => low + (high - low) * share,
            Self::Sqrt => {
                let (low, high) = (low.sqrt(), high.sqrt());
                let root = low + (high - low) * share;
                root * root
            }
        }
    }
}

/// Measured points over an outer axis, each key with its own inner axis.
#[derive(Debug, Clone)]
pub(crate) struct Plane {
    outer: Box<[f64]>,
    /// Inner keys of outer key `i` are `starts[i]..starts[i + 1]`.
    starts: Box<[u32]>,
    inner: Box<[f64]>,
    values: Box<[f64]>,
    blend: Blend,
}

impl Plane {
    /// The two axes under a branch.
    pub(crate) fn new(branch: Branch<'_>, blend: Blend) -> Self {
        let mut starts = vec![0];
        let mut inner = Vec::new();
        let mut values = Vec::new();
        for index in 0..branch.keys().len() {
            let row = branch.child(index);
            inner.extend_from_slice(&float_keys(row.keys()));
            values.extend_from_slice(row.values());
            starts.push(u32::try_from(inner.len()).unwrap_or(u32::MAX));
        }
        Self {
            outer: float_keys(branch.keys()),
            starts: starts.into(),
            inner: inner.into(),
            values: values.into(),
            blend,
        }
    }

    /// The smallest and largest key of either axis: outer, inner.
    pub(crate) fn ranges(&self) -> [(f64, f64); 2] {
        [&self.outer, &self.inner].map(|keys| {
            let fold = |f: fn(f64, f64) -> f64, from| keys.iter().copied().fold(from, f);
            (fold(f64::min, f64::INFINITY), fold(f64::max, 0.0))
        })
    }

    pub(crate) fn outer_keys(&self) -> &[f64] {
        &self.outer
    }

    /// The inner keys of an outer one.
    pub(crate) fn row_keys(&self, index: usize) -> &[f64] {
        &self.inner[self.row(index)]
    }

    /// The latencies over the inner keys of an outer one.
    pub(crate) fn row_line(&self, index: usize) -> Line {
        let values = &self.values[self.row(index)];
        Line::from_points(
            self.row_keys(index)
                .iter()
                .copied()
                .zip(values.iter().copied()),
        )
    }

    pub(crate) fn outer_position(&self, outer: f64) -> Position {
        Position::find(&self.outer, outer)
    }

    fn row(&self, index: usize) -> std::ops::Range<usize> {
        self.starts[index] as usize..self.starts[index + 1] as usize
    }

    #[inline]
    fn in_row(&self, index: usize, inner: f64) -> Option<Timed> {
        let row = self.row(index);
        let values = &self.values[row.clone()];
        match Position::find(&self.inner[row], inner) {
            Position::At(at) => Some(Timed::new(values[at], Coverage::Measured)),
            Position::Between(low, share) => {
                let ms = Blend::Linear.mix(values[low], values[low + 1], share);
                Some(Timed::new(ms, Coverage::Interpolated))
            }
            Position::Below | Position::Above => None,
        }
    }

    /// The value inside the measured range; none outside. Where only one side of the outer axis has the inner value,
    /// it is carried over in proportion to `sol`, a function of (outer, inner).
    #[inline]
    pub(crate) fn inside(
        &self,
        outer: f64,
        inner: f64,
        sol: impl Fn(f64, f64) -> f64,
    ) -> Option<Timed> {
        match self.outer_position(outer) {
            Position::At(index) => self.in_row(index, inner),
            Position::Between(low, share) => {
                let sides = (self.in_row(low, inner), self.in_row(low + 1, inner));
                let carried = |side: Timed, key: f64| {
                    let ms = side.ms * sol(outer, inner) / sol(key, inner);
                    Timed::new(ms, Coverage::Interpolated)
                };
                match sides {
                    (Some(a), Some(b)) => Some(Timed::new(
                        self.blend.mix(a.ms, b.ms, share),
                        Coverage::Interpolated,
                    )),
                    (Some(a), None) => Some(carried(a, self.outer[low])),
                    (None, Some(b)) => Some(carried(b, self.outer[low + 1])),
                    (None, None) => None,
                }
            }
            Position::Below | Position::Above => None,
        }
    }
}
