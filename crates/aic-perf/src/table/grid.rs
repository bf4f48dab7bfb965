//! Latency over two or three nested integer axes, jagged: what one outer key has measured inside another may lack.

use std::ops::Range;

use super::TableError;

/// Most axes a grid can have.
const AXES_MAX: usize = 3;

const UNSORTED: TableError = TableError::Unsorted { what: "grid" };

/// A nested map from axis keys (outer to inner) to latencies in ms, stored as columns.
///
/// Keys under one parent ascend strictly; every branch has at least one leaf; latencies are finite and not negative.
///
/// ```
/// use aic_perf::table::Grid;
/// let grid = Grid::new(2, [(vec![1, 16], 0.5), (vec![1, 32], 0.75), (vec![4, 16], 1.5)])?;
/// assert_eq!(grid.get(&[1, 32]), Some(0.75));
/// assert_eq!(grid.get(&[4, 32]), None);
/// let root = grid.root();
/// assert_eq!(root.keys(), [1, 4]);
/// assert_eq!(root.child(1).keys(), [16]);
/// assert_eq!(root.child(1).values(), [1.5]);
/// # Ok::<(), aic_perf::table::TableError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Grid {
    levels: Box<[Level]>,
    values: Box<[f64]>,
}

/// The nodes of one axis, parents' children one after another.
#[derive(Debug, Clone, PartialEq)]
struct Level {
    keys: Box<[u32]>,
    /// Children of the outer level's node `p` are `starts[p]..starts[p + 1]`.
    starts: Box<[u32]>,
}

/// The keys under one node of a [`Grid`] (or its outermost keys).
#[derive(Debug, Clone, Copy)]
pub struct Branch<'a> {
    grid: &'a Grid,
    level: usize,
    start: usize,
    end: usize,
}

impl Grid {
    /// A grid with `axes` axes from cells in ascending lexicographic order of their keys.
    ///
    /// # Errors
    /// [`TableError::Unsorted`] if there is no cell, keys do not ascend or do not have `axes` parts (1 to 3);
    /// [`TableError::BadLatency`] on a latency that is negative or not finite.
    pub fn new(
        axes: usize,
        cells: impl IntoIterator<Item = (impl AsRef<[u32]>, f64)>,
    ) -> Result<Self, TableError> {
        if axes == 0 || axes > AXES_MAX {
            return Err(UNSORTED);
        }
        let mut keys: Vec<Vec<u32>> = vec![Vec::new(); axes];
        let mut starts: Vec<Vec<u32>> = vec![Vec::new(); axes];
        starts[0].push(0);
        let mut values = Vec::new();
        let mut previous: Vec<u32> = Vec::new();
        for (key, value) in cells {
            let key = key.as_ref();
            if key.len() != axes || (!previous.is_empty() && previous.as_slice() >= key) {
                return Err(UNSORTED);
            }
            if !value.is_finite() || value < 0.0 {
                return Err(TableError::BadLatency { what: "grid" });
            }
            // The outermost axis where this cell leaves the branch of the one before it.
            let fork = previous
                .iter()
                .zip(key)
                .position(|(a, b)| a != b)
                .unwrap_or(0);
            for axis in fork..axes {
                if axis > fork || previous.is_empty() && axis > 0 {
                    let node = u32::try_from(keys[axis].len()).map_err(|_| UNSORTED)?;
                    starts[axis].push(node);
                }
                keys[axis].push(key[axis]);
            }
            values.push(value);
            previous.clear();
            previous.extend_from_slice(key);
        }
        if values.is_empty() {
            return Err(UNSORTED);
        }
        for axis in 0..axes {
            let nodes = u32::try_from(keys[axis].len()).map_err(|_| UNSORTED)?;
            starts[axis].push(nodes);
        }
        let levels = keys
            .into_iter()
            .zip(starts)
            .map(|(keys, starts)| Level {
                keys: keys.into(),
                starts: starts.into(),
            })
            .collect();
        Ok(Self {
            levels,
            values: values.into(),
        })
    }

    /// A grid from the keys of every branch, outermost axis first, and its latencies. There are as many branches on an
    /// axis as keys on the one outside it, and the keys of each ascend strictly.
    pub(super) fn from_branches(
        axes: &[Vec<&[u32]>],
        values: Vec<f64>,
    ) -> Result<Self, TableError> {
        let mut parents = 1;
        let mut levels = Vec::with_capacity(axes.len());
        for branches in axes {
            let mut keys = Vec::new();
            let mut starts = vec![0];
            for branch in branches {
                keys.extend_from_slice(branch);
                starts.push(u32::try_from(keys.len()).map_err(|_| UNSORTED)?);
            }
            let ascending =
                |branch: &&[u32]| !branch.is_empty() && branch.is_sorted_by(|a, b| a < b);
            if branches.len() != parents || !branches.iter().all(ascending) {
                return Err(UNSORTED);
            }
            parents = keys.len();
            levels.push(Level {
                keys: keys.into(),
                starts: starts.into(),
            });
        }
        if levels.is_empty() || levels.len() > AXES_MAX || parents != values.len() {
            return Err(UNSORTED);
        }
        if !values.iter().all(|v| v.is_finite() && *v >= 0.0) {
            return Err(TableError::BadLatency { what: "grid" });
        }
        Ok(Self {
            levels: levels.into(),
            values: values.into(),
        })
    }

    /// How many axes, 1 to 3.
    #[must_use]
    pub fn axes(&self) -> usize {
        self.levels.len()
    }

    /// How many cells were measured, at least 1.
    #[must_use]
    pub fn cells(&self) -> usize {
        self.values.len()
    }

    /// All latencies in ms, in ascending lexicographic order of their keys (the order of [`Grid::leaves`]).
    #[must_use]
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The outermost keys.
    #[must_use]
    pub fn root(&self) -> Branch<'_> {
        Branch {
            grid: self,
            level: 0,
            start: 0,
            end: self.levels[0].keys.len(),
        }
    }

    /// The latency measured exactly at `key`, outer to inner.
    #[must_use]
    pub fn get(&self, key: &[u32]) -> Option<f64> {
        let (last, outer) = key.split_last()?;
        if key.len() != self.axes() {
            return None;
        }
        let mut branch = self.root();
        for part in outer {
            branch = branch.child(branch.keys().binary_search(part).ok()?);
        }
        let at = branch.keys().binary_search(last).ok()?;
        Some(branch.values()[at])
    }

    /// Every cell, keys outer to inner (unused parts 0), in ascending order.
    pub fn leaves(&self) -> impl Iterator<Item = ([u32; AXES_MAX], f64)> {
        let mut node = [0_usize; AXES_MAX];
        (0..self.cells()).map(move |leaf| {
            let mut key = [0; AXES_MAX];
            let last = self.axes() - 1;
            node[last] = leaf;
            for axis in (0..last).rev() {
                // The parent moves on when its children are used up.
                let starts = &self.levels[axis + 1].starts;
                while starts[node[axis] + 1] as usize <= node[axis + 1] {
                    node[axis] += 1;
                }
            }
            for (axis, level) in self.levels.iter().enumerate() {
                key[axis] = level.keys[node[axis]];
            }
            (key, self.values[leaf])
        })
    }
}

impl<'a> Branch<'a> {
    /// The keys of this axis, ascending, at least one.
    #[must_use]
    pub fn keys(&self) -> &'a [u32] {
        &self.grid.levels[self.level].keys[self.start..self.end]
    }

    /// Is this the innermost axis, the one with latencies?
    #[must_use]
    pub fn is_innermost(&self) -> bool {
        self.level + 1 == self.grid.axes()
    }

    /// The branch under the `index`-th key. Panics on the innermost axis and outside `keys()`.
    #[must_use]
    pub fn child(&self, index: usize) -> Branch<'a> {
        assert!(index < self.end - self.start, "no such key in this branch");
        let starts = &self.grid.levels[self.level + 1].starts;
        let node = self.start + index;
        Branch {
            grid: self.grid,
            level: self.level + 1,
            start: starts[node] as usize,
            end: starts[node + 1] as usize,
        }
    }

    /// Latencies in ms, one for each key. Panics unless [`Branch::is_innermost`].
    #[must_use]
    pub fn values(&self) -> &'a [f64] {
        &self.grid.values[self.leaf_range()]
    }

    /// Where [`Branch::values`] lie in [`Grid::values`]. Panics unless [`Branch::is_innermost`].
    #[must_use]
    pub fn leaf_range(&self) -> Range<usize> {
        assert!(self.is_innermost(), "only the innermost axis has latencies");
        self.start..self.end
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::{Grid, TableError};

    proptest! {
        #[test]
        fn a_grid_is_the_map_it_was_made_of(
            map in prop::collection::btree_map([0_u32..4, 0_u32..4, 0_u32..4], 0.0_f64..9.0, 1..40),
            probe in [0_u32..5, 0_u32..5, 0_u32..5],
        ) {
            let grid = Grid::new(3, map.iter().map(|(key, value)| (key, *value))).unwrap();
            prop_assert_eq!(grid.get(&probe), map.get(&probe).copied());
            prop_assert_eq!(grid.leaves().collect::<BTreeMap<_, _>>(), map.clone());
            prop_assert!(grid.leaves().map(|(key, _)| key).is_sorted());
            let mut walked = Vec::new();
            let root = grid.root();
            for (outer, outer_key) in root.keys().iter().enumerate() {
                let middle = root.child(outer);
                for (index, middle_key) in middle.keys().iter().enumerate() {
                    let inner = middle.child(index);
                    prop_assert!(inner.is_innermost());
                    let cells = inner.keys().iter().zip(inner.values());
                    walked.extend(cells.map(|(key, value)| ([*outer_key, *middle_key, *key], *value)));
                }
            }
            prop_assert_eq!(walked, map.into_iter().collect::<Vec<_>>());
        }
    }

    #[test]
    fn cells_out_of_order_twice_or_none_are_refused() {
        let unsorted = Err(TableError::Unsorted { what: "grid" });
        assert_eq!(Grid::new(2, [([1, 2], 1.0), ([1, 1], 1.0)]), unsorted);
        assert_eq!(Grid::new(2, [([1, 1], 1.0), ([1, 1], 1.0)]), unsorted);
        assert_eq!(Grid::new(2, [([1, 1, 1], 1.0)]), unsorted);
        assert_eq!(Grid::new(2, [([0; 2], 0.0); 0]), unsorted);
        let bad = Err(TableError::BadLatency { what: "grid" });
        assert_eq!(Grid::new(1, [([1], f64::NAN)]), bad);
        assert_eq!(Grid::new(1, [([1], -1.0)]), bad);
    }
}
