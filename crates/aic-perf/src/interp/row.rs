//! A grid along its inner axis at one value of the outer one: what the outer value settles is worked out beforehand.

use sim_api::Coverage;

use super::grid::{BoundGrid, Planes};
use super::hold::{Approach, log2};
use super::plane::Plane;
use super::tabulated::Tabulated;
use super::{Line, Position, Sol, Timed};

/// A [`BoundGrid`] at one value of its outer axis.
#[derive(Debug)]
pub(crate) struct GridRow {
    outer: f64,
    /// Where all neighbours on the outer axis have a value the latency is linear between keys.
    line: Option<Line>,
    /// Behind that only one neighbour has.
    side: Option<Side>,
    /// Where there can be a value at all.
    measured: (f64, f64),
    /// What a value rests on at best.
    coverage: Coverage,
    approach: Approach,
    /// The utilisation beyond the grid over the inner axis.
    utilisation: Tabulated,
}

/// The neighbour on the outer axis that reaches farther.
#[derive(Debug)]
struct Side {
    outer: f64,
    line: Line,
}

impl<S: Sol> BoundGrid<S> {
    /// Prepares one value of the outer axis.
    pub(crate) fn row(&self, outer: f64) -> GridRow {
        let near: Vec<(&Plane, usize)> = self
            .neighbours(outer)
            .into_iter()
            .flat_map(|(plane, indices)| indices.map(move |index| (plane, index)))
            .collect();
        let rows: Vec<&[f64]> = near
            .iter()
            .map(|(plane, index)| plane.row_keys(*index))
            .collect();
        let fold = |values: fn(&[f64]) -> f64, f: fn(f64, f64) -> f64, from| {
            rows.iter().map(|row| values(row)).fold(from, f)
        };
        let (first, last) = (|row: &[f64]| row[0], |row: &[f64]| row[row.len() - 1]);
        let common = fold(first, f64::max, 0.0)..=fold(last, f64::min, f64::INFINITY);
        let mut knots: Vec<f64> = rows.concat();
        knots.sort_by(f64::total_cmp);
        knots.dedup();
        let points: Option<Vec<_>> = knots
            .into_iter()
            .filter(|knot| common.contains(knot))
            .map(|knot| Some((knot, self.inside(outer, knot)?.ms)))
            .collect();
        let exact = matches!(&self.planes, Planes::One(_)) && near.len() == 1;
        GridRow {
            outer,
            line: points
                .filter(|points| points.len() > 1)
                .map(Line::from_points),
            side: self.side(&near, *common.end()),
            measured: (
                fold(first, f64::min, f64::INFINITY),
                fold(last, f64::max, 0.0),
            ),
            coverage: if exact {
                Coverage::Measured
            } else {
                Coverage::Interpolated
            },
            approach: self.hold.approach(log2(self.heads), log2(outer)),
            utilisation: Tabulated::default(),
        }
    }

    /// The planes that count, each with the outer keys around `outer`; none where one of them does not reach there.
    fn neighbours(&self, outer: f64) -> Vec<(&Plane, std::ops::RangeInclusive<usize>)> {
        let planes: Vec<&Plane> = match &self.planes {
            Planes::One(plane) => vec![plane],
            Planes::Two(planes, _) => planes.iter().map(|(_, plane)| plane).collect(),
            Planes::None => Vec::new(),
        };
        let around = |plane: &Plane| match plane.outer_position(outer) {
            Position::At(index) => Some(index..=index),
            Position::Between(index, _) => Some(index..=index + 1),
            Position::Below | Position::Above => None,
        };
        planes
            .into_iter()
            .filter_map(|plane| Some((plane, around(plane)?)))
            .collect()
    }

    /// The one of two neighbours of one plane that goes on behind `common_end`.
    fn side(&self, near: &[(&Plane, usize)], common_end: f64) -> Option<Side> {
        let (Planes::One(_), [_, _]) = (&self.planes, near) else {
            return None;
        };
        near.iter()
            .find(|(plane, index)| plane.row_keys(*index).last() > Some(&common_end))
            .map(|(plane, index)| Side {
                outer: plane.outer_keys()[*index],
                line: plane.row_line(*index),
            })
    }

    /// The mean over ascending points of a row.
    #[inline]
    pub(crate) fn mean_along<const N: usize>(&self, row: &GridRow, places: [f64; N]) -> Timed {
        let inside = row.line.as_ref().and_then(|line| line.sum(places));
        let sum = match inside {
            Some(sum) => Timed::new(sum.ms, sum.coverage.max(row.coverage)),
            None => places
                .iter()
                .fold(Timed::ZERO, |sum, place| sum.plus(self.along(row, *place))),
        };
        Timed::new(sum.ms / N as f64, sum.coverage)
    }

    /// The value at a point of a row. Beyond the grid the utilisation is read between nodes (see [`Tabulated`]).
    #[inline]
    pub(crate) fn along(&self, row: &GridRow, inner: f64) -> Timed {
        if let Some(value) = row.line.as_ref().and_then(|line| line.inside(inner)) {
            return Timed::new(value.ms, value.coverage.max(row.coverage));
        }
        if row.measured.0 <= inner && inner <= row.measured.1 {
            if let Some(side) = &row.side
                && row
                    .line
                    .as_ref()
                    .is_none_or(|line| inner > line.first_key())
                && let Some(value) = side.line.inside(inner)
            {
                let light = |outer| self.sol.at(self.heads, outer, inner);
                let ms = value.ms * light(row.outer) / light(side.outer);
                return Timed::new(ms, Coverage::Interpolated);
            }
            if let Some(value) = self.inside(row.outer, inner) {
                return value;
            }
        }
        let search = |inner| self.hold.utilisation_along(&row.approach, log2(inner));
        self.held(row.outer, inner, row.utilisation.read(inner, search))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Blend;
    use super::*;
    use crate::table::Grid;

    struct Area;

    impl Sol for Area {
        fn at(&self, heads: f64, outer: f64, inner: f64) -> f64 {
            heads * (outer * inner + 3.0)
        }
    }

    /// Latencies over 3 x 4 x up to 6 keys; the larger the outer keys, the shorter the row.
    fn jagged(values: &[f64]) -> Grid {
        let keys = |count: u32| (0..count).map(|power| 2_u32 << power);
        let cells = keys(3).flat_map(|heads| {
            keys(4).flat_map(move |outer| {
                let cells = 7 - outer.ilog2();
                keys(cells).map(move |inner| [heads, outer, inner])
            })
        });
        let light =
            |[heads, outer, inner]: [u32; 3]| Area.at(heads.into(), outer.into(), inner.into());
        Grid::new(
            3,
            cells
                .zip(values.iter().cycle())
                .map(|(key, value)| (key, value * light(key))),
        )
        .unwrap()
    }

    proptest! {
        #[test]
        fn a_row_agrees_with_the_grid(
            values in prop::collection::vec(0.5_f64..2.0, 20),
            heads in 1_u32..12,
            outer in 1_u32..24,
            inner in prop::collection::vec(1_u32..200, 30),
        ) {
            let grid = BoundGrid::new(&jagged(&values), heads, Blend::Linear, Area).unwrap();
            let row = grid.row(f64::from(outer));
            for inner in inner.into_iter().map(f64::from) {
                let along = grid.along(&row, inner);
                let at = grid.at(f64::from(outer), inner);
                // Whole numbers up to 512 are nodes themselves.
                prop_assert!((along.ms / at.ms - 1.0).abs() < 1e-12, "{along:?} {at:?}");
                prop_assert_eq!(along.coverage, at.coverage);
            }
        }
    }
}
