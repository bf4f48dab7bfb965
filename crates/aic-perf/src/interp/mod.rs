//! Latencies between and beyond measured points.
//!
//! Inside the measured range values are blended linearly (prefill over sequence length on the square root). Beyond it
//! what is carried over is not the latency but how well the hardware was used: the ratio of the speed-of-light time
//! ("sol", [`crate::sol`]) to the measured one at the nearest measured points.

mod axis;
mod curve;
mod grid;
mod hold;
mod plane;
mod row;
mod sites;
mod tabulated;

pub(crate) use axis::Position;
pub(crate) use curve::Line;
pub(crate) use grid::BoundGrid;
pub(crate) use plane::Blend;
pub(crate) use row::GridRow;
pub(crate) use sites::{BoundSites, GemmSol};

use sim_api::Coverage;

/// The speed-of-light time of an operation at a point of its grid, in any unit as long as it is one.
pub(crate) trait Sol {
    /// Axes outer to inner.
    fn at(&self, heads: f64, outer: f64, inner: f64) -> f64;
}

/// Milliseconds and what they rest on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Timed {
    pub(crate) ms: f64,
    pub(crate) coverage: Coverage,
}

impl Timed {
    pub(crate) const ZERO: Self = Self {
        ms: 0.0,
        coverage: Coverage::Formula,
    };

    pub(crate) const fn new(ms: f64, coverage: Coverage) -> Self {
        Self { ms, coverage }
    }

    pub(crate) const fn formula(ms: f64) -> Self {
        Self::new(ms, Coverage::Formula)
    }

    /// One after the other: times add up, the weakest foundation counts.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self::new(self.ms + other.ms, self.coverage.max(other.coverage))
    }

    pub(crate) fn times(self, factor: f64) -> Self {
        Self::new(self.ms * factor, self.coverage)
    }
}
