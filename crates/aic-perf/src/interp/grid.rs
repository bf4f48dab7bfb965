//! Latency over heads and two more axes, of which the heads are known from the start.

use sim_api::Coverage;

use super::hold::{HoldIndex, log2};
use super::plane::Plane;
use super::{Blend, Line, Position, Sol, Timed};
use crate::table::Grid;

/// A measured grid bound to a number of heads.
#[derive(Debug, Clone)]
pub(crate) struct BoundGrid<S> {
    pub(super) heads: f64,
    pub(super) planes: Planes,
    pub(super) hold: HoldIndex,
    pub(super) sol: S,
}

/// What was measured at the number of heads.
#[derive(Debug, Clone)]
pub(super) enum Planes {
    /// It was measured.
    One(Plane),
    /// It lies between two that were; the share of the way.
    Two(Box<[(f64, Plane); 2]>, f64),
    /// It lies outside.
    None,
}

impl<S: Sol> BoundGrid<S> {
    /// Binds a grid of three axes to `heads`, or one of two axes; none if it holds no usable point.
    pub(crate) fn new(grid: &Grid, heads: u32, blend: Blend, sol: S) -> Option<Self> {
        let hold = HoldIndex::new(grid, &sol)?;
        let root = grid.root();
        let heads = f64::from(heads);
        let planes = if grid.axes() == 2 {
            Planes::One(Plane::new(root, blend))
        } else {
            let keys: Vec<f64> = root.keys().iter().map(|key| f64::from(*key)).collect();
            match Position::find(&keys, heads) {
                Position::At(index) => Planes::One(Plane::new(root.child(index), blend)),
                Position::Between(low, share) => {
                    let plane = |index| (keys[index], Plane::new(root.child(index), blend));
                    Planes::Two(Box::new([plane(low), plane(low + 1)]), share)
                }
                Position::Below | Position::Above => Planes::None,
            }
        };
        Some(Self {
            heads,
            planes,
            hold,
            sol,
        })
    }

    /// The value at a point.
    pub(crate) fn at(&self, outer: f64, inner: f64) -> Timed {
        self.inside(outer, inner).unwrap_or_else(|| {
            let near = self
                .hold
                .utilisation(log2(self.heads), log2(outer), log2(inner));
            self.held(outer, inner, near)
        })
    }

    /// The value inside the measured range; none outside.
    pub(super) fn inside(&self, outer: f64, inner: f64) -> Option<Timed> {
        let light = |heads: f64| move |a: f64, b: f64| self.sol.at(heads, a, b);
        match &self.planes {
            Planes::One(plane) => plane.inside(outer, inner, light(self.heads)),
            Planes::Two(planes, share) => {
                let [(low, a), (high, b)] = &**planes;
                let here = light(self.heads);
                let sides = (a.inside(outer, inner, here), b.inside(outer, inner, here));
                let carried = |side: Timed, heads: f64| {
                    let scale = here(outer, inner) / light(heads)(outer, inner);
                    Timed::new(side.ms * scale, Coverage::Interpolated)
                };
                match sides {
                    (Some(a), Some(b)) => {
                        let ms = Blend::Linear.mix(a.ms, b.ms, *share);
                        Some(Timed::new(ms, Coverage::Interpolated))
                    }
                    (Some(a), None) => Some(carried(a, *low)),
                    (None, Some(b)) => Some(carried(b, *high)),
                    (None, None) => None,
                }
            }
            Planes::None => None,
        }
    }

    pub(super) fn held(&self, outer: f64, inner: f64, utilisation: f64) -> Timed {
        let ms = self.sol.at(self.heads, outer, inner) / utilisation;
        Timed::new(ms, Coverage::Extrapolated)
    }

    /// The smallest and largest measured key of the two axes at the number of heads.
    pub(crate) fn ranges(&self) -> Option<[(f64, f64); 2]> {
        match &self.planes {
            Planes::One(plane) => Some(plane.ranges()),
            Planes::Two(..) | Planes::None => None,
        }
    }

    /// The grid along its outer axis at one value of the inner one; none unless there is a value at every outer key.
    pub(crate) fn column(&self, inner: f64) -> Option<(Line, Coverage)> {
        let Planes::One(plane) = &self.planes else {
            return None;
        };
        let mut coverage = Coverage::Measured;
        let mut points = Vec::new();
        for outer in plane.outer_keys() {
            let value = self.inside(*outer, inner)?;
            coverage = coverage.max(value.coverage);
            points.push((*outer, value.ms));
        }
        Some((Line::from_points(points), coverage))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Area;

    impl Sol for Area {
        fn at(&self, heads: f64, outer: f64, inner: f64) -> f64 {
            heads * (outer * inner + 3.0)
        }
    }

    fn grid() -> Grid {
        let cells = [
            ([2, 1, 1], 1.0),
            ([2, 1, 8], 2.0),
            ([2, 4, 1], 3.0),
            ([2, 4, 4], 7.0),
            ([8, 1, 1], 4.0),
            ([8, 1, 8], 9.0),
            ([8, 4, 2], 16.0),
        ];
        Grid::new(3, cells).unwrap()
    }

    fn bound(heads: u32, blend: Blend) -> BoundGrid<Area> {
        BoundGrid::new(&grid(), heads, blend, Area).unwrap()
    }

    #[test]
    fn exact_points_come_verbatim() {
        let value = bound(2, Blend::Sqrt).at(4.0, 4.0);
        assert_eq!(value, Timed::new(7.0, Coverage::Measured));
    }

    #[test]
    fn blends_on_the_square_root_of_the_outer_axis() {
        let value = bound(2, Blend::Sqrt).at(2.0, 1.0);
        let root = 1.0 + (3.0_f64.sqrt() - 1.0) / 3.0;
        assert!((value.ms - root * root).abs() < 1e-12);
        assert_eq!(value.coverage, Coverage::Interpolated);
    }

    #[test]
    fn one_side_is_carried_over_by_speed_of_light() {
        // At outer 4 nothing was measured beyond inner 4, so outer 1 stands for both.
        let value = bound(2, Blend::Linear).at(2.0, 8.0);
        assert!((value.ms - 2.0 * 19.0 / 11.0).abs() < 1e-12);
    }

    #[test]
    fn heads_between_two_blend_linearly() {
        let value = bound(5, Blend::Linear).at(1.0, 1.0);
        assert!((value.ms - 2.5).abs() < 1e-12);
    }

    #[test]
    fn beyond_the_grid_utilisation_is_held() {
        let value = bound(2, Blend::Linear).at(1.0, 1e6);
        assert_eq!(value.coverage, Coverage::Extrapolated);
        assert!(value.ms > 1e5 && value.ms.is_finite());
    }
}
